//! One watch: a stream that is resumed where it broke, at whichever endpoint answers.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use etcd_client::proto::PbWatchResponse;
use etcd_client::{Client, Error, WatchOptions, WatchStream};
use tokio::sync::mpsc::Sender;
use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, info, warn};

use super::endpoint::Endpoint;
use super::fault::Failure;
use super::pool::Pool;
use super::{MAX_MESSAGE, codec};
use crate::backoff::{Backoff, random_jitter};
use crate::store::{ClusterId, Event, Revision, Selection, WatchBatch};

/// Batches that wait for their reader before etcd is made to wait.
pub(super) const BUFFER: usize = 16;

const BETWEEN_STREAMS: Backoff =
    Backoff { min: Duration::from_millis(50), max: Duration::from_secs(2) };

/// A stream that lived this long was a good one: what follows is a new outage.
const GOOD_STREAM: Duration = Duration::from_secs(10);

/// Follows a selection until its reader is gone or the history is.
pub(super) async fn follow(
    pool: Arc<Pool>,
    selection: Selection,
    from: Revision,
    batches: Sender<WatchBatch>,
) {
    let mut follower = Follower {
        expected: pool.cluster(),
        position: Position::new(from),
        pool: &pool,
        selection,
        batches: &batches,
        failures: 0,
        warned: false,
    };
    tokio::select! {
        () = batches.closed() => {}
        () = follower.run() => {}
    }
}

struct Follower<'a> {
    pool: &'a Arc<Pool>,
    selection: Selection,
    position: Position,
    /// The cluster that the reader listed before it began to watch; 0 is not known yet.
    expected: ClusterId,
    batches: &'a Sender<WatchBatch>,
    failures: u32,
    warned: bool,
}

struct Opened {
    client: Client,
    stream: WatchStream,
    opening: PbWatchResponse,
}

/// Whether a store has the history that a watch continues.
enum Continuation {
    Known,
    Lost,
}

/// How a stream ended.
#[derive(Debug)]
enum End {
    Relist,
    Broken(Failure),
    ReaderGone,
}

impl Follower<'_> {
    async fn run(&mut self) {
        loop {
            let opened = Instant::now();
            match self.stream().await {
                End::ReaderGone => return,
                End::Relist => {
                    self.batches.send(WatchBatch::Relist).await.ok();
                    return;
                }
                End::Broken(failure) => self.broken(&failure, opened),
            }
            sleep(BETWEEN_STREAMS.delay(self.failures.saturating_sub(1), random_jitter())).await;
        }
    }

    fn broken(&mut self, failure: &Failure, opened: Instant) {
        self.position.fragments.clear();
        if opened.elapsed() >= GOOD_STREAM {
            self.failures = 0;
        }
        self.failures += 1;
        // The first failure is what any restart of a member looks like.
        if self.failures > 1 && !self.warned {
            self.warned = true;
            warn!(error = %failure, "Watch of the store is interrupted; trying again");
        } else {
            debug!(error = %failure, attempt = self.failures, "Watch of the store broke");
        }
    }

    async fn stream(&mut self) -> End {
        let turn = self.pool.turn();
        let endpoint = turn.endpoint();
        let opened = match self.open(&endpoint).await {
            Ok(opened) => opened,
            Err(failure) => return End::Broken(failure),
        };
        match self.check(&endpoint, &opened).await {
            Ok(Continuation::Known) => turn.keep(),
            Ok(Continuation::Lost) => {
                turn.keep();
                return End::Relist;
            }
            Err(failure) => return End::Broken(failure),
        }
        let end = self.pump(&endpoint, opened).await;
        if matches!(end, End::Broken(_)) {
            self.pool.leave(&endpoint);
        }
        end
    }

    /// Hands on what the stream brings.
    async fn pump(&mut self, endpoint: &Endpoint, opened: Opened) -> End {
        let Opened { client, mut stream, opening } = opened;
        let mut answer = opening;
        if !answer.canceled && self.warned {
            self.warned = false;
            info!(attempt = self.failures, "Watch of the store goes on");
        }
        loop {
            if answer.canceled {
                return self.cancelled(endpoint, &client, &answer).await;
            }
            if !answer.created {
                self.failures = 0;
            }
            if let Some(batch) = self.position.take(answer)
                && self.batches.send(batch).await.is_err()
            {
                return End::ReaderGone;
            }
            answer = match stream.message().await {
                Ok(Some(answer)) => answer.0,
                Ok(None) => return End::Broken(stream_ended(endpoint)),
                Err(error) => return End::Broken(Failure::new(&endpoint.url, error)),
            };
        }
    }

    async fn open(&self, endpoint: &Endpoint) -> Result<Opened, Failure> {
        let (key, end) = codec::bounds(&self.selection);
        let options = WatchOptions::new()
            .with_range(end)
            .with_start_revision(self.position.next.0)
            .with_fragment()
            .with_progress_notify();
        let open = async {
            let client = endpoint.client().await?;
            let mut watch = client.watch_client().max_decoding_message_size(MAX_MESSAGE);
            let mut stream = watch.watch(key, Some(options)).await?;
            let opening = stream.message().await?;
            Ok(opening.map(|opening| Opened { client, stream, opening: opening.0 }))
        };
        self.in_time(endpoint, open).await?.ok_or_else(|| stream_ended(endpoint))
    }

    /// Tells whether the store still has the history that this watch continues.
    async fn check(
        &mut self,
        endpoint: &Endpoint,
        opened: &Opened,
    ) -> Result<Continuation, Failure> {
        let Some(header) = &opened.opening.header else { return Err(stream_ended(endpoint)) };
        let cluster = ClusterId(header.cluster_id);
        if self.expected == ClusterId::default() {
            self.expected = cluster;
        }
        let mut reached = Revision(header.revision);
        if self.position.is_ahead_of(reached) {
            // The member may just lag behind; a linearizable read knows.
            let (key, _) = codec::bounds(&self.selection);
            let mut client = opened.client.clone();
            let answer = self.in_time(endpoint, client.get(key, None)).await?;
            reached = codec::revision(answer.header());
        }
        Ok(if cluster == self.expected && !self.position.is_ahead_of(reached) {
            Continuation::Known
        } else {
            Continuation::Lost
        })
    }

    async fn cancelled(
        &self,
        endpoint: &Endpoint,
        client: &Client,
        answer: &PbWatchResponse,
    ) -> End {
        if answer.compact_revision > 0 {
            return End::Relist;
        }
        // Of a stale token etcd 3.4 says here that permission is denied, which etcd-client does not
        // take for a reason to renew it.
        End::Broken(match self.in_time(endpoint, client.refresh_token()).await {
            Ok(()) => Failure::new(&endpoint.url, Error::WatchError(answer.cancel_reason.clone())),
            Err(failure) => failure,
        })
    }

    async fn in_time<T>(
        &self,
        endpoint: &Endpoint,
        request: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Failure> {
        let limit = self.pool.request_timeout();
        match timeout(limit, request).await {
            Ok(outcome) => outcome.map_err(|error| Failure::new(&endpoint.url, error)),
            Err(_) => Err(Failure::silent(&endpoint.url, limit)),
        }
    }
}

fn stream_ended(endpoint: &Endpoint) -> Failure {
    Failure::new(&endpoint.url, Error::WatchError("the stream ended".to_owned()))
}

/// How far a watch has come, and the fragments of what comes next.
#[derive(Debug)]
struct Position {
    next: Revision,
    fragments: Vec<Event>,
}

impl Position {
    const fn new(next: Revision) -> Self {
        Self { next, fragments: Vec::new() }
    }

    /// Whether this watch has seen more than a store that is at `reached`.
    fn is_ahead_of(&self, reached: Revision) -> bool {
        self.next > reached.next()
    }

    /// Takes an answer, and gives a batch once it is whole.
    fn take(&mut self, answer: PbWatchResponse) -> Option<WatchBatch> {
        let reached = answer.header.map_or(0, |header| header.revision);
        let is_progress = !answer.created && answer.events.is_empty() && !answer.fragment;
        let next = self.next;
        // A member that caught up through a snapshot may tell of changes before the one asked for.
        let events = answer.events.into_iter().filter_map(codec::event);
        self.fragments.extend(events.filter(|event| event.revision() >= next));
        if answer.fragment {
            return None;
        }
        let events = std::mem::take(&mut self.fragments);
        let Some(revision) = events.last().map(Event::revision) else {
            if is_progress {
                self.next = self.next.max(Revision(reached).next());
            }
            return None;
        };
        self.next = revision.next();
        Some(WatchBatch::Changes { revision, events })
    }
}

#[cfg(test)]
mod tests {
    use etcd_client::proto::{PbEvent, PbKeyValue, PbResponseHeader};

    use super::*;

    fn answer(reached: i64, fragment: bool, deleted_at: &[i64]) -> PbWatchResponse {
        let events = deleted_at.iter().map(|revision| {
            let key = format!("k{revision}").into_bytes();
            let entry = PbKeyValue { key, mod_revision: *revision, ..PbKeyValue::default() };
            PbEvent { r#type: 1, kv: Some(entry), prev_kv: None }
        });
        PbWatchResponse {
            header: Some(PbResponseHeader { revision: reached, ..PbResponseHeader::default() }),
            fragment,
            events: events.collect(),
            ..PbWatchResponse::default()
        }
    }

    fn revisions(batch: Option<WatchBatch>) -> Vec<i64> {
        match batch {
            Some(WatchBatch::Changes { events, .. }) => {
                events.iter().map(|event| event.revision().0).collect()
            }
            Some(WatchBatch::Relist) | None => Vec::new(),
        }
    }

    #[test]
    fn fragments_are_one_batch() {
        let mut position = Position::new(Revision(5));

        assert_eq!(revisions(position.take(answer(7, true, &[5, 6]))), [0_i64; 0]);
        assert_eq!(revisions(position.take(answer(7, false, &[6, 7]))), [5, 6, 6, 7]);
        assert_eq!(position.next, Revision(8));
    }

    #[test]
    fn changes_from_before_the_position_are_not_repeated() {
        let mut position = Position::new(Revision(6));

        assert_eq!(revisions(position.take(answer(7, false, &[4, 5, 6]))), [6]);
    }

    #[test]
    fn progress_moves_the_position_without_a_batch() {
        let mut position = Position::new(Revision(6));

        assert_eq!(revisions(position.take(answer(20, false, &[]))), [0_i64; 0]);
        assert_eq!(position.next, Revision(21));
    }

    #[test]
    fn a_store_that_has_less_than_was_seen_is_another_one() {
        let position = Position::new(Revision(6));

        assert!(!position.is_ahead_of(Revision(5)));
        assert!(position.is_ahead_of(Revision(4)));
    }
}
