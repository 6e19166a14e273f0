//! Starts the parts of fleetd, tells the service manager and the API how they are, and ends them
//! in order.

use std::future::pending;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use self::forgotten::{counted, refuse_to_forget};
use self::link::Link;
use self::signals::{Asked, Signals};
use crate::agent::{Agent, AgentSettings, Handle, Registration, Shutdown};
use crate::api::{self, ApiSettings, Doors, TcpAccess, Tls, TlsFiles, Unavailable};
use crate::config::{ApiTls, Settings, StoreChoice, StoreReason};
use crate::engine::{Engine, EngineSettings};
use crate::file::FileError;
use crate::log::chain;
use crate::machine::{self, AddressChanges};
use crate::metrics::Metrics;
use crate::notify;
use crate::registry::document::{Machine, VERSION};
use crate::store::embedded::{self, EmbeddedStore};
use crate::store::etcd::EtcdStore;
use crate::store::measured::Measured;
use crate::store::{Store, Witness, Witnessed};
use crate::systemd::dbus::{Bus, DbusSystemd};

mod dump;
mod forgotten;
mod link;
mod reload;
mod signals;

pub use reload::Configuration;

/// Where clients look for the API.
const SOCKET: &str = "/run/fleet.sock";
/// What has to die with the boot.
const RUN_DIRECTORY: &str = "/run/fleet";
/// What has to survive it.
const STATE_DIRECTORY: &str = "/var/lib/fleet";
/// Where in the former it is kept how far the store has come.
const SEEN: &str = "seen";
/// Where in the former it is kept which members etcd has.
const MEMBERS: &str = "etcd-members";
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
    /// The certificates of the API cannot be used.
    #[error(transparent)]
    Tls(#[from] api::TlsError),
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
pub async fn run(configuration: Configuration) -> Result<(), AppError> {
    let settings = &configuration.settings;
    let database = Path::new(STATE_DIRECTORY).join(DATABASE);
    let reason = &settings.store_reason;
    match settings.store.clone() {
        StoreChoice::Etcd(options) => {
            info!(endpoints = ?options.endpoints, %reason, "Using etcd as the store");
            refuse_to_forget(&database, reason).await?;
            let members = Path::new(RUN_DIRECTORY).join(MEMBERS);
            let store = EtcdStore::remembering(&options, members)?;
            let is_secure = options.endpoints.iter().any(|url| url.starts_with("https:"));
            let link = Link::Etcd { store: store.clone(), is_secure };
            serve(configuration, store, link).await
        }
        StoreChoice::Embedded => {
            info!(path = %database.display(), %reason, "Using the embedded store");
            let store = EmbeddedStore::open(&database).await?;
            let outcome = serve(configuration, store.clone(), Link::Embedded).await;
            if timeout(CLOSING, store.close()).await.is_err() {
                warn!("The embedded store did not close in time");
            }
            outcome
        }
    }
}

/// Runs all parts on a store.
async fn serve(
    configuration: Configuration,
    store: impl Store,
    link: Link,
) -> Result<(), AppError> {
    let metrics = Arc::new(Metrics::default());
    let store = Measured::new(store, metrics.store.clone());
    let settings = &configuration.settings;
    let signals = Signals::new().map_err(AppError::Signals)?;
    let machine = machine::machine_id()?;
    let tls = settings.api_tls.as_ref().map(read_tls).transpose()?;
    let tls = tls.map(watch::Sender::new);
    let listeners = api::listen(Path::new(SOCKET), tcp_access(settings))?;
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
    let agent = agent.observed_by(metrics.agent.clone());

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
        let engine = Engine::new(store.clone(), engine).observed_by(metrics.engine.clone());
        parts.tracker.spawn(engine.run(parts.engine.clone()));
    }
    let (readiness, ready) = watch::channel(Err(Unavailable::Pending));
    parts.tracker.spawn(follow(handle.clone(), readiness, parts.api.clone()));
    let (prefix, token_limit) = (settings.prefix.clone(), settings.token_limit);
    let api = ApiSettings { prefix, token_limit, metrics };
    let doors = Doors { listeners, tls: tls.as_ref().map(watch::Sender::subscribe) };
    api::serve(api, store.clone(), ready, doors, &parts.tracker, &parts.api);
    let supervisor = Supervisor { configuration, parts, handle, store, tls, link };
    supervisor.run(agent, signals).await
}

fn read_tls(files: &ApiTls) -> Result<Tls, api::TlsError> {
    let ApiTls { ca, cert, key } = files.clone();
    TlsFiles { ca, cert, key }.read()
}

const fn tcp_access(settings: &Settings) -> TcpAccess {
    match (&settings.api_tls, settings.insecure_tcp) {
        (Some(_), _) => TcpAccess::Certificate,
        (None, true) => TcpAccess::Everybody,
        (None, false) => TcpAccess::Loopback,
    }
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

/// What is held while the parts run, to do what the process is asked for.
struct Supervisor<S> {
    configuration: Configuration,
    parts: Parts,
    handle: Handle,
    store: S,
    tls: Option<watch::Sender<Tls>>,
    link: Link,
}

impl<S: Store> Supervisor<S> {
    async fn run(mut self, mut agent: AgentTask, mut signals: Signals) -> Result<(), AppError> {
        let mut addresses = AddressChanges::listen()
            .inspect_err(|error| warn!(%error, "Changes of the address are not followed"))
            .ok();
        let outcome = loop {
            tokio::select! {
                ended = &mut agent => match ended {
                    Ok(ended) => break ended.map(|_| ()),
                    // A panic has aborted the process before anybody sees this.
                    Err(_) => break Ok(()),
                },
                asked = signals.next() => match asked {
                    Asked::Stop => break stop(&self.parts, agent).await,
                    Asked::Reload => self.reload(),
                    Asked::Dump => self.dump(),
                },
                end = changed(&mut addresses) => match end {
                    Ok(()) => self.follow_address(),
                    Err(error) => {
                        warn!(%error, "Changes of the address are not followed");
                        addresses = None;
                    }
                }
            }
        };
        let parts = self.parts;
        parts.api.cancel();
        parts.engine.cancel();
        parts.agent.cancel();
        parts.tracker.close();
        if timeout(ANSWERING, parts.tracker.wait()).await.is_err() {
            warn!(tasks = parts.tracker.len(), "Ended with work left undone");
        }
        Ok(outcome?)
    }

    fn reload(&mut self) {
        notify::reloading();
        if self.configuration.reload() {
            self.exchange_certificates();
            self.present();
        }
        notify::reloaded();
    }

    /// The files may hold others, even if their names are what they were.
    fn exchange_certificates(&self) {
        if let (Some(sender), Some(files)) = (&self.tls, &self.configuration.settings.api_tls) {
            match read_tls(files) {
                Ok(tls) => drop(sender.send_replace(tls)),
                Err(error) => {
                    let error = chain(&error);
                    error!(error, "The API goes on with the certificates that it has");
                }
            }
        }
        if let Err(error) = self.link.renew(&self.configuration.settings.store) {
            let error = chain(&error);
            error!(error, "etcd is asked with the certificates that are known");
        }
    }

    /// Says of this machine what holds now.
    fn present(&self) {
        match presence(&self.configuration.settings) {
            Ok(presence) => self.handle.describe(presence),
            Err(error) => warn!(error = %chain(&error), "Machine cannot say what it is now"),
        }
    }

    /// A host that has just lost its route is found, if at all, where it was.
    fn follow_address(&self) {
        if machine::published_address(self.configuration.settings.public_ip).is_some() {
            self.present();
        }
    }

    fn dump(&self) {
        let prefix = self.configuration.settings.prefix.clone();
        let endpoints = self.link.endpoints();
        let dump = dump::print(self.handle.clone(), self.store.clone(), prefix, endpoints);
        self.parts.tracker.spawn(dump);
    }
}

async fn changed(addresses: &mut Option<AddressChanges>) -> io::Result<()> {
    match addresses {
        Some(addresses) => addresses.next().await,
        None => pending().await,
    }
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
