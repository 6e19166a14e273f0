//! Reads what a host has.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::keys::KeyFiles;
use super::{Accounts, FileState, Host, Regular, Root, UnitFileOnHost, has_install};
use crate::plan::{Input, Scope, authorized_keys, wanted};
use crate::state;

/// Where systemd looks for unit files, the first one counts.
const UNIT_FOLDERS: [&str; 5] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// Something on the host cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {path}: {source}", path = path.display())]
pub struct GatherError {
    /// What it is.
    pub path: PathBuf,
    /// Why.
    pub source: io::Error,
}

/// Reads what a host has of what a plan for the input will look at.
///
/// What only root may read counts as not there for others, with a warning: a plan may be made without
/// it. For the floor all but the users counts as not there that cannot be read.
///
/// # Errors
///
/// When a file is there and cannot be read.
pub fn gather(root: &Root, input: &Input<'_>) -> Result<Host, GatherError> {
    let reader = Reader::new(root, input.scope);
    let text = |path: &str| reader.text(Path::new(path));
    let memory = reader.take(Path::new(state::MEMORY), state::read_memory(root))?;
    let accounts = Accounts::read(
        &reader.users("/etc/passwd")?,
        &reader.users("/etc/group")?,
        &text("/etc/shadow")?.unwrap_or_default(),
    );
    let running_hostname =
        if root.is_this_host() { text("/proc/sys/kernel/hostname")? } else { None };
    let trimmed = |text: Option<String>| {
        text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    };
    let wanted = wanted::of(input, &accounts, &memory);
    let mut files = BTreeMap::new();
    for path in &wanted.files {
        files.extend(reader.state(path)?.map(|state| (path.clone(), state)));
    }
    let mut key_sets = BTreeMap::new();
    for (user, home) in &wanted.homes {
        let owner = accounts.users.get(user).map(|account| account.uid);
        let keys = KeyFiles::read(root, home, owner);
        // Whatever else speaks of it must not follow links to it.
        files.remove(&authorized_keys(home));
        files.extend(keys.file.map(|file| (authorized_keys(home), FileState::Regular(file))));
        key_sets.insert(user.clone(), keys.sets);
        reader.warnings.borrow_mut().extend(keys.warnings);
    }
    let mut units = BTreeMap::new();
    for unit in &wanted.units {
        units.extend(reader.unit(unit)?.map(|file| (unit.clone(), file)));
    }
    Ok(Host {
        writer: (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw()),
        hostname: trimmed(text("/etc/hostname")?),
        running_hostname: trimmed(running_hostname),
        accounts,
        files,
        key_sets,
        units,
        enabled: reader.enabled(&wanted.units)?,
        memory,
        asked: reader.take(Path::new(state::ASKED), state::read_asked(root))?,
        machine_id: trimmed(text("/etc/machine-id")?),
        warnings: reader.warnings(),
    })
}

/// What is not there is no error.
fn there<T>(read: io::Result<T>) -> io::Result<Option<T>> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

struct Reader<'a> {
    root: &'a Root,
    scope: Scope,
    is_root: bool,
    /// Whether something is for root alone to read.
    is_denied: Cell<bool>,
    warnings: RefCell<Vec<String>>,
}

impl<'a> Reader<'a> {
    fn new(root: &'a Root, scope: Scope) -> Self {
        let is_root = rustix::process::geteuid().is_root();
        Self { root, scope, is_root, is_denied: Cell::default(), warnings: RefCell::default() }
    }

    fn warnings(self) -> Vec<String> {
        let mut warnings = self.warnings.into_inner();
        if self.is_denied.get() {
            let text = "some files are for root alone to read: run as root to compare them, too";
            warnings.push(text.to_owned());
        }
        warnings
    }

    /// What was read, nothing if it may be passed over that it cannot be read.
    fn take<T: Default>(&self, path: &Path, read: io::Result<T>) -> Result<T, GatherError> {
        match read {
            Ok(value) => Ok(value),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied && !self.is_root => {
                self.is_denied.set(true);
                Ok(T::default())
            }
            Err(error) if self.scope == Scope::Floor => {
                let text = format!("cannot read {}: {error}: it is passed over", path.display());
                self.warnings.borrow_mut().push(text);
                Ok(T::default())
            }
            Err(source) => Err(GatherError { path: path.to_owned(), source }),
        }
    }

    fn text(&self, path: &Path) -> Result<Option<String>, GatherError> {
        let bytes = self.root.place(path).and_then(|place| there(fs::read(place)));
        Ok(self.take(path, bytes)?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Without them nothing is known of the host.
    fn users(&self, path: &str) -> Result<String, GatherError> {
        let bytes = self.root.place(Path::new(path)).and_then(|place| there(fs::read(place)));
        let bytes = bytes.map_err(|source| GatherError { path: path.into(), source })?;
        Ok(String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned())
    }

    fn state(&self, path: &Path) -> Result<Option<FileState>, GatherError> {
        self.take(path, self.read_state(path))
    }

    fn read_state(&self, path: &Path) -> io::Result<Option<FileState>> {
        let place = self.root.place(path)?;
        let Some(metadata) = there(place.symlink_metadata())? else { return Ok(None) };
        Ok(Some(if metadata.is_symlink() {
            FileState::Link(place.read_link()?)
        } else if metadata.is_file() {
            FileState::Regular(Regular {
                content: fs::read(&place)?,
                mode: metadata.permissions().mode() & 0o7777,
                owner: (metadata.uid(), metadata.gid()),
            })
        } else {
            FileState::Other
        }))
    }

    /// The names in a folder.
    fn names(&self, folder: &Path) -> Result<Vec<String>, GatherError> {
        let names = |place: PathBuf| -> io::Result<Vec<String>> {
            let Some(entries) = there(fs::read_dir(place))? else { return Ok(Vec::new()) };
            let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
            names.collect()
        };
        self.take(folder, self.root.folder(folder).and_then(names))
    }

    fn unit(&self, unit: &str) -> Result<Option<UnitFileOnHost>, GatherError> {
        for name in [unit.to_owned(), template(unit).unwrap_or_default()] {
            for folder in UNIT_FOLDERS {
                let path = Path::new(folder).join(&name);
                let state = if name.is_empty() { None } else { self.state(&path)? };
                let has_install = match state {
                    Some(FileState::Regular(file)) => {
                        has_install(&String::from_utf8_lossy(&file.content))
                    }
                    // A unit by another name, or a masked one.
                    Some(FileState::Link(target)) if target != Path::new("/dev/null") => true,
                    _ => continue,
                };
                return Ok(Some(UnitFileOnHost { path, has_install }));
            }
        }
        Ok(None)
    }

    /// The units of these that something wants, requires or calls by another name.
    fn enabled(&self, units: &BTreeSet<String>) -> Result<BTreeSet<String>, GatherError> {
        let mut enabled = BTreeSet::new();
        for folder in UNIT_FOLDERS.iter().take(2).map(Path::new) {
            for name in self.names(folder)? {
                let path = folder.join(&name);
                let is_wanting =
                    [".wants", ".requires", ".upholds"].iter().any(|suffix| name.ends_with(suffix));
                if is_wanting {
                    // A template is enabled as its default instance.
                    let names = self.names(&path)?.into_iter();
                    let names = names.flat_map(|name| [template(&name), Some(name)]).flatten();
                    enabled.extend(names.filter(|name| units.contains(name)));
                } else if let Some(FileState::Link(target)) = self.state(&path)? {
                    let target = target.file_name().map(|name| name.to_string_lossy().into_owned());
                    let other = target.filter(|target| *target != name && units.contains(target));
                    enabled.extend(other);
                }
            }
        }
        Ok(enabled)
    }
}

/// The template of an instance.
fn template(unit: &str) -> Option<String> {
    let (stem, rest) = unit.split_once('@')?;
    let (_, suffix) = rest.rsplit_once('.')?;
    Some(format!("{stem}@.{suffix}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_root_may_read_is_passed_over_with_one_warning() {
        let root = Root::new(Path::new("/"));
        let denied =
            || -> io::Result<Option<String>> { Err(io::ErrorKind::PermissionDenied.into()) };
        let mut reader = Reader::new(&root, Scope::Whole);

        reader.is_root = false;
        for path in ["/etc/shadow", "/etc/gshadow"] {
            assert_eq!(reader.take(Path::new(path), denied()).unwrap(), None);
        }
        let text = "some files are for root alone to read: run as root to compare them, too";
        assert_eq!(reader.warnings(), [text]);

        let mut reader = Reader::new(&root, Scope::Whole);
        reader.is_root = true;
        let refused = reader.take(Path::new("/etc/shadow"), denied()).unwrap_err();
        assert!(refused.to_string().starts_with("cannot read /etc/shadow: "));
    }
}
