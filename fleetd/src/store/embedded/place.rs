//! Where a database is, and how another one takes its place.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use redb::backends::{FileBackend, InMemoryBackend};
use redb::{Builder, Database};

use super::verified::Verified;

/// Everything is in memory as well, so that redb need not keep much.
const CACHE_BYTES: usize = 1024 * 1024;

/// Where a database is.
#[derive(Clone, Debug)]
pub(super) enum Place {
    File(PathBuf),
    Memory,
    /// A disk that fails and loses what was not synced.
    #[cfg(test)]
    Simulated(super::simulated::Machine),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Memory => f.write_str("in memory"),
            #[cfg(test)]
            Self::Simulated(_) => f.write_str("on a simulated disk"),
        }
    }
}

impl Place {
    /// Opens the database that is there.
    pub(super) fn open(&self) -> Result<Option<Database>, redb::Error> {
        Ok(match self {
            Self::File(path) => {
                let database = found(path)?.map(verified).transpose()?;
                if database.is_some() {
                    // Who has the lock is alone: nobody is making a new one.
                    remove(&beside(path))?;
                }
                database
            }
            Self::Memory => None,
            #[cfg(test)]
            Self::Simulated(machine) => {
                let file = machine.file().map(Verified::new);
                file.map(|file| builder().create_with_backend(file)).transpose()?
            }
        })
    }

    /// Makes a database and fills it. Only then it takes the place of the one that is there, if
    /// there is one: a crash leaves the old one or the new one, whole.
    pub(super) fn replace(
        &self,
        fill: impl FnOnce(&Database) -> Result<(), redb::Error>,
    ) -> Result<Database, redb::Error> {
        match self {
            Self::File(path) => replace_file(path, fill),
            Self::Memory => {
                let new = builder().create_with_backend(InMemoryBackend::new())?;
                fill(&new)?;
                Ok(new)
            }
            #[cfg(test)]
            Self::Simulated(machine) => {
                let file = machine.new_file();
                let new = builder().create_with_backend(file.clone())?;
                fill(&new)?;
                machine.rename(file)?;
                Ok(new)
            }
        }
    }
}

fn found(path: &Path) -> Result<Option<File>, redb::Error> {
    match OpenOptions::new().read(true).write(true).open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(redb::Error::Io(error)),
    }
}

fn verified(file: File) -> Result<Database, redb::Error> {
    if file.metadata().map_err(redb::Error::Io)?.len() == 0 {
        // redb would make a database of it, and nobody would know what was lost.
        return Err(redb::Error::Corrupted("the file is empty".to_owned()));
    }
    Ok(builder().create_with_backend(Verified::new(FileBackend::new(file)?))?)
}

fn replace_file(
    path: &Path,
    fill: impl FnOnce(&Database) -> Result<(), redb::Error>,
) -> Result<Database, redb::Error> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(directory).map_err(redb::Error::Io)?;
    let hidden = beside(path);
    remove(&hidden)?;
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    // Unit files may hold secrets.
    let file = options.mode(0o600).open(&hidden).map_err(redb::Error::Io)?;
    let filled = builder().create_file(file).map_err(redb::Error::from).and_then(|new| {
        fill(&new)?;
        fs::rename(&hidden, path).map_err(redb::Error::Io)?;
        // What is synced into a file is lost with its name.
        File::open(directory).and_then(|it| it.sync_all()).map_err(redb::Error::Io)?;
        Ok(new)
    });
    if filled.is_err() {
        // It takes room that the disk may not have; what is left of it now goes with the next try.
        remove(&hidden).ok();
    }
    filled
}

fn builder() -> Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

fn remove(path: &Path) -> Result<(), redb::Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(redb::Error::Io(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}
