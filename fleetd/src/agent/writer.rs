//! What the agent writes to the store, one write in flight at a time: presence first, then the
//! documents of units that are gone, then states. One writer, so nothing that was deleted comes
//! back by a write that was overtaken. Pure: it says what to write and is told how it went.

use std::collections::BTreeMap;
use std::time::Duration;

use fleet_units::UnitName;
use tokio::time::Instant;

use super::presence::Registered;
use super::publish::{BATCH, Board};
use crate::backoff::{Backoff, random_jitter};
use crate::registry::document::State;
use crate::store::{LeaseId, Revision};

/// A store that is away is asked again soon, and not by all machines at once.
const RETRY: Backoff = Backoff { min: Duration::from_millis(100), max: Duration::from_secs(2) };

/// A comparison and two deletions for each unit that is gone.
const FORGETS: usize = BATCH / 3;

/// While jobs run there is more to write soon. A transaction costs all members of the store a sync
/// to disk, so it waits until it is full or this long after the last one. Nothing waits once no job
/// runs, and the first never does.
const FILL: Duration = Duration::from_millis(100);

/// A write to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Writing {
    /// Register the machine, with these states, in place of an earlier lease.
    Register {
        /// All states.
        states: Vec<(UnitName, State)>,
        /// The lease that was lost or given up.
        previous: Option<LeaseId>,
    },
    /// Delete what there is of units, if their assignments are those of these revisions.
    Forget(Vec<(UnitName, Revision)>),
    /// Write what the machine says of itself.
    Describe {
        /// The lease that it is bound to.
        lease: LeaseId,
    },
    /// Write states.
    Publish {
        /// The states.
        states: Vec<(UnitName, State)>,
        /// The lease to bind them to.
        lease: LeaseId,
    },
}

/// Decides on the writes.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    /// States, as they are and as they should be.
    pub(crate) board: Board,
    forgets: BTreeMap<UnitName, Revision>,
    presence: Option<Registered>,
    previous: Option<LeaseId>,
    /// The machine says other things of itself than the store has.
    undescribed: bool,
    in_flight: bool,
    failures: u32,
    not_before: Option<Instant>,
    /// Whether jobs run whose ends will have to be written.
    more: bool,
    written_at: Option<Instant>,
}

impl Writer {
    /// The next write, if there is one to make now.
    pub(crate) fn next(&mut self, now: Instant) -> Option<Writing> {
        if self.in_flight || self.not_before.is_some_and(|not_before| not_before > now) {
            return None;
        }
        let filling = self.filling().is_some_and(|full| full > now);
        let writing = match self.presence {
            None => {
                let states = self.board.take_all();
                self.undescribed = false;
                Some(Writing::Register { states, previous: self.previous })
            }
            Some(Registered { grant, .. }) if self.undescribed => {
                self.undescribed = false;
                Some(Writing::Describe { lease: grant.id })
            }
            Some(_) if filling && !self.has_full(now) => None,
            Some(_) if !self.forgets.is_empty() => {
                let units: Vec<_> = self.forgets.keys().take(FORGETS).cloned().collect();
                let taken = units.into_iter().filter_map(|unit| self.forgets.remove_entry(&unit));
                Some(Writing::Forget(taken.collect()))
            }
            Some(Registered { grant, .. }) => {
                let states = self.board.take_due(now);
                (!states.is_empty()).then_some(Writing::Publish { states, lease: grant.id })
            }
        };
        self.in_flight = writing.is_some();
        if self.in_flight {
            self.written_at = Some(now);
        }
        writing
    }

    /// Says whether jobs run whose ends will have to be written.
    pub(crate) const fn expect(&mut self, more: bool) {
        self.more = more;
    }

    /// Until when the next transaction is filled.
    fn filling(&self) -> Option<Instant> {
        self.written_at.filter(|_| self.more).map(|at| at + FILL)
    }

    fn has_full(&self, now: Instant) -> bool {
        self.forgets.len() >= FORGETS || self.board.count_due(now) >= BATCH
    }

    /// When there may be something to write, unless a write is in flight.
    pub(crate) fn wake(&self) -> Option<Instant> {
        if self.in_flight {
            return None;
        }
        let due = self.board.next_due();
        match self.presence {
            Some(_) if self.forgets.is_empty() && !self.undescribed => {
                [self.not_before, self.filling(), due]
                    .into_iter()
                    .flatten()
                    .max()
                    .filter(|_| due.is_some())
            }
            Some(_) => self.not_before.max(self.filling()),
            None => self.not_before,
        }
    }

    /// The presence, while it is believed to live.
    pub(crate) const fn presence(&self) -> Option<Registered> {
        self.presence
    }

    /// Whether nothing is left to delete, or the store does not take it.
    pub(crate) fn is_done_forgetting(&self) -> bool {
        let done = self.forgets.is_empty() && !self.in_flight;
        done || self.failures > 0 || self.presence.is_none()
    }

    /// A unit is gone: its documents go, and its state is not written again.
    pub(crate) fn forget(&mut self, unit: &UnitName, modified: Revision) {
        self.board.remove(unit);
        self.forgets.insert(unit.clone(), modified);
    }

    /// The machine says other things of itself. A registration in flight may have said the old ones.
    pub(crate) const fn describe(&mut self) {
        self.undescribed = true;
    }

    /// The machine is registered with these states.
    pub(crate) fn registered(
        &mut self,
        registered: Registered,
        states: Vec<(UnitName, State)>,
        now: Instant,
    ) {
        self.succeeded();
        (self.presence, self.previous) = (Some(registered), None);
        self.board.written(states, now);
    }

    /// The lease is gone, or the machine's document is.
    pub(crate) const fn lost(&mut self) {
        if let Some(registered) = self.presence.take() {
            self.previous = Some(registered.grant.id);
        }
    }

    /// The write in flight landed.
    pub(crate) const fn succeeded(&mut self) {
        self.in_flight = false;
        self.failures = 0;
        self.not_before = None;
    }

    /// The write in flight did not land; returns how many have not in a row, before this one.
    pub(crate) fn failed(&mut self, now: Instant) -> u32 {
        let failures = self.failures;
        self.in_flight = false;
        self.failures = failures.saturating_add(1);
        self.not_before = Some(now + RETRY.delay(failures, random_jitter()));
        failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Grant;

    fn registered(lease: i64) -> Registered {
        let grant = Grant { id: LeaseId(lease), ttl: Duration::from_secs(5) };
        Registered { grant, revision: Revision(1) }
    }

    fn name(unit: &str) -> UnitName {
        unit.parse().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn one_write_is_in_flight_and_presence_comes_first() {
        let now = Instant::now();
        let mut writer = Writer::default();
        writer.forget(&name("a.service"), Revision(7));

        let register = Writing::Register { states: Vec::new(), previous: None };
        assert_eq!((writer.next(now), writer.next(now)), (Some(register), None));

        writer.registered(registered(1), Vec::new(), now);
        let forget = Writing::Forget(vec![(name("a.service"), Revision(7))]);
        assert_eq!((writer.next(now), writer.next(now)), (Some(forget), None));

        writer.succeeded();
        assert_eq!((writer.next(now), writer.wake()), (None, None));
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_presence_is_registered_again_in_place_of_the_old_lease() {
        let now = Instant::now();
        let mut writer = Writer::default();
        writer.registered(registered(1), Vec::new(), now);

        writer.lost();

        let register = Writing::Register { states: Vec::new(), previous: Some(LeaseId(1)) };
        assert_eq!(writer.next(now), Some(register));
    }

    fn state(observed: u64) -> State {
        State {
            uid: 1,
            observed,
            hash: fleet_units::UnitFile::parse("").unwrap().hash(),
            current: fleet_units::TargetState::Launched,
            load: "loaded".to_owned(),
            active: "active".to_owned(),
            sub: "running".to_owned(),
            job: crate::registry::document::JobState::Done,
            problem: None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn transactions_are_filled_while_jobs_run_and_nothing_waits_after_the_last() {
        let now = Instant::now();
        let mut writer = Writer::default();
        writer.registered(registered(1), Vec::new(), now);
        writer.expect(true);
        let publish = |states| Some(Writing::Publish { states, lease: registered(1).grant.id });

        writer.board.set(&name("a.service"), state(1), false, now);
        assert_eq!(writer.next(now), publish(vec![(name("a.service"), state(1))]));
        writer.succeeded();
        writer.board.set(&name("b.service"), state(1), false, now);
        assert_eq!((writer.next(now), writer.wake()), (None, Some(now + FILL)));
        writer.expect(false);

        assert_eq!(writer.wake(), Some(now));
        assert_eq!(writer.next(now), publish(vec![(name("b.service"), state(1))]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_transaction_does_not_wait() {
        let now = Instant::now();
        let mut writer = Writer::default();
        writer.registered(registered(1), Vec::new(), now);
        writer.expect(true);
        writer.forget(&name("first.service"), Revision(7));
        assert!(writer.next(now).is_some());
        writer.succeeded();

        writer.forget(&name("second.service"), Revision(7));
        assert_eq!((writer.next(now), writer.wake()), (None, Some(now + FILL)));
        for unit in 1..FORGETS {
            writer.forget(&name(&format!("u{unit}.service")), Revision(7));
        }

        assert!(matches!(writer.next(now), Some(Writing::Forget(units)) if units.len() == FORGETS));
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_machine_says_is_written_once_after_the_write_in_flight() {
        let now = Instant::now();
        let mut writer = Writer::default();
        writer.next(now);
        writer.describe();
        assert_eq!(writer.next(now), None);

        writer.registered(registered(1), Vec::new(), now);

        assert_eq!(writer.next(now), Some(Writing::Describe { lease: LeaseId(1) }));
        writer.succeeded();
        assert_eq!((writer.next(now), writer.wake()), (None, None));
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_write_is_made_again_after_a_pause() {
        let now = Instant::now();
        let mut writer = Writer::default();
        writer.next(now);

        writer.failed(now);

        assert_eq!(writer.next(now), None);
        let wake = writer.wake().unwrap();
        assert!(now < wake && wake <= now + RETRY.min);
        assert_eq!(
            writer.next(wake),
            Some(Writing::Register { states: Vec::new(), previous: None })
        );
    }
}
