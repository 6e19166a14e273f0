//! Units of an embedded store that nobody would look at any more.

use std::path::Path;

use super::AppError;
use crate::config::StoreReason;
use crate::registry::key::is_unit;
use crate::store::embedded;

/// Whoever configures etcd on a machine with units of its own has to say what becomes of them.
pub(super) async fn refuse_to_forget(
    database: &Path,
    reason: &StoreReason,
) -> Result<(), AppError> {
    let keys = embedded::keys_in(database).await?;
    match keys.iter().filter(|key| is_unit(key)).count() {
        0 => Ok(()),
        units => {
            let (path, reason) = (database.to_owned(), reason.clone());
            Err(AppError::Forgotten { path, units, reason })
        }
    }
}

pub(super) fn counted(units: usize) -> String {
    if units == 1 { "1 unit".to_owned() } else { format!("{units} units") }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use tokio_util::sync::CancellationToken;

    use super::super::DATABASE;
    use super::*;
    use crate::engine::{Engine, EngineSettings};
    use crate::log::chain;
    use crate::registry::key::{Key, KeyPrefix};
    use crate::store::embedded::EmbeddedStore;
    use crate::store::{Selection, Store, Transaction, WatchBatch, Write};

    async fn database(directory: &tempfile::TempDir, key: &str) -> PathBuf {
        let path = directory.path().join(DATABASE);
        let store = EmbeddedStore::open(&path).await.unwrap();
        let put = Write::Put { key: key.to_owned(), value: b"{}".to_vec(), lease: None };
        store.commit(Transaction { compares: vec![], writes: vec![put] }).await.unwrap();
        store.close().await;
        path
    }

    /// Waits until an engine on that store leads.
    async fn lead(store: &EmbeddedStore) {
        let prefix = KeyPrefix::new("/fleet");
        let key = Selection::Key(prefix.encode(&Key::Leader));
        let settings = EngineSettings {
            machine: "m".parse().unwrap(),
            agent_ttl: Duration::from_secs(30),
            reschedule_grace: Duration::ZERO,
            prefix,
        };
        let listed = store.range(&key, None).await.unwrap();
        let mut watch = store.watch(&key, listed.revision.next());
        let engine = Engine::new(store.clone(), settings).run(CancellationToken::new());
        tokio::select! {
            () = engine => panic!("the engine ended"),
            batch = watch.next() => assert!(matches!(batch, Some(WatchBatch::Changes { .. }))),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_crash_fleetd_leads_again_as_soon_as_it_has_its_own_store_open() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(DATABASE);
        let store = EmbeddedStore::open(&path).await.unwrap();
        lead(&store).await;
        // The engine is gone and its lease lives: closing only frees the file.
        store.close().await;

        let store = EmbeddedStore::open(&path).await.unwrap();
        let opened = tokio::time::Instant::now();
        lead(&store).await;

        assert!(opened.elapsed() < Duration::from_secs(1), "{:?}", opened.elapsed());
    }

    #[tokio::test]
    async fn etcd_is_refused_beside_a_database_that_holds_units() {
        let directory = tempfile::tempdir().unwrap();
        let path = database(&directory, "/_coreos.com/fleet/units/hello.service").await;

        let refused = refuse_to_forget(&path, &StoreReason::NothingSaid).await.unwrap_err();

        let expected = format!(
            "{} holds 1 unit of this machine, and etcd is to be used: the configuration sets \
             neither store nor etcd_servers, which means an etcd at the default endpoints; set \
             store=embedded to go on with them, or move the file away to leave them behind",
            path.display()
        );
        assert_eq!(refused.to_string(), expected);
    }

    #[tokio::test]
    async fn etcd_is_not_refused_for_a_database_without_units_or_for_none() {
        let directory = tempfile::tempdir().unwrap();
        let path = database(&directory, "/_coreos.com/fleet/members/m").await;

        refuse_to_forget(&path, &StoreReason::NothingSaid).await.unwrap();
        let missing = directory.path().join("none");
        refuse_to_forget(&missing, &StoreReason::NothingSaid).await.unwrap();

        assert!(!missing.exists());
    }

    #[tokio::test]
    async fn etcd_is_refused_beside_a_database_that_cannot_be_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(DATABASE);
        std::fs::write(&path, "no database ".repeat(999)).unwrap();

        let refused = refuse_to_forget(&path, &StoreReason::NothingSaid).await.unwrap_err();

        let expected = format!(
            "cannot open the embedded store {}: it is damaged: put a backup in its place, or move \
             it away to begin with none",
            path.display()
        );
        assert!(chain(&refused).starts_with(&expected), "{}", chain(&refused));
    }
}
