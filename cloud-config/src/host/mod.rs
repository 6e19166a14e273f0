//! What is on a host: all that a plan needs to know of it, gathered before anything is decided.

mod accounts;
pub(crate) mod folder;
mod gather;
mod keys;
mod root;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

pub use accounts::{Account, Accounts, Group};
pub use gather::{GatherError, gather};
pub use root::Root;

use crate::state::Memory;

/// What a host has of what a document speaks of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Host {
    /// User and group of this program, to whom new files belong.
    pub writer: (u32, u32),
    /// What /etc/hostname says.
    pub hostname: Option<String>,
    /// What the kernel says, if it is asked: it is not for a directory that no system runs from.
    pub running_hostname: Option<String>,
    /// Users and groups.
    pub accounts: Accounts,
    /// What is at the paths that matter; a path without anything is not in here.
    pub files: BTreeMap<PathBuf, FileState>,
    /// Keys for ssh by user and set.
    pub key_sets: BTreeMap<String, BTreeMap<String, String>>,
    /// Unit files by their name, wherever they are.
    pub units: BTreeMap<String, UnitFileOnHost>,
    /// Units that are enabled.
    pub enabled: BTreeSet<String>,
    /// What was done at earlier boots.
    pub memory: Memory,
    /// What was asked of units in this boot, such as `start es.service`.
    pub asked: BTreeSet<String>,
    /// What /etc/machine-id says.
    pub machine_id: Option<String>,
    /// What could not be read, and counts as not there.
    pub warnings: Vec<String>,
}

impl Host {
    /// The content of a regular file.
    #[must_use]
    pub fn content(&self, path: &Path) -> Option<&[u8]> {
        match self.files.get(path)? {
            FileState::Regular(file) => Some(&file.content),
            FileState::Link(_) | FileState::Other => None,
        }
    }

    /// Whether a path is a link to a target.
    #[must_use]
    pub fn is_link(&self, path: &Path, target: &Path) -> bool {
        matches!(self.files.get(path), Some(FileState::Link(known)) if known == target)
    }

    /// Whether a unit file is masked there.
    #[must_use]
    pub fn is_masked(&self, path: &Path) -> bool {
        self.is_link(path, Path::new("/dev/null"))
    }
}

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileState {
    /// A file.
    Regular(Regular),
    /// A symbolic link, and what it says.
    Link(PathBuf),
    /// A directory or something else.
    Other,
}

/// A file.
#[derive(Clone, PartialEq, Eq)]
pub struct Regular {
    /// What it holds; may be secret.
    pub content: Vec<u8>,
    /// Mode bits, special ones included.
    pub mode: u32,
    /// User and group.
    pub owner: (u32, u32),
}

impl fmt::Debug for Regular {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // No content may reach a log.
        formatter
            .debug_struct("Regular")
            .field("size", &self.content.len())
            .field("mode", &format_args!("{:04o}", self.mode))
            .field("owner", &self.owner)
            .finish()
    }
}

/// A unit file that is on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitFileOnHost {
    /// Where it is.
    pub path: PathBuf,
    /// Whether it says what enabling it means.
    pub has_install: bool,
}

/// Whether the text of a unit file says what enabling it means.
#[must_use]
pub fn has_install(text: &str) -> bool {
    fleet_units::UnitFile::parse(text).is_ok_and(|file| {
        let keys = ["WantedBy", "RequiredBy", "UpheldBy", "Alias", "Also"];
        keys.iter().any(|key| file.values("Install", key).next().is_some())
    })
}
