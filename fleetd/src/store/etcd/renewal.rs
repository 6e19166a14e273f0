//! Leases that are kept alive: a stream for each, so that a renewal is one message and its answer.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use etcd_client::{Client, Error, LeaseKeepAliveStream, LeaseKeeper};

use super::codec;
use super::endpoint::Endpoint;
use crate::store::{LeaseId, Revision};

/// The streams that are open, by their leases, and where they go. Whoever renews a lease takes its stream out and puts
/// it back with the answer: a stream that still owes one is never used again.
#[derive(Debug, Default)]
pub(super) struct Renewals(Mutex<BTreeMap<LeaseId, Open>>);

type Open = (Arc<Endpoint>, Renewal);

impl Renewals {
    /// Takes the stream of a lease, if it goes to this endpoint.
    pub(super) fn take(&self, lease: LeaseId, endpoint: &Arc<Endpoint>) -> Option<Renewal> {
        let (whither, renewal) = self.open().remove(&lease)?;
        Arc::ptr_eq(&whither, endpoint).then_some(renewal)
    }

    pub(super) fn put(&self, lease: LeaseId, endpoint: Arc<Endpoint>, renewal: Renewal) {
        self.open().insert(lease, (endpoint, renewal));
    }

    pub(super) fn end(&self, lease: LeaseId) {
        self.open().remove(&lease);
    }

    /// Ends all, so that the next renewals make new connections.
    pub(super) fn end_all(&self) {
        self.open().clear();
    }

    fn open(&self) -> MutexGuard<'_, BTreeMap<LeaseId, Open>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The stream of one lease.
#[derive(Debug)]
pub(super) struct Renewal {
    keeper: LeaseKeeper,
    answers: LeaseKeepAliveStream,
}

impl Renewal {
    /// Opens a stream. etcd-client sends a first request with it and drops the answer.
    pub(super) async fn open(mut client: Client, lease: LeaseId) -> Result<Self, Error> {
        let (keeper, answers) = client.lease_keep_alive(lease.0).await?;
        Ok(Self { keeper, answers })
    }

    /// Renews the lease: for how long, and how far the store has come.
    pub(super) async fn renew(&mut self) -> Result<(Duration, Revision), Error> {
        self.keeper.keep_alive().await?;
        let ended = || Error::LeaseKeepAliveError("the stream ended".to_owned());
        let answer = self.answers.message().await?.ok_or_else(ended)?;
        Ok((codec::renewed(answer.ttl())?, codec::revision(answer.header())))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::super::process::Etcd;
    use crate::store::{KeepAlive, Store};

    use super::*;

    /// Requests to keep a lease alive that an etcd has had.
    async fn requests(etcd: &Etcd) -> u64 {
        let address = etcd.url().strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET /metrics HTTP/1.0\r\nHost: {address}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        let line = text.lines().find(|line| {
            line.starts_with("grpc_server_msg_received_total")
                && line.contains("grpc_method=\"LeaseKeepAlive\"")
        });
        line.unwrap().rsplit_once(' ').unwrap().1.parse().unwrap()
    }

    fn is_renewed(kept: &KeepAlive) -> bool {
        matches!(kept, KeepAlive::Renewed { .. })
    }

    #[tokio::test]
    async fn a_renewal_is_one_request_after_the_first() {
        let etcd = Etcd::start().await;
        let store = etcd.store();
        let lease = store.grant(Duration::from_secs(60)).await.unwrap().id;
        store.keep_alive(lease).await.unwrap();
        let before = requests(&etcd).await;

        for _ in 0..5 {
            assert!(is_renewed(&store.keep_alive(lease).await.unwrap()));
        }

        assert_eq!(requests(&etcd).await, before + 5);
    }

    #[tokio::test]
    async fn a_lease_that_ended_between_two_renewals_is_gone() {
        let etcd = Etcd::start().await;
        let store = etcd.store();
        let lease = store.grant(Duration::from_secs(60)).await.unwrap().id;
        assert!(is_renewed(&store.keep_alive(lease).await.unwrap()));

        etcd.store().revoke(lease).await.unwrap();

        assert_eq!(store.keep_alive(lease).await.unwrap(), KeepAlive::Expired);
        assert_eq!(store.keep_alive(lease).await.unwrap(), KeepAlive::Expired);
    }

    #[tokio::test]
    async fn a_lease_is_renewed_elsewhere_when_the_member_of_its_stream_dies() {
        let mut etcd = Etcd::start_cluster(3).await;
        let leader = etcd.leader().await;
        let urls = etcd.urls().into_iter().filter(|url| *url != leader);
        let followers: Vec<_> = urls.map(str::to_owned).collect();
        let store = etcd.store_at(&[&followers[0], &followers[1]]);
        let lease = store.grant(Duration::from_secs(60)).await.unwrap().id;
        assert!(is_renewed(&store.keep_alive(lease).await.unwrap()));

        etcd.kill(&store.pool().current().url);

        for _ in 0..3 {
            assert!(is_renewed(&store.keep_alive(lease).await.unwrap()));
        }
    }
}
