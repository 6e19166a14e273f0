//! Files of the testbed, with errors that name the path.

use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::{fs, io::ErrorKind};

/// An operation on a file that failed.
#[derive(Debug, thiserror::Error)]
#[error("failed to {operation} `{path}`", path = path.display())]
pub struct FileError {
    operation: &'static str,
    path: PathBuf,
    source: io::Error,
}

/// Adds the path to an error of the standard library.
pub(crate) fn at(
    operation: &'static str,
    path: &Path,
) -> impl FnOnce(io::Error) -> FileError + use<> {
    let path = path.to_owned();
    move |source| FileError { operation, path, source }
}

/// Makes a directory with its parents.
pub(crate) fn make_dir(path: &Path) -> Result<(), FileError> {
    fs::create_dir_all(path).map_err(at("make directory", path))
}

/// Writes a file and the directories above it.
pub(crate) fn write(path: &Path, contents: impl AsRef<[u8]>) -> Result<(), FileError> {
    if let Some(parent) = path.parent() {
        make_dir(parent)?;
    }
    fs::write(path, contents).map_err(at("write", path))
}

/// Makes a symbolic link and the directories above it; an existing link is replaced.
pub(crate) fn link(target: &str, path: &Path) -> Result<(), FileError> {
    if let Some(parent) = path.parent() {
        make_dir(parent)?;
    }
    remove(path)?;
    symlink(target, path).map_err(at("link", path))
}

/// Reads a text file; `None` if there is none.
pub(crate) fn read(path: &Path) -> Result<Option<String>, FileError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(at("read", path)(error)),
    }
}

/// Sets the permission bits.
pub(crate) fn set_mode(path: &Path, mode: u32) -> Result<(), FileError> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(at("change mode of", path))
}

/// Removes a file; that there is none is fine.
pub(crate) fn remove(path: &Path) -> Result<(), FileError> {
    absent_is_fine(fs::remove_file(path)).map_err(at("remove", path))
}

/// Removes a tree; that there is none is fine.
pub(crate) fn remove_tree(path: &Path) -> Result<(), FileError> {
    absent_is_fine(fs::remove_dir_all(path)).map_err(at("remove", path))
}

/// Names of the entries of a directory, sorted; empty if there is no such directory.
pub(crate) fn entries(path: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(path) else { return Vec::new() };
    let mut names: Vec<_> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
