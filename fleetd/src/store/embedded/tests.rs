//! What the embedded store does beyond the contract: it outlives its process, and a bad disk.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use redb::backends::FileBackend;
use redb::{DatabaseError, StorageBackend};
use tempfile::TempDir;

use super::super::{KeyValue, Write};
use super::*;

/// How many of the next operations fail.
pub(super) type Faults = Arc<AtomicU32>;

/// A file whose writes fail now and then.
#[derive(Debug)]
pub(super) struct FaultyFile {
    file: FileBackend,
    faults: Faults,
}

impl FaultyFile {
    pub(super) fn new(file: File, faults: &Faults) -> Result<Self, DatabaseError> {
        Ok(Self { file: FileBackend::new(file)?, faults: Arc::clone(faults) })
    }

    fn fail(&self) -> io::Result<()> {
        match self.faults.load(Ordering::SeqCst) {
            0 => Ok(()),
            left => {
                self.faults.store(left - 1, Ordering::SeqCst);
                Err(io::Error::from(io::ErrorKind::StorageFull))
            }
        }
    }
}

impl StorageBackend for FaultyFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.fail()?;
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.fail()?;
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.fail()?;
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }
}

fn put(key: &str, value: &str, lease: Option<LeaseId>) -> Transaction {
    let value = value.as_bytes().to_vec();
    Transaction {
        compares: Vec::new(),
        writes: vec![Write::Put { key: key.to_owned(), value, lease }],
    }
}

async fn everything(store: &EmbeddedStore) -> Snapshot {
    store.range(&Selection::Prefix(String::new()), None).await.unwrap()
}

async fn reopen(store: EmbeddedStore, path: &Path) -> EmbeddedStore {
    store.close().await;
    EmbeddedStore::open(path).await.unwrap()
}

fn faulty(directory: &TempDir) -> (EmbeddedStore, Faults) {
    let faults = Faults::default();
    let place = Place::Faulty(directory.path().join("store"), Arc::clone(&faults));
    (EmbeddedStore::start(place).unwrap(), faults)
}

#[tokio::test]
async fn what_was_written_is_there_after_a_restart() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("store");
    let store = EmbeddedStore::open(&path).await.unwrap();
    let lease = store.grant(Duration::from_secs(60)).await.unwrap().id;
    store.commit(put("a", "1", None)).await.unwrap();
    store.commit(put("b", "2", Some(lease))).await.unwrap();
    store.commit(put("a", "3", None)).await.unwrap();
    let before = everything(&store).await;

    let store = reopen(store, &path).await;

    assert_eq!(everything(&store).await, before);
    let next = Commit::Done(before.revision.next());
    assert_eq!(store.commit(put("c", "4", None)).await.unwrap(), next);
    store.revoke(lease).await.unwrap();
    let keys: Vec<_> =
        everything(&store).await.entries.into_iter().map(|entry| entry.key).collect();
    assert_eq!(keys, ["a", "c"]);
}

#[tokio::test(start_paused = true)]
async fn a_lease_begins_anew_when_the_store_is_opened() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("store");
    let ttl = Duration::from_secs(10);
    let store = EmbeddedStore::open(&path).await.unwrap();
    let lease = store.grant(ttl).await.unwrap().id;
    tokio::time::advance(ttl / 2).await;
    assert_eq!(store.remaining(lease).await.unwrap(), Some(ttl / 2));

    let store = reopen(store, &path).await;

    assert_eq!(store.remaining(lease).await.unwrap(), Some(ttl));
}

#[tokio::test]
async fn a_store_that_is_open_is_not_opened_again() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("store");
    let _store = EmbeddedStore::open(&path).await.unwrap();

    let error = EmbeddedStore::open(&path).await.unwrap_err();

    let expected = format!("cannot open the embedded store {}", path.display());
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn a_file_that_is_no_store_is_refused() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("store");
    std::fs::write(&path, "no database, and longer than its header would have to be ".repeat(99))
        .unwrap();

    assert!(EmbeddedStore::open(&path).await.is_err());
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("no database"));
}

#[tokio::test]
async fn others_cannot_read_the_file() {
    use std::os::unix::fs::PermissionsExt;
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("store");
    let _store = EmbeddedStore::open(&path).await.unwrap();

    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn watches_end_with_the_store() {
    let store = EmbeddedStore::in_memory().unwrap();
    let reached = everything(&store).await.revision;
    let mut watch = store.watch(&Selection::Prefix(String::new()), reached.next());

    store.close().await;

    assert!(watch.next().await.is_none());
    let outcome = store.commit(put("a", "1", None)).await;
    assert!(matches!(outcome, Err(StoreError::Unavailable { .. })), "{outcome:?}");
}

#[tokio::test]
async fn a_write_that_fails_is_as_if_it_had_never_been() {
    let directory = TempDir::new().unwrap();
    let (store, faults) = faulty(&directory);
    store.commit(put("a", "1", None)).await.unwrap();
    let before = everything(&store).await;

    faults.store(1, Ordering::SeqCst);
    let outcome = store.commit(put("a", "2", None)).await;

    assert!(matches!(outcome, Err(StoreError::Unavailable { .. })), "{outcome:?}");
    assert_eq!(everything(&store).await, before);
    let next = Commit::Done(before.revision.next());
    assert_eq!(store.commit(put("a", "3", None)).await.unwrap(), next);
}

#[tokio::test]
async fn a_store_whose_disk_is_full_still_reads_and_writes_again_later() {
    let directory = TempDir::new().unwrap();
    let (store, faults) = faulty(&directory);
    store.commit(put("a", "1", None)).await.unwrap();
    let before = everything(&store).await;
    let mut watch = store.watch(&Selection::Key("a".to_owned()), before.revision.next());

    faults.store(u32::MAX, Ordering::SeqCst);
    let unknown = store.commit(put("a", "2", None)).await;
    let unavailable = store.commit(put("a", "3", None)).await;
    let read = everything(&store).await;
    faults.store(0, Ordering::SeqCst);
    let later = store.commit(put("a", "4", None)).await.unwrap();

    assert!(matches!(unknown, Err(StoreError::OutcomeUnknown { .. })), "{unknown:?}");
    assert!(matches!(unavailable, Err(StoreError::Unavailable { .. })), "{unavailable:?}");
    assert_eq!(read, before);
    let revision = before.revision.next();
    assert_eq!(later, Commit::Done(revision));
    match watch.next().await {
        Some(WatchBatch::Changes { events, .. }) => assert_eq!(
            events,
            [super::super::Event::Put(KeyValue {
                key: "a".to_owned(),
                value: b"4".to_vec(),
                create_revision: before.entries[0].create_revision,
                mod_revision: revision,
                lease: None,
            })]
        ),
        other => panic!("{other:?}"),
    }
}
