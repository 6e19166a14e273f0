//! A store that tells what was asked of it.

use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio_util::task::TaskTracker;

use crate::store::embedded::EmbeddedStore;
use crate::store::{
    Commit, Grant, KeepAlive, LeaseId, Revision, Selection, Snapshot, Store, StoreError,
    Transaction, Watch,
};

/// What goes wrong with a write of the planner.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    /// It is carried out only when the test says so, whoever still waits for it.
    Late,
    /// It is carried out, and nobody hears of it.
    Unanswered,
}

/// A store that notes what is listed, and fails as it is told.
#[derive(Clone, Debug)]
pub(super) struct Spy {
    store: EmbeddedStore,
    pub(super) seen: Arc<Mutex<Vec<Selection>>>,
    faults: Arc<Mutex<Vec<Fault>>>,
    pub(super) late: Arc<Notify>,
    pub(super) go: Arc<Notify>,
    outcomes: mpsc::Sender<Commit>,
    pub(super) outcome: Arc<tokio::sync::Mutex<mpsc::Receiver<Commit>>>,
    tasks: TaskTracker,
}

impl Spy {
    pub(super) fn on(store: &EmbeddedStore, faults: impl IntoIterator<Item = Fault>) -> Self {
        let (outcomes, outcome) = mpsc::channel(1);
        Self {
            store: store.clone(),
            seen: Arc::default(),
            faults: Arc::new(Mutex::new(faults.into_iter().collect())),
            late: Arc::default(),
            go: Arc::default(),
            outcomes,
            outcome: Arc::new(tokio::sync::Mutex::new(outcome)),
            tasks: TaskTracker::new(),
        }
    }
}

impl Store for Spy {
    async fn range(
        &self,
        selection: &Selection,
        at: Option<Revision>,
    ) -> Result<Snapshot, StoreError> {
        self.seen.lock().unwrap().push(selection.clone());
        self.store.range(selection, at).await
    }

    async fn commit(&self, transaction: Transaction) -> Result<Commit, StoreError> {
        let is_plan = transaction.writes.len() > 1;
        let fault = if is_plan { self.faults.lock().unwrap().pop() } else { None };
        match fault {
            None => self.store.commit(transaction).await,
            Some(Fault::Unanswered) => {
                self.store.commit(transaction).await?;
                let (endpoints, source) = ("nowhere".to_owned(), "lost".into());
                Err(StoreError::OutcomeUnknown { endpoints, source })
            }
            Some(Fault::Late) => {
                let Self { store, go, outcomes, .. } = self.clone();
                self.tasks.spawn(async move {
                    go.notified().await;
                    outcomes.send(store.commit(transaction).await.unwrap()).await.unwrap();
                });
                self.late.notify_one();
                pending().await
            }
        }
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
