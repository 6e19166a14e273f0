//! Files, links and removals.

use std::fs;
use std::io;
use std::path::Path;

use super::Target;
use super::program::{Failure, Programs};
use super::write::{self, Owned, remove_private, write_checked, write_private};
use crate::host::{Accounts, Root};
use crate::plan::{Action, Check, FileChange, Owner, Parents, unit_of};

pub(super) fn write_file(
    target: Target<'_>,
    programs: &Programs<'_>,
    file: &FileChange,
) -> Result<(), String> {
    let owner = owner(target.root, file.owner.as_ref())?;
    let folder_mode = if file.parents == Parents::Closed { 0o700 } else { 0o755 };
    let owned = Owned { mode: file.mode, owner, folder_mode };
    let written = match (&file.parents, file.check) {
        (Parents::Private(home), _) => {
            write_private(target.root, home, &file.path, &file.content, &owned)
        }
        (Parents::Open | Parents::Closed, None) => {
            write::write(target.root, &file.path, &file.content, &owned)
        }
        (Parents::Open | Parents::Closed, Some(Check::Sudoers)) => {
            let check = |path: &Path| check_sudoers(target, programs, path);
            write_checked(target.root, &file.path, &file.content, &owned, check)
        }
    };
    written.map_err(|error| error.to_string())
}

/// Numbers of a user and a group; users may have been made just now.
fn owner(root: &Root, owner: Option<&Owner>) -> Result<(Option<u32>, Option<u32>), String> {
    let Some(owner) = owner else { return Ok((None, None)) };
    let read = |path: &str| {
        let bytes = root.place(Path::new(path)).and_then(fs::read);
        bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    };
    let accounts = Accounts::read(&read("/etc/passwd"), &read("/etc/group"), "");
    let (uid, gid) = owner.numbers(&accounts)?;
    Ok((Some(uid), gid))
}

/// One bad line, and nobody is root any more.
fn check_sudoers(target: Target<'_>, programs: &Programs<'_>, path: &Path) -> io::Result<()> {
    let path = path.to_string_lossy();
    let words = ["-c", "-q", "-f", path.as_ref()];
    match programs.attempt("visudo", &words, None, target.limits.program) {
        // Without visudo there is no sudo that could be broken.
        Err(Failure::Start { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(()),
        checked => checked.map(drop).map_err(io::Error::other),
    }
}

pub(super) fn link(root: &Root, path: &Path, target: &Path) -> Result<(), String> {
    write::link(root, path, target).map_err(|error| error.to_string())
}

/// Removes a file, and the folder of drop-ins that it leaves empty.
pub(super) fn remove(root: &Root, path: &Path) -> Result<(), String> {
    let removed = root.place(path).and_then(|place| {
        match fs::remove_file(&place) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let is_systemds = ["/etc/systemd", "/run/systemd"].iter().any(|top| path.starts_with(top));
        let is_of_drop_ins =
            |folder: &&Path| is_systemds && folder.extension().is_some_and(|suffix| suffix == "d");
        let folder = place.parent().filter(is_of_drop_ins);
        match folder.map(fs::remove_dir) {
            Some(Err(error))
                if !matches!(
                    error.kind(),
                    io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::NotFound
                ) =>
            {
                Err(error)
            }
            _ => Ok(()),
        }
    });
    removed.map_err(|error| error.to_string())
}

/// Removes a set of keys.
pub(super) fn remove_keys(root: &Root, home: &Path, path: &Path) -> Result<(), String> {
    match remove_private(root, home, path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.to_string()),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// The unit that a change is about.
pub(super) fn unit(action: &Action) -> Option<String> {
    match action {
        Action::File(file) => unit_of(&file.path),
        Action::Link { path, .. } | Action::Remove(path) => unit_of(path),
        _ => None,
    }
}
