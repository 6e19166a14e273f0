//! Which endpoint is asked, and who is asked next when it fails.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use etcd_client::{Client, Error};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::task::TaskTracker;
use tracing::{debug, info, warn};

use super::EtcdOptions;
use super::endpoint::{Endpoint, EtcdOptionsError, TlsFiles};
use super::fault::{Failure, Fault};
use super::members::{self, Learnt, Member};
use super::memory::Memory;
use super::ring::Ring;
use crate::backoff::{Backoff, random_jitter};
use crate::store::{ClusterId, StoreError};

/// Waits after all endpoints have failed. An election of etcd takes one or two seconds.
const BETWEEN_ROUNDS: Backoff =
    Backoff { min: Duration::from_millis(50), max: Duration::from_millis(500) };

/// How often a request may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repeat {
    /// It changes nothing.
    Read,
    /// Sent twice it does what it does sent once.
    Idempotent,
    /// Again only where it certainly was not carried out.
    Once,
}

/// The endpoints of one etcd cluster, all of which use the one that worked last.
#[derive(Debug)]
pub(super) struct Pool {
    options: EtcdOptions,
    memory: Option<Memory>,
    /// Held to look something up, never while anything is sent.
    ring: Mutex<Ring>,
    cluster: AtomicU64,
    tasks: TaskTracker,
}

/// A turn at an endpoint. Dropped without [`Turn::keep`], cancelled callers included, it makes
/// everybody go on to the next endpoint.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    pool: &'a Arc<Pool>,
    endpoint: Arc<Endpoint>,
    kept: bool,
}

impl Turn<'_> {
    pub(super) fn endpoint(&self) -> Arc<Endpoint> {
        Arc::clone(&self.endpoint)
    }

    /// Stays with the endpoint, which has answered.
    pub(super) fn keep(mut self) {
        self.kept = true;
        if self.pool.ring().begins_to_learn(Instant::now()) {
            let (pool, endpoint) = (Arc::clone(self.pool), self.endpoint());
            self.pool.tasks.spawn(async move { pool.learn_from(&endpoint).await });
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if !self.kept {
            self.pool.leave(&self.endpoint);
        }
    }
}

impl Pool {
    /// `start` spreads the clients of a cluster over its members. What the memory holds is used
    /// after what is configured.
    pub(super) fn new(
        options: &EtcdOptions,
        memory: Option<Memory>,
        start: usize,
    ) -> Result<Self, EtcdOptionsError> {
        let tls = options.tls.clone().unwrap_or_default().read()?;
        let pool = Self {
            ring: Mutex::new(Ring::new(options, tls, start)?),
            options: options.clone(),
            memory,
            cluster: AtomicU64::new(0),
            tasks: TaskTracker::new(),
        };
        let known = pool.memory.as_ref().map(|memory| memory.recall(&options.endpoints));
        pool.adopt(&[Member::remembered(known.unwrap_or_default())]);
        Ok(pool)
    }

    pub(super) const fn request_timeout(&self) -> Duration {
        self.options.request_timeout
    }

    /// What goes on beside requests.
    pub(super) const fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }

    /// URLs of all endpoints that are in use.
    pub(super) fn urls(&self) -> Vec<String> {
        self.ring().urls()
    }

    /// Connects with the certificates of these files from now on.
    pub(super) fn renew(&self, files: &TlsFiles) -> Result<(), EtcdOptionsError> {
        let tls = files.read()?;
        self.ring().renew(tls)
    }

    /// Takes a turn at the endpoint that is in use.
    pub(super) fn turn(self: &Arc<Self>) -> Turn<'_> {
        Turn { pool: self, endpoint: self.current(), kept: false }
    }

    /// The endpoint that is in use.
    pub(super) fn current(&self) -> Arc<Endpoint> {
        self.ring().current()
    }

    /// Makes everybody go on from an endpoint that failed, also after its turn was over.
    pub(super) fn leave(&self, endpoint: &Arc<Endpoint>) {
        self.ring().leave(endpoint);
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks an endpoint that works which members there are. If it does not tell, what is known stays.
    async fn learn_from(&self, endpoint: &Endpoint) {
        let listing = async { endpoint.client().await?.member_list().await };
        let error = match timeout(self.request_timeout(), listing).await {
            Ok(Ok(answer)) => return self.learn(&members::listed(&answer)),
            Ok(Err(error)) => Failure::new(&endpoint.url, error),
            Err(_) => Failure::silent(&endpoint.url, self.request_timeout()),
        };
        debug!(%error, "Members of etcd are not told");
    }

    fn learn(&self, members: &[Member]) {
        if self.adopt(members)
            && let Some(memory) = &self.memory
        {
            memory.keep(&self.options.endpoints, &self.urls());
        }
    }

    /// Uses what these members have to offer, and tells whether that is another choice than before.
    fn adopt(&self, members: &[Member]) -> bool {
        let learnt = members::learn(&self.options.endpoints, members);
        let Learnt { endpoints, unreachable } = learnt.clone();
        if !self.ring().adopt(learnt, &self.options) {
            return false;
        }
        info!(?endpoints, "Using the members of etcd");
        if !unreachable.is_empty() {
            let hint = "they should have advertise-client-urls that other hosts can use";
            warn!(members = ?unreachable, hint, "Some members of etcd cannot be used");
        }
        true
    }

    /// The cluster that the last read saw, 0 if there was none.
    pub(super) fn cluster(&self) -> ClusterId {
        ClusterId(self.cluster.load(Ordering::Relaxed))
    }

    pub(super) fn saw_cluster(&self, cluster: ClusterId) {
        self.cluster.store(cluster.0, Ordering::Relaxed);
    }

    /// Sends a request until an endpoint answers, as long as `repeat` allows it: at least once to
    /// each endpoint and once more, and not giving up before the time of one request has passed.
    pub(super) async fn call<T, F, Fut>(
        self: &Arc<Self>,
        repeat: Repeat,
        request: F,
    ) -> Result<T, StoreError>
    where
        F: Fn(Client) -> Fut,
        Fut: Future<Output = Result<T, Error>>,
    {
        let patience = Instant::now() + self.request_timeout();
        let mut attempts = 0;
        loop {
            let failure = match self.attempt(&request).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            attempts += 1;
            let endpoints = self.ring().len();
            let tired = attempts > endpoints && Instant::now() >= patience;
            if tired || !may_repeat(failure.fault, repeat) {
                return Err(self.give_up(repeat, failure));
            }
            if attempts >= endpoints {
                let attempt = u32::try_from(attempts - endpoints).unwrap_or(u32::MAX);
                sleep(BETWEEN_ROUNDS.delay(attempt, random_jitter())).await;
            }
        }
    }

    /// As [`Pool::call`], but done within the time of one request, however many endpoints fail.
    pub(super) async fn call_in_time<T, F, Fut>(
        self: &Arc<Self>,
        repeat: Repeat,
        request: F,
    ) -> Result<T, StoreError>
    where
        F: Fn(Client) -> Fut,
        Fut: Future<Output = Result<T, Error>>,
    {
        match timeout(self.request_timeout(), self.call(repeat, request)).await {
            Ok(outcome) => outcome,
            Err(_) => {
                let failure = Failure::silent(&self.names(), self.request_timeout());
                Err(self.give_up(repeat, failure))
            }
        }
    }

    async fn attempt<T, F, Fut>(self: &Arc<Self>, request: F) -> Result<T, Failure>
    where
        F: Fn(Client) -> Fut,
        Fut: Future<Output = Result<T, Error>>,
    {
        let turn = self.turn();
        let endpoint = turn.endpoint();
        let (url, limit) = (&endpoint.url, self.request_timeout());
        let deadline = Instant::now() + limit;

        let client = match timeout_at(deadline, endpoint.client()).await {
            Ok(Ok(client)) => client,
            Ok(Err(error)) => return Err(Failure::new(url, error).before_request()),
            Err(_) => return Err(Failure::silent(url, limit).before_request()),
        };
        let failure = match timeout_at(deadline, request(client.clone())).await {
            Ok(Ok(answer)) => {
                turn.keep();
                return Ok(answer);
            }
            Ok(Err(error)) => Failure::new(url, error),
            Err(_) => return Err(Failure::silent(url, limit)),
        };
        if failure.fault == Fault::StaleToken
            && let Ok(Err(error)) = timeout_at(deadline, client.refresh_token()).await
        {
            return Err(Failure::new(url, error).before_request());
        }
        if failure.fault.is_answer() {
            turn.keep();
        }
        Err(failure)
    }

    fn names(&self) -> String {
        self.urls().join(", ")
    }

    fn give_up(&self, repeat: Repeat, failure: Failure) -> StoreError {
        let endpoints = self.names();
        match (failure.fault, repeat) {
            (Fault::NotDone | Fault::StaleToken, _) | (Fault::Unknown, Repeat::Read) => {
                StoreError::Unavailable { endpoints, source: Box::new(failure) }
            }
            (Fault::Unknown, Repeat::Idempotent | Repeat::Once) => {
                StoreError::OutcomeUnknown { endpoints, source: Box::new(failure) }
            }
            (Fault::Compacted, _) => StoreError::Compacted,
            (Fault::LeaseGone, _) => StoreError::LeaseGone,
            (Fault::Refused, _) => StoreError::Refused(Box::new(failure)),
        }
    }
}

const fn may_repeat(fault: Fault, repeat: Repeat) -> bool {
    match fault {
        Fault::NotDone | Fault::StaleToken => true,
        Fault::Unknown => matches!(repeat, Repeat::Read | Repeat::Idempotent),
        Fault::Compacted | Fault::LeaseGone | Fault::Refused => false,
    }
}
