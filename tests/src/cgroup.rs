//! A cgroup for every host. Hosts that share one disturb each other's units of the same name.

use std::fs;
use std::path::{Path, PathBuf};

const OURS: &str = "fleet-testbed";

/// Whether systemd runs the machine; then it hands out cgroups, and nobody else may.
pub(crate) fn has_systemd() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

/// The files that take a process into the cgroup of `host`, in every hierarchy that systemd in a
/// host uses; none where systemd runs the machine.
pub(crate) fn entrances(host: &str) -> Vec<PathBuf> {
    if has_systemd() { Vec::new() } else { of(host) }
}

/// The cgroups of `host`, in whatever hierarchy they might be.
pub(crate) fn of(host: &str) -> Vec<PathBuf> {
    roots().iter().map(|root| root.join(OURS).join(host)).collect()
}

/// Removes the cgroups of `host`, which must have ended.
pub(crate) fn remove(host: &str) {
    of(host).iter().for_each(|cgroup| remove_tree(cgroup));
}

/// Removes the directory above the cgroups of hosts if no host is left.
pub(crate) fn remove_parent() {
    for root in roots() {
        // With hosts of another cluster in it, it stays.
        fs::remove_dir(root.join(OURS)).ok();
    }
}

fn roots() -> Vec<PathBuf> {
    // Without /proc nothing else here works either, and says so.
    systemd_hierarchies(&fs::read_to_string("/proc/mounts").unwrap_or_default())
}

fn systemd_hierarchies(mounts: &str) -> Vec<PathBuf> {
    mounts
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ').skip(1);
            let (path, kind, options) = (words.next()?, words.next()?, words.next()?);
            let ours = kind == "cgroup2"
                || (kind == "cgroup" && options.split(',').any(|option| option == "name=systemd"));
            ours.then(|| PathBuf::from(path))
        })
        .collect()
}

fn remove_tree(path: &Path) {
    let Ok(entries) = fs::read_dir(path) else { return };
    for entry in entries.filter_map(Result::ok) {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_tree(&entry.path());
        }
    }
    // One with a process left in it stays, and the next `down` tries again.
    fs::remove_dir(path).ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_hierarchies_of_a_mixed_machine_are_found() {
        let mounts = "\
            cgroup /sys/fs/cgroup/cpu cgroup rw,relatime,cpu 0 0\n\
            cgroup /sys/fs/cgroup/systemd cgroup rw,relatime,name=systemd 0 0\n\
            cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0\n";

        assert_eq!(
            systemd_hierarchies(mounts),
            [Path::new("/sys/fs/cgroup/systemd"), Path::new("/sys/fs/cgroup/unified")]
        );
    }
}
