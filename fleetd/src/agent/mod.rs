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
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::file::FileError;
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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

/// What others see of a running agent.
#[derive(Clone, Debug)]
pub struct Handle {
    registration: watch::Receiver<Registration>,
}

impl Handle {
    /// Follows whether the cluster knows this machine.
    #[must_use]
    pub fn registered(&self) -> watch::Receiver<Registration> {
        self.registration.clone()
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
}

impl<S: Store, M: Systemd> Agent<S, M> {
    /// An agent that does nothing before it is run, and nothing on the word of a store that its
    /// witness doubts.
    pub fn new(settings: AgentSettings, store: S, witness: Witness, systemd: M) -> (Self, Handle) {
        let (sender, registration) = watch::channel(Registration::default());
        let settings = Arc::new(settings);
        (Self { settings, store, witness, systemd, registration: sender }, Handle { registration })
    }

    /// Runs until `stop` is cancelled; then asks systemd whether to leave everything running or to
    /// leave the cluster, and does that.
    ///
    /// # Errors
    ///
    /// When its directories cannot be used. Nothing else ends it: the store and systemd may come
    /// and go.
    pub async fn run(self, stop: CancellationToken) -> Result<Shutdown, FileError> {
        let Self { settings, store, witness, systemd, registration } = self;
        let adoption = adopt::adopt(&settings, &systemd);
        let (adopted, hands) = tokio::select! {
            adopted = adoption => adopted?,
            () = stop.cancelled() => return Ok(Shutdown::StayRunning),
        };
        let doubts = witness.doubts();
        let core = core::Core::new(Arc::clone(&settings), witness, registration, adopted);
        Ok(shell::Shell::new(settings, store, hands, doubts).run(core, stop).await)
    }
}
