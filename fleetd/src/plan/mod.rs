//! The plan: from the cluster as it is to the decisions that bring it where it should be.
//!
//! Pure. It looks only at units that may have changed, and comes to what a look at everything
//! would: see [`replan`]. Sticky and ordered: holders first, by age, one whose text changed
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

pub mod decision;
#[cfg(test)]
mod groups;
mod holders;
#[cfg(test)]
mod incremental;
#[cfg(test)]
mod machines;
mod outlook;
mod pending;
#[cfg(test)]
mod properties;
pub mod rehearsal;
#[cfg(test)]
mod replaces;
mod scope;
#[cfg(test)]
pub(crate) mod tests;
pub mod transaction;

use std::collections::BTreeSet;

use fleet_units::{MachineId, UnitName};

use self::decision::{Decision, Group, ReleaseReason};
pub use self::outlook::Outlook;
use self::scope::Scope;
use crate::placement::{
    Availability, Board, Changes, Cluster, Neighbours, RecordView, UnitView, eligible,
};
use crate::registry::document::Phase;

/// Plans all that is to be done, in the order in which it is to land.
#[must_use]
pub fn plan(cluster: &Cluster, outlook: &Outlook) -> Vec<Group> {
    let board = Board::new(cluster.machines.values());
    Draft::new(cluster, outlook, board, &Changes::everything()).complete().groups
}

/// Plans what the changes since the last plan ask for, which is the same as [`plan`] if all that
/// the last plan decided has landed since, and counts as changed.
///
/// The cluster is left as it was: the plan is tried out on its board, and undone.
#[must_use]
pub fn replan(cluster: &mut Cluster, outlook: &Outlook, changes: &Changes) -> Vec<Group> {
    if changes.is_everything {
        return plan(cluster, outlook);
    }
    let mut board = std::mem::take(&mut cluster.board);
    let before = board.mark();
    let Draft { groups, mut board, .. } = Draft::new(cluster, outlook, board, changes).complete();
    board.undo(before);
    board.rest();
    cluster.board = board;
    groups
}

/// A plan in the making.
struct Draft<'a> {
    cluster: &'a Cluster,
    outlook: &'a Outlook,
    scope: Scope<'a>,
    /// Who sits where once the plan has landed.
    board: Board,
    groups: Vec<Group>,
    released: BTreeSet<(&'a UnitName, &'a MachineId)>,
    placed: BTreeSet<&'a UnitName>,
}

impl<'a> Draft<'a> {
    /// Begins a plan on a board where all sit that do not change, and nobody else.
    fn new(cluster: &'a Cluster, outlook: &'a Outlook, board: Board, changes: &'a Changes) -> Self {
        let scope = Scope::new(cluster, outlook, changes);
        let (groups, released, placed) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
        Self { cluster, outlook, scope, board, groups, released, placed }
    }

    fn complete(mut self) -> Self {
        self.unseat_dirty();
        self.give_up_unwanted();
        self.keep_holders();
        self.spread_globals();
        self.place_pending();
        self.clean_up();
        self
    }

    /// Takes those off the board who have to find their seats anew.
    fn unseat_dirty(&mut self) {
        if self.scope.is_everything {
            return;
        }
        for (name, unit) in &self.scope.units {
            for machine in unit.assignments.keys() {
                self.board.remove(name, machine);
            }
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
        self.scope.freed.insert(machine);
        Decision::Release { unit: unit.clone(), machine: machine.clone(), reason }
    }

    /// Releases what nobody wants any more, wherever it is: stopping it can double nothing.
    fn give_up_unwanted(&mut self) {
        for (name, unit) in self.scope.units.clone() {
            if unit.is_frozen {
                continue;
            }
            let holder = self.cluster.holder(unit);
            for (machine, assignment) in &unit.assignments {
                if assignment.phase == Phase::Released
                    || availability(self.cluster, machine) == Availability::Unreadable
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
        for name in self.cluster.globals() {
            let Some(unit) = self.cluster.units.get(name) else { continue };
            let Some(record) = wanted(unit).filter(|record| record.rules.is_global()) else {
                continue;
            };
            for id in self.scope.machines_for(self.cluster, name) {
                let Some(machine) = self.cluster.machines.get(id) else { continue };
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
        for (name, unit) in self.scope.units.clone() {
            let Some((machine, _)) = &unit.placed else { continue };
            // A release strikes the place itself.
            if unit.is_frozen
                || self.placed.contains(name)
                || self.released.contains(&(name, machine))
                || availability(self.cluster, machine) == Availability::Unreadable
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

fn availability(cluster: &Cluster, machine: &MachineId) -> Availability {
    cluster.machines.get(machine).map_or(Availability::Absent, |machine| machine.availability)
}

/// Whether a machine will not come back soon enough to wait for it.
fn is_gone(cluster: &Cluster, outlook: &Outlook, machine: &MachineId) -> bool {
    match availability(cluster, machine) {
        Availability::Left => true,
        Availability::Absent => outlook.lost.contains(machine),
        _ => false,
    }
}
