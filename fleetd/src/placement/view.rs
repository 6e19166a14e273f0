//! What placement sees of one machine or one unit, made from its documents.

use std::collections::BTreeMap;
use std::sync::Arc;

use fleet_units::{MachineId, Metadata, TargetState, UnitName};

use super::rules::{Rules, RulesCache};
use crate::registry::document::{Assignment, Phase, Standing, Unit, VERSION};
use crate::registry::key::Key;
use crate::registry::mirror::{Mirror, Stored};

/// A machine, as far as placement is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineView {
    /// Its id.
    pub id: MachineId,
    /// Whether it takes units.
    pub availability: Availability,
    /// Metadata that counts; empty while it is absent.
    pub metadata: Metadata,
}

/// Whether a machine takes units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Availability {
    /// It does.
    Open,
    /// It keeps what it has.
    Cordoned,
    /// It keeps what it has until that has gone elsewhere.
    Draining,
    /// It is stopping its units.
    Leaving,
    /// It went in order.
    Left,
    /// It has not said that it goes, and is not there; for how long, others know.
    Absent,
    /// It is there, but does not read the documents that this fleet writes.
    Outdated,
    /// One of its documents cannot be read: it stays as it is.
    Unreadable,
}

impl Availability {
    /// Whether the machine is there and at work: it follows what it is told.
    #[must_use]
    pub const fn follows(self) -> bool {
        matches!(self, Self::Open | Self::Cordoned | Self::Draining)
    }

    /// Whether the machine is there and goes on with what it has, as far as anybody can tell.
    pub(super) const fn is_staying(self) -> bool {
        !matches!(self, Self::Leaving | Self::Left | Self::Absent)
    }
}

/// A unit, as far as placement is concerned.
#[derive(Clone, Debug, Default)]
pub struct UnitView {
    /// What the operator asked for; `None` if the unit was destroyed, or cannot be read.
    pub record: Option<RecordView>,
    /// Machine and uid in `placed/`.
    pub placed: Option<(MachineId, i64)>,
    /// Assignments by machine.
    pub assignments: BTreeMap<MachineId, AssignmentView>,
    /// Whether it stays as it is: one of its documents cannot be read, or it was set aside.
    pub is_frozen: bool,
}

/// What an operator asked for.
#[derive(Clone, Debug)]
pub struct RecordView {
    /// Create revision of the record.
    pub uid: i64,
    /// The target.
    pub target: TargetState,
    /// What the text asks.
    pub rules: Arc<Rules>,
}

impl RecordView {
    /// Whether a machine has to hold the unit.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.target > TargetState::Inactive
    }
}

/// An assignment, compared with the record.
#[derive(Clone, Debug)]
pub struct AssignmentView {
    /// Create revision of the record that is meant.
    pub uid: i64,
    /// Its phase.
    pub phase: Phase,
    /// Revision on which it was decided.
    pub placement: i64,
    /// What the text that the machine was given asks.
    pub rules: Arc<Rules>,
    /// Whether it says all that the record says.
    pub is_current: bool,
}

impl UnitView {
    /// Machines that have to stop the unit before it may start elsewhere, as far as assignments
    /// tell: released ones, and those of a namesake that was destroyed.
    pub fn stopping<'a>(&'a self, record: &'a RecordView) -> impl Iterator<Item = &'a MachineId> {
        self.assignments
            .iter()
            .filter(|(_, assignment)| {
                assignment.phase == Phase::Released || assignment.uid != record.uid
            })
            .map(|(machine, _)| machine)
    }
}

impl MachineView {
    /// Views a machine that at least one document is about.
    pub(super) fn of(mirror: &Mirror, id: &MachineId) -> Self {
        let unknown = |availability| {
            let metadata = Metadata::new();
            Self { id: id.clone(), availability, metadata }
        };
        let keys = [Key::Member(id.clone()), Key::Machine(id.clone()), Key::Metadata(id.clone())];
        if keys.iter().any(|key| mirror.is_unreadable(key)) {
            return unknown(Availability::Unreadable);
        }
        let standing = mirror.members.get(id).map(|member| member.document.standing);
        let Some(presence) = mirror.machines.get(id) else {
            let left = standing == Some(Standing::Left);
            return unknown(if left { Availability::Left } else { Availability::Absent });
        };
        let availability = match standing {
            _ if presence.document.reads < VERSION => Availability::Outdated,
            Some(Standing::Joined) | None => Availability::Open,
            Some(Standing::Cordoned) => Availability::Cordoned,
            Some(Standing::Draining) => Availability::Draining,
            // Having left and being there at once is the moment between its last two steps, or
            // between its first two when it comes back.
            Some(Standing::Leaving | Standing::Left) => Availability::Leaving,
        };
        let configured = &presence.document.metadata;
        let metadata = match mirror.metadata.get(id) {
            Some(overlay) => overlay.document.over(configured),
            None => configured.clone(),
        };
        Self { id: id.clone(), availability, metadata }
    }
}

impl UnitView {
    /// Views a unit; `None` if no document is about it.
    pub(super) fn of(mirror: &Mirror, cache: &mut RulesCache, name: &UnitName) -> Option<Self> {
        let mut view = Self::default();
        let mut is_known = false;
        if let Some(stored) = mirror.units.get(name) {
            let Unit { hash, text, target, .. } = &stored.document;
            let rules = cache.rules(name, *hash, text);
            view.is_frozen = rules.is_broken;
            view.record = Some(RecordView { uid: stored.created.0, target: *target, rules });
            is_known = true;
        }
        if let Some(stored) = mirror.placed.get(name) {
            view.placed = Some((stored.document.machine.clone(), stored.document.uid));
            is_known = true;
        }
        for (machine, stored) in mirror.schedule.get(name).into_iter().flatten() {
            let record = mirror.units.get(name);
            let assignment = AssignmentView::of(name, &stored.document, record, cache);
            view.assignments.insert(machine.clone(), assignment);
            is_known = true;
        }
        is_known |= view.freeze(mirror, name);
        is_known.then_some(view)
    }

    /// Marks the unit if an unreadable document speaks of it.
    fn freeze(&mut self, mirror: &Mirror, name: &UnitName) -> bool {
        let mut is_meant = false;
        for unreadable in mirror.unreadable.values() {
            match &unreadable.key {
                Some(Key::Unit(unit) | Key::Placed(unit)) if unit == name => is_meant = true,
                Some(Key::Schedule(machine, unit)) if unit == name => {
                    is_meant = true;
                    let unknown = AssignmentView::unknown(name, self.record.as_ref());
                    self.assignments.insert(machine.clone(), unknown);
                }
                _ => {}
            }
        }
        self.is_frozen |= is_meant;
        is_meant
    }

    /// Whether one of its documents names a machine.
    pub(super) fn names(&self, machine: &MachineId) -> bool {
        let placed = self.placed.as_ref().map(|(machine, _)| machine);
        self.assignments.contains_key(machine) || placed == Some(machine)
    }

    /// Whether it is global and nothing is left of a time when it was not.
    pub(super) fn is_spread(&self) -> bool {
        let is_global = |record: &RecordView| record.rules.is_global();
        self.placed.is_none()
            && !self.is_frozen
            && self.record.as_ref().is_some_and(is_global)
            && self.assignments.values().all(|assignment| assignment.rules.is_global())
    }

    /// Machines that any of its documents names.
    pub(super) fn machines(&self) -> impl Iterator<Item = &MachineId> {
        let placed = self.placed.iter().map(|(machine, _)| machine);
        self.assignments.keys().chain(placed)
    }
}

impl AssignmentView {
    pub(super) fn of(
        name: &UnitName,
        assignment: &Assignment,
        record: Option<&Stored<Unit>>,
        cache: &mut RulesCache,
    ) -> Self {
        let is_current = record.is_some_and(|record| {
            let unit = &record.document;
            (record.created.0, unit.generation, unit.stops, unit.hash, unit.target)
                == (
                    assignment.uid,
                    assignment.generation,
                    assignment.stops,
                    assignment.hash,
                    assignment.target,
                )
        });
        Self {
            uid: assignment.uid,
            phase: assignment.phase,
            placement: assignment.placement,
            rules: cache.rules(name, assignment.hash, &assignment.text),
            is_current,
        }
    }

    /// What stands for an assignment that cannot be read: as far as anybody knows, the unit is
    /// there.
    fn unknown(name: &UnitName, record: Option<&RecordView>) -> Self {
        let rules = match record {
            Some(record) => Arc::clone(&record.rules),
            None => Arc::new(Rules::none(name.clone())),
        };
        let uid = record.map_or(0, |record| record.uid);
        Self { uid, phase: Phase::Held, placement: 0, rules, is_current: true }
    }
}
