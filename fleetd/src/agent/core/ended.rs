//! What comes of calls to systemd, and what systemd tells by itself.

use std::collections::BTreeSet;

use fleet_units::{TargetState, UnitName};
use tokio::time::Instant;
use tracing::warn;

use super::super::applied::Applied;
use super::super::apply::{BatchOutcome, Problem};
use super::super::plan::{Activity, Version};
use super::{Ask, Core, RETRY, Work};
use crate::backoff::random_jitter;
use crate::log::chain;
use crate::systemd::{JobResult, Signal, SystemdError, UnitStatus};

impl Core {
    pub(super) fn signalled(&mut self, signal: Signal, now: Instant) {
        let (unit, active, sub) = match signal {
            Signal::Resync => {
                // What was heard before may be older than the answers to come.
                self.signalled.clear();
                self.resync = true;
                return;
            }
            Signal::Changed { unit, active, sub } => (unit, active, sub),
            Signal::Removed(unit) => {
                let dormant = UnitStatus::dormant();
                (unit, dormant.active, dormant.sub)
            }
        };
        if let Some(report) = self.reports.get_mut(&unit) {
            report.set_active(active, sub);
            if self.questions > 0 {
                self.signalled.insert(unit.clone());
            }
            self.post(&unit, now);
        } else if self.filing.contains(&unit) {
            self.reports.entry(unit.clone()).or_default().set_active(active, sub);
            self.signalled.insert(unit);
        }
    }

    pub(super) fn statuses_told(
        &mut self,
        outcome: Result<Vec<(UnitName, UnitStatus)>, SystemdError>,
        now: Instant,
    ) {
        self.questions -= 1;
        match outcome {
            Ok(statuses) => {
                self.resync_not_before = None;
                self.take_statuses(statuses, now);
            }
            Err(error) => {
                warn!(error = %chain(&error), "States of units are not known, asking again");
                self.resync = true;
                self.resync_not_before = Some(now + RETRY.delay(0, random_jitter()));
            }
        }
    }

    pub(super) fn take_statuses(&mut self, statuses: Vec<(UnitName, UnitStatus)>, now: Instant) {
        for (unit, mut status) in statuses {
            let Some(report) = self.reports.get_mut(&unit) else { continue };
            if self.signalled.contains(&unit)
                && let Some(known) = report.status()
            {
                (status.active, status.sub) = (known.active.clone(), known.sub.clone());
            }
            report.set_status(status);
            self.post(&unit, now);
        }
    }

    pub(super) fn filed(&mut self, outcome: BatchOutcome, now: Instant) {
        self.questions -= 1;
        self.filing.clear();
        let mut versions = std::mem::take(&mut self.writing);
        let BatchOutcome { installed, removed, statuses } = outcome;
        let told: BTreeSet<_> = statuses.iter().map(|(unit, _)| unit.clone()).collect();
        for (unit, outcome) in removed {
            match outcome {
                Ok(()) => {
                    self.installed.remove(&unit);
                    self.applied.remove(&unit);
                    self.failures.remove(&unit);
                    self.work.push(Work::DropRecord(unit));
                }
                Err(problem) => self.fail(&unit, problem, now),
            }
        }
        for (unit, outcome) in installed {
            match outcome {
                Ok(()) => {
                    self.failures.remove(&unit);
                    let report = self.reports.entry(unit.clone()).or_default();
                    if !told.contains(&unit) {
                        report.forget_status();
                    }
                    self.installed.extend(versions.remove_entry(&unit));
                }
                Err(problem) => {
                    self.installed.remove(&unit);
                    self.fail(&unit, problem, now);
                }
            }
        }
        self.take_statuses(statuses, now);
    }

    pub(super) fn answered(
        &mut self,
        unit: &UnitName,
        ask: Ask,
        outcome: Result<(), Problem>,
        now: Instant,
    ) {
        if let Err(problem) = outcome {
            self.jobs.remove(unit);
            self.fail(unit, problem, now);
            // A unit that cannot be loaded sends no signal to say so.
            self.ask_status(unit);
            return;
        }
        let report = self.reports.entry(unit.clone()).or_default();
        match ask {
            // An accepted stop may fail yet: earlier failures count until it has not.
            Ask::Stop { reached } => report.stopping(reached.as_ref()),
            Ask::Start(record) => {
                self.failures.remove(unit);
                report.starting(&record);
                self.jobs.insert(unit.clone(), Activity::Starting);
                self.remember(unit, record);
            }
        }
        self.post(unit, now);
    }

    pub(super) fn ended(
        &mut self,
        unit: &UnitName,
        ask: Ask,
        result: Option<JobResult>,
        now: Instant,
    ) {
        self.jobs.remove(unit);
        match ask {
            Ask::Stop { reached } => {
                if let Some(reason) = why_not_stopped(result) {
                    let sentence = format!("systemd did not stop the unit: {reason}");
                    self.fail(unit, Problem { sentence, transient: true }, now);
                } else {
                    self.failures.remove(unit);
                    self.stopped(unit);
                    if let (Some(_), Some(report)) = (reached, self.reports.get_mut(unit)) {
                        report.ended(result);
                    }
                }
            }
            Ask::Start(_) => {
                if let Some(report) = self.reports.get_mut(unit) {
                    report.ended(result);
                }
            }
        }
        self.ask_if_untold(unit);
        self.post(unit, now);
    }

    /// Asks for the status of a unit that systemd has told nothing of: what it is sent for may have
    /// changed nothing.
    pub(super) fn ask_if_untold(&mut self, unit: &UnitName) {
        if self.reports.get(unit).is_some_and(|report| report.status().is_none()) {
            self.ask_status(unit);
        }
    }

    fn ask_status(&mut self, unit: &UnitName) {
        self.question();
        self.work.push(Work::AskStatuses(vec![unit.clone()]));
    }

    /// The unit has stopped, on its way to something else.
    pub(super) fn stopped(&mut self, unit: &UnitName) {
        if let Some(record) = self.record(unit) {
            self.remember(unit, Applied { target: TargetState::Inactive, ..record });
        }
    }

    /// The record of a unit; one of what its file holds, if there is no other.
    pub(super) fn record(&self, unit: &UnitName) -> Option<Applied> {
        let of_file = |&Version { uid, hash }: &Version| Applied {
            uid,
            hash,
            generation: 0,
            stops: 0,
            target: TargetState::Inactive,
            placement: 0,
        };
        self.applied.get(unit).cloned().or_else(|| self.installed.get(unit).map(of_file))
    }
}

/// Why processes of the unit may still run after a stop that ended so: it must not be given away.
const fn why_not_stopped(result: Option<JobResult>) -> Option<&'static str> {
    match result {
        Some(JobResult::Done | JobResult::Skipped) => None,
        None => Some("nobody saw how the job ended"),
        Some(JobResult::Canceled) => Some("another job took its place"),
        Some(JobResult::Failed) => Some("the job failed"),
        Some(JobResult::Timeout) => Some("the job ran into its time-out"),
        Some(JobResult::Dependency) => Some("a job that it depends on failed"),
    }
}
