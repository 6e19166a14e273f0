//! The whole store in memory, as plain data: what a request means, and what is true afterwards.
//! Never touches the disk or the clock.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;
use std::time::Duration;

use tokio::time::Instant;

use super::super::{
    Commit, Compare, Event, KeyValue, LeaseId, Revision, Selection, StoreError, Transaction, Write,
};

/// What the history may hold; a watch that is further behind lists again.
const HISTORY_STEPS: usize = 1024;
const HISTORY_BYTES: usize = 4 * 1024 * 1024;

/// Revision of an empty store, as in etcd.
pub(super) const FIRST_REVISION: Revision = Revision(1);

/// Why a request makes no sense.
#[derive(Debug, thiserror::Error)]
enum InvalidRequest {
    #[error("a key is empty")]
    EmptyKey,
    #[error("key `{0}` is written twice in one transaction")]
    WrittenTwice(String),
    #[error("revision {0} is not reached yet")]
    Future(Revision),
}

/// One change of the store, decided and not yet made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// The revision that it leads to; the present one if it changes no key.
    pub(super) revision: Revision,
    pub(super) events: Vec<Event>,
    pub(super) leases: Vec<LeaseStep>,
}

/// What a step does to the leases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LeaseStep {
    Granted(LeaseId, Duration),
    Removed(LeaseId),
}

/// What a transaction comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing is to be written.
    Settled(Commit),
    /// This is to be written.
    Write(Step),
}

/// What a watch has missed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Replay {
    /// These changes, maybe none; the watch goes on at `next`.
    Changes { events: Vec<Event>, next: Revision },
    /// More than is remembered.
    Relist,
}

/// What is on the disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Contents {
    pub(super) revision: Revision,
    pub(super) keys: BTreeMap<String, KeyValue>,
    pub(super) leases: BTreeMap<LeaseId, Duration>,
}

/// The store.
#[derive(Debug)]
pub(super) struct Model {
    revision: Revision,
    keys: BTreeMap<String, KeyValue>,
    leases: BTreeMap<LeaseId, Lease>,
    history: VecDeque<Past>,
    history_bytes: usize,
    /// Everything after this revision is in the history.
    forgotten: Revision,
}

#[derive(Clone, Copy, Debug)]
struct Lease {
    ttl: Duration,
    expires: Instant,
}

/// A step that was made, and all that it replaced.
#[derive(Debug)]
pub(super) struct Made {
    before: Revision,
    changes: Vec<(Event, Option<KeyValue>)>,
    leases: Vec<(LeaseId, Option<Lease>)>,
}

/// A step that is remembered for ranges and watches that come late.
#[derive(Debug)]
struct Past {
    revision: Revision,
    changes: Vec<(Event, Option<KeyValue>)>,
    bytes: usize,
}

impl Model {
    /// Begins with what was on the disk.
    pub(super) fn new(contents: Contents, now: Instant) -> Self {
        let leases = contents.leases.into_iter();
        Self {
            revision: contents.revision,
            keys: contents.keys,
            leases: leases.map(|(id, ttl)| (id, Lease { ttl, expires: now + ttl })).collect(),
            history: VecDeque::new(),
            history_bytes: 0,
            forgotten: contents.revision,
        }
    }

    pub(super) const fn revision(&self) -> Revision {
        self.revision
    }

    /// The selected entries as of a revision.
    pub(super) fn range(
        &self,
        selection: &Selection,
        at: Option<Revision>,
    ) -> Result<Vec<KeyValue>, StoreError> {
        let at = at.unwrap_or(self.revision);
        if at > self.revision {
            return Err(refused(InvalidRequest::Future(at)));
        }
        if at < self.forgotten {
            return Err(StoreError::Compacted);
        }
        let (Selection::Key(first) | Selection::Prefix(first)) = selection;
        let present =
            self.keys.range::<str, _>((Bound::Included(first.as_str()), Bound::Unbounded));
        let present = present.take_while(|(key, _)| selects(selection, key));
        if at == self.revision {
            return Ok(present.map(|(_, entry)| entry.clone()).collect());
        }
        let mut entries: BTreeMap<&str, &KeyValue> =
            present.map(|(key, entry)| (key.as_str(), entry)).collect();
        let undone = self.history.iter().rev().take_while(|past| past.revision > at);
        for (event, before) in undone.flat_map(|past| past.changes.iter().rev()) {
            let key = key_of(event);
            match before {
                Some(before) if selects(selection, key) => entries.insert(key, before),
                _ => entries.remove(key),
            };
        }
        Ok(entries.into_values().cloned().collect())
    }

    /// What the history holds for a watch that has come to `from`.
    pub(super) fn replay(&self, selection: &Selection, from: Revision) -> Replay {
        let next = self.revision.next();
        if from <= self.forgotten || from > next {
            return Replay::Relist;
        }
        let missed = self.history.iter().rev().take_while(|past| past.revision >= from).count();
        let missed = self.history.range(self.history.len() - missed..);
        let events = missed
            .flat_map(|past| &past.changes)
            .map(|(event, _)| event)
            .filter(|event| selects(selection, key_of(event)));
        Replay::Changes { events: events.cloned().collect(), next }
    }

    /// Decides a transaction.
    pub(super) fn decide(
        &self,
        transaction: Transaction,
        now: Instant,
    ) -> Result<Verdict, StoreError> {
        check(&transaction)?;
        if !transaction.compares.iter().all(|compare| self.holds(compare)) {
            return Ok(Verdict::Settled(Commit::Refused(self.revision)));
        }
        let revision = self.revision.next();
        let mut events = Vec::new();
        for write in transaction.writes {
            match write {
                Write::Put { key, value, lease } => {
                    if lease.is_some_and(|lease| self.remaining(lease, now).is_none()) {
                        return Err(StoreError::LeaseGone);
                    }
                    let create_revision =
                        self.keys.get(&key).map_or(revision, |entry| entry.create_revision);
                    events.push(Event::Put(KeyValue {
                        key,
                        value,
                        create_revision,
                        mod_revision: revision,
                        lease,
                    }));
                }
                Write::Delete(key) => {
                    if self.keys.contains_key(&key) {
                        events.push(Event::Delete { key, revision });
                    }
                }
            }
        }
        if events.is_empty() {
            return Ok(Verdict::Settled(Commit::Done(self.revision)));
        }
        Ok(Verdict::Write(Step { revision, events, leases: Vec::new() }))
    }

    /// A lease to be granted.
    pub(super) fn grant(&self, lease: LeaseId, ttl: Duration) -> Step {
        Step {
            revision: self.revision,
            events: Vec::new(),
            leases: vec![LeaseStep::Granted(lease, ttl)],
        }
    }

    /// The end of a lease and its keys; `None` if it is gone.
    pub(super) fn revoke(&self, lease: LeaseId) -> Option<Step> {
        self.leases.contains_key(&lease).then(|| self.end(&[lease]))
    }

    /// The end of all leases and their keys; `None` if there are none.
    pub(super) fn revoke_all(&self) -> Option<Step> {
        let leases: Vec<_> = self.leases.keys().copied().collect();
        (!leases.is_empty()).then(|| self.end(&leases))
    }

    fn end(&self, leases: &[LeaseId]) -> Step {
        let next = self.revision.next();
        let bound = self.keys.values();
        let bound = bound.filter(|entry| entry.lease.is_some_and(|lease| leases.contains(&lease)));
        let events = bound.map(|entry| Event::Delete { key: entry.key.clone(), revision: next });
        let events: Vec<_> = events.collect();
        let revision = if events.is_empty() { self.revision } else { next };
        let leases = leases.iter().copied().map(LeaseStep::Removed).collect();
        Step { revision, events, leases }
    }

    /// Begins a lease's time to live anew; `None` if it is gone.
    pub(super) fn keep_alive(&mut self, lease: LeaseId, now: Instant) -> Option<Duration> {
        // One that has run out and was not ended yet: nobody has seen its keys go.
        let lease = self.leases.get_mut(&lease)?;
        lease.expires = now + lease.ttl;
        Some(lease.ttl)
    }

    /// What a lease has left; `None` if it is gone.
    pub(super) fn remaining(&self, lease: LeaseId, now: Instant) -> Option<Duration> {
        let lease = self.leases.get(&lease).filter(|lease| lease.expires > now)?;
        Some(lease.expires - now)
    }

    pub(super) fn has_lease(&self, lease: LeaseId) -> bool {
        self.leases.contains_key(&lease)
    }

    /// The lease that runs out next, and when.
    pub(super) fn next_expiry(&self) -> Option<(Instant, LeaseId)> {
        self.leases.iter().map(|(id, lease)| (lease.expires, *id)).min()
    }

    /// Makes a step. Until it is on the disk nobody may see it: either [`Model::remember`] or
    /// [`Model::unmake`] follows.
    pub(super) fn make(&mut self, step: Step, now: Instant) -> Made {
        let before = self.revision;
        self.revision = step.revision;
        let leases = step.leases.into_iter().map(|step| self.make_lease(step, now)).collect();
        let changes = step.events.into_iter().map(|event| self.change(event)).collect();
        Made { before, changes, leases }
    }

    /// Takes back what was made last.
    pub(super) fn unmake(&mut self, made: Made) {
        self.revision = made.before;
        for (event, before) in made.changes.into_iter().rev() {
            match before {
                Some(before) => self.keys.insert(before.key.clone(), before),
                None => self.keys.remove(key_of(&event)),
            };
        }
        for (lease, before) in made.leases {
            match before {
                Some(before) => self.leases.insert(lease, before),
                None => self.leases.remove(&lease),
            };
        }
    }

    /// Keeps what was made for those who want to know what has changed.
    pub(super) fn remember(&mut self, made: Made) {
        let Some((last, _)) = made.changes.last() else { return };
        let revision = last.revision();
        let bytes = made.changes.iter().map(|(event, before)| {
            size(before.as_ref())
                + match event {
                    Event::Put(entry) => size(Some(entry)),
                    Event::Delete { key, .. } => key.len(),
                }
        });
        let past = Past { revision, bytes: bytes.sum(), changes: made.changes };
        self.history_bytes += past.bytes;
        self.history.push_back(past);
        self.forget();
    }

    /// All that belongs on the disk.
    pub(super) fn contents(&self) -> Contents {
        Contents {
            revision: self.revision,
            keys: self.keys.clone(),
            leases: self.leases.iter().map(|(id, lease)| (*id, lease.ttl)).collect(),
        }
    }

    fn make_lease(&mut self, step: LeaseStep, now: Instant) -> (LeaseId, Option<Lease>) {
        match step {
            LeaseStep::Granted(id, ttl) => {
                (id, self.leases.insert(id, Lease { ttl, expires: now + ttl }))
            }
            LeaseStep::Removed(id) => (id, self.leases.remove(&id)),
        }
    }

    fn change(&mut self, event: Event) -> (Event, Option<KeyValue>) {
        let before = match &event {
            Event::Put(entry) => self.keys.insert(entry.key.clone(), entry.clone()),
            Event::Delete { key, .. } => self.keys.remove(key),
        };
        (event, before)
    }

    fn forget(&mut self) {
        while self.history.len() > HISTORY_STEPS
            || (self.history_bytes > HISTORY_BYTES && self.history.len() > 1)
        {
            let Some(past) = self.history.pop_front() else { return };
            self.history_bytes -= past.bytes;
            self.forgotten = past.revision;
        }
    }

    fn holds(&self, compare: &Compare) -> bool {
        match compare {
            Compare::Created(key, revision) => {
                self.keys.get(key).map_or(Revision::ABSENT, |entry| entry.create_revision)
                    == *revision
            }
            Compare::Modified(key, revision) => {
                self.keys.get(key).map_or(Revision::ABSENT, |entry| entry.mod_revision) == *revision
            }
        }
    }
}

fn check(transaction: &Transaction) -> Result<(), StoreError> {
    let mut written = BTreeSet::new();
    for write in &transaction.writes {
        let (Write::Put { key, .. } | Write::Delete(key)) = write;
        if key.is_empty() {
            return Err(refused(InvalidRequest::EmptyKey));
        }
        if !written.insert(key) {
            return Err(refused(InvalidRequest::WrittenTwice(key.clone())));
        }
    }
    Ok(())
}

fn refused(reason: InvalidRequest) -> StoreError {
    StoreError::Refused(Box::new(reason))
}

fn selects(selection: &Selection, key: &str) -> bool {
    match selection {
        Selection::Key(selected) => selected == key,
        Selection::Prefix(prefix) => key.starts_with(prefix),
    }
}

fn key_of(event: &Event) -> &str {
    match event {
        Event::Put(entry) => &entry.key,
        Event::Delete { key, .. } => key,
    }
}

fn size(entry: Option<&KeyValue>) -> usize {
    entry.map_or(0, |entry| entry.key.len() + entry.value.len())
}
