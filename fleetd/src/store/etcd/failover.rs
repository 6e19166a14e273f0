//! What a caller notices when members of etcd die.

use std::net::TcpListener;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::timeout;

use super::process::Etcd;
use super::{EtcdOptions, EtcdStore};
use crate::store::{
    Commit, Event, LeaseId, Revision, Selection, Store, StoreError, Transaction, WatchBatch, Write,
};

const PATIENCE: Duration = Duration::from_secs(15);

fn put(value: usize) -> Transaction {
    let value = value.to_string().into_bytes();
    Transaction {
        compares: Vec::new(),
        writes: vec![Write::Put { key: "k".to_owned(), value, lease: None }],
    }
}

/// Writes until it is known to have landed once; each repetition is a revision of its own.
async fn put_surely(store: &impl Store, value: usize) -> Revision {
    loop {
        match store.commit(put(value)).await {
            Ok(Commit::Done(revision)) => return revision,
            Ok(Commit::Refused(revision)) => panic!("refused at {revision}"),
            Err(error) => assert!(error.is_transient(), "{error:?}"),
        }
    }
}

#[tokio::test]
async fn calls_go_on_and_watches_resume_whichever_member_dies() {
    let mut etcd = Etcd::start_cluster(3).await;
    let store = etcd.store();
    let all = Selection::Prefix(String::new());
    let first = put_surely(&store, 0).await;
    // One watch at each member, so that one of them loses its own.
    let urls: Vec<_> = etcd.urls().into_iter().map(str::to_owned).collect();
    let mut watches: Vec<_> = (0..urls.len())
        .map(|n| {
            let mut urls: Vec<_> = urls.iter().map(String::as_str).collect();
            urls.rotate_left(n);
            etcd.store_at(&urls).watch(&all, first.next())
        })
        .collect();
    let lease = store.grant(Duration::from_secs(60)).await.unwrap();
    let before = put_surely(&store, 1).await;

    etcd.kill(&etcd.leader().await);

    store.keep_alive(lease.id).await.ok();
    let mut last = before;
    for value in 2..10 {
        last = put_surely(&store, value).await;
    }
    assert_eq!(store.range(&all, None).await.unwrap().revision, last);
    for watch in &mut watches {
        let mut seen = Vec::new();
        while seen.last() != Some(&last) {
            match timeout(PATIENCE, watch.next()).await.expect("the watch is silent") {
                Some(WatchBatch::Changes { events, .. }) => {
                    seen.extend(events.iter().map(Event::revision));
                }
                end => panic!("{end:?} after {seen:?}"),
            }
        }
        let expected: Vec<_> = (first.next().0..=last.0).map(Revision).collect();
        assert_eq!(seen, expected);
    }
}

#[tokio::test]
async fn a_dead_member_costs_no_call() {
    let mut etcd = Etcd::start_cluster(3).await;
    let leader = etcd.leader().await;
    let follower = etcd.urls().into_iter().find(|url| *url != leader).unwrap().to_owned();
    let store = etcd.store();
    let lease = store.grant(Duration::from_secs(60)).await.unwrap();

    etcd.kill(&follower);

    for _ in 0..2 * etcd.urls().len() {
        store.range(&Selection::Key("k".to_owned()), None).await.unwrap();
        store.commit(put(1)).await.unwrap();
        store.keep_alive(lease.id).await.unwrap();
        store.remaining(lease.id).await.unwrap();
    }
}

#[tokio::test]
async fn a_list_without_an_answer_is_asked_for_in_smaller_pages_that_grow_again() {
    let mut etcd = Etcd::start().await;
    let (url, store) = (etcd.url().to_owned(), etcd.store());
    let all = Selection::Prefix(String::new());
    let keys: Vec<_> = (0..50).map(|n| format!("k{n:02}")).collect();
    let put = |key: &String| Write::Put { key: key.clone(), value: vec![], lease: None };
    let writes = keys.iter().map(put).collect();
    store.commit(Transaction { compares: Vec::new(), writes }).await.unwrap();
    store.page.store(8, Ordering::Relaxed);

    let listed = store.range(&all, None).await.unwrap().entries;
    let grown = store.page.load(Ordering::Relaxed);
    etcd.kill(&url);
    store.range(&all, None).await.unwrap_err();
    let failed = store.page.load(Ordering::Relaxed);
    store.range(&Selection::Key("k00".to_owned()), None).await.unwrap_err();

    assert_eq!(listed.into_iter().map(|entry| entry.key).collect::<Vec<_>>(), keys);
    assert_eq!((grown, failed), (32, 8));
    assert_eq!(store.page.load(Ordering::Relaxed), failed);
}

#[tokio::test]
async fn a_renewal_takes_no_longer_than_one_request_however_many_members_are_silent() {
    let silent = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let urls = silent.each_ref().map(|it| format!("http://{}", it.local_addr().unwrap()));
    let store = EtcdStore::connect(&EtcdOptions {
        endpoints: urls.to_vec(),
        request_timeout: Duration::from_millis(100),
        credentials: None,
        tls: None,
    });

    let kept = store.unwrap().keep_alive(LeaseId(1)).await;

    let sentence = format!("{}: no answer within 100 ms", urls.join(", "));
    match kept {
        Err(StoreError::OutcomeUnknown { source, .. }) => assert_eq!(source.to_string(), sentence),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_watch_of_a_store_that_lost_its_history_demands_a_list() {
    let mut etcd = Etcd::start().await;
    let store = etcd.store();
    let all = Selection::Prefix(String::new());
    let first = put_surely(&store, 1).await;
    let mut watch = store.watch(&all, first.next());
    put_surely(&store, 2).await;
    let seen = timeout(PATIENCE, watch.next()).await.expect("the watch is silent");
    assert!(matches!(seen, Some(WatchBatch::Changes { .. })), "{seen:?}");

    etcd.rebuild().await;

    let end = timeout(PATIENCE, watch.next()).await.expect("the watch is silent");
    assert!(matches!(end, Some(WatchBatch::Relist)), "{end:?}");
}

#[tokio::test]
async fn without_a_majority_nothing_is_done_and_the_error_says_where() {
    let mut etcd = Etcd::start_cluster(3).await;
    let leader = etcd.leader().await;
    let urls: Vec<_> = etcd.urls().into_iter().map(str::to_owned).collect();
    let survivor = urls.iter().find(|url| **url != leader).unwrap().clone();
    for url in urls.iter().filter(|url| **url != survivor) {
        etcd.kill(url);
    }
    let store = etcd.store_at(&[&survivor]);

    let read = store.range(&Selection::Key("k".to_owned()), None).await;

    match read {
        Err(StoreError::Unavailable { endpoints, .. }) => assert_eq!(endpoints, survivor),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_etcd_that_is_down_is_unavailable_at_once_and_named() {
    let mut etcd = Etcd::start().await;
    let url = etcd.url().to_owned();
    let store = etcd.store();
    etcd.kill(&url);

    let commit = store.commit(put(1)).await;

    match commit {
        Err(StoreError::Unavailable { source, .. }) => {
            let reason = "cannot connect: Connection refused (os error 111)";
            assert_eq!(source.to_string(), format!("{url}: {reason}"));
        }
        other => panic!("{other:?}"),
    }
}
