//! Keys for ssh in home directories, whose owners may put links anywhere: what cannot be read there
//! counts as not there, and is told.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::folder::Folder;
use super::{Regular, Root};

/// Keys of a user.
#[derive(Debug, Default)]
pub(super) struct KeyFiles {
    /// The file that sshd reads.
    pub(super) file: Option<Regular>,
    /// The sets that it is made of.
    pub(super) sets: BTreeMap<String, String>,
    /// What was passed over.
    pub(super) warnings: Vec<String>,
}

impl KeyFiles {
    /// Reads the keys in a home directory; those of a user who is not there are nobody's.
    pub(super) fn read(root: &Root, home: &Path, user: Option<u32>) -> Self {
        let mut keys = Self::default();
        let Ok(folder) = root.folder(home).and_then(|place| Folder::open(&place)) else {
            return keys;
        };
        let path = home.join(".ssh");
        let Some(ssh) = keys.there(&path, folder.folder(Path::new(".ssh"))) else { return keys };
        let name = Path::new("authorized_keys");
        keys.file = keys.there(&path.join(name), ssh.read(name, user));
        let path = path.join("authorized_keys.d");
        let sets = keys.there(&path, ssh.folder(Path::new("authorized_keys.d")));
        let names = sets.as_ref().map(|sets| sets.names());
        for name in names.and_then(|names| keys.there(&path, names)).unwrap_or_default() {
            let read = sets.as_ref().map(|sets| sets.read(Path::new(&name), user));
            if let Some(file) = read.and_then(|read| keys.there(&path.join(&name), read)) {
                keys.sets.insert(name, String::from_utf8_lossy(&file.content).into_owned());
            }
        }
        keys
    }

    fn there<T>(&mut self, path: &Path, read: io::Result<T>) -> Option<T> {
        let error = match read {
            Ok(value) => return Some(value),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => error,
        };
        self.warnings.push(format!("keys in {} are passed over: {error}", path.display()));
        None
    }
}
