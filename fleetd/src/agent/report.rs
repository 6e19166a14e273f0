//! What the agent knows of one unit, and the state document that it makes of that.

use fleet_units::{TargetState, UnitHash};

use super::applied::Applied;
use crate::registry::document::{JobState, State};
use crate::systemd::{JobResult, UnitStatus};

/// Everything that is reported of one unit.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    /// What was brought about, and for which version of the unit; `None` before anything was.
    acted: Option<Acted>,
    /// The last job asked for.
    job: JobState,
    /// What systemd says of the unit; `None` before it was asked.
    status: Option<UnitStatus>,
    /// Why the unit is not what it should be.
    problem: Option<String>,
    /// Why the last job failed; void once the unit is active.
    failure: Option<&'static str>,
}

#[derive(Clone, Copy, Debug)]
struct Acted {
    uid: i64,
    observed: u64,
    hash: UnitHash,
    current: TargetState,
}

impl Report {
    /// The report of a unit found with a record of an earlier fleetd.
    pub(crate) fn adopted(record: &Applied) -> Self {
        let mut report = Self::default();
        report.reached(record);
        report
    }

    /// The unit is where `record` says.
    pub(crate) fn reached(&mut self, record: &Applied) {
        self.acted = Some(Acted {
            uid: record.uid,
            observed: record.generation,
            hash: record.hash,
            current: record.target.max(TargetState::Loaded),
        });
        self.problem = None;
    }

    /// systemd accepted a stop; `reached` is given if that alone brings the unit where it should
    /// be.
    pub(crate) fn stopping(&mut self, reached: Option<&Applied>) {
        self.job = JobState::Running;
        self.problem = None;
        self.failure = None;
        if let Some(record) = reached {
            self.reached(record);
        }
        if let Some(acted) = &mut self.acted {
            acted.current = acted.current.min(TargetState::Loaded);
        }
    }

    /// systemd accepted a start.
    pub(crate) fn starting(&mut self, record: &Applied) {
        self.reached(record);
        self.job = JobState::Running;
        self.failure = None;
    }

    /// The last job has ended; `None` if nobody saw how, then the unit's state has to tell.
    pub(crate) fn ended(&mut self, result: Option<JobResult>) {
        self.failure = match result {
            Some(JobResult::Done | JobResult::Skipped) => None,
            Some(JobResult::Failed) => Some("systemd's job failed"),
            Some(JobResult::Timeout) => Some("systemd's job ran into its time-out"),
            Some(JobResult::Canceled) => Some("systemd's job was cancelled by another one"),
            Some(JobResult::Dependency) => Some("a unit that it needs failed"),
            None if self.active() == "failed" => Some("systemd's job failed"),
            None => None,
        };
        self.job = if self.failure.is_some() { JobState::Failed } else { JobState::Done };
        self.settle();
    }

    /// The agent could not do what `wanted` asks for, and will not before that changes.
    pub(crate) fn refused(&mut self, wanted: Option<&Applied>, problem: String) {
        if let Some(wanted) = wanted {
            let current = self.acted.map_or(TargetState::Inactive, |acted| acted.current);
            let (uid, hash, observed) = (wanted.uid, wanted.hash, wanted.generation);
            self.acted = Some(Acted { uid, observed, hash, current });
        }
        self.job = JobState::Failed;
        self.problem = Some(problem);
    }

    /// The agent could not do the next step now and tries again.
    pub(crate) fn delayed(&mut self, wanted: Option<&Applied>, problem: String) {
        if let (None, Some(wanted)) = (self.acted, wanted) {
            let (uid, hash) = (wanted.uid, wanted.hash);
            self.acted = Some(Acted { uid, observed: 0, hash, current: TargetState::Inactive });
        }
        self.problem = Some(problem);
    }

    /// Sets or clears what is wrong with the unit apart from its jobs.
    pub(crate) fn set_problem(&mut self, problem: Option<String>) {
        self.problem = problem;
    }

    /// What systemd said last.
    pub(crate) const fn status(&self) -> Option<&UnitStatus> {
        self.status.as_ref()
    }

    /// What systemd said was about another unit file, or none.
    pub(crate) fn forget_status(&mut self) {
        self.status = None;
    }

    /// Takes over what systemd answered.
    pub(crate) fn set_status(&mut self, status: UnitStatus) {
        self.status = Some(status);
        self.settle();
    }

    /// Takes over a signal; LoadState does not change by itself.
    pub(crate) fn set_active(&mut self, active: String, sub: String) {
        let load = self.status.take().map_or_else(|| "loaded".to_owned(), |status| status.load);
        self.status = Some(UnitStatus { load, active, sub });
        self.settle();
    }

    /// Whether a job of ours runs on the unit.
    pub(crate) fn busy(&self) -> bool {
        self.job == JobState::Running
    }

    /// The document to publish; `None` while there is nothing to say: systemd has not told yet how
    /// the unit is, and nothing is wrong with it.
    pub(crate) fn document(&self) -> Option<State> {
        let acted = self.acted?;
        if self.status.is_none() && self.problem.is_none() && self.failure.is_none() {
            return None;
        }
        let status = self.status.clone().unwrap_or_else(|| UnitStatus {
            load: "not-found".to_owned(),
            ..UnitStatus::dormant()
        });
        let problem = self.problem.clone().or_else(|| self.words(&status));
        Some(State {
            uid: acted.uid,
            observed: acted.observed,
            hash: acted.hash,
            current: acted.current,
            load: status.load,
            active: status.active,
            sub: status.sub,
            job: self.job,
            problem,
        })
    }

    fn words(&self, status: &UnitStatus) -> Option<String> {
        match (self.failure, status.load.as_str()) {
            (Some(failure), _) => Some(failure.to_owned()),
            (None, "loaded" | "not-found") => None,
            (None, load) => Some(format!("systemd cannot use the unit file: {load}")),
        }
    }

    /// A unit that is active after all has no failure to report: it restarted by itself.
    fn settle(&mut self) {
        if self.active() == "active" && self.job == JobState::Failed && self.failure.is_some() {
            self.failure = None;
        }
    }

    /// systemd's ActiveState, as far as it is known.
    pub(crate) fn active(&self) -> &str {
        self.status.as_ref().map_or("", |status| &status.active)
    }
}
