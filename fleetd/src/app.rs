//! Starts the parts of fleetd, tells the service manager and the API how they are, and ends them
//! in order.

use std::path::Path;
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
use crate::config::Settings;
use crate::engine::{Engine, EngineSettings};
use crate::file::FileError;
use crate::machine;
use crate::notify;
use crate::registry::document::{Machine, VERSION};
use crate::store::etcd::EtcdStore;
use crate::systemd::dbus::{Bus, DbusSystemd};

/// Where clients look for the API.
const SOCKET: &str = "/run/fleet.sock";
/// What has to die with the boot.
const RUN_DIRECTORY: &str = "/run/fleet";
/// What has to survive it.
const STATE_DIRECTORY: &str = "/var/lib/fleet";

/// systemd is told that fleetd is there by then, even if the store is not.
const REGISTRATION: Duration = Duration::from_secs(5);
/// Units that stop slowly get as long as systemd gives them by itself; fleet.service allows more.
const LEAVING: Duration = Duration::from_secs(90);
/// Answers under way.
const ANSWERING: Duration = Duration::from_secs(5);

/// Why fleetd cannot run.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The machine does not know who it is.
    #[error(transparent)]
    Identity(#[from] machine::IdentityError),
    /// The settings for etcd cannot be used.
    #[error(transparent)]
    Store(#[from] crate::store::etcd::EtcdOptionsError),
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
    let mut signals = Signals::new().map_err(AppError::Signals)?;
    let machine = machine::machine_id()?;
    let listeners = api::listen(Path::new(SOCKET), settings.insecure_tcp)?;
    let store = EtcdStore::connect(&settings.etcd)?;
    let bus = if settings.systemd_user { Bus::User } else { Bus::System };
    let systemd = DbusSystemd::connect(bus).await?;
    let agent_settings = AgentSettings {
        machine: machine.clone(),
        presence: presence(&settings)?,
        agent_ttl: settings.agent_ttl,
        prefix: settings.prefix.clone(),
        units_directory: settings.units_directory.clone(),
        state_directory: RUN_DIRECTORY.into(),
    };
    let (agent, handle) = Agent::new(agent_settings, store.clone(), systemd);

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
