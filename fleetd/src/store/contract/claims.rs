//! The claims.

use super::*;

const LEASE: Duration = Duration::from_secs(1);

pub(super) async fn a_key_is_created_only_if_it_is_absent(subject: &impl Subject) {
    let create = Transaction {
        compares: vec![Compare::Created("k".to_owned(), Revision::ABSENT)],
        writes: vec![put_write("k", "v", None)],
    };

    let store = subject.store();
    let created = done(store, create.clone()).await;

    assert_eq!(store.commit(create).await.unwrap(), Commit::Refused(created));
    let snapshot = list(store, "k").await;
    assert_eq!(snapshot.revision, created);
    assert_eq!(snapshot.entries, [entry("k", "v", created, created)]);
}

pub(super) async fn a_refused_transaction_writes_nothing(subject: &impl Subject) {
    let store = subject.store();
    let first = put(store, "a", "1").await;
    let second = put(store, "a", "2").await;

    let stale = Transaction {
        compares: vec![
            Compare::Created("a".to_owned(), first),
            Compare::Modified("a".to_owned(), first),
        ],
        writes: vec![put_write("b", "x", None), Write::Delete("a".to_owned())],
    };

    assert_eq!(store.commit(stale).await.unwrap(), Commit::Refused(second));
    assert_eq!(list(store, "").await.entries, [entry("a", "2", first, second)]);
}

pub(super) async fn the_writes_of_a_transaction_share_a_revision(subject: &impl Subject) {
    let store = subject.store();
    let first = put(store, "a", "1").await;
    let both = vec![Write::Delete("a".to_owned()), put_write("b", "2", None)];

    let second = done(store, writes(both)).await;

    assert_eq!(second, first.next());
    assert_eq!(list(store, "").await.entries, [entry("b", "2", second, second)]);
}

pub(super) async fn a_range_at_an_older_revision_shows_what_was(subject: &impl Subject) {
    let store = subject.store();
    let created = put(store, "k/a", "1").await;
    let other = put(store, "k/b", "2").await;
    put(store, "k/a", "3").await;
    put(store, "k/c", "4").await;
    delete(store, "k/b").await;

    let snapshot = store.range(&prefix("k/"), Some(other)).await.unwrap();

    assert_eq!(snapshot.revision, other);
    assert_eq!(
        snapshot.entries,
        [entry("k/a", "1", created, created), entry("k/b", "2", other, other)]
    );
    let key = Selection::Key("k/c".to_owned());
    assert_eq!(store.range(&key, Some(other)).await.unwrap().entries, []);
}

pub(super) async fn a_range_at_a_forgotten_revision_is_an_error(subject: &impl Subject) {
    let store = subject.store();
    let forgotten = put(store, "k", "1").await;
    put(store, "k", "2").await;
    subject.compact().await;

    let outcome = store.range(&prefix("k"), Some(forgotten)).await;

    assert!(matches!(outcome, Err(StoreError::Compacted)), "{outcome:?}");
}

pub(super) async fn a_range_at_a_future_revision_is_refused(subject: &impl Subject) {
    let store = subject.store();
    let reached = put(store, "k", "1").await;

    let outcome = store.range(&prefix("k"), Some(reached.next())).await;

    assert!(matches!(outcome, Err(StoreError::Refused(_))), "{outcome:?}");
}

pub(super) async fn a_prefix_comes_in_the_order_of_its_keys(subject: &impl Subject) {
    let store = subject.store();
    for key in ["p/b", "q", "p/a/z", "p", "p0", "p/a"] {
        put(store, key, "").await;
    }

    let entries = list(store, "p/").await.entries;

    let keys: Vec<_> = entries.iter().map(|entry| entry.key.as_str()).collect();
    assert_eq!(keys, ["p/a", "p/a/z", "p/b"]);
}

pub(super) async fn more_keys_than_a_page_come_from_one_revision(subject: &impl Subject) {
    const KEYS: usize = 2345;
    let store = subject.store();
    let names: Vec<_> = (0..KEYS).map(|key| format!("p/{key:05}")).collect();
    let mut last = Revision::ABSENT;
    for chunk in names.chunks(100) {
        last =
            done(store, writes(chunk.iter().map(|key| put_write(key, "v", None)).collect())).await;
    }

    let snapshot = list(store, "p/").await;

    let keys: Vec<_> = snapshot.entries.into_iter().map(|entry| entry.key).collect();
    assert_eq!(snapshot.revision, last);
    assert_eq!(keys, names);
}

pub(super) async fn deleting_what_is_not_there_changes_nothing(subject: &impl Subject) {
    let store = subject.store();
    let before = put(store, "k", "v").await;

    assert_eq!(delete(store, "other").await, before);
}

pub(super) async fn a_key_written_twice_in_one_transaction_is_refused(subject: &impl Subject) {
    let store = subject.store();
    let twice = writes(vec![put_write("k", "1", None), put_write("k", "2", None)]);

    let outcome = store.commit(twice).await;

    assert!(matches!(outcome, Err(StoreError::Refused(_))), "{outcome:?}");
    assert_eq!(list(store, "").await.entries, []);
}

pub(super) async fn one_of_two_writers_that_compare_the_same_key_wins(subject: &impl Subject) {
    let store = subject.store();
    let read = put(store, "k", "0").await;
    let write = |value| {
        store.commit(Transaction {
            compares: vec![Compare::Modified("k".to_owned(), read)],
            writes: vec![put_write("k", value, None)],
        })
    };

    let (one, other) = tokio::join!(write("1"), write("2"));

    let winners = [one.unwrap(), other.unwrap()];
    let written = read.next();
    assert!(winners.contains(&Commit::Done(written)), "{winners:?}");
    assert!(winners.contains(&Commit::Refused(written)), "{winners:?}");
}

pub(super) async fn a_watch_replays_from_its_revision_and_goes_on(subject: &impl Subject) {
    let store = subject.store();
    let first = put(store, "k", "1").await;
    let second = put(store, "k", "2").await;

    let mut watch = store.watch(&prefix("k"), second);
    let replayed = next(&mut watch).await;
    let third = delete(store, "k").await;
    let live = next(&mut watch).await;

    assert_eq!(replayed, [Event::Put(entry("k", "2", first, second))]);
    assert_eq!(live, [Event::Delete { key: "k".to_owned(), revision: third }]);
}

pub(super) async fn a_watch_shows_its_selection_only(subject: &impl Subject) {
    let store = subject.store();
    let from = list(store, "").await.revision.next();
    let mut of_prefix = store.watch(&prefix("a/"), from);
    let mut of_key = store.watch(&Selection::Key("a".to_owned()), from);

    let other = put(store, "b", "").await;
    let key = put(store, "a", "").await;
    let below = put(store, "a/x", "").await;

    assert_eq!(other, from);
    assert_eq!(next(&mut of_prefix).await, [Event::Put(entry("a/x", "", below, below))]);
    assert_eq!(next(&mut of_key).await, [Event::Put(entry("a", "", key, key))]);
}

pub(super) async fn a_watch_never_splits_a_revision(subject: &impl Subject) {
    let store = subject.store();
    let from = list(store, "").await.revision.next();
    // Together more than etcd puts into one message.
    let value = "v".repeat(100_000);
    let mut large = Vec::new();
    for key in 0..12 {
        large.push(put_write(&format!("k{key:02}"), &value, None));
    }

    let mut live = store.watch(&prefix("k"), from);
    for _ in 0..2 {
        done(store, writes(large.clone())).await;
    }
    let mut replaying = store.watch(&prefix("k"), from);

    for watch in [&mut live, &mut replaying] {
        let mut revisions = Vec::new();
        while revisions.len() < 2 {
            let batch = next(watch).await;
            for revision in batch.chunk_by(|a, b| a.revision() == b.revision()) {
                assert_eq!(revision.len(), large.len());
                revisions.push(revision[0].revision());
            }
        }
        assert_eq!(revisions, [from, from.next()]);
    }
}

pub(super) async fn a_watch_from_a_forgotten_revision_demands_a_list(subject: &impl Subject) {
    let store = subject.store();
    let forgotten = put(store, "k", "1").await;
    put(store, "k", "2").await;
    subject.compact().await;

    let mut watch = store.watch(&prefix("k"), forgotten);

    assert_eq!(next(&mut watch).await, []);
    assert!(watch.next().await.is_none());
}

pub(super) async fn a_watch_from_a_future_revision_demands_a_list(subject: &impl Subject) {
    let store = subject.store();
    let reached = put(store, "k", "1").await;

    let mut watch = store.watch(&prefix("k"), reached.next().next());

    assert_eq!(next(&mut watch).await, []);
    assert!(watch.next().await.is_none());
}

pub(super) async fn a_large_backlog_is_replayed_whole(subject: &impl Subject) {
    const CHANGES: usize = 1000;
    let store = subject.store();
    let from = list(store, "").await.revision.next();
    for value in 0..CHANGES {
        put(store, "k", &value.to_string()).await;
    }

    let mut watch = store.watch(&prefix("k"), from);
    let events = collect(&mut watch, CHANGES).await;

    let revisions: Vec<_> = events.iter().map(|event| event.revision().0).collect();
    let expected: Vec<_> = (from.0..).take(CHANGES).collect();
    assert_eq!(revisions, expected);
}

pub(super) async fn a_lease_takes_its_keys_with_it(subject: &impl Subject) {
    let store = subject.store();
    let grant = store.grant(LEASE).await.unwrap();
    let bound = vec![put_write("a", "", Some(grant.id)), put_write("b", "", Some(grant.id))];
    let bound = done(store, writes(bound)).await;
    assert_eq!(list(store, "a").await.entries[0].lease, Some(grant.id));

    let mut watch = store.watch(&prefix(""), bound.next());
    let events = collect(&mut watch, 2).await;

    let revision = bound.next();
    let gone = ["a", "b"].map(|key| Event::Delete { key: key.to_owned(), revision });
    assert!(grant.ttl >= LEASE, "{grant:?}");
    assert_eq!(events, gone);
    assert_eq!(list(store, "").await.entries, []);
}

pub(super) async fn a_kept_lease_lives_on(subject: &impl Subject) {
    let store = subject.store();
    let grant = store.grant(LEASE).await.unwrap();
    let bound = done(store, writes(vec![put_write("k", "", Some(grant.id))])).await;

    let mut ticks = tokio::time::interval(grant.ttl / 4);
    for _ in 0..8 {
        ticks.tick().await;
        let kept = store.keep_alive(grant.id).await.unwrap();
        assert_eq!(kept, KeepAlive::Renewed { ttl: grant.ttl, reached: bound });
    }

    assert_eq!(list(store, "").await.revision, bound);
}

pub(super) async fn a_lease_that_is_gone_cannot_be_kept(subject: &impl Subject) {
    let store = subject.store();
    let grant = store.grant(LEASE).await.unwrap();
    store.revoke(grant.id).await.unwrap();

    assert_eq!(store.keep_alive(grant.id).await.unwrap(), KeepAlive::Expired);
    assert_eq!(store.remaining(grant.id).await.unwrap(), None);
    store.revoke(grant.id).await.unwrap();
}

pub(super) async fn a_revoked_lease_takes_its_keys_with_it_at_one_revision(subject: &impl Subject) {
    let store = subject.store();
    let grant = store.grant(Duration::from_secs(60)).await.unwrap();
    let bound = vec![put_write("a", "", Some(grant.id)), put_write("b", "", Some(grant.id))];
    let bound = done(store, writes(bound)).await;

    store.revoke(grant.id).await.unwrap();

    let snapshot = list(store, "").await;
    assert_eq!((snapshot.revision, snapshot.entries), (bound.next(), vec![]));
}

pub(super) async fn a_key_overwritten_without_lease_outlives_it(subject: &impl Subject) {
    let store = subject.store();
    let grant = store.grant(Duration::from_secs(60)).await.unwrap();
    let created = done(store, writes(vec![put_write("k", "1", Some(grant.id))])).await;
    let freed = put(store, "k", "2").await;

    store.revoke(grant.id).await.unwrap();

    let snapshot = list(store, "").await;
    assert_eq!(snapshot.revision, freed);
    assert_eq!(snapshot.entries, [entry("k", "2", created, freed)]);
}

pub(super) async fn a_key_cannot_be_bound_to_a_lease_that_is_gone(subject: &impl Subject) {
    let store = subject.store();
    let grant = store.grant(LEASE).await.unwrap();
    store.revoke(grant.id).await.unwrap();
    let both = vec![put_write("a", "", None), put_write("b", "", Some(grant.id))];

    let outcome = store.commit(writes(both)).await;

    assert!(matches!(outcome, Err(StoreError::LeaseGone)), "{outcome:?}");
    assert_eq!(list(store, "").await.entries, []);
}

pub(super) async fn a_lease_tells_what_it_has_left(subject: &impl Subject) {
    let store = subject.store();
    let grant = store.grant(Duration::from_secs(60)).await.unwrap();

    let remaining = store.remaining(grant.id).await.unwrap().unwrap();

    assert!(remaining <= grant.ttl, "{remaining:?}");
    assert!(remaining >= grant.ttl - PATIENCE, "{remaining:?}");
}
