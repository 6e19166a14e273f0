//! Documents from files.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use cloud_config::document::MAX_BYTES;

/// A document cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {path}: {source}", path = path.display())]
pub(super) struct InputError {
    path: PathBuf,
    source: io::Error,
}

/// Reads a file, or the standard input for `-`; not much more than a document can have.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, InputError> {
    let most = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        io::stdin().take(most).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes))
    };
    read.map_err(|source| InputError { path: path.to_owned(), source })?;
    Ok(bytes)
}
