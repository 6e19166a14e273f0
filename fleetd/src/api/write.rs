//! Writes units: decides on what the view shows, compares revisions, and decides again on what the
//! store says if somebody was faster. That nothing has to be written is compared as well: the view
//! may not have heard yet of what another machine's API was told.

use std::collections::BTreeSet;

use fleet_units::{Directives, UnitName};
use tracing::warn;

use super::change::{Change, MAX_DOCUMENT, Refusal, Request, accept};
use super::error::{ApiError, Unavailable};
use super::view::View;
use crate::log::chain;
use crate::registry::document::{self, Unit};
use crate::registry::key::{Key, KeyPrefix};
use crate::registry::mirror::Mirror;
use crate::store::{
    Commit, Compare, MAX_BYTES, MAX_OPERATIONS, Revision, Selection, Store, StoreError,
    Transaction, Write,
};

/// Whoever loses so often competes with a program that writes without pause.
pub(super) const ATTEMPTS: usize = 5;

/// What is to become of a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// It is made or changed.
    Put(Request),
    /// It is made unless that was done before; see [`once`](super::once).
    Once(Request),
    /// It is removed.
    Delete(UnitName),
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Written {
    /// Whether it is new or has other contents.
    pub(super) is_created: bool,
    /// Create revision of its record.
    pub(super) uid: i64,
    /// Number of accepted writes.
    pub(super) generation: u64,
    /// What in its new contents does not do what its author meant.
    pub(super) warnings: Vec<String>,
    /// Whether it was to be made once, and that had been done.
    pub(super) is_kept: bool,
    /// Revision of the write; that of the last one if nothing had to be written.
    pub(super) revision: Revision,
}

pub(super) type Outcome = Result<Written, ApiError>;

/// What is stored under a unit's key.
#[derive(Debug)]
pub(super) enum Found {
    Nothing,
    Unit { unit: Unit, created: Revision, modified: Revision },
    Unreadable { modified: Revision, reason: String },
}

/// A decided order: what to commit, and what to say when it has landed.
#[derive(Debug)]
pub(super) struct Decided {
    pub(super) compare: Compare,
    /// None where everything is as it is wanted.
    pub(super) write: Option<Write>,
    is_created: bool,
    /// None where the unit is new: its uid is the revision at which it lands.
    uid: Option<i64>,
    generation: u64,
    warnings: Vec<String>,
    /// The document as it is to be; none for a removal.
    intended: Option<Unit>,
    /// Last write of the document, if it stays as it is.
    stays_at: Option<Revision>,
}

/// An order on its way.
#[derive(Debug)]
enum Slot {
    Done(Outcome),
    /// To be decided on anew; what was written may have landed, if the store did not say.
    Open(Option<Decided>),
}

impl Default for Slot {
    fn default() -> Self {
        Self::Open(None)
    }
}

impl Order {
    pub(super) const fn name(&self) -> &UnitName {
        match self {
            Self::Put(request) | Self::Once(request) => &request.name,
            Self::Delete(name) => name,
        }
    }
}

/// Writes units.
#[derive(Clone, Debug)]
pub(super) struct Writer<S> {
    pub(super) store: S,
    pub(super) prefix: KeyPrefix,
    pub(super) view: View,
}

impl<S: Store> Writer<S> {
    /// Carries out one order; on return the view shows it.
    pub(super) async fn one(&self, order: Order) -> Outcome {
        let mut outcomes = self.many(vec![order]).await?;
        outcomes.pop().unwrap_or(Err(ApiError::Contended))
    }

    /// Carries out orders, each for itself, many in one transaction. Fails as a whole only before
    /// anything was written.
    pub(super) async fn many(&self, orders: Vec<Order>) -> Result<Vec<Outcome>, ApiError> {
        let names: BTreeSet<_> = orders.iter().map(|order| order.name().clone()).collect();
        let prefix = self.prefix.clone();
        let mut known = self
            .view
            .read(move |scene| {
                let found = |name: UnitName| {
                    let found = Found::in_mirror(&scene.mirror, &prefix, &name);
                    (name, found)
                };
                names.into_iter().map(found).collect::<std::collections::BTreeMap<_, _>>()
            })
            .await?;
        let mut slots = Vec::with_capacity(orders.len());
        slots.resize_with(orders.len(), Slot::default);
        let mut group = Group::default();
        for (index, order) in orders.iter().enumerate() {
            // A second order for a unit meets what the first one made of it.
            let Some(found) = known.remove(order.name()) else { continue };
            if matches!(order, Order::Once(_)) {
                continue;
            }
            // Refusals are open too: the store may know what the view has not heard of yet.
            let Ok(decided) = decide(&self.prefix, order, found) else { continue };
            if group.is_full_with(&decided) {
                self.land(std::mem::take(&mut group), &mut slots).await;
            }
            group.add(index, decided);
        }
        self.land(group, &mut slots).await;
        let outcomes = self.finish(&orders, slots).await;
        for (order, outcome) in orders.iter().zip(&outcomes) {
            for reason in outcome.iter().flat_map(|written| &written.warnings) {
                warn!(unit = %order.name(), reason, "A unit asks for what cannot be done");
            }
        }
        let written = outcomes.iter().flatten().map(|written| written.revision).max();
        if let Some(revision) = written {
            self.view.catch_up(revision).await;
        }
        Ok(outcomes)
    }

    /// Commits a group, and fills its slots.
    async fn land(&self, group: Group, slots: &mut [Slot]) {
        if group.orders.is_empty() {
            return;
        }
        let transaction = Transaction {
            compares: group.orders.iter().map(|(_, decided)| decided.compare.clone()).collect(),
            writes: group.orders.iter().filter_map(|(_, one)| one.write.clone()).collect(),
        };
        let committed = self.store.commit(transaction).await;
        for (index, decided) in group.orders {
            slots[index] = match &committed {
                Ok(Commit::Done(revision)) => Slot::Done(Ok(decided.landed(*revision))),
                Err(error @ StoreError::Unavailable { .. }) => {
                    Slot::Done(Err(Unavailable::Unreachable(chain(error)).into()))
                }
                Err(StoreError::OutcomeUnknown { .. }) => Slot::Open(Some(decided)),
                // Each for itself: one of them may be what the store refuses.
                Ok(Commit::Refused(_)) | Err(_) => Slot::Open(None),
            };
        }
    }

    /// Carries out singly what is still open, until the store is out of reach.
    async fn finish(&self, orders: &[Order], slots: Vec<Slot>) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(orders.len());
        let mut gone: Option<Unavailable> = None;
        for (order, slot) in orders.iter().zip(slots) {
            let outcome = match (slot, &gone) {
                (Slot::Done(outcome), _) => outcome,
                (Slot::Open(_), Some(gone)) => Err(gone.clone().into()),
                (Slot::Open(doubtful), None) => self.singly(order, doubtful).await,
            };
            if let Err(ApiError::Unavailable(reason)) = &outcome {
                gone = Some(reason.clone());
            }
            outcomes.push(outcome);
        }
        outcomes
    }

    /// Carries out one order on what the store says now; `doubtful` may have landed already.
    async fn singly(&self, order: &Order, mut doubtful: Option<Decided>) -> Outcome {
        if let Order::Once(request) = order {
            return self.once(request).await;
        }
        let mut failure = ApiError::Contended;
        for attempt in 0..=ATTEMPTS {
            let (found, at) = self.find(order.name()).await?;
            let landed = doubtful.as_ref().and_then(|decided| decided.has_landed(&found, at));
            if let Some(landed) = landed {
                return Ok(landed);
            }
            if attempt == ATTEMPTS {
                break;
            }
            let decided = decide(&self.prefix, order, found)?;
            if let Some(revision) = decided.stays_at {
                return Ok(decided.landed(revision));
            }
            let transaction = Transaction {
                compares: vec![decided.compare.clone()],
                writes: decided.write.clone().into_iter().collect(),
            };
            failure = match self.store.commit(transaction).await {
                Ok(Commit::Done(revision)) => return Ok(decided.landed(revision)),
                Ok(Commit::Refused(_)) => ApiError::Contended,
                Err(error @ StoreError::OutcomeUnknown { .. }) => {
                    doubtful = Some(decided);
                    error.into()
                }
                Err(error) => return Err(error.into()),
            };
        }
        Err(failure)
    }

    /// What is stored of a unit now, and the revision of the store.
    pub(super) async fn find(&self, name: &UnitName) -> Result<(Found, Revision), StoreError> {
        let key = self.prefix.encode(&Key::Unit(name.clone()));
        let snapshot = self.store.range(&Selection::Key(key), None).await?;
        let revision = snapshot.revision;
        let mut mirror = Mirror::new(self.prefix.clone());
        mirror.reset(snapshot);
        Ok((Found::in_mirror(&mirror, &self.prefix, name), revision))
    }
}

/// What an order would write, and what is to be said of it, if the registry were as it is here.
pub(super) fn intended(
    mirror: &Mirror,
    prefix: &KeyPrefix,
    order: &Order,
) -> Result<(Option<Write>, Vec<String>), ApiError> {
    let found = Found::in_mirror(mirror, prefix, order.name());
    let decided = decide(prefix, order, found)?;
    Ok((decided.write, decided.warnings))
}

fn decide(prefix: &KeyPrefix, order: &Order, found: Found) -> Result<Decided, ApiError> {
    let key = prefix.encode(&Key::Unit(order.name().clone()));
    match order {
        Order::Delete(_) => delete(key, found),
        Order::Put(request) | Order::Once(request) => put(key, request, found),
    }
}

fn delete(key: String, found: Found) -> Result<Decided, ApiError> {
    let (uid, generation, modified) = match found {
        Found::Nothing => return Err(ApiError::NoUnit),
        Found::Unit { unit, created, modified } => (created.0, unit.generation, modified),
        Found::Unreadable { modified, .. } => (0, 0, modified),
    };
    Ok(Decided {
        compare: Compare::Modified(key.clone(), modified),
        write: Some(Write::Delete(key)),
        is_created: false,
        uid: Some(uid),
        generation,
        warnings: Vec::new(),
        intended: None,
        stays_at: None,
    })
}

pub(super) fn put(key: String, request: &Request, found: Found) -> Result<Decided, ApiError> {
    let (existing, created, modified) = match found {
        Found::Nothing => (None, None, Revision::ABSENT),
        Found::Unit { unit, created, modified } => (Some(unit), Some(created), modified),
        Found::Unreadable { reason, .. } => return Err(ApiError::Unreadable(reason)),
    };
    let (unit, is_created) = match accept(existing.as_ref(), request)? {
        Change::Create(unit) | Change::Replace(unit) => (unit, true),
        Change::Update(unit) => (unit, false),
        Change::Nothing => {
            return Ok(Decided {
                compare: Compare::Modified(key, modified),
                write: None,
                is_created: false,
                uid: Some(created.unwrap_or_default().0),
                generation: existing.as_ref().map_or(0, |unit| unit.generation),
                warnings: Vec::new(),
                intended: existing,
                stays_at: Some(modified),
            });
        }
    };
    let value = document::encode(&unit);
    if value.len() > MAX_DOCUMENT {
        return Err(Refusal::TooLarge(request.name.clone()).into());
    }
    let contents = request.contents.as_ref().filter(|_| is_created);
    let directives = contents.map(|new| Directives::lenient(new.file(), &request.name));
    Ok(Decided {
        compare: Compare::Modified(key.clone(), modified),
        write: Some(Write::Put { key, value, lease: None }),
        is_created,
        uid: created.map(|created| created.0),
        generation: unit.generation,
        warnings: directives.map_or_else(Vec::new, |directives| directives.warnings()),
        intended: Some(unit),
        stays_at: None,
    })
}

impl Found {
    fn in_mirror(mirror: &Mirror, prefix: &KeyPrefix, name: &UnitName) -> Self {
        if let Some(stored) = mirror.units.get(name) {
            let unit = stored.document.clone();
            return Self::Unit { unit, created: stored.created, modified: stored.modified };
        }
        match mirror.unreadable.get(&prefix.encode(&Key::Unit(name.clone()))) {
            Some(unreadable) => {
                Self::Unreadable { modified: unreadable.modified, reason: chain(&unreadable.error) }
            }
            None => Self::Nothing,
        }
    }
}

impl Found {
    /// Last write of the record.
    pub(super) const fn modified(&self) -> Revision {
        match self {
            Self::Nothing => Revision::ABSENT,
            Self::Unit { modified, .. } | Self::Unreadable { modified, .. } => *modified,
        }
    }
}

impl Decided {
    pub(super) fn landed(&self, revision: Revision) -> Written {
        Written {
            is_created: self.is_created,
            uid: self.uid.unwrap_or(revision.0),
            generation: self.generation,
            warnings: self.warnings.clone(),
            is_kept: false,
            revision: self.stays_at.unwrap_or(revision),
        }
    }

    /// Whether a write whose outcome was not known did land, going by what is stored `at` a
    /// revision.
    pub(super) fn has_landed(&self, found: &Found, at: Revision) -> Option<Written> {
        match (found, &self.intended) {
            (Found::Nothing, None) => Some(self.landed(at)),
            // What was to go is gone; somebody has made another one since.
            (Found::Unit { created, .. }, None)
                if self.uid.is_some_and(|uid| (1..created.0).contains(&uid)) =>
            {
                Some(self.landed(at))
            }
            (Found::Unit { unit, created, modified }, Some(intended)) if unit == intended => {
                Some(Written { uid: created.0, ..self.landed(*modified) })
            }
            _ => None,
        }
    }
}

/// Orders that land together.
#[derive(Debug, Default)]
struct Group {
    orders: Vec<(usize, Decided)>,
    bytes: usize,
}

impl Group {
    fn is_full_with(&self, decided: &Decided) -> bool {
        self.orders.len() >= MAX_OPERATIONS || self.bytes + decided.size() > MAX_BYTES
    }

    fn add(&mut self, index: usize, decided: Decided) {
        self.bytes += decided.size();
        self.orders.push((index, decided));
    }
}

impl Decided {
    const fn size(&self) -> usize {
        match &self.write {
            Some(Write::Put { key, value, .. }) => 2 * key.len() + value.len(),
            Some(Write::Delete(key)) => 2 * key.len(),
            // Its compare is nothing beside the limit.
            None => 0,
        }
    }
}
