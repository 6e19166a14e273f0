//! Files of limited size, which may not be there.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::path::Path;

use super::{MAX_BYTES, SourceError};

/// What is in a file; `None` if there is none.
pub(super) fn bytes(path: &Path) -> Result<Option<Vec<u8>>, SourceError> {
    match read(path) {
        Ok(bytes) if bytes.len() > MAX_BYTES => Err(SourceError::form(
            &path.display(),
            format!("is larger than {} MB", MAX_BYTES / 1_000_000),
        )),
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(source) => Err(SourceError::File { path: path.to_owned(), source }),
    }
}

/// The text in a file; `None` if there is none.
pub(super) fn text(path: &Path) -> Result<Option<String>, SourceError> {
    let Some(bytes) = bytes(path)? else { return Ok(None) };
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some(text)),
        Err(_) => Err(SourceError::form(&path.display(), "is not UTF-8")),
    }
}

/// The text in a file that only gives hints: what cannot be read says nothing.
pub(super) fn hint(path: &Path) -> String {
    let bytes = bytes(path).ok().flatten().unwrap_or_default();
    String::from_utf8_lossy(&bytes).trim().to_owned()
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let limit = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}
