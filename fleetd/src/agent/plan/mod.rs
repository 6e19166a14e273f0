//! What to do next, decided by comparing what is assigned with what was applied. Pure and
//! level-triggered: it gives only the steps that may go now, and is asked again when one of them
//! has ended.
//!
//! systemd's own view of a unit is no input here, on purpose: nothing that runs or stopped by
//! itself makes the agent act.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use fleet_units::{TargetState, UnitHash, UnitName};
use serde::Serialize;

use super::applied::Applied;
use super::relations::Relations;
use crate::store::Revision;

#[cfg(test)]
mod tests;

/// What the registry asks of this machine for one unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Assigned {
    /// What to do with the unit.
    pub(crate) order: Order,
    /// Revision of the assignment's last write.
    pub(crate) modified: Revision,
    /// How the unit's text relates it to others.
    pub(crate) relations: Relations,
}

/// The part of an assignment that asks for something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Bring the unit to where this would be its record.
    Hold(Applied),
    /// Stop the unit, remove it, and delete the assignment.
    Release,
    /// Leave everything as it is: the unit is retiring.
    Keep,
    /// Leave everything as it is, the document included: it cannot be read.
    Unreadable,
}

/// A job of systemd that the agent has asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Activity {
    /// Asked for a stop, or the stop is running: nothing else may happen to the unit.
    Stopping,
    /// Asked for a start, systemd has not answered.
    Asking,
    /// systemd is starting the unit; that may take as long as it wants, and may be ended by a stop.
    Starting,
}

/// Everything that a plan depends on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    /// What the registry asks for.
    pub(crate) assigned: &'a BTreeMap<UnitName, Assigned>,
    /// What systemd has accepted from us in this boot.
    pub(crate) applied: &'a BTreeMap<UnitName, Applied>,
    /// Unit files of ours that are linked, by the version they hold.
    pub(crate) installed: &'a BTreeMap<UnitName, Version>,
    /// Jobs that have not ended.
    pub(crate) jobs: &'a BTreeMap<UnitName, Activity>,
    /// Units whose files are being written or removed right now: one batch at a time.
    pub(crate) filing: &'a BTreeSet<UnitName>,
    /// Units that failed: not to be tried (yet).
    pub(crate) blocked: &'a BTreeSet<UnitName>,
    /// Units without an assignment that the registry has placed elsewhere since.
    pub(crate) displaced: &'a BTreeSet<UnitName>,
    /// Assignments whose deletion was asked for, by the revision that it was asked for.
    pub(crate) forgetting: &'a BTreeMap<UnitName, Revision>,
    /// Whether the machine is leaving the cluster: everything goes.
    pub(crate) leaving: bool,
}

/// Which text a unit file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    /// Create revision of the unit's record.
    pub(crate) uid: i64,
    /// Hash of the text.
    pub(crate) hash: UnitHash,
}

/// The steps that may go now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Units to stop.
    pub(crate) stops: BTreeMap<UnitName, StopReason>,
    /// Units whose files are to be written, linked and enabled.
    pub(crate) installs: BTreeSet<UnitName>,
    /// Units to start.
    pub(crate) starts: BTreeSet<UnitName>,
    /// Units that are where they should be: only the record is behind.
    pub(crate) notes: BTreeSet<UnitName>,
    /// Stopped units whose links and files are to be removed.
    pub(crate) removals: BTreeSet<UnitName>,
    /// Units that are gone: their documents are to be deleted if the assignment is still the one
    /// of this revision ([`Revision::ABSENT`]: if there is still none).
    pub(crate) forgets: BTreeMap<UnitName, Revision>,
    /// Starts that wait, and the unit they wait for.
    pub(crate) waiting: BTreeMap<UnitName, UnitName>,
}

impl Plan {
    /// Whether nothing is to be done on the host; the store may still have to be told.
    pub(crate) fn leaves_units_alone(&self) -> bool {
        self.stops.is_empty()
            && self.installs.is_empty()
            && self.starts.is_empty()
            && self.notes.is_empty()
            && self.removals.is_empty()
            && self.waiting.is_empty()
    }
}

/// Why a unit is stopped. There is no other reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StopReason {
    /// Its assignment is released.
    Released,
    /// It is placed on another machine since.
    Displaced,
    /// The machine is leaving the cluster.
    Leaving,
    /// It is another unit of the same name, or its text has changed.
    Changed,
    /// It was stopped or restarted by an operator since.
    Restarted,
    /// Its target is lower.
    Target,
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Released => "released",
            Self::Displaced => "placed elsewhere",
            Self::Leaving => "machine leaves the cluster",
            Self::Changed => "unit file changed",
            Self::Restarted => "stop or restart asked for",
            Self::Target => "target state lowered",
        })
    }
}

/// The next step of one unit, whatever it may have to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Nothing,
    Stop(StopReason),
    Install,
    Start,
    Note,
    Remove,
    Forget(Revision),
}

/// What is known of one unit.
#[derive(Clone, Copy, Debug)]
struct Known<'a> {
    unit: &'a UnitName,
    assigned: Option<&'a Assigned>,
    applied: Option<&'a Applied>,
    installed: Option<&'a Version>,
    is_displaced: bool,
}

/// Decides what may go now.
pub(crate) fn plan(view: &View<'_>) -> Plan {
    let steps: Vec<_> = known(view)
        .map(|known| (known.unit, step(view, known)))
        .filter(|(_, step)| *step != Step::Nothing)
        .collect();
    let obstacles = Obstacles::of(view, &steps);
    let mut plan = Plan::default();
    for (unit, step) in steps {
        if may_go(view, unit, step) {
            add(&mut plan, &obstacles, view, unit, step);
        }
    }
    plan
}

/// All units, by name. Events come by the hundred where as many units start, and each leads here: so
/// the maps are gone through side by side, and not searched for each unit.
fn known<'a>(view: &View<'a>) -> impl Iterator<Item = Known<'a>> {
    let mut assigned = view.assigned.iter().peekable();
    let mut applied = view.applied.iter().peekable();
    let mut installed = view.installed.iter().peekable();
    let mut displaced = view.displaced.iter().peekable();
    std::iter::from_fn(move || {
        let next = [
            assigned.peek().map(|(unit, _)| *unit),
            applied.peek().map(|(unit, _)| *unit),
            installed.peek().map(|(unit, _)| *unit),
            displaced.peek().copied(),
        ];
        let unit = next.into_iter().flatten().min()?;
        Some(Known {
            unit,
            assigned: assigned.next_if(|(other, _)| *other == unit).map(|(_, assigned)| assigned),
            applied: applied.next_if(|(other, _)| *other == unit).map(|(_, record)| record),
            installed: installed.next_if(|(other, _)| *other == unit).map(|(_, version)| version),
            is_displaced: displaced.next_if(|other| *other == unit).is_some(),
        })
    })
}

fn step(view: &View<'_>, known: Known<'_>) -> Step {
    let Known { assigned, applied, installed, .. } = known;
    let reason = match assigned.map(|assigned| &assigned.order) {
        _ if view.leaving => StopReason::Leaving,
        Some(Order::Release) => StopReason::Released,
        Some(Order::Hold(wanted)) => return step_towards(applied, installed, wanted),
        Some(Order::Keep | Order::Unreadable) => return Step::Nothing,
        None if known.is_displaced => StopReason::Displaced,
        None => return Step::Nothing,
    };
    match (applied, installed) {
        (Some(record), _) if record.target == TargetState::Inactive => Step::Remove,
        // A file without a record: fleetd died between linking and starting it, or after.
        (Some(_), _) | (None, Some(_)) => Step::Stop(reason),
        (None, None) => step_to_forget(assigned),
    }
}

fn step_to_forget(assigned: Option<&Assigned>) -> Step {
    match assigned {
        // It may say anything: it is not ours to delete.
        Some(Assigned { order: Order::Unreadable, .. }) => Step::Nothing,
        Some(assigned) => Step::Forget(assigned.modified),
        None => Step::Forget(Revision::ABSENT),
    }
}

fn step_towards(record: Option<&Applied>, installed: Option<&Version>, wanted: &Applied) -> Step {
    if let Some(reason) = record.and_then(|record| must_stop(record, wanted)) {
        return Step::Stop(reason);
    }
    let reached = record.map_or(TargetState::Inactive, |record| record.target);
    let version = Version { uid: wanted.uid, hash: wanted.hash };
    if installed != Some(&version) {
        Step::Install
    } else if reached < wanted.target && wanted.target == TargetState::Launched {
        Step::Start
    } else if record == Some(wanted) {
        Step::Nothing
    } else {
        Step::Note
    }
}

fn must_stop(record: &Applied, wanted: &Applied) -> Option<StopReason> {
    if record.target == TargetState::Inactive {
        None
    } else if record.uid != wanted.uid || record.hash != wanted.hash {
        Some(StopReason::Changed)
    } else if record.target > wanted.target {
        Some(StopReason::Target)
    } else if record.stops != wanted.stops {
        Some(StopReason::Restarted)
    } else {
        None
    }
}

fn may_go(view: &View<'_>, unit: &UnitName, step: Step) -> bool {
    let idle = match view.jobs.get(unit) {
        None => true,
        Some(Activity::Starting) => matches!(step, Step::Stop(_) | Step::Note),
        Some(Activity::Stopping | Activity::Asking) => false,
    };
    let files_free = match step {
        Step::Install | Step::Remove => view.filing.is_empty(),
        Step::Nothing | Step::Stop(_) | Step::Start | Step::Note | Step::Forget(_) => {
            !view.filing.contains(unit)
        }
    };
    idle && files_free && !view.blocked.contains(unit)
}

fn add(plan: &mut Plan, obstacles: &Obstacles<'_>, view: &View<'_>, unit: &UnitName, step: Step) {
    match step {
        Step::Nothing => {}
        Step::Stop(reason) => drop(plan.stops.insert(unit.clone(), reason)),
        Step::Install => drop(plan.installs.insert(unit.clone())),
        Step::Note => drop(plan.notes.insert(unit.clone())),
        Step::Remove => drop(plan.removals.insert(unit.clone())),
        Step::Forget(revision) => {
            if view.forgetting.get(unit) != Some(&revision) {
                plan.forgets.insert(unit.clone(), revision);
            }
        }
        Step::Start => {
            if let Some(other) = obstacles.before(view, unit) {
                plan.waiting.insert(unit.clone(), other.clone());
            } else {
                plan.starts.insert(unit.clone());
            }
        }
    }
}

/// What starts may have to wait for.
#[derive(Debug)]
struct Obstacles<'a> {
    /// Units that are being stopped, or are about to be.
    stopping: BTreeSet<&'a UnitName>,
    /// Those of them whose own text excludes others.
    excluding: Vec<(&'a UnitName, &'a Relations)>,
    /// Units whose files are being written, or are about to be.
    filing: BTreeSet<&'a UnitName>,
}

impl<'a> Obstacles<'a> {
    fn of(view: &View<'a>, steps: &[(&'a UnitName, Step)]) -> Self {
        let mut stopping: BTreeSet<_> = view
            .jobs
            .iter()
            .filter(|(_, activity)| **activity == Activity::Stopping)
            .map(|(unit, _)| unit)
            .collect();
        let mut filing: BTreeSet<_> = view.filing.iter().collect();
        for (unit, step) in steps {
            match step {
                Step::Stop(_) => drop(stopping.insert(unit)),
                Step::Install if !view.blocked.contains(*unit) => drop(filing.insert(unit)),
                Step::Nothing
                | Step::Install
                | Step::Start
                | Step::Note
                | Step::Remove
                | Step::Forget(_) => {}
            }
        }
        let excluding = stopping
            .iter()
            .filter_map(|unit| Some((*unit, &view.assigned.get(*unit)?.relations)))
            .filter(|(_, relations)| relations.excludes_any())
            .collect();
        Self { stopping, excluding, filing }
    }

    /// The first unit that has to stop, or to have its file in place, before this one starts.
    fn before(&self, view: &View<'a>, unit: &UnitName) -> Option<&'a UnitName> {
        let none = Relations::default();
        let own = view.assigned.get(unit).map_or(&none, |assigned| &assigned.relations);
        let excluded = own.excludes_any();
        let stop = self
            .stopping
            .iter()
            .copied()
            .filter(|other| *other != unit)
            .find(|other| own.pulls(other) || (excluded && own.excludes(other)));
        stop.or_else(|| {
            let mut others = self.excluding.iter().filter(|(other, _)| *other != unit);
            others.find(|(_, theirs)| theirs.excludes(unit)).map(|(other, _)| *other)
        })
        .or_else(|| self.filing.iter().copied().find(|other| own.pulls(other)))
    }
}
