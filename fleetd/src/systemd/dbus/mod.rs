//! systemd over D-Bus: directly, as systemctl does, and over the bus where that is not to be had.
//!
//! One connection carries everything. Calls are made concurrently; `reader` is the one task that
//! reads signals, and it supervises the connection. What is asked while the connection is lost
//! fails at once and is transient.

mod call;
mod followers;
mod jobs;
mod name;
mod private;
mod proxy;
mod reader;
#[cfg(test)]
#[cfg(feature = "real-systemd")]
mod real;
mod session;
mod signal;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use fleet_units::UnitName;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::sync::{Semaphore, SemaphorePermit, mpsc, oneshot, watch};
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use self::call::{DEADLINE, Disconnected, LONG_DEADLINE, Question, unreachable};
use self::followers::Followers;
use self::jobs::Jobs;
use self::reader::{NO_SUCH_UNIT, Reader, Request, Verb};
use self::session::Session;
use super::{Job, OwnJob, Signal, Systemd, SystemdError, UnitStatus};

/// Calls under way at one time, once for jobs and once for all others. The system bus refuses
/// more than 128 unanswered calls of one connection.
const IN_FLIGHT: usize = 48;

/// Units in one question for statuses: keeps answers far below the bus's limits, and systemd free
/// to do other things in between.
const LISTED: usize = 512;

/// Which systemd is asked, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bus {
    /// The machine's systemd.
    System,
    /// The machine's systemd, over the bus even if it can be asked directly.
    SystemShared,
    /// The systemd of the user that fleetd runs as.
    User,
}

impl Bus {
    const fn name(self) -> &'static str {
        match self {
            Self::System | Self::SystemShared => "the system bus",
            Self::User => "the user bus",
        }
    }
}

/// systemd over D-Bus. The connection ends with the last clone.
#[derive(Clone, Debug)]
pub struct DbusSystemd {
    requests: mpsc::Sender<Request>,
    current: watch::Receiver<Option<Session>>,
    calls: Arc<Semaphore>,
    _reader: Arc<AbortOnDropHandle<()>>,
}

impl DbusSystemd {
    /// Connects to systemd and follows its signals from now on. A connection that breaks later is
    /// made anew.
    ///
    /// # Errors
    ///
    /// When the bus cannot be reached, or systemd is not on it.
    pub async fn connect(bus: Bus) -> Result<Self, SystemdError> {
        let (session, messages) = Session::open(bus).await?;
        let (requests, inbox) = mpsc::channel(IN_FLIGHT);
        let (sender, current) = watch::channel(Some(session.clone()));
        let reader = Reader {
            bus,
            requests: inbox,
            current: sender,
            jobs: Jobs::default(),
            followers: Followers::default(),
        };
        // Nobody has to wait for the reader: it ends with the last handle and leaves nothing
        // half done.
        let reader = TaskTracker::new().spawn(reader.run(session, messages));
        let reader = Arc::new(AbortOnDropHandle::new(reader));
        Ok(Self { requests, current, calls: Arc::new(Semaphore::new(IN_FLIGHT)), _reader: reader })
    }

    /// The connection, and leave to make one call at a time on it.
    async fn session(&self) -> Result<(Session, SemaphorePermit<'_>), SystemdError> {
        let permit = self.calls.acquire().await.map_err(unreachable)?;
        let session = self.current.borrow().clone().ok_or_else(|| unreachable(Disconnected))?;
        Ok((session, permit))
    }

    async fn job(&self, verb: Verb, unit: &UnitName) -> Result<Job, SystemdError> {
        let (answer, answered) = oneshot::channel();
        let request = Request::Job { verb, unit: unit.clone(), answer };
        self.requests.send(request).await.map_err(|_| unreachable(Disconnected))?;
        answered.await.map_err(|_| unreachable(Disconnected))?
    }

    async fn listed(
        &self,
        units: &[UnitName],
    ) -> Result<Vec<(UnitName, UnitStatus)>, SystemdError> {
        let (session, _permit) = self.session().await?;
        let names: Vec<_> = units.iter().map(UnitName::as_str).collect();
        let listed = Question::about_all("list", units)
            .answered_within(DEADLINE, session.manager.list_units_by_names(&names))
            .await?;
        if listed.len() != units.len() {
            return Err(unreachable(zbus::Error::InvalidReply));
        }
        // One line for each name, in order; the name in it differs for an alias.
        let statuses = listed.into_iter().map(UnitStatus::from);
        Ok(units.iter().cloned().zip(statuses).collect())
    }

    /// Whether a unit is in memory and its file has changed. Asking about a path would load the
    /// unit, so systemd has to say first whether it is loaded.
    async fn is_outdated(&self, unit: &UnitName) -> Result<bool, SystemdError> {
        let (session, _permit) = self.session().await?;
        let answer = Question::new("look at", unit)
            .answered_within(DEADLINE, async {
                let path = session.manager.get_unit(unit.as_str()).await?;
                session.unit(path).await?.need_daemon_reload().await
            })
            .await;
        unless_absent(answer, false)
    }

    /// What systemd does with the unit that a process belongs to.
    async fn job_of(&self, pid: u32) -> Result<OwnJob, SystemdError> {
        let (session, _permit) = self.session().await?;
        let kind = Question::new("name the job of process", &pid)
            .answered_within(DEADLINE, async {
                let path = session.manager.get_unit_by_pid(pid).await?;
                match session.unit(path).await?.job().await? {
                    (0, _) => Ok(None),
                    (_, job) => session.job(job).await?.job_type().await.map(Some),
                }
            })
            .await?;
        Ok(if kind.as_deref() == Some("stop") { OwnJob::Stop } else { OwnJob::Other })
    }
}

impl Systemd for DbusSystemd {
    async fn link(&self, files: &[PathBuf]) -> Result<(), SystemdError> {
        let (session, _permit) = self.session().await?;
        let paths: Vec<_> = files.iter().map(|file| file.to_string_lossy()).collect();
        let names: Vec<_> = paths.iter().map(AsRef::as_ref).collect();
        Question::about_all("link", &names)
            .answered_within(LONG_DEADLINE, session.manager.link_unit_files(&names, true, true))
            .await
            .map(drop)
    }

    async fn enable(&self, unit: &UnitName) -> Result<bool, SystemdError> {
        let (session, _permit) = self.session().await?;
        let names = [unit.as_str()];
        let (_, changes) = Question::new("enable", unit)
            .answered_within(LONG_DEADLINE, session.manager.enable_unit_files(&names, true, true))
            .await?;
        Ok(!changes.is_empty())
    }

    async fn disable(&self, units: &[UnitName]) -> Result<(), SystemdError> {
        let (session, _permit) = self.session().await?;
        let names: Vec<_> = units.iter().map(UnitName::as_str).collect();
        let answer = Question::about_all("disable", units)
            .answered_within(LONG_DEADLINE, session.manager.disable_unit_files(&names, true))
            .await;
        match answer {
            // One that is not known must not keep the links of the others.
            Err(SystemdError::Refused { name, .. }) if name == NO_SUCH_UNIT && units.len() == 1 => {
                Ok(())
            }
            answer => answer.map(drop),
        }
    }

    async fn reload(&self) -> Result<(), SystemdError> {
        let (session, _permit) = self.session().await?;
        Question::new("reload", "its configuration")
            .answered_within(LONG_DEADLINE, session.manager.reload())
            .await
    }

    async fn start(&self, unit: &UnitName) -> Result<Job, SystemdError> {
        self.job(Verb::Start, unit).await
    }

    async fn stop(&self, unit: &UnitName) -> Result<Job, SystemdError> {
        self.job(Verb::Stop, unit).await
    }

    async fn reset_failed(&self, unit: &UnitName) -> Result<bool, SystemdError> {
        let (session, _permit) = self.session().await?;
        let answer = Question::new("reset", unit)
            .answered_within(DEADLINE, session.manager.reset_failed_unit(unit.as_str()))
            .await;
        unless_absent(answer.map(|()| true), false)
    }

    async fn statuses(
        &self,
        units: &[UnitName],
    ) -> Result<Vec<(UnitName, UnitStatus)>, SystemdError> {
        // systemd refuses to load a template, and the whole question with it.
        let (templates, units): (Vec<_>, Vec<_>) =
            units.iter().cloned().partition(UnitName::is_template);
        let mut statuses: Vec<_> =
            templates.into_iter().map(|unit| (unit, UnitStatus::dormant())).collect();
        for chunk in units.chunks(LISTED) {
            statuses.extend(self.listed(chunk).await?);
        }
        Ok(statuses)
    }

    async fn outdated(&self, units: &[UnitName]) -> Result<Vec<UnitName>, SystemdError> {
        let answers: BTreeMap<_, _> = stream::iter(units.iter().cloned())
            .map(|unit| async move { Ok((unit.clone(), self.is_outdated(&unit).await?)) })
            .buffer_unordered(IN_FLIGHT)
            .try_collect()
            .await?;
        Ok(answers.into_iter().filter_map(|(unit, outdated)| outdated.then_some(unit)).collect())
    }

    async fn unit_path(&self) -> Result<Vec<PathBuf>, SystemdError> {
        let (session, _permit) = self.session().await?;
        let path = Question::new("tell", "its unit path")
            .answered_within(DEADLINE, session.manager.unit_path())
            .await?;
        Ok(path.into_iter().map(PathBuf::from).collect())
    }

    async fn own_job(&self) -> Result<OwnJob, SystemdError> {
        match self.job_of(std::process::id()).await {
            // Outside of any unit there is no job.
            Err(SystemdError::Refused { .. }) => Ok(OwnJob::Other),
            answer => answer,
        }
    }

    async fn signals(&self) -> Result<mpsc::Receiver<Signal>, SystemdError> {
        let (answer, answered) = oneshot::channel();
        self.requests.send(Request::Follow(answer)).await.map_err(|_| unreachable(Disconnected))?;
        answered.await.map_err(|_| unreachable(Disconnected))
    }
}

/// An answer about a unit that systemd need not know.
fn unless_absent<T>(answer: Result<T, SystemdError>, absent: T) -> Result<T, SystemdError> {
    match answer {
        Err(SystemdError::Refused { name, .. }) if name == NO_SUCH_UNIT => Ok(absent),
        answer => answer,
    }
}

impl From<proxy::ListedUnit> for UnitStatus {
    fn from(listed: proxy::ListedUnit) -> Self {
        Self { load: listed.load, active: listed.active, sub: listed.sub }
    }
}
