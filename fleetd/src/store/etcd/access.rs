//! Users, passwords and certificates.

use std::path::Path;
use std::time::Duration;

use etcd_client::{Client, Permission};
use tokio::time::{Instant, sleep, timeout};

use super::process::Etcd;
use super::{Credentials, EtcdOptions, EtcdOptionsError, EtcdStore, TlsFiles};
use crate::store::{Commit, Event, Selection, Store, StoreError, Transaction, WatchBatch, Write};

const PATIENCE: Duration = Duration::from_secs(15);

/// Longer than a token of our test servers lives.
const TOKEN_IS_STALE: Duration = Duration::from_millis(2500);

fn options(url: &str) -> EtcdOptions {
    EtcdOptions {
        endpoints: vec![url.to_owned()],
        request_timeout: Duration::from_secs(1),
        credentials: None,
        tls: None,
    }
}

fn with_password(url: &str, password: &str) -> EtcdStore {
    let credentials = Credentials { username: "fleet".to_owned(), password: password.to_owned() };
    EtcdStore::connect(&EtcdOptions { credentials: Some(credentials), ..options(url) }).unwrap()
}

fn put(key: &str) -> Transaction {
    let key = key.to_owned();
    Transaction {
        compares: Vec::new(),
        writes: vec![Write::Put { key, value: Vec::new(), lease: None }],
    }
}

/// An etcd that lets user `fleet` with password `right` at `/fleet/` and nothing else.
async fn guarded() -> Etcd {
    let etcd = Etcd::start().await;
    let mut root = Client::connect([etcd.url()], None).await.unwrap();
    for user in ["root", "fleet"] {
        root.role_add(user).await.unwrap();
        root.user_add(user, "right", None).await.unwrap();
        root.user_grant_role(user, user).await.unwrap();
    }
    root.role_grant_permission("fleet", Permission::read_write("/fleet/").with_prefix())
        .await
        .unwrap();
    root.auth_enable().await.unwrap();
    etcd
}

/// Writes as soon as etcd is there.
async fn until_up(store: &EtcdStore) -> Commit {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match store.commit(put("k")).await {
            Ok(commit) => return commit,
            Err(error) => assert!(Instant::now() < deadline, "{error:?}"),
        }
    }
}

#[tokio::test]
async fn calls_and_watches_outlive_their_token() {
    let etcd = guarded().await;
    let store = with_password(etcd.url(), "right");
    let selection = Selection::Prefix("/fleet/".to_owned());
    let first = store.commit(put("/fleet/a")).await.unwrap();
    let Commit::Done(first) = first else { panic!("{first:?}") };
    let mut early = store.watch(&selection, first);
    assert!(matches!(timeout(PATIENCE, early.next()).await, Ok(Some(WatchBatch::Changes { .. }))));

    sleep(TOKEN_IS_STALE).await;
    let mut late = store.watch(&selection, first.next());
    // By another client: the watch has to renew the token itself.
    let other = with_password(etcd.url(), "right");
    let second = other.commit(put("/fleet/b")).await.unwrap();

    for watch in [&mut early, &mut late] {
        match timeout(PATIENCE, watch.next()).await.expect("the watch is silent") {
            Some(WatchBatch::Changes { revision, events }) => {
                assert_eq!(Commit::Done(revision), second);
                assert_eq!(events.iter().map(Event::revision).collect::<Vec<_>>(), [revision]);
            }
            end => panic!("{end:?}"),
        }
    }
    assert_eq!(store.commit(put("/fleet/c")).await.unwrap(), {
        let Commit::Done(second) = second else { panic!("{second:?}") };
        Commit::Done(second.next())
    });
}

#[tokio::test]
async fn a_wrong_password_and_a_forbidden_key_are_refused_with_etcds_words() {
    let etcd = guarded().await;

    let wrong = with_password(etcd.url(), "wrong").commit(put("/fleet/a")).await;
    let forbidden = with_password(etcd.url(), "right").commit(put("/other")).await;

    let words = [wrong, forbidden].map(|outcome| match outcome {
        Err(StoreError::Refused(reason)) => reason.to_string(),
        other => panic!("{other:?}"),
    });
    assert_eq!(
        words,
        [
            format!(
                "{}: etcdserver: authentication failed, invalid user ID or password",
                etcd.url()
            ),
            format!("{}: etcdserver: permission denied", etcd.url()),
        ]
    );
}

#[tokio::test]
async fn certificates_that_are_read_again_count_for_new_connections() {
    let file =
        |name| Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/etcd/fixtures").join(name);
    let (ca, cert, key) = (file("ca.pem"), file("member.pem"), file("member.key"));
    let etcd = Etcd::start_with_tls(&ca, &cert, &key);
    let known = TlsFiles { ca: Some(ca.clone()), cert: Some(cert), key: Some(key) };
    let nameless = TlsFiles { ca: Some(ca.clone()), ..TlsFiles::default() };
    let broken = TlsFiles { cert: Some(ca), ..TlsFiles::default() };
    until_up(
        &EtcdStore::connect(&EtcdOptions { tls: Some(known.clone()), ..options(etcd.url()) })
            .unwrap(),
    )
    .await;
    let store = EtcdStore::connect(&EtcdOptions { tls: Some(nameless), ..options(etcd.url()) });
    let store = store.unwrap();
    assert!(store.commit(put("k")).await.is_err());

    assert!(store.renew(&broken).is_err());
    assert!(store.commit(put("k")).await.is_err());
    store.renew(&known).unwrap();

    assert!(matches!(store.commit(put("k")).await, Ok(Commit::Done(_))));
}

#[tokio::test]
async fn client_and_server_of_an_https_endpoint_know_each_other_by_certificate() {
    let file =
        |name| Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/etcd/fixtures").join(name);
    // For 127.0.0.1 as server and client, signed by an authority whose key is gone.
    let (ca, cert, key) = (file("ca.pem"), file("member.pem"), file("member.key"));
    let etcd = Etcd::start_with_tls(&ca, &cert, &key);
    let store = |tls| EtcdStore::connect(&EtcdOptions { tls, ..options(etcd.url()) }).unwrap();
    let known = TlsFiles { ca: Some(ca.clone()), cert: Some(cert), key: Some(key) };
    let nameless = TlsFiles { ca: Some(ca), ..TlsFiles::default() };

    let written = until_up(&store(Some(known))).await;
    let from_nobody = store(Some(nameless)).commit(put("k")).await;
    let to_unknown = store(None).commit(put("k")).await;

    assert!(matches!(written, Commit::Done(_)), "{written:?}");
    assert!(from_nobody.is_err_and(|error| error.is_transient()));
    match to_unknown {
        Err(StoreError::Unavailable { source, .. }) => assert_eq!(
            source.to_string(),
            format!("{}: cannot connect: invalid peer certificate: UnknownIssuer", etcd.url())
        ),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn passwords_are_not_shown() {
    let store = with_password("http://127.0.0.1:1", "secret");
    let credentials = Credentials { username: "fleet".to_owned(), password: "secret".to_owned() };

    assert_eq!(format!("{credentials:?}"), "Credentials { username: \"fleet\", .. }");
    assert!(!format!("{store:?}").contains("secret"), "{store:?}");
}

#[test]
fn options_that_cannot_work_are_told_at_once() {
    let refusal = |options: EtcdOptions| EtcdStore::connect(&options).unwrap_err().to_string();
    let tls = |ca: Option<&str>, cert: Option<&str>| EtcdOptions {
        tls: Some(TlsFiles { ca: ca.map(Into::into), cert: cert.map(Into::into), key: None }),
        ..options("https://127.0.0.1:1")
    };

    assert_eq!(
        [
            refusal(EtcdOptions { endpoints: Vec::new(), ..options("") }),
            refusal(options("127.0.0.1:2379")),
            refusal(options("http://user:secret@127.0.0.1:2379")),
            refusal(tls(Some("/nowhere/ca.pem"), None)),
            refusal(tls(None, Some("/nowhere/cert.pem"))),
        ],
        [
            EtcdOptionsError::NoEndpoint.to_string(),
            "`127.0.0.1:2379` is not a URL of etcd such as http://127.0.0.1:2379".to_owned(),
            EtcdOptionsError::Userinfo.to_string(),
            "cannot read `/nowhere/ca.pem`".to_owned(),
            EtcdOptionsError::HalfIdentity.to_string(),
        ]
    );
}
