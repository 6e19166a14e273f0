//! How long to wait before trying again: a pure schedule, and the chance that it takes as argument.

use std::time::Duration;

use uuid::Uuid;

/// A wait that doubles with each attempt, between two bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// Wait before the first repetition.
    pub min: Duration,
    /// No wait is longer.
    pub max: Duration,
}

impl Backoff {
    /// Wait after a failure; `attempt` counts the failures in a row, the first being 0.
    ///
    /// `jitter` (0 to 1) takes away up to half of it, so that those who failed together do not
    /// return together.
    #[must_use]
    pub fn delay(&self, attempt: u32, jitter: f64) -> Duration {
        let factor = 1_u32.checked_shl(attempt).unwrap_or(u32::MAX);
        let full = self.min.saturating_mul(factor).min(self.max);
        full.mul_f64(1.0 - 0.5 * jitter.clamp(0.0, 1.0))
    }
}

/// A jitter for [`Backoff::delay`], from 0 to 1.
#[must_use]
pub fn random_jitter() -> f64 {
    let (random, ..) = Uuid::new_v4().as_fields();
    f64::from(random) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff =
        Backoff { min: Duration::from_millis(50), max: Duration::from_millis(300) };

    #[test]
    fn delay_doubles_up_to_the_maximum() {
        let delays: Vec<_> =
            [0, 1, 2, 3, 31, 32, u32::MAX].map(|attempt| BACKOFF.delay(attempt, 0.0)).into();

        assert_eq!(delays, [50, 100, 200, 300, 300, 300, 300].map(Duration::from_millis));
    }

    #[test]
    fn jitter_takes_away_up_to_half() {
        let delays: Vec<_> = [0.0, 0.5, 1.0, 7.0].map(|jitter| BACKOFF.delay(1, jitter)).into();

        assert_eq!(delays, [100, 75, 50, 50].map(Duration::from_millis));
    }
}
