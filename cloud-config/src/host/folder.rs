//! Folders in which somebody else may put links anywhere: they are held open, and not looked for
//! by their path again.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown,
};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::Regular;

/// The most that is read of a file of somebody else.
const MAX_FILE: u64 = 1 << 20;

/// A folder that is open.
#[derive(Debug)]
pub(crate) struct Folder(File);

impl Folder {
    /// Opens a folder; a link to one is none.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        open(path, OFlags::DIRECTORY).map(Self)
    }

    /// Makes a folder where nothing is, and opens it.
    pub(crate) fn make(
        path: &Path,
        mode: u32,
        (user, group): (Option<u32>, Option<u32>),
    ) -> io::Result<Self> {
        DirBuilder::new().mode(mode & 0o700).create(path)?;
        let folder = Self::open(path)?;
        if user.is_some() || group.is_some() {
            fchown(&folder.0, user, group)?;
        }
        // The umask must not count.
        folder.0.set_permissions(Permissions::from_mode(mode))?;
        Ok(folder)
    }

    /// A path of it, whatever is put at its own one meanwhile.
    pub(crate) fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.0.as_raw_fd()))
    }

    /// The folder of this name in it.
    pub(crate) fn folder(&self, name: &Path) -> io::Result<Self> {
        Self::open(&self.path().join(name))
    }

    /// The names in it.
    pub(super) fn names(&self) -> io::Result<Vec<String>> {
        let names = fs::read_dir(self.path())?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        names.collect()
    }

    /// Reads a file that belongs to this user, or to root by this name alone: others may hold what the
    /// user must not read.
    pub(super) fn read(&self, name: &Path, user: Option<u32>) -> io::Result<Regular> {
        let file = match open(&self.path().join(name), OFlags::NONBLOCK) {
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
                return Err(io::Error::other("it is a link"));
            }
            file => file?,
        };
        let metadata = file.metadata()?;
        let refused = |why: &str| Err(io::Error::other(why.to_owned()));
        if !metadata.is_file() {
            return refused("it is no file");
        }
        let is_roots = metadata.uid() == 0 && metadata.nlink() == 1;
        if Some(metadata.uid()) != user && !is_roots {
            return refused("it belongs to somebody else");
        }
        let mut content = Vec::new();
        (&file).take(MAX_FILE + 1).read_to_end(&mut content)?;
        if content.len() as u64 > MAX_FILE {
            return refused("it is larger than 1 MiB");
        }
        let owner = (metadata.uid(), metadata.gid());
        Ok(Regular { content, mode: metadata.permissions().mode() & 0o7777, owner })
    }
}

fn open(path: &Path, flags: OFlags) -> io::Result<File> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let flags = i32::try_from(flags.bits()).map_err(io::Error::other)?;
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}
