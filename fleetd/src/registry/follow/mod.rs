//! A list and the watch that follows it, as one stream that never ends: lists again after
//! compaction and waits while the store is away.

use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

use tokio::time::{Duration, Instant, sleep_until};

use crate::backoff::{Backoff, random_jitter};
use crate::log::chain;
use crate::store::{Event, Revision, Selection, Snapshot, Store, StoreError, Watch, WatchBatch};

/// Quick enough to be there when a store comes back, slow enough not to be a load on it.
const RELIST: Backoff = Backoff { min: Duration::from_millis(50), max: Duration::from_secs(2) };

/// An outage has fewer reasons than this; text that is never twice the same is told no more often.
const REASONS: usize = 16;

/// What a [`Follower`] learned.
#[derive(Debug)]
pub enum Update {
    /// Everything that is selected; whatever was known before is void.
    Listed(Snapshot),
    /// What changed since.
    Changed {
        /// Revision of the last change.
        revision: Revision,
        /// The changes, oldest first.
        events: Vec<Event>,
    },
    /// The store could not be listed; it is tried again. What is known stays true as far as
    /// anybody can tell. Each reason of an outage is told once.
    Unreachable(StoreError),
}

type Listing = Pin<Box<dyn Future<Output = Result<Snapshot, StoreError>> + Send>>;

/// Follows a selection of keys.
pub struct Follower<S> {
    store: S,
    selection: Selection,
    watch: Option<Watch>,
    /// The list under way. It may take longer than a caller waits, and goes on with the next call.
    listing: Option<Listing>,
    /// Failed lists since the last good one, and the reasons that were told.
    failures: u32,
    told: BTreeSet<String>,
    not_before: Option<Instant>,
}

impl<S> fmt::Debug for Follower<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { selection, failures, .. } = self;
        f.debug_struct("Follower")
            .field("selection", selection)
            .field("failures", failures)
            .finish_non_exhaustive()
    }
}

impl<S: Store> Follower<S> {
    /// Follows `selection`; the first update is a list.
    pub const fn new(store: S, selection: Selection) -> Self {
        Self {
            store,
            selection,
            watch: None,
            listing: None,
            failures: 0,
            told: BTreeSet::new(),
            not_before: None,
        }
    }

    /// Whether changes come as they happen: not before the first list is done, nor while another
    /// one is made because the watch has lost its history.
    #[must_use]
    pub const fn is_current(&self) -> bool {
        self.watch.is_some()
    }

    /// Waits for the next update.
    ///
    /// Cancel safe: a list that is under way goes on when this is called again.
    pub async fn next(&mut self) -> Update {
        loop {
            if let Some(watch) = &mut self.watch {
                match watch.next().await {
                    Some(WatchBatch::Changes { revision, events }) => {
                        return Update::Changed { revision, events };
                    }
                    Some(WatchBatch::Relist) | None => self.watch = None,
                }
            }
            if let Some(update) = self.list().await {
                return update;
            }
        }
    }

    async fn list(&mut self) -> Option<Update> {
        let Self { store, selection, not_before, .. } = self;
        let begin = || list(store.clone(), selection.clone(), *not_before);
        let listed = self.listing.get_or_insert_with(begin).await;
        self.listing = None;
        self.failures = if listed.is_ok() { 0 } else { self.failures.saturating_add(1) };
        self.not_before = Some(Instant::now() + RELIST.delay(self.failures, random_jitter()));
        match listed {
            Ok(snapshot) => {
                self.told.clear();
                self.watch = Some(self.store.watch(&self.selection, snapshot.revision.next()));
                Some(Update::Listed(snapshot))
            }
            Err(error) => {
                let is_news = self.told.len() < REASONS && self.told.insert(chain(&error));
                is_news.then_some(Update::Unreachable(error))
            }
        }
    }
}

fn list<S: Store>(store: S, selection: Selection, not_before: Option<Instant>) -> Listing {
    Box::pin(async move {
        if let Some(not_before) = not_before {
            sleep_until(not_before).await;
        }
        store.range(&selection, None).await
    })
}

#[cfg(test)]
mod tests;
