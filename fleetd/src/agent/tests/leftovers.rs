//! What is left of destroyed units, and of the agent before this one.

use std::time::Duration;

use fleet_units::UnitFile;
use tokio::time::sleep;

use super::host::{Host, TEXT, launched, machine, name};
use super::{DB, WEB, running};
use crate::registry::document::{Assignment, JobState, Phase, State};
use crate::registry::key::Key;
use crate::store::{Event, Selection, Store, WatchBatch};
use crate::systemd::Systemd;

#[tokio::test(start_paused = true)]
async fn a_destroyed_unit_that_another_keeps_in_memory_starts_with_its_next_text() {
    let mut host = Host::new();
    let follows = format!("[Unit]\nAfter={WEB}\n{TEXT}");
    let hash = UnitFile::parse(&follows).unwrap().hash();
    host.assign(WEB, &launched()).await;
    host.assign(DB, &Assignment { text: follows, hash, ..launched() }).await;
    host.join().await;
    host.until_active(WEB).await;
    host.until_active(DB).await;

    host.assign(WEB, &Assignment { phase: Phase::Released, ..launched() }).await;
    while host.entry(&Key::Schedule(machine(), name(WEB))).await.is_some() {
        sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(host.systemd.loaded(&name(WEB)), Some(("inactive".into(), "dead".into())));
    let text = format!("{TEXT}Restart=always\n");
    let hash = UnitFile::parse(&text).unwrap().hash();
    host.assign(WEB, &Assignment { text, hash, uid: 13, ..launched() }).await;

    host.until_active(WEB).await;
    assert_eq!(host.systemd.outdated(&[name(WEB)]).await.unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn states_outlive_the_agent_that_wrote_them() {
    let mut host = Host::new();
    host.assign(WEB, &launched()).await;
    host.join().await;
    host.until_active(WEB).await;
    host.kill().await;
    let states = Selection::Prefix("/fleet/states/".to_owned());
    let mut watch = host.store.watch(&states, host.revision().await.next());
    let old = host.entry(&Key::State(machine(), name(WEB))).await.unwrap().lease;

    host.join().await;
    while host.store.remaining(old.unwrap()).await.unwrap().is_some() {
        sleep(Duration::from_millis(10)).await;
    }

    let Some(WatchBatch::Changes { events, .. }) = watch.next().await else { panic!() };
    assert!(matches!(events.as_slice(), [Event::Put(_)]), "{events:?}");
    host.kill().await;
    host.store.close().await;
    assert!(!matches!(watch.next().await, Some(WatchBatch::Changes { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_running_unit_without_record_and_assignment_is_reported_and_left_alone() {
    let mut host = Host::new();
    host.assign(WEB, &launched()).await;
    host.join().await;
    host.until_active(WEB).await;
    host.kill().await;
    std::fs::remove_file(host.record(WEB)).unwrap();
    host.delete(&Key::Schedule(machine(), name(WEB))).await;
    host.delete(&Key::State(machine(), name(WEB))).await;
    host.systemd.take_calls();

    host.join().await;

    let state = host.until_state(WEB, |_| true).await;
    let problem = state.problem.clone();
    assert!(
        problem.as_ref().is_some_and(|said| said.starts_with("nothing in the cluster assigns"))
    );
    let (uid, observed, current) = (0, 0, fleet_units::TargetState::Inactive);
    let job = JobState::None;
    assert_eq!(state, State { uid, observed, current, job, problem, ..running() });
    assert_eq!(host.systemd.take_calls(), []);
}
