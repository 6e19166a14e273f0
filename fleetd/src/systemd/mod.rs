//! The systemd of this machine: units are linked, started and stopped, and tell their states.
//!
//! Two implementations pass the same contract tests: [`dbus`] speaks to the real one, `memory` is
//! a twin with scriptable failures, which is no part of the daemon. This module knows nothing of the registry.

use std::future::Future;
use std::path::PathBuf;

use fleet_units::UnitName;
use tokio::sync::mpsc;

#[cfg(test)]
mod contract;
pub mod dbus;
pub mod files;
#[cfg(any(test, feature = "hollow"))]
pub mod memory;

/// What systemd says of a unit, in its own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitStatus {
    /// LoadState: loaded, not-found, bad-setting, error, masked.
    pub load: String,
    /// ActiveState: active, reloading, inactive, failed, activating, deactivating.
    pub active: String,
    /// SubState: running, dead, exited, auto-restart, ...
    pub sub: String,
}

impl UnitStatus {
    /// The status of a linked unit that systemd has no reason to keep in memory.
    #[must_use]
    pub fn dormant() -> Self {
        Self { load: "loaded".into(), active: "inactive".into(), sub: "dead".into() }
    }
}

/// How a job of systemd ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobResult {
    /// It did what was asked.
    Done,
    /// The unit failed.
    Failed,
    /// It took longer than its time-out.
    Timeout,
    /// Another job took its place.
    Canceled,
    /// A unit that it needs failed.
    Dependency,
    /// Conditions of the unit were not met, or systemd says something newer.
    Skipped,
}

/// What systemd tells by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signal {
    /// The states of a loaded unit changed.
    Changed {
        /// The unit.
        unit: UnitName,
        /// Its ActiveState.
        active: String,
        /// Its SubState.
        sub: String,
    },
    /// systemd dropped the unit from memory: it is inactive and dead.
    Removed(UnitName),
    /// systemd reloaded its configuration, or the connection was lost and made anew: anything may
    /// have been missed, ask for all statuses.
    Resync,
}

/// Why systemd did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum SystemdError {
    /// The bus or systemd did not answer.
    #[error("cannot talk to systemd over D-Bus")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// systemd met an error of the system that may pass: a full disk.
    #[error("systemd fails to {action} {unit}: {message}")]
    Failed {
        /// What was asked for.
        action: &'static str,
        /// The unit or units.
        unit: String,
        /// systemd's words.
        message: String,
    },
    /// systemd answered with an error.
    #[error("systemd refuses to {action} {unit}: {message}")]
    Refused {
        /// What was asked for: link, enable, start, stop, ...
        action: &'static str,
        /// The unit or units.
        unit: String,
        /// The name of the D-Bus error, such as `org.freedesktop.systemd1.NoSuchUnit`.
        name: String,
        /// systemd's words.
        message: String,
    },
}

impl SystemdError {
    /// Whether trying again later may help.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Failed { .. })
    }
}

/// The job that systemd runs for fleetd's own unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnJob {
    /// fleetd is to stop and stay stopped.
    Stop,
    /// Restart, reload, or no job: fleetd comes back.
    Other,
}

/// A systemd instance. Clones share the connection.
pub trait Systemd: Clone + Send + Sync + 'static {
    /// Links unit files into systemd's runtime directory, in one call; replaces links.
    fn link(&self, files: &[PathBuf]) -> impl Future<Output = Result<(), SystemdError>> + Send;

    /// Enables a linked unit for this boot, as its `[Install]` section says; returns whether links
    /// changed.
    fn enable(&self, unit: &UnitName) -> impl Future<Output = Result<bool, SystemdError>> + Send;

    /// Removes the runtime links of units: those of `[Install]` and the link itself.
    fn disable(&self, units: &[UnitName]) -> impl Future<Output = Result<(), SystemdError>> + Send;

    /// Reads the configuration of all units anew: expensive, see the agent's rule.
    fn reload(&self) -> impl Future<Output = Result<(), SystemdError>> + Send;

    /// Asks systemd to start a unit (mode `replace`). Returns once systemd has accepted the job;
    /// the receiver tells how the job ends.
    fn start(&self, unit: &UnitName) -> impl Future<Output = Result<Job, SystemdError>> + Send;

    /// Asks systemd to stop a unit (mode `replace`), as [`Systemd::start`]. A unit that is not
    /// loaded is stopped already: the job is done.
    fn stop(&self, unit: &UnitName) -> impl Future<Output = Result<Job, SystemdError>> + Send;

    /// Forgets the failed state of a unit; tells whether systemd had the unit in memory.
    fn reset_failed(
        &self,
        unit: &UnitName,
    ) -> impl Future<Output = Result<bool, SystemdError>> + Send;

    /// Statuses of units in one call. Loads those that are not in memory.
    fn statuses(
        &self,
        units: &[UnitName],
    ) -> impl Future<Output = Result<Vec<(UnitName, UnitStatus)>, SystemdError>> + Send;

    /// Which of these units are loaded from files that have changed since (`NeedDaemonReload`).
    fn outdated(
        &self,
        units: &[UnitName],
    ) -> impl Future<Output = Result<Vec<UnitName>, SystemdError>> + Send;

    /// The directories that systemd reads units from, first one wins.
    fn unit_path(&self) -> impl Future<Output = Result<Vec<PathBuf>, SystemdError>> + Send;

    /// The job that systemd runs for the unit that this process belongs to.
    fn own_job(&self) -> impl Future<Output = Result<OwnJob, SystemdError>> + Send;

    /// Follows systemd's signals from now on. Signals never get lost without a
    /// [`Signal::Resync`].
    fn signals(&self) -> impl Future<Output = Result<mpsc::Receiver<Signal>, SystemdError>> + Send;
}

/// An accepted job.
#[derive(Debug)]
pub struct Job {
    pub(crate) ended: tokio::sync::oneshot::Receiver<JobResult>,
}

impl Job {
    /// A job that was done before it was asked for.
    pub(crate) fn finished(result: JobResult) -> Self {
        let (sender, ended) = tokio::sync::oneshot::channel();
        // The receiver is held just here.
        let (Ok(()) | Err(_)) = sender.send(result);
        Self { ended }
    }

    /// Waits for the end of the job; `None` if the connection to systemd was lost meanwhile.
    ///
    /// Cancel safe: the job goes on.
    pub async fn ended(self) -> Option<JobResult> {
        self.ended.await.ok()
    }
}
