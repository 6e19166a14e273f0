//! What is remembered: for good below /var/lib/cloud-config, for this boot below /run/cloud-config.

mod manifest;
mod outcome;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub use manifest::{Digest, Manifest};
pub use outcome::{Done, Outcome, Stage, Summary};

use crate::apply::write::{Owned, write};
use crate::host::Root;

/// What earlier documents did; readable for root alone.
pub const MEMORY: &str = "/var/lib/cloud-config/state.json";
/// Scripts and what they printed; readable for root alone.
pub const SCRIPTS: &str = "/var/lib/cloud-config/scripts";
/// Units for the cluster.
pub const CLUSTER: &str = "/var/lib/cloud-config/cluster";
/// What was asked of units in this boot.
pub const ASKED: &str = "/run/cloud-config/asked.json";
/// How the last run went.
pub const RESULT: &str = "/run/cloud-config/result.json";
/// Held while something is applied.
pub const LOCK: &str = "/run/cloud-config/lock";

/// What outlives a boot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// The instance that scripts ran for.
    pub instance_id: Option<String>,
    /// Whether that is the machine-id, which a copy of the disk has not.
    pub is_machine_id: bool,
    /// Scripts that began, and how they ended.
    pub ran: BTreeMap<String, Ran>,
    /// What on the host is there because of a document.
    pub manifest: Manifest,
}

/// How a script ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ran {
    /// It did not end yet, or the host went down meanwhile.
    Begun,
    /// It did what it was to do.
    Done,
    /// Why it did not.
    Failed(String),
}

/// Reads what outlives a boot; nothing if there is nothing.
///
/// # Errors
///
/// When it is there and cannot be read.
pub fn read_memory(root: &Root) -> io::Result<Memory> {
    read(root, MEMORY).map(Option::unwrap_or_default)
}

/// Reads what was asked of units in this boot.
///
/// # Errors
///
/// When it is there and cannot be read.
pub fn read_asked(root: &Root) -> io::Result<BTreeSet<String>> {
    read(root, ASKED).map(Option::unwrap_or_default)
}

/// Reads how the last run of this boot went.
///
/// # Errors
///
/// When it is there and cannot be read.
pub fn read_summary(root: &Root) -> io::Result<Option<Summary>> {
    read(root, RESULT)
}

/// Writes one of the files of this module, unless it says so already.
///
/// # Errors
///
/// When the directory does not take it.
pub fn save<T: Serialize>(root: &Root, path: &str, value: &T) -> io::Result<()> {
    let mut text = serde_json::to_vec_pretty(value)?;
    text.push(b'\n');
    let path = Path::new(path);
    let is_public = path.starts_with("/run");
    let (mode, folder) = if is_public { (0o644, 0o755) } else { (0o600, 0o700) };
    if std::fs::read(root.place(path)?).is_ok_and(|known| known == text) {
        return Ok(());
    }
    write(root, path, &text, &Owned { mode, folder_mode: folder, ..Owned::default() })
}

fn read<T: DeserializeOwned>(root: &Root, path: &str) -> io::Result<Option<T>> {
    match std::fs::read(root.place(Path::new(path))?) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
