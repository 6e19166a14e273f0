//! A list and the watch that follows it, as one stream that never ends: lists again after
//! compaction and waits while the store is away.

use tokio::time::{Duration, Instant, sleep_until};

use crate::backoff::{Backoff, random_jitter};
use crate::store::{Event, Revision, Selection, Snapshot, Store, StoreError, Watch, WatchBatch};

/// Quick enough to be there when a store comes back, slow enough not to be a load on it.
const RELIST: Backoff = Backoff { min: Duration::from_millis(50), max: Duration::from_secs(2) };

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
    /// anybody can tell.
    Unreachable(StoreError),
}

/// Follows a selection of keys.
#[derive(Debug)]
pub struct Follower<S> {
    store: S,
    selection: Selection,
    watch: Option<Watch>,
    /// Failed lists since the last good one.
    failures: u32,
    not_before: Option<Instant>,
}

impl<S: Store> Follower<S> {
    /// Follows `selection`; the first update is a list.
    pub const fn new(store: S, selection: Selection) -> Self {
        Self { store, selection, watch: None, failures: 0, not_before: None }
    }

    /// Waits for the next update.
    ///
    /// Cancel safe: a list that was under way is made again.
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
        if let Some(not_before) = self.not_before {
            sleep_until(not_before).await;
        }
        // Set before the attempt: a cancelled list counts as one that failed, so that a caller
        // who cancels often cannot hammer the store.
        self.not_before = Some(Instant::now() + RELIST.delay(self.failures, random_jitter()));
        match self.store.range(&self.selection, None).await {
            Ok(snapshot) => {
                self.failures = 0;
                self.watch = Some(self.store.watch(&self.selection, snapshot.revision.next()));
                Some(Update::Listed(snapshot))
            }
            Err(error) => {
                self.failures = self.failures.saturating_add(1);
                self.not_before =
                    Some(Instant::now() + RELIST.delay(self.failures, random_jitter()));
                if self.failures > 1 {
                    return None;
                }
                Some(Update::Unreachable(error))
            }
        }
    }
}
