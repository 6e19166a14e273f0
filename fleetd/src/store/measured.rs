//! A store that measures how another one answers.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

use super::{
    Commit, Grant, KeepAlive, LeaseId, Revision, Selection, Snapshot, Store, StoreError,
    Transaction, Watch,
};
use crate::metrics::{Request, StoreMetrics};

/// Hands everything on.
#[derive(Clone, Debug)]
pub struct Measured<S> {
    store: S,
    metrics: StoreMetrics,
}

impl<S> Measured<S> {
    /// Measures a store.
    pub const fn new(store: S, metrics: StoreMetrics) -> Self {
        Self { store, metrics }
    }

    async fn measure<T>(
        &self,
        request: Request,
        answer: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let asked = Instant::now();
        let answer = answer.await;
        self.metrics.answered(request, asked.elapsed(), answer.is_ok());
        answer
    }
}

impl<S: Store> Store for Measured<S> {
    async fn range(
        &self,
        selection: &Selection,
        at: Option<Revision>,
    ) -> Result<Snapshot, StoreError> {
        self.measure(Request::Range, self.store.range(selection, at)).await
    }

    async fn commit(&self, transaction: Transaction) -> Result<Commit, StoreError> {
        self.measure(Request::Commit, self.store.commit(transaction)).await
    }

    fn watch(&self, selection: &Selection, from: Revision) -> Watch {
        self.store.watch(selection, from)
    }

    async fn grant(&self, ttl: Duration) -> Result<Grant, StoreError> {
        self.measure(Request::Grant, self.store.grant(ttl)).await
    }

    async fn keep_alive(&self, lease: LeaseId) -> Result<KeepAlive, StoreError> {
        self.measure(Request::KeepAlive, self.store.keep_alive(lease)).await
    }

    async fn remaining(&self, lease: LeaseId) -> Result<Option<Duration>, StoreError> {
        self.measure(Request::Remaining, self.store.remaining(lease)).await
    }

    async fn revoke(&self, lease: LeaseId) -> Result<(), StoreError> {
        self.measure(Request::Revoke, self.store.revoke(lease)).await
    }
}
