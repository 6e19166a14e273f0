//! What comes of writes to the store.

use std::mem;

use fleet_units::UnitName;
use tokio::time::Instant;
use tracing::{debug, error, info, warn};

use super::super::Registration;
use super::super::forget::Forgotten;
use super::super::presence::{RegisterError, Registered};
use super::{Core, Work};
use crate::log::chain;
use crate::registry::document::State;
use crate::store::{Commit, LeaseId, Revision, StoreError};

impl Core {
    pub(super) fn registered(
        &mut self,
        states: Vec<(UnitName, State)>,
        outcome: Result<(Registered, Vec<LeaseId>), RegisterError>,
        now: Instant,
    ) {
        let refusal = match outcome {
            Ok((registered, old)) => {
                info!("Registered");
                self.metrics.registration();
                self.writer.registered(registered, states, now);
                self.registration.send_replace(Registration::Registered);
                self.work.push(Work::KeepAlive(registered.grant));
                if !old.is_empty() {
                    self.work.push(Work::EndLeases(old));
                }
                let gone = mem::take(&mut self.presence_gone);
                self.check_presence(gone);
                return;
            }
            Err(RegisterError::Taken(sentence)) => sentence,
            Err(error @ (RegisterError::Raced | RegisterError::Store(_))) => {
                if self.writer.failed(now) == 0 {
                    warn!(error = %chain(&error), "Machine is not registered");
                }
                return;
            }
        };
        self.writer.failed(now);
        let refused = Registration::Refused(refusal.clone());
        if *self.registration.borrow() != refused {
            error!(error = refusal, "Machine is not registered");
            self.registration.send_replace(refused);
        }
    }

    pub(super) fn published(
        &mut self,
        states: Vec<(UnitName, State)>,
        outcome: Result<Commit, StoreError>,
        now: Instant,
    ) {
        match outcome {
            // Without compares there is nothing to refuse.
            Ok(Commit::Done(_) | Commit::Refused(_)) => {
                self.writer.succeeded();
                self.writer.board.written(states, now);
            }
            Err(error) => {
                self.writer.board.failed(&states, now);
                self.write_failed(&error, now);
            }
        }
    }

    pub(super) fn described(&mut self, outcome: Result<(), RegisterError>, now: Instant) {
        match outcome {
            Ok(()) => {
                info!("Published what this machine says of itself");
                self.writer.succeeded();
            }
            Err(error) => {
                self.writer.describe();
                if self.writer.failed(now) == 0 {
                    warn!(error = %chain(&error), "Machine's document is not written");
                }
            }
        }
    }

    pub(super) fn write_failed(&mut self, error: &StoreError, now: Instant) {
        if self.writer.failed(now) == 0 {
            warn!(error = %chain(error), "Documents are not written");
        }
    }

    pub(super) fn forgotten(&mut self, forgotten: Forgotten, now: Instant) {
        self.writer.succeeded();
        for (unit, modified, commit) in forgotten.decided {
            match commit {
                Commit::Done(revision) => self.is_forgotten(&unit, modified, revision),
                Commit::Refused(_) => self.is_not_forgotten(&unit, modified),
            }
        }
        for (unit, modified) in forgotten.left {
            self.writer.forget(&unit, modified);
        }
        if let Some(error) = forgotten.error {
            self.write_failed(&error, now);
        }
    }

    /// The assignment is another one by now. If that is known already to be none, just the state
    /// is left to delete; else the watch will tell.
    pub(super) fn is_not_forgotten(&mut self, unit: &UnitName, modified: Revision) {
        let assigned = self.assignments.assigned().contains_key(unit);
        if modified != Revision::ABSENT && !assigned && !self.applied.contains_key(unit) {
            self.writer.forget(unit, Revision::ABSENT);
        }
    }

    pub(super) fn is_forgotten(&mut self, unit: &UnitName, modified: Revision, revision: Revision) {
        let assigned = self.assignments.assigned().get(unit).map(|assigned| assigned.modified);
        if assigned.is_some_and(|assigned| assigned != modified) {
            return;
        }
        debug!(%unit, "Unit is gone");
        self.assignments.deleted(unit, revision);
        self.forgetting.remove(unit);
        self.displaced.remove(unit);
        self.asked.remove(unit);
        self.failures.remove(unit);
        self.serials.remove(unit);
        self.steps.remove(unit);
        self.reports.remove(unit);
        self.writer.board.remove(unit);
    }
}
