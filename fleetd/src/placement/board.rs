//! Who sits where, and which machine is the least loaded.

use std::collections::BTreeMap;
use std::sync::Arc;

use fleet_units::{MachineId, UnitName};

use super::ranking::{Ranked, Ranking, Wanted};
use super::rules::Rules;
use super::tenants::Tenants;
use super::view::{Availability, MachineView};

/// Units on machines, as they are or as a plan wants them.
#[derive(Clone, Debug, Default)]
pub struct Board {
    tenants: BTreeMap<MachineId, Tenants>,
    /// Places of the units that are not global.
    places: BTreeMap<UnitName, MachineId>,
    /// Machines that take units.
    ranking: Ranking,
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
    /// An empty board; machines that are open are offered as candidates.
    pub fn new<'a>(machines: impl IntoIterator<Item = &'a MachineView>) -> Self {
        let mut board = Self::default();
        for machine in machines {
            board.offer(machine);
        }
        board
    }

    /// Offers a machine as a candidate, or does not any more, as its view says.
    pub(super) fn offer(&mut self, machine: &MachineView) {
        self.withdraw(&machine.id);
        if machine.availability == Availability::Open {
            self.ranking.insert(&machine.id, &machine.metadata, self.load(&machine.id));
        }
    }

    /// Does not offer a machine any more.
    pub(super) fn withdraw(&mut self, machine: &MachineId) {
        self.ranking.remove(machine, self.load(machine));
    }

    fn load(&self, machine: &MachineId) -> usize {
        self.tenants.get(machine).map_or(0, Tenants::len)
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

    /// Forgets what could be undone.
    pub fn rest(&mut self) {
        self.log = None;
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
        if after == 0 {
            self.tenants.remove(machine);
        }
        if before != after {
            self.ranking.change(machine, before, after);
        }
        outcome
    }

    /// Units on a machine; `None` if it has none.
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

    /// Machines that take units and may have the metadata that is wanted, those with the least
    /// load first; only what is beyond a rank, if one is given.
    pub fn candidates(
        &self,
        wanted: &Wanted,
        beyond: Option<&Ranked>,
    ) -> impl Iterator<Item = &Ranked> {
        self.ranking.beyond(wanted, beyond)
    }
}
