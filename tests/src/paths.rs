//! Where the testbed keeps what it makes: one directory, removed with the last cluster.

use std::path::PathBuf;

/// Everything is below; it must lie on a file system that an overlay can write to.
pub(crate) const BASE: &str = "/var/lib/fleet-testbed";

/// Held by whoever makes or removes things; it stays, as another may wait for it.
pub(crate) const LOCK: &str = "/run/lock/fleet-testbed";

/// The layer that all hosts share.
pub(crate) fn layer() -> PathBuf {
    PathBuf::from(BASE).join("layer")
}

/// The images that all registries serve.
pub(crate) fn images() -> PathBuf {
    PathBuf::from(BASE).join("images")
}

/// One directory per cluster.
pub(crate) fn clusters() -> PathBuf {
    PathBuf::from(BASE).join("clusters")
}
