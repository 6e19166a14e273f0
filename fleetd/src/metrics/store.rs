//! How the store answers.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::durations;

type Labels = [(&'static str, &'static str); 1];

/// A request to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Read keys.
    Range,
    /// Carry out a transaction.
    Commit,
    /// Grant a lease.
    Grant,
    /// Renew a lease.
    KeepAlive,
    /// Tell how long a lease has left.
    Remaining,
    /// End a lease.
    Revoke,
}

impl Request {
    const ALL: [Self; 6] =
        [Self::Range, Self::Commit, Self::Grant, Self::KeepAlive, Self::Remaining, Self::Revoke];

    const fn labels(self) -> Labels {
        match self {
            Self::Range => [("request", "range")],
            Self::Commit => [("request", "commit")],
            Self::Grant => [("request", "grant")],
            Self::KeepAlive => [("request", "keep_alive")],
            Self::Remaining => [("request", "remaining")],
            Self::Revoke => [("request", "revoke")],
        }
    }
}

/// The store's figures; clones count together.
#[derive(Clone, Debug)]
pub struct StoreMetrics {
    durations: Family<Labels, Histogram, fn() -> Histogram>,
    failures: Family<Labels, Counter>,
}

impl Default for StoreMetrics {
    fn default() -> Self {
        let constructor: fn() -> Histogram = durations;
        let durations = Family::new_with_constructor(constructor);
        let failures = Family::<_, Counter>::default();
        // What has never happened is 0, not missing.
        for request in Request::ALL {
            drop(durations.get_or_create(&request.labels()));
            drop(failures.get_or_create(&request.labels()));
        }
        Self { durations, failures }
    }
}

impl StoreMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        let durations = "Time that the store took for an answer, failover included";
        registry.register("request_duration_seconds", durations, self.durations.clone());
        let failures = "Requests that the store did not answer, or refused";
        registry.register("request_failures", failures, self.failures.clone());
    }

    /// The store took so long for a request, and did what it was asked, or not.
    pub fn answered(&self, request: Request, duration: Duration, is_good: bool) {
        self.durations.get_or_create(&request.labels()).observe(duration.as_secs_f64());
        if !is_good {
            self.failures.get_or_create(&request.labels()).inc();
        }
    }
}
