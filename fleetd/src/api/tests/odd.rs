//! A store on its bad days: it is slow, its watches are silent, its answers get lost.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::store::embedded::EmbeddedStore;
use crate::store::{
    Commit, Grant, KeepAlive, LeaseId, Revision, Selection, Snapshot, Store, StoreError,
    Transaction, Watch, WatchBatch, Write,
};

#[derive(Clone)]
pub(super) struct Odd {
    pub(super) store: EmbeddedStore,
    /// How long a list takes.
    pause: Duration,
    /// Watches that tell nothing; none where they do.
    silent: Option<Arc<Mutex<Vec<mpsc::Sender<WatchBatch>>>>>,
    /// What becomes of the next transactions, none of which is answered.
    lost: Arc<Mutex<VecDeque<Lost>>>,
}

/// A transaction that is not answered.
#[derive(Clone, Default)]
pub(super) struct Lost {
    /// Whether it was the answer that got lost.
    pub(super) lands: bool,
    /// What somebody else writes before anybody asks again.
    pub(super) then: Vec<Write>,
}

impl Odd {
    pub(super) fn new(store: EmbeddedStore) -> Self {
        Self { store, pause: Duration::ZERO, silent: None, lost: Arc::default() }
    }

    pub(super) fn silent(self) -> Self {
        Self { silent: Some(Arc::default()), ..self }
    }

    pub(super) fn slow(self, pause: Duration) -> Self {
        Self { pause, ..self }
    }

    pub(super) fn lose(&self, lost: impl IntoIterator<Item = Lost>) {
        self.lost.lock().unwrap().extend(lost);
    }

    /// Lets all watches lose their history.
    pub(super) async fn compact(&self) {
        let watches = self.silent.iter().flat_map(|all| std::mem::take(&mut *all.lock().unwrap()));
        for watch in watches.collect::<Vec<_>>() {
            watch.send(WatchBatch::Relist).await.unwrap();
        }
    }

    /// How many are still to get lost.
    pub(super) fn left(&self) -> usize {
        self.lost.lock().unwrap().len()
    }
}

impl Store for Odd {
    async fn range(
        &self,
        selection: &Selection,
        at: Option<Revision>,
    ) -> Result<Snapshot, StoreError> {
        if matches!(selection, Selection::Prefix(_)) {
            sleep(self.pause).await;
        }
        self.store.range(selection, at).await
    }

    async fn commit(&self, transaction: Transaction) -> Result<Commit, StoreError> {
        let lost = self.lost.lock().unwrap().pop_front();
        let Some(Lost { lands, then }) = lost else {
            return self.store.commit(transaction).await;
        };
        if lands {
            self.store.commit(transaction).await?;
        }
        if !then.is_empty() {
            self.store.commit(Transaction { compares: vec![], writes: then }).await?;
        }
        let (endpoints, source) = ("here".to_owned(), "no answer".into());
        Err(StoreError::OutcomeUnknown { endpoints, source })
    }

    fn watch(&self, selection: &Selection, from: Revision) -> Watch {
        let Some(watches) = &self.silent else { return self.store.watch(selection, from) };
        let (sender, batches) = mpsc::channel(1);
        watches.lock().unwrap().push(sender);
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
