//! systemd's words for the state of a unit, as of version 257.

use crate::terminal::Tone;

/// Active states, load states, sub-states; the usual ones first.
pub(super) const STATES: &[&str] = &[
    "active",
    "failed",
    "inactive",
    "activating",
    "deactivating",
    "reloading",
    "running",
    "exited",
    "dead",
    "loaded",
    "not-found",
    "auto-restart",
    "abandoned",
    "activating-done",
    "auto-restart-queued",
    "bad-setting",
    "cleaning",
    "condition",
    "dead-before-auto-restart",
    "dead-resources-pinned",
    "deactivating-sigkill",
    "deactivating-sigterm",
    "deferred",
    "elapsed",
    "error",
    "failed-before-auto-restart",
    "final-sigkill",
    "final-sigterm",
    "final-watchdog",
    "listening",
    "maintenance",
    "masked",
    "merged",
    "mounted",
    "mounting",
    "mounting-done",
    "plugged",
    "refreshing",
    "refreshing-extensions",
    "reload",
    "reload-notify",
    "reload-signal",
    "remounting",
    "remounting-sigkill",
    "remounting-sigterm",
    "start",
    "start-chown",
    "start-open",
    "start-post",
    "start-pre",
    "stop",
    "stop-post",
    "stop-pre",
    "stop-pre-sigkill",
    "stop-pre-sigterm",
    "stop-sigkill",
    "stop-sigterm",
    "stop-watchdog",
    "stub",
    "tentative",
    "unmounting",
    "unmounting-sigkill",
    "unmounting-sigterm",
    "waiting",
];

/// How an active state is to strike the eye.
pub(super) fn active_tone(active: &str) -> Tone {
    match active {
        "failed" => Tone::Bad,
        "activating" | "deactivating" | "reloading" | "refreshing" | "maintenance" => Tone::Busy,
        "inactive" => Tone::Faint,
        _ => Tone::Plain,
    }
}

/// How a load state is to strike the eye.
pub(super) fn load_tone(load: &str) -> Tone {
    match load {
        "not-found" | "bad-setting" | "error" => Tone::Bad,
        _ => Tone::Plain,
    }
}
