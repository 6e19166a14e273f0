//! The store of one machine: in process, durable, no set-up. Everything is kept in memory; a redb
//! file holds what must outlive the process.

mod disk;
mod group;
mod model;
mod owner;
mod place;
#[cfg(test)]
mod simulated;
#[cfg(test)]
mod stalled;
#[cfg(test)]
mod tests;
mod verified;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinError, spawn_blocking};
use tokio::time::{Instant, timeout};
use tokio_util::task::TaskTracker;

use self::disk::{Disk, DiskError};
use self::group::{Change, Reply};
use self::model::{Model, Replay};
use self::owner::{Owner, Request, TOGETHER};
use self::place::Place;
use super::{
    Commit, Grant, KeepAlive, LeaseId, Revision, Selection, Snapshot, Store, StoreError,
    Transaction, Watch, WatchBatch,
};

/// No lease is shorter: nobody could keep it.
const SHORTEST_LEASE: Duration = Duration::from_secs(1);

/// A disk that is merely busy has answered by then.
const ANSWER: Duration = Duration::from_secs(10);

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

/// The disk takes longer than anybody waits.
#[derive(Debug, thiserror::Error)]
#[error("its disk does not answer")]
struct Silent;

/// The keys of a store that no process has open; none if there is no file.
///
/// # Errors
///
/// If the file cannot be read, or is open elsewhere.
pub async fn keys_in(path: &Path) -> Result<Vec<String>, OpenError> {
    let place = Place::File(path.to_owned());
    blocking(path, move || {
        let found = Disk::open(&place)?;
        Ok(found.map(|(_, _, contents)| contents.keys.into_keys().collect()).unwrap_or_default())
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
    /// Leases end, and their keys go: whoever held one was part of the process that had the store
    /// open, and that is gone.
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
        let (disk, cluster, contents) = match Disk::open(&place)? {
            Some(found) => found,
            None => Disk::create(&place)?,
        };
        let mut model = Model::new(contents, Instant::now());
        if let Some(step) = model.revoke_all() {
            disk.write(std::slice::from_ref(&step))?;
            let made = model.make(step, Instant::now());
            model.remember(made);
        }
        let name: Arc<str> = place.to_string().into();
        let (requests, receiver) = mpsc::channel(TOGETHER);
        let (reached, reached_receiver) = watch::channel(model.revision());
        let owner = Owner {
            model,
            cluster,
            place,
            disk: Arc::new(disk),
            is_sound: true,
            reached,
            requests: receiver,
            not_before: Instant::now(),
        };
        let tasks = TaskTracker::new();
        tasks.spawn(owner.run());
        Ok(Self { requests, reached: reached_receiver, tasks, name })
    }

    async fn ask<T>(&self, request: impl FnOnce(Reply<T>) -> Request) -> Result<T, StoreError> {
        let asking = self.wait(request);
        timeout(ANSWER, asking).await.unwrap_or_else(|_| Err(self.unavailable(Box::new(Silent))))
    }

    async fn change<T>(&self, change: impl FnOnce(Reply<T>) -> Change) -> Result<T, StoreError> {
        let asking = self.wait(|reply| Request::Change(change(reply)));
        timeout(ANSWER, asking).await.unwrap_or_else(|_| {
            let endpoints = self.name.to_string();
            Err(StoreError::OutcomeUnknown { endpoints, source: Box::new(Silent) })
        })
    }

    async fn wait<T>(&self, request: impl FnOnce(Reply<T>) -> Request) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        if self.requests.send(request(reply)).await.is_err() {
            return Err(self.unavailable(Box::new(Closed)));
        }
        // A commit that the owner has not begun when it ends is not done.
        answer.await.unwrap_or_else(|_| Err(self.unavailable(Box::new(Closed))))
    }

    fn unavailable(&self, source: Box<dyn std::error::Error + Send + Sync>) -> StoreError {
        StoreError::Unavailable { endpoints: self.name.to_string(), source }
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
        self.change(|reply| Change::Commit(transaction, reply)).await
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
        Watch { batches, witness: None }
    }

    async fn grant(&self, ttl: Duration) -> Result<Grant, StoreError> {
        let ttl = ttl.max(SHORTEST_LEASE);
        self.change(|reply| Change::Grant(ttl, reply)).await
    }

    async fn keep_alive(&self, lease: LeaseId) -> Result<KeepAlive, StoreError> {
        self.ask(|reply| Request::KeepAlive(lease, reply)).await
    }

    async fn remaining(&self, lease: LeaseId) -> Result<Option<Duration>, StoreError> {
        self.ask(|reply| Request::Remaining(lease, reply)).await
    }

    async fn revoke(&self, lease: LeaseId) -> Result<(), StoreError> {
        self.change(|reply| Change::Revoke(lease, reply)).await
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
