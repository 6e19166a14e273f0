//! The members that an earlier fleetd learnt: one that is started while the etcd of its host is down
//! has nobody to ask. The file dies with the boot, as what tells that the store is the same one does.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::file::{self, Durability, FileError};
use crate::log::chain;

/// The contents of the file.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    /// Whom these are members with; with other endpoints configured they mean nothing.
    configured: Vec<String>,
    endpoints: Vec<String>,
}

/// Where it is kept what was learnt.
#[derive(Clone, Debug)]
pub(super) struct Memory(PathBuf);

impl Memory {
    pub(super) const fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// The endpoints that were used beside the configured ones.
    pub(super) fn recall(&self, configured: &[String]) -> Vec<String> {
        match read(&self.0) {
            Ok(Some(record)) if record.configured == configured => record.endpoints,
            Ok(_) => Vec::new(),
            Err(error) => {
                warn!(error = %chain(&error), "Members of etcd are not remembered");
                Vec::new()
            }
        }
    }

    pub(super) fn keep(&self, configured: &[String], endpoints: &[String]) {
        let record = Record { configured: configured.to_vec(), endpoints: endpoints.to_vec() };
        if let Err(error) = write(&self.0, &record) {
            warn!(error = %chain(&error), "Members of etcd will not be remembered");
        }
    }
}

fn read(path: &Path) -> Result<Option<Record>, FileError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(FileError::of("read", path)(error)),
    };
    let record = serde_json::from_slice(&bytes);
    record.map(Some).map_err(|error| FileError::of("understand", path)(error.into()))
}

fn write(path: &Path, record: &Record) -> Result<(), FileError> {
    let text = serde_json::to_vec(record);
    let text = text.map_err(|error| FileError::of("write", path)(error.into()))?;
    file::write_atomic(path, &text, 0o644, Durability::Volatile)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(urls: &[&str]) -> Vec<String> {
        urls.iter().map(|url| (*url).to_owned()).collect()
    }

    #[test]
    fn what_is_kept_counts_as_long_as_the_same_endpoints_are_configured() {
        let directory = tempfile::tempdir().unwrap();
        let memory = Memory::new(directory.path().join("members"));
        let configured = urls(&["http://127.0.0.1:2379"]);
        let endpoints = urls(&["http://127.0.0.1:2379", "http://10.0.0.2:2379"]);
        assert_eq!(memory.recall(&configured), urls(&[]));

        memory.keep(&configured, &endpoints);

        assert_eq!(memory.recall(&configured), endpoints);
        assert_eq!(memory.recall(&urls(&["http://10.0.0.9:2379"])), urls(&[]));
    }

    #[test]
    fn a_file_that_nobody_can_read_is_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("members");
        std::fs::write(&path, "{\"configured\": 1").unwrap();

        assert_eq!(Memory::new(path).recall(&[]), urls(&[]));
    }
}
