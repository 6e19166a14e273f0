use std::time::Duration;

use fleet_units::{TargetState, UnitFile};
use tokio::time::{Instant, sleep};

use super::{Registration, Shutdown};
use crate::registry::document::{
    Assignment, JobState, Machine, Member, Phase, Placed, Standing, State, decode, encode,
};
use crate::registry::key::Key;
use crate::store::{Selection, Store};
use crate::systemd::memory::{Action, Call};
use crate::systemd::{JobResult, OwnJob, Systemd};

mod host;
mod late;
mod leftovers;
mod presence;
mod refusals;

use host::{Host, TEXT, TTL, assignment, launched, machine, name};

const WEB: &str = "web.service";
const DB: &str = "db.service";

fn running() -> State {
    State {
        uid: 11,
        observed: 1,
        hash: launched().hash,
        current: TargetState::Launched,
        load: "loaded".to_owned(),
        active: "active".to_owned(),
        sub: "running".to_owned(),
        job: JobState::Done,
        problem: None,
    }
}

#[tokio::test(start_paused = true)]
async fn an_assigned_unit_is_written_started_and_reported() {
    let mut host = Host::new();
    host.assign(WEB, &launched()).await;
    host.join().await;

    assert_eq!(host.until_active(WEB).await, running());
    assert_eq!(std::fs::read_to_string(host.file(WEB)).unwrap(), TEXT);
    assert_eq!(host.systemd.take_calls(), [Call::Link(vec![name(WEB)]), Call::Start(name(WEB))]);
    let presence = host.entry(&Key::Machine(machine())).await.unwrap();
    let state = host.entry(&Key::State(machine(), name(WEB))).await.unwrap();
    assert_eq!(decode::<Machine>(&presence.value).unwrap(), host.settings.presence);
    assert!(presence.lease.is_some() && presence.lease == state.lease);
    let address = host.settings.presence.address;
    assert_eq!(host.member().await, Member { address, standing: Standing::Joined, missing: false });
}

#[tokio::test(start_paused = true)]
async fn a_loaded_unit_is_linked_and_not_started() {
    let mut host = Host::new();
    host.join().await;
    host.assign(WEB, &assignment(TargetState::Loaded)).await;

    let state = host.until_state(WEB, |state| state.observed == 1).await;

    let (active, sub) = ("inactive".to_owned(), "dead".to_owned());
    let current = TargetState::Loaded;
    assert_eq!(state, State { current, active, sub, job: JobState::None, ..running() });
    assert_eq!(host.jobs(), []);
}

#[tokio::test(start_paused = true)]
async fn a_machine_at_rest_writes_nothing() {
    let mut host = Host::new();
    host.assign(WEB, &launched()).await;
    host.join().await;
    host.until_active(WEB).await;
    sleep(Duration::from_secs(3)).await;

    let before = host.revision().await;
    sleep(20 * TTL).await;

    assert_eq!(host.revision().await, before);
}

#[tokio::test(start_paused = true)]
async fn a_killed_agent_leaves_its_units_to_the_next_one() {
    let mut host = Host::new();
    host.assign(WEB, &launched()).await;
    host.join().await;
    host.until_active(WEB).await;
    host.systemd.take_calls();

    host.kill().await;
    host.join().await;

    assert_eq!(host.until_active(WEB).await, State { job: JobState::None, ..running() });
    sleep(TTL * 2).await;
    assert_eq!(host.systemd.take_calls(), []);
    assert_eq!(host.state(WEB).await.map(|state| state.active), Some("active".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_restart_leaves_units_and_documents_in_place() {
    let mut host = Host::new();
    host.assign(WEB, &launched()).await;
    host.join().await;
    host.until_active(WEB).await;
    host.systemd.take_calls();

    assert_eq!(host.terminate(OwnJob::Other).await, Shutdown::StayRunning);
    sleep(5 * TTL).await;
    assert_eq!(host.state(WEB).await, Some(running()));
    assert!(host.entry(&Key::Machine(machine())).await.is_some());
    host.join().await;

    sleep(20 * TTL).await;
    assert_eq!(host.state(WEB).await.map(|state| state.active), Some("active".to_owned()));
    assert_eq!(host.jobs(), []);
}

#[tokio::test(start_paused = true)]
async fn a_stopped_agent_leaves_the_cluster_in_order() {
    let mut host = Host::new();
    host.assign(WEB, &launched()).await;
    host.assign(DB, &assignment(TargetState::Loaded)).await;
    host.join().await;
    host.until_active(WEB).await;
    host.until_state(DB, |state| state.observed == 1).await;

    assert_eq!(host.terminate(OwnJob::Stop).await, Shutdown::Leave);

    assert_eq!(host.keys().await, ["/fleet/members/148a18ff"]);
    assert_eq!(host.member().await.standing, Standing::Left);
    host.until_gone(WEB).await;
    host.until_gone(DB).await;
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_left_joins_again_and_one_that_is_cordoned_stays_so() {
    let mut host = Host::new();
    let address = host.settings.presence.address;
    for (before, after) in
        [(Standing::Left, Standing::Joined), (Standing::Cordoned, Standing::Cordoned)]
    {
        let member = Member { address, standing: before, missing: true };
        host.put(&Key::Member(machine()), encode(&member)).await;
        host.join().await;

        let member = Member { address, standing: after, missing: false };
        assert_eq!(host.member().await, member);
        host.kill().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_rebooted_machine_takes_over_and_starts_its_units_again() {
    let mut host = Host::new();
    host.assign(WEB, &launched()).await;
    host.join().await;
    host.until_active(WEB).await;

    host.kill().await;
    host.reboot();
    host.join().await;
    sleep(TTL).await;

    assert_eq!(host.jobs(), [Call::Start(name(WEB))]);
    assert_eq!(host.state(WEB).await, Some(running()));
}

#[tokio::test(start_paused = true)]
async fn a_released_unit_leaves_nothing_behind() {
    let mut host = Host::new();
    let text = format!("{TEXT}[Install]\nWantedBy=multi-user.target\n");
    let hash = UnitFile::parse(&text).unwrap().hash();
    let held = Assignment { text, hash, ..launched() };
    host.assign(WEB, &held).await;
    host.join().await;
    host.until_active(WEB).await;
    assert!(host.systemd.enabled().contains(&name(WEB)));
    host.systemd.take_calls();

    host.assign(WEB, &Assignment { phase: Phase::Released, ..held }).await;

    host.until_gone(WEB).await;
    assert_eq!(
        host.systemd.take_calls(),
        [Call::Stop(name(WEB)), Call::Disable(vec![name(WEB)]), Call::ResetFailed(name(WEB))]
    );
    sleep(Duration::from_secs(5)).await;
    assert_eq!(host.keys().await, ["/fleet/machines/148a18ff", "/fleet/members/148a18ff"]);
}

#[tokio::test(start_paused = true)]
async fn a_changed_stop_count_restarts_and_a_comment_does_not() {
    let mut host = Host::new();
    host.assign(WEB, &launched()).await;
    host.join().await;
    host.until_active(WEB).await;
    host.systemd.take_calls();

    let commented = Assignment { text: format!("# new\n{TEXT}"), generation: 2, ..launched() };
    host.assign(WEB, &commented).await;
    assert_eq!(
        host.until_state(WEB, |state| state.observed == 2).await,
        State { observed: 2, ..running() }
    );
    assert_eq!(host.jobs(), []);

    host.assign(WEB, &Assignment { stops: 1, generation: 3, ..commented }).await;
    host.until_state(WEB, |state| state.observed == 3 && state.job == JobState::Done).await;
    assert_eq!(host.jobs(), [Call::Stop(name(WEB)), Call::Start(name(WEB))]);
}

#[tokio::test(start_paused = true)]
async fn what_an_operator_or_a_timer_does_is_reported_and_not_undone() {
    let mut host = Host::new();
    host.assign(WEB, &launched()).await;
    host.assign(DB, &assignment(TargetState::Loaded)).await;
    host.join().await;
    host.until_active(WEB).await;
    host.until_state(DB, |state| state.observed == 1).await;
    host.systemd.take_calls();

    host.systemd.become_state(&name(WEB), "inactive", "dead");
    host.systemd.forget(&name(WEB));
    host.systemd.become_state(&name(DB), "active", "running");

    host.until_state(WEB, |state| state.active == "inactive" && state.load == "loaded").await;
    host.until_state(DB, |state| state.active == "active").await;
    sleep(TTL).await;
    assert_eq!(host.systemd.take_calls(), []);
}

#[tokio::test(start_paused = true)]
async fn a_unit_that_cannot_be_linked_blocks_no_other() {
    let mut host = Host::new();
    host.systemd.refuse(Action::Link, &name(WEB));
    host.assign(WEB, &launched()).await;
    host.assign(DB, &launched()).await;
    host.join().await;

    assert_eq!(host.until_active(DB).await, running());
    let state = host.until_state(WEB, |state| state.observed == 1).await;
    assert_eq!((state.current, state.job), (TargetState::Inactive, JobState::Failed));
    assert!(state.problem.unwrap().starts_with("systemd refuses to link web.service: "));
    assert!(!host.file(WEB).exists());

    host.systemd.allow(Action::Link, &name(WEB));
    host.assign(WEB, &Assignment { generation: 2, ..launched() }).await;
    assert_eq!(host.until_active(WEB).await, State { observed: 2, ..running() });
}

#[tokio::test(start_paused = true)]
async fn a_failed_start_is_reported_with_its_reason() {
    let mut host = Host::new();
    host.systemd.end_starts(&name(WEB), JobResult::Timeout);
    host.assign(WEB, &launched()).await;
    host.join().await;

    let state = host.until_state(WEB, |state| state.job == JobState::Failed).await;

    let problem = Some("systemd's job ran into its time-out".to_owned());
    let (active, sub) = ("failed".to_owned(), "failed".to_owned());
    assert_eq!(state, State { job: JobState::Failed, active, sub, problem, ..running() });
}

#[tokio::test(start_paused = true)]
async fn a_slow_stop_holds_up_no_other_unit() {
    let mut host = Host::new();
    host.assign(WEB, &launched()).await;
    host.join().await;
    host.until_active(WEB).await;
    host.systemd.hold_stops(&name(WEB));

    host.assign(WEB, &Assignment { phase: Phase::Released, ..launched() }).await;
    host.assign(DB, &launched()).await;

    host.until_active(DB).await;
    assert_eq!(host.active(WEB).as_deref(), Some("deactivating"));
    assert!(host.file(WEB).exists());
    host.systemd.release(&name(WEB));
    host.until_gone(WEB).await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_lease_is_replaced_at_once_with_all_states() {
    let mut host = Host::new();
    host.assign(WEB, &launched()).await;
    host.join().await;
    host.until_active(WEB).await;
    let before = host.entry(&Key::Machine(machine())).await.unwrap();

    host.store.revoke(before.lease.unwrap()).await.unwrap();
    sleep(Duration::from_millis(500)).await;

    let after = host.entry(&Key::Machine(machine())).await.unwrap();
    let state = host.entry(&Key::State(machine(), name(WEB))).await.unwrap();
    assert_ne!(after.lease, before.lease);
    assert_eq!(state.lease, after.lease);
    assert_eq!(host.jobs(), [Call::Start(name(WEB))]);
}

#[tokio::test(start_paused = true)]
async fn garbage_in_the_schedule_leaves_the_running_unit_alone() {
    let mut host = Host::new();
    host.assign(WEB, &launched()).await;
    host.join().await;
    host.until_active(WEB).await;
    host.systemd.take_calls();

    host.put(&Key::Schedule(machine(), name(WEB)), b"garbage".to_vec()).await;
    host.put(&Key::Schedule(machine(), name(DB)), b"{}".to_vec()).await;

    let state = host.until_state(WEB, |state| state.problem.is_some()).await;
    let problem = "the unit is left as it is: /fleet/schedule/148a18ff/web.service is unreadable: \
                   not a document of fleet";
    assert_eq!(state, State { problem: Some(problem.to_owned()), ..running() });
    host.assign(WEB, &launched()).await;
    host.until_state(WEB, |state| *state == running()).await;
    assert_eq!(host.systemd.take_calls(), []);
}

#[tokio::test(start_paused = true)]
async fn a_unit_that_nothing_assigns_keeps_running_and_is_reported() {
    let mut host = Host::new();
    host.assign(WEB, &launched()).await;
    host.join().await;
    host.until_active(WEB).await;
    host.systemd.take_calls();

    host.delete(&Key::Schedule(machine(), name(WEB))).await;

    host.until_state(WEB, |state| state.problem.is_some()).await;
    sleep(TTL).await;
    assert_eq!(host.systemd.take_calls(), []);
}

#[tokio::test(start_paused = true)]
async fn a_unit_that_was_placed_elsewhere_meanwhile_goes() {
    let mut host = Host::new();
    host.assign(WEB, &launched()).await;
    host.join().await;
    host.until_active(WEB).await;
    host.kill().await;

    let elsewhere = Placed { machine: "other".parse().unwrap(), uid: 11, generation: 13 };
    host.put(&Key::Placed(name(WEB)), encode(&elsewhere)).await;
    host.delete(&Key::Schedule(machine(), name(WEB))).await;
    host.systemd.take_calls();
    host.join().await;

    sleep(TTL).await;
    assert_eq!(host.jobs(), [Call::Stop(name(WEB))]);
    assert_eq!((host.state(WEB).await, host.active(WEB)), (None, None));
    assert!(!host.file(WEB).exists() && !host.record(WEB).exists());
}

#[tokio::test(start_paused = true)]
async fn a_second_host_with_the_same_machine_id_is_refused_by_name() {
    let mut first = Host::new();
    first.join().await;
    let mut second = Host::of(first.store.clone(), 2);
    second.start();

    let refused = second.registration(|it| matches!(it, Registration::Refused(_))).await;

    let sentence = "the machine-id 148a18ff is held by host host-1 (10.0.0.1): give this host an \
                    id of its own in /etc/machine-id and restart fleet";
    assert_eq!(refused, Registration::Refused(sentence.to_owned()));
    first.assign(WEB, &launched()).await;
    first.until_active(WEB).await;
    assert_eq!(second.systemd.take_calls(), []);

    assert_eq!(first.terminate(OwnJob::Stop).await, Shutdown::Leave);
    second.registration(|it| *it == Registration::Registered).await;
}

#[tokio::test(start_paused = true)]
async fn a_running_copy_of_the_installation_is_refused() {
    let mut first = Host::new();
    first.join().await;
    let mut copy = Host::of(first.store.clone(), 1);
    copy.settings.presence.boot = "boot-2".to_owned();
    copy.start();

    copy.registration(|it| matches!(it, Registration::Refused(_))).await;
}

#[tokio::test(start_paused = true)]
async fn a_unit_of_the_host_is_never_touched() {
    let mut host = Host::new();
    let etc = host.directory.path().join("etc");
    std::fs::create_dir_all(&etc).unwrap();
    std::fs::write(etc.join("ssh.service"), TEXT).unwrap();
    host.assign("ssh.service", &launched()).await;
    host.join().await;

    let state = host.until_state("ssh.service", |state| state.problem.is_some()).await;
    assert_eq!((state.observed, state.job), (1, JobState::Failed));
    let problem = format!(
        "this host has a unit of that name of its own ({}), which fleet does not touch: give \
         yours another name",
        etc.join("ssh.service").display()
    );
    assert_eq!(state.problem, Some(problem));

    let released = Assignment { phase: Phase::Released, ..launched() };
    host.assign("ssh.service", &released).await;
    host.until_gone("ssh.service").await;
    assert_eq!(host.systemd.take_calls(), []);
}

#[tokio::test(start_paused = true)]
async fn another_store_is_not_followed() {
    let mut host = Host::new();
    host.assign(WEB, &launched()).await;
    host.join().await;
    host.until_active(WEB).await;
    host.kill().await;
    host.systemd.take_calls();

    host.store = crate::store::embedded::EmbeddedStore::in_memory().unwrap();
    host.assign(WEB, &Assignment { phase: Phase::Released, ..launched() }).await;
    host.assign(DB, &launched()).await;
    let before = host.revision().await;
    for _ in 0..2 {
        host.start();

        let refused = host.registration(|it| *it != Registration::Pending).await;
        let Registration::Refused(sentence) = refused else { panic!("{refused:?}") };
        assert!(sentence.starts_with("the store is another one"), "{sentence}");
        sleep(TTL).await;
        assert_eq!(host.jobs(), []);
        assert_eq!(host.active(WEB).as_deref(), Some("active"));
        assert_eq!(host.revision().await, before);
        // Also the next fleetd waits for an operator.
        host.kill().await;
    }
    std::fs::remove_file(host.settings.state_directory.join("seen")).unwrap();
    host.join().await;
    host.until_active(DB).await;
    host.until_gone(WEB).await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_bus_stops_nothing_and_is_caught_up_with() {
    let mut host = Host::new();
    host.assign(WEB, &launched()).await;
    host.join().await;
    host.until_active(WEB).await;

    host.systemd.disconnect();
    host.assign(DB, &launched()).await;
    host.until_state(DB, |state| state.problem.is_some()).await;
    host.systemd.reconnect();

    assert_eq!(host.until_active(DB).await, running());
    assert_eq!(host.active(WEB).as_deref(), Some("active"));
}

#[tokio::test(start_paused = true)]
async fn many_units_are_linked_together_and_all_go() {
    let mut host = Host::new();
    let units: Vec<String> = (0..300).map(|index| format!("u{index}.service")).collect();
    for unit in &units {
        host.assign(unit, &launched()).await;
    }
    host.join().await;
    for unit in &units {
        host.until_active(unit).await;
    }
    let links = host.systemd.take_calls();
    let links = links.iter().filter(|call| matches!(call, Call::Link(_))).count();
    assert_eq!(links, 1);

    for unit in &units {
        host.assign(unit, &Assignment { phase: Phase::Released, ..launched() }).await;
    }
    for unit in &units {
        host.until_gone(unit).await;
    }
    let all = Selection::Prefix("/fleet/s".to_owned());
    assert_eq!(host.store.range(&all, None).await.unwrap().entries, []);
}

#[tokio::test(start_paused = true)]
async fn a_stopped_agent_stops_its_units_without_a_store_too() {
    let mut host = Host::new();
    host.assign(WEB, &launched()).await;
    host.join().await;
    host.until_active(WEB).await;

    host.store.close().await;

    assert_eq!(host.terminate(OwnJob::Stop).await, Shutdown::Leave);
    assert_eq!(host.active(WEB), None);
    assert!(!host.file(WEB).exists() && !host.record(WEB).exists());
}

#[tokio::test(start_paused = true)]
async fn a_lost_store_stops_nothing_and_holds_up_no_restart() {
    let mut host = Host::new();
    host.assign(WEB, &launched()).await;
    host.join().await;
    host.until_active(WEB).await;
    host.systemd.take_calls();

    host.store.close().await;
    sleep(20 * TTL).await;
    let before = Instant::now();

    assert_eq!(host.terminate(OwnJob::Other).await, Shutdown::StayRunning);
    assert!(before.elapsed() < Duration::from_secs(1));
    assert_eq!(host.systemd.take_calls(), []);
}

#[tokio::test(start_paused = true)]
async fn a_unit_that_would_not_stop_in_time_is_started_again_by_the_next_agent() {
    let mut host = Host::new();
    host.assign(WEB, &launched()).await;
    host.join().await;
    host.until_active(WEB).await;
    host.systemd.hold_stops(&name(WEB));
    let before = Instant::now();

    assert_eq!(host.terminate(OwnJob::Stop).await, Shutdown::Leave);
    assert!(before.elapsed() < Duration::from_secs(90));
    host.systemd.release(&name(WEB));
    host.systemd.take_calls();
    host.join().await;
    host.until_active(WEB).await;

    assert_eq!(host.jobs(), [Call::Start(name(WEB))]);
}

#[tokio::test(start_paused = true)]
async fn a_stop_that_was_cancelled_is_asked_for_again() {
    let mut host = Host::new();
    host.assign(WEB, &launched()).await;
    host.join().await;
    host.until_active(WEB).await;
    host.systemd.hold_stops(&name(WEB));
    host.assign(WEB, &Assignment { phase: Phase::Released, ..launched() }).await;
    sleep(Duration::from_secs(1)).await;

    // An operator starts what fleet is stopping.
    drop(host.systemd.start(&name(WEB)).await.unwrap());
    host.systemd.release(&name(WEB));

    host.until_gone(WEB).await;
}

#[tokio::test(start_paused = true)]
async fn a_unit_whose_stop_failed_is_not_given_away_and_is_stopped_again() {
    for result in [JobResult::Timeout, JobResult::Failed, JobResult::Dependency] {
        let mut host = Host::new();
        host.assign(WEB, &launched()).await;
        host.join().await;
        host.until_active(WEB).await;
        host.systemd.end_stops(&name(WEB), result);
        host.systemd.take_calls();

        host.assign(WEB, &Assignment { phase: Phase::Released, ..launched() }).await;
        sleep(Duration::from_secs(120)).await;

        let calls = host.systemd.take_calls();
        assert!(calls.iter().all(|call| *call == Call::Stop(name(WEB))), "{calls:?}");
        // Not in a hurry: pauses grow.
        assert!((3..20).contains(&calls.len()), "{result:?}: {}", calls.len());
        assert!(host.entry(&Key::Schedule(machine(), name(WEB))).await.is_some());
        assert_eq!(host.active(WEB).as_deref(), Some("active"));
        let problem = host.state(WEB).await.unwrap().problem.unwrap();
        assert!(problem.starts_with("systemd did not stop the unit: "), "{problem}");

        host.systemd.end_stops(&name(WEB), JobResult::Done);
        host.until_gone(WEB).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_unit_whose_stop_failed_on_leaving_is_started_again_by_the_next_agent() {
    let mut host = Host::new();
    host.assign(WEB, &launched()).await;
    host.join().await;
    host.until_active(WEB).await;
    host.systemd.end_stops(&name(WEB), JobResult::Timeout);

    assert_eq!(host.terminate(OwnJob::Stop).await, Shutdown::Leave);
    host.systemd.become_state(&name(WEB), "inactive", "dead");
    host.systemd.take_calls();
    host.join().await;
    host.until_active(WEB).await;

    assert_eq!(host.jobs(), [Call::Start(name(WEB))]);
}
