//! An etcd that was restored from an older backup, as its operators do it.

use std::time::Duration;

use tempfile::TempDir;
use tokio::time::timeout;

use super::process::Etcd;
use crate::store::{
    Commit, LeaseId, Revision, Selection, Store, StoreError, Transaction, WatchBatch, Witness,
    Witnessed, Write,
};

/// Longer than anything takes that works.
const PATIENCE: Duration = Duration::from_secs(15);

fn put(value: usize) -> Transaction {
    let value = value.to_string().into_bytes();
    let write = Write::Put { key: "k".to_owned(), value, lease: None };
    Transaction { compares: Vec::new(), writes: vec![write] }
}

async fn put_all(store: &impl Store, count: usize) -> Revision {
    let mut last = Revision::ABSENT;
    for value in 0..count {
        let Commit::Done(revision) = store.commit(put(value)).await.unwrap() else {
            panic!("nothing was compared")
        };
        last = revision;
    }
    last
}

fn key() -> Selection {
    Selection::Key("k".to_owned())
}

#[tokio::test]
async fn a_restored_store_is_listed_again_and_not_written_to_until_an_operator_says_so() {
    let directory = TempDir::new().unwrap();
    let (backup, seen) = (directory.path().join("backup"), directory.path().join("seen"));
    let mut etcd = Etcd::start().await;
    let witness = Witness::open(seen.clone()).unwrap();
    let store = Witnessed::new(etcd.store(), witness.clone());
    put_all(&store, 3).await;
    etcd.save(&backup);
    let saved = store.range(&key(), None).await.unwrap().revision;
    let last = put_all(&store, 3).await;
    let mut watch = store.watch(&key(), last.next());

    etcd.restore(&backup).await;

    let end = timeout(PATIENCE, watch.next()).await.expect("the watch is silent");
    assert!(matches!(end, Some(WatchBatch::Relist)), "{end:?}");
    assert_eq!(store.range(&key(), None).await.unwrap().revision, saved);
    let doubt = witness.doubt().unwrap();
    let expected = format!("the store went back from revision {last} to {saved}: ");
    assert!(doubt.starts_with(&expected), "{doubt}");
    let refusals = [
        store.commit(put(9)).await.map(drop),
        store.grant(PATIENCE).await.map(drop),
        store.revoke(LeaseId(1)).await,
    ];
    for refusal in refusals {
        assert!(matches!(&refusal, Err(StoreError::Doubted(why)) if *why == doubt), "{refusal:?}");
    }
    assert_eq!(store.range(&key(), None).await.unwrap().revision, saved);

    // Others may write meanwhile; that makes it no better.
    put_all(&etcd.store(), 9).await;
    drop((store, witness, watch));
    let witness = Witness::open(seen.clone()).unwrap();
    assert_eq!(witness.doubt(), Some(doubt));
    std::fs::remove_file(&seen).unwrap();
    let witness = Witness::open(seen).unwrap();
    let store = Witnessed::new(etcd.store(), witness);
    store.range(&key(), None).await.unwrap();
    put_all(&store, 1).await;
}

#[tokio::test]
async fn a_machine_at_rest_notices_that_the_store_lost_what_others_wrote() {
    let directory = TempDir::new().unwrap();
    let backup = directory.path().join("backup");
    let mut etcd = Etcd::start().await;
    let witness = Witness::open(directory.path().join("seen")).unwrap();
    let store = Witnessed::new(etcd.store(), witness.clone());
    store.range(&key(), None).await.unwrap();
    let lease = store.grant(Duration::from_secs(60)).await.unwrap();
    put_all(&etcd.store(), 3).await;
    etcd.save(&backup);
    put_all(&etcd.store(), 3).await;
    // All that it does is to renew its lease.
    store.keep_alive(lease.id).await.unwrap();

    etcd.restore(&backup).await;
    store.range(&key(), None).await.unwrap();

    assert!(witness.doubt().is_some());
}
