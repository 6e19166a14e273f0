use std::sync::{Arc, Mutex};

use tokio::sync::mpsc;
use tokio::time::timeout;

use super::*;
use crate::store::embedded::EmbeddedStore;
use crate::store::{Commit, Grant, KeepAlive, LeaseId, Revision, Transaction};

/// How long a list takes.
const LIST: Duration = Duration::from_millis(600);

/// How long a caller waits who has more to do than this.
const TURN: Duration = Duration::from_millis(100);

/// A store that takes its time to list, and fails as it is told.
#[derive(Clone, Debug)]
struct Slow {
    store: EmbeddedStore,
    script: Arc<Mutex<Script>>,
}

#[derive(Debug, Default)]
struct Script {
    lists: usize,
    /// Reasons of the lists that fail, last one first.
    failures: Vec<&'static str>,
    watches: Vec<mpsc::Sender<WatchBatch>>,
}

impl Slow {
    fn failing(failures: &[&'static str]) -> Self {
        let failures = failures.iter().rev().copied().collect();
        let script = Script { failures, ..Script::default() };
        let store = EmbeddedStore::in_memory().unwrap();
        Self { store, script: Arc::new(Mutex::new(script)) }
    }

    fn follower(&self) -> Follower<Self> {
        Follower::new(self.clone(), Selection::Prefix("/".to_owned()))
    }

    fn lists(&self) -> usize {
        self.script.lock().unwrap().lists
    }

    async fn tell(&self, batch: WatchBatch) {
        let watch = self.script.lock().unwrap().watches.last().unwrap().clone();
        watch.send(batch).await.unwrap();
    }
}

impl Store for Slow {
    async fn range(
        &self,
        selection: &Selection,
        at: Option<Revision>,
    ) -> Result<Snapshot, StoreError> {
        let failure = {
            let mut script = self.script.lock().unwrap();
            script.lists += 1;
            script.failures.pop()
        };
        sleep_until(Instant::now() + LIST).await;
        match failure {
            None => self.store.range(selection, at).await,
            Some(reason) => {
                let endpoints = "nowhere".to_owned();
                Err(StoreError::Unavailable { endpoints, source: reason.into() })
            }
        }
    }

    async fn commit(&self, transaction: Transaction) -> Result<Commit, StoreError> {
        self.store.commit(transaction).await
    }

    fn watch(&self, _: &Selection, _: Revision) -> Watch {
        let (sender, batches) = mpsc::channel(1);
        self.script.lock().unwrap().watches.push(sender);
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

/// Whether a list comes for somebody who is called away again and again.
async fn is_listed_between_turns(follower: &mut Follower<Slow>) -> bool {
    for _ in 0..20 {
        if let Ok(update) = timeout(TURN, follower.next()).await {
            return matches!(update, Update::Listed(_));
        }
    }
    false
}

#[tokio::test(start_paused = true)]
async fn a_list_that_takes_longer_than_its_caller_waits_is_made_once() {
    let store = Slow::failing(&[]);
    let mut follower = store.follower();

    let is_listed = is_listed_between_turns(&mut follower).await;

    assert_eq!((is_listed, store.lists(), follower.is_current()), (true, 1, true));
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_lost_its_history_is_followed_by_one_list() {
    let store = Slow::failing(&[]);
    let mut follower = store.follower();
    follower.next().await;
    store.tell(WatchBatch::Relist).await;

    let waited = timeout(TURN, follower.next()).await;
    assert_eq!((waited.is_err(), follower.is_current()), (true, false));
    let is_listed = is_listed_between_turns(&mut follower).await;

    assert_eq!((is_listed, store.lists(), follower.is_current()), (true, 2, true));
}

#[tokio::test(start_paused = true)]
async fn each_reason_of_an_outage_is_told_once() {
    let (refused, denied) = ("connection refused", "wrong password");
    let store = Slow::failing(&[refused, refused, denied, refused]);
    let mut follower = store.follower();

    let mut told = Vec::new();
    while let Update::Unreachable(error) = follower.next().await {
        told.push(chain(&error));
    }

    let sentence = |reason: &str| format!("cannot reach the store at nowhere: {reason}");
    assert_eq!(told, [refused, denied].map(sentence));
    assert_eq!(store.lists(), 5);
}
