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
    let rows = cases.into_iter().map(|(case, unit)| format!("{case}\n  {}", shown(goal, &unit)));
    rows.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_start_is_done_when_systemds_job_has_ended_well_for_what_was_written() {
    let running = || copy(Launched, "active", "running", JobState::Done);
    let one = |copy| unit(Launched, vec![copy]);
    let cases = vec![
        ("runs", one(running())),
        ("needed no job", one(copy(Launched, "active", "running", JobState::None))),
        ("is a oneshot that has ended", one(copy(Launched, "inactive", "dead", JobState::Done))),
        ("the view is older", UnitDetail { generation: 2, ..one(running()) }),
        ("the machine speaks of older contents", one(Copy { observed: 2, ..running() })),
        ("the machine speaks of an earlier unit", one(Copy { uid: 6, ..running() })),
        ("the machine has yet to start it", one(copy(Loaded, "inactive", "dead", JobState::None))),
        ("systemd starts it", one(copy(Launched, "activating", "start-pre", JobState::Running))),
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
        ("the machine is away", one(Copy { observed: 2, absent: true, ..running() })),
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
    the machine is away
      waiting: Return("8145ebb7.../10.10.1.3")
    was stopped by somebody else
      failed: unit web.service is to be loaded meanwhile, as somebody else asked for it
    "#);
}

#[test]
fn a_unit_without_a_place_waits_until_no_machine_can_ever_take_it() {
    let reasons =
        vec![obstacle("148a18ff6e95", "lacks disk=ssd"), obstacle("491586a6508f", "is cordoned")];
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
        ("runs already", unit(Launched, vec![copy(Launched, "active", "running", JobState::Done)])),
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
            unit(Inactive, vec![leaving(copy(Loaded, "deactivating", "stop", JobState::Running))]),
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
