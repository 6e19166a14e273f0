//! The identities of the machine, of its boot, and of the fleetd installed on it.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use fleet_units::{MachineId, MachineIdError};
use uuid::Uuid;

use crate::file::{self, Durability, FileError};

const MACHINE_ID: &str = "/etc/machine-id";
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// What systemd writes while an image has not been booted for the first time.
const UNINITIALIZED: &str = "uninitialized";

/// The machine does not know who it is.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The machine has not been given an id.
    #[error("`{path}` holds no machine id; systemd-machine-id-setup gives one", path = path.display())]
    NoMachineId {
        /// The file.
        path: PathBuf,
    },
    /// The machine's id is none that fleet can use.
    #[error("unusable machine id in `{path}`", path = path.display())]
    MachineId {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: MachineIdError,
    },
    /// The instance file was damaged.
    #[error(
        "`{path}` holds no UUID; remove it, and fleetd gives this machine a new one",
        path = path.display()
    )]
    Instance {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: uuid::Error,
    },
}

/// The machine's id: `/etc/machine-id`, in whatever spelling it has there.
///
/// # Errors
///
/// When the file is missing, empty, or not an id.
pub fn machine_id() -> Result<MachineId, IdentityError> {
    machine_id_in(Path::new(MACHINE_ID))
}

fn machine_id_in(path: &Path) -> Result<MachineId, IdentityError> {
    let text = read(path)?;
    let id = text.trim();
    if id.is_empty() || id == UNINITIALIZED {
        return Err(IdentityError::NoMachineId { path: path.to_owned() });
    }
    id.parse().map_err(|source| IdentityError::MachineId { path: path.to_owned(), source })
}

/// The kernel's id of this boot.
///
/// # Errors
///
/// When the kernel does not tell.
pub fn boot_id() -> Result<String, IdentityError> {
    Ok(read(Path::new(BOOT_ID))?.trim().to_owned())
}

/// The machine's name, for people.
///
/// # Errors
///
/// When the kernel does not tell.
pub fn hostname() -> Result<String, IdentityError> {
    let name = hostname::get().map_err(FileError::of("read", Path::new("host name")))?;
    Ok(name.to_string_lossy().into_owned())
}

/// The identity of this installation of fleetd: made at random once, and kept in the state
/// directory, so that two machines with one machine-id are told apart.
///
/// # Errors
///
/// When it cannot be read or kept. A damaged file is not replaced: to another fleetd that would
/// look like a second machine.
pub fn instance(state_directory: &Path) -> Result<Uuid, IdentityError> {
    let path = state_directory.join("instance");
    match fs::read_to_string(&path) {
        Ok(text) => {
            Uuid::parse_str(text.trim()).map_err(|source| IdentityError::Instance { path, source })
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            fs::create_dir_all(state_directory)
                .map_err(FileError::of("create", state_directory))?;
            let instance = Uuid::new_v4();
            let text = format!("{instance}\n");
            file::write_atomic(&path, text.as_bytes(), 0o644, Durability::Durable)?;
            Ok(instance)
        }
        Err(error) => Err(FileError::of("read", &path)(error).into()),
    }
}

fn read(path: &Path) -> Result<String, FileError> {
    fs::read_to_string(path).map_err(FileError::of("read", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id_from(text: &str) -> Result<MachineId, IdentityError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("machine-id");
        fs::write(&path, text).unwrap();
        machine_id_in(&path)
    }

    #[test]
    fn a_machine_id_is_kept_as_it_is_spelt_without_blanks_around_it() {
        for (text, id) in [
            ("8d1a31e7a1d14a1c9a5e0ab5f0f4ac9d\n", "8d1a31e7a1d14a1c9a5e0ab5f0f4ac9d"),
            (" 8d1a31e7-a1d1-4a1c-9a5e-0ab5f0f4ac9d \n", "8d1a31e7-a1d1-4a1c-9a5e-0ab5f0f4ac9d"),
        ] {
            assert_eq!(id_from(text).unwrap().as_str(), id);
        }
    }

    #[test]
    fn a_machine_without_an_id_is_told_how_to_get_one() {
        for text in ["", "\n", "uninitialized\n"] {
            let error = id_from(text).unwrap_err();
            assert!(matches!(error, IdentityError::NoMachineId { .. }), "{text:?}: {error}");
        }
        assert!(matches!(id_from("a/b"), Err(IdentityError::MachineId { .. })));
    }

    #[test]
    fn the_instance_stays_the_same_once_made() {
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().join("lib/fleet");

        let made = instance(&state).unwrap();

        assert_eq!(instance(&state).unwrap(), made);
        let other = tempfile::tempdir().unwrap();
        assert_ne!(instance(other.path()).unwrap(), made);
    }

    #[test]
    fn a_damaged_instance_is_not_replaced() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("instance"), "").unwrap();

        let error = instance(directory.path()).unwrap_err();

        assert!(matches!(error, IdentityError::Instance { .. }), "{error}");
        assert_eq!(fs::read_to_string(directory.path().join("instance")).unwrap(), "");
    }

    #[test]
    fn this_boot_and_this_host_have_names() {
        assert!(Uuid::parse_str(&boot_id().unwrap()).is_ok());
        assert!(!hostname().unwrap().is_empty());
    }
}
