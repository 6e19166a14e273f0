//! The units that one machine holds, indexed by what they conflict with and replace.

use std::collections::BTreeMap;
use std::sync::Arc;

use fleet_units::UnitName;

use super::names::{Claims, Names};
use super::rules::Rules;

/// Units that one machine holds.
#[derive(Clone, Debug, Default)]
pub struct Tenants {
    units: BTreeMap<UnitName, Arc<Rules>>,
    conflicts: Claims,
    replaces: Claims,
}

impl Tenants {
    /// Number of units.
    #[must_use]
    pub fn len(&self) -> usize {
        self.units.len()
    }

    /// Whether the machine holds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.units.is_empty()
    }

    /// Whether the machine holds that unit.
    #[must_use]
    pub fn contains(&self, unit: &UnitName) -> bool {
        self.units.contains_key(unit)
    }

    /// What that unit asks, if the machine holds it.
    #[must_use]
    pub fn get(&self, unit: &UnitName) -> Option<&Arc<Rules>> {
        self.units.get(unit)
    }

    pub(super) fn insert(&mut self, rules: &Arc<Rules>) {
        let name = &rules.name;
        drop(self.remove(name));
        self.conflicts.insert(name, &rules.conflicts);
        self.replaces.insert(name, &rules.replaces);
        self.units.insert(name.clone(), Arc::clone(rules));
    }

    pub(super) fn remove(&mut self, unit: &UnitName) -> Option<Arc<Rules>> {
        let rules = self.units.remove(unit)?;
        self.conflicts.remove(unit, &rules.conflicts);
        self.replaces.remove(unit, &rules.replaces);
        Some(rules)
    }

    /// Units here that do not go together with the given one, whichever of them says so.
    pub fn conflicting<'a>(&'a self, rules: &'a Rules) -> impl Iterator<Item = &'a UnitName> {
        self.named(&rules.conflicts, &rules.name).chain(self.conflicts.on(&rules.name))
    }

    /// Units here that the given one replaces.
    pub fn replaced_by<'a>(&'a self, rules: &'a Rules) -> impl Iterator<Item = &'a UnitName> {
        self.named(&rules.replaces, &rules.name)
    }

    /// Units here that replace the given one.
    pub fn replacing<'a>(&'a self, rules: &'a Rules) -> impl Iterator<Item = &'a Arc<Rules>> {
        self.replaces.on(&rules.name).filter_map(|name| self.units.get(name))
    }

    fn named<'a>(
        &'a self,
        names: &'a Names,
        except: &'a UnitName,
    ) -> impl Iterator<Item = &'a UnitName> {
        names.among(&self.units).map(|(name, _)| name).filter(move |name| *name != except)
    }
}
