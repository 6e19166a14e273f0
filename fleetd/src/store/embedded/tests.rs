//! What the embedded store does beyond the contract: it outlives its process, and a bad disk.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use tempfile::TempDir;

use super::super::{KeyValue, Write};
use super::simulated::Machine;
use super::*;
use crate::log::chain;

pub(super) fn put(key: &str, value: &str, lease: Option<LeaseId>) -> Transaction {
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

pub(super) fn start_on(machine: &Machine) -> EmbeddedStore {
    EmbeddedStore::start(Place::Simulated(machine.clone())).unwrap()
}

/// Keys and values, without what they are bound to.
pub(super) async fn values(store: &EmbeddedStore) -> BTreeMap<String, Vec<u8>> {
    let entries = everything(store).await.entries.into_iter();
    entries.map(|entry| (entry.key, entry.value)).collect()
}

#[tokio::test]
async fn what_was_written_is_there_after_a_restart() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("store");
    let store = EmbeddedStore::open(&path).await.unwrap();
    store.commit(put("a", "1", None)).await.unwrap();
    store.commit(put("b", "2", None)).await.unwrap();
    store.commit(put("a", "3", None)).await.unwrap();
    let before = everything(&store).await;

    let store = reopen(store, &path).await;

    assert_eq!(everything(&store).await, before);
    let next = Commit::Done(before.revision.next());
    assert_eq!(store.commit(put("c", "4", None)).await.unwrap(), next);
}

#[tokio::test]
async fn leases_end_with_the_process_that_held_them() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("store");
    let store = EmbeddedStore::open(&path).await.unwrap();
    let lease = store.grant(Duration::from_secs(60)).await.unwrap().id;
    store.grant(Duration::from_secs(60)).await.unwrap();
    store.commit(put("a", "1", None)).await.unwrap();
    store.commit(put("b", "2", Some(lease))).await.unwrap();
    let before = everything(&store).await;

    let store = reopen(store, &path).await;

    assert_eq!(store.remaining(lease).await.unwrap(), None);
    let revision = before.revision.next();
    let entries = before.entries[..1].to_vec();
    let after = Snapshot { cluster: before.cluster, revision, entries };
    assert_eq!(everything(&store).await, after);
    let store = reopen(store, &path).await;
    assert_eq!(everything(&store).await, after, "there is nothing left to end");
}

#[tokio::test]
async fn a_store_that_is_open_is_not_opened_again() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("store");
    let _store = EmbeddedStore::open(&path).await.unwrap();

    let error = EmbeddedStore::open(&path).await.unwrap_err();

    let expected = format!(
        "cannot open the embedded store {}: another process has it open: two fleetd cannot share it",
        path.display()
    );
    assert_eq!(chain(&error), expected);
}

#[tokio::test]
async fn who_has_no_lock_leaves_the_new_file_of_who_has_it() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("store");
    let store = EmbeddedStore::open(&path).await.unwrap();
    let new = directory.path().join("store.new");
    std::fs::write(&new, "half of a database").unwrap();

    EmbeddedStore::open(&path).await.unwrap_err();
    keys_in(&path).await.unwrap_err();
    let was_left = new.exists();
    let _store = reopen(store, &path).await;

    assert_eq!((was_left, new.exists()), (true, false));
}

#[tokio::test]
async fn a_file_that_is_no_store_is_refused() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("store");
    std::fs::write(&path, "no database, and longer than its header would have to be ".repeat(99))
        .unwrap();

    let error = EmbeddedStore::open(&path).await.unwrap_err();

    let expected = format!(
        "cannot open the embedded store {}: it is damaged: put a backup in its place, or move it \
         away to begin with none",
        path.display()
    );
    assert!(chain(&error).starts_with(&expected), "{}", chain(&error));
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("no database"));
}

#[test]
fn errors_of_the_disk_are_told_as_sentences() {
    let sentence = |kind| {
        let error = std::io::Error::from(kind);
        DiskError::from(redb::Error::Io(error)).to_string()
    };

    assert_eq!(
        sentence(std::io::ErrorKind::ReadOnlyFilesystem),
        "its file system is mounted read-only"
    );
    assert_eq!(sentence(std::io::ErrorKind::StorageFull), "its disk is full: make room");
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
    let machine = Machine::default();
    let store = start_on(&machine);
    let lease = store.grant(Duration::from_secs(60)).await.unwrap().id;
    store.commit(put("a", "1", Some(lease))).await.unwrap();
    let before = everything(&store).await;

    for _ in 0..2 {
        machine.fail(1);
        let outcome = store.commit(put("a", "2", None)).await;
        assert!(matches!(outcome, Err(StoreError::Unavailable { .. })), "{outcome:?}");
        machine.fail(1);
        let outcome = store.revoke(lease).await;
        assert!(matches!(outcome, Err(StoreError::Unavailable { .. })), "{outcome:?}");
    }

    assert_eq!(everything(&store).await, before);
    assert!(store.remaining(lease).await.unwrap().is_some());
    let next = Commit::Done(before.revision.next());
    assert_eq!(store.commit(put("a", "3", Some(lease))).await.unwrap(), next);
}

#[tokio::test]
async fn a_store_whose_disk_is_full_still_reads_and_writes_again_later() {
    let machine = Machine::default();
    let store = start_on(&machine);
    store.commit(put("a", "1", None)).await.unwrap();
    let before = everything(&store).await;
    let mut watch = store.watch(&Selection::Key("a".to_owned()), before.revision.next());

    machine.fail(u32::MAX);
    let unknown = store.commit(put("a", "2", None)).await.unwrap_err();
    let unavailable = store.commit(put("a", "3", None)).await.unwrap_err();
    let read = everything(&store).await;
    machine.fail(0);
    let later = store.commit(put("a", "4", None)).await.unwrap();

    assert_eq!(
        chain(&unknown),
        "the store at on a simulated disk did not answer; whether it wrote is not known: its disk \
         is full: make room"
    );
    assert_eq!(
        chain(&unavailable),
        "cannot reach the store at on a simulated disk: its disk is full: make room"
    );
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

/// After a failed sync Linux takes what it could not write for written.
#[tokio::test]
async fn what_is_confirmed_after_a_sync_that_failed_outlives_a_power_loss() {
    let machine = Machine::default();
    let store = start_on(&machine);
    store.commit(put("a", "1", None)).await.unwrap();

    machine.fail_syncs(1);
    let failed = store.commit(put("b", "2", None)).await;
    store.commit(put("c", "3", None)).await.unwrap();
    let confirmed = values(&store).await;

    assert!(matches!(failed, Err(StoreError::Unavailable { .. })), "{failed:?}");
    let keys: Vec<_> = confirmed.keys().collect();
    assert_eq!(keys, ["a", "c"]);
    let after = start_on(&machine.after_power_loss(|| false));
    assert_eq!(values(&after).await, confirmed);
}

#[tokio::test]
async fn changes_that_wait_together_share_a_sync() {
    let machine = Machine::default();
    let store = start_on(&machine);
    let before = machine.syncs();
    store.commit(put("one", "1", None)).await.unwrap();
    let one = machine.syncs() - before;

    let commits = (0..100).map(|n| store.commit(put(&format!("many/{n}"), "1", None)));
    let outcomes = join_all(commits).await;

    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    let many = machine.syncs() - before - one;
    assert!(many <= 3 * one, "{many} syncs for 100 changes, {one} for one");
}

#[tokio::test]
async fn a_change_is_decided_on_top_of_those_it_waits_with() {
    let store = EmbeddedStore::in_memory().unwrap();
    let creation = |value: &str| Transaction {
        compares: vec![super::super::Compare::Created("a".to_owned(), Revision::ABSENT)],
        ..put("a", value, None)
    };

    let commits = ["1", "2", "3"].map(|value| store.commit(creation(value)));
    let outcomes: Vec<_> = join_all(commits).await.into_iter().map(Result::unwrap).collect();

    let revision = everything(&store).await.revision;
    let refused = Commit::Refused(revision);
    assert_eq!(outcomes, [Commit::Done(revision), refused, refused]);
    assert_eq!(values(&store).await["a"], b"1");
}

#[tokio::test]
async fn changes_that_fail_together_leave_nothing() {
    let machine = Machine::default();
    let store = start_on(&machine);
    store.commit(put("a", "0", None)).await.unwrap();
    let before = everything(&store).await;

    machine.fail(1);
    let commits = ["1", "2", "3"].map(|value| store.commit(put("a", value, None)));
    let outcomes = join_all(commits).await;

    for outcome in outcomes {
        assert!(matches!(outcome, Err(StoreError::Unavailable { .. })), "{outcome:?}");
    }
    assert_eq!(everything(&store).await, before);
}

/// Some commits, sent together.
type Burst = Vec<(u8, Option<usize>)>;

fn transaction((key, length): (u8, Option<usize>), nonce: usize) -> Transaction {
    let key = format!("key/{key}");
    let write = match length {
        Some(length) => {
            let value = nonce.to_string().into_bytes().into_iter().cycle().take(length).collect();
            Write::Put { key, value, lease: None }
        }
        None => Write::Delete(key),
    };
    Transaction { compares: Vec::new(), writes: vec![write] }
}

/// Sends bursts until the power goes; returns what was confirmed, and all states that the store may
/// be in.
async fn until_power_loss(
    machine: &Machine,
    bursts: &[Burst],
) -> Result<(usize, Vec<BTreeMap<String, Vec<u8>>>), TestCaseError> {
    let mut states = vec![BTreeMap::new()];
    let Ok(store) = EmbeddedStore::start(Place::Simulated(machine.clone())) else {
        return Ok((0, states));
    };
    let mut confirmed = 0;
    for burst in bursts {
        let numbered = burst.iter().enumerate().map(|(n, change)| (states.len() + n, *change));
        let transactions: Vec<_> = numbered.map(|(n, change)| transaction(change, n)).collect();
        let commits = transactions.iter().cloned().map(|transaction| store.commit(transaction));
        let outcomes = join_all(commits).await;
        for (transaction, outcome) in transactions.into_iter().zip(outcomes) {
            let mut state = states.last().cloned().unwrap_or_default();
            match transaction.writes.into_iter().next() {
                Some(Write::Put { key, value, .. }) => drop(state.insert(key, value)),
                Some(Write::Delete(key)) => drop(state.remove(&key)),
                None => {}
            }
            states.push(state);
            if outcome.is_ok() {
                prop_assert_eq!(confirmed, states.len() - 2, "a later change outlives an earlier");
                confirmed = states.len() - 1;
            }
        }
        if confirmed + 1 < states.len() {
            break;
        }
    }
    Ok((confirmed, states))
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_was_confirmed_is_there_after_a_power_loss_at_any_point(
        bursts in prop::collection::vec(
            prop::collection::vec((0..6_u8, prop::option::weighted(0.8, 1..9000_usize)), 1..5),
            1..12,
        ),
        operations in 0..400_u32,
        kept in prop::collection::vec(any::<bool>(), 1..97),
    ) {
        let machine = Machine::default();
        machine.lose_power_after(operations);
        let (confirmed, states) = run(until_power_loss(&machine, &bursts))?;

        let mut chances = kept.into_iter().cycle();
        let machine = machine.after_power_loss(|| chances.next().unwrap_or_default());
        let found = run(async { values(&start_on(&machine)).await });

        let possible = &states[confirmed..];
        prop_assert!(possible.contains(&found), "{confirmed} confirmed, found {:?}", found.keys());
    }

    #[test]
    fn a_database_with_damage_is_refused_or_tells_what_was_once_true(
        places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40),
        length in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("store");
        let mut states = vec![BTreeMap::new()];
        run(async {
            let store = EmbeddedStore::open(&path).await.unwrap();
            for n in 0..8 {
                store.commit(put(&format!("key/{n}"), &"x".repeat(n * 200), None)).await.unwrap();
                states.push(values(&store).await);
            }
            store.close().await;
        });
        let mut bytes = std::fs::read(&path).unwrap();
        for (place, value) in places {
            let index = place.index(bytes.len());
            bytes[index] = value;
        }
        if let Some(length) = length {
            bytes.truncate(length.index(bytes.len()));
        }
        std::fs::write(&path, bytes).unwrap();

        let found = run(async {
            match EmbeddedStore::open(&path).await {
                Ok(store) => Ok(values(&store).await),
                Err(error) => Err(chain(&error)),
            }
        });

        match found {
            Ok(found) => prop_assert!(states.contains(&found), "found {:?}", found.keys()),
            Err(sentence) => {
                prop_assert!(sentence.contains("it is damaged"), "{sentence}");
            }
        }
    }
}
