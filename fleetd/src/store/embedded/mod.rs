//! The store of one machine: in process, durable, no set-up. Everything is kept in memory; a redb
//! file holds what must outlive the process.

mod disk;
mod model;
mod owner;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinError, spawn_blocking};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use self::disk::{Disk, DiskError, Place};
use self::model::{Model, Replay};
use self::owner::{Owner, Reply, Request};
use super::{
    Commit, Grant, KeepAlive, LeaseId, Revision, Selection, Snapshot, Store, StoreError,
    Transaction, Watch, WatchBatch,
};

/// Requests that wait for the owner before their senders are made to wait.
const REQUESTS: usize = 64;

/// Batches that wait for the reader of a watch; what comes later waits in the history.
const BATCHES: usize = 4;

/// Why the embedded store cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot open the embedded store {}", place.display())]
pub struct OpenError {
    place: PathBuf,
    source: Box<dyn std::error::Error + Send + Sync>,
}

/// The store of one machine.
#[derive(Clone, Debug)]
pub struct EmbeddedStore {
    requests: mpsc::Sender<Request>,
    reached: watch::Receiver<Revision>,
    tasks: TaskTracker,
    name: Arc<str>,
}

/// The owner of the store has ended.
#[derive(Debug, thiserror::Error)]
#[error("the embedded store is closed")]
struct Closed;

/// The keys of a store that no process has open; none if there is no file.
///
/// # Errors
///
/// If the file cannot be read, or is open elsewhere.
pub async fn keys_in(path: &Path) -> Result<Vec<String>, OpenError> {
    let place = Place::File(path.to_owned());
    blocking(path, move || match &place {
        Place::File(path) if !path.try_exists().map_err(redb::Error::Io)? => Ok(Vec::new()),
        place => Disk::open(place).map(|(_, _, contents)| contents.keys.into_keys().collect()),
    })
    .await
}

async fn blocking<T: Send + 'static>(
    path: &Path,
    action: impl FnOnce() -> Result<T, DiskError> + Send + 'static,
) -> Result<T, OpenError> {
    let failed = |source| OpenError { place: path.to_owned(), source };
    match spawn_blocking(action).await {
        Ok(outcome) => outcome.map_err(|error| failed(Box::new(error))),
        Err(error) => Err(failed(Box::<JoinError>::new(error))),
    }
}

impl EmbeddedStore {
    /// Opens the store in a file, creating it if there is none. No other process may have it open.
    ///
    /// Leases begin their time to live anew: nobody could renew them before.
    ///
    /// # Errors
    ///
    /// If the file cannot be used, or is open elsewhere.
    pub async fn open(path: &Path) -> Result<Self, OpenError> {
        let place = Place::File(path.to_owned());
        blocking(path, move || Self::start(place)).await
    }

    /// Opens a store that ends with the process, for tests and simulations.
    ///
    /// # Errors
    ///
    /// If the database cannot be set up.
    pub fn in_memory() -> Result<Self, OpenError> {
        let failed = |source| OpenError { place: "in memory".into(), source };
        Self::start(Place::Memory).map_err(|error| failed(Box::new(error)))
    }

    /// Ends the store: watches end, requests fail, and the file can be opened again.
    pub async fn close(&self) {
        self.requests.send(Request::Close).await.ok();
        self.tasks.close();
        self.tasks.wait().await;
    }

    fn start(place: Place) -> Result<Self, DiskError> {
        let (disk, cluster, contents) = Disk::open(&place)?;
        let model = Model::new(contents, Instant::now());
        let name: Arc<str> = match &place {
            Place::File(path) => path.display().to_string().into(),
            Place::Memory => "in memory".into(),
            #[cfg(test)]
            Place::Faulty(..) => "on a bad disk".into(),
        };
        let (requests, receiver) = mpsc::channel(REQUESTS);
        let (reached, reached_receiver) = watch::channel(model.revision());
        let owner = Owner {
            model,
            cluster,
            place,
            name: Arc::clone(&name),
            disk: Some(disk),
            reached,
            requests: receiver,
            unsettled: None,
            not_before: Instant::now(),
        };
        let tasks = TaskTracker::new();
        tasks.spawn(owner.run());
        Ok(Self { requests, reached: reached_receiver, tasks, name })
    }

    async fn ask<T>(&self, request: impl FnOnce(Reply<T>) -> Request) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        if self.requests.send(request(reply)).await.is_err() {
            return Err(self.closed());
        }
        // A commit that the owner has not begun when it ends is not done.
        answer.await.unwrap_or_else(|_| Err(self.closed()))
    }

    fn closed(&self) -> StoreError {
        StoreError::Unavailable { endpoints: self.name.to_string(), source: Box::new(Closed) }
    }
}

impl Store for EmbeddedStore {
    async fn range(
        &self,
        selection: &Selection,
        at: Option<Revision>,
    ) -> Result<Snapshot, StoreError> {
        self.ask(|reply| Request::Range(selection.clone(), at, reply)).await
    }

    async fn commit(&self, transaction: Transaction) -> Result<Commit, StoreError> {
        self.ask(|reply| Request::Commit(transaction, reply)).await
    }

    fn watch(&self, selection: &Selection, from: Revision) -> Watch {
        let (sender, batches) = mpsc::channel(BATCHES);
        let follow = follow(self.clone(), selection.clone(), from, sender.clone());
        self.tasks.spawn(async move {
            tokio::select! {
                () = sender.closed() => {}
                () = follow => {}
            }
        });
        Watch { batches }
    }

    async fn grant(&self, ttl: Duration) -> Result<Grant, StoreError> {
        self.ask(|reply| Request::Grant(ttl, reply)).await
    }

    async fn keep_alive(&self, lease: LeaseId) -> Result<KeepAlive, StoreError> {
        self.ask(|reply| Request::KeepAlive(lease, reply)).await
    }

    async fn remaining(&self, lease: LeaseId) -> Result<Option<Duration>, StoreError> {
        self.ask(|reply| Request::Remaining(lease, reply)).await
    }

    async fn revoke(&self, lease: LeaseId) -> Result<(), StoreError> {
        self.ask(|reply| Request::Revoke(lease, reply)).await
    }
}

/// Hands on what the owner has for a watch whenever there is more, at the pace of the reader.
async fn follow(
    mut store: EmbeddedStore,
    selection: Selection,
    from: Revision,
    batches: mpsc::Sender<WatchBatch>,
) {
    let mut next = from;
    loop {
        let replay = store.ask(|reply| Request::Replay(selection.clone(), next, reply)).await;
        match replay {
            Ok(Replay::Changes { events, next: following }) => {
                next = following;
                if let Some(revision) = events.last().map(super::Event::revision)
                    && batches.send(WatchBatch::Changes { revision, events }).await.is_err()
                {
                    return;
                }
            }
            Ok(Replay::Relist) => {
                batches.send(WatchBatch::Relist).await.ok();
                return;
            }
            Err(_) => return,
        }
        if store.reached.wait_for(|reached| *reached >= next).await.is_err() {
            return;
        }
    }
}
