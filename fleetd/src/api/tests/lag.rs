//! A view that has not heard of what other machines' APIs wrote.

use std::time::Duration;

use fleet_units::{TargetState, UnitFile};
use tokio::time::sleep;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::odd::Odd;
use crate::api::ApiError;
use crate::api::change::{Contents, Request};
use crate::api::view::View;
use crate::api::write::{Order, Writer};
use crate::registry::document::{self, Unit};
use crate::registry::key::{Key, KeyPrefix};
use crate::store::embedded::EmbeddedStore;
use crate::store::{Selection, Store};

/// Two APIs on one store; the second never hears of what the first one writes.
struct Fixture {
    store: EmbeddedStore,
    prefix: KeyPrefix,
    first: Writer<EmbeddedStore>,
    second: Writer<Odd>,
    _stop: DropGuard,
}

impl Fixture {
    async fn new() -> Self {
        let store = EmbeddedStore::in_memory().unwrap();
        let silent = Odd::new(store.clone()).silent();
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

pub(super) fn writer<S: Store>(
    store: S,
    prefix: &KeyPrefix,
    stop: &CancellationToken,
) -> Writer<S> {
    let (view, viewer) = View::new(store.clone(), prefix.clone());
    TaskTracker::new().spawn(viewer.run(stop.clone()));
    Writer { store, prefix: prefix.clone(), view }
}

/// Launches a.service, made of a text if one is given.
pub(super) fn order(text: Option<&str>) -> Order {
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

/// A view of a store that takes its time for a list, and whose watches are silent.
fn slow(store: &EmbeddedStore) -> (Odd, View) {
    let store = Odd::new(store.clone()).silent().slow(Duration::from_millis(150));
    let (view, viewer) = View::new(store.clone(), KeyPrefix::new("/fleet"));
    TaskTracker::new().spawn(viewer.run(CancellationToken::new()));
    (store, view)
}

#[tokio::test]
async fn a_view_opens_however_often_it_is_asked_meanwhile() {
    let (_, view) = slow(&EmbeddedStore::in_memory().unwrap());

    let mut asked = Vec::new();
    for _ in 0..20 {
        let view = view.clone();
        asked.push(TaskTracker::new().spawn(async move { view.read(|_| ()).await }));
        sleep(Duration::from_millis(25)).await;
    }

    for answer in asked {
        assert_eq!(answer.await.unwrap(), Ok(()));
    }
}

#[tokio::test]
async fn while_a_watch_that_lost_its_history_lists_anew_nothing_old_is_told() {
    let store = EmbeddedStore::in_memory().unwrap();
    let (odd, view) = slow(&store);
    let prefix = KeyPrefix::new("/fleet");
    let stop = CancellationToken::new();
    view.read(|_| ()).await.unwrap();
    let written = writer(store, &prefix, &stop).one(order(Some("[Unit]\n"))).await.unwrap();

    odd.compact().await;
    // The view runs before the timer does.
    sleep(Duration::from_millis(1)).await;

    let seen = view.read(|scene| scene.mirror.revision).await;
    assert_eq!(seen, Ok(written.revision));
    stop.cancel();
}
