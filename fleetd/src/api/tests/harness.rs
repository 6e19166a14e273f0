use std::path::PathBuf;
use std::sync::Arc;

use fleet_units::{JobState, TargetState, UnitFile};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::api::{ApiSettings, Doors, Listener, Unavailable, WARM_UP, serve};
use crate::registry::document::{self, Assignment, Machine, Phase, Placed, State};
use crate::registry::key::{Key, KeyPrefix};
use crate::store::embedded::EmbeddedStore;
use crate::store::{Commit, Revision, Selection, Store, Transaction, Write};

pub(super) const JSON: &str = "Content-Type: application/json\r\n";

/// An API with its store.
pub(super) struct Fixture {
    directory: tempfile::TempDir,
    pub(super) store: EmbeddedStore,
    pub(super) prefix: KeyPrefix,
    pub(super) readiness: watch::Sender<Result<(), Unavailable>>,
    _stop: DropGuard,
}

impl Fixture {
    pub(super) fn new(token_limit: u16) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join("fleet.sock")).unwrap();
        let store = EmbeddedStore::in_memory().unwrap();
        let prefix = KeyPrefix::new("/fleet");
        let (readiness, ready) = watch::channel(Ok(()));
        let stop = CancellationToken::new();
        let settings = ApiSettings {
            prefix: prefix.clone(),
            token_limit: token_limit.try_into().unwrap(),
            metrics: Arc::default(),
        };
        serve(
            settings,
            store.clone(),
            ready,
            Doors { listeners: vec![Listener::Unix(listener)], tls: None },
            &TaskTracker::new(),
            &stop,
        );
        Self { directory, store, prefix, readiness, _stop: stop.drop_guard() }
    }

    /// Lets the time pass for which requests wait for a fleetd that has just started.
    pub(super) async fn warm_up(&self) {
        tokio::time::pause();
        tokio::time::advance(WARM_UP).await;
        tokio::time::resume();
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("fleet.sock")
    }

    /// Sends a request, with these header lines, and returns the raw connection.
    pub(super) async fn open(&self, request: &str, headers: &str, body: &[u8]) -> UnixStream {
        let length = body.len();
        let head = format!(
            "{request} HTTP/1.1\r\nHost: fleet\r\nConnection: close\r\nContent-Length: \
             {length}\r\n{headers}\r\n"
        );
        let mut stream = self.send(&head).await;
        stream.write_all(body).await.unwrap();
        stream
    }

    /// Sends what may be no whole request.
    pub(super) async fn send(&self, text: &str) -> UnixStream {
        let mut stream = UnixStream::connect(self.socket()).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        stream
    }

    /// The whole response but for its date and length: status, other headers, body.
    pub(super) async fn whole(&self, request: &str, headers: &str, body: &[u8]) -> String {
        let mut stream = self.open(request, headers, body).await;
        let mut response = String::new();
        stream.read_to_string(&mut response).await.unwrap();
        let (head, body) = response.split_once("\r\n\r\n").unwrap();
        let volatile = ["date: ", "content-length: ", "connection: "];
        let mut lines: Vec<_> = head
            .lines()
            .filter(|line| !volatile.iter().any(|header| line.starts_with(header)))
            .collect();
        lines[1..].sort_unstable();
        lines.push(body);
        lines.join("\n")
    }

    /// Status and body.
    pub(super) async fn ask(&self, request: &str, body: &str) -> String {
        let headers = if body.is_empty() { "" } else { JSON };
        short(&self.whole(request, headers, body.as_bytes()).await)
    }

    pub(super) async fn put_raw(&self, key: &Key, value: &[u8]) -> Revision {
        let key = self.prefix.encode(key);
        let write = Write::Put { key, value: value.to_vec(), lease: None };
        let transaction = Transaction { compares: vec![], writes: vec![write] };
        match self.store.commit(transaction).await.unwrap() {
            Commit::Done(revision) => revision,
            Commit::Refused(_) => panic!("nothing was compared"),
        }
    }

    pub(super) async fn put<T: serde::Serialize>(&self, key: &Key, document: &T) -> Revision {
        self.put_raw(key, &document::encode(document)).await
    }

    pub(super) async fn read<T: serde::de::DeserializeOwned>(&self, key: &Key) -> T {
        let selection = Selection::Key(self.prefix.encode(key));
        let found = self.store.range(&selection, None).await.unwrap();
        document::decode(&found.entries[0].value).unwrap()
    }

    pub(super) async fn delete(&self, key: &Key) {
        let writes = vec![Write::Delete(self.prefix.encode(key))];
        let delete = Transaction { compares: vec![], writes };
        self.store.commit(delete).await.unwrap();
    }

    pub(super) async fn stored(&self, name: &str) -> document::Unit {
        self.read(&Key::Unit(name.parse().unwrap())).await
    }

    pub(super) async fn uid(&self, name: &str) -> i64 {
        let key = self.prefix.encode(&Key::Unit(name.parse().unwrap()));
        let snapshot = self.store.range(&Selection::Key(key), None).await.unwrap();
        snapshot.entries[0].create_revision.0
    }

    /// A machine that is present.
    pub(super) async fn join(&self, id: &str, address: Option<&str>, metadata: &[(&str, &str)]) {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        let machine = Machine {
            instance: uuid::Uuid::nil(),
            boot: "boot".into(),
            hostname: "host".into(),
            address: address.map(|address| address.parse().unwrap()),
            metadata: metadata.iter().map(owned).collect(),
            reads: document::VERSION,
            fleet: "2.0.0".into(),
        };
        self.put(&Key::Machine(id.parse().unwrap()), &machine).await;
    }

    /// Puts a unit on a machine, and lets the machine say that it is active.
    pub(super) async fn run_unit(&self, name: &str, machine: &str) {
        let (uid, unit) = (self.uid(name).await, self.stored(name).await);
        let (name, machine) = (name.parse().unwrap(), machine.parse().unwrap());
        let placed = Placed { machine, uid, generation: 1 };
        let schedule = Key::Schedule(placed.machine.clone(), fleet_units::UnitName::clone(&name));
        let state = Key::State(placed.machine.clone(), name.clone());
        self.put(&Key::Placed(name), &placed).await;
        let assignment = Assignment {
            text: unit.text,
            hash: unit.hash,
            target: unit.target,
            uid,
            generation: unit.generation,
            stops: unit.stops,
            placement: 1,
            phase: Phase::Held,
        };
        self.put(&schedule, &assignment).await;
        let reported = State {
            uid,
            observed: unit.generation,
            hash: unit.hash,
            current: TargetState::Launched,
            load: "loaded".into(),
            active: "active".into(),
            sub: "running".into(),
            job: JobState::Done,
            problem: None,
        };
        self.put(&state, &reported).await;
    }
}

/// Status and body of a whole response.
pub(super) fn short(whole: &str) -> String {
    let status = whole.lines().next().unwrap().split(' ').nth(1).unwrap();
    let body = whole.lines().last().unwrap();
    if body.starts_with('{') { format!("{status} {body}") } else { status.to_owned() }
}

pub(super) fn error(code: u16, message: &str) -> String {
    let message = serde_json::to_string(message).unwrap();
    format!("{code} {{\"error\":{{\"code\":{code},\"message\":{message}}}}}")
}

pub(super) fn hash(text: &str) -> String {
    UnitFile::parse(text).unwrap().hash().to_string()
}
