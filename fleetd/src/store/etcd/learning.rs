//! What a store learns of the members of etcd, and what for.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::process::Etcd;
use super::{EtcdOptions, EtcdStore};
use crate::store::{Commit, Event, Revision, Selection, Store, Transaction, WatchBatch, Write};

const PATIENCE: Duration = Duration::from_secs(15);

/// An address that is not of the loopback: those are not learnt.
fn own_address() -> Ipv4Addr {
    let addresses = if_addrs::get_if_addrs().unwrap().into_iter().map(|interface| interface.ip());
    let own =
        addresses.filter(|address| !address.is_loopback()).find_map(|address| match address {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        });
    own.expect("this machine needs an IPv4 address beside its loopback")
}

fn put(key: &str) -> Transaction {
    let write = Write::Put { key: key.to_owned(), value: Vec::new(), lease: None };
    Transaction { compares: Vec::new(), writes: vec![write] }
}

/// Writes until it is known to have landed.
async fn put_surely(store: &EtcdStore, key: &str) -> Revision {
    loop {
        match store.commit(put(key)).await {
            Ok(Commit::Done(revision)) => return revision,
            Ok(Commit::Refused(revision)) => panic!("refused at {revision}"),
            Err(error) => assert!(error.is_transient(), "{error:?}"),
        }
    }
}

/// Waits until a store that has been answered uses these endpoints.
async fn learnt(store: &EtcdStore, expected: &[String]) {
    let deadline = Instant::now() + PATIENCE;
    while store.endpoints() != expected {
        assert!(Instant::now() < deadline, "{:?}, not {expected:?}", store.endpoints());
        sleep(Duration::from_millis(10)).await;
    }
}

/// One endpoint, and after it all others in their order.
fn beginning_with(first: &str, etcd: &Etcd) -> Vec<String> {
    let mut others: Vec<_> = etcd.urls().into_iter().filter(|url| *url != first).collect();
    others.sort_unstable();
    [&[first], others.as_slice()].concat().into_iter().map(str::to_owned).collect()
}

#[tokio::test]
async fn a_store_that_was_told_one_member_goes_on_with_the_others_when_that_one_dies() {
    let mut etcd = Etcd::start_cluster_at(own_address(), 3).await;
    let first = etcd.url().to_owned();
    let store = etcd.store_at(&[&first]);
    let everything = Selection::Prefix(String::new());
    let lease = store.grant(Duration::from_secs(60)).await.unwrap();
    let begun = put_surely(&store, "a").await;
    let mut watch = store.watch(&everything, begun);
    let seen = timeout(PATIENCE, watch.next()).await.expect("the watch is silent");
    assert!(matches!(seen, Some(WatchBatch::Changes { .. })), "{seen:?}");
    learnt(&store, &beginning_with(&first, &etcd)).await;

    etcd.kill(&first);

    let last = put_surely(&store, "b").await;
    let mut seen = begun;
    while seen != last {
        match timeout(PATIENCE, watch.next()).await.expect("the watch is silent") {
            Some(WatchBatch::Changes { events, .. }) => {
                assert!(events.iter().map(Event::revision).eq([seen.next()]), "{events:?}");
                seen = seen.next();
            }
            end => panic!("{end:?}"),
        }
    }
    let deadline = Instant::now() + PATIENCE;
    while let Err(error) = store.keep_alive(lease.id).await {
        assert!(Instant::now() < deadline, "{error:?}");
    }
}

#[tokio::test]
async fn what_was_learnt_is_known_to_the_next_one_that_was_told_the_same_member() {
    let directory = tempfile::tempdir().unwrap();
    let mut etcd = Etcd::start_cluster_at(own_address(), 3).await;
    let first = etcd.url().to_owned();
    let options = EtcdOptions {
        endpoints: vec![first.clone()],
        request_timeout: Duration::from_secs(1),
        credentials: None,
        tls: None,
    };
    let remembering =
        || EtcdStore::remembering(&options, directory.path().join("members")).unwrap();
    let store = remembering();
    put_surely(&store, "a").await;
    let known = beginning_with(&first, &etcd);
    learnt(&store, &known).await;
    drop(store);
    etcd.kill(&first);

    let store = remembering();

    assert_eq!(store.endpoints(), known);
    put_surely(&store, "b").await;
}

#[tokio::test]
async fn a_member_that_was_removed_is_forgotten_once_another_one_fails() {
    let mut etcd = Etcd::start_cluster_at(own_address(), 3).await;
    let first = etcd.url().to_owned();
    let store = etcd.store_at(&[&first]);
    put_surely(&store, "a").await;
    let known = beginning_with(&first, &etcd);
    learnt(&store, &known).await;

    let removed = etcd.remove_last().await;
    etcd.restart(&first);

    let mut rest = known;
    rest.retain(|url| *url != removed);
    let deadline = Instant::now() + PATIENCE;
    while store.endpoints() != rest {
        assert!(Instant::now() < deadline, "{:?}, not {rest:?}", store.endpoints());
        put_surely(&store, "b").await;
    }
}
