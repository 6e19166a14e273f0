//! The planner's view of the registry: light, owned, and complete for one decision round.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fleet_units::{MachineId, Metadata, TargetState, UnitName};

use super::board::Board;
use super::chain::Chains;
use super::rules::{Rules, RulesCache};
use crate::registry::document::{Assignment, Phase, Standing, Unit, VERSION};
use crate::registry::key::Key;
use crate::registry::mirror::{Mirror, Stored};

/// Everything that placement knows.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// All machines that any document names.
    pub machines: BTreeMap<MachineId, MachineView>,
    /// All units that any document names.
    pub units: BTreeMap<UnitName, UnitView>,
    /// Who holds what at present.
    pub board: Board,
    /// Units that name a unit in MachineOf.
    pub(super) followers: BTreeMap<UnitName, BTreeSet<UnitName>>,
    chains: Chains,
}

/// A machine, as far as placement is concerned.
#[derive(Clone, Debug)]
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
    const fn is_staying(self) -> bool {
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
    /// Whether one of its documents cannot be read: it stays as it is.
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

impl Cluster {
    /// Views the registry; `cache` saves parsing what the last view has parsed.
    #[must_use]
    pub fn of(mirror: &Mirror, cache: &mut RulesCache) -> Self {
        let mut machines = machines(mirror);
        let mut units = units(mirror, cache);
        freeze(mirror, &mut machines, &mut units);
        let takers = machines
            .values()
            .filter(|machine| machine.availability == Availability::Open)
            .map(|machine| &machine.id);
        let board = seated(Board::new(takers), &machines, &units);
        let needs = needs(&units);
        let followers = followers(&needs);
        let chains = Chains::new(needs);
        cache.prune();
        Self { machines, units, board, followers, chains }
    }

    /// Machine that holds a unit, if that is not global.
    ///
    /// Of several, one that is there, however briefly the others are away: they may never return.
    /// Then the one that `placed/` names, else the newest.
    #[must_use]
    pub fn holder<'a>(&self, unit: &'a UnitView) -> Option<&'a MachineId> {
        holder(unit, &self.machines)
    }

    /// Steps along MachineOf to a unit that needs nobody.
    #[must_use]
    pub fn depth(&self, unit: &UnitName) -> usize {
        self.chains.depth(unit)
    }

    /// The circle of MachineOf that a unit is on, if any.
    #[must_use]
    pub fn cycle_of(&self, unit: &UnitName) -> Option<Vec<UnitName>> {
        self.chains.cycle_of(unit)
    }
}

fn machines(mirror: &Mirror) -> BTreeMap<MachineId, MachineView> {
    let assigned = mirror.schedule.values().flat_map(BTreeMap::keys);
    let placed = mirror.placed.values().map(|placed| &placed.document.machine);
    let named: BTreeSet<_> =
        mirror.members.keys().chain(mirror.machines.keys()).chain(assigned).chain(placed).collect();
    named.into_iter().map(|id| (id.clone(), machine(mirror, id))).collect()
}

fn machine(mirror: &Mirror, id: &MachineId) -> MachineView {
    let standing = mirror.members.get(id).map(|member| member.document.standing);
    let Some(presence) = mirror.machines.get(id) else {
        let left = standing == Some(Standing::Left);
        let availability = if left { Availability::Left } else { Availability::Absent };
        return MachineView { id: id.clone(), availability, metadata: Metadata::new() };
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
    MachineView { id: id.clone(), availability, metadata }
}

fn units(mirror: &Mirror, cache: &mut RulesCache) -> BTreeMap<UnitName, UnitView> {
    let mut units: BTreeMap<UnitName, UnitView> = BTreeMap::new();
    for (name, stored) in &mirror.units {
        let Unit { hash, text, target, .. } = &stored.document;
        let rules = cache.rules(name, *hash, text);
        let view = UnitView { is_frozen: rules.is_broken, ..UnitView::default() };
        let record = RecordView { uid: stored.created.0, target: *target, rules };
        units.insert(name.clone(), UnitView { record: Some(record), ..view });
    }
    for (name, stored) in &mirror.placed {
        let placed = &stored.document;
        units.entry(name.clone()).or_default().placed = Some((placed.machine.clone(), placed.uid));
    }
    for (name, assignments) in &mirror.schedule {
        let record = mirror.units.get(name);
        let view = units.entry(name.clone()).or_default();
        for (machine, stored) in assignments {
            let assignment = assignment(name, &stored.document, record, cache);
            view.assignments.insert(machine.clone(), assignment);
        }
    }
    units
}

fn assignment(
    name: &UnitName,
    assignment: &Assignment,
    record: Option<&Stored<Unit>>,
    cache: &mut RulesCache,
) -> AssignmentView {
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
    AssignmentView {
        uid: assignment.uid,
        phase: assignment.phase,
        placement: assignment.placement,
        rules: cache.rules(name, assignment.hash, &assignment.text),
        is_current,
    }
}

/// Marks what unreadable documents speak of.
fn freeze(
    mirror: &Mirror,
    machines: &mut BTreeMap<MachineId, MachineView>,
    units: &mut BTreeMap<UnitName, UnitView>,
) {
    for unreadable in mirror.unreadable.values() {
        match &unreadable.key {
            Some(Key::Member(id) | Key::Machine(id) | Key::Metadata(id)) => {
                let availability = Availability::Unreadable;
                let metadata = Metadata::new();
                let machine = MachineView { id: id.clone(), availability, metadata };
                machines.insert(id.clone(), machine);
            }
            Some(Key::Unit(name) | Key::Placed(name)) => {
                units.entry(name.clone()).or_default().is_frozen = true;
            }
            Some(Key::Schedule(id, name)) => {
                let unit = units.entry(name.clone()).or_default();
                unit.is_frozen = true;
                unit.assignments.insert(id.clone(), unknown_assignment(name, unit.record.as_ref()));
                if !machines.contains_key(id) {
                    machines.insert(id.clone(), machine(mirror, id));
                }
            }
            Some(Key::State(..) | Key::Leader | Key::Hold | Key::Settings) | None => {}
        }
    }
}

/// What stands for an assignment that cannot be read: as far as anybody knows, the unit is there.
fn unknown_assignment(name: &UnitName, record: Option<&RecordView>) -> AssignmentView {
    let rules = match record {
        Some(record) => Arc::clone(&record.rules),
        None => Arc::new(Rules::none(name.clone())),
    };
    let uid = record.map_or(0, |record| record.uid);
    AssignmentView { uid, phase: Phase::Held, placement: 0, rules, is_current: true }
}

fn seated(
    mut board: Board,
    machines: &BTreeMap<MachineId, MachineView>,
    units: &BTreeMap<UnitName, UnitView>,
) -> Board {
    for unit in units.values() {
        let holder = holder(unit, machines);
        for (machine, assignment) in &unit.assignments {
            if assignment.phase == Phase::Held
                && (assignment.rules.is_global() || holder == Some(machine))
            {
                board.put(&assignment.rules, machine);
            }
        }
    }
    board
}

fn holder<'a>(
    unit: &'a UnitView,
    machines: &BTreeMap<MachineId, MachineView>,
) -> Option<&'a MachineId> {
    let record = unit.record.as_ref();
    let held = unit.assignments.iter().filter(|(_, assignment)| {
        assignment.phase == Phase::Held && record.is_none_or(|record| record.uid == assignment.uid)
    });
    let is_staying =
        |machine| machines.get(machine).is_some_and(|machine| machine.availability.is_staying());
    let placed = unit.placed.as_ref().map(|(machine, _)| machine);
    held.min_by_key(|(machine, assignment)| {
        let is_placed = Some(*machine) == placed;
        (!is_staying(*machine), !is_placed, Reverse(assignment.placement))
    })
    .map(|(machine, _)| machine)
}

fn needs(units: &BTreeMap<UnitName, UnitView>) -> BTreeMap<UnitName, BTreeSet<UnitName>> {
    let records = units.iter().filter_map(|(name, unit)| Some((name, unit.record.as_ref()?)));
    records
        .filter(|(_, record)| !record.rules.peers.is_empty())
        .map(|(name, record)| (name.clone(), record.rules.peers.iter().cloned().collect()))
        .collect()
}

fn followers(
    needs: &BTreeMap<UnitName, BTreeSet<UnitName>>,
) -> BTreeMap<UnitName, BTreeSet<UnitName>> {
    let mut followers: BTreeMap<UnitName, BTreeSet<UnitName>> = BTreeMap::new();
    for (name, peers) in needs {
        for peer in peers {
            followers.entry(peer.clone()).or_default().insert(name.clone());
        }
    }
    followers
}
