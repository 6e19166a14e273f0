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
    /// What was done, for whoever wants it undone.
    log: Option<Vec<Turn>>,
}

/// One change of a board.
#[derive(Clone, Debug)]
enum Turn {
    Seated(UnitName, MachineId),
    Unseated(Arc<Rules>, MachineId),
}

/// A moment to which a board can be taken back.
#[derive(Clone, Copy, Debug)]
pub struct Mark(usize);

impl Board {
    /// An empty board; only `takers` are offered as candidates.
    pub fn new<'a>(takers: impl IntoIterator<Item = &'a MachineId>) -> Self {
        let by_load = takers.into_iter().map(|machine| (0, machine.clone())).collect();
        Self { by_load, ..Self::default() }
    }

    /// Seats a unit. One that is not global leaves the machine where it sat before.
    pub fn put(&mut self, rules: &Arc<Rules>, machine: &MachineId) {
        let name = &rules.name;
        if !rules.is_global()
            && let Some(before) = self.places.get(name).cloned()
        {
            self.remove(name, &before);
        }
        self.remove(name, machine);
        self.seat(rules, machine);
    }

    /// Takes a unit off a machine.
    pub fn remove(&mut self, unit: &UnitName, machine: &MachineId) {
        let rules = self.unseat(unit, machine);
        if let (Some(rules), Some(log)) = (rules, &mut self.log) {
            log.push(Turn::Unseated(rules, machine.clone()));
        }
    }

    /// This moment; what is done from now on can be undone.
    pub fn mark(&mut self) -> Mark {
        Mark(self.log.get_or_insert_default().len())
    }

    /// Takes back all that was done since a moment.
    pub fn undo(&mut self, since: Mark) {
        let mut log = self.log.take().unwrap_or_default();
        for turn in log.split_off(since.0.min(log.len())).into_iter().rev() {
            match turn {
                Turn::Seated(unit, machine) => drop(self.unseat(&unit, &machine)),
                Turn::Unseated(rules, machine) => self.seat(&rules, &machine),
            }
        }
        self.log = Some(log);
    }

    fn seat(&mut self, rules: &Arc<Rules>, machine: &MachineId) {
        if !rules.is_global() {
            self.places.insert(rules.name.clone(), machine.clone());
        }
        self.change(machine, |tenants| tenants.insert(rules));
        if let Some(log) = &mut self.log {
            log.push(Turn::Seated(rules.name.clone(), machine.clone()));
        }
    }

    fn unseat(&mut self, unit: &UnitName, machine: &MachineId) -> Option<Arc<Rules>> {
        if self.places.get(unit) == Some(machine) {
            self.places.remove(unit);
        }
        self.change(machine, |tenants| tenants.remove(unit))
    }

    fn change<T>(&mut self, machine: &MachineId, change: impl FnOnce(&mut Tenants) -> T) -> T {
        let tenants = match self.tenants.get_mut(machine) {
            Some(tenants) => tenants,
            None => self.tenants.entry(machine.clone()).or_default(),
        };
        let before = tenants.len();
        let outcome = change(tenants);
        let after = tenants.len();
        if before != after && self.by_load.remove(&(before, machine.clone())) {
            self.by_load.insert((after, machine.clone()));
        }
        outcome
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
