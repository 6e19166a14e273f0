//! The units that one machine holds, indexed by what they conflict with.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use fleet_units::{Glob, UnitName};

use super::rules::Rules;

/// Units that one machine holds.
#[derive(Clone, Debug, Default)]
pub struct Tenants {
    units: BTreeMap<UnitName, Arc<Rules>>,
    /// Who conflicts with the unit of that very name.
    literals: BTreeMap<String, BTreeSet<UnitName>>,
    /// Who conflicts with names that match; instances of one template share an entry.
    patterns: BTreeMap<Glob, BTreeSet<UnitName>>,
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

    pub(super) fn insert(&mut self, rules: &Arc<Rules>) {
        let name = &rules.name;
        self.remove(name);
        for literal in &rules.literals {
            self.literals.entry(literal.clone()).or_default().insert(name.clone());
        }
        for pattern in &rules.patterns {
            self.patterns.entry(pattern.glob.clone()).or_default().insert(name.clone());
        }
        self.units.insert(name.clone(), Arc::clone(rules));
    }

    pub(super) fn remove(&mut self, unit: &UnitName) {
        let Some(rules) = self.units.remove(unit) else { return };
        for literal in &rules.literals {
            withdraw(&mut self.literals, literal, unit);
        }
        for pattern in &rules.patterns {
            withdraw(&mut self.patterns, &pattern.glob, unit);
        }
    }

    /// A unit here that does not go together with the given one, whichever of them says so.
    #[must_use]
    pub fn conflict_with(&self, rules: &Rules) -> Option<&UnitName> {
        self.declared_by(rules).or_else(|| self.declared_against(rules))
    }

    fn declared_by(&self, rules: &Rules) -> Option<&UnitName> {
        let mut named = rules.literals.iter().filter_map(|name| self.units.get(name.as_str()));
        let named = named.find(|tenant| tenant.name != rules.name);
        let tenant = named.or_else(|| {
            rules.patterns.iter().find_map(|pattern| {
                self.starting_with(&pattern.start).find(|tenant| {
                    tenant.name != rules.name && pattern.glob.matches(tenant.name.as_str())
                })
            })
        });
        tenant.map(|tenant| &tenant.name)
    }

    fn starting_with<'a, 's>(
        &'a self,
        start: &'s str,
    ) -> impl Iterator<Item = &'a Arc<Rules>> + use<'a, 's> {
        self.units
            .range::<str, _>((Bound::Included(start), Bound::Unbounded))
            .take_while(move |(name, _)| name.as_str().starts_with(start))
            .map(|(_, tenant)| tenant)
    }

    fn declared_against(&self, rules: &Rules) -> Option<&UnitName> {
        let name = rules.name.as_str();
        let literal = self.literals.get(name).and_then(|names| another(names, &rules.name));
        literal.or_else(|| {
            let mut matching = self.patterns.iter().filter(|(glob, _)| glob.matches(name));
            matching.find_map(|(_, names)| another(names, &rules.name))
        })
    }
}

fn another<'a>(names: &'a BTreeSet<UnitName>, than: &UnitName) -> Option<&'a UnitName> {
    names.iter().find(|name| *name != than)
}

fn withdraw<K: Ord>(index: &mut BTreeMap<K, BTreeSet<UnitName>>, key: &K, unit: &UnitName) {
    if let Some(names) = index.get_mut(key) {
        names.remove(unit);
        if names.is_empty() {
            index.remove(key);
        }
    }
}
