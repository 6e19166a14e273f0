//! Unit files on disk: the directory of ours, and who else has a say about a unit's name.
//!
//! These functions block for as long as a few calls to a local file system take.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use fleet_units::UnitName;

use crate::file::{self, Durability, FileError};

/// The directory that holds the unit files that fleet gives to systemd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitDirectory {
    path: PathBuf,
}

impl UnitDirectory {
    /// Opens the directory; creates it if it is not there.
    ///
    /// # Errors
    ///
    /// When it cannot be created.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, FileError> {
        let path = path.into();
        fs::create_dir_all(&path).map_err(FileError::of("create", &path))?;
        Ok(Self { path })
    }

    /// The directory itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where a unit's file is.
    #[must_use]
    pub fn file(&self, unit: &UnitName) -> PathBuf {
        self.path.join(unit.as_str())
    }

    /// Writes a unit file; systemd sees the old text or the new one.
    ///
    /// # Errors
    ///
    /// When it cannot be written; the old text stays.
    pub fn write(&self, unit: &UnitName, text: &str) -> Result<(), FileError> {
        file::write_atomic(&self.file(unit), text.as_bytes(), 0o644, Durability::Volatile)
    }

    /// Removes a unit file, if it is there.
    ///
    /// # Errors
    ///
    /// When it stays.
    pub fn remove(&self, unit: &UnitName) -> Result<(), FileError> {
        file::remove(&self.file(unit))
    }

    /// The text of each unit file. What is not named like a unit is left out.
    ///
    /// # Errors
    ///
    /// When the directory or a file in it cannot be read.
    pub fn list(&self) -> Result<BTreeMap<UnitName, String>, FileError> {
        let entries = fs::read_dir(&self.path).map_err(FileError::of("list", &self.path))?;
        let mut texts = BTreeMap::new();
        for entry in entries {
            let name = entry.map_err(FileError::of("list", &self.path))?.file_name();
            let Some(unit) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
            let path = self.file(&unit);
            let bytes = fs::read(&path).map_err(FileError::of("read", &path))?;
            // Text that came to harm differs from the wanted one in any case.
            texts.insert(unit, String::from_utf8_lossy(&bytes).into_owned());
        }
        Ok(texts)
    }
}

/// The file outside of `own` that defines a unit, in systemd's own order of directories: one that
/// an administrator, a package, a generator or another program put there. Such a unit is not
/// fleet's to touch. An instance belongs to whom its template belongs to.
///
/// # Errors
///
/// When a directory of systemd's cannot be looked into.
pub fn foreign(
    unit_path: &[PathBuf],
    unit: &UnitName,
    own: &Path,
) -> Result<Option<PathBuf>, FileError> {
    let template = unit.template();
    for directory in unit_path.iter().filter(|directory| *directory != own) {
        for name in [Some(unit), template.as_ref()].into_iter().flatten() {
            let path = directory.join(name.as_str());
            if is_foreign(&path, own)? {
                return Ok(Some(path));
            }
        }
    }
    Ok(None)
}

fn is_foreign(path: &Path, own: &Path) -> Result<bool, FileError> {
    let kind = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata.file_type(),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(false);
        }
        Err(error) => return Err(FileError::of("look at", path)(error)),
    };
    if !kind.is_symlink() {
        return Ok(true);
    }
    let target = match fs::read_link(path) {
        Ok(target) => target,
        // It went between the two looks: our own disabling does that.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(FileError::of("look at", path)(error)),
    };
    // A relative target counts from the link; `join` leaves an absolute one as it is.
    let target = path.parent().unwrap_or(path).join(target);
    Ok(target.parent() != Some(own))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// `etc` and `run` as systemd's directories, `own` as ours.
    struct Disk(tempfile::TempDir);

    impl Disk {
        fn new() -> Self {
            let disk = Self(tempfile::tempdir().unwrap());
            for directory in ["etc", "run", "own"] {
                fs::create_dir(disk.path(directory)).unwrap();
            }
            disk
        }

        fn path(&self, path: &str) -> PathBuf {
            self.0.path().join(path)
        }

        fn link(&self, path: &str, target: &str) {
            symlink(target, self.path(path)).unwrap();
        }

        fn foreign(&self, unit: &str) -> Option<PathBuf> {
            let unit_path = ["etc", "none", "own", "run"].map(|directory| self.path(directory));
            foreign(&unit_path, &name(unit), &self.path("own")).unwrap()
        }
    }

    fn name(unit: &str) -> UnitName {
        unit.parse().unwrap()
    }

    #[test]
    fn a_unit_that_nobody_has_or_that_links_to_us_is_not_foreign() {
        let disk = Disk::new();
        disk.link("run/hello.service", disk.path("own/hello.service").to_str().unwrap());
        disk.link("run/near.service", "../own/near.service");
        fs::write(disk.path("own/hello.service"), "").unwrap();

        assert_eq!(disk.foreign("none.service"), None);
        assert_eq!(disk.foreign("hello.service"), None);
    }

    #[test]
    fn files_and_links_of_others_are_foreign() {
        let disk = Disk::new();
        fs::write(disk.path("run/ssh.service"), "").unwrap();
        disk.link("etc/masked.service", "/dev/null");
        disk.link("etc/deeper.service", disk.path("own/sub/deeper.service").to_str().unwrap());

        for (unit, path) in [
            ("ssh.service", "run/ssh.service"),
            ("masked.service", "etc/masked.service"),
            ("deeper.service", "etc/deeper.service"),
        ] {
            assert_eq!(disk.foreign(unit), Some(disk.path(path)), "{unit}");
        }
    }

    #[test]
    fn an_instance_is_foreign_with_its_template() {
        let disk = Disk::new();
        fs::write(disk.path("etc/getty@.service"), "").unwrap();
        disk.link("run/web@.service", disk.path("own/web@.service").to_str().unwrap());

        assert_eq!(disk.foreign("getty@tty1.service"), Some(disk.path("etc/getty@.service")));
        assert_eq!(disk.foreign("web@1.service"), None);
    }

    #[test]
    fn the_first_directory_is_the_one_that_is_named() {
        let disk = Disk::new();
        fs::write(disk.path("etc/ssh.service"), "").unwrap();
        fs::write(disk.path("run/ssh.service"), "").unwrap();

        assert_eq!(disk.foreign("ssh.service"), Some(disk.path("etc/ssh.service")));
    }

    #[test]
    fn the_directory_lists_what_was_written_and_not_removed() {
        let directory = tempfile::tempdir().unwrap();
        let units = UnitDirectory::open(directory.path().join("run/units")).unwrap();
        units.write(&name("a.service"), "[Service]\n").unwrap();
        units.write(&name("a.service"), "[Unit]\n").unwrap();
        units.write(&name("b@1.timer"), "").unwrap();
        units.write(&name("gone.service"), "").unwrap();
        units.remove(&name("gone.service")).unwrap();
        units.remove(&name("never.service")).unwrap();
        fs::write(units.path().join("README"), "no unit").unwrap();

        assert_eq!(
            units.list().unwrap(),
            BTreeMap::from([
                (name("a.service"), "[Unit]\n".to_owned()),
                (name("b@1.timer"), String::new()),
            ])
        );
    }
}
