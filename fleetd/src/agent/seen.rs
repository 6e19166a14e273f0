//! Which store this machine last followed, and how far: `/run/fleet/seen`. A store of another
//! identity, or one that went back in time, was rebuilt or restored from a backup; what it asks
//! for may be long out of date, so nothing is stopped or started on its word.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::file::{self, Durability, FileError};
use crate::store::{ClusterId, Revision};

/// The store as it was last seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seen {
    cluster: u64,
    revision: i64,
}

impl Seen {
    /// What a list says of its store.
    pub(crate) const fn new(cluster: ClusterId, revision: Revision) -> Self {
        Self { cluster: cluster.0, revision: revision.0 }
    }

    /// The same store, later.
    pub(crate) fn at(self, revision: Revision) -> Self {
        Self { revision: self.revision.max(revision.0), ..self }
    }

    /// Why a store that shows itself like `now` must not be followed.
    pub(crate) fn objection(self, now: Self, file: &Path) -> Option<String> {
        let what = if now.cluster != self.cluster {
            format!("the store is another one (cluster {:x}, was {:x})", now.cluster, self.cluster)
        } else if now.revision < self.revision {
            format!("the store went back from revision {} to {}", self.revision, now.revision)
        } else {
            return None;
        };
        Some(format!(
            "{what}: units are left as they are; if that is right, remove {file} on this machine \
             and restart fleet",
            file = file.display()
        ))
    }
}

/// The file that remembers it.
#[derive(Clone, Debug)]
pub(crate) struct SeenFile(PathBuf);

impl SeenFile {
    /// The file in fleetd's runtime directory.
    pub(crate) fn new(state_directory: &Path) -> Self {
        Self(state_directory.join("seen"))
    }

    /// Its path, for messages.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Reads it; `None` on the first start of a boot.
    pub(crate) fn read(&self) -> Result<Option<Seen>, FileError> {
        let bytes = match std::fs::read(&self.0) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(FileError::of("read", &self.0)(error)),
        };
        match serde_json::from_slice(&bytes) {
            Ok(seen) => Ok(Some(seen)),
            Err(error) => Err(FileError::of("understand", &self.0)(error.into())),
        }
    }

    /// Writes it.
    pub(crate) fn write(&self, seen: Seen) -> Result<(), FileError> {
        let text = serde_json::to_string(&seen).expect("two numbers under text keys");
        file::write_atomic(&self.0, text.as_bytes(), 0o644, Durability::Volatile)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(cluster: u64, revision: i64) -> Seen {
        Seen::new(ClusterId(cluster), Revision(revision))
    }

    #[test]
    fn another_store_or_an_older_revision_is_objected_to() {
        let file = Path::new("/run/fleet/seen");
        let objections = [seen(1, 10), seen(1, 11), seen(1, 9), seen(2, 99)]
            .map(|now| seen(1, 10).objection(now, file));

        assert_eq!(
            objections,
            [
                None,
                None,
                Some(
                    "the store went back from revision 10 to 9: units are left as they are; if \
                     that is right, remove /run/fleet/seen on this machine and restart fleet"
                        .to_owned()
                ),
                Some(
                    "the store is another one (cluster 2, was 1): units are left as they are; if \
                     that is right, remove /run/fleet/seen on this machine and restart fleet"
                        .to_owned()
                ),
            ]
        );
    }
}
