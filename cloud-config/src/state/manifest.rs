//! What on a host is there because of a document, so that it goes when the document says so no more.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sha1::Digest as _;

/// What on a host is there because of a document. Files of `write_files` are not in here: nobody
/// knows who else uses them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Manifest {
    /// Unit files, drop-ins and generated files, and what was written.
    pub files: BTreeMap<PathBuf, Digest>,
    /// Unit files that are masked.
    pub masks: BTreeSet<PathBuf>,
    /// Other names of units, and the unit files that they lead to.
    pub aliases: BTreeMap<PathBuf, PathBuf>,
    /// Sets of keys by user.
    pub keys: BTreeMap<String, BTreeSet<String>>,
    /// The user that was made because keys had to go somewhere.
    pub default_user: Option<String>,
    /// Whether /etc/hosts has an entry for the host.
    pub hosts: bool,
}

impl Manifest {
    /// What is of either.
    #[must_use]
    pub fn or(mut self, other: &Self) -> Self {
        for (path, digest) in &other.files {
            self.files.entry(path.clone()).or_insert_with(|| digest.clone());
        }
        for (path, target) in &other.aliases {
            self.aliases.entry(path.clone()).or_insert_with(|| target.clone());
        }
        self.masks.extend(other.masks.iter().cloned());
        for (user, sets) in &other.keys {
            self.keys.entry(user.clone()).or_default().extend(sets.iter().cloned());
        }
        self.default_user = self.default_user.or_else(|| other.default_user.clone());
        self.hosts |= other.hosts;
        self
    }
}

/// SHA-1 of a content, to know whether somebody else changed it since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest(String);

impl Digest {
    /// Of a content.
    #[must_use]
    pub fn of(content: &[u8]) -> Self {
        let bytes = sha1::Sha1::digest(content);
        Self(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}
