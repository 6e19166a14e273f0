//! A disk that hangs and answers later.

use std::time::Duration;

use tokio::task::{JoinHandle, yield_now};
use tokio::time::advance;

use super::simulated::Machine;
use super::tests::{put, start_on, values};
use super::*;
use crate::log::chain;

/// Lets a store go to its disk with a change, and stay there.
async fn stall(machine: &Machine, store: &EmbeddedStore) -> JoinHandle<Result<Commit, StoreError>> {
    machine.hang();
    let writer = store.clone();
    let commit = store.tasks.spawn(async move { writer.commit(put("stalled", "1", None)).await });
    settle().await;
    commit
}

/// Lets everybody come to where they wait.
async fn settle() {
    for _ in 0..20 {
        yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_does_not_answer_is_told_to_all_who_wait() {
    let machine = Machine::default();
    let store = start_on(&machine);
    let commit = stall(&machine, &store).await;
    let reader = store.clone();
    let key = Selection::Key("stalled".to_owned());
    let read = store.tasks.spawn(async move { reader.range(&key, None).await });
    settle().await;

    advance(ANSWER + Duration::from_millis(1)).await;
    let (unknown, unavailable) = (commit.await.unwrap(), read.await.unwrap());
    machine.answer();

    assert_eq!(
        chain(&unknown.unwrap_err()),
        "the store at on a simulated disk did not answer; whether it wrote is not known: its disk \
         does not answer"
    );
    assert_eq!(
        chain(&unavailable.unwrap_err()),
        "cannot reach the store at on a simulated disk: its disk does not answer"
    );
    store.commit(put("later", "1", None)).await.unwrap();
    assert_eq!(values(&store).await.into_keys().collect::<Vec<_>>(), ["later", "stalled"]);
}

#[tokio::test(start_paused = true)]
async fn a_lease_whose_renewal_waits_for_the_disk_lives_on() {
    let machine = Machine::default();
    let store = start_on(&machine);
    let lease = store.grant(Duration::from_secs(5)).await.unwrap();
    let commit = stall(&machine, &store).await;
    let keeper = store.clone();
    let kept = store.tasks.spawn(async move { keeper.keep_alive(lease.id).await });
    settle().await;

    advance(Duration::from_secs(6)).await;
    machine.answer();

    commit.await.unwrap().unwrap();
    let kept = kept.await.unwrap().unwrap();
    assert!(matches!(kept, KeepAlive::Renewed { ttl, .. } if ttl == lease.ttl), "{kept:?}");
    assert_eq!(store.remaining(lease.id).await.unwrap(), Some(lease.ttl));
}
