//! Decides whether a unit is where a command wants it.
//!
//! Pure: the latest that is known of a unit goes in, a verdict comes out. Only reports that came
//! after the command's own write count.

#[cfg(test)]
mod tests;

use fleet_units::TargetState;
use fleet_units::api::v2::{Copy, JobState, MachineObstacle, UnitDetail};

use crate::legend;

/// What may keep a unit up that is to be loaded only.
const STILL_UP: &str = "it runs; a socket, a timer or another unit may have started it again";

/// What a command wants of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    /// On a machine, started or not.
    Load,
    /// Started, and systemd's job ended well.
    Start,
    /// On its machine, not running.
    Stop,
    /// On no machine.
    Unload,
    /// Nowhere.
    Destroy,
}

/// The record that a command wrote, as the store counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Written {
    /// Create revision of the unit's record.
    pub(crate) uid: i64,
    /// Number of accepted writes, the command's own included.
    pub(crate) generation: u64,
}

/// How a unit stands to a goal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Not there yet.
    Waiting(Why),
    /// There; the line says where.
    Reached(String),
    /// Never, as things are; the sentence says why.
    Failed(String),
    /// A global unit has come to its end on every machine: lines for those where it is there, and
    /// sentences for those where it never will be.
    Settled {
        /// Where it is there.
        reached: Vec<String>,
        /// Where it is not, and why.
        failed: Vec<String>,
    },
}

/// What a unit waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// News that are newer than the write.
    News,
    /// A machine that takes it; the obstacles name those that do not.
    Placement(Vec<MachineObstacle>),
    /// The machine, shown in short, that is to act, and what it has to say about that.
    Machine(String, Option<String>),
    /// The machine, shown in short, that is to act once it is back.
    Return(String),
    /// systemd's job on the machine, and systemd's words for the unit.
    Job(String, String),
}

impl Goal {
    /// The state in which the goal is reached, if there is one.
    pub(crate) const fn state(self) -> Option<TargetState> {
        match self {
            Self::Load | Self::Stop => Some(TargetState::Loaded),
            Self::Start => Some(TargetState::Launched),
            Self::Unload => Some(TargetState::Inactive),
            Self::Destroy => None,
        }
    }

    /// The verb of the command.
    pub(crate) const fn verb(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Unload => "unload",
            Self::Destroy => "destroy",
        }
    }
}

/// Whether only machines that are to stop a unit know of it still: its record is gone.
pub(crate) fn is_remnant(unit: &UnitDetail) -> bool {
    !unit.global && unit.current_state.is_none()
}

/// Judges a unit by the latest that is known of it.
pub(crate) fn judge(goal: Goal, unit: &UnitDetail, written: Written) -> Verdict {
    if goal == Goal::Destroy {
        return gone(unit, written);
    }
    if unit.uid < written.uid || (unit.uid == written.uid && unit.generation < written.generation) {
        return Verdict::Waiting(Why::News);
    }
    if let Some(sentence) = overruled(goal, unit) {
        return Verdict::Failed(sentence);
    }
    match goal {
        Goal::Load => held(unit, |copy| loaded(unit, copy)),
        Goal::Start => held(unit, |copy| launched(unit, copy)),
        Goal::Stop if unit.global => everywhere(unit, |copy| stopped(unit, copy)),
        Goal::Stop => stopped_anywhere(unit),
        Goal::Unload | Goal::Destroy => unloaded(unit),
    }
}

/// Whether systemd has something of a unit running.
pub(crate) fn is_up(copy: &Copy) -> bool {
    !matches!(copy.active.as_str(), "" | "inactive" | "failed")
}

/// Says what became of a unit of which nothing is left.
pub(crate) fn judge_gone(goal: Goal, name: &str) -> Verdict {
    match goal {
        Goal::Destroy => Verdict::Reached(format!("Destroyed {name}")),
        Goal::Load | Goal::Start | Goal::Stop | Goal::Unload => {
            Verdict::Failed(format!("unit {name} was destroyed meanwhile"))
        }
    }
}

/// Names the machines that do not take a unit, one in a line.
pub(crate) fn obstacles(obstacles: &[MachineObstacle]) -> String {
    let line = |obstacle: &MachineObstacle| {
        let machine = legend::short(&obstacle.machine, obstacle.address.as_deref());
        format!("\n  {machine}: {}", obstacle.reason)
    };
    obstacles.iter().map(line).collect()
}

fn gone(unit: &UnitDetail, written: Written) -> Verdict {
    // Somebody else has made a new unit of that name: the one that was meant is gone.
    if unit.uid > written.uid {
        return judge_gone(Goal::Destroy, &unit.name);
    }
    unit.machines.first().map_or(Verdict::Waiting(Why::News), stopping)
}

/// Notices that somebody else has asked for something else since.
fn overruled(goal: Goal, unit: &UnitDetail) -> Option<String> {
    let asked = unit.desired_state;
    let wanted = goal.state()?;
    let fits = match goal {
        // Loading never lowers, so it is served by a unit that is to run.
        Goal::Load => asked >= wanted,
        Goal::Start | Goal::Stop | Goal::Unload | Goal::Destroy => asked == wanted,
    };
    (!fits).then(|| {
        format!("unit {} is to be {asked} meanwhile, as somebody else asked for it", unit.name)
    })
}

/// Judges all copies of a global unit. Machines that are away are not waited for: the unit is
/// brought to where it should be when they are back.
fn everywhere(unit: &UnitDetail, copy_verdict: impl Fn(&Copy) -> Verdict) -> Verdict {
    let (mut reached, mut failed) = (Vec::new(), Vec::new());
    for copy in unit.machines.iter().filter(|copy| !copy.absent) {
        match copy_verdict(copy) {
            Verdict::Reached(line) => reached.push(line),
            Verdict::Failed(sentence) => failed.push(sentence),
            waiting @ (Verdict::Waiting(_) | Verdict::Settled { .. }) => return waiting,
        }
    }
    let away = unit.machines.iter().filter(|copy| copy.absent);
    reached.extend(away.map(|copy| {
        format!(
            "Unit {} is to be {} on {} when that is back",
            unit.name,
            unit.desired_state,
            shown(copy)
        )
    }));
    Verdict::Settled { reached, failed }
}

/// Judges a global unit that is to be on all machines that it suits.
fn spread(unit: &UnitDetail, copy_verdict: impl Fn(&Copy) -> Verdict) -> Verdict {
    if unit.coming {
        return Verdict::Waiting(Why::News);
    }
    if unit.machines.is_empty() {
        let reasons = obstacles(unit.obstacles.as_deref().unwrap_or_default());
        let line = format!("Unit {} suits no machine at the moment{reasons}", unit.name);
        return Verdict::Reached(line);
    }
    // A machine that gives up an earlier one, or one that suits it no more, is not done either.
    everywhere(unit, |copy| if copy.leaving { acting(copy) } else { copy_verdict(copy) })
}

/// Judges the copy that is to stay; a unit without one waits for its place or never gets it.
fn held(unit: &UnitDetail, copy_verdict: impl Fn(&Copy) -> Verdict) -> Verdict {
    if unit.global {
        return spread(unit, copy_verdict);
    }
    if let Some(copy) = unit.machines.iter().find(|copy| !copy.leaving) {
        return copy_verdict(copy);
    }
    let reasons = unit.obstacles.clone().unwrap_or_default();
    if unit.unplaceable {
        return Verdict::Failed(nowhere(&unit.name, &reasons));
    }
    // It is placed anew once it has stopped, which may take as long as systemd lets it.
    if let Some(copy) = unit.machines.first() {
        return stopping(copy);
    }
    Verdict::Waiting(Why::Placement(reasons))
}

fn nowhere(name: &str, reasons: &[MachineObstacle]) -> String {
    match reasons {
        [] => format!("no machine can take unit {name}: the cluster has none"),
        reasons => format!("no machine can take unit {name}:{}", obstacles(reasons)),
    }
}

fn loaded(unit: &UnitDetail, copy: &Copy) -> Verdict {
    if !is_news(unit, copy) {
        return acting(copy);
    }
    if copy.current >= TargetState::Loaded {
        return Verdict::Reached(line(unit, copy));
    }
    lagging(unit, copy)
}

fn launched(unit: &UnitDetail, copy: &Copy) -> Verdict {
    if !is_news(unit, copy) {
        return acting(copy);
    }
    match copy.job {
        JobState::Running => Verdict::Waiting(Why::Job(shown(copy), words(copy))),
        JobState::None | JobState::Done | JobState::Failed
            if copy.current < TargetState::Launched =>
        {
            lagging(unit, copy)
        }
        JobState::None | JobState::Done if copy.active == "failed" => failed(unit, copy),
        // systemd has started it by itself since.
        JobState::Failed if copy.active != "active" => failed(unit, copy),
        JobState::None | JobState::Done | JobState::Failed => Verdict::Reached(line(unit, copy)),
    }
}

fn stopped_anywhere(unit: &UnitDetail) -> Verdict {
    let staying = unit.machines.iter().find(|copy| !copy.leaving);
    match staying.or(unit.machines.first()) {
        Some(copy) => stopped(unit, copy),
        // A unit that is nowhere does not run, and need not be placed to prove it.
        None => Verdict::Reached(format!("Unit {} inactive", unit.name)),
    }
}

fn stopped(unit: &UnitDetail, copy: &Copy) -> Verdict {
    if !copy.leaving && !is_news(unit, copy) {
        return acting(copy);
    }
    let runs = is_up(copy);
    match copy.job {
        JobState::Running => Verdict::Waiting(Why::Job(shown(copy), words(copy))),
        JobState::Failed if runs => failed(unit, copy),
        JobState::None | JobState::Done | JobState::Failed
            if copy.current > TargetState::Loaded || copy.leaving =>
        {
            acting(copy)
        }
        // Either an old report, or systemd has started it again for another unit.
        JobState::None | JobState::Done if runs => {
            let problem = copy.problem.clone().unwrap_or_else(|| STILL_UP.to_owned());
            Verdict::Waiting(Why::Machine(shown(copy), Some(problem)))
        }
        JobState::None | JobState::Done | JobState::Failed => Verdict::Reached(line(unit, copy)),
    }
}

fn unloaded(unit: &UnitDetail) -> Verdict {
    match unit.machines.iter().find(|copy| !(unit.global && copy.absent)) {
        None => Verdict::Reached(format!("Unit {} inactive", unit.name)),
        Some(copy) => stopping(copy),
    }
}

/// What to wait for where a machine is to give a unit up.
fn stopping(copy: &Copy) -> Verdict {
    if copy.job == JobState::Running {
        return Verdict::Waiting(Why::Job(shown(copy), words(copy)));
    }
    acting(copy)
}

/// Judges a copy whose machine has seen what is asked for, and has not brought it about.
fn lagging(unit: &UnitDetail, copy: &Copy) -> Verdict {
    match (copy.job, &copy.problem) {
        (JobState::Running, _) => Verdict::Waiting(Why::Job(shown(copy), words(copy))),
        (JobState::None | JobState::Done, None) => acting(copy),
        (JobState::None | JobState::Done | JobState::Failed, Some(problem)) => {
            Verdict::Failed(format!("unit {} on {}: {problem}", unit.name, shown(copy)))
        }
        (JobState::Failed, None) => failed(unit, copy),
    }
}

fn acting(copy: &Copy) -> Verdict {
    Verdict::Waiting(match copy.absent {
        true => Why::Return(shown(copy)),
        false => Why::Machine(shown(copy), copy.problem.clone()),
    })
}

/// Whether a machine reports of this record, as it is now.
const fn is_news(unit: &UnitDetail, copy: &Copy) -> bool {
    copy.uid == unit.uid && copy.observed >= unit.generation
}

/// Tells a failure in systemd's words.
fn failed(unit: &UnitDetail, copy: &Copy) -> Verdict {
    let problem = copy.problem.as_ref().map(|problem| format!(": {problem}")).unwrap_or_default();
    let (name, machine, words) = (&unit.name, shown(copy), words(copy));
    Verdict::Failed(format!(
        "unit {name} on {machine} is {words}{problem}; `fleetctl status {name}` shows more"
    ))
}

fn line(unit: &UnitDetail, copy: &Copy) -> String {
    format!("Unit {} {} on {}", unit.name, copy.current, shown(copy))
}

fn shown(copy: &Copy) -> String {
    legend::short(&copy.machine, copy.address.as_deref())
}

fn words(copy: &Copy) -> String {
    match (copy.active.as_str(), copy.sub.as_str()) {
        ("", _) => "no state yet".to_owned(),
        (active, "") => active.to_owned(),
        (active, sub) => format!("{active} ({sub})"),
    }
}
