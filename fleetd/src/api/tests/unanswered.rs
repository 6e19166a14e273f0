//! Writes that the store does not answer: they may have landed or not.

use tokio_util::sync::{CancellationToken, DropGuard};

use super::lag::{order, writer};
use super::odd::{Lost, Odd};
use crate::api::write::{Order, Outcome, Writer};
use crate::api::{ApiError, Unavailable};
use crate::registry::key::{Key, KeyPrefix};
use crate::store::embedded::EmbeddedStore;
use crate::store::{Selection, Snapshot, Store, Write};

const TEXT: Option<&str> = Some("[Service]\nExecStart=/bin/true\n");

struct Fixture {
    store: Odd,
    key: String,
    writer: Writer<Odd>,
    _stop: DropGuard,
}

impl Fixture {
    fn new() -> Self {
        let store = Odd::new(EmbeddedStore::in_memory().unwrap());
        let prefix = KeyPrefix::new("/fleet");
        let key = prefix.encode(&Key::Unit("a.service".parse().unwrap()));
        let stop = CancellationToken::new();
        let writer = writer(store.clone(), &prefix, &stop);
        Self { store, key, writer, _stop: stop.drop_guard() }
    }

    async fn stored(&self) -> Snapshot {
        self.store.range(&Selection::Key(self.key.clone()), None).await.unwrap()
    }
}

fn once() -> Order {
    let Order::Put(request) = order(TEXT) else { panic!("it is a put") };
    Order::Once(request)
}

fn delete() -> Order {
    Order::Delete("a.service".parse().unwrap())
}

fn is_unreachable(outcome: &Outcome) -> bool {
    matches!(outcome, Err(ApiError::Unavailable(Unavailable::Unreachable(_))))
}

#[tokio::test]
async fn a_store_that_never_answers_is_what_is_told() {
    for asked in [order(TEXT), once()] {
        let fixture = Fixture::new();
        fixture.store.lose(vec![Lost::default(); 20]);

        let outcome = fixture.writer.one(asked.clone()).await;

        assert!(is_unreachable(&outcome), "{asked:?}: {outcome:?}");
    }
}

#[tokio::test]
async fn after_one_order_found_the_store_gone_the_next_one_does_not_try() {
    let fixture = Fixture::new();
    fixture.store.lose(vec![Lost::default(); 20]);

    let outcomes = fixture.writer.many(vec![once(), once()]).await.unwrap();

    assert!(outcomes.iter().all(is_unreachable), "{outcomes:?}");
    assert_eq!(fixture.store.left(), 15);
}

#[tokio::test]
async fn the_last_attempt_counts_if_it_landed() {
    // An order that is put is tried together with others first.
    for (asked, vanished) in [(order(TEXT), 5), (once(), 4)] {
        let fixture = Fixture::new();
        fixture.store.lose(vec![Lost::default(); vanished]);
        fixture.store.lose([Lost { lands: true, then: vec![] }]);

        let written = fixture.writer.one(asked.clone()).await.unwrap();

        assert_eq!((fixture.store.left(), written.is_created), (0, true), "{asked:?}");
    }
}

#[tokio::test]
async fn a_removal_that_landed_leaves_alone_what_others_have_made_since() {
    let fixture = Fixture::new();
    fixture.writer.one(order(TEXT)).await.unwrap();
    let made = fixture.stored().await.entries.remove(0);
    let again = Write::Put { key: made.key.clone(), value: made.value.clone(), lease: None };
    fixture.store.lose([Lost { lands: true, then: vec![again] }]);

    let written = fixture.writer.one(delete()).await.unwrap();

    let stored = fixture.stored().await;
    assert_eq!((written.uid, written.revision), (made.create_revision.0, stored.revision));
    assert!(stored.entries[0].create_revision > made.create_revision);
}

#[tokio::test]
async fn the_view_knows_of_a_removal_that_was_not_answered() {
    let fixture = Fixture::new();
    fixture.writer.one(order(TEXT)).await.unwrap();
    fixture.store.lose([Lost { lands: true, then: vec![] }]);

    let written = fixture.writer.one(delete()).await.unwrap();

    assert_eq!(written.revision, fixture.stored().await.revision);
}
