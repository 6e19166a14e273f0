//! What every store does, run against each of them.

mod claims;

use std::time::Duration;

use super::embedded::EmbeddedStore;
use super::etcd::EtcdStore;
use super::etcd::process::Etcd;
use super::*;

/// Longer than anything takes that works.
const PATIENCE: Duration = Duration::from_secs(10);

/// A store under test.
trait Subject: Sized {
    type Store: Store;

    async fn start() -> Self;

    fn store(&self) -> &Self::Store;

    /// Makes the store forget all revisions before the present one.
    async fn compact(&self);
}

struct Embedded(EmbeddedStore);

impl Subject for Embedded {
    type Store = EmbeddedStore;

    async fn start() -> Self {
        Self(EmbeddedStore::in_memory().unwrap())
    }

    fn store(&self) -> &EmbeddedStore {
        &self.0
    }

    async fn compact(&self) {
        for value in 0..2000_u32 {
            put(&self.0, "compact", &value.to_string()).await;
        }
    }
}

struct OnEtcd {
    _etcd: Etcd,
    store: EtcdStore,
    url: String,
}

impl Subject for OnEtcd {
    type Store = EtcdStore;

    async fn start() -> Self {
        let etcd = Etcd::start().await;
        let url = etcd.url().to_owned();
        Self { store: etcd.store(), _etcd: etcd, url }
    }

    fn store(&self) -> &EtcdStore {
        &self.store
    }

    async fn compact(&self) {
        let revision = list(&self.store, "").await.revision;
        let mut client = etcd_client::Client::connect([&self.url], None).await.unwrap();
        client.compact(revision.0, None).await.unwrap();
    }
}

fn prefix(text: &str) -> Selection {
    Selection::Prefix(text.to_owned())
}

fn put_write(key: &str, value: &str, lease: Option<LeaseId>) -> Write {
    Write::Put { key: key.to_owned(), value: value.as_bytes().to_vec(), lease }
}

fn writes(writes: Vec<Write>) -> Transaction {
    Transaction { compares: Vec::new(), writes }
}

fn entry(key: &str, value: &str, created: Revision, modified: Revision) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: value.as_bytes().to_vec(),
        create_revision: created,
        mod_revision: modified,
        lease: None,
    }
}

async fn done(store: &impl Store, transaction: Transaction) -> Revision {
    match store.commit(transaction).await.unwrap() {
        Commit::Done(revision) => revision,
        Commit::Refused(revision) => panic!("refused at {revision}"),
    }
}

async fn put(store: &impl Store, key: &str, value: &str) -> Revision {
    done(store, writes(vec![put_write(key, value, None)])).await
}

async fn delete(store: &impl Store, key: &str) -> Revision {
    done(store, writes(vec![Write::Delete(key.to_owned())])).await
}

async fn list(store: &impl Store, text: &str) -> Snapshot {
    store.range(&prefix(text), None).await.unwrap()
}

/// The next batch; empty for the demand to list again.
async fn next(watch: &mut Watch) -> Vec<Event> {
    match tokio::time::timeout(PATIENCE, watch.next()).await.expect("the watch is silent") {
        Some(WatchBatch::Changes { revision, events }) => {
            assert_eq!(events.last().map(Event::revision), Some(revision));
            events
        }
        Some(WatchBatch::Relist) => Vec::new(),
        None => panic!("the watch ended"),
    }
}

/// Batches until so many events have come.
async fn collect(watch: &mut Watch, count: usize) -> Vec<Event> {
    let mut events = Vec::new();
    while events.len() < count {
        let batch = next(watch).await;
        assert_ne!(batch, [], "the watch demands a list after {events:?}");
        events.extend(batch);
    }
    events
}

macro_rules! contract {
    ($module:ident, $subject:ty, $test:meta, [$($claim:ident),* $(,)?]) => {
        mod $module {
            use super::*;

            $(
                #[$test]
                async fn $claim() {
                    claims::$claim(&<$subject>::start().await).await;
                }
            )*
        }
    };
}

macro_rules! contracts {
    ($claims:tt) => {
        contract!(embedded, Embedded, tokio::test(start_paused = true), $claims);
        contract!(etcd, OnEtcd, tokio::test, $claims);
    };
}

contracts!([
    a_key_is_created_only_if_it_is_absent,
    a_refused_transaction_writes_nothing,
    the_writes_of_a_transaction_share_a_revision,
    a_range_at_an_older_revision_shows_what_was,
    a_range_at_a_forgotten_revision_is_an_error,
    a_range_at_a_future_revision_is_refused,
    a_prefix_comes_in_the_order_of_its_keys,
    more_keys_than_a_page_come_from_one_revision,
    deleting_what_is_not_there_changes_nothing,
    a_key_written_twice_in_one_transaction_is_refused,
    one_of_two_writers_that_compare_the_same_key_wins,
    a_watch_replays_from_its_revision_and_goes_on,
    a_watch_shows_its_selection_only,
    a_watch_never_splits_a_revision,
    a_watch_from_a_forgotten_revision_demands_a_list,
    a_watch_from_a_future_revision_demands_a_list,
    a_large_backlog_is_replayed_whole,
    a_lease_takes_its_keys_with_it,
    a_kept_lease_lives_on,
    a_lease_that_is_gone_cannot_be_kept,
    a_revoked_lease_takes_its_keys_with_it_at_one_revision,
    a_key_overwritten_without_lease_outlives_it,
    a_key_cannot_be_bound_to_a_lease_that_is_gone,
    a_lease_tells_what_it_has_left,
]);
