//! Files that are seen whole or not at all.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use crate::host::Root;
use crate::host::folder::Folder;

/// How a file is made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Owned {
    /// Mode bits of the file, special ones included.
    pub(crate) mode: u32,
    /// User and group; those of this program, if nobody says.
    pub(crate) owner: (Option<u32>, Option<u32>),
    /// Mode bits of the folder, if it is not there yet; those above it are open.
    pub(crate) folder_mode: u32,
}

impl Default for Owned {
    fn default() -> Self {
        Self { mode: 0o644, owner: (None, None), folder_mode: 0o755 }
    }
}

/// Writes a file through a hidden one beside it, on the disk before it is in place. Folders that are
/// not there are made, and belong to whom the folder belongs that they are made in.
pub(crate) fn write(root: &Root, path: &Path, content: &[u8], owned: &Owned) -> io::Result<()> {
    write_checked(root, path, content, owned, |_| Ok(()))
}

/// The same, if the check takes the file before it is in place.
pub(crate) fn write_checked(
    root: &Root,
    path: &Path,
    content: &[u8],
    owned: &Owned,
    check: impl FnOnce(&Path) -> io::Result<()>,
) -> io::Result<()> {
    let place = root.place(path)?;
    let folder = place.parent().ok_or(io::ErrorKind::InvalidFilename)?;
    make_folders(folder, owned.folder_mode)?;
    replace(&place, content, owned, check)
}

/// Writes a file into a home directory, whose owner may put links anywhere: they are not followed.
/// Folders below it belong to the owner alone.
pub(crate) fn write_private(
    root: &Root,
    home: &Path,
    path: &Path,
    content: &[u8],
    owned: &Owned,
) -> io::Result<()> {
    let below = path.strip_prefix(home).map_err(|_| io::ErrorKind::InvalidFilename)?;
    let name = below.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
    let place = root.folder(home)?;
    let mut folder = if fs::symlink_metadata(&place).is_err() {
        make_folders(place.parent().ok_or(io::ErrorKind::InvalidFilename)?, 0o755)?;
        Folder::make(&place, 0o755, owned.owner)?
    } else {
        Folder::open(&place)?
    };
    for part in below.parent().into_iter().flat_map(Path::components) {
        let next = folder.path().join(part);
        folder = if fs::symlink_metadata(&next).is_err() {
            Folder::make(&next, 0o700, owned.owner)?
        } else {
            Folder::open(&next)?
        };
    }
    replace(&folder.path().join(name), content, owned, |_| Ok(()))
}

/// Removes a file in a home directory; links on the way are not followed.
pub(crate) fn remove_private(root: &Root, home: &Path, path: &Path) -> io::Result<()> {
    let below = path.strip_prefix(home).map_err(|_| io::ErrorKind::InvalidFilename)?;
    let name = below.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
    let mut folder = Folder::open(&root.folder(home)?)?;
    for part in below.parent().into_iter().flat_map(Path::components) {
        folder = folder.folder(part.as_ref())?;
    }
    fs::remove_file(folder.path().join(name))
}

fn make_folders(folder: &Path, mode: u32) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let above = folder.parent().ok_or(io::ErrorKind::InvalidFilename)?;
    make_folders(above, 0o755)?;
    let owner = fs::metadata(above)?;
    let ours = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let owner = Some((owner.uid(), owner.gid())).filter(|owner| *owner != ours);
    Folder::make(folder, mode, (owner.map(|owner| owner.0), owner.map(|owner| owner.1))).map(drop)
}

fn replace(
    place: &Path,
    content: &[u8],
    owned: &Owned,
    check: impl FnOnce(&Path) -> io::Result<()>,
) -> io::Result<()> {
    let (Some(folder), Some(name)) = (place.parent(), place.file_name()) else {
        return Err(io::ErrorKind::InvalidFilename.into());
    };
    if place.symlink_metadata().is_ok_and(|metadata| metadata.is_dir()) {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let hidden = hidden(folder, name);
    // One that a run left that was cut off.
    match fs::remove_file(&hidden) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let written = fill(&hidden, content, owned)
        .and_then(|()| check(&hidden))
        .and_then(|()| fs::rename(&hidden, place));
    if written.is_err() {
        // Why it was not written says more than that this is left.
        fs::remove_file(&hidden).ok();
    }
    written?;
    File::open(folder)?.sync_all()
}

/// Names may be as long as the file system takes, so that of the file does not fit in.
fn hidden(folder: &Path, name: &std::ffi::OsStr) -> PathBuf {
    let mut hidden = OsString::from(".");
    if name.len() < 200 {
        hidden.push(name);
    }
    hidden.push(".cloud-config");
    folder.join(hidden)
}

fn fill(hidden: &Path, content: &[u8], owned: &Owned) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(hidden)?;
    file.write_all(content)?;
    // The folder may give its files a group of its own.
    let user = owned.owner.0.unwrap_or_else(|| rustix::process::geteuid().as_raw());
    let group = owned.owner.1.unwrap_or_else(|| rustix::process::getegid().as_raw());
    fchown(&file, Some(user), Some(group))?;
    // After the owner, as a change of that takes special bits away; and the umask must not count.
    file.set_permissions(Permissions::from_mode(owned.mode))?;
    file.sync_all()
}

/// Makes a link, in place of what is there.
pub(crate) fn link(root: &Root, path: &Path, target: &Path) -> io::Result<()> {
    let place = root.place(path)?;
    let (Some(folder), Some(name)) = (place.parent(), place.file_name()) else {
        return Err(io::ErrorKind::InvalidFilename.into());
    };
    make_folders(folder, 0o755)?;
    let hidden = hidden(folder, name);
    match fs::remove_file(&hidden) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    std::os::unix::fs::symlink(target, &hidden)?;
    let renamed = fs::rename(&hidden, &place);
    if renamed.is_err() {
        // Why it was not made says more than that this is left.
        fs::remove_file(&hidden).ok();
    }
    renamed
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_file_has_its_mode_and_nothing_is_left_beside_it() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::new(directory.path());
        for (content, mode) in [("old and longer", 0o600), ("new", 0o4755), ("x", 0o1664)] {
            let owned = Owned { mode, ..Owned::default() };
            write(&root, Path::new("/a/b/c"), content.as_bytes(), &owned).unwrap();

            let path = directory.path().join("a/b/c");
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, mode);
        }
        assert_eq!(fs::read_dir(directory.path().join("a/b")).unwrap().count(), 1);
    }

    #[test]
    fn a_file_is_ours_in_a_folder_that_gives_its_group_to_files() {
        let directory = tempfile::tempdir().unwrap();
        let folder = directory.path().join("local");
        fs::create_dir(&folder).unwrap();
        std::os::unix::fs::chown(&folder, None, other_group()).unwrap();
        fs::set_permissions(&folder, Permissions::from_mode(0o2775)).unwrap();

        let root = Root::new(directory.path());
        write(&root, Path::new("/local/a"), b"", &Owned::default()).unwrap();

        let group = fs::metadata(folder.join("a")).unwrap().gid();
        assert_eq!(group, rustix::process::getegid().as_raw());
    }

    /// A group that this process may give to a folder, and is not its first one.
    fn other_group() -> Option<u32> {
        if rustix::process::geteuid().is_root() {
            return Some(50);
        }
        let groups = rustix::process::getgroups().unwrap();
        groups.into_iter().map(|group| group.as_raw()).next_back()
    }

    #[test]
    fn a_link_is_replaced_and_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::new(directory.path());
        fs::write(directory.path().join("target"), "kept").unwrap();
        symlink("target", directory.path().join("a")).unwrap();

        write(&root, Path::new("/a"), b"new", &Owned::default()).unwrap();

        assert_eq!(fs::read_to_string(directory.path().join("target")).unwrap(), "kept");
        assert!(directory.path().join("a").symlink_metadata().unwrap().is_file());
    }

    #[test]
    fn what_is_refused_leaves_the_old_file_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::new(directory.path());
        fs::write(directory.path().join("a"), "old").unwrap();

        let refused = write_checked(&root, Path::new("/a"), b"new", &Owned::default(), |_| {
            Err(io::ErrorKind::InvalidData.into())
        });

        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert_eq!(fs::read_to_string(directory.path().join("a")).unwrap(), "old");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn links_in_a_home_directory_lead_nowhere() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::new(directory.path());
        let home = Path::new("/home/jane");
        let file = home.join(".ssh/authorized_keys.d/a");
        fs::create_dir_all(directory.path().join("home/jane")).unwrap();
        fs::create_dir(directory.path().join("secret")).unwrap();
        symlink("../../secret", directory.path().join("home/jane/.ssh")).unwrap();

        let refused = write_private(&root, home, &file, b"key", &Owned::default());

        assert!(refused.is_err());
        assert_eq!(fs::read_dir(directory.path().join("secret")).unwrap().count(), 0);

        fs::remove_file(directory.path().join("home/jane/.ssh")).unwrap();
        write_private(&root, home, &file, b"key", &Owned::default()).unwrap();

        let ssh = directory.path().join("home/jane/.ssh");
        assert_eq!(fs::read_to_string(ssh.join("authorized_keys.d/a")).unwrap(), "key");
        assert_eq!(fs::metadata(ssh).unwrap().permissions().mode() & 0o7777, 0o700);
    }
}
