//! A directory that is the root of a host: links below it do not lead out of it.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::path::{Component, Path, PathBuf};

/// The most links in one path, as for the kernel.
const MAX_LINKS: usize = 40;

/// The root directory of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root(PathBuf);

impl Root {
    /// A host whose root is this directory.
    #[must_use]
    pub fn new(directory: &Path) -> Self {
        Self(directory.to_owned())
    }

    /// Whether it is the root of the system that runs this program.
    #[must_use]
    pub fn is_this_host(&self) -> bool {
        self.0 == Path::new("/")
    }

    /// The directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.0
    }

    /// Where an absolute path of the host is. Links on the way are followed as the host would; the last
    /// part is not.
    ///
    /// # Errors
    ///
    /// Links that lead in a circle, and directories that cannot be read.
    pub fn place(&self, path: &Path) -> io::Result<PathBuf> {
        self.walk(path, false)
    }

    /// Where a folder of the host is: the last part is followed, too.
    ///
    /// # Errors
    ///
    /// As of [`Self::place`].
    pub fn folder(&self, path: &Path) -> io::Result<PathBuf> {
        self.walk(path, true)
    }

    fn walk(&self, path: &Path, follows_last: bool) -> io::Result<PathBuf> {
        let mut left = parts(path);
        let mut done = self.0.clone();
        let mut links = 0;
        while let Some(part) = left.pop_front() {
            if part == ".." {
                if done != self.0 {
                    done.pop();
                }
                continue;
            }
            let candidate = done.join(&part);
            let is_followed = follows_last || !left.is_empty();
            let target = if is_followed { link(&candidate)? } else { None };
            let Some(target) = target else {
                done = candidate;
                continue;
            };
            links += 1;
            if links > MAX_LINKS {
                return Err(rustix::io::Errno::LOOP.into());
            }
            if target.is_absolute() {
                done.clone_from(&self.0);
            }
            let mut more = parts(&target);
            more.append(&mut left);
            left = more;
        }
        Ok(done)
    }
}

fn link(path: &Path) -> io::Result<Option<PathBuf>> {
    match path.symlink_metadata() {
        Ok(metadata) if metadata.is_symlink() => path.read_link().map(Some),
        Ok(_) => Ok(None),
        // What is not there is no link; below a file nothing is.
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn parts(path: &Path) -> VecDeque<OsString> {
    let parts = path.components().filter_map(|part| match part {
        Component::Normal(part) => Some(part.to_owned()),
        Component::ParentDir => Some(OsString::from("..")),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    });
    parts.collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_do_not_lead_out_of_the_root() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        std::fs::create_dir_all(path.join("run")).unwrap();
        std::fs::create_dir(path.join("var")).unwrap();
        symlink("/run", path.join("var/run")).unwrap();
        symlink("../../../run", path.join("var/up")).unwrap();
        symlink("circle", path.join("circle")).unwrap();
        symlink("/etc/a", path.join("last")).unwrap();
        std::fs::write(path.join("file"), "").unwrap();
        let root = Root::new(path);

        for (asked, expected) in [
            ("/var/run/a", "run/a"),
            ("/var/up/a", "run/a"),
            ("/last", "last"),
            ("/none/a/b", "none/a/b"),
            ("/../../a", "a"),
            ("/file/a/b", "file/a/b"),
        ] {
            assert_eq!(root.place(Path::new(asked)).unwrap(), path.join(expected), "{asked}");
        }
        assert_eq!(root.folder(Path::new("/last")).unwrap(), path.join("etc/a"));
        assert_eq!(root.folder(Path::new("/var/run/a")).unwrap(), path.join("run/a"));
        let circle = root.place(Path::new("/circle/a")).unwrap_err();
        assert_eq!(circle.raw_os_error(), Some(rustix::io::Errno::LOOP.raw_os_error()));
    }
}
