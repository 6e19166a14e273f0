//! When to ask a server again.

use std::time::Duration;

/// The wait after the first attempt; it doubles.
const FIRST: Duration = Duration::from_millis(100);

/// The longest wait that a server did not ask for.
const LONGEST: Duration = Duration::from_secs(5);

/// Whether a server that has nothing, or does not answer, may do so later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// The host is known to be on this cloud, or was told of this server: wait for it.
    Wait,
    /// A guess: one answer decides.
    Once,
}

/// What a 404 says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Absent {
    /// The service is not up yet.
    MayCome,
    /// There is no such thing.
    Stays,
}

/// How an attempt went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The server answered.
    Answered,
    /// The server has nothing there.
    Absent,
    /// It may do better later, or asked for so long a wait.
    Transient(Option<Duration>),
    /// It will say the same again.
    Permanent,
}

/// How long to wait after the attempt of a number (from 0) before another one; `None` if that is
/// no use. `left` is the time until all must be done.
pub(super) fn wait(
    outcome: Outcome,
    attempt: u32,
    (patience, absent): (Patience, Absent),
    left: Duration,
) -> Option<Duration> {
    let usual = FIRST.saturating_mul(2_u32.saturating_pow(attempt)).min(LONGEST);
    let wait = match outcome {
        Outcome::Answered | Outcome::Permanent => None,
        Outcome::Absent => (absent == Absent::MayCome).then_some(usual),
        Outcome::Transient(asked) => Some(asked.unwrap_or(usual).max(usual)),
    };
    wait.filter(|wait| patience == Patience::Wait && *wait < left)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEFT: Duration = Duration::from_secs(60);

    #[test]
    fn waits_double_up_to_five_seconds() {
        let policy = (Patience::Wait, Absent::MayCome);
        let waits: Vec<u128> = (0..9)
            .filter_map(|attempt| wait(Outcome::Absent, attempt, policy, LEFT))
            .map(|wait| wait.as_millis())
            .collect();

        assert_eq!(waits, [100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000]);
        assert_eq!(
            wait(Outcome::Transient(None), u32::MAX, policy, LEFT),
            Some(Duration::from_secs(5))
        );
    }

    #[test]
    fn a_server_that_asks_for_a_wait_gets_it_if_there_is_time() {
        let policy = (Patience::Wait, Absent::Stays);
        let asked = |seconds| Outcome::Transient(Some(Duration::from_secs(seconds)));

        assert_eq!(wait(asked(7), 0, policy, LEFT), Some(Duration::from_secs(7)));
        assert_eq!(wait(asked(0), 0, policy, LEFT), Some(FIRST));
        assert_eq!(wait(asked(60), 0, policy, LEFT), None);
        assert_eq!(wait(asked(u64::MAX), 0, policy, LEFT), None);
    }

    #[test]
    fn what_will_not_change_is_not_asked_again() {
        let wait = |outcome, absent| wait(outcome, 0, (Patience::Wait, absent), LEFT);

        assert_eq!(wait(Outcome::Answered, Absent::MayCome), None);
        assert_eq!(wait(Outcome::Permanent, Absent::MayCome), None);
        assert_eq!(wait(Outcome::Absent, Absent::Stays), None);
    }

    #[test]
    fn a_guess_is_asked_once() {
        let policy = (Patience::Once, Absent::MayCome);

        assert_eq!(wait(Outcome::Absent, 0, policy, LEFT), None);
        assert_eq!(wait(Outcome::Transient(None), 0, policy, LEFT), None);
    }
}
