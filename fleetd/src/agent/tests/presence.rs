//! Presence that is lost, or found late, around a registration.

use std::future::pending;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::super::{Agent, Registration, Shutdown};
use super::WEB;
use super::host::{Host, launched, machine, name};
use crate::registry::document::{Assignment, Machine, Phase, decode};
use crate::registry::key::Key;
use crate::store::embedded::EmbeddedStore;
use crate::store::{
    Commit, Grant, KeepAlive, LeaseId, Revision, Selection, Snapshot, Store, StoreError,
    Transaction, Watch, Witness,
};
use crate::systemd::OwnJob;

/// A store that never answers when a lease is to be revoked.
#[derive(Clone)]
struct NeverRevokes(EmbeddedStore);

impl Store for NeverRevokes {
    async fn range(
        &self,
        selection: &Selection,
        at: Option<Revision>,
    ) -> Result<Snapshot, StoreError> {
        self.0.range(selection, at).await
    }

    async fn commit(&self, transaction: Transaction) -> Result<Commit, StoreError> {
        self.0.commit(transaction).await
    }

    fn watch(&self, selection: &Selection, from: Revision) -> Watch {
        self.0.watch(selection, from)
    }

    async fn grant(&self, ttl: Duration) -> Result<Grant, StoreError> {
        self.0.grant(ttl).await
    }

    async fn keep_alive(&self, lease: LeaseId) -> Result<KeepAlive, StoreError> {
        self.0.keep_alive(lease).await
    }

    async fn remaining(&self, lease: LeaseId) -> Result<Option<Duration>, StoreError> {
        self.0.remaining(lease).await
    }

    async fn revoke(&self, _: LeaseId) -> Result<(), StoreError> {
        pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_registration_waits_for_no_old_lease_to_end() {
    let mut host = Host::new();
    host.join().await;
    host.kill().await;
    let store = NeverRevokes(host.store.clone());
    let witness = Witness::open(host.settings.state_directory.join("seen")).unwrap();
    let (agent, handle) = Agent::new(host.settings.clone(), store, witness, host.systemd.clone());
    let stop = CancellationToken::new();
    let agent = TaskTracker::new().spawn(agent.run(stop.clone()));

    let mut registration = handle.registered();
    let registered = registration.wait_for(|it| *it == Registration::Registered);
    drop(timeout(Duration::from_secs(1), registered).await.unwrap().unwrap());

    // A loss is noticed at once, and the old lease holds up no shutdown either.
    host.delete(&Key::Machine(machine())).await;
    sleep(Duration::from_millis(500)).await;
    assert!(host.entry(&Key::Machine(machine())).await.is_some());
    stop.cancel();
    timeout(Duration::from_secs(3), agent).await.unwrap().unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_doubts_its_store_can_be_stopped_and_waits_for_no_write() {
    let mut host = Host::new();
    host.assign(WEB, &launched()).await;
    host.join().await;
    host.until_active(WEB).await;
    host.systemd.take_calls();

    host.doubt().await;
    host.registration(|it| matches!(it, Registration::Refused(_))).await;
    let released = Assignment { phase: Phase::Released, ..launched() };
    let last = host.assign(WEB, &released).await;
    sleep(Duration::from_secs(60)).await;
    assert_eq!((host.active(WEB).as_deref(), host.jobs()), (Some("active"), vec![]));

    // The unit goes with the machine; the store is told nothing.
    let leaving = timeout(Duration::from_secs(3), host.terminate(OwnJob::Stop));
    assert_eq!(leaving.await.unwrap(), Shutdown::Leave);
    assert_eq!(host.active(WEB), None);
    assert_eq!(host.revision().await, last);
}

#[tokio::test(start_paused = true)]
async fn what_a_machine_says_of_itself_changes_under_its_lease_and_touches_no_unit() {
    let mut host = Host::new();
    host.assign("web.service", &launched()).await;
    host.join().await;
    host.until_active("web.service").await;
    let before = host.entry(&Key::Machine(machine())).await.unwrap();
    host.systemd.take_calls();
    let metadata = [("disk".to_owned(), "ssd".to_owned())].into();
    let address = Some("10.0.0.9".parse().unwrap());
    let told = Machine { metadata, address, ..host.settings.presence.clone() };

    host.handle().describe(told.clone());

    let deadline = Instant::now() + Duration::from_secs(5);
    let after = loop {
        let after = host.entry(&Key::Machine(machine())).await.unwrap();
        if decode::<Machine>(&after.value).unwrap() == told {
            break after;
        }
        assert!(Instant::now() < deadline);
        sleep(Duration::from_millis(10)).await;
    };
    assert_eq!((after.lease, after.create_revision), (before.lease, before.create_revision));
    assert_eq!(host.member().await.address, address);
    assert_eq!(host.jobs(), []);
    // The same again is no change; and what it says now is said again after a loss.
    host.handle().describe(told.clone());
    host.delete(&Key::Machine(machine())).await;
    sleep(Duration::from_secs(1)).await;
    let again = host.entry(&Key::Machine(machine())).await.unwrap();
    assert_eq!(decode::<Machine>(&again.value).unwrap(), told);
}

#[tokio::test(start_paused = true)]
async fn a_dump_tells_what_1_0_told_and_what_is_to_be_done() {
    let mut host = Host::new();
    host.assign("web.service", &launched()).await;
    host.join().await;
    host.until_active("web.service").await;
    sleep(Duration::from_secs(3)).await;
    host.systemd.take_calls();

    let dump = serde_json::to_value(host.handle().dump().await.unwrap()).unwrap();

    let assignment = launched();
    let state = json!({
        "LoadState": "loaded", "ActiveState": "active", "SubState": "running",
        "MachineID": machine(), "UnitHash": assignment.hash, "UnitName": name("web.service"),
    });
    let revision = dump["assignments"]["web.service"]["revision"].as_i64().unwrap();
    let expected: Value = json!({
        "Agent": {"Cache": {"TargetStates": {"web.service": "launched"}}},
        "UnitStatePublisher": {"Cache": {"web.service": state}, "ToPublish": {}},
        "UnitStateGenerator": {"Subscribed": ["web.service"]},
        "registration": "registered",
        "machine": host.settings.presence,
        "assignments": {"web.service": {
            "phase": "held", "target": "launched", "generation": 1, "revision": revision,
        }},
        "applied": {"web.service": {
            "uid": 11, "hash": assignment.hash, "generation": 1, "stops": 0,
            "target": "launched", "placement": 12,
        }},
        "queue": {"jobs": {}, "files": [], "forgetting": [], "failed": {}},
    });
    assert_eq!(dump, expected);
}
