//! The revisioned key-value store that the cluster shares, with the meaning of etcd v3: ranges at
//! a revision, transactions with compares, watches from a revision, leases.
//!
//! This module knows nothing of units or machines. Both implementations, [`etcd`] and
//! [`embedded`], pass the same contract tests.

use std::future::Future;
use std::time::Duration;

use tokio::sync::mpsc;

#[cfg(test)]
mod contract;
pub mod embedded;
pub mod etcd;
pub mod measured;
mod witness;

pub use witness::{Witness, Witnessed};

/// A revision of the store: grows by one with each transaction that changes something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub i64);

impl Revision {
    /// The create and mod revision that a key has while it does not exist.
    pub const ABSENT: Self = Self(0);

    /// The revision after this one, where a watch that follows a list begins.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl std::fmt::Display for Revision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Identity of a lease; never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaseId(pub i64);

/// Identity of the store itself: another value means another cluster, or a rebuilt one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClusterId(pub u64);

/// One key with its value and history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyValue {
    /// The key; bytes that are not UTF-8 are replaced, such a key is none of ours.
    pub key: String,
    /// The value, whatever somebody wrote.
    pub value: Vec<u8>,
    /// Revision of the write that created the key.
    pub create_revision: Revision,
    /// Revision of the last write.
    pub mod_revision: Revision,
    /// Lease that the key dies with.
    pub lease: Option<LeaseId>,
}

/// Which keys a range or a watch covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// This key alone.
    Key(String),
    /// All keys that begin so.
    Prefix(String),
}

/// What a range found, all of it at one revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Store that answered.
    pub cluster: ClusterId,
    /// Revision at which the entries were read.
    pub revision: Revision,
    /// Entries in the order of their keys.
    pub entries: Vec<KeyValue>,
}

/// A condition of a [`Transaction`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compare {
    /// The key was created at this revision ([`Revision::ABSENT`]: it does not exist).
    Created(String, Revision),
    /// The key was last written at this revision ([`Revision::ABSENT`]: it does not exist).
    Modified(String, Revision),
}

/// A write of a [`Transaction`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Sets a key, bound to a lease if one is given.
    Put {
        /// The key.
        key: String,
        /// The new value.
        value: Vec<u8>,
        /// Lease that the key dies with.
        lease: Option<LeaseId>,
    },
    /// Removes a key; no error if it does not exist.
    Delete(String),
}

/// Most compares, and most writes, in one transaction. etcd's default limit is 128 of each.
pub const MAX_OPERATIONS: usize = 120;

/// Most bytes of one transaction. etcd's default limit is 1.5 MiB.
pub const MAX_BYTES: usize = 1024 * 1024;

/// Writes that land together, if all compares hold, or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transaction {
    /// Conditions, all of which must hold.
    pub compares: Vec<Compare>,
    /// Writes, each key at most once.
    pub writes: Vec<Write>,
}

/// How a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Commit {
    /// All compares held; the writes landed at this revision.
    Done(Revision),
    /// A compare did not hold; nothing was written. The store was at this revision.
    Refused(Revision),
}

/// A lease as the store granted it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Its identity.
    pub id: LeaseId,
    /// The time to live that the store gave, at least what was asked for.
    pub ttl: Duration,
}

/// Answer to one keep-alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepAlive {
    /// It lives on.
    Renewed {
        /// For so long from now.
        ttl: Duration,
        /// A revision that the store has reached.
        reached: Revision,
    },
    /// The store does not know the lease (any more): its keys are gone.
    Expired,
}

/// A change of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The key was set.
    Put(KeyValue),
    /// The key was removed, or its lease ran out.
    Delete {
        /// The key.
        key: String,
        /// Revision of the removal.
        revision: Revision,
    },
}

impl Event {
    /// Revision of the change.
    #[must_use]
    pub const fn revision(&self) -> Revision {
        match self {
            Self::Put(entry) => entry.mod_revision,
            Self::Delete { revision, .. } => *revision,
        }
    }
}

/// What a watch delivers.
#[derive(Debug)]
pub enum WatchBatch {
    /// All selected changes up to and including this revision; a revision is never split over two
    /// batches.
    Changes {
        /// Revision of the last event.
        revision: Revision,
        /// The changes, oldest first.
        events: Vec<Event>,
    },
    /// The wanted history is gone (compaction), or the store is another one: list again. The last
    /// batch of its watch.
    Relist,
}

/// A running watch: ends when it is dropped. Reconnects by itself and loses and repeats nothing.
#[derive(Debug)]
pub struct Watch {
    pub(crate) batches: mpsc::Receiver<WatchBatch>,
    /// Who has to know how far the store has come.
    pub(crate) witness: Option<Witness>,
}

impl Watch {
    /// Waits for the next batch. `None` after [`WatchBatch::Relist`] or when the store shuts down.
    ///
    /// Cancel safe.
    pub async fn next(&mut self) -> Option<WatchBatch> {
        let batch = self.batches.recv().await;
        if let (Some(witness), Some(WatchBatch::Changes { revision, .. })) = (&self.witness, &batch)
        {
            witness.reached(*revision);
        }
        batch
    }
}

/// Why the store did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No endpoint answered in time, or no member leads; nothing was done.
    #[error("cannot reach the store at {endpoints}")]
    Unavailable {
        /// Endpoints that were tried.
        endpoints: String,
        /// What the last of them said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The request went out and no answer came: it may have been carried out or not.
    #[error("the store at {endpoints} did not answer; whether it wrote is not known")]
    OutcomeUnknown {
        /// Endpoints that were tried.
        endpoints: String,
        /// What was seen.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The revision asked for is compacted.
    #[error("the store has forgotten the revision asked for")]
    Compacted,
    /// A write names a lease that is gone; nothing was written.
    #[error("the lease is gone")]
    LeaseGone,
    /// The store is not the one that it was, as this sentence says; nothing was written.
    #[error("{0}")]
    Doubted(String),
    /// The store answered, and says no: credentials, quota, size of the request.
    #[error("the store refuses the request")]
    Refused(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl StoreError {
    /// Whether trying again later may help.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::OutcomeUnknown { .. })
    }
}

/// The store. Clones share their connections.
///
/// Each call has a deadline of its own (`etcd_request_timeout` per attempt) and may be cancelled;
/// a cancelled commit has an unknown outcome.
pub trait Store: Clone + Send + Sync + 'static {
    /// Reads all selected keys at one revision: the current one, or `at`.
    fn range(
        &self,
        selection: &Selection,
        at: Option<Revision>,
    ) -> impl Future<Output = Result<Snapshot, StoreError>> + Send;

    /// Carries out a transaction. Repeats it by itself only where it certainly did not land.
    fn commit(
        &self,
        transaction: Transaction,
    ) -> impl Future<Output = Result<Commit, StoreError>> + Send;

    /// Watches from a revision on (inclusive): the one after that of the list that it continues.
    /// A store that has not come that far is another one, or an older copy, and to be listed again.
    fn watch(&self, selection: &Selection, from: Revision) -> Watch;

    /// Grants a lease of at least `ttl`.
    fn grant(&self, ttl: Duration) -> impl Future<Output = Result<Grant, StoreError>> + Send;

    /// Renews a lease once.
    fn keep_alive(
        &self,
        lease: LeaseId,
    ) -> impl Future<Output = Result<KeepAlive, StoreError>> + Send;

    /// Tells how long a lease has left without renewing it; `None` if it is gone.
    fn remaining(
        &self,
        lease: LeaseId,
    ) -> impl Future<Output = Result<Option<Duration>, StoreError>> + Send;

    /// Ends a lease and removes its keys; no error if it is gone.
    fn revoke(&self, lease: LeaseId) -> impl Future<Output = Result<(), StoreError>> + Send;
}
