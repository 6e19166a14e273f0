//! Time, as an argument: whoever waits is tested without waiting.

#![expect(clippy::disallowed_types, reason = "there is no tokio here: tests take another clock")]

use std::fmt;
use std::time::Duration;

/// Tells the time, and waits.
pub trait Clock: fmt::Debug {
    /// Time since some fixed moment; it never goes back.
    fn now(&self) -> Duration;

    /// Waits.
    fn sleep(&self, duration: Duration);
}

/// The clock of this host.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock(std::time::Instant);

impl SystemClock {
    /// A clock that starts now.
    #[must_use]
    pub fn start() -> Self {
        Self(std::time::Instant::now())
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    #[expect(clippy::disallowed_methods, reason = "there is no runtime to block")]
    fn sleep(&self, duration: Duration) {
        std::thread::sleep(duration);
    }
}

/// A clock for tests: it goes on only while somebody sleeps.
#[cfg(test)]
#[derive(Debug, Default)]
pub(crate) struct TestClock(std::cell::RefCell<Vec<Duration>>);

#[cfg(test)]
impl TestClock {
    /// How long each sleep was.
    pub(crate) fn slept(&self) -> Vec<Duration> {
        self.0.borrow().clone()
    }
}

#[cfg(test)]
impl Clock for TestClock {
    fn now(&self) -> Duration {
        self.0.borrow().iter().sum()
    }

    fn sleep(&self, duration: Duration) {
        self.0.borrow_mut().push(duration);
    }
}
