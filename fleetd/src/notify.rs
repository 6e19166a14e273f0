//! Tells the service manager how fleetd is doing. Started by hand there is nobody to tell.

use sd_notify::NotifyState;
use tracing::debug;

/// fleetd serves its sockets and acts on its assignments.
pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// A line for `systemctl status fleet`.
pub fn status(status: &str) {
    tell(&[NotifyState::Status(status)]);
}

/// fleetd reads its settings again; to be followed by [`reloaded`].
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => debug!(%error, "Service manager was not told"),
    }
}

/// The settings that were read again count.
pub fn reloaded() {
    tell(&[NotifyState::Ready]);
}

/// fleetd has begun to stop.
pub fn stopping(status: &str) {
    tell(&[NotifyState::Stopping, NotifyState::Status(status)]);
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        debug!(%error, "Service manager was not told");
    }
}
