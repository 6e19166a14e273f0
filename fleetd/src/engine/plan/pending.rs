//! Units without a machine: what is new, and what lost the machine that it had.

use std::collections::BTreeMap;

use fleet_units::{MachineId, UnitName};

use super::{Decision, Draft, Group, ReleaseReason};
use crate::placement::{Availability, Obstacle, RecordView, UnitView, displaced, eligible};
use crate::registry::document::Phase;

/// A unit that wants a machine.
#[derive(Clone, Copy)]
struct Pending<'a> {
    name: &'a UnitName,
    record: &'a RecordView,
    /// The lost machine that it comes from.
    from: Option<&'a MachineId>,
}

impl<'a> Draft<'a> {
    /// Places what is pending, units tied by MachineOf together.
    pub(super) fn place_pending(&mut self) {
        let mut pending: Vec<_> =
            self.units.iter().filter_map(|(name, unit)| self.pending(name, unit)).collect();
        pending.sort_by_key(|unit| (self.cluster.depth(unit.name), unit.record.uid, unit.name));
        for unit in &pending {
            if let Some(from) = unit.from {
                self.board.remove(unit.name, from);
            }
        }
        for component in components(&pending) {
            self.place_component(component);
        }
    }

    fn pending(&self, name: &'a UnitName, unit: &'a UnitView) -> Option<Pending<'a>> {
        let record = super::wanted(unit).filter(|record| !record.rules.is_global())?;
        let mut from = None;
        for (machine, assignment) in &unit.assignments {
            match assignment.phase {
                // Its new copy may start while it runs.
                Phase::Retiring => {}
                // On a lost machine nothing runs, as far as anybody can tell.
                Phase::Released if self.is_gone(machine) => {}
                Phase::Released => return None,
                Phase::Held if self.released.contains(&(name, machine)) => return None,
                Phase::Held if self.may_leave(machine) => from = Some(machine),
                Phase::Held => return None,
            }
        }
        Some(Pending { name, record, from })
    }

    fn may_leave(&self, machine: &MachineId) -> bool {
        self.availability(machine) == Availability::Left
            || (self.is_gone(machine) && !self.outlook.is_on_hold)
    }

    fn place_component(&mut self, mut units: Vec<Pending<'a>>) {
        while !units.is_empty()
            && let Some(machine) = self.best_fit(&units)
        {
            let mut group = Group::new();
            for (unit, displaced) in self.seat(&units, &machine) {
                for (other, from) in displaced {
                    let reason =
                        ReleaseReason::Unsuited(Obstacle::Replaced { by: unit.name.clone() });
                    group.push(self.releasing(other, from, reason));
                }
                self.placed.insert(unit.name);
                group.push(unit.decision(&machine));
            }
            self.groups.push(group);
            units.retain(|unit| !self.placed.contains(unit.name));
        }
    }

    /// The least loaded machine that fits all, else one that fits most.
    ///
    /// A follower that fits nowhere must not keep the unit that it follows from running.
    fn best_fit(&mut self, units: &[Pending<'a>]) -> Option<MachineId> {
        if let [unit] = units {
            return self.fit(unit);
        }
        let mut best: Option<(MachineId, usize)> = None;
        for machine in self.candidates(units) {
            let mark = self.board.mark();
            let fitting = self.seat(units, &machine).len();
            self.board.undo(mark);
            if fitting == units.len() {
                return Some(machine);
            }
            if fitting > best.as_ref().map_or(0, |(_, best)| *best) {
                best = Some((machine, fitting));
            }
        }
        best.map(|(machine, _)| machine)
    }

    /// The machines for a group, the best first: by load, after those where units run that it
    /// replaces. What comes from a lost machine rather goes where nobody has to give way.
    fn candidates(&self, units: &[Pending<'a>]) -> Vec<MachineId> {
        let mut candidates: Vec<_> = self.board.by_load().cloned().collect();
        if units.iter().any(|unit| !unit.record.rules.replaces.is_empty()) {
            let is_new = units.iter().all(|unit| unit.from.is_none());
            candidates.sort_by_cached_key(|machine| {
                let replaces = |unit: &Pending<'_>| {
                    !displaced(&unit.record.rules, machine, &self.board).is_empty()
                };
                units.iter().any(replaces) != is_new
            });
        }
        candidates
    }

    /// The best machine that takes a unit.
    fn fit(&self, unit: &Pending<'a>) -> Option<MachineId> {
        let rules = &unit.record.rules;
        let takes = |machine: &&MachineId| self.takes(machine, unit);
        // Where a unit that it must join runs is the only place to look.
        if let Some(joined) = rules.peers.iter().find_map(|peer| self.board.place_of(peer)) {
            return Some(joined).filter(takes).cloned();
        }
        if rules.replaces.is_empty() {
            return self.board.by_load().find(takes).cloned();
        }
        self.candidates(&[*unit]).into_iter().find(|machine| takes(&machine))
    }

    fn takes(&self, machine: &MachineId, unit: &Pending<'_>) -> bool {
        let rules = &unit.record.rules;
        let machine = self.cluster.machines.get(machine);
        machine.is_some_and(|machine| {
            eligible(rules, machine, &self.neighbours()).is_ok()
                && displaced(rules, &machine.id, &self.board)
                    .iter()
                    .all(|other| self.holds_in_truth(&machine.id, other).is_some())
        })
    }

    /// The assignment of a unit that holds a machine already, not only in this plan.
    fn holds_in_truth(
        &self,
        machine: &MachineId,
        unit: &UnitName,
    ) -> Option<(&'a UnitName, &'a MachineId)> {
        let (name, unit) = self.cluster.units.get_key_value(unit)?;
        let (machine, assignment) = unit.assignments.get_key_value(machine)?;
        (assignment.phase == Phase::Held).then_some((name, machine))
    }

    /// Seats the units that a machine takes, each in the company of those before it; returns them
    /// with those that gave way.
    fn seat(&mut self, units: &[Pending<'a>], machine: &MachineId) -> Vec<Seated<'a>> {
        let mut seated = Vec::new();
        for unit in units {
            if !self.takes(machine, unit) {
                continue;
            }
            let rules = &unit.record.rules;
            let displaced = displaced(rules, machine, &self.board);
            for other in &displaced {
                self.board.remove(other, machine);
            }
            self.board.put(rules, machine);
            let held = |other| self.holds_in_truth(machine, other);
            seated.push((*unit, displaced.iter().filter_map(held).collect()));
        }
        seated
    }
}

/// A unit, and those that gave way to it.
type Seated<'a> = (Pending<'a>, Vec<(&'a UnitName, &'a MachineId)>);

impl Pending<'_> {
    fn decision(&self, machine: &MachineId) -> Decision {
        let (unit, machine) = (self.name.clone(), machine.clone());
        match self.from {
            Some(from) => Decision::Move { unit, from: from.clone(), to: machine },
            None => Decision::Place { unit, machine },
        }
    }
}

/// Units that MachineOf ties together, each component in the order of the units given; components
/// in the order of their first units.
fn components<'a>(pending: &[Pending<'a>]) -> Vec<Vec<Pending<'a>>> {
    let needy = pending.iter().enumerate().filter(|(_, unit)| unit.record.rules.has_needs());
    let mut component: Vec<usize> = (0..pending.len()).collect();
    let mut positions = None;
    for (position, unit) in needy {
        let positions: &BTreeMap<_, _> = positions.get_or_insert_with(|| {
            pending.iter().enumerate().map(|(position, unit)| (unit.name, position)).collect()
        });
        for peer in unit.record.rules.peers.iter().filter_map(|peer| positions.get(peer)) {
            let (one, other) = (root(&component, position), root(&component, *peer));
            component[one.max(other)] = one.min(other);
        }
    }
    let mut components: BTreeMap<usize, Vec<Pending<'a>>> = BTreeMap::new();
    for (position, unit) in pending.iter().enumerate() {
        components.entry(root(&component, position)).or_default().push(*unit);
    }
    components.into_values().collect()
}

/// The first unit of a component; each entry leads to an earlier one, or to itself.
fn root(component: &[usize], mut position: usize) -> usize {
    while component[position] != position {
        position = component[position];
    }
    position
}
