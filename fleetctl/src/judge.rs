//! Decides whether a unit is where a command wants it.
//!
//! Pure: the latest that is known of a unit goes in, a verdict comes out. Only reports that came
//! after the command's own write count.

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

#[cfg(test)]
mod tests {
    use super::*;
    use TargetState::{Inactive, Launched, Loaded};

    const WRITTEN: Written = Written { uid: 7, generation: 3 };

    fn unit(desired_state: TargetState, machines: Vec<Copy>) -> UnitDetail {
        UnitDetail {
            name: "web.service".to_owned(),
            uid: WRITTEN.uid,
            generation: WRITTEN.generation,
            desired_state,
            current_state: Some(Inactive),
            machines,
            ..UnitDetail::default()
        }
    }

    /// A copy as a machine reports it that has acted on what was written.
    fn copy(current: TargetState, active: &str, sub: &str, job: JobState) -> Copy {
        Copy {
            machine: "8145ebb7d1f04b5c".to_owned(),
            address: Some("10.10.1.3".to_owned()),
            current,
            observed: WRITTEN.generation,
            uid: WRITTEN.uid,
            active: active.to_owned(),
            sub: sub.to_owned(),
            job,
            ..Copy::default()
        }
    }

    fn with_problem(copy: Copy, problem: &str) -> Copy {
        Copy { problem: Some(problem.to_owned()), ..copy }
    }

    fn leaving(copy: Copy) -> Copy {
        Copy { leaving: true, ..copy }
    }

    fn obstacle(machine: &str, reason: &str) -> MachineObstacle {
        let (machine, reason) = (machine.to_owned(), reason.to_owned());
        MachineObstacle { machine, address: Some("10.10.1.1".to_owned()), reason }
    }

    fn shown(goal: Goal, unit: &UnitDetail) -> String {
        match judge(goal, unit, WRITTEN) {
            Verdict::Waiting(why) => format!("waiting: {why:?}"),
            Verdict::Reached(line) => format!("reached: {line}"),
            Verdict::Failed(sentence) => format!("failed: {sentence}"),
            Verdict::Settled { reached, failed } => {
                format!("settled: {}; failed: {}", reached.join(", "), failed.join(", "))
            }
        }
    }

    fn table(goal: Goal, cases: Vec<(&str, UnitDetail)>) -> String {
        let rows =
            cases.into_iter().map(|(case, unit)| format!("{case}\n  {}", shown(goal, &unit)));
        rows.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_start_is_done_when_systemds_job_has_ended_well_for_what_was_written() {
        let running = || copy(Launched, "active", "running", JobState::Done);
        let one = |copy| unit(Launched, vec![copy]);
        let cases = vec![
            ("runs", one(running())),
            ("needed no job", one(copy(Launched, "active", "running", JobState::None))),
            (
                "is a oneshot that has ended",
                one(copy(Launched, "inactive", "dead", JobState::Done)),
            ),
            ("the view is older", UnitDetail { generation: 2, ..one(running()) }),
            ("the machine speaks of older contents", one(Copy { observed: 2, ..running() })),
            ("the machine speaks of an earlier unit", one(Copy { uid: 6, ..running() })),
            (
                "the machine has yet to start it",
                one(copy(Loaded, "inactive", "dead", JobState::None)),
            ),
            (
                "systemd starts it",
                one(copy(Launched, "activating", "start-pre", JobState::Running)),
            ),
            ("runs here, and stops there", unit(Launched, vec![leaving(running()), running()])),
        ];
        insta::assert_snapshot!(table(Goal::Start, cases), @r#"
        runs
          reached: Unit web.service launched on 8145ebb7.../10.10.1.3
        needed no job
          reached: Unit web.service launched on 8145ebb7.../10.10.1.3
        is a oneshot that has ended
          reached: Unit web.service launched on 8145ebb7.../10.10.1.3
        the view is older
          waiting: News
        the machine speaks of older contents
          waiting: Machine("8145ebb7.../10.10.1.3", None)
        the machine speaks of an earlier unit
          waiting: Machine("8145ebb7.../10.10.1.3", None)
        the machine has yet to start it
          waiting: Machine("8145ebb7.../10.10.1.3", None)
        systemd starts it
          waiting: Job("8145ebb7.../10.10.1.3", "activating (start-pre)")
        runs here, and stops there
          reached: Unit web.service launched on 8145ebb7.../10.10.1.3
        "#);
    }

    #[test]
    fn a_start_ends_when_the_unit_is_down_and_not_while_it_may_come_up() {
        let running = || copy(Launched, "active", "running", JobState::Done);
        let one = |copy| unit(Launched, vec![copy]);
        let cases = vec![
            ("only stops there", unit(Launched, vec![leaving(running())])),
            (
                "the job failed",
                one(with_problem(
                    copy(Launched, "failed", "failed", JobState::Failed),
                    "systemd's job failed",
                )),
            ),
            (
                "a dependency failed",
                one(with_problem(
                    copy(Launched, "inactive", "dead", JobState::Failed),
                    "a unit that it needs failed",
                )),
            ),
            ("failed after its job", one(copy(Launched, "failed", "failed", JobState::Done))),
            (
                "failed, and systemd has restarted it",
                one(copy(Launched, "active", "running", JobState::Failed)),
            ),
            (
                "the machine refuses it",
                one(with_problem(
                    copy(Inactive, "active", "running", JobState::Failed),
                    "it belongs to the host",
                )),
            ),
            (
                "the machine tries again",
                one(with_problem(Copy { observed: 2, ..running() }, "the disk is full")),
            ),
            (
                "was stopped by somebody else",
                UnitDetail { generation: 4, ..unit(Loaded, vec![running()]) },
            ),
        ];
        insta::assert_snapshot!(table(Goal::Start, cases), @r#"
        only stops there
          waiting: Machine("8145ebb7.../10.10.1.3", None)
        the job failed
          failed: unit web.service on 8145ebb7.../10.10.1.3 is failed (failed): systemd's job failed; `fleetctl status web.service` shows more
        a dependency failed
          failed: unit web.service on 8145ebb7.../10.10.1.3 is inactive (dead): a unit that it needs failed; `fleetctl status web.service` shows more
        failed after its job
          failed: unit web.service on 8145ebb7.../10.10.1.3 is failed (failed); `fleetctl status web.service` shows more
        failed, and systemd has restarted it
          reached: Unit web.service launched on 8145ebb7.../10.10.1.3
        the machine refuses it
          failed: unit web.service on 8145ebb7.../10.10.1.3: it belongs to the host
        the machine tries again
          waiting: Machine("8145ebb7.../10.10.1.3", Some("the disk is full"))
        was stopped by somebody else
          failed: unit web.service is to be loaded meanwhile, as somebody else asked for it
        "#);
    }

    #[test]
    fn a_unit_without_a_place_waits_until_no_machine_can_ever_take_it() {
        let reasons = vec![
            obstacle("148a18ff6e95", "lacks disk=ssd"),
            obstacle("491586a6508f", "is cordoned"),
        ];
        let waiting = unit(Launched, vec![]);
        let explained = UnitDetail { obstacles: Some(reasons), ..waiting.clone() };
        let never = UnitDetail { unplaceable: true, ..explained.clone() };
        let empty = UnitDetail { unplaceable: true, obstacles: Some(vec![]), ..waiting.clone() };
        let older = UnitDetail { generation: 2, ..never.clone() };
        let cases = vec![
            ("nobody has looked yet", waiting),
            ("another unit may make room", explained),
            ("all obstacles last", never),
            ("there are no machines", empty),
            ("the obstacles are those of older contents", older),
        ];
        insta::assert_snapshot!(table(Goal::Start, cases), @r#"
        nobody has looked yet
          waiting: Placement([])
        another unit may make room
          waiting: Placement([MachineObstacle { machine: "148a18ff6e95", address: Some("10.10.1.1"), reason: "lacks disk=ssd" }, MachineObstacle { machine: "491586a6508f", address: Some("10.10.1.1"), reason: "is cordoned" }])
        all obstacles last
          failed: no machine can take unit web.service:
          148a18ff.../10.10.1.1: lacks disk=ssd
          491586a6.../10.10.1.1: is cordoned
        there are no machines
          failed: no machine can take unit web.service: the cluster has none
        the obstacles are those of older contents
          waiting: News
        "#);
    }

    #[test]
    fn a_load_is_done_when_systemd_knows_the_unit_and_never_stops_it() {
        let cases = vec![
            ("loaded", unit(Loaded, vec![copy(Loaded, "inactive", "dead", JobState::None)])),
            (
                "runs already",
                unit(Launched, vec![copy(Launched, "active", "running", JobState::Done)]),
            ),
            (
                "has failed already",
                unit(Launched, vec![copy(Launched, "failed", "failed", JobState::Failed)]),
            ),
            ("not loaded yet", unit(Loaded, vec![copy(Inactive, "", "", JobState::None)])),
            (
                "refused",
                unit(
                    Loaded,
                    vec![with_problem(
                        copy(Inactive, "", "", JobState::Failed),
                        "it belongs to the host",
                    )],
                ),
            ),
            ("was unloaded by somebody else", unit(Inactive, vec![])),
        ];
        insta::assert_snapshot!(table(Goal::Load, cases), @r#"
        loaded
          reached: Unit web.service loaded on 8145ebb7.../10.10.1.3
        runs already
          reached: Unit web.service launched on 8145ebb7.../10.10.1.3
        has failed already
          reached: Unit web.service launched on 8145ebb7.../10.10.1.3
        not loaded yet
          waiting: Machine("8145ebb7.../10.10.1.3", None)
        refused
          failed: unit web.service on 8145ebb7.../10.10.1.3: it belongs to the host
        was unloaded by somebody else
          failed: unit web.service is to be inactive meanwhile, as somebody else asked for it
        "#);
    }

    #[test]
    fn a_stop_is_done_when_nothing_runs_any_more() {
        let cases = vec![
            ("stopped", unit(Loaded, vec![copy(Loaded, "inactive", "dead", JobState::Done)])),
            ("had failed", unit(Loaded, vec![copy(Loaded, "failed", "failed", JobState::Done)])),
            ("nowhere", unit(Loaded, vec![])),
            (
                "not stopped yet",
                unit(Loaded, vec![copy(Launched, "active", "running", JobState::Done)]),
            ),
            (
                "the machine has not seen it",
                unit(
                    Loaded,
                    vec![Copy { observed: 2, ..copy(Loaded, "inactive", "dead", JobState::Done) }],
                ),
            ),
            (
                "systemd stops it",
                unit(Loaded, vec![copy(Loaded, "deactivating", "stop-sigterm", JobState::Running)]),
            ),
            (
                "the stop failed",
                unit(
                    Loaded,
                    vec![with_problem(
                        copy(Loaded, "deactivating", "stop-sigterm", JobState::Failed),
                        "systemd's job was cancelled by another one",
                    )],
                ),
            ),
            (
                "never ran, as the machine refuses it",
                unit(
                    Loaded,
                    vec![with_problem(
                        copy(Inactive, "inactive", "dead", JobState::Failed),
                        "it belongs to the host",
                    )],
                ),
            ),
            (
                "stops on a machine that it leaves",
                unit(Loaded, vec![leaving(copy(Loaded, "inactive", "dead", JobState::Done))]),
            ),
        ];
        insta::assert_snapshot!(table(Goal::Stop, cases), @r#"
        stopped
          reached: Unit web.service loaded on 8145ebb7.../10.10.1.3
        had failed
          reached: Unit web.service loaded on 8145ebb7.../10.10.1.3
        nowhere
          reached: Unit web.service inactive
        not stopped yet
          waiting: Machine("8145ebb7.../10.10.1.3", None)
        the machine has not seen it
          waiting: Machine("8145ebb7.../10.10.1.3", None)
        systemd stops it
          waiting: Job("8145ebb7.../10.10.1.3", "deactivating (stop-sigterm)")
        the stop failed
          failed: unit web.service on 8145ebb7.../10.10.1.3 is deactivating (stop-sigterm): systemd's job was cancelled by another one; `fleetctl status web.service` shows more
        never ran, as the machine refuses it
          reached: Unit web.service inactive on 8145ebb7.../10.10.1.3
        stops on a machine that it leaves
          waiting: Machine("8145ebb7.../10.10.1.3", None)
        "#);
    }

    #[test]
    fn an_unload_is_done_when_no_machine_holds_the_unit() {
        let held = || copy(Loaded, "inactive", "dead", JobState::Done);
        let cases = vec![
            ("unloaded", unit(Inactive, vec![])),
            ("held", unit(Inactive, vec![held()])),
            ("leaving", unit(Inactive, vec![leaving(held())])),
            (
                "stopping",
                unit(
                    Inactive,
                    vec![leaving(copy(Loaded, "deactivating", "stop", JobState::Running))],
                ),
            ),
            ("was loaded again by somebody else", unit(Loaded, vec![held()])),
        ];
        insta::assert_snapshot!(table(Goal::Unload, cases), @r#"
        unloaded
          reached: Unit web.service inactive
        held
          waiting: Machine("8145ebb7.../10.10.1.3", None)
        leaving
          waiting: Machine("8145ebb7.../10.10.1.3", None)
        stopping
          waiting: Job("8145ebb7.../10.10.1.3", "deactivating (stop)")
        was loaded again by somebody else
          failed: unit web.service is to be loaded meanwhile, as somebody else asked for it
        "#);
    }

    #[test]
    fn a_destroy_is_done_when_nothing_of_that_unit_is_left() {
        let held = || leaving(copy(Loaded, "inactive", "dead", JobState::Done));
        let cases = vec![
            ("the record is gone, a machine has yet to act", unit(Inactive, vec![held()])),
            ("nothing is known yet", unit(Launched, vec![])),
            ("somebody has made another one", UnitDetail { uid: 9, ..unit(Launched, vec![]) }),
        ];
        insta::assert_snapshot!(table(Goal::Destroy, cases), @r#"
        the record is gone, a machine has yet to act
          waiting: Machine("8145ebb7.../10.10.1.3", None)
        nothing is known yet
          waiting: News
        somebody has made another one
          reached: Destroyed web.service
        "#);
        assert_eq!(
            judge_gone(Goal::Destroy, "web.service"),
            Verdict::Reached("Destroyed web.service".to_owned())
        );
        assert_eq!(
            judge_gone(Goal::Start, "web.service"),
            Verdict::Failed("unit web.service was destroyed meanwhile".to_owned())
        );
    }
}
