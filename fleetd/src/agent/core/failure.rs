//! Steps that failed: when they are tried again, and what waits for them meanwhile.

use std::collections::BTreeSet;

use fleet_units::{TargetState, UnitName};
use tokio::time::Instant;
use tracing::{info, warn};

use super::super::applied::Applied;
use super::super::apply::Problem;
use super::super::plan::Activity;
use super::{Core, RETRY};
use crate::backoff::random_jitter;
use crate::store::Revision;

/// How the last step of a unit failed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failure {
    /// Revision of the assignment that failed: another one is another chance.
    pub(super) modified: Revision,
    pub(super) attempts: u32,
    /// `None`: not before the assignment changes.
    pub(super) retry_at: Option<Instant>,
}

impl Core {
    /// Units whose last failure stands.
    pub(super) fn blocked(&mut self, now: Instant) -> BTreeSet<UnitName> {
        let assignments = &self.assignments;
        self.failures.retain(|unit, failure| assignments.modified(unit) == failure.modified);
        let standing = self
            .failures
            .iter()
            .filter(|(_, failure)| failure.retry_at.is_none_or(|retry_at| retry_at > now));
        standing.map(|(unit, _)| unit.clone()).collect()
    }

    /// A step failed: report it, and try again later or not before the assignment changes. If it
    /// has changed since the step was handed out, it is tried at once.
    pub(super) fn fail(&mut self, unit: &UnitName, problem: Problem, now: Instant) {
        let modified = self.assignments.modified(unit);
        if self.steps.get(unit).is_some_and(|step| *step != modified) {
            info!(%unit, error = problem.sentence, "Step failed that is not wanted any more");
            return;
        }
        let earlier = self.failures.get(unit).filter(|failure| failure.modified == modified);
        let attempts = earlier.map_or(0, |failure| failure.attempts.saturating_add(1));
        // A machine that leaves has no other chance to stop the unit.
        let is_stopped = |record: &Applied| record.target == TargetState::Inactive;
        let last_chance = self.is_leaving() && !self.applied.get(unit).is_some_and(is_stopped);
        let again = problem.transient || last_chance;
        let retry_at = again.then(|| now + RETRY.delay(attempts, random_jitter()));
        if attempts == 0 || !problem.transient {
            warn!(%unit, error = problem.sentence, "Unit is not what it should be");
        }
        self.failures.insert(unit.clone(), Failure { modified, attempts, retry_at });
        let wanted = self.wanted(unit);
        let report = self.reports.entry(unit.clone()).or_default();
        if problem.transient {
            report.delayed(wanted.as_ref(), problem.sentence);
        } else {
            report.refused(wanted.as_ref(), problem.sentence);
        }
        self.post(unit, now);
    }

    /// A start waits for another unit to stop. That is told unless it ends soon.
    pub(super) fn wait(&mut self, unit: &UnitName, other: &UnitName, now: Instant) {
        let sentence = if self.failures.contains_key(other) {
            format!("its start waits for {other} to stop, and that one does not")
        } else if self.jobs.get(other) == Some(&Activity::Stopping) {
            format!("its start waits for {other} to stop")
        } else {
            return;
        };
        let wanted = self.wanted(unit);
        let report = self.reports.entry(unit.clone()).or_default();
        report.delayed(wanted.as_ref(), sentence);
        if let Some(state) = report.document() {
            self.writer.board.set(unit, state, true, now);
        }
    }
}
