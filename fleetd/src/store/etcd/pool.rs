//! Which endpoint is asked, and who is asked next when it fails.

use std::future::Future;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use etcd_client::{Client, Error};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::endpoint::Endpoint;
use super::fault::{Failure, Fault};
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
    endpoints: Vec<Endpoint>,
    current: AtomicUsize,
    request_timeout: Duration,
    names: String,
    cluster: AtomicU64,
}

/// A turn at an endpoint. Dropped without [`Turn::keep`], cancelled callers included, it makes
/// everybody go on to the next endpoint.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    pool: &'a Pool,
    index: usize,
    kept: bool,
}

impl<'a> Turn<'a> {
    pub(super) fn endpoint(&self) -> &'a Endpoint {
        &self.pool.endpoints[self.index]
    }

    /// Stays with the endpoint.
    pub(super) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if !self.kept {
            self.pool.go_on_from(self.index);
        }
    }
}

impl Pool {
    /// `start` spreads the clients of a cluster over its members. `endpoints` must not be empty.
    pub(super) fn new(endpoints: Vec<Endpoint>, request_timeout: Duration, start: usize) -> Self {
        let names = endpoints.iter().map(|endpoint| endpoint.url.as_str()).collect::<Vec<_>>();
        Self {
            names: names.join(", "),
            current: AtomicUsize::new(start % endpoints.len()),
            cluster: AtomicU64::new(0),
            endpoints,
            request_timeout,
        }
    }

    pub(super) const fn request_timeout(&self) -> Duration {
        self.request_timeout
    }

    /// All endpoints.
    pub(super) fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// Takes a turn at the endpoint that is in use.
    pub(super) fn turn(&self) -> Turn<'_> {
        Turn { pool: self, index: self.current.load(Ordering::Relaxed), kept: false }
    }

    /// Makes everybody go on from an endpoint that failed after its turn was over.
    pub(super) fn leave(&self, endpoint: &Endpoint) {
        let current = self.current.load(Ordering::Relaxed);
        if std::ptr::eq(&self.endpoints[current], endpoint) {
            self.go_on_from(current);
        }
    }

    fn go_on_from(&self, index: usize) {
        let next = (index + 1) % self.endpoints.len();
        // If another caller has moved on already, its choice stands.
        self.current.compare_exchange(index, next, Ordering::Relaxed, Ordering::Relaxed).ok();
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
    pub(super) async fn call<T, F, Fut>(&self, repeat: Repeat, request: F) -> Result<T, StoreError>
    where
        F: Fn(Client) -> Fut,
        Fut: Future<Output = Result<T, Error>>,
    {
        let patience = Instant::now() + self.request_timeout;
        let mut attempts = 0;
        loop {
            let failure = match self.attempt(&request).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            attempts += 1;
            let tired = attempts > self.endpoints.len() && Instant::now() >= patience;
            if tired || !may_repeat(failure.fault, repeat) {
                return Err(self.give_up(repeat, failure));
            }
            if attempts >= self.endpoints.len() {
                let attempt = u32::try_from(attempts - self.endpoints.len()).unwrap_or(u32::MAX);
                sleep(BETWEEN_ROUNDS.delay(attempt, random_jitter())).await;
            }
        }
    }

    /// As [`Pool::call`], but done within the time of one request, however many endpoints fail.
    pub(super) async fn call_in_time<T, F, Fut>(
        &self,
        repeat: Repeat,
        request: F,
    ) -> Result<T, StoreError>
    where
        F: Fn(Client) -> Fut,
        Fut: Future<Output = Result<T, Error>>,
    {
        match timeout(self.request_timeout, self.call(repeat, request)).await {
            Ok(outcome) => outcome,
            Err(_) => {
                let failure = Failure::silent(&self.names, self.request_timeout);
                Err(self.give_up(repeat, failure))
            }
        }
    }

    async fn attempt<T, F, Fut>(&self, request: F) -> Result<T, Failure>
    where
        F: Fn(Client) -> Fut,
        Fut: Future<Output = Result<T, Error>>,
    {
        let turn = self.turn();
        let url = &turn.endpoint().url;
        let deadline = Instant::now() + self.request_timeout;

        let client = match timeout_at(deadline, turn.endpoint().client()).await {
            Ok(Ok(client)) => client,
            Ok(Err(error)) => return Err(Failure::new(url, error).before_request()),
            Err(_) => return Err(Failure::silent(url, self.request_timeout).before_request()),
        };
        let failure = match timeout_at(deadline, request(client.clone())).await {
            Ok(Ok(answer)) => {
                turn.keep();
                return Ok(answer);
            }
            Ok(Err(error)) => Failure::new(url, error),
            Err(_) => return Err(Failure::silent(url, self.request_timeout)),
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

    fn give_up(&self, repeat: Repeat, failure: Failure) -> StoreError {
        let endpoints = self.names.clone();
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
