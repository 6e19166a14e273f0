//! Starts the parts of fleetd, tells the service manager and the API how they are, and ends them
//! in order.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::agent::{Agent, AgentSettings, Handle, Registration, Shutdown};
use crate::api::{self, ApiSettings, Unavailable};
use crate::config::{Settings, StoreChoice, StoreReason};
use crate::engine::{Engine, EngineSettings};
use crate::file::FileError;
use crate::machine;
use crate::notify;
use crate::registry::document::{Machine, VERSION};
use crate::registry::key::is_unit;
use crate::store::embedded::{self, EmbeddedStore};
use crate::store::etcd::EtcdStore;
use crate::store::{Store, Witness, Witnessed};
use crate::systemd::dbus::{Bus, DbusSystemd};

/// Where clients look for the API.
const SOCKET: &str = "/run/fleet.sock";
/// What has to die with the boot.
const RUN_DIRECTORY: &str = "/run/fleet";
/// What has to survive it.
const STATE_DIRECTORY: &str = "/var/lib/fleet";
/// Where in the former it is kept how far the store has come.
const SEEN: &str = "seen";
/// Where in the latter the embedded store is.
const DATABASE: &str = "store.redb";

/// systemd is told that fleetd is there by then, even if the store is not.
const REGISTRATION: Duration = Duration::from_secs(5);
/// Units that stop slowly get as long as systemd gives them by itself; fleet.service allows more.
const LEAVING: Duration = Duration::from_secs(90);
/// Answers under way.
const ANSWERING: Duration = Duration::from_secs(5);
/// The last write of the embedded store.
const CLOSING: Duration = Duration::from_secs(5);

/// Why fleetd cannot run.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The machine does not know who it is.
    #[error(transparent)]
    Identity(#[from] machine::IdentityError),
    /// The settings for etcd cannot be used.
    #[error(transparent)]
    Store(#[from] crate::store::etcd::EtcdOptionsError),
    /// The embedded store cannot be opened.
    #[error(transparent)]
    Embedded(#[from] embedded::OpenError),
    /// With etcd the units of the embedded store would be forgotten.
    #[error(
        "{path} holds {units} of this machine, and etcd is to be used: {reason}; set \
         store=embedded to go on with them, or move the file away to leave them behind",
        path = path.display(),
        units = counted(*units)
    )]
    Forgotten {
        /// The embedded store.
        path: PathBuf,
        /// How many units it holds.
        units: usize,
        /// Why etcd.
        reason: StoreReason,
    },
    /// systemd cannot be reached.
    #[error(transparent)]
    Systemd(#[from] crate::systemd::SystemdError),
    /// The API cannot be served.
    #[error(transparent)]
    Listen(#[from] api::ListenError),
    /// The agent cannot use its directories.
    #[error(transparent)]
    Agent(#[from] FileError),
    /// The kernel refuses to deliver signals.
    #[error("cannot wait for signals")]
    Signals(#[source] std::io::Error),
}

/// Runs fleetd until it is told to stop.
///
/// # Errors
///
/// If it cannot start, or not go on.
pub async fn run(settings: Settings) -> Result<(), AppError> {
    let database = Path::new(STATE_DIRECTORY).join(DATABASE);
    let reason = &settings.store_reason;
    match &settings.store {
        StoreChoice::Etcd(options) => {
            info!(endpoints = ?options.endpoints, %reason, "Using etcd as the store");
            refuse_to_forget(&database, reason).await?;
            serve(&settings, EtcdStore::connect(options)?).await
        }
        StoreChoice::Embedded => {
            info!(path = %database.display(), %reason, "Using the embedded store");
            let store = EmbeddedStore::open(&database).await?;
            let outcome = serve(&settings, store.clone()).await;
            if timeout(CLOSING, store.close()).await.is_err() {
                warn!("The embedded store did not close in time");
            }
            outcome
        }
    }
}

/// Whoever configures etcd on a machine with units of its own has to say what becomes of them.
async fn refuse_to_forget(database: &Path, reason: &StoreReason) -> Result<(), AppError> {
    let keys = embedded::keys_in(database).await?;
    match keys.iter().filter(|key| is_unit(key)).count() {
        0 => Ok(()),
        units => {
            let (path, reason) = (database.to_owned(), reason.clone());
            Err(AppError::Forgotten { path, units, reason })
        }
    }
}

fn counted(units: usize) -> String {
    if units == 1 { "1 unit".to_owned() } else { format!("{units} units") }
}

/// Runs all parts on a store.
async fn serve(settings: &Settings, store: impl Store) -> Result<(), AppError> {
    let mut signals = Signals::new().map_err(AppError::Signals)?;
    let machine = machine::machine_id()?;
    let listeners = api::listen(Path::new(SOCKET), settings.insecure_tcp)?;
    let bus = if settings.systemd_user { Bus::User } else { Bus::System };
    let systemd = DbusSystemd::connect(bus).await?;
    let agent_settings = AgentSettings {
        machine: machine.clone(),
        presence: presence(settings)?,
        agent_ttl: settings.agent_ttl,
        prefix: settings.prefix.clone(),
        units_directory: settings.units_directory.clone(),
        state_directory: RUN_DIRECTORY.into(),
    };
    let witness = Witness::open(Path::new(RUN_DIRECTORY).join(SEEN))?;
    let store = Witnessed::new(store, witness.clone());
    let (agent, handle) = Agent::new(agent_settings, store.clone(), witness, systemd);

    let parts = Parts::default();
    let agent = parts.tracker.spawn(agent.run(parts.agent.clone()));
    if settings.disable_engine {
        info!("Not starting the engine: disable_engine is set");
    } else {
        let engine = EngineSettings {
            machine,
            agent_ttl: settings.agent_ttl,
            reschedule_grace: settings.reschedule_grace,
            prefix: settings.prefix.clone(),
        };
        let engine = Engine::new(store.clone(), engine);
        parts.tracker.spawn(engine.run(parts.engine.clone()));
    }
    let (readiness, ready) = watch::channel(Err(Unavailable::Pending));
    parts.tracker.spawn(follow(handle, readiness, parts.api.clone()));
    let api = ApiSettings { prefix: settings.prefix.clone(), token_limit: settings.token_limit };
    api::serve(api, store, ready, listeners, &parts.tracker, &parts.api);
    supervise(parts, agent, &mut signals).await
}

fn presence(settings: &Settings) -> Result<Machine, AppError> {
    Ok(Machine {
        instance: machine::instance(Path::new(STATE_DIRECTORY))?,
        boot: machine::boot_id()?,
        hostname: machine::hostname()?,
        address: machine::published_address(settings.public_ip),
        metadata: settings.metadata.clone(),
        reads: VERSION,
        fleet: env!("CARGO_PKG_VERSION").to_owned(),
    })
}

/// The running parts, each with what stops it.
#[derive(Default)]
struct Parts {
    tracker: TaskTracker,
    agent: CancellationToken,
    engine: CancellationToken,
    api: CancellationToken,
}

type AgentTask = JoinHandle<Result<Shutdown, FileError>>;

async fn supervise(
    parts: Parts,
    mut agent: AgentTask,
    signals: &mut Signals,
) -> Result<(), AppError> {
    let ended = tokio::select! {
        ended = &mut agent => Some(ended),
        () = signals.stop() => None,
    };
    let outcome = match ended {
        Some(Ok(ended)) => ended.map(|_| ()),
        // A panic has aborted the process before anybody sees this.
        Some(Err(_)) => Ok(()),
        None => stop(&parts, agent).await,
    };
    parts.api.cancel();
    parts.engine.cancel();
    parts.agent.cancel();
    parts.tracker.close();
    if timeout(ANSWERING, parts.tracker.wait()).await.is_err() {
        warn!(tasks = parts.tracker.len(), "Ended with work left undone");
    }
    Ok(outcome?)
}

/// Ends engine and agent; the API goes on answering.
async fn stop(parts: &Parts, agent: AgentTask) -> Result<(), FileError> {
    info!("Stopping");
    notify::stopping("Stopping");
    // Another engine shall lead while this machine gives its units away.
    parts.engine.cancel();
    parts.agent.cancel();
    match timeout(LEAVING, agent).await {
        Ok(Ok(Ok(Shutdown::Leave))) => info!("Left the cluster"),
        Ok(Ok(Ok(Shutdown::StayRunning))) => info!("Leaving all units running"),
        Ok(Ok(Err(error))) => return Err(error),
        // A panic has aborted the process before anybody sees this.
        Ok(Err(_)) => {}
        Err(_) => warn!("Some units did not stop in time"),
    }
    Ok(())
}

/// Hands on to API and service manager whether this machine is registered.
async fn follow(
    handle: Handle,
    readiness: watch::Sender<Result<(), Unavailable>>,
    stop: CancellationToken,
) {
    let mut registration = handle.registered();
    let following = async {
        let attempt = registration.wait_for(|now| *now != Registration::Pending);
        let _late = timeout(REGISTRATION, attempt).await.is_err();
        notify::ready(&describe(&registration.borrow()));
        loop {
            let now = registration.borrow_and_update().clone();
            notify::status(&describe(&now));
            drop(readiness.send_replace(match now {
                Registration::Registered => Ok(()),
                Registration::Pending => Err(Unavailable::Pending),
                Registration::Refused(reason) => Err(Unavailable::Refused(reason)),
            }));
            if registration.changed().await.is_err() {
                return;
            }
        }
    };
    let _stopped = stop.run_until_cancelled(following).await;
}

fn describe(registration: &Registration) -> String {
    match registration {
        Registration::Registered => "Registered".to_owned(),
        Registration::Pending => "Waiting for the store".to_owned(),
        Registration::Refused(reason) => format!("Not registered: {reason}"),
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits until fleetd is told to stop.
    async fn stop(&mut self) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hangup.recv() => {
                    info!("Settings are read at start only: restart fleetd, its units keep running");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::chain;
    use crate::registry::key::{Key, KeyPrefix};
    use crate::store::{Selection, Transaction, WatchBatch, Write};

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
