//! A lone machine, all of it in memory: store, engine, an agent with a systemd in memory, and the
//! API on a socket of the loopback. Whoever tries out requests on it can break nothing.

use std::net::Ipv4Addr;
use std::num::NonZeroU16;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use fleet_tests::ui;
use fleet_units::{MachineId, MachineIdError};
use fleetd::agent::{Agent, AgentSettings, Registration};
use fleetd::api::{self, ApiSettings, Doors, Listener};
use fleetd::engine::{Engine, EngineSettings};
use fleetd::file::FileError;
use fleetd::metrics::Metrics;
use fleetd::registry::document::{Machine, VERSION};
use fleetd::registry::key::KeyPrefix;
use fleetd::store::embedded::{EmbeddedStore, OpenError};
use fleetd::store::{Witness, Witnessed};
use fleetd::systemd::memory::MemorySystemd;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

/// Nobody waits for this machine if it is lost.
const TTL: Duration = Duration::from_secs(30);

/// Entries in a page: so few that lists have several.
const PAGE: NonZeroU16 = NonZeroU16::MIN.saturating_add(4);

/// Why there is no machine.
#[derive(Debug, thiserror::Error)]
enum LoneError {
    /// There is no store.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The machine's id is none.
    #[error(transparent)]
    Machine(#[from] MachineIdError),
    /// It cannot keep its files.
    #[error(transparent)]
    Files(#[from] FileError),
    /// There is no room for its files, or no socket.
    #[error("cannot make {what}")]
    Make {
        /// What is needed.
        what: &'static str,
        /// What the kernel says.
        source: std::io::Error,
    },
    /// The machine is gone.
    #[error("the machine ended by itself")]
    Ended,
}

fn main() -> ExitCode {
    let ran = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(make("a runtime"))
        .and_then(|runtime| {
            let ran = runtime.block_on(run());
            // A read of the input may be under way, and never end.
            runtime.shutdown_background();
            ran
        });
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            ui::complain(&error);
            ExitCode::FAILURE
        }
    }
}

fn make(what: &'static str) -> impl FnOnce(std::io::Error) -> LoneError {
    move |source| LoneError::Make { what, source }
}

/// Says its address once it answers, and runs until its input ends.
async fn run() -> Result<(), LoneError> {
    let files = tempfile::Builder::new().prefix("lone-").tempdir();
    let files = files.map_err(make("a directory for its files"))?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(make("a socket"))?;
    let address = listener.local_addr().map_err(make("a socket"))?;
    let witness = Witness::open(files.path().join("seen"))?;
    let store = Witnessed::new(EmbeddedStore::in_memory()?, witness.clone());
    let machine: MachineId = "10000000000000000000000000000001".parse()?;
    let prefix = KeyPrefix::new("/fleet");
    let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
    let agent_settings = AgentSettings {
        machine: machine.clone(),
        presence: Machine {
            instance: Uuid::nil(),
            boot: Uuid::nil().to_string(),
            hostname: "lone".to_owned(),
            address: Some(Ipv4Addr::LOCALHOST.into()),
            metadata: std::iter::once(("disk".to_owned(), "ssd".to_owned())).collect(),
            reads: VERSION,
            fleet: env!("CARGO_PKG_VERSION").to_owned(),
        },
        agent_ttl: TTL,
        prefix: prefix.clone(),
        units_directory: files.path().join("units"),
        state_directory: files.path().to_owned(),
    };
    let (agent, handle) =
        Agent::new(agent_settings, store.clone(), witness, MemorySystemd::default());
    let agent = tracker.spawn(agent.run(stop.clone()));
    let engine = EngineSettings {
        machine,
        agent_ttl: TTL,
        reschedule_grace: Duration::ZERO,
        prefix: prefix.clone(),
    };
    tracker.spawn(Engine::new(store.clone(), engine).run(stop.clone()));
    let mut registration = handle.registered();
    let registered = registration.wait_for(|now| *now == Registration::Registered).await;
    drop(registered.map_err(|_| LoneError::Ended)?);
    let (_readiness, ready) = watch::channel(Ok(()));
    let settings = ApiSettings { prefix, token_limit: PAGE, metrics: Arc::new(Metrics::default()) };
    let doors = Doors { listeners: vec![Listener::Tcp(listener)], tls: None };
    api::serve(settings, store, ready, doors, &tracker, &stop);
    ui::say(format_args!("http://{address}"));
    let mut input = Vec::new();
    let mut stdin = tokio::io::stdin();
    tokio::select! {
        // By itself it ends only by a fault.
        _ = agent => Err(LoneError::Ended),
        _ = stdin.read_to_end(&mut input) => Ok(()),
    }
}
