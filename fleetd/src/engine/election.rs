//! Who leads: standby engines watch one key, and whoever creates it first when it is gone leads
//! for as long as its lease lives.

use std::time::Duration;

use fleet_units::MachineId;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::EngineSettings;
use crate::backoff::{Backoff, random_jitter};
use crate::log::chain;
use crate::registry::document::{Leader, decode, encode};
use crate::registry::follow::{Follower, Update};
use crate::registry::key::Key;
use crate::store::{
    Commit, Compare, Event, Grant, KeepAlive, KeyValue, LeaseId, Revision, Selection, Store,
    StoreError, Transaction, Write,
};

/// Units have to run elsewhere within a second after a leader that died, however patient one is
/// with machines.
const MAX_TTL: Duration = Duration::from_secs(10);

/// How long a parting leader tries to say so; its lease ends in any case.
const RESIGNATION: Duration = Duration::from_secs(1);

/// Between attempts to take an empty seat that the store did not answer.
const RETRY: Backoff = Backoff { min: Duration::from_millis(50), max: Duration::from_secs(2) };

/// Time to live of the leader key.
pub(super) fn leader_ttl(agent_ttl: Duration) -> Duration {
    agent_ttl.min(MAX_TTL)
}

/// The leadership of this engine, once won.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Term {
    /// Create revision of the leader key: no other leadership has the same.
    pub(super) created: Revision,
    pub(super) lease: LeaseId,
    pub(super) ttl: Duration,
    /// Until when the lease lives at least.
    pub(super) until: Instant,
}

/// What a standby engine knows of the seat.
#[derive(Debug, Default)]
pub(super) struct Seat {
    /// Who leads, which key of theirs that is, and since when this engine watches it.
    leader: Option<(Option<MachineId>, Revision, Instant)>,
    is_known: bool,
    /// Machine of the leader before, if it was watched closely until its key went.
    vouched: Option<MachineId>,
}

impl Seat {
    /// Takes note of an update; the seat may be empty afterwards.
    pub(super) fn note(&mut self, update: Update, ttl: Duration, now: Instant) {
        match update {
            Update::Listed(snapshot) => {
                match snapshot.entries.first() {
                    Some(entry) => self.taken(entry, now),
                    // Nobody saw when it went.
                    None if self.leader.take().is_some() || !self.is_known => self.vouched = None,
                    None => {}
                }
                self.is_known = true;
            }
            Update::Changed { events, .. } => {
                for event in events {
                    match event {
                        Event::Put(entry) => self.taken(&entry, now),
                        Event::Delete { .. } => self.vacated(ttl, now),
                    }
                }
            }
            Update::Unreachable(error) => {
                self.is_known = false;
                warn!(error = %chain(&error), "Cannot see who leads; trying again");
            }
        }
    }

    fn taken(&mut self, entry: &KeyValue, now: Instant) {
        let machine = match decode::<Leader>(&entry.value) {
            Ok(leader) => Some(leader.machine),
            Err(error) => {
                warn!(error = %chain(&error), key = entry.key, "Cannot read who leads");
                None
            }
        };
        let since = match &self.leader {
            Some((_, created, since)) if *created == entry.create_revision => *since,
            _ => now,
        };
        self.vouched = None;
        self.leader = Some((machine, entry.create_revision, since));
    }

    fn vacated(&mut self, ttl: Duration, now: Instant) {
        // A key that lived longer than its lease was renewed, so its machine was alive.
        if let Some((machine, _, since)) = self.leader.take() {
            self.vouched = machine.filter(|_| now > since + ttl);
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.is_known && self.leader.is_none()
    }
}

/// Waits until this engine leads. Also gives the machine of the leader before, if that is known to
/// have been alive until then. `None` when it is told to stop, or must not follow the store.
pub(super) async fn win<S: Store>(
    store: &S,
    settings: &EngineSettings,
    stop: &CancellationToken,
) -> Option<(Term, Option<MachineId>)> {
    let key = settings.prefix.encode(&Key::Leader);
    let ttl = leader_ttl(settings.agent_ttl);
    let mut follower = Follower::new(store.clone(), Selection::Key(key.clone()));
    let mut seat = Seat::default();
    let mut failures = 0;
    let mut not_before = Instant::now();
    loop {
        tokio::select! {
            () = stop.cancelled() => return None,
            update = follower.next() => seat.note(update, ttl, Instant::now()),
            () = sleep_until(not_before), if seat.is_empty() => {
                match campaign(store, &key, settings).await {
                    Ok(Some(term)) => return Some((term, seat.vouched)),
                    // Somebody was quicker; the watch will tell who.
                    Ok(None) => not_before = Instant::now() + RETRY.min,
                    // Nobody leads on the word of a store that is not the one it was.
                    Err(StoreError::Doubted(_)) => return None,
                    Err(error) => {
                        debug!(error = %chain(&error), "Cannot take the lead; trying again");
                        not_before = Instant::now() + RETRY.delay(failures, random_jitter());
                        failures = failures.saturating_add(1);
                    }
                }
            }
        }
    }
}

/// Tries once to take the seat.
async fn campaign<S: Store>(
    store: &S,
    key: &str,
    settings: &EngineSettings,
) -> Result<Option<Term>, StoreError> {
    let asked = Instant::now();
    let Grant { id: lease, ttl } = store.grant(leader_ttl(settings.agent_ttl)).await?;
    let value = encode(&Leader { machine: settings.machine.clone() });
    let transaction = Transaction {
        compares: vec![Compare::Created(key.to_owned(), Revision::ABSENT)],
        writes: vec![Write::Put { key: key.to_owned(), value, lease: Some(lease) }],
    };
    let created = match store.commit(transaction).await {
        Ok(Commit::Done(revision)) => Ok(Some(revision)),
        Ok(Commit::Refused(_)) => Ok(None),
        Err(StoreError::OutcomeUnknown { .. }) => seated(store, key, lease).await,
        Err(error) => Err(error),
    };
    if let Ok(Some(created)) = created {
        return Ok(Some(Term { created, lease, ttl, until: asked + ttl }));
    }
    if let Err(error) = store.revoke(lease).await {
        debug!(error = %chain(&error), "Left a lease behind; it runs out by itself");
    }
    created.map(|_| None)
}

/// Reads who sits there after an attempt with an unknown outcome.
async fn seated<S: Store>(
    store: &S,
    key: &str,
    lease: LeaseId,
) -> Result<Option<Revision>, StoreError> {
    let entry = store.range(&Selection::Key(key.to_owned()), None).await?.entries.pop();
    Ok(entry.filter(|entry| entry.lease == Some(lease)).map(|entry| entry.create_revision))
}

/// Renews a leadership until it is `over`; ends it when the planning loop no longer shows its
/// `pulse`.
pub(super) async fn keep<S: Store>(
    store: S,
    term: Term,
    pulse: watch::Receiver<Instant>,
    over: CancellationToken,
) {
    let mut until = term.until;
    let mut next = Instant::now() + term.ttl / 3;
    loop {
        tokio::select! {
            () = over.cancelled() => return,
            () = sleep_until(next.min(until)) => {}
        }
        let now = Instant::now();
        let silence = now - *pulse.borrow();
        if silence > term.ttl / 2 {
            warn!(elapsed = ?silence, "Planning has come to a halt; giving up the lead");
            break;
        }
        next = now + term.ttl / 3;
        match timeout(term.ttl / 6, store.keep_alive(term.lease)).await {
            Ok(Ok(KeepAlive::Renewed { ttl, .. })) => until = now + ttl,
            Ok(Ok(KeepAlive::Expired)) => {
                warn!("The lead has run out");
                break;
            }
            Ok(Err(_)) | Err(_) => next = Instant::now() + term.ttl / 12,
        }
        if Instant::now() >= until {
            warn!("The lead has run out: the store does not answer");
            break;
        }
    }
    over.cancel();
    resign(&store, None, term).await;
}

/// Frees the seat at once, so that nobody waits for the lease to run out.
pub(super) async fn resign<S: Store>(store: &S, key: Option<String>, term: Term) {
    let parting = async {
        if let Some(key) = key {
            let compares = vec![Compare::Created(key.clone(), term.created)];
            let writes = vec![Write::Delete(key)];
            store.commit(Transaction { compares, writes }).await?;
        }
        store.revoke(term.lease).await
    };
    match timeout(RESIGNATION, parting).await {
        Ok(Ok(())) => info!("Gave up the lead"),
        Ok(Err(error)) => debug!(error = %chain(&error), "The lead runs out by itself"),
        Err(_) => debug!("The lead runs out by itself"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{ClusterId, Snapshot};

    const TTL: Duration = Duration::from_secs(5);

    fn listed(leader: Option<&str>) -> Update {
        let entry = leader.map(|id| KeyValue {
            key: "/fleet/engine/leader".to_owned(),
            value: encode(&Leader { machine: id.parse().unwrap() }),
            create_revision: Revision(7),
            mod_revision: Revision(7),
            lease: Some(LeaseId(1)),
        });
        let entries = entry.into_iter().collect();
        Update::Listed(Snapshot { cluster: ClusterId(1), revision: Revision(9), entries })
    }

    fn gone() -> Update {
        let key = "/fleet/engine/leader".to_owned();
        let events = vec![Event::Delete { key, revision: Revision(9) }];
        Update::Changed { revision: Revision(9), events }
    }

    fn unreachable() -> Update {
        let endpoints = "nowhere".to_owned();
        Update::Unreachable(StoreError::Unavailable { endpoints, source: "refused".into() })
    }

    /// Whom a standby engine vouches for that was told these things, each long after the last.
    fn vouched(updates: impl IntoIterator<Item = Update>) -> Option<String> {
        let mut seat = Seat::default();
        let mut now = Instant::now();
        for update in updates {
            seat.note(update, TTL, now);
            now += 2 * TTL;
        }
        assert!(seat.is_empty());
        seat.vouched.map(|id| id.as_str().to_owned())
    }

    #[test]
    fn only_a_leader_that_was_watched_until_it_went_is_vouched_for() {
        assert_eq!(vouched([listed(Some("a")), gone()]).as_deref(), Some("a"));
        assert_eq!(vouched([listed(Some("a")), gone(), listed(None)]).as_deref(), Some("a"));
        assert_eq!(vouched([listed(Some("a")), unreachable(), listed(None)]), None);
        assert_eq!(vouched([listed(Some("a")), gone(), unreachable(), listed(None)]), None);
        assert_eq!(vouched([listed(Some("a")), listed(None)]), None);
    }
}
