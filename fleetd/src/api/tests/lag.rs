//! A view that has not heard of what other machines' APIs wrote.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use fleet_units::{TargetState, UnitFile};
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::api::ApiError;
use crate::api::change::{Contents, Request};
use crate::api::view::View;
use crate::api::write::{Order, Writer};
use crate::registry::document::{self, Unit};
use crate::registry::key::{Key, KeyPrefix};
use crate::store::embedded::EmbeddedStore;
use crate::store::{
    Commit, Grant, KeepAlive, LeaseId, Revision, Selection, Snapshot, Store, StoreError,
    Transaction, Watch, WatchBatch,
};

/// A store whose watches are silent.
#[derive(Clone)]
struct Silent {
    store: EmbeddedStore,
    watches: Arc<Mutex<Vec<mpsc::Sender<WatchBatch>>>>,
}

impl Store for Silent {
    async fn range(
        &self,
        selection: &Selection,
        at: Option<Revision>,
    ) -> Result<Snapshot, StoreError> {
        self.store.range(selection, at).await
    }

    async fn commit(&self, transaction: Transaction) -> Result<Commit, StoreError> {
        self.store.commit(transaction).await
    }

    fn watch(&self, _: &Selection, _: Revision) -> Watch {
        let (sender, batches) = mpsc::channel(1);
        self.watches.lock().unwrap().push(sender);
        Watch { batches, witness: None }
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

/// Two APIs on one store; the second never hears of what the first one writes.
struct Fixture {
    store: EmbeddedStore,
    prefix: KeyPrefix,
    first: Writer<EmbeddedStore>,
    second: Writer<Silent>,
    _stop: DropGuard,
}

impl Fixture {
    async fn new() -> Self {
        let store = EmbeddedStore::in_memory().unwrap();
        let silent = Silent { store: store.clone(), watches: Arc::default() };
        let prefix = KeyPrefix::new("/fleet");
        let stop = CancellationToken::new();
        let first = writer(store.clone(), &prefix, &stop);
        let second = writer(silent, &prefix, &stop);
        first.one(order(Some("[Service]\nExecStart=/bin/true\n"))).await.unwrap();
        second.view.read(|_| ()).await.unwrap();
        Self { store, prefix, first, second, _stop: stop.drop_guard() }
    }

    async fn stored(&self) -> Unit {
        let key = Selection::Key(self.prefix.encode(&Key::Unit("a.service".parse().unwrap())));
        let snapshot = self.store.range(&key, None).await.unwrap();
        document::decode(&snapshot.entries[0].value).unwrap()
    }
}

fn writer<S: Store>(store: S, prefix: &KeyPrefix, stop: &CancellationToken) -> Writer<S> {
    let (view, viewer) = View::new(store.clone(), prefix.clone());
    TaskTracker::new().spawn(viewer.run(stop.clone()));
    Writer { store, prefix: prefix.clone(), view }
}

/// Launches a.service, made of a text if one is given.
fn order(text: Option<&str>) -> Order {
    Order::Put(Request {
        name: "a.service".parse().unwrap(),
        contents: text.map(|text| Contents::Text(UnitFile::parse(text).unwrap())),
        desired: Some(TargetState::Launched),
        raise_only: false,
        restart: false,
    })
}

fn lowered() -> Order {
    let Order::Put(request) = order(None) else { panic!("it is a put") };
    Order::Put(Request { desired: Some(TargetState::Inactive), ..request })
}

#[tokio::test]
async fn what_seems_done_to_a_view_that_lags_is_done_again_if_it_is_not() {
    let fixture = Fixture::new().await;
    fixture.first.one(lowered()).await.unwrap();

    let written = fixture.second.one(order(None)).await.unwrap();

    let stored = fixture.stored().await;
    assert_eq!((stored.target, stored.generation), (TargetState::Launched, written.generation));
}

#[tokio::test]
async fn what_is_as_it_is_wanted_is_not_written() {
    let fixture = Fixture::new().await;
    let before = fixture.stored().await;

    let written = fixture.second.one(order(None)).await.unwrap();

    assert_eq!((fixture.stored().await, written.generation), (before.clone(), before.generation));
}

#[tokio::test]
async fn a_unit_that_the_view_has_not_heard_of_is_found() {
    let fixture = Fixture::new().await;
    let name: fleet_units::UnitName = "b.service".parse().unwrap();
    let Order::Put(request) = order(Some("[Service]\nExecStart=/bin/true\n")) else {
        panic!("it is a put")
    };
    fixture.first.one(Order::Put(Request { name: name.clone(), ..request })).await.unwrap();

    fixture.second.one(Order::Delete(name.clone())).await.unwrap();

    let again = fixture.second.one(Order::Delete(name)).await;
    assert!(matches!(again, Err(ApiError::NoUnit)), "{again:?}");
}
