//! The store on etcd v3, with failover of our own: etcd-client repeats nothing, and its balancer
//! keeps asking endpoints that are dead.

mod codec;
mod endpoint;
mod fault;
mod members;
mod memory;
mod page;
mod pool;
mod renewal;
mod ring;
mod watch;

#[cfg(test)]
mod access;
#[cfg(test)]
mod failover;
#[cfg(test)]
mod learning;
#[cfg(test)]
pub(crate) mod process;
#[cfg(test)]
mod restored;

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use etcd_client::{Client, GetOptions, GetResponse};
use tokio::sync::mpsc;
use uuid::Uuid;

pub use self::endpoint::{EtcdOptionsError, TlsFiles};
use self::memory::Memory;
use self::page::Page;
use self::pool::{Pool, Repeat};
use self::renewal::{Renewal, Renewals};
use super::{
    Commit, Grant, KeepAlive, LeaseId, Revision, Selection, Snapshot, Store, StoreError,
    Transaction, Watch,
};

/// How often a list of the newest revision starts again because it was compacted underneath.
const LIST_ATTEMPTS: u32 = 3;

/// What etcd itself is able to send in one message; etcd-client would stop at 4 MiB.
const MAX_MESSAGE: usize = i32::MAX as usize;

/// How to reach etcd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EtcdOptions {
    /// URLs of members, through which the others are found.
    pub endpoints: Vec<String>,
    /// How long one endpoint may take to answer one request.
    pub request_timeout: Duration,
    /// User and password, if etcd asks for them.
    pub credentials: Option<Credentials>,
    /// Certificates for `https` endpoints; without them the system's authorities are trusted.
    pub tls: Option<TlsFiles>,
}

/// User and password. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Name of the user.
    pub username: String,
    /// Password of the user.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

/// The store on etcd v3.
#[derive(Clone, Debug)]
pub struct EtcdStore {
    pool: Arc<Pool>,
    renewals: Arc<Renewals>,
    /// Keys that the last list asked for at once.
    page: Arc<AtomicI64>,
}

impl EtcdStore {
    /// Prepares the connections; nothing is sent before the first request. With the first answer
    /// etcd is asked for its members, which are used from then on beside the configured endpoints.
    ///
    /// # Errors
    ///
    /// If the options cannot be used. An etcd that is down is no error.
    pub fn connect(options: &EtcdOptions) -> Result<Self, EtcdOptionsError> {
        Self::new(options, None)
    }

    /// As [`EtcdStore::connect`], with the members that are kept in a file from one process to the
    /// next, in case that none of the configured endpoints answers.
    ///
    /// # Errors
    ///
    /// As [`EtcdStore::connect`]; a file that is not there or cannot be understood is none.
    pub fn remembering(options: &EtcdOptions, file: PathBuf) -> Result<Self, EtcdOptionsError> {
        Self::new(options, Some(Memory::new(file)))
    }

    fn new(options: &EtcdOptions, memory: Option<Memory>) -> Result<Self, EtcdOptionsError> {
        let (random, ..) = Uuid::new_v4().as_fields();
        let pool = Arc::new(Pool::new(options, memory, random as usize)?);
        Ok(Self { pool, renewals: Arc::default(), page: Arc::default() })
    }

    /// Reads the certificates again, for connections to come.
    ///
    /// # Errors
    ///
    /// If they cannot be used; then nothing changes.
    pub fn renew(&self, files: &TlsFiles) -> Result<(), EtcdOptionsError> {
        self.pool().renew(files)?;
        self.renewals.end_all();
        Ok(())
    }

    /// URLs of all endpoints that are in use: those that are configured and those that were learnt.
    #[must_use]
    pub fn endpoints(&self) -> Vec<String> {
        self.pool().urls()
    }

    fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    async fn list(&self, selection: &Selection, at: Revision) -> Result<Snapshot, StoreError> {
        let (from, end) = codec::bounds(selection);
        let mut size = Page::after(self.page.load(Ordering::Relaxed));
        let mut page = self.page(&from, &end, at, &mut size).await?;
        let mut snapshot = Snapshot {
            cluster: codec::cluster(page.header()),
            revision: if at == Revision::ABSENT { codec::revision(page.header()) } else { at },
            entries: Vec::new(),
        };
        loop {
            let next = page.kvs().last().map(|last| codec::after(last.key()));
            let entries = page.take_kvs().into_iter();
            snapshot.entries.extend(entries.map(|entry| codec::key_value(entry.0)));
            let Some(next) = next.filter(|_| page.more()) else { break };
            page = self.page(&next, &end, snapshot.revision, &mut size).await?;
        }
        self.pool().saw_cluster(snapshot.cluster);
        Ok(snapshot)
    }

    async fn page(
        &self,
        from: &[u8],
        end: &[u8],
        at: Revision,
        size: &mut Page,
    ) -> Result<GetResponse, StoreError> {
        let (tries, first) = (AtomicU32::new(0), *size);
        let request = |client: Client| {
            let keys = first.retried(tries.fetch_add(1, Ordering::Relaxed)).keys();
            let options = GetOptions::new().with_range(end).with_limit(keys).with_revision(at.0);
            let mut client = client.kv_client().max_decoding_message_size(MAX_MESSAGE);
            async move { client.get(from, Some(options)).await }
        };
        let answer = self.pool().call(Repeat::Read, request).await;
        let tries = tries.load(Ordering::Relaxed);
        *size = match &answer {
            Ok(answer) if answer.more() => first.retried(tries.saturating_sub(1)).answered(),
            Ok(_) => first.retried(tries.saturating_sub(1)),
            Err(_) => first.retried(tries),
        };
        // A single key says nothing about lists.
        if !end.is_empty() {
            self.page.store(size.keys(), Ordering::Relaxed);
        }
        answer
    }
}

impl Store for EtcdStore {
    async fn range(
        &self,
        selection: &Selection,
        at: Option<Revision>,
    ) -> Result<Snapshot, StoreError> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            match self.list(selection, at.unwrap_or_default()).await {
                Err(StoreError::Compacted) if at.is_none() && attempts < LIST_ATTEMPTS => {}
                outcome => return outcome,
            }
        }
    }

    async fn commit(&self, transaction: Transaction) -> Result<Commit, StoreError> {
        let request = |mut client: Client| {
            let request = codec::transaction(&transaction);
            async move { client.txn(request).await }
        };
        let answer = self.pool().call(Repeat::Once, request).await?;
        let revision = codec::revision(answer.header());
        Ok(if answer.succeeded() { Commit::Done(revision) } else { Commit::Refused(revision) })
    }

    fn watch(&self, selection: &Selection, from: Revision) -> Watch {
        let (sender, batches) = mpsc::channel(watch::BUFFER);
        let task = watch::follow(Arc::clone(self.pool()), selection.clone(), from, sender);
        self.pool().tasks().spawn(task);
        Watch { batches, witness: None }
    }

    async fn grant(&self, ttl: Duration) -> Result<Grant, StoreError> {
        // Sent twice it leaves a lease that nobody uses, which runs out.
        let request =
            |mut client: Client| async move { client.lease_grant(codec::seconds(ttl), None).await };
        let answer = self.pool().call(Repeat::Idempotent, request).await?;
        let grant = Grant {
            id: LeaseId(answer.id()),
            ttl: codec::time_to_live(answer.ttl()).unwrap_or_default(),
        };
        Ok(grant)
    }

    async fn keep_alive(&self, lease: LeaseId) -> Result<KeepAlive, StoreError> {
        let endpoint = self.pool().current();
        let open = Mutex::new(self.renewals.take(lease, &endpoint));
        let request = |client: Client| {
            // Its second try needs another stream.
            let open = open.lock().unwrap_or_else(PoisonError::into_inner).take();
            async move {
                let mut renewal = match open {
                    Some(renewal) => renewal,
                    None => Renewal::open(client, lease).await?,
                };
                Ok((renewal.renew().await?, renewal))
            }
        };
        match self.pool().call_in_time(Repeat::Idempotent, request).await {
            Ok(((ttl, reached), renewal)) => {
                // If another endpoint is in use by now, nobody knows which one it goes to.
                if Arc::ptr_eq(&self.pool().current(), &endpoint) {
                    self.renewals.put(lease, endpoint, renewal);
                }
                Ok(KeepAlive::Renewed { ttl, reached })
            }
            Err(StoreError::LeaseGone) => Ok(KeepAlive::Expired),
            Err(error) => Err(error),
        }
    }

    async fn remaining(&self, lease: LeaseId) -> Result<Option<Duration>, StoreError> {
        let request =
            |mut client: Client| async move { client.lease_time_to_live(lease.0, None).await };
        match self.pool().call(Repeat::Read, request).await {
            Ok(answer) => Ok(codec::time_to_live(answer.ttl())),
            Err(StoreError::LeaseGone) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn revoke(&self, lease: LeaseId) -> Result<(), StoreError> {
        self.renewals.end(lease);
        let request = |mut client: Client| async move { client.lease_revoke(lease.0).await };
        match self.pool().call(Repeat::Idempotent, request).await {
            Ok(_) | Err(StoreError::LeaseGone) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
