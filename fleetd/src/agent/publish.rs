//! Which states have to be written when. Pure: time is an argument. What an operator waits for is
//! due at once, that a job runs only if it does not end soon; everything else at most once a second
//! per unit; nothing at rest.

use std::collections::BTreeMap;
use std::time::Duration;

use fleet_units::UnitName;
use tokio::time::Instant;

use crate::registry::document::{JobState, State};

/// Least time between two writes of one unit's state that nobody waits for.
const PACE: Duration = Duration::from_secs(1);

/// Most jobs end within this, and their end is all there is to say.
const BRIEF: Duration = Duration::from_millis(750);

/// Operations of one transaction, below etcd's limit of 128.
pub(crate) const BATCH: usize = 120;

/// States as they should be in the store, beside those that are there.
#[derive(Debug, Default)]
pub(crate) struct Board {
    entries: BTreeMap<UnitName, Entry>,
}

#[derive(Debug, Default)]
struct Entry {
    wanted: Option<State>,
    written: Option<State>,
    written_at: Option<Instant>,
    due: Option<Instant>,
}

impl Board {
    /// Sets the state of a unit. `busy`: a job of ours runs on it and more is to come.
    pub(crate) fn set(&mut self, unit: &UnitName, state: State, busy: bool, now: Instant) {
        let entry = self.entries.entry(unit.clone()).or_default();
        if entry.wanted.as_ref() == Some(&state) {
            return;
        }
        let due = match &entry.written {
            Some(written) if *written == state => None,
            Some(written) if !is_awaited(written, &state) => Some(entry.paced(busy, now)),
            Some(_) | None if busy => Some(now + BRIEF),
            Some(_) | None => Some(now),
        };
        entry.due = due.map(|due| entry.due.map_or(due, |earlier| earlier.min(due)));
        entry.wanted = Some(state);
    }

    /// Forgets a unit: its state is not written any more.
    pub(crate) fn remove(&mut self, unit: &UnitName) {
        self.entries.remove(unit);
    }

    /// The states that the store has, as far as is known.
    pub(crate) fn written_states(&self) -> impl Iterator<Item = (&UnitName, &State)> {
        self.entries.iter().filter_map(|(unit, entry)| Some((unit, entry.written.as_ref()?)))
    }

    /// The states that the store ought to have and has not.
    pub(crate) fn due_states(&self) -> impl Iterator<Item = (&UnitName, &State)> {
        let due = self.entries.iter().filter(|(_, entry)| entry.wanted != entry.written);
        due.filter_map(|(unit, entry)| Some((unit, entry.wanted.as_ref()?)))
    }

    /// When the next state is due.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.entries.values().filter_map(|entry| entry.due).min()
    }

    /// How many states are due.
    pub(crate) fn count_due(&self, now: Instant) -> usize {
        self.entries.values().filter(|entry| entry.due.is_some_and(|due| due <= now)).count()
    }

    /// Takes the states that are due, up to what a transaction holds.
    pub(crate) fn take_due(&mut self, now: Instant) -> Vec<(UnitName, State)> {
        let due =
            self.entries.iter_mut().filter(|(_, entry)| entry.due.is_some_and(|due| due <= now));
        due.take(BATCH)
            .filter_map(|(unit, entry)| {
                entry.due = None;
                Some((unit.clone(), entry.wanted.clone()?))
            })
            .collect()
    }

    /// All states, for a new lease: the old ones die with the old one.
    pub(crate) fn take_all(&mut self) -> Vec<(UnitName, State)> {
        self.entries
            .iter_mut()
            .filter_map(|(unit, entry)| {
                (entry.due, entry.written) = (None, None);
                Some((unit.clone(), entry.wanted.clone()?))
            })
            .collect()
    }

    /// The states were written.
    pub(crate) fn written(&mut self, states: Vec<(UnitName, State)>, now: Instant) {
        for (unit, state) in states {
            let Some(entry) = self.entries.get_mut(&unit) else { continue };
            let again = entry.wanted.as_ref().is_some_and(|wanted| *wanted != state);
            let pace = match &entry.wanted {
                Some(wanted) if is_awaited(&state, wanted) && wanted.job == JobState::Running => {
                    now + BRIEF
                }
                Some(wanted) if is_awaited(&state, wanted) => now,
                Some(_) | None => now + PACE,
            };
            entry.due = again.then(|| entry.due.map_or(pace, |due| due.min(pace)));
            (entry.written, entry.written_at) = (Some(state), Some(now));
        }
    }

    /// The states could not be written: they are due still.
    pub(crate) fn failed(&mut self, states: &[(UnitName, State)], now: Instant) {
        for (unit, _) in states {
            if let Some(entry) = self.entries.get_mut(unit) {
                entry.due = Some(now);
            }
        }
    }
}

impl Entry {
    fn paced(&self, busy: bool, now: Instant) -> Instant {
        if busy {
            return now + PACE;
        }
        self.written_at.map_or(now, |at| now.max(at + PACE))
    }
}

/// Whether somebody may be waiting for the difference: a new version acted on, a job's end, a
/// problem.
fn is_awaited(written: &State, wanted: &State) -> bool {
    (written.uid, written.observed, written.current)
        != (wanted.uid, wanted.observed, wanted.current)
        || written.problem != wanted.problem
        || (written.job != wanted.job && wanted.job != JobState::Running)
}

#[cfg(test)]
mod tests {
    use fleet_units::{TargetState, UnitFile};

    use super::*;

    fn name() -> UnitName {
        "web.service".parse().unwrap()
    }

    fn state(observed: u64, active: &str, job: JobState) -> State {
        State {
            uid: 1,
            observed,
            hash: UnitFile::parse("").unwrap().hash(),
            current: TargetState::Launched,
            load: "loaded".to_owned(),
            active: active.to_owned(),
            sub: "any".to_owned(),
            job,
            problem: None,
        }
    }

    /// A board on which `state(1, "active", Done)` was written at the given time.
    fn settled(now: Instant) -> Board {
        let mut board = Board::default();
        board.set(&name(), state(1, "active", JobState::Done), false, now);
        let due = board.take_due(now);
        board.written(due, now);
        board
    }

    #[tokio::test(start_paused = true)]
    async fn first_state_is_due_at_once_and_then_nothing_is() {
        let now = Instant::now();
        let mut board = Board::default();
        board.set(&name(), state(1, "active", JobState::Done), false, now);

        assert_eq!(board.take_due(now), [(name(), state(1, "active", JobState::Done))]);
        assert_eq!(settled(now).next_due(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn new_generation_and_end_of_a_job_are_due_at_once() {
        let now = Instant::now();
        let mut board = settled(now);
        board.set(&name(), state(2, "active", JobState::Done), false, now);
        assert_eq!(board.next_due(), Some(now));
        let due = board.take_due(now);
        board.written(due, now);
        board.set(&name(), state(3, "active", JobState::Running), true, now);

        board.set(&name(), state(3, "active", JobState::Done), false, now);

        assert_eq!(board.next_due(), Some(now));
    }

    #[tokio::test(start_paused = true)]
    async fn a_job_that_runs_is_told_only_if_it_does_not_end_soon() {
        let now = Instant::now();
        let mut board = Board::default();
        board.set(&name(), state(1, "activating", JobState::Running), true, now);

        assert_eq!((board.next_due(), board.count_due(now)), (Some(now + BRIEF), 0));
        let told = board.take_due(now + BRIEF);
        assert_eq!(told, [(name(), state(1, "activating", JobState::Running))]);

        board.set(&name(), state(2, "activating", JobState::Running), true, now + BRIEF);
        board.written(told, now + BRIEF);
        assert_eq!(board.next_due(), Some(now + 2 * BRIEF));
    }

    #[tokio::test(start_paused = true)]
    async fn other_changes_are_written_once_a_second_and_the_newest_wins() {
        let now = Instant::now();
        let mut board = settled(now);
        board.set(&name(), state(1, "failed", JobState::Done), false, now);
        board.set(&name(), state(1, "activating", JobState::Done), false, now);

        assert_eq!(board.next_due(), Some(now + PACE));
        assert_eq!(board.take_due(now + PACE), [(name(), state(1, "activating", JobState::Done))]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_that_is_taken_back_in_time_is_not_written() {
        let now = Instant::now();
        let mut board = settled(now);
        board.set(&name(), state(1, "failed", JobState::Done), false, now);
        board.set(&name(), state(1, "active", JobState::Done), false, now);

        assert_eq!(board.next_due(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_that_is_taken_back_while_it_is_written_is_written_again() {
        let now = Instant::now();
        let mut board = settled(now);
        board.set(&name(), state(1, "failed", JobState::Done), false, now);
        let due = board.take_due(now + PACE);
        board.set(&name(), state(1, "active", JobState::Done), false, now);

        board.written(due, now + PACE);

        assert_eq!(board.next_due(), Some(now + 2 * PACE));
    }

    #[tokio::test(start_paused = true)]
    async fn all_states_are_written_again_for_a_new_lease() {
        let now = Instant::now();
        let mut board = settled(now);

        assert_eq!(board.take_all(), [(name(), state(1, "active", JobState::Done))]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_could_not_be_written_is_due_still() {
        let now = Instant::now();
        let mut board = settled(now);
        board.set(&name(), state(2, "active", JobState::Done), false, now);
        let due = board.take_due(now);

        board.failed(&due, now);

        assert_eq!(board.take_due(now), [(name(), state(2, "active", JobState::Done))]);
    }
}
