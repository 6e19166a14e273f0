//! Applied records, `/run/fleet/applied/<name>`: what systemd has accepted from us in this boot.
//! They survive fleetd and die with the boot, so a restarted fleetd adopts its units and a
//! rebooted machine starts them again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fleet_units::{TargetState, UnitHash, UnitName};
use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::file::{self, Durability, FileError};
use crate::registry::document::Assignment;

/// What was done with a unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Applied {
    /// Create revision of the unit's record.
    pub(crate) uid: i64,
    /// Hash of the text that systemd was given.
    pub(crate) hash: UnitHash,
    /// Generation of the unit's record that was followed.
    pub(crate) generation: u64,
    /// Stop counter of the unit's record.
    pub(crate) stops: u64,
    /// Launched: systemd accepted the start. Loaded: the file is linked. Inactive: stopped on the
    /// way to something else.
    pub(crate) target: TargetState,
    /// Store revision on which the unit was placed here.
    pub(crate) placement: i64,
}

impl From<&Assignment> for Applied {
    /// The record of a unit that is where its assignment wants it.
    fn from(assignment: &Assignment) -> Self {
        Self {
            uid: assignment.uid,
            hash: assignment.hash,
            generation: assignment.generation,
            stops: assignment.stops,
            target: assignment.target.max(TargetState::Loaded),
            placement: assignment.placement,
        }
    }
}

/// The directory of records. It lies in memory (`/run`).
#[derive(Clone, Debug)]
pub(crate) struct Records(PathBuf);

impl Records {
    /// The records below fleetd's runtime directory.
    pub(crate) fn open(state_directory: &Path) -> Result<Self, FileError> {
        let path = state_directory.join("applied");
        std::fs::create_dir_all(&path).map_err(FileError::of("create", &path))?;
        Ok(Self(path))
    }

    /// Reads all records. Those that cannot be read are logged and count as absent: the unit's
    /// file alone keeps the unit ours.
    pub(crate) fn read(&self) -> Result<BTreeMap<UnitName, Applied>, FileError> {
        let mut records = BTreeMap::new();
        for entry in std::fs::read_dir(&self.0).map_err(FileError::of("list", &self.0))? {
            let name = entry.map_err(FileError::of("list", &self.0))?.file_name();
            let Some(unit) = name.to_str().and_then(|name| name.parse::<UnitName>().ok()) else {
                continue;
            };
            let path = self.0.join(unit.as_str());
            let bytes = std::fs::read(&path).map_err(FileError::of("read", &path))?;
            match serde_json::from_slice(&bytes) {
                Ok(record) => drop(records.insert(unit, record)),
                Err(error) => warn!(%unit, %error, "Applied record is unreadable"),
            }
        }
        Ok(records)
    }

    /// Writes a record.
    pub(crate) fn write(&self, unit: &UnitName, record: &Applied) -> Result<(), FileError> {
        let text =
            serde_json::to_string(record).expect("a record is a plain structure with text keys");
        let path = self.0.join(unit.as_str());
        file::write_atomic(&path, text.as_bytes(), 0o644, Durability::Volatile)
    }

    /// Removes a record; no error if there is none.
    pub(crate) fn remove(&self, unit: &UnitName) -> Result<(), FileError> {
        file::remove(&self.0.join(unit.as_str()))
    }
}
