//! Hollow machines: agents of fleetd, many in one process, each with a systemd in memory, a
//! connection to etcd and a presence in the cluster. To engine and API they are machines like any
//! other; their units run nowhere.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use fleet_tests::ui;
use fleet_units::{MachineId, MachineIdError};
use fleetd::agent::{Agent, AgentSettings, Handle, Registration};
use fleetd::file::FileError;
use fleetd::registry::document::{Machine, VERSION};
use fleetd::registry::key::KeyPrefix;
use fleetd::store::etcd::{EtcdOptions, EtcdOptionsError, EtcdStore};
use fleetd::store::{Witness, Witnessed};
use fleetd::systemd::OwnJob;
use fleetd::systemd::memory::MemorySystemd;
use rustix::process::{Resource, getrlimit, set_parent_process_death_signal, setrlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Addresses that nobody has, from the network that is kept for benchmarks.
const NETWORK: u32 = u32::from_be_bytes([198, 18, 0, 0]);

/// What fits into that network.
const MOST: i64 = 0x1_ffff;

/// As fleetd's default.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(1);

/// All machines leave at once; fleetd gives one as long.
const LEAVING: Duration = Duration::from_secs(90);

/// Make a cluster large: many machines that keep units in memory
///
/// Runs until SIGTERM or SIGINT; then the machines leave the cluster in order. By SIGQUIT they are
/// lost all at once. A second run has the same machines.
#[derive(Debug, Parser)]
#[command(name = "hollow")]
struct Arguments {
    /// URL of an etcd member (can be repeated)
    #[arg(long, required = true, value_name = "URL")]
    etcd: Vec<String>,
    /// How many machines
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=MOST))]
    machines: u32,
    /// What all keys of the cluster begin with
    #[arg(long, value_name = "PREFIX", default_value = "/_coreos.com/fleet")]
    prefix: String,
    /// Seconds that a machine counts as present after its last sign of life
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    agent_ttl: u64,
    /// Lose all machines when the program that started this one ends
    #[arg(long)]
    with_parent: bool,
}

/// Why there are no machines.
#[derive(Debug, thiserror::Error)]
enum HollowError {
    /// The URLs are none of etcd's.
    #[error(transparent)]
    Etcd(#[from] EtcdOptionsError),
    /// A machine's id is none.
    #[error(transparent)]
    Machine(#[from] MachineIdError),
    /// A machine cannot keep its files.
    #[error(transparent)]
    Files(#[from] FileError),
    /// There is no room for the machines' files.
    #[error("cannot make a directory for the machines' files")]
    Directory(#[source] std::io::Error),
    /// The kernel refuses what every program gets.
    #[error("cannot wait for signals")]
    Signals(#[source] std::io::Error),
    /// Logging.
    #[error(transparent)]
    Log(#[from] fleetd::log::LogError),
}

/// The machines, as long as they run.
struct Machines {
    handles: Vec<Handle>,
    systemds: Vec<MemorySystemd>,
    agents: JoinSet<Result<(), FileError>>,
    stop: CancellationToken,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = std::env::var("FLEET_LOG").unwrap_or_else(|_| "warn".to_owned());
    let ran = fleetd::log::set_up(false, Some(&filter)).map_err(HollowError::from).and_then(|_| {
        raise_limit_of_files();
        let files = tempfile::Builder::new().prefix("hollow-").tempdir();
        let files = files.map_err(HollowError::Directory)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        runtime.map_err(HollowError::Signals)?.block_on(run(&arguments, files.path()))
    });
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            ui::complain(&error);
            ExitCode::FAILURE
        }
    }
}

/// Each machine has a connection of its own. A limit that stays too low shows by itself.
fn raise_limit_of_files() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).ok();
}

async fn run(arguments: &Arguments, files: &Path) -> Result<(), HollowError> {
    let mut quit = signal(SignalKind::quit()).map_err(HollowError::Signals)?;
    if arguments.with_parent {
        set_parent_process_death_signal(Some(rustix::process::Signal::QUIT))
            .map_err(|error| HollowError::Signals(error.into()))?;
    }
    tokio::select! {
        ran = stay(arguments, files) => ran,
        _ = quit.recv() => Ok(()),
    }
}

async fn stay(arguments: &Arguments, files: &Path) -> Result<(), HollowError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(HollowError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(HollowError::Signals)?;
    let began = Instant::now();
    let mut machines = Machines::start(arguments, files)?;
    let count = arguments.machines;
    ui::say(format_args!("{count} machines start, with their files in {}", files.display()));
    tokio::select! {
        () = machines.join() => {
            ui::say(format_args!("{count} machines joined in {:.2?}", began.elapsed()));
        }
        ended = machines.ended() => return ended,
        () = told(&mut terminate, &mut interrupt) => return machines.leave().await,
    }
    tokio::select! {
        ended = machines.ended() => ended,
        () = told(&mut terminate, &mut interrupt) => machines.leave().await,
    }
}

async fn told(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

impl Machines {
    fn start(arguments: &Arguments, files: &Path) -> Result<Self, HollowError> {
        let mut machines = Self {
            handles: Vec::new(),
            systemds: Vec::new(),
            agents: JoinSet::new(),
            stop: CancellationToken::new(),
        };
        let options = EtcdOptions {
            endpoints: arguments.etcd.clone(),
            request_timeout: REQUEST_TIMEOUT,
            credentials: None,
            tls: None,
        };
        // Files and systemd die with this process, as they do with a boot.
        let boot = Uuid::new_v4().to_string();
        for number in 1..=arguments.machines {
            // The first eight digits tell machines apart, as lists show no more.
            let machine = format!("{number:08x}{NETWORK:024x}").parse()?;
            let systemd = MemorySystemd::default();
            // Its own one, as each machine has: connections are part of what a large cluster costs.
            let store = EtcdStore::connect(&options)?;
            let settings = settings(arguments, machine, number, files, &boot);
            let witness = Witness::open(settings.state_directory.join("seen"))?;
            let store = Witnessed::new(store, witness.clone());
            let (agent, handle) = Agent::new(settings, store, witness, systemd.clone());
            let stop = machines.stop.clone();
            machines.agents.spawn(async move { agent.run(stop).await.map(drop) });
            machines.handles.push(handle);
            machines.systemds.push(systemd);
        }
        Ok(machines)
    }

    /// Waits until the cluster knows all machines.
    fn join(&self) -> impl Future<Output = ()> + use<> {
        let handles = self.handles.clone();
        async move {
            for handle in handles {
                let mut registration = handle.registered();
                // An agent that has ended is told elsewhere.
                let joined = registration.wait_for(|now| *now == Registration::Registered);
                drop(joined.await);
            }
        }
    }

    /// Waits for a machine to end by itself, which only a fault makes it do.
    async fn ended(&mut self) -> Result<(), HollowError> {
        match self.agents.join_next().await {
            Some(Ok(ended)) => Ok(ended?),
            Some(Err(panic)) => std::panic::resume_unwind(panic.into_panic()),
            None => Ok(()),
        }
    }

    /// All machines stop their units and leave the cluster.
    async fn leave(mut self) -> Result<(), HollowError> {
        let (began, count) = (Instant::now(), self.systemds.len());
        self.systemds.iter().for_each(|systemd| systemd.set_own_job(OwnJob::Stop));
        self.stop.cancel();
        let left = async {
            while !self.agents.is_empty() {
                self.ended().await?;
            }
            Ok::<_, HollowError>(())
        };
        match timeout(LEAVING, left).await {
            Ok(left) => {
                left?;
                ui::say(format_args!("{count} machines left in {:.2?}", began.elapsed()));
            }
            Err(_) => ui::say(format_args!("{} machines did not leave in time", self.agents.len())),
        }
        Ok(())
    }
}

/// What makes a machine. All of it follows from its number, but for its boot.
fn settings(
    arguments: &Arguments,
    machine: MachineId,
    number: u32,
    files: &Path,
    boot: &str,
) -> AgentSettings {
    let hostname = format!("hollow-{number}");
    let state_directory = files.join(&hostname);
    AgentSettings {
        machine,
        presence: Machine {
            instance: Uuid::from_u128(number.into()),
            boot: boot.to_owned(),
            hostname,
            address: Some(IpAddr::V4(Ipv4Addr::from_bits(NETWORK + number))),
            metadata: std::iter::once(("hollow".to_owned(), "true".to_owned())).collect(),
            reads: VERSION,
            fleet: env!("CARGO_PKG_VERSION").to_owned(),
        },
        agent_ttl: Duration::from_secs(arguments.agent_ttl),
        prefix: KeyPrefix::new(&arguments.prefix),
        units_directory: state_directory.join("units"),
        state_directory,
    }
}
