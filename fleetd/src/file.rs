//! Files that are seen whole or not at all.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// What a crash of the machine may do to a written file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// The file may go: it stands on a file system that does not survive either (`/run`).
    Volatile,
    /// The file stays as written.
    Durable,
}

/// A file could not be read, written or removed.
#[derive(Debug, thiserror::Error)]
#[error("failed to {action} `{path}`", path = path.display())]
pub struct FileError {
    /// What was tried.
    pub action: &'static str,
    /// The file.
    pub path: PathBuf,
    /// The reason.
    pub source: io::Error,
}

impl FileError {
    pub(crate) fn of(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self { action, path, source }
    }
}

/// Writes a file through a hidden one beside it, so that readers find the old contents or the new
/// ones. One writer at a time per file.
///
/// # Errors
///
/// When the directory does not take the file; the old contents stay.
pub fn write_atomic(
    path: &Path,
    contents: &[u8],
    mode: u32,
    durability: Durability,
) -> Result<(), FileError> {
    replace(path, contents, mode, durability).map_err(FileError::of("write", path))
}

fn replace(path: &Path, contents: &[u8], mode: u32, durability: Durability) -> io::Result<()> {
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidFilename.into());
    };
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(".new");
    let hidden = directory.join(hidden);

    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&hidden)?;
    // The process's umask must not decide who reads the file.
    file.set_permissions(Permissions::from_mode(mode))?;
    file.write_all(contents)?;
    if durability == Durability::Durable {
        file.sync_all()?;
    }
    fs::rename(&hidden, path)?;
    if durability == Durability::Durable {
        File::open(directory)?.sync_all()?;
    }
    Ok(())
}

/// Removes a file; one that is not there is removed already.
///
/// # Errors
///
/// When it stays.
pub fn remove(path: &Path) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(FileError::of("remove", path)(error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_file_has_its_contents_and_mode_and_nothing_beside_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        for (contents, mode, durability) in
            [("old and longer", 0o600, Durability::Volatile), ("new", 0o664, Durability::Durable)]
        {
            write_atomic(&path, contents.as_bytes(), mode, durability).unwrap();

            assert_eq!(fs::read_to_string(&path).unwrap(), contents);
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, mode);
        }
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_cannot_be_written_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("none/a");

        let error = write_atomic(&path, b"", 0o644, Durability::Volatile).unwrap_err();

        assert_eq!(error.to_string(), format!("failed to write `{}`", path.display()));
    }

    #[test]
    fn removing_twice_is_no_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        fs::write(&path, "").unwrap();

        remove(&path).unwrap();
        remove(&path).unwrap();

        assert!(!path.exists());
    }
}
