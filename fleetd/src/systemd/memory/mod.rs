//! systemd in memory, for tests and hollow machines: units start and stop at once, unless somebody
//! says otherwise.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fleet_units::UnitName;
use tokio::sync::{mpsc, oneshot};

use super::{Job, JobResult, OwnJob, Signal, Systemd, SystemdError, UnitStatus};

mod controls;

/// More signals than anybody leaves unread.
const UNREAD: usize = 65_536;

/// A call that changes something, in the order they were made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// Link these units' files.
    Link(Vec<UnitName>),
    /// Enable.
    Enable(UnitName),
    /// Disable.
    Disable(Vec<UnitName>),
    /// Reload.
    Reload,
    /// Start.
    Start(UnitName),
    /// Stop.
    Stop(UnitName),
    /// Reset-failed.
    ResetFailed(UnitName),
}

/// What can be made to be refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// Linking; other files of the same call are linked.
    Link,
    /// Enabling.
    Enable,
    /// Disabling.
    Disable,
    /// Starting.
    Start,
    /// Stopping.
    Stop,
}

impl Action {
    const fn verb(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Enable => "enable",
            Self::Disable => "disable",
            Self::Start => "start",
            Self::Stop => "stop",
        }
    }
}

/// A systemd that lives in memory and reads unit files from disk. Clones are the same systemd.
///
/// The mutex stands for systemd's one thread: each call is one step of it.
#[derive(Clone, Debug, Default)]
pub struct MemorySystemd(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    links: BTreeMap<UnitName, PathBuf>,
    enabled: BTreeSet<UnitName>,
    loaded: BTreeMap<UnitName, Loaded>,
    jobs: BTreeMap<UnitName, OpenJob>,
    followers: Vec<mpsc::Sender<Signal>>,
    calls: Vec<Call>,
    refused: BTreeSet<(Action, UnitName)>,
    unanswered: BTreeSet<(Action, UnitName)>,
    ends: BTreeMap<(Kind, UnitName), JobResult>,
    held: BTreeSet<(Kind, UnitName)>,
    disconnected: bool,
    own_job: Option<OwnJob>,
    unit_path: Vec<PathBuf>,
}

/// A unit in systemd's memory.
#[derive(Debug, Default)]
struct Loaded {
    active: String,
    sub: String,
    text: Option<String>,
}

impl Loaded {
    /// Whether the unit comes after the other one, which keeps that in memory.
    fn follows(&self, other: &UnitName) -> bool {
        let text = self.text.as_deref().unwrap_or_default();
        let names = text.lines().filter_map(|line| line.strip_prefix("After="));
        names.flat_map(str::split_whitespace).any(|name| name == other.as_str())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Start,
    Stop,
}

#[derive(Debug)]
struct OpenJob {
    kind: Kind,
    ended: Vec<oneshot::Sender<JobResult>>,
}

impl MemorySystemd {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connected(&self) -> Result<MutexGuard<'_, State>, SystemdError> {
        let state = self.state();
        if state.disconnected {
            return Err(SystemdError::Unreachable("the test has cut the connection".into()));
        }
        Ok(state)
    }
}

impl State {
    fn tell(&mut self, signal: &Signal) {
        // One that does not read loses its signals, and sees by their end that it did.
        self.followers.retain(|follower| follower.try_send(signal.clone()).is_ok());
    }

    fn change(&mut self, unit: &UnitName, active: &str, sub: &str) {
        let text = self.text(unit);
        let loaded = self.loaded.entry(unit.clone()).or_default();
        // What was found is not read again before a reload.
        loaded.text = loaded.text.take().or(text);
        (loaded.active, loaded.sub) = (active.to_owned(), sub.to_owned());
        let (unit, active, sub) = (unit.clone(), active.to_owned(), sub.to_owned());
        self.tell(&Signal::Changed { unit, active, sub });
    }

    fn forget(&mut self, unit: &UnitName) {
        let is_kept = self.loaded.values().any(|other| other.follows(unit));
        if !is_kept && self.loaded.remove(unit).is_some() {
            self.tell(&Signal::Removed(unit.clone()));
        }
    }

    /// The file that defines a unit: its own, or its template's.
    fn file(&self, unit: &UnitName) -> Option<&Path> {
        let template = unit.template();
        [Some(unit), template.as_ref()]
            .into_iter()
            .flatten()
            .find_map(|name| self.links.get(name).map(PathBuf::as_path))
    }

    fn text(&self, unit: &UnitName) -> Option<String> {
        self.file(unit).and_then(|file| fs::read_to_string(file).ok())
    }

    fn check(&self, action: Action, unit: &UnitName) -> Result<(), SystemdError> {
        if self.unanswered.contains(&(action, unit.clone())) {
            return Err(SystemdError::Unreachable("the test wants no answer".into()));
        }
        if self.refused.contains(&(action, unit.clone())) {
            return Err(refused(action, unit, "org.freedesktop.DBus.Error.AccessDenied"));
        }
        Ok(())
    }

    fn open(&mut self, unit: &UnitName, kind: Kind) -> Job {
        let (sender, ended) = oneshot::channel();
        let held = self.held.contains(&(kind, unit.clone()));
        let mut job = OpenJob { kind, ended: vec![sender] };
        match self.jobs.remove(unit) {
            Some(same) if same.kind == kind => job.ended.extend(same.ended),
            other => {
                other.into_iter().for_each(|job| job.end(JobResult::Canceled));
                match kind {
                    Kind::Start if held => self.change(unit, "activating", "start"),
                    Kind::Stop if held => self.change(unit, "deactivating", "stop-sigterm"),
                    Kind::Start | Kind::Stop => {}
                }
            }
        }
        if held {
            self.jobs.insert(unit.clone(), job);
        } else {
            self.finish(unit, job);
        }
        Job { ended }
    }

    fn finish(&mut self, unit: &UnitName, job: OpenJob) {
        let active = self.loaded.get(unit).map(|loaded| loaded.active.clone());
        let end = self.ends.get(&(job.kind, unit.clone())).copied().unwrap_or(JobResult::Done);
        let result = match (job.kind, active.as_deref()) {
            // What runs already is not started again.
            (Kind::Start, Some("active")) => JobResult::Done,
            (Kind::Start | Kind::Stop, _) => end,
        };
        match (job.kind, result, active.as_deref()) {
            // A failed unit stays in memory as such until it is reset.
            (Kind::Start, JobResult::Done, Some("active")) | (Kind::Stop, _, Some("failed")) => {}
            // What could not be stopped runs on.
            (
                Kind::Stop,
                JobResult::Failed
                | JobResult::Timeout
                | JobResult::Canceled
                | JobResult::Dependency,
                _,
            ) => {}
            (Kind::Start, JobResult::Done, _) => self.change(unit, "active", "running"),
            (Kind::Start, JobResult::Failed | JobResult::Timeout, _) => {
                self.change(unit, "failed", "failed");
            }
            (Kind::Start, JobResult::Canceled | JobResult::Dependency | JobResult::Skipped, _)
            | (Kind::Stop, _, _) => {
                self.change(unit, "inactive", "dead");
                self.forget(unit);
            }
        }
        job.end(result);
    }
}

impl OpenJob {
    fn end(self, result: JobResult) {
        for waiter in self.ended {
            let (Ok(()) | Err(_)) = waiter.send(result);
        }
    }
}

impl Systemd for MemorySystemd {
    async fn link(&self, files: &[PathBuf]) -> Result<(), SystemdError> {
        let mut state = self.connected()?;
        let units = files.iter().map(|file| unit_of(file)).collect::<Result<Vec<_>, _>>()?;
        state.calls.push(Call::Link(units.clone()));
        let mut outcome = Ok(());
        for (unit, file) in units.iter().zip(files) {
            let allowed = state.check(Action::Link, unit).and_then(|()| {
                let absent = "org.freedesktop.DBus.Error.FileNotFound";
                if file.is_file() { Ok(()) } else { Err(refused(Action::Link, unit, absent)) }
            });
            match allowed {
                Ok(()) => drop(state.links.insert(unit.clone(), file.clone())),
                Err(error) => outcome = outcome.and(Err(error)),
            }
        }
        outcome
    }

    async fn enable(&self, unit: &UnitName) -> Result<bool, SystemdError> {
        let mut state = self.connected()?;
        state.calls.push(Call::Enable(unit.clone()));
        state.check(Action::Enable, unit)?;
        let absent = "org.freedesktop.DBus.Error.FileNotFound";
        let text = state.text(unit).ok_or_else(|| refused(Action::Enable, unit, absent))?;
        Ok(text.contains("[Install]") && state.enabled.insert(unit.clone()))
    }

    async fn disable(&self, units: &[UnitName]) -> Result<(), SystemdError> {
        let mut state = self.connected()?;
        state.calls.push(Call::Disable(units.to_vec()));
        let mut outcome = Ok(());
        for unit in units {
            match state.check(Action::Disable, unit) {
                Ok(()) => {
                    state.links.remove(unit);
                    state.enabled.remove(unit);
                }
                Err(error) => outcome = outcome.and(Err(error)),
            }
        }
        outcome
    }

    async fn reload(&self) -> Result<(), SystemdError> {
        let mut state = self.connected()?;
        state.calls.push(Call::Reload);
        let texts: Vec<_> = state.loaded.keys().map(|unit| state.text(unit)).collect();
        for (loaded, text) in state.loaded.values_mut().zip(texts) {
            loaded.text = text;
        }
        state.tell(&Signal::Resync);
        Ok(())
    }

    async fn start(&self, unit: &UnitName) -> Result<Job, SystemdError> {
        let mut state = self.connected()?;
        state.calls.push(Call::Start(unit.clone()));
        state.check(Action::Start, unit)?;
        if state.file(unit).is_none() && !state.loaded.contains_key(unit) {
            return Err(refused(Action::Start, unit, "org.freedesktop.systemd1.NoSuchUnit"));
        }
        Ok(state.open(unit, Kind::Start))
    }

    async fn stop(&self, unit: &UnitName) -> Result<Job, SystemdError> {
        let mut state = self.connected()?;
        state.calls.push(Call::Stop(unit.clone()));
        state.check(Action::Stop, unit)?;
        if !state.loaded.contains_key(unit) {
            return Ok(Job::finished(JobResult::Done));
        }
        Ok(state.open(unit, Kind::Stop))
    }

    async fn reset_failed(&self, unit: &UnitName) -> Result<bool, SystemdError> {
        let mut state = self.connected()?;
        state.calls.push(Call::ResetFailed(unit.clone()));
        let was_loaded = state.loaded.contains_key(unit);
        if state.loaded.get(unit).is_some_and(|loaded| loaded.active == "failed") {
            state.change(unit, "inactive", "dead");
            state.forget(unit);
        }
        Ok(was_loaded)
    }

    async fn statuses(
        &self,
        units: &[UnitName],
    ) -> Result<Vec<(UnitName, UnitStatus)>, SystemdError> {
        let state = self.connected()?;
        let status = |unit: &UnitName| {
            let load = if state.file(unit).is_some() || unit.is_template() {
                "loaded"
            } else {
                "not-found"
            };
            let (active, sub) = state
                .loaded
                .get(unit)
                .map_or(("inactive", "dead"), |loaded| (&loaded.active, &loaded.sub));
            UnitStatus { load: load.into(), active: active.into(), sub: sub.into() }
        };
        Ok(units.iter().map(|unit| (unit.clone(), status(unit))).collect())
    }

    async fn outdated(&self, units: &[UnitName]) -> Result<Vec<UnitName>, SystemdError> {
        let state = self.connected()?;
        let outdated = units.iter().filter(|unit| {
            state.loaded.get(*unit).is_some_and(|loaded| loaded.text != state.text(unit))
        });
        Ok(outdated.cloned().collect())
    }

    async fn unit_path(&self) -> Result<Vec<PathBuf>, SystemdError> {
        Ok(self.connected()?.unit_path.clone())
    }

    async fn own_job(&self) -> Result<OwnJob, SystemdError> {
        Ok(self.connected()?.own_job.unwrap_or(OwnJob::Other))
    }

    async fn signals(&self) -> Result<mpsc::Receiver<Signal>, SystemdError> {
        let (sender, receiver) = mpsc::channel(UNREAD);
        self.connected()?.followers.push(sender);
        Ok(receiver)
    }
}

fn unit_of(file: &Path) -> Result<UnitName, SystemdError> {
    let name = file.file_name().and_then(|name| name.to_str());
    name.and_then(|name| name.parse().ok()).ok_or_else(|| SystemdError::Refused {
        action: Action::Link.verb(),
        unit: file.display().to_string(),
        name: "org.freedesktop.DBus.Error.InvalidArgs".to_owned(),
        message: "no file of a unit".to_owned(),
    })
}

fn refused(action: Action, unit: &UnitName, name: &str) -> SystemdError {
    SystemdError::Refused {
        action: action.verb(),
        unit: unit.to_string(),
        name: name.to_owned(),
        message: "the test wants it so".to_owned(),
    }
}
