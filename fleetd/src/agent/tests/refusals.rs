//! What systemd refuses or does not answer.

use std::time::Duration;

use fleet_units::UnitFile;
use tokio::time::{Instant, sleep};

use super::super::Shutdown;
use super::host::{Host, TEXT, launched, name};
use super::{DB, WEB, running};
use crate::registry::document::{Assignment, State};
use crate::systemd::OwnJob;
use crate::systemd::memory::{Action, Call};

#[tokio::test(start_paused = true)]
async fn a_systemd_that_does_not_answer_is_not_asked_again_for_each_unit() {
    let mut host = Host::new();
    host.systemd.leave_unanswered(Action::Link, &name(WEB));
    host.assign(WEB, &launched()).await;
    host.assign(DB, &launched()).await;
    host.join().await;

    host.until_state(DB, |state| state.problem.is_some()).await;

    let calls = host.systemd.take_calls();
    let links: Vec<_> = calls.iter().filter(|call| matches!(call, Call::Link(_))).collect();
    assert_eq!(links, [&Call::Link(vec![name(DB), name(WEB)])]);
}

fn of_text(text: String) -> Assignment {
    let hash = UnitFile::parse(&text).unwrap().hash();
    Assignment { text, hash, generation: 2, ..launched() }
}

#[tokio::test(start_paused = true)]
async fn a_start_that_waits_for_a_refused_stop_says_so_and_goes_on_after_it() {
    let mut host = Host::new();
    host.assign(DB, &launched()).await;
    host.join().await;
    host.until_active(DB).await;
    host.systemd.refuse(Action::Stop, &name(DB));
    host.assign(DB, &of_text(format!("{TEXT}Restart=always\n"))).await;
    host.until_state(DB, |state| state.problem.is_some()).await;

    let web = of_text(format!("[Unit]\nWants={DB}\n{TEXT}"));
    host.assign(WEB, &web).await;

    let state = host.until_state(WEB, |state| state.problem.is_some()).await;
    let problem = "its start waits for db.service to stop, and that one does not";
    assert_eq!((state.observed, state.problem.as_deref()), (0, Some(problem)));
    host.systemd.allow(Action::Stop, &name(DB));
    host.assign(DB, &Assignment { generation: 3, ..of_text(format!("{TEXT}Restart=no\n")) }).await;
    let State { uid, job, .. } = running();
    let state = host.until_active(WEB).await;
    assert_eq!((state.uid, state.job, state.problem), (uid, job, None));
}

#[tokio::test(start_paused = true)]
async fn a_start_that_waits_for_a_slow_stop_says_so_and_for_a_quick_one_nothing() {
    let mut host = Host::new();
    host.assign(DB, &launched()).await;
    host.join().await;
    host.until_active(DB).await;
    host.systemd.hold_stops(&name(DB));
    let db = of_text(format!("{TEXT}Restart=always\n"));
    host.assign(DB, &db).await;
    let web = of_text(format!("[Unit]\nWants={DB}\n{TEXT}"));
    host.assign(WEB, &web).await;

    sleep(Duration::from_millis(500)).await;
    assert_eq!(host.state(WEB).await, None);
    let state = host.until_state(WEB, |_| true).await;
    assert_eq!(state.problem.as_deref(), Some("its start waits for db.service to stop"));

    host.systemd.release(&name(DB));
    let state = host.until_active(WEB).await;
    assert_eq!((state.observed, state.problem), (2, None));
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_leaves_tries_refused_stops_again_as_long_as_it_has_time() {
    let mut host = Host::new();
    host.assign(WEB, &launched()).await;
    host.join().await;
    host.until_active(WEB).await;
    let systemd = host.systemd.clone();
    systemd.refuse(Action::Stop, &name(WEB));
    let before = Instant::now();

    let mended = async {
        sleep(Duration::from_secs(20)).await;
        systemd.allow(Action::Stop, &name(WEB));
    };
    let (shutdown, ()) = tokio::join!(host.terminate(OwnJob::Stop), mended);

    assert_eq!((shutdown, host.active(WEB)), (Shutdown::Leave, None));
    assert!(before.elapsed() < Duration::from_secs(80));
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_leaves_does_not_wait_for_ever_for_a_refused_stop() {
    let mut host = Host::new();
    host.assign(WEB, &launched()).await;
    host.join().await;
    host.until_active(WEB).await;
    host.systemd.refuse(Action::Stop, &name(WEB));
    let before = Instant::now();

    assert_eq!(host.terminate(OwnJob::Stop).await, Shutdown::Leave);

    assert!((80..90).contains(&before.elapsed().as_secs()));
}
