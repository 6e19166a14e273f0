//! What the agent learns from the registry.

use std::collections::BTreeSet;

use fleet_units::UnitName;
use tokio::time::Instant;
use tracing::warn;

use super::super::apply::Problem;
use super::{Core, RETRY};
use crate::backoff::random_jitter;
use crate::log::chain;
use crate::registry::document::{Machine, Placed, decode};
use crate::registry::follow::Update;
use crate::store::{self, LeaseId, Revision, Snapshot};

impl Core {
    pub(super) fn assignments_updated(&mut self, update: Update, now: Instant) {
        let touched = match update {
            Update::Unreachable(error) => {
                warn!(error = %chain(&error), "Store is not reachable, units are left as they are");
                return;
            }
            Update::Listed(snapshot) => self.listed(snapshot),
            Update::Changed { revision, events } => self.assignments.change(revision, events),
        };
        for unit in touched {
            self.forgetting.remove(&unit);
            self.asked.remove(&unit);
            self.displaced.remove(&unit);
            self.judge(&unit, now);
        }
    }

    pub(super) fn listed(&mut self, snapshot: Snapshot) -> BTreeSet<UnitName> {
        self.listed = true;
        self.asked.clear();
        let mut touched = self.assignments.list(snapshot);
        touched.extend(self.applied.keys().chain(self.installed.keys()).cloned());
        touched
    }

    /// Says what is wrong with a unit's assignment, or that nothing is any more.
    pub(super) fn judge(&mut self, unit: &UnitName, now: Instant) {
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
        if assigned.is_some() {
            let problem = self.assignments.unreadable(unit);
            if let Some(report) = self.reports.get_mut(unit) {
                report.set_problem(problem);
            }
        } else {
            let sentence = "nothing in the cluster assigns the unit to this machine; it is left as \
                            it is: stop it there by hand if it is not wanted";
            let record = self.record(unit);
            let report = self.reports.entry(unit.clone()).or_default();
            report.delayed(record.as_ref(), sentence.to_owned());
        }
        self.post(unit, now);
    }

    pub(super) fn presence_updated(&mut self, update: Update) {
        let gone = self.presence_gone(update);
        if self.writer.presence().is_some() {
            self.check_presence(gone);
        } else {
            self.presence_gone = self.presence_gone.max(gone);
        }
    }

    /// The newest revision at which the machine's document was not there, or not ours.
    fn presence_gone(&self, update: Update) -> Revision {
        let key = self.settings.machine_key();
        let newest = match update {
            Update::Unreachable(_) => None,
            Update::Listed(snapshot) => {
                let own = snapshot.entries.iter().any(|entry| self.is_own(&entry.value));
                (!own).then_some(snapshot.revision)
            }
            Update::Changed { events, .. } => {
                let gone = events.iter().filter_map(|event| match event {
                    store::Event::Put(entry) => {
                        (!self.is_own(&entry.value)).then_some(entry.mod_revision)
                    }
                    store::Event::Delete { key: deleted, revision } => {
                        (*deleted == key).then_some(*revision)
                    }
                });
                gone.max()
            }
        };
        newest.unwrap_or(Revision::ABSENT)
    }

    /// Our document was not there at that revision: lost, if that was after we wrote it.
    pub(super) fn check_presence(&mut self, gone: Revision) {
        if self.writer.presence().is_some_and(|presence| gone >= presence.revision) {
            warn!("Presence is gone from the store, registering again");
            self.writer.lost();
        }
    }

    pub(super) fn is_own(&self, value: &[u8]) -> bool {
        decode::<Machine>(value)
            .is_ok_and(|machine| machine.instance == self.settings.presence.instance)
    }

    pub(super) fn lease_lost(&mut self, lease: LeaseId) {
        if self.writer.presence().is_some_and(|presence| presence.grant.id == lease) {
            warn!("Lease of the presence is gone, registering again");
            self.writer.lost();
        }
    }

    pub(super) fn place_told(
        &mut self,
        unit: UnitName,
        outcome: Result<Option<Placed>, Problem>,
        now: Instant,
    ) {
        let placed = match outcome {
            Ok(placed) => placed,
            Err(problem) => {
                self.untold.insert(unit);
                // The others of the same round count once.
                if self.places_not_before.is_none_or(|not_before| not_before <= now) {
                    if self.silences == 0 {
                        warn!(error = problem.sentence, "Places of units are not known");
                    }
                    self.places_not_before =
                        Some(now + RETRY.delay(self.silences, random_jitter()));
                    self.silences = self.silences.saturating_add(1);
                }
                return;
            }
        };
        self.silences = 0;
        let placement = self.applied.get(&unit).map_or(0, |record| record.placement);
        let elsewhere = placed.is_some_and(|placed| {
            placed.machine != self.settings.machine && placed.generation > placement
        });
        if elsewhere && !self.assignments.assigned().contains_key(&unit) {
            self.displaced.insert(unit);
        }
    }
}
