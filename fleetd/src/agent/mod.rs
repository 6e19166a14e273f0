//! The agent: makes this machine hold the units that the registry assigns to it, and reports
//! truthfully what systemd does with them.
//!
//! It acts on changes of its assignments, compared with what it applied before ([`plan`]), never on
//! what a unit does by itself; and it stops nothing because something is absent. One task owns its
//! state ([`core`]), which knows no I/O; [`shell`] turns work into calls and calls into events.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use fleet_units::MachineId;
use serde::Serialize;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::file::FileError;
use crate::metrics::AgentMetrics;
use crate::registry::document::Machine;
use crate::registry::key::{Key, KeyPrefix};
use crate::store::{Store, Witness};
use crate::systemd::Systemd;

mod adopt;
mod applied;
mod apply;
mod assignments;
mod core;
mod forget;
mod leave;
mod plan;
mod presence;
mod publish;
mod relations;
mod report;
mod shell;
#[cfg(test)]
mod tests;
mod writer;

pub use self::core::dump::Dump;

/// What the agent has to know of its machine.
#[derive(Clone, Debug)]
pub struct AgentSettings {
    /// The machine's id.
    pub machine: MachineId,
    /// The document that says that the machine is there.
    pub presence: Machine,
    /// Time to live of that document.
    pub agent_ttl: Duration,
    /// Prefix of all keys.
    pub prefix: KeyPrefix,
    /// Directory of unit files, `/run/fleet/units`.
    pub units_directory: PathBuf,
    /// Directory of what has to survive fleetd and to die with the boot, `/run/fleet`.
    pub state_directory: PathBuf,
}

impl AgentSettings {
    fn machine_key(&self) -> String {
        self.prefix.encode(&Key::Machine(self.machine.clone()))
    }
}

/// Whether the cluster knows this machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Registration {
    /// Not yet: the store has not answered.
    #[default]
    Pending,
    /// It does.
    Registered,
    /// Another host holds the machine-id, or the store is not the one that it was, as this
    /// sentence says.
    Refused(String),
}

/// How the agent ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// Everything runs on, for the next fleetd to adopt.
    StayRunning,
    /// The machine has left the cluster: its units are stopped.
    Leave,
}

/// Questions that the agent has not looked at yet.
const QUESTIONS: usize = 8;

/// What comes from the handles of an agent.
#[derive(Debug)]
struct Inbox {
    /// What the machine says of itself.
    presence: watch::Receiver<Machine>,
    /// Who wants to know what the agent knows.
    dumps: mpsc::Receiver<oneshot::Sender<Dump>>,
}

/// What others see of a running agent.
#[derive(Clone, Debug)]
pub struct Handle {
    registration: watch::Receiver<Registration>,
    presence: watch::Sender<Machine>,
    dumps: mpsc::Sender<oneshot::Sender<Dump>>,
}

impl Handle {
    /// Follows whether the cluster knows this machine.
    #[must_use]
    pub fn registered(&self) -> watch::Receiver<Registration> {
        self.registration.clone()
    }

    /// Changes what the machine says of itself; its units are not touched.
    pub fn describe(&self, presence: Machine) {
        self.presence.send_if_modified(|said| {
            let is_news = *said != presence;
            *said = presence;
            is_news
        });
    }

    /// Tells what the agent knows; `None` once it has ended.
    pub async fn dump(&self) -> Option<Dump> {
        let (sender, answer) = oneshot::channel();
        self.dumps.send(sender).await.ok()?;
        answer.await.ok()
    }
}

/// The agent of one machine.
#[derive(Debug)]
pub struct Agent<S, M> {
    settings: Arc<AgentSettings>,
    store: S,
    witness: Witness,
    systemd: M,
    registration: watch::Sender<Registration>,
    inbox: Inbox,
    metrics: AgentMetrics,
}

impl<S: Store, M: Systemd> Agent<S, M> {
    /// An agent that does nothing before it is run, and nothing on the word of a store that its
    /// witness doubts.
    pub fn new(settings: AgentSettings, store: S, witness: Witness, systemd: M) -> (Self, Handle) {
        let (sender, registration) = watch::channel(Registration::default());
        let (presence, said) = watch::channel(settings.presence.clone());
        let (dumps, asked) = mpsc::channel(QUESTIONS);
        let inbox = Inbox { presence: said, dumps: asked };
        let settings = Arc::new(settings);
        let metrics = AgentMetrics::default();
        let agent =
            Self { settings, store, witness, systemd, registration: sender, inbox, metrics };
        (agent, Handle { registration, presence, dumps })
    }

    /// The same agent, which counts for these figures.
    #[must_use]
    pub fn observed_by(self, metrics: AgentMetrics) -> Self {
        Self { metrics, ..self }
    }

    /// Runs until `stop` is cancelled; then asks systemd whether to leave everything running or to
    /// leave the cluster, and does that. As long as systemd has not answered at all, everything is
    /// left running.
    ///
    /// # Errors
    ///
    /// When its directories cannot be used. Nothing else ends it: the store and systemd may come
    /// and go.
    pub async fn run(self, stop: CancellationToken) -> Result<Shutdown, FileError> {
        let Self { settings, store, witness, systemd, registration, inbox, metrics } = self;
        let adoption = adopt::adopt(&settings, &systemd);
        let (adopted, hands) = tokio::select! {
            adopted = adoption => adopted?,
            () = stop.cancelled() => return Ok(Shutdown::StayRunning),
        };
        let doubts = witness.doubts();
        let core =
            core::Core::new(Arc::clone(&settings), witness, registration, adopted, Instant::now());
        let core = core.observed_by(metrics);
        let shell = shell::Shell::new(settings, store, hands, inbox, doubts);
        Ok(shell.run(core, stop).await)
    }
}
