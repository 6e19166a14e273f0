//! Volumes by their labels: where one is mounted, or mounted for as long as it is read.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::program;
use super::{Asking, SourceError, local};

/// Where a volume is mounted that nobody else has mounted.
const OWN_MOUNTS: &str = "run/cloud-config/volume";

/// A directory with the content of a volume.
#[derive(Debug)]
pub(super) struct Volume {
    pub(super) path: PathBuf,
    /// Unmounted when dropped.
    is_own: bool,
}

impl Drop for Volume {
    fn drop(&mut self) {
        if self.is_own {
            let path = self.path.to_string_lossy();
            // A volume that stays mounted read-only harms nobody.
            program::run("umount", &["--lazy", &path], Duration::from_secs(5)).ok();
        }
    }
}

/// The volume with a label, which is compared without case.
pub(super) fn of_label(asking: &Asking<'_>, label: &str) -> Result<Option<Volume>, SourceError> {
    let root = asking.search.root;
    let Some(device) = device(root, label) else { return Ok(None) };
    let mounts = local::hint(&root.join("proc/mounts"));
    if let Some(path) = mount_point(&mounts, &device) {
        let path = root.join(path.trim_start_matches('/'));
        return Ok(Some(Volume { path, is_own: false }));
    }
    match root == Path::new("/") {
        true => mount(root, &device, asking.http.limit()).map(Some),
        false => Ok(None),
    }
}

/// The name of the device with a label, such as `sr0`.
fn device(root: &Path, label: &str) -> Option<String> {
    let folder = root.join("dev/disk/by-label");
    let mut links: Vec<_> = std::fs::read_dir(folder).ok()?.flatten().collect();
    links.sort_by_key(std::fs::DirEntry::file_name);
    let link = links.into_iter().find(|link| {
        link.file_name().to_string_lossy().replace("\\x20", " ").eq_ignore_ascii_case(label)
    })?;
    let target = std::fs::read_link(link.path()).ok()?;
    Some(target.file_name()?.to_string_lossy().into_owned())
}

/// Where a device is mounted, by the table of mounts.
fn mount_point(mounts: &str, device: &str) -> Option<String> {
    mounts.lines().find_map(|line| {
        let mut fields = line.split(' ');
        let (mounted, point) = (fields.next()?, fields.next()?);
        let is_it = mounted.strip_prefix("/dev/").is_some_and(|name| name == device);
        is_it.then(|| point.replace("\\040", " "))
    })
}

fn mount(root: &Path, device: &str, limit: Duration) -> Result<Volume, SourceError> {
    let path = root.join(OWN_MOUNTS);
    let file = |source: io::Error| SourceError::File { path: path.clone(), source };
    std::fs::create_dir_all(&path).map_err(file)?;
    let device = format!("/dev/{device}");
    let point = path.to_string_lossy().into_owned();
    let args = ["-o", "ro,nosuid,nodev,noexec", &device, &point];
    match program::run("mount", &args, limit) {
        Ok(Some(_)) => Ok(Volume { path, is_own: true }),
        Ok(None) => Err(SourceError::form(&device, "cannot be mounted")),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_is_found_by_its_device() {
        let mounts = "proc /proc proc rw 0 0\n/dev/sr00 /a iso9660 ro 0 0\n\
                      /dev/sr0 /media/config\\040drive iso9660 ro 0 0\n";

        assert_eq!(mount_point(mounts, "sr0").as_deref(), Some("/media/config drive"));
        assert_eq!(mount_point(mounts, "proc"), None);
    }

    #[test]
    fn labels_are_compared_without_case() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("dev/disk/by-label");
        std::fs::create_dir_all(&folder).unwrap();
        std::os::unix::fs::symlink("../../vdb1", folder.join("CIDATA")).unwrap();
        std::os::unix::fs::symlink("../../sr0", folder.join("OVF\\x20ENV")).unwrap();

        assert_eq!(device(root.path(), "cidata").as_deref(), Some("vdb1"));
        assert_eq!(device(root.path(), "OVF ENV").as_deref(), Some("sr0"));
        assert_eq!(device(root.path(), "config-2"), None);
    }
}
