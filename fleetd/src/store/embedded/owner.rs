//! The task that owns the store: one request after the other, on the disk before it is answered.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until};
use tracing::warn;
use uuid::Uuid;

use super::super::{
    ClusterId, Commit, Grant, KeepAlive, LeaseId, Revision, Selection, Snapshot, StoreError,
    Transaction,
};
use super::disk::{Disk, DiskError, Place};
use super::model::{Model, Replay, Step, Verdict};

/// No lease is shorter: nobody could keep it.
const SHORTEST_LEASE: Duration = Duration::from_secs(1);

/// Wait before a lease that could not be ended is tried again.
const EXPIRY_RETRY: Duration = Duration::from_secs(1);

/// Where an answer goes. Nobody minds if it is not wanted any more.
pub(super) type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// What the owner is asked to do.
#[derive(Debug)]
pub(super) enum Request {
    Range(Selection, Option<Revision>, Reply<Snapshot>),
    Replay(Selection, Revision, Reply<Replay>),
    Commit(Transaction, Reply<Commit>),
    Grant(Duration, Reply<Grant>),
    KeepAlive(LeaseId, Reply<KeepAlive>),
    Remaining(LeaseId, Reply<Option<Duration>>),
    Revoke(LeaseId, Reply<()>),
    Close,
}

/// Owns the model and the database.
#[derive(Debug)]
pub(super) struct Owner {
    pub(super) model: Model,
    pub(super) cluster: ClusterId,
    pub(super) place: Place,
    pub(super) name: Arc<str>,
    /// Gone while an error keeps it from being opened again.
    pub(super) disk: Option<Disk>,
    /// Tells the watches that there is something new.
    pub(super) reached: watch::Sender<Revision>,
    pub(super) requests: mpsc::Receiver<Request>,
    /// A step that may or may not be on the disk.
    pub(super) unsettled: Option<Step>,
    pub(super) not_before: Instant,
}

impl Owner {
    /// Serves until it is told to close, or until nobody is left who could ask.
    pub(super) async fn run(mut self) {
        loop {
            let expiry = self.model.next_expiry();
            let due = expiry.map_or(self.not_before, |(due, _)| due.max(self.not_before));
            let request = tokio::select! {
                biased;
                () = sleep_until(due), if expiry.is_some() => None,
                request = self.requests.recv() => match request {
                    Some(Request::Close) | None => break,
                    Some(request) => Some(request),
                },
            };
            match (request, expiry) {
                (Some(request), _) => self.serve(request).await,
                (None, Some((_, lease))) => self.expire(lease).await,
                (None, None) => {}
            }
        }
        // Closing a database writes to it.
        if spawn_blocking(move || drop(self.disk)).await.is_err() {
            warn!(task = %self.name, "The embedded store did not close in order");
        }
    }

    async fn serve(&mut self, request: Request) {
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
            Request::Commit(transaction, reply) => {
                reply.send(self.commit(transaction).await).ok();
            }
            Request::Grant(ttl, reply) => {
                reply.send(self.grant(ttl.max(SHORTEST_LEASE)).await).ok();
            }
            Request::KeepAlive(lease, reply) => {
                let ttl = self.model.keep_alive(lease, Instant::now());
                reply.send(Ok(ttl.map_or(KeepAlive::Expired, KeepAlive::Renewed))).ok();
            }
            Request::Remaining(lease, reply) => {
                reply.send(Ok(self.model.remaining(lease, Instant::now()))).ok();
            }
            Request::Revoke(lease, reply) => {
                reply.send(self.revoke(lease).await).ok();
            }
            Request::Close => {}
        }
    }

    async fn commit(&mut self, transaction: Transaction) -> Result<Commit, StoreError> {
        self.ready().await?;
        match self.model.decide(transaction, Instant::now())? {
            Verdict::Settled(commit) => Ok(commit),
            Verdict::Write(step) => {
                let revision = step.revision;
                self.make(step).await?;
                Ok(Commit::Done(revision))
            }
        }
    }

    async fn grant(&mut self, ttl: Duration) -> Result<Grant, StoreError> {
        self.ready().await?;
        let mut id = random_lease();
        while self.model.has_lease(id) {
            id = random_lease();
        }
        self.make(self.model.grant(id, ttl)).await?;
        Ok(Grant { id, ttl })
    }

    async fn revoke(&mut self, lease: LeaseId) -> Result<(), StoreError> {
        self.ready().await?;
        match self.model.revoke(lease) {
            Some(step) => self.make(step).await,
            None => Ok(()),
        }
    }

    async fn expire(&mut self, lease: LeaseId) {
        if let Err(error) = self.revoke(lease).await {
            warn!(error = %error, "Keys of an expired lease could not be removed; trying again");
            self.not_before = Instant::now() + EXPIRY_RETRY;
        }
    }

    /// Writes a step, then makes it in memory. It must have been decided since [`Owner::ready`].
    async fn make(&mut self, step: Step) -> Result<(), StoreError> {
        let Some(disk) = self.disk.take() else { return Err(self.unavailable(DiskError::Lost)) };
        self.unsettled = Some(step.clone());
        let written = spawn_blocking(move || disk.write(&step).map(|()| disk)).await;
        let error = match written {
            Ok(Ok(disk)) => {
                self.disk = Some(disk);
                self.accept();
                return Ok(());
            }
            Ok(Err(error)) => error.into(),
            Err(_) => DiskError::Interrupted,
        };
        match self.settle().await {
            Ok(true) => Ok(()),
            Ok(false) => Err(self.unavailable(error)),
            Err(_) => {
                let endpoints = self.name.to_string();
                Err(StoreError::OutcomeUnknown { endpoints, source: Box::new(error) })
            }
        }
    }

    /// Makes sure that nothing is decided before it is known what is on the disk.
    async fn ready(&mut self) -> Result<(), StoreError> {
        if self.disk.is_none() {
            self.settle().await.map_err(|error| self.unavailable(error))?;
        }
        Ok(())
    }

    /// After an error: opens the database again and tells whether the last step is in it.
    async fn settle(&mut self) -> Result<bool, DiskError> {
        if matches!(self.place, Place::Memory) {
            return Err(DiskError::Lost);
        }
        let place = self.place.clone();
        let opened = spawn_blocking(move || Disk::open(&place)).await;
        let (disk, _, contents) = opened.unwrap_or(Err(DiskError::Interrupted))?;
        self.disk = Some(disk);
        let landed = self.unsettled.as_ref().is_some_and(|step| contents.has(step));
        if landed {
            self.accept();
        }
        self.unsettled = None;
        Ok(landed)
    }

    fn accept(&mut self) {
        if let Some(step) = self.unsettled.take() {
            self.model.apply(step, Instant::now());
            self.reached.send_replace(self.model.revision());
        }
    }

    fn unavailable(&self, error: DiskError) -> StoreError {
        StoreError::Unavailable { endpoints: self.name.to_string(), source: Box::new(error) }
    }
}

fn random_lease() -> LeaseId {
    let (random, _) = Uuid::new_v4().as_u64_pair();
    // Positive, as etcd's are.
    LeaseId((random >> 1).cast_signed().max(1))
}
