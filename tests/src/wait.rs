//! The one way to wait: ask again until it is so or the time is up.

use std::fmt::Display;
#[expect(
    clippy::disallowed_types,
    reason = "the testbed is synchronous and waits for real machines: there is no time to pause"
)]
use std::time::Instant;

use std::time::Duration;

/// How long to wait between two questions: short beside a boot, long beside a system call.
const PAUSE: Duration = Duration::from_millis(50);

/// Long enough for whatever ought to happen, on a machine that is busy with other things.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What was waited for did not come true.
#[derive(Debug, thiserror::Error)]
#[error("waited {} s for {what}; last seen: {last}", limit.as_secs())]
pub struct TimedOut {
    what: String,
    limit: Duration,
    last: String,
}

/// Asks `probe` until it answers `Ok`; its error is what was seen instead.
///
/// # Errors
///
/// `limit` passed; the error tells the last answer.
pub fn attempt<T, E: Display>(
    limit: Duration,
    what: impl Display,
    mut probe: impl FnMut() -> Result<T, E>,
) -> Result<T, TimedOut> {
    #[expect(clippy::disallowed_types, reason = "see the import")]
    let start = Instant::now();
    loop {
        match probe() {
            Ok(found) => return Ok(found),
            Err(seen) if start.elapsed() >= limit => {
                return Err(TimedOut { what: what.to_string(), limit, last: seen.to_string() });
            }
            Err(_) => pause(),
        }
    }
}

/// As [`attempt`], for tests: time that is up is a failure of the test.
///
/// # Panics
///
/// `limit` passed; the message tells the last answer.
#[track_caller]
pub fn until<T, E: Display>(
    limit: Duration,
    what: impl Display,
    probe: impl FnMut() -> Result<T, E>,
) -> T {
    match attempt(limit, what, probe) {
        Ok(found) => found,
        Err(timed_out) => panic!("{timed_out}"),
    }
}

/// Asks again and again for the whole of `period`; a claim that has to hold all the time makes
/// `check` panic when it does not.
pub fn throughout(period: Duration, mut check: impl FnMut()) {
    #[expect(clippy::disallowed_types, reason = "see the import")]
    let start = Instant::now();
    while start.elapsed() < period {
        check();
        pause();
    }
}

#[expect(clippy::disallowed_methods, reason = "no runtime to block: the testbed is synchronous")]
pub(crate) fn pause() {
    std::thread::sleep(PAUSE);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_good_answer_ends_the_wait() {
        let mut asked = 0;

        let found = attempt(Duration::from_secs(60), "three", || {
            asked += 1;
            if asked == 3 { Ok(asked) } else { Err(asked) }
        });

        assert_eq!(found.unwrap(), 3);
    }

    #[test]
    fn time_that_is_up_tells_what_was_seen_last() {
        let timed_out = attempt::<(), _>(Duration::ZERO, "host 1", || Err("starting"));

        assert_eq!(
            timed_out.unwrap_err().to_string(),
            "waited 0 s for host 1; last seen: starting"
        );
    }
}
