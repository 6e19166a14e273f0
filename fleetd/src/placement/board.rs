//! Who sits where, and which machine is the least loaded.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fleet_units::{MachineId, UnitName};

use super::rules::Rules;
use super::tenants::Tenants;

/// Units on machines, as they are or as a plan wants them.
#[derive(Clone, Debug, Default)]
pub struct Board {
    tenants: BTreeMap<MachineId, Tenants>,
    /// Places of the units that are not global.
    places: BTreeMap<UnitName, MachineId>,
    /// Machines that take units, the least loaded first, ties by id.
    by_load: BTreeSet<(usize, MachineId)>,
}

impl Board {
    /// An empty board; only `takers` are offered as candidates.
    pub fn new<'a>(takers: impl IntoIterator<Item = &'a MachineId>) -> Self {
        let by_load = takers.into_iter().map(|machine| (0, machine.clone())).collect();
        Self { by_load, ..Self::default() }
    }

    /// Seats a unit. One that is not global leaves the machine where it sat before.
    pub fn put(&mut self, rules: &Arc<Rules>, machine: &MachineId) {
        if !rules.is_global()
            && let Some(before) = self.places.insert(rules.name.clone(), machine.clone())
        {
            self.change(&before, |tenants| tenants.remove(&rules.name));
        }
        self.change(machine, |tenants| tenants.insert(rules));
    }

    /// Takes a unit off a machine.
    pub fn remove(&mut self, unit: &UnitName, machine: &MachineId) {
        if self.places.get(unit) == Some(machine) {
            self.places.remove(unit);
        }
        self.change(machine, |tenants| tenants.remove(unit));
    }

    fn change(&mut self, machine: &MachineId, change: impl FnOnce(&mut Tenants)) {
        if !self.tenants.contains_key(machine) {
            self.tenants.insert(machine.clone(), Tenants::default());
        }
        let Some(tenants) = self.tenants.get_mut(machine) else { return };
        let before = tenants.len();
        change(tenants);
        let after = tenants.len();
        if before != after && self.by_load.remove(&(before, machine.clone())) {
            self.by_load.insert((after, machine.clone()));
        }
    }

    /// Units on a machine; `None` if it never had any.
    #[must_use]
    pub fn tenants(&self, machine: &MachineId) -> Option<&Tenants> {
        self.tenants.get(machine)
    }

    /// Whether a machine holds a unit.
    #[must_use]
    pub fn holds(&self, machine: &MachineId, unit: &UnitName) -> bool {
        self.tenants.get(machine).is_some_and(|tenants| tenants.contains(unit))
    }

    /// Machine of a unit that is not global.
    #[must_use]
    pub fn place_of(&self, unit: &UnitName) -> Option<&MachineId> {
        self.places.get(unit)
    }

    /// Machines that take units, the least loaded first.
    pub fn by_load(&self) -> impl Iterator<Item = &MachineId> {
        self.by_load.iter().map(|(_, machine)| machine)
    }
}
