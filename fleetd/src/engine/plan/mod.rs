//! The plan: from the cluster as it is to the decisions that bring it where it should be.
//!
//! Pure and in full each time. Sticky and ordered: holders first, by age, one whose text changed
//! last; then global units; then what has no machine. A holder beats a newcomer, unless the
//! newcomer replaces it.
//!
//! `Replaces=`: the newcomer goes to the least loaded machine where units run that it replaces, if
//! one of these suits it, else to the least loaded of all that suit it. The units that it replaces
//! there are released in the same transaction; the agent starts the newcomer once they have
//! stopped. A unit that comes from a lost machine pushes others away only if there is no room
//! elsewhere, and one that holds a machine and begins to replace another there pushes that away at
//! once. Who was pushed away is placed anew when it has stopped, on any machine but those where the
//! other runs, or waits. A global unit leaves that one machine. In one round a unit takes one
//! machine and is pushed away once, and nobody pushes away what was placed in that round. Rivals
//! ([`Cluster::are_rivals`]) merely conflict: who holds the machine stays.

mod holders;
mod pending;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod replaces;
#[cfg(test)]
pub(super) mod tests;

use std::collections::BTreeSet;

use fleet_units::{MachineId, UnitName};

use super::decision::{Decision, Group, ReleaseReason};
use super::presence::Outlook;
use crate::placement::{Availability, Board, Cluster, Neighbours, RecordView, UnitView, eligible};
use crate::registry::document::Phase;

/// Plans all that is to be done, in the order in which it is to land.
#[must_use]
pub fn plan(cluster: &Cluster, outlook: &Outlook) -> Vec<Group> {
    let mut draft = Draft::new(cluster, outlook);
    draft.give_up_unwanted();
    draft.keep_holders();
    draft.spread_globals();
    draft.place_pending();
    draft.clean_up();
    draft.groups
}

/// A plan in the making.
struct Draft<'a> {
    cluster: &'a Cluster,
    outlook: &'a Outlook,
    /// Units by age.
    units: Vec<(&'a UnitName, &'a UnitView)>,
    /// Who sits where once the plan has landed.
    board: Board,
    groups: Vec<Group>,
    released: BTreeSet<(&'a UnitName, &'a MachineId)>,
    placed: BTreeSet<&'a UnitName>,
}

impl<'a> Draft<'a> {
    fn new(cluster: &'a Cluster, outlook: &'a Outlook) -> Self {
        let mut units: Vec<_> = cluster.units.iter().collect();
        units.sort_by_key(|(name, unit)| (unit.record.as_ref().map(|record| record.uid), *name));
        let takers = cluster
            .machines
            .values()
            .filter(|machine| machine.availability == Availability::Open)
            .map(|machine| &machine.id);
        Self {
            cluster,
            outlook,
            units,
            board: Board::new(takers),
            groups: Vec::new(),
            released: BTreeSet::new(),
            placed: BTreeSet::new(),
        }
    }

    fn availability(&self, machine: &MachineId) -> Availability {
        let machine = self.cluster.machines.get(machine);
        machine.map_or(Availability::Absent, |machine| machine.availability)
    }

    /// Whether a machine will not come back soon enough to wait for it.
    fn is_gone(&self, machine: &MachineId) -> bool {
        match self.availability(machine) {
            Availability::Left => true,
            Availability::Absent => self.outlook.lost.contains(machine),
            _ => false,
        }
    }

    const fn neighbours(&self) -> Neighbours<'_> {
        Neighbours { cluster: self.cluster, board: &self.board }
    }

    fn release(&mut self, unit: &'a UnitName, machine: &'a MachineId, reason: ReleaseReason) {
        let release = self.releasing(unit, machine, reason);
        self.groups.push(vec![release]);
    }

    /// A release for somebody's group.
    fn releasing(
        &mut self,
        unit: &'a UnitName,
        machine: &'a MachineId,
        reason: ReleaseReason,
    ) -> Decision {
        self.released.insert((unit, machine));
        Decision::Release { unit: unit.clone(), machine: machine.clone(), reason }
    }

    /// Releases what nobody wants any more, wherever it is: stopping it can double nothing.
    fn give_up_unwanted(&mut self) {
        for (name, unit) in self.units.clone() {
            if unit.is_frozen {
                continue;
            }
            let holder = self.cluster.holder(unit);
            for (machine, assignment) in &unit.assignments {
                if assignment.phase == Phase::Released
                    || self.availability(machine) == Availability::Unreadable
                {
                    continue;
                }
                let reason = match &unit.record {
                    None => ReleaseReason::Destroyed,
                    Some(record) if !record.is_wanted() => ReleaseReason::Inactive,
                    Some(record) if record.uid != assignment.uid => ReleaseReason::CreatedAnew,
                    Some(record)
                        if !record.rules.is_global()
                            && assignment.phase == Phase::Held
                            && holder != Some(machine) =>
                    {
                        ReleaseReason::Duplicate
                    }
                    Some(_) => continue,
                };
                self.release(name, machine, reason);
            }
        }
    }

    /// Gives global units to all machines that suit them and take units.
    fn spread_globals(&mut self) {
        for (name, unit) in self.units.clone() {
            let Some(record) = wanted(unit).filter(|record| record.rules.is_global()) else {
                continue;
            };
            for (id, machine) in &self.cluster.machines {
                if unit.assignments.contains_key(id)
                    || eligible(&record.rules, machine, &self.neighbours()).is_err()
                {
                    continue;
                }
                self.board.put(&record.rules, id);
                let (unit, machine) = (name.clone(), id.clone());
                self.groups.push(vec![Decision::PlaceGlobal { unit, machine }]);
            }
        }
    }

    /// Strikes places that nothing stands behind: the unit is global or unwanted, or its machine
    /// has given it up and no other takes it.
    fn clean_up(&mut self) {
        for (name, unit) in self.units.clone() {
            let Some((machine, _)) = &unit.placed else { continue };
            // A release strikes the place itself.
            if unit.is_frozen
                || self.placed.contains(name)
                || self.released.contains(&(name, machine))
                || self.availability(machine) == Availability::Unreadable
            {
                continue;
            }
            let is_global = wanted(unit).is_some_and(|record| record.rules.is_global());
            let holder = self.cluster.holder(unit);
            let stands = holder.is_some_and(|holder| !self.released.contains(&(name, holder)));
            if is_global || !stands {
                self.groups.push(vec![Decision::Forget { unit: name.clone() }]);
            }
        }
    }
}

/// The record of a unit that is to be held and can be read.
fn wanted(unit: &UnitView) -> Option<&RecordView> {
    unit.record.as_ref().filter(|record| record.is_wanted() && !unit.is_frozen)
}
