//! How long something takes.

use std::time::Duration;
#[expect(
    clippy::disallowed_types,
    reason = "the testbed is synchronous and measures real machines: there is no time to pause"
)]
use std::time::Instant;

/// Does it and tells how long that took.
pub(crate) fn time<T>(action: impl FnOnce() -> T) -> (Duration, T) {
    #[expect(clippy::disallowed_types, reason = "see the import")]
    let start = Instant::now();
    let done = action();
    (start.elapsed(), done)
}
