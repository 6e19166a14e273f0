//! What can happen to the agent, and how it goes.

use fleet_units::{TargetState, UnitName};
use tokio::sync::oneshot;
use tokio::time::Instant;
use tracing::{info, warn};

use super::super::Shutdown;
use super::super::applied::Applied;
use super::super::apply::{BatchOutcome, Problem};
use super::super::forget::Forgotten;
use super::super::plan::Activity;
use super::super::presence::{RegisterError, Registered};
use super::dump::Dump;
use super::{Ask, Core, Departure, LEAVE_DEADLINE, Work};
use crate::registry::document::{Machine, Placed, State};
use crate::registry::follow::Update;
use crate::store::{Commit, LeaseId, StoreError};
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
    /// A registration is through; these leases are left to end.
    Registered {
        states: Vec<(UnitName, State)>,
        outcome: Result<(Registered, Vec<LeaseId>), RegisterError>,
    },
    /// States are written.
    Published { states: Vec<(UnitName, State)>, outcome: Result<Commit, StoreError> },
    /// Documents of units that are gone are deleted.
    Forgotten(Forgotten),
    /// What the machine says of itself from now on.
    Describe(Machine),
    /// Somebody wants to know what the agent knows.
    Dump(oneshot::Sender<Dump>),
    /// What the machine says of itself is written.
    Described(Result<(), RegisterError>),
}

impl Core {
    /// Takes note of an event.
    pub(crate) fn handle(&mut self, event: Event, now: Instant) {
        // These come by the thousand and are about reports alone.
        self.changed |=
            !matches!(event, Event::Signal(_) | Event::Statuses(_) | Event::Published { .. });
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
            Event::Forgotten(forgotten) => self.forgotten(forgotten, now),
            Event::Describe(presence) => self.describe(presence),
            Event::Dump(asker) => {
                // Who does not wait for the answer any more needs none.
                let (Ok(()) | Err(_)) = asker.send(self.dump());
            }
            Event::Described(outcome) => self.described(outcome, now),
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

    /// The machine can go; what is left is said, and started again should fleet come back.
    pub(super) fn departed(&mut self) {
        let runs = |(_, record): &(&UnitName, &Applied)| record.target != TargetState::Inactive;
        let left: Vec<_> =
            self.applied.iter().filter(runs).map(|(unit, _)| unit.as_str()).collect();
        if !left.is_empty() {
            warn!(?left, "Units are not stopped in time");
        }
        let stopping = self.jobs.iter().filter(|(_, activity)| **activity == Activity::Stopping);
        // A stop that failed may come to its end yet.
        let stopping = stopping.map(|(unit, _)| unit).chain(self.failures.keys());
        let stopping: Vec<_> = stopping.cloned().collect();
        for unit in stopping {
            if let Some(record) = self.applied.get(&unit).cloned() {
                self.remember(&unit, Applied { target: TargetState::Inactive, ..record });
            }
        }
        self.departure = Departure::Gone(Shutdown::Leave);
    }
}
