//! Units without a machine: what is new, and what lost the machine that it had.

use std::collections::BTreeMap;

use fleet_units::{MachineId, UnitName};

use super::{Decision, Draft, Group};
use crate::placement::{Availability, RecordView, UnitView, eligible};
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
            && let Some((machine, fitting)) = self.best_fit(&units)
        {
            let mut group = Group::new();
            for unit in fitting {
                self.board.put(&unit.record.rules, &machine);
                self.placed.insert(unit.name);
                group.push(unit.decision(&machine));
            }
            self.groups.push(group);
            units.retain(|unit| !self.placed.contains(unit.name));
        }
    }

    /// The least loaded machine that fits all, else one that fits most, with those that fit.
    ///
    /// A follower that fits nowhere must not keep the unit that it follows from running.
    fn best_fit(&mut self, units: &[Pending<'a>]) -> Option<(MachineId, Vec<Pending<'a>>)> {
        if let [unit] = units {
            return self.fit(unit).map(|machine| (machine, vec![*unit]));
        }
        let candidates: Vec<_> = self.board.by_load().cloned().collect();
        let mut best: Option<(MachineId, Vec<_>)> = None;
        for machine in candidates {
            let fitting = self.fitting(units, &machine);
            if fitting.len() == units.len() {
                return Some((machine, fitting));
            }
            if fitting.len() > best.as_ref().map_or(0, |(_, best)| best.len()) {
                best = Some((machine, fitting));
            }
        }
        best
    }

    /// The least loaded machine that takes a unit.
    fn fit(&self, unit: &Pending<'_>) -> Option<MachineId> {
        let rules = &unit.record.rules;
        let takes = |machine: &&MachineId| self.takes(machine, unit);
        // Where a unit that it must join runs is the only place to look.
        match rules.peers.iter().find_map(|peer| self.board.place_of(peer)) {
            Some(joined) => Some(joined).filter(takes),
            None => self.board.by_load().find(takes),
        }
        .cloned()
    }

    fn takes(&self, machine: &MachineId, unit: &Pending<'_>) -> bool {
        let machine = self.cluster.machines.get(machine);
        machine.is_some_and(|machine| {
            eligible(&unit.record.rules, machine, &self.neighbours()).is_ok()
        })
    }

    /// The units that a machine would take, each in the company of those before it.
    fn fitting(&mut self, units: &[Pending<'a>], machine: &MachineId) -> Vec<Pending<'a>> {
        let mut fitting = Vec::new();
        for unit in units {
            if self.takes(machine, unit) {
                self.board.put(&unit.record.rules, machine);
                fitting.push(*unit);
            }
        }
        for unit in &fitting {
            self.board.remove(unit.name, machine);
        }
        fitting
    }
}

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
