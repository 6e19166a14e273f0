//! The endpoints that are in use, whose turn it is, and when to ask for them anew.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tonic::transport::ClientTlsConfig;
use tracing::warn;

use super::EtcdOptions;
use super::endpoint::{Endpoint, EtcdOptionsError};
use super::members::Learnt;
use crate::log::chain;

/// Members come and go without a sign for those whose own member stays. One read that costs no more
/// than a renewal of a lease, with a call that is made anyway.
const LEARNT_FOR: Duration = Duration::from_secs(300);

/// A cluster in trouble, which makes everybody go round, is asked no more often than that.
const BETWEEN_LESSONS: Duration = Duration::from_secs(1);

/// Endpoints in the order of their turns. Never empty.
pub(super) struct Ring {
    endpoints: Vec<Arc<Endpoint>>,
    current: usize,
    tls: ClientTlsConfig,
    learnt: Learnt,
    asked: Option<Instant>,
    has_moved: bool,
}

// The certificates come with their key.
impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ring").field("endpoints", &self.endpoints).finish_non_exhaustive()
    }
}

impl Ring {
    /// The configured endpoints, of which `start` takes one.
    pub(super) fn new(
        options: &EtcdOptions,
        tls: ClientTlsConfig,
        start: usize,
    ) -> Result<Self, EtcdOptionsError> {
        let endpoints = options.endpoints.iter().map(|url| Endpoint::new(url, options, &tls));
        let endpoints = endpoints.map(|made| made.map(Arc::new)).collect::<Result<Vec<_>, _>>()?;
        let current = start.checked_rem(endpoints.len()).ok_or(EtcdOptionsError::NoEndpoint)?;
        let learnt = Learnt { endpoints: options.endpoints.clone(), ..Learnt::default() };
        Ok(Self { endpoints, current, tls, learnt, asked: None, has_moved: false })
    }

    pub(super) fn len(&self) -> usize {
        self.endpoints.len()
    }

    pub(super) fn urls(&self) -> Vec<String> {
        self.endpoints.iter().map(|endpoint| endpoint.url.clone()).collect()
    }

    pub(super) fn current(&self) -> Arc<Endpoint> {
        Arc::clone(&self.endpoints[self.current])
    }

    /// Goes on from an endpoint. If another caller has moved on already, its choice stands.
    pub(super) fn leave(&mut self, endpoint: &Arc<Endpoint>) {
        if Arc::ptr_eq(&self.endpoints[self.current], endpoint) {
            self.current = (self.current + 1) % self.endpoints.len();
            self.has_moved = true;
        }
    }

    /// Whether, now that an endpoint has answered, it is to be asked for the members: at first, after
    /// another one has failed, and once in a while. If so, that counts as done.
    pub(super) fn begins_to_learn(&mut self, now: Instant) -> bool {
        let patience = if self.has_moved { BETWEEN_LESSONS } else { LEARNT_FOR };
        let is_due = self.asked.is_none_or(|asked| now >= asked + patience);
        if is_due {
            (self.asked, self.has_moved) = (Some(now), false);
        }
        is_due
    }

    /// Uses what was learnt; tells whether that is news. Endpoints that stay keep their connections.
    pub(super) fn adopt(&mut self, learnt: Learnt, options: &EtcdOptions) -> bool {
        if learnt == self.learnt {
            return false;
        }
        let current = self.current();
        let wanted = learnt.endpoints.iter();
        self.endpoints = wanted.filter_map(|url| self.endpoint(url, options)).collect();
        let place = self.endpoints.iter().position(|known| Arc::ptr_eq(known, &current));
        self.current = place.unwrap_or_default();
        self.learnt = learnt;
        true
    }

    fn endpoint(&self, url: &str, options: &EtcdOptions) -> Option<Arc<Endpoint>> {
        if let Some(known) = self.endpoints.iter().find(|known| known.url == url) {
            return Some(Arc::clone(known));
        }
        let made = Endpoint::new(url, options, &self.tls);
        let made = made.inspect_err(|error| {
            warn!(endpoint = url, error = %chain(error), "Member of etcd is not used");
        });
        made.ok().map(Arc::new)
    }

    /// Connects with these certificates from now on, new endpoints included.
    pub(super) fn renew(&mut self, tls: ClientTlsConfig) -> Result<(), EtcdOptionsError> {
        // Whatever is wrong with them is wrong for all endpoints, and told for the first.
        self.endpoints.iter().try_for_each(|endpoint| endpoint.renew(&tls))?;
        self.tls = tls;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "http://10.0.0.1:2379";
    const TWO: &str = "http://10.0.0.2:2379";
    const THREE: &str = "http://10.0.0.3:2379";

    fn options(urls: &[&str]) -> EtcdOptions {
        EtcdOptions {
            endpoints: urls.iter().map(|url| (*url).to_owned()).collect(),
            request_timeout: Duration::from_secs(1),
            credentials: None,
            tls: None,
        }
    }

    fn ring(urls: &[&str]) -> Ring {
        Ring::new(&options(urls), ClientTlsConfig::new(), 0).unwrap()
    }

    fn lesson(urls: &[&str]) -> Learnt {
        Learnt { endpoints: options(urls).endpoints, ..Learnt::default() }
    }

    #[test]
    fn an_endpoint_that_stays_keeps_its_turn_and_its_connection() {
        let mut ring = ring(&[ONE, TWO]);
        ring.leave(&ring.current());
        let two = ring.current();

        assert!(ring.adopt(lesson(&[ONE, THREE, TWO]), &options(&[ONE, TWO])));

        assert!(Arc::ptr_eq(&ring.current(), &two));
        assert_eq!(ring.urls(), [ONE, THREE, TWO]);
        assert!(!ring.adopt(lesson(&[ONE, THREE, TWO]), &options(&[ONE, TWO])));
    }

    #[test]
    fn when_the_endpoint_in_use_is_gone_it_is_the_turn_of_the_first() {
        let mut ring = ring(&[ONE]);
        ring.adopt(lesson(&[ONE, TWO, THREE]), &options(&[ONE]));
        ring.leave(&ring.current());
        let two = ring.current();

        ring.adopt(lesson(&[ONE, THREE]), &options(&[ONE]));

        assert_eq!(ring.current().url, ONE);
        // Whoever still has it in hands does not take the turn away.
        ring.leave(&two);
        assert_eq!(ring.current().url, ONE);
    }

    #[test]
    fn members_are_asked_for_at_first_after_a_failure_and_once_in_a_while() {
        let mut ring = ring(&[ONE]);
        let start = Instant::now();
        let mut asks = |millis| {
            let now = start + Duration::from_millis(millis);
            (ring.begins_to_learn(now), ring.begins_to_learn(now))
        };
        assert_eq!([asks(0), asks(999)], [(true, false), (false, false)]);
        assert_eq!([asks(299_999), asks(300_000)], [(false, false), (true, false)]);

        ring.leave(&ring.current());

        let mut asks = |millis| ring.begins_to_learn(start + Duration::from_millis(millis));
        assert_eq!([300_999, 301_000, 302_000].map(&mut asks), [false, true, false]);
    }
}
