//! Whether the store is still the one that this machine knows. A store of another identity, or one
//! that went back in time, was rebuilt or restored from a backup; what it asks for may be long out
//! of date. So nothing is written to it until an operator says that it is right: a write would also
//! bring it up to where it was once, and hide from others that it went back.
//!
//! What was seen is kept in a file that outlives fleetd and dies with the boot.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{error, warn};

use super::{
    ClusterId, Commit, Grant, KeepAlive, LeaseId, Revision, Selection, Snapshot, Store, StoreError,
    Transaction, Watch,
};
use crate::file::{self, Durability, FileError};
use crate::log::chain;

/// A busy store is written down this often at most.
const PAUSE: Duration = Duration::from_secs(1);

/// The store as it was last seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    cluster: u64,
    revision: i64,
}

impl Seen {
    /// What is wrong with a store that shows itself like `now`, after it was seen like this.
    fn objection(self, now: Self) -> Option<String> {
        if now.cluster != self.cluster {
            let (now, was) = (now.cluster, self.cluster);
            return Some(format!("the store is another one (cluster {now:x}, was {was:x})"));
        }
        let (now, was) = (now.revision, self.revision);
        (now < was).then(|| format!("the store went back from revision {was} to {now}"))
    }
}

/// The contents of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    #[serde(flatten)]
    seen: Option<Seen>,
    /// What was wrong, until an operator removes the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    doubt: Option<String>,
}

/// What is known of the store. Clones share it.
#[derive(Clone, Debug)]
pub struct Witness(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    /// All parts of fleetd tell what they see; held for a comparison, and a small file in memory.
    memory: Mutex<Memory>,
    doubt: watch::Sender<Option<String>>,
}

#[derive(Debug)]
struct Memory {
    record: Record,
    written: Record,
    not_before: Instant,
}

impl Witness {
    /// A witness that remembers what an earlier fleetd saw.
    ///
    /// # Errors
    ///
    /// If there is no place for the file. One that cannot be understood is as good as none.
    pub fn open(path: PathBuf) -> Result<Self, FileError> {
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory).map_err(FileError::of("create", directory))?;
        }
        let record = read(&path).unwrap_or_else(|error| {
            warn!(error = %chain(&error), "Whether the store is the same as before is not known");
            Record::default()
        });
        let doubt = record.doubt.as_ref().map(|doubt| sentence(doubt, &path));
        if let Some(doubt) = &doubt {
            error!(reason = doubt, "Store is not followed");
        }
        let memory = Memory { written: record.clone(), record, not_before: Instant::now() };
        let (doubt, memory) = (watch::Sender::new(doubt), Mutex::new(memory));
        Ok(Self(Arc::new(Shared { path, memory, doubt })))
    }

    /// Why the store must not be followed, and how an operator says that it may be.
    #[must_use]
    pub fn doubt(&self) -> Option<String> {
        self.0.doubt.borrow().clone()
    }

    /// Follows [`Witness::doubt`].
    #[must_use]
    pub fn doubts(&self) -> watch::Receiver<Option<String>> {
        self.0.doubt.subscribe()
    }

    fn seen(&self) -> Option<Seen> {
        self.memory().record.seen
    }

    /// Takes note of an answer to a question that was asked when the store had been seen like
    /// `before`. Answers overtake each other, so it is not compared with what came meanwhile.
    fn heard(&self, before: Option<Seen>, cluster: ClusterId, revision: Revision) {
        let now = Seen { cluster: cluster.0, revision: revision.0 };
        let mut memory = self.memory();
        if memory.record.doubt.is_some() {
            // Until it is written down.
            self.write_at_times(&mut memory);
            return;
        }
        if let Some(objection) = before.and_then(|before| before.objection(now)) {
            let doubt = sentence(&objection, &self.0.path);
            error!(reason = doubt, "Store is not followed");
            memory.record.doubt = Some(objection);
            self.write(&mut memory);
            self.0.doubt.send_replace(Some(doubt));
            return;
        }
        let newest =
            memory.record.seen.map_or(now.revision, |seen| seen.revision.max(now.revision));
        memory.record.seen = Some(Seen { revision: newest, ..now });
        self.write_at_times(&mut memory);
    }

    /// As [`Witness::heard`], of an answer that does not tell the store's identity.
    fn heard_revision(&self, before: Option<Seen>, revision: Revision) {
        // The first question is always a list.
        let Some(seen) = before.or_else(|| self.seen()) else { return };
        self.heard(before, ClusterId(seen.cluster), revision);
    }

    /// Takes note of a revision that some member of the store has reached; it may lag behind.
    pub(super) fn reached(&self, revision: Revision) {
        self.heard_revision(None, revision);
    }

    fn write_at_times(&self, memory: &mut Memory) {
        if memory.not_before <= Instant::now() {
            self.write(memory);
        }
    }

    fn write(&self, memory: &mut Memory) {
        memory.not_before = Instant::now() + PAUSE;
        memory.write(&self.0.path);
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let memory = self.memory.get_mut().unwrap_or_else(PoisonError::into_inner);
        memory.write(&self.path);
    }
}

impl Memory {
    fn write(&mut self, path: &Path) {
        // Who removes the file means it, also for what this fleetd sees until it ends.
        let was_removed = || self.written != Record::default() && !path.exists();
        if self.written == self.record || was_removed() {
            return;
        }
        let text = serde_json::to_string(&self.record).expect("numbers and text under text keys");
        match file::write_atomic(path, text.as_bytes(), 0o644, Durability::Volatile) {
            Ok(()) => self.written = self.record.clone(),
            Err(error) => warn!(error = %chain(&error), "Store is not remembered"),
        }
    }
}

fn sentence(objection: &str, path: &Path) -> String {
    format!(
        "{objection}: units are left as they are; if that is right, remove {path} on this machine \
         and restart fleet",
        path = path.display()
    )
}

fn read(path: &Path) -> Result<Record, FileError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Record::default()),
        Err(error) => return Err(FileError::of("read", path)(error)),
    };
    serde_json::from_slice(&bytes).map_err(|error| FileError::of("understand", path)(error.into()))
}

/// A store under the eyes of a witness: refuses all writes while there is doubt.
#[derive(Clone, Debug)]
pub struct Witnessed<S> {
    store: S,
    witness: Witness,
}

impl<S> Witnessed<S> {
    /// Puts a store under the eyes of a witness.
    pub const fn new(store: S, witness: Witness) -> Self {
        Self { store, witness }
    }

    fn trusted(&self) -> Result<Option<Seen>, StoreError> {
        match self.witness.doubt() {
            Some(doubt) => Err(StoreError::Doubted(doubt)),
            None => Ok(self.witness.seen()),
        }
    }
}

impl<S: Store> Store for Witnessed<S> {
    async fn range(
        &self,
        selection: &Selection,
        at: Option<Revision>,
    ) -> Result<Snapshot, StoreError> {
        let before = self.witness.seen();
        let snapshot = self.store.range(selection, at).await?;
        if at.is_none() {
            self.witness.heard(before, snapshot.cluster, snapshot.revision);
        }
        Ok(snapshot)
    }

    async fn commit(&self, transaction: Transaction) -> Result<Commit, StoreError> {
        let before = self.trusted()?;
        let commit = self.store.commit(transaction).await?;
        let (Commit::Done(revision) | Commit::Refused(revision)) = commit;
        self.witness.heard_revision(before, revision);
        Ok(commit)
    }

    fn watch(&self, selection: &Selection, from: Revision) -> Watch {
        let watch = self.store.watch(selection, from);
        Watch { witness: Some(self.witness.clone()), ..watch }
    }

    async fn grant(&self, ttl: Duration) -> Result<Grant, StoreError> {
        self.trusted()?;
        self.store.grant(ttl).await
    }

    async fn keep_alive(&self, lease: LeaseId) -> Result<KeepAlive, StoreError> {
        let kept = self.store.keep_alive(lease).await?;
        if let KeepAlive::Renewed { reached, .. } = kept {
            self.witness.reached(reached);
        }
        Ok(kept)
    }

    async fn remaining(&self, lease: LeaseId) -> Result<Option<Duration>, StoreError> {
        self.store.remaining(lease).await
    }

    async fn revoke(&self, lease: LeaseId) -> Result<(), StoreError> {
        self.trusted()?;
        self.store.revoke(lease).await
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn seen(cluster: u64, revision: i64) -> Seen {
        Seen { cluster, revision }
    }

    fn hear(witness: &Witness, cluster: u64, revision: i64) {
        witness.heard(witness.seen(), ClusterId(cluster), Revision(revision));
    }

    fn objection(path: &Path, what: &str) -> Option<String> {
        let path = path.display();
        Some(format!(
            "{what}: units are left as they are; if that is right, remove {path} on this machine \
             and restart fleet"
        ))
    }

    #[test]
    fn another_store_or_an_older_revision_is_objected_to() {
        let objections = [seen(1, 10), seen(1, 11), seen(1, 9), seen(2, 99)]
            .map(|now| seen(1, 10).objection(now));

        let back = "the store went back from revision 10 to 9".to_owned();
        let other = "the store is another one (cluster 2, was 1)".to_owned();
        assert_eq!(objections, [None, None, Some(back), Some(other)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_doubt_outlives_fleetd_and_a_store_that_catches_up_until_the_file_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("fleet/seen");
        let witness = Witness::open(path.clone()).unwrap();
        hear(&witness, 1, 10);
        hear(&witness, 1, 11);
        drop(witness);

        let witness = Witness::open(path.clone()).unwrap();
        hear(&witness, 1, 10);
        let doubt = objection(&path, "the store went back from revision 11 to 10");
        assert_eq!(witness.doubt(), doubt);
        hear(&witness, 1, 50);
        drop(witness);
        let witness = Witness::open(path.clone()).unwrap();
        hear(&witness, 1, 51);
        assert_eq!(witness.doubt(), doubt);
        drop(witness);

        std::fs::remove_file(&path).unwrap();
        let witness = Witness::open(path).unwrap();
        hear(&witness, 1, 10);
        assert_eq!(witness.doubt(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_that_is_removed_while_fleetd_runs_stays_away() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("seen");
        let witness = Witness::open(path.clone()).unwrap();
        hear(&witness, 1, 10);

        std::fs::remove_file(&path).unwrap();
        hear(&witness, 1, 11);
        drop(witness);

        assert!(!path.exists());
    }

    #[tokio::test(start_paused = true)]
    async fn what_could_not_be_written_is_written_later() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("seen");
        let in_the_way = directory.path().join(".seen.new");
        std::fs::create_dir(&in_the_way).unwrap();
        let witness = Witness::open(path.clone()).unwrap();
        hear(&witness, 1, 10);
        assert!(!path.exists());

        std::fs::remove_dir(&in_the_way).unwrap();
        advance(PAUSE).await;
        hear(&witness, 1, 11);
        assert_eq!(read(&path).unwrap(), Record { seen: Some(seen(1, 11)), doubt: None });

        std::fs::create_dir(&in_the_way).unwrap();
        hear(&witness, 1, 10);
        std::fs::remove_dir(&in_the_way).unwrap();
        advance(PAUSE).await;
        hear(&witness, 1, 10);
        let doubt = Some("the store went back from revision 11 to 10".to_owned());
        assert_eq!(read(&path).unwrap(), Record { seen: Some(seen(1, 11)), doubt });
    }

    #[tokio::test(start_paused = true)]
    async fn answers_that_overtake_each_other_raise_no_doubt() {
        let directory = tempfile::tempdir().unwrap();
        let witness = Witness::open(directory.path().join("seen")).unwrap();
        hear(&witness, 1, 10);
        let before = witness.seen();
        hear(&witness, 1, 12);

        witness.heard(before, ClusterId(1), Revision(11));
        // A member that lags behind renews a lease.
        witness.reached(Revision(9));

        assert_eq!((witness.doubt(), witness.seen()), (None, Some(seen(1, 12))));
    }
}
