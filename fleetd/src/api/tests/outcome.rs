//! Writes that land and are never answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fleet_units::{TargetState, UnitFile};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::api::change::{Contents, Request};
use crate::api::view::View;
use crate::api::write::{Order, Writer};
use crate::registry::document::{self, Unit};
use crate::registry::key::{Key, KeyPrefix};
use crate::store::embedded::EmbeddedStore;
use crate::store::{
    Commit, Grant, KeepAlive, LeaseId, Revision, Selection, Snapshot, Store, StoreError,
    Transaction, Watch,
};

/// A store that does what it is asked, and keeps the next answer to itself.
#[derive(Clone)]
struct Unanswered {
    store: EmbeddedStore,
    next: Arc<AtomicBool>,
}

impl Store for Unanswered {
    async fn range(
        &self,
        selection: &Selection,
        at: Option<Revision>,
    ) -> Result<Snapshot, StoreError> {
        self.store.range(selection, at).await
    }

    async fn commit(&self, transaction: Transaction) -> Result<Commit, StoreError> {
        let commit = self.store.commit(transaction).await?;
        if self.next.swap(false, Ordering::Relaxed) {
            let (endpoints, source) = ("nowhere".to_owned(), "lost".into());
            return Err(StoreError::OutcomeUnknown { endpoints, source });
        }
        Ok(commit)
    }

    fn watch(&self, selection: &Selection, from: Revision) -> Watch {
        self.store.watch(selection, from)
    }

    async fn grant(&self, ttl: Duration) -> Result<Grant, StoreError> {
        self.store.grant(ttl).await
    }

    async fn keep_alive(&self, lease: LeaseId) -> Result<KeepAlive, StoreError> {
        self.store.keep_alive(lease).await
    }

    async fn remaining(&self, lease: LeaseId) -> Result<Option<Duration>, StoreError> {
        self.store.remaining(lease).await
    }

    async fn revoke(&self, lease: LeaseId) -> Result<(), StoreError> {
        self.store.revoke(lease).await
    }
}

struct Fixture {
    store: Unanswered,
    writer: Writer<Unanswered>,
    _stop: DropGuard,
}

impl Fixture {
    fn new() -> Self {
        let store = Unanswered { store: EmbeddedStore::in_memory().unwrap(), next: Arc::default() };
        let prefix = KeyPrefix::new("/fleet");
        let stop = CancellationToken::new();
        let (view, viewer) = View::new(store.clone(), prefix.clone());
        TaskTracker::new().spawn(viewer.run(stop.clone()));
        let writer = Writer { store: store.clone(), prefix, view };
        Self { store, writer, _stop: stop.drop_guard() }
    }

    /// Everything that is stored of the unit, and how many writes the store has seen.
    async fn stored(&self) -> (Option<Unit>, i64) {
        let key = self.writer.prefix.encode(&Key::Unit("a.service".parse().unwrap()));
        let snapshot = self.store.range(&Selection::Key(key), None).await.unwrap();
        let unit = snapshot.entries.first().map(|entry| document::decode(&entry.value).unwrap());
        (unit, snapshot.revision.0)
    }

    fn lose_the_next_answer(&self) {
        self.store.next.store(true, Ordering::Relaxed);
    }
}

fn launch(restart: bool) -> Order {
    let text = "[Service]\nExecStart=/bin/true\n";
    Order::Put(Request {
        name: "a.service".parse().unwrap(),
        contents: (!restart).then(|| Contents::Text(UnitFile::parse(text).unwrap())),
        desired: Some(TargetState::Launched),
        raise_only: false,
        restart,
    })
}

#[tokio::test]
async fn a_write_that_landed_unanswered_is_confirmed_and_not_made_again() {
    let fixture = Fixture::new();
    let (_, before) = fixture.stored().await;

    fixture.lose_the_next_answer();
    let created = fixture.writer.one(launch(false)).await.unwrap();
    let (unit, after) = fixture.stored().await;
    assert!(created.is_created);
    assert_eq!((unit.map(|unit| unit.generation), after), (Some(1), before + 1));

    fixture.lose_the_next_answer();
    fixture.writer.one(launch(true)).await.unwrap();
    let (unit, after) = fixture.stored().await;
    assert_eq!((unit.map(|unit| unit.stops), after), (Some(1), before + 2));

    fixture.lose_the_next_answer();
    fixture.writer.one(Order::Delete("a.service".parse().unwrap())).await.unwrap();
    assert_eq!(fixture.stored().await, (None, before + 3));
}
