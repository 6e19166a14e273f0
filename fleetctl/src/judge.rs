//! Decides whether a unit is where a command wants it.
//!
//! Pure: the latest that is known of a unit goes in, a verdict comes out. Only reports that came
//! after the command's own write count.

use fleet_units::TargetState;
use fleet_units::api::v2::{Copy, JobState, MachineObstacle, UnitDetail};

use crate::legend;

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
        Goal::Stop => stopped(unit),
        Goal::Unload | Goal::Destroy => unloaded(unit),
    }
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
    match unit.machines.first() {
        Some(copy) if copy.job == JobState::Running => {
            Verdict::Waiting(Why::Job(shown(copy), words(copy)))
        }
        Some(copy) => acting(copy),
        None => Verdict::Waiting(Why::News),
    }
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

/// Judges the copy that is to stay; a unit without one waits for its place or never gets it.
fn held(unit: &UnitDetail, copy_verdict: impl Fn(&Copy) -> Verdict) -> Verdict {
    if let Some(copy) = unit.machines.iter().find(|copy| !copy.leaving) {
        return copy_verdict(copy);
    }
    let reasons = unit.obstacles.clone().unwrap_or_default();
    if unit.unplaceable {
        return Verdict::Failed(nowhere(&unit.name, &reasons));
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

fn stopped(unit: &UnitDetail) -> Verdict {
    // A unit that is nowhere does not run, and need not be placed to prove it.
    let Some(copy) = unit.machines.iter().find(|copy| !copy.leaving).or(unit.machines.first())
    else {
        return Verdict::Reached(format!("Unit {} inactive", unit.name));
    };
    if !copy.leaving && !is_news(unit, copy) {
        return acting(copy);
    }
    let runs = !matches!(copy.active.as_str(), "" | "inactive" | "failed");
    match copy.job {
        JobState::Running => Verdict::Waiting(Why::Job(shown(copy), words(copy))),
        JobState::Failed if runs => failed(unit, copy),
        JobState::None | JobState::Done | JobState::Failed
            if copy.current > TargetState::Loaded || copy.leaving =>
        {
            acting(copy)
        }
        JobState::None | JobState::Done | JobState::Failed => Verdict::Reached(line(unit, copy)),
    }
}

fn unloaded(unit: &UnitDetail) -> Verdict {
    match unit.machines.first() {
        None => Verdict::Reached(format!("Unit {} inactive", unit.name)),
        Some(copy) if copy.job == JobState::Running => {
            Verdict::Waiting(Why::Job(shown(copy), words(copy)))
        }
        Some(copy) => acting(copy),
    }
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
    Verdict::Waiting(Why::Machine(shown(copy), copy.problem.clone()))
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
