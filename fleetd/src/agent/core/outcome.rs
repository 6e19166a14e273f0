//! What events change in the agent's state.

use std::collections::BTreeSet;

use fleet_units::{TargetState, UnitName};
use tokio::time::Instant;
use tracing::{error, info, warn};

use super::super::applied::Applied;
use super::super::apply::{BatchOutcome, Problem, chain};
use super::super::presence::{RegisterError, Registered};
use super::super::seen::Seen;
use super::super::{Registration, Shutdown};
use super::{Ask, Core, Departure, LEAVE_DEADLINE, RETRY, Version, Work};
use crate::backoff::random_jitter;
use crate::registry::document::{Machine, Placed, State, decode};
use crate::registry::follow::Update;
use crate::store::{self, Commit, LeaseId, Revision, Snapshot, StoreError};
use crate::systemd::{JobResult, OwnJob, Signal, SystemdError, UnitStatus};

/// What happened.
#[derive(Debug)]
pub(crate) enum Event {
    /// The agent is told to go.
    Stop,
    /// What systemd does with fleetd's own unit.
    OwnJob(OwnJob),
    /// The cluster knows, or could not be told, that the machine leaves.
    Announced,
    /// `schedule/<own id>/`.
    Assignments(Update),
    /// `machines/<own id>`.
    Presence(Update),
    /// The lease is not known to the store any more.
    LeaseLost(LeaseId),
    /// `placed/<name>` of a unit without an assignment.
    Placed { unit: UnitName, outcome: Result<Option<Placed>, Problem> },
    /// A signal of systemd.
    Signal(Signal),
    /// Statuses that were asked for.
    Statuses(Result<Vec<(UnitName, UnitStatus)>, SystemdError>),
    /// A batch of files is done.
    Filed(BatchOutcome),
    /// systemd accepted a job, or not.
    Answered { unit: UnitName, serial: u64, ask: Ask, outcome: Result<(), Problem> },
    /// An accepted job has ended.
    Ended { unit: UnitName, serial: u64, ask: Ask, result: Option<JobResult> },
    /// A registration is through.
    Registered { states: Vec<(UnitName, State)>, outcome: Result<Registered, RegisterError> },
    /// States are written.
    Published { states: Vec<(UnitName, State)>, outcome: Result<Commit, StoreError> },
    /// Documents of units that are gone are deleted.
    Forgotten(Vec<(UnitName, Revision, Result<Commit, StoreError>)>),
}

impl Core {
    /// Takes note of an event.
    pub(crate) fn handle(&mut self, event: Event, now: Instant) {
        match event {
            Event::Stop => self.told_to_go(),
            Event::OwnJob(job) => self.own_job(job, now),
            Event::Announced => self.leave(now),
            Event::Assignments(update) => self.assignments_updated(update, now),
            Event::Presence(update) => self.presence_updated(update),
            Event::LeaseLost(lease) => self.lease_lost(lease),
            Event::Placed { unit, outcome } => self.place_told(unit, outcome, now),
            Event::Signal(signal) => self.signalled(signal, now),
            Event::Statuses(outcome) => self.statuses_told(outcome, now),
            Event::Filed(outcome) => self.filed(outcome, now),
            Event::Answered { unit, serial, ask, outcome } => {
                if self.serials.get(&unit) == Some(&serial) {
                    self.answered(&unit, ask, outcome, now);
                }
            }
            Event::Ended { unit, serial, ask, result } => {
                if self.serials.get(&unit) == Some(&serial) {
                    self.ended(&unit, ask, result, now);
                }
            }
            Event::Registered { states, outcome } => self.registered(states, outcome, now),
            Event::Published { states, outcome } => self.published(states, outcome, now),
            Event::Forgotten(outcomes) => self.forgotten(outcomes, now),
        }
    }

    fn told_to_go(&mut self) {
        if self.departure == Departure::Staying {
            self.departure = Departure::Asking;
            self.work.push(Work::AskOwnJob);
        }
    }

    fn own_job(&mut self, job: OwnJob, now: Instant) {
        match (job, self.writer.presence()) {
            (OwnJob::Other, _) => self.departure = Departure::Gone(Shutdown::StayRunning),
            (OwnJob::Stop, Some(_)) => {
                self.departure = Departure::Announcing;
                self.work.push(Work::Announce);
            }
            (OwnJob::Stop, None) => self.leave(now),
        }
    }

    fn leave(&mut self, now: Instant) {
        info!("Leaving the cluster: stopping all units");
        self.failures.clear();
        self.departure = Departure::Leaving(now + LEAVE_DEADLINE);
    }

    fn assignments_updated(&mut self, update: Update, now: Instant) {
        let touched = match update {
            Update::Unreachable(error) => {
                warn!(error = %chain(&error), "Store is not reachable, units are left as they are");
                return;
            }
            Update::Listed(snapshot) => self.listed(snapshot, now),
            Update::Changed { revision, events } => {
                if let (None, Some(seen)) = (&self.hold, self.seen) {
                    self.see(seen.at(revision));
                }
                self.assignments.change(revision, events)
            }
        };
        for unit in touched {
            self.forgetting.remove(&unit);
            self.asked.remove(&unit);
            self.displaced.remove(&unit);
            self.judge(&unit, now);
        }
    }

    fn listed(&mut self, snapshot: Snapshot, now: Instant) -> BTreeSet<UnitName> {
        let shown = Seen::new(snapshot.cluster, snapshot.revision);
        let path = self.seen_file.path();
        let objection = self.seen.and_then(|seen| seen.objection(shown, path));
        if self.hold.is_none() {
            if let Some(objection) = objection {
                error!(error = objection, "Store is not followed");
                self.hold = Some(objection);
                for unit in self.reports.keys().cloned().collect::<Vec<_>>() {
                    self.post(&unit, now);
                }
            } else {
                self.see(shown);
            }
        }
        self.listed = true;
        self.asked.clear();
        let mut touched = self.assignments.list(snapshot);
        touched.extend(self.applied.keys().cloned());
        touched
    }

    fn see(&mut self, seen: Seen) {
        if self.seen != Some(seen) {
            self.seen = Some(seen);
            self.work.push(Work::RememberSeen(seen));
        }
    }

    /// Says what is wrong with a unit's assignment, or that nothing is any more.
    fn judge(&mut self, unit: &UnitName, now: Instant) {
        let assigned = self.assignments.assigned().get(unit);
        let ours = self.applied.contains_key(unit) || self.installed.contains_key(unit);
        if assigned.is_none() && !ours {
            self.reports.remove(unit);
            self.writer.board.remove(unit);
            return;
        }
        let failed = self.failures.get(unit).map(|failure| failure.modified);
        if failed.is_some() && failed == assigned.map(|assigned| assigned.modified) {
            return;
        }
        let problem = match assigned {
            Some(_) => self.assignments.unreadable(unit),
            None => Some(
                "nothing in the cluster assigns the unit to this machine; it is left as it is: \
                 stop it there by hand if it is not wanted"
                    .to_owned(),
            ),
        };
        if let Some(report) = self.reports.get_mut(unit) {
            report.set_problem(problem);
            self.post(unit, now);
        }
    }

    fn presence_updated(&mut self, update: Update) {
        let Some(presence) = self.writer.presence() else { return };
        let key = self.settings.machine_key();
        let lost = match update {
            Update::Unreachable(_) => false,
            Update::Listed(snapshot) => {
                let own = snapshot.entries.iter().any(|entry| self.is_own(&entry.value));
                snapshot.revision >= presence.revision && !own
            }
            Update::Changed { events, .. } => events.iter().any(|event| match event {
                store::Event::Put(entry) => {
                    entry.mod_revision > presence.revision && !self.is_own(&entry.value)
                }
                store::Event::Delete { key: deleted, revision } => {
                    *deleted == key && *revision > presence.revision
                }
            }),
        };
        if lost {
            warn!("Presence is gone from the store, registering again");
            self.writer.lost();
        }
    }

    fn is_own(&self, value: &[u8]) -> bool {
        decode::<Machine>(value)
            .is_ok_and(|machine| machine.instance == self.settings.presence.instance)
    }

    fn lease_lost(&mut self, lease: LeaseId) {
        if self.writer.presence().is_some_and(|presence| presence.grant.id == lease) {
            warn!("Lease of the presence is gone, registering again");
            self.writer.lost();
        }
    }

    fn place_told(
        &mut self,
        unit: UnitName,
        outcome: Result<Option<Placed>, Problem>,
        now: Instant,
    ) {
        let placed = match outcome {
            Ok(placed) => placed,
            Err(problem) => {
                warn!(%unit, error = problem.sentence, "Place of the unit is not known");
                self.asked.remove(&unit);
                self.places_not_before = Some(now + RETRY.delay(0, random_jitter()));
                return;
            }
        };
        let placement = self.applied.get(&unit).map_or(0, |record| record.placement);
        let elsewhere = placed.is_some_and(|placed| {
            placed.machine != self.settings.machine && placed.generation > placement
        });
        if elsewhere && !self.assignments.assigned().contains_key(&unit) {
            self.displaced.insert(unit);
        }
    }

    fn signalled(&mut self, signal: Signal, now: Instant) {
        let (unit, active, sub) = match signal {
            Signal::Resync => {
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

    fn statuses_told(
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

    fn take_statuses(&mut self, statuses: Vec<(UnitName, UnitStatus)>, now: Instant) {
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

    fn filed(&mut self, outcome: BatchOutcome, now: Instant) {
        self.questions -= 1;
        self.filing.clear();
        let mut versions = std::mem::take(&mut self.writing);
        let BatchOutcome { installed, removed, statuses } = outcome;
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
                    self.reports.entry(unit.clone()).or_default();
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

    fn answered(&mut self, unit: &UnitName, ask: Ask, outcome: Result<(), Problem>, now: Instant) {
        if let Err(problem) = outcome {
            self.jobs.remove(unit);
            self.fail(unit, problem, now);
            return;
        }
        self.failures.remove(unit);
        let report = self.reports.entry(unit.clone()).or_default();
        match ask {
            Ask::Stop { reached } => report.stopping(reached.as_ref()),
            Ask::Start(record) => {
                report.starting(&record);
                self.jobs.insert(unit.clone(), super::Activity::Starting);
                self.remember(unit, record);
            }
        }
        self.post(unit, now);
    }

    fn ended(&mut self, unit: &UnitName, ask: Ask, result: Option<JobResult>, now: Instant) {
        self.jobs.remove(unit);
        match (ask, result) {
            (Ask::Stop { .. }, None | Some(JobResult::Canceled)) => {
                let sentence = "systemd did not carry out the stop: another job took its place";
                let problem = Problem { sentence: sentence.to_owned(), transient: true };
                self.fail(unit, problem, now);
            }
            (Ask::Stop { reached }, result) => {
                self.stopped(unit);
                if let (Some(_), Some(report)) = (reached, self.reports.get_mut(unit)) {
                    report.ended(result);
                }
            }
            (Ask::Start(_), result) => {
                if let Some(report) = self.reports.get_mut(unit) {
                    report.ended(result);
                }
            }
        }
        self.post(unit, now);
    }

    /// The unit has stopped, on its way to something else.
    fn stopped(&mut self, unit: &UnitName) {
        let record = match (self.applied.get(unit), self.installed.get(unit)) {
            (Some(record), _) => record.clone(),
            (None, Some(Version { uid, hash })) => Applied {
                uid: *uid,
                hash: *hash,
                generation: 0,
                stops: 0,
                target: TargetState::Inactive,
                placement: 0,
            },
            (None, None) => return,
        };
        self.remember(unit, Applied { target: TargetState::Inactive, ..record });
    }

    fn registered(
        &mut self,
        states: Vec<(UnitName, State)>,
        outcome: Result<Registered, RegisterError>,
        now: Instant,
    ) {
        let refusal = match outcome {
            Ok(registered) => {
                info!("Registered");
                self.writer.registered(registered, states, now);
                self.registration.send_replace(Registration::Registered);
                self.work.push(Work::KeepAlive(registered.grant));
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

    fn published(
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

    fn write_failed(&mut self, error: &StoreError, now: Instant) {
        if self.writer.failed(now) == 0 {
            warn!(error = %chain(error), "Documents are not written");
        }
    }

    fn forgotten(
        &mut self,
        outcomes: Vec<(UnitName, Revision, Result<Commit, StoreError>)>,
        now: Instant,
    ) {
        self.writer.succeeded();
        let mut failure = None;
        for (unit, modified, outcome) in outcomes {
            match outcome {
                Ok(Commit::Done(revision)) => self.is_forgotten(&unit, modified, revision),
                Ok(Commit::Refused(_)) => self.is_not_forgotten(&unit, modified),
                Err(error) => {
                    self.writer.forget(&unit, modified);
                    failure = Some(error);
                }
            }
        }
        if let Some(error) = failure {
            self.write_failed(&error, now);
        }
    }

    /// The assignment is another one by now. If that is known already to be none, just the state
    /// is left to delete; else the watch will tell.
    fn is_not_forgotten(&mut self, unit: &UnitName, modified: Revision) {
        let assigned = self.assignments.assigned().contains_key(unit);
        if modified != Revision::ABSENT && !assigned && !self.applied.contains_key(unit) {
            self.writer.forget(unit, Revision::ABSENT);
        }
    }

    fn is_forgotten(&mut self, unit: &UnitName, modified: Revision, revision: Revision) {
        let assigned = self.assignments.assigned().get(unit).map(|assigned| assigned.modified);
        if assigned.is_some_and(|assigned| assigned != modified) {
            return;
        }
        info!(%unit, "Unit is gone");
        self.assignments.deleted(unit, revision);
        self.forgetting.remove(unit);
        self.displaced.remove(unit);
        self.asked.remove(unit);
        self.failures.remove(unit);
        self.serials.remove(unit);
        self.reports.remove(unit);
        self.writer.board.remove(unit);
    }
}
