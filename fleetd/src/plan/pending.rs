//! Units without a machine: what is new, and what lost the machine that it had.

use std::collections::BTreeMap;

use fleet_units::{MachineId, UnitName};

use super::scope::waiting;
use super::{Decision, Draft, Group, ReleaseReason, availability, is_gone};
use crate::placement::{
    Availability, Depths, Obstacle, Ranked, RecordView, UnitView, Wanted, displaced, eligible,
    has_no_conflict, matches,
};
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
        let mut pending = self.all_pending();
        let mut depths = Depths::default();
        pending.sort_by_cached_key(|unit| {
            (depths.of(self.cluster, unit.name), unit.record.uid, unit.name)
        });
        for unit in &pending {
            if let Some(from) = unit.from {
                self.board.remove(unit.name, from);
            }
        }
        for component in components(&pending) {
            self.place_component(component);
        }
    }

    /// Units in the scope that are pending; all there are, once a machine may take more.
    fn all_pending(&self) -> Vec<Pending<'a>> {
        let dirty = self.scope.units.iter().filter_map(|(name, unit)| self.pending(name, unit));
        let dirty: Vec<_> = dirty.collect();
        let may_free = |unit: &Pending<'_>| !unit.record.rules.replaces.is_empty();
        if self.scope.is_everything || (self.scope.freed.is_empty() && !dirty.iter().any(may_free))
        {
            return dirty;
        }
        let others = waiting(self.cluster, self.outlook)
            .filter(|(name, _)| !self.scope.has(name))
            .filter_map(|(name, unit)| self.pending(name, unit));
        dirty.into_iter().chain(others).collect()
    }

    fn pending(&self, name: &'a UnitName, unit: &'a UnitView) -> Option<Pending<'a>> {
        let record = super::wanted(unit).filter(|record| !record.rules.is_global())?;
        let mut from = None;
        for (machine, assignment) in &unit.assignments {
            match assignment.phase {
                // Its new copy may start while it runs.
                Phase::Retiring => {}
                // On a lost machine nothing runs, as far as anybody can tell.
                Phase::Released if is_gone(self.cluster, self.outlook, machine) => {}
                Phase::Released => return None,
                Phase::Held if self.released.contains(&(name, machine)) => return None,
                Phase::Held if self.may_leave(machine) => from = Some(machine),
                Phase::Held => return None,
            }
        }
        Some(Pending { name, record, from })
    }

    fn may_leave(&self, machine: &MachineId) -> bool {
        availability(self.cluster, machine) == Availability::Left
            || (is_gone(self.cluster, self.outlook, machine) && !self.outlook.is_on_hold)
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
        let mut preferences = Preference::of(units).iter();
        let machine = preferences.find_map(|preference| self.fit_all(units, *preference));
        machine.or_else(|| self.fit_most(units))
    }

    fn fit_all(&mut self, units: &[Pending<'a>], preference: Preference) -> Option<MachineId> {
        let mut tried: Option<Ranked> = None;
        loop {
            let (load, machine) = self.next_suiting(units, preference, tried.as_ref())?;
            if self.try_out(units, &machine) == units.len() {
                return Some(machine);
            }
            tried = Some((load, machine));
        }
    }

    /// The next machine where each unit alone might run.
    fn next_suiting(
        &self,
        units: &[Pending<'a>],
        preference: Preference,
        tried: Option<&Ranked>,
    ) -> Option<Ranked> {
        let metadata = units.iter().map(|unit| &unit.record.rules.directives.metadata);
        let wanted = metadata.max_by_key(|wanted| wanted.len())?;
        let mut candidates = self.board.candidates(wanted, tried);
        let next = candidates.find(|(_, id)| {
            self.is_preferred(units, id, preference)
                && units.iter().all(|unit| self.suits(id, unit))
        });
        next.cloned()
    }

    fn fit_most(&mut self, units: &[Pending<'a>]) -> Option<MachineId> {
        let mut best = None;
        let mut most = 0;
        for preference in Preference::of(units) {
            let wanted = Wanted::new();
            let candidates = self.board.candidates(&wanted, None).map(|(_, id)| id);
            let candidates = candidates.filter(|id| self.is_preferred(units, id, *preference));
            for machine in candidates.cloned().collect::<Vec<_>>() {
                let fitting = self.try_out(units, &machine);
                if fitting > most {
                    (best, most) = (Some(machine), fitting);
                }
            }
        }
        best
    }

    /// The number of units that a machine takes, each in the company of those before it.
    fn try_out(&mut self, units: &[Pending<'a>], machine: &MachineId) -> usize {
        let mark = self.board.mark();
        let fitting = self.seat(units, machine).len();
        self.board.undo(mark);
        fitting
    }

    /// The best machine that takes a unit.
    fn fit(&self, unit: &Pending<'a>) -> Option<MachineId> {
        let rules = &unit.record.rules;
        if let Some(peer) = rules.peers.iter().find(|peer| !self.cluster.is_global(peer)) {
            // Where that runs is the only place to look.
            let joined = self.board.place_of(peer)?;
            return self.takes(joined, unit).then(|| joined.clone());
        }
        Preference::of(&[*unit]).iter().find_map(|preference| {
            let mut candidates = self.board.candidates(&rules.directives.metadata, None);
            let found = candidates.find(|(_, id)| {
                self.is_preferred(&[*unit], id, *preference) && self.takes(id, unit)
            });
            found.map(|(_, id)| id.clone())
        })
    }

    fn is_preferred(
        &self,
        units: &[Pending<'a>],
        machine: &MachineId,
        preference: Preference,
    ) -> bool {
        let replaces =
            |unit: &Pending<'_>| !displaced(&unit.record.rules, machine, &self.board).is_empty();
        match preference {
            Preference::Any => true,
            Preference::Replacing => units.iter().any(replaces),
            Preference::Peaceful => !units.iter().any(replaces),
        }
    }

    /// Whether a machine may take a unit, should those be there that it has to join.
    fn suits(&self, machine: &MachineId, unit: &Pending<'_>) -> bool {
        let rules = &unit.record.rules;
        self.cluster.machines.get(machine).is_some_and(|machine| {
            matches(rules, machine).is_ok()
                && has_no_conflict(rules, machine, &self.neighbours()).is_ok()
        })
    }

    fn takes(&self, machine: &MachineId, unit: &Pending<'_>) -> bool {
        let rules = &unit.record.rules;
        // To say why a peer is missing takes long, and nobody asked.
        let is_lonely = !rules.peers.iter().all(|peer| self.board.holds(machine, peer));
        let Some(machine) = self.cluster.machines.get(machine).filter(|_| !is_lonely) else {
            return false;
        };
        eligible(rules, machine, &self.neighbours()).is_ok()
            && displaced(rules, &machine.id, &self.board)
                .iter()
                .all(|other| self.holds_in_truth(&machine.id, other).is_some())
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

/// Which machines to look at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Preference {
    Any,
    /// Where units run that are to give way.
    Replacing,
    /// Where nobody has to give way.
    Peaceful,
}

impl Preference {
    /// New units go where those run that they replace. What comes from a lost machine rather goes
    /// where nobody has to give way.
    fn of(units: &[Pending<'_>]) -> &'static [Self] {
        if units.iter().all(|unit| unit.record.rules.replaces.is_empty()) {
            &[Self::Any]
        } else if units.iter().all(|unit| unit.from.is_none()) {
            &[Self::Replacing, Self::Peaceful]
        } else {
            &[Self::Peaceful, Self::Replacing]
        }
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
