//! Where files of units are.

use std::path::{Path, PathBuf};

use crate::document::Unit;
pub(super) use crate::document::is_network;

/// Where the file of a unit is, for good or for this boot.
pub(super) fn unit(name: &str, runtime: bool) -> PathBuf {
    let base = if runtime { "/run/systemd" } else { "/etc/systemd" };
    Path::new(base).join(if is_network(name) { "network" } else { "system" }).join(name)
}

/// Where a drop-in of a unit is.
pub(super) fn drop_in(unit: &Unit, name: &str) -> PathBuf {
    let mut folder = self::unit(&unit.name, unit.runtime).into_os_string();
    folder.push(".d");
    PathBuf::from(folder).join(name)
}

/// Whether systemd reads a file, or the name of a folder for it.
pub(super) fn is_of_systemd(path: &Path) -> bool {
    path.components()
        .collect::<Vec<_>>()
        .windows(2)
        .any(|pair| pair.iter().map(|part| part.as_os_str()).eq(["systemd", "system"]))
}

/// Whether systemd-networkd reads a file.
pub(super) fn is_of_networkd(path: &Path) -> bool {
    ["/etc/systemd/network", "/run/systemd/network"].iter().any(|folder| path.starts_with(folder))
}

/// The unit that a file is about: its own file, or a drop-in.
pub(crate) fn unit_of(path: &Path) -> Option<String> {
    let folders = ["/etc/systemd/system", "/run/systemd/system"];
    let rest = folders.iter().find_map(|folder| path.strip_prefix(folder).ok())?;
    let first = rest.components().next()?.as_os_str().to_str()?;
    Some(first.strip_suffix(".d").unwrap_or(first).to_owned())
}
