//! The task that owns the store: what is read is answered at once, what is changed when it is on
//! the disk. Changes that come meanwhile go to the disk together.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until};
use tracing::warn;

use super::super::{ClusterId, KeepAlive, LeaseId, Revision, Selection, Snapshot, StoreError};
use super::disk::{Disk, DiskError};
use super::group::{Change, Group, Reply};
use super::model::{Model, Replay};
use super::place::Place;
use crate::log::chain;

/// Most requests that are served together.
pub(super) const TOGETHER: usize = 256;

/// Wait before a lease that could not be ended is tried again.
const EXPIRY_RETRY: Duration = Duration::from_secs(1);

/// What the owner is asked to do.
#[derive(Debug)]
pub(super) enum Request {
    Range(Selection, Option<Revision>, Reply<Snapshot>),
    Replay(Selection, Revision, Reply<Replay>),
    KeepAlive(LeaseId, Reply<KeepAlive>),
    Remaining(LeaseId, Reply<Option<Duration>>),
    Change(Change),
    Close,
}

/// Owns the model and the database.
#[derive(Debug)]
pub(super) struct Owner {
    pub(super) model: Model,
    pub(super) cluster: ClusterId,
    pub(super) place: Place,
    pub(super) disk: Arc<Disk>,
    /// Whether the database holds what the model holds. After an error nobody knows: even what
    /// reads well may not be on the disk, so that another database has to take its place.
    pub(super) is_sound: bool,
    /// Tells the watches that there is something new.
    pub(super) reached: watch::Sender<Revision>,
    pub(super) requests: mpsc::Receiver<Request>,
    pub(super) not_before: Instant,
}

impl Owner {
    /// Serves until it is told to close, or until nobody is left who could ask.
    pub(super) async fn run(mut self) {
        let mut waiting = Vec::new();
        loop {
            let expiry = self.model.next_expiry();
            let due = expiry.map_or(self.not_before, |(due, _)| due.max(self.not_before));
            let mut served = None;
            tokio::select! {
                biased;
                count = self.requests.recv_many(&mut waiting, TOGETHER) => {
                    served = Some(Instant::now());
                    if count == 0 || self.serve(waiting.drain(..)).await {
                        break;
                    }
                }
                () = sleep_until(due), if expiry.is_some() => {}
            }
            // What was asked before a lease ran out is served first: a slow disk makes no renewal
            // come too late.
            let served = served.unwrap_or_else(Instant::now);
            if let Some((due, lease)) = self.model.next_expiry()
                && due.max(self.not_before) <= served
            {
                self.expire(lease).await;
            }
        }
        close(self.disk, &self.place).await;
    }

    /// Serves requests that came together; tells whether it is to close.
    async fn serve(&mut self, requests: impl Iterator<Item = Request>) -> bool {
        let mut changes = Vec::new();
        let mut closing = false;
        for request in requests {
            match request {
                Request::Range(selection, at, reply) => {
                    let entries = self.model.range(&selection, at);
                    let revision = at.unwrap_or(self.model.revision());
                    let cluster = self.cluster;
                    reply.send(entries.map(|entries| Snapshot { cluster, revision, entries })).ok();
                }
                Request::Replay(selection, from, reply) => {
                    reply.send(Ok(self.model.replay(&selection, from))).ok();
                }
                Request::KeepAlive(lease, reply) => {
                    let ttl = self.model.keep_alive(lease, Instant::now());
                    let reached = self.model.revision();
                    let renewed = |ttl| KeepAlive::Renewed { ttl, reached };
                    reply.send(Ok(ttl.map_or(KeepAlive::Expired, renewed))).ok();
                }
                Request::Remaining(lease, reply) => {
                    reply.send(Ok(self.model.remaining(lease, Instant::now()))).ok();
                }
                Request::Change(change) => changes.push(change),
                Request::Close => {
                    closing = true;
                    break;
                }
            }
        }
        // Who asked for them has been told.
        let _told = self.change(changes).await;
        closing
    }

    async fn expire(&mut self, lease: LeaseId) {
        if let Err(error) = self.change(vec![Change::Expire(lease)]).await {
            let error = chain(&error);
            warn!(error, "Keys of an expired lease could not be removed; trying again");
            self.not_before = Instant::now() + EXPIRY_RETRY;
        }
    }

    /// Decides changes and writes them together. Nobody sees them before they are on the disk.
    async fn change(&mut self, changes: Vec<Change>) -> Result<(), Arc<DiskError>> {
        let mended = if self.is_sound { Ok(()) } else { self.mend().await };
        let now = Instant::now();
        let mut group = Group::default();
        changes.into_iter().for_each(|change| group.add(&mut self.model, change, now));
        if group.steps.is_empty() {
            group.accept(&mut self.model);
            return Ok(());
        }
        let written = match mended {
            Ok(()) => self.write(&group).await,
            Err(error) => {
                group.take_back(&mut self.model);
                let error = Arc::new(error);
                group.refuse(|| self.unavailable(&error));
                return Err(error);
            }
        };
        let Err(error) = written else {
            group.accept(&mut self.model);
            self.reached.send_replace(self.model.revision());
            return Ok(());
        };
        let error = Arc::new(error);
        group.take_back(&mut self.model);
        self.is_sound = false;
        match self.mend().await {
            Ok(()) => group.refuse(|| self.unavailable(&error)),
            // If fleetd ends now, the next one may find what has failed.
            Err(_) => group.refuse(|| self.unknown(&error)),
        }
        Err(error)
    }

    async fn write(&self, group: &Group) -> Result<(), DiskError> {
        let (disk, steps) = (Arc::clone(&self.disk), group.steps.clone());
        let written = spawn_blocking(move || disk.write(&steps)).await;
        Ok(written.map_err(|_| DiskError::Interrupted)??)
    }

    /// Puts a new database in the place of one that failed. The old one stays open until then, as
    /// it holds the lock.
    async fn mend(&mut self) -> Result<(), DiskError> {
        let (place, cluster, contents) = (self.place.clone(), self.cluster, self.model.contents());
        let old = Arc::clone(&self.disk);
        let replaced = spawn_blocking(move || {
            let new = Disk::replace(&place, cluster, &contents);
            drop(old);
            new
        });
        let new = Arc::new(replaced.await.map_err(|_| DiskError::Interrupted)??);
        let failed = std::mem::replace(&mut self.disk, new);
        self.is_sound = true;
        close(failed, &self.place).await;
        Ok(())
    }

    fn unavailable(&self, error: &Arc<DiskError>) -> StoreError {
        let endpoints = self.place.to_string();
        StoreError::Unavailable { endpoints, source: Box::new(Arc::clone(error)) }
    }

    fn unknown(&self, error: &Arc<DiskError>) -> StoreError {
        let endpoints = self.place.to_string();
        StoreError::OutcomeUnknown { endpoints, source: Box::new(Arc::clone(error)) }
    }
}

/// Closing a database writes to it.
async fn close(disk: Arc<Disk>, place: &Place) {
    if spawn_blocking(move || drop(disk)).await.is_err() {
        warn!(task = %place, "The embedded store did not close in order");
    }
}
