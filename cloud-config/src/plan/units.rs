//! `coreos.units`: files, drop-ins, masks and what starts at boot.

use std::path::{Path, PathBuf};

use super::drafts::Draft;
use super::{Action, Parents, Planner, members, paths};
use crate::document::{CloudConfig, Unit};
use crate::host::{Host, has_install};
use crate::state::{CLUSTER, Digest};

/// What a masked unit file leads to.
const NULL: &str = "/dev/null";

/// Other names under which documents know units of today.
const ALIASES: [(&str, &str); 1] = [("etcd2.service", "etcd.service")];

pub(super) fn plan(planner: &mut Planner<'_>) {
    for unit in &planner.input.config.coreos.units {
        if unit.cluster {
            cluster_file(planner, unit);
            continue;
        }
        files(planner, unit);
        mask(planner, unit);
    }
    generated(planner);
    aliases(planner);
    locksmith(planner);
}

/// What starts at boot, once it is known what all files will say.
pub(super) fn enabling(planner: &mut Planner<'_>) {
    for unit in planner.input.config.coreos.units.iter().filter(|unit| !unit.cluster) {
        enable(planner, unit);
    }
}

/// The file that is submitted to the cluster.
fn cluster_file(planner: &mut Planner<'_>, unit: &Unit) {
    let Some(content) = &unit.content else { return };
    let path = cluster_path(&unit.name);
    planner.manifest.files.insert(path.clone(), Digest::of(content.as_bytes()));
    let draft = Draft { parents: Parents::Closed, ..Draft::new(content.as_str()) };
    planner.drafts.write(path, draft);
}

/// Where the file of a unit for the cluster is.
pub(super) fn cluster_path(name: &str) -> PathBuf {
    Path::new(CLUSTER).join(name)
}

fn files(planner: &mut Planner<'_>, unit: &Unit) {
    if let Some(content) = &unit.content
        && unit.mask != Some(true)
    {
        owned(planner, paths::unit(&unit.name, unit.runtime), content, 0o644);
    }
    for drop_in in &unit.drop_ins {
        owned(planner, paths::drop_in(unit, &drop_in.name), &drop_in.content, 0o644);
    }
}

/// A file that goes when no document says it any more. It takes the place of a mask.
fn owned(planner: &mut Planner<'_>, path: PathBuf, content: &str, mode: u32) {
    planner.forget_link(&path);
    planner.manifest.masks.remove(&path);
    planner.manifest.files.insert(path.clone(), Digest::of(content.as_bytes()));
    planner.drafts.write(path, Draft { mode, ..Draft::new(content) });
}

fn mask(planner: &mut Planner<'_>, unit: &Unit) {
    match unit.mask {
        Some(true) => mask_file(planner, paths::unit(&unit.name, unit.runtime)),
        Some(false) => {
            for runtime in [false, true] {
                unmask_file(planner, paths::unit(&unit.name, runtime));
            }
        }
        None => {}
    }
}

fn mask_file(planner: &mut Planner<'_>, path: PathBuf) {
    planner.forget_link(&path);
    planner.drafts.discard(&path);
    planner.manifest.files.remove(&path);
    planner.manifest.masks.insert(path.clone());
    if !planner.host.is_masked(&path) {
        planner.links.push(Action::Link { path, target: NULL.into() });
    }
}

fn unmask_file(planner: &mut Planner<'_>, path: PathBuf) {
    planner.forget_link(&path);
    planner.manifest.masks.remove(&path);
    // A file that is written in its place is no mask any more.
    if planner.host.is_masked(&path) && !planner.drafts.has(&path) {
        planner.links.push(Action::Remove(path));
    }
}

fn enable(planner: &mut Planner<'_>, unit: &Unit) {
    let host = planner.host;
    let is_enabled = host.enabled.contains(&unit.name);
    let mut paths = [false, true].into_iter().map(|runtime| paths::unit(&unit.name, runtime));
    let is_masked = paths.any(|path| planner.manifest.masks.contains(&path));
    if unit.enable.is_some() {
        planner.links.retain(|action| match action {
            Action::Enable { unit: known, .. } | Action::Disable(known) => *known != unit.name,
            _ => true,
        });
    }
    match unit.enable {
        Some(true) if paths::is_network(&unit.name) => {
            let text = "files of systemd-networkd are not enabled: they count once they are there";
            planner.warn(unit.position, unit.name.clone(), text);
        }
        Some(true) if is_enabled || is_masked => {}
        Some(true) => {
            if installs(planner, &unit.name) == Some(false) {
                let text =
                    "has no section [Install] that says what enables it: `enable` is ignored";
                return planner.warn(unit.position, unit.name.clone(), text);
            }
            let runtime = unit.runtime;
            planner.links.push(Action::Enable { unit: unit.name.clone(), runtime });
        }
        Some(false) if is_enabled => planner.links.push(Action::Disable(unit.name.clone())),
        Some(false) | None => {}
    }
}

/// Whether the file of a unit will say what enabling it means.
fn installs(planner: &Planner<'_>, name: &str) -> Option<bool> {
    let mut paths = [false, true].into_iter().map(|runtime| paths::unit(name, runtime));
    let goes = |path: &PathBuf| planner.links.contains(&Action::Remove(path.clone()));
    let written = paths.find_map(|path| planner.drafts.content(&path).filter(|_| !goes(&path)));
    let written = written.map(|content| has_install(&String::from_utf8_lossy(content)));
    written.or_else(|| planner.host.units.get(name).map(|file| file.has_install))
}

fn generated(planner: &mut Planner<'_>) {
    let (drop_ins, warnings) = members::drop_ins(&planner.input.config.coreos);
    planner.problems.extend(warnings);
    for drop_in in drop_ins {
        let mode = if drop_in.secret { 0o600 } else { 0o644 };
        owned(planner, drop_in.path(), &drop_in.content, mode);
    }
}

/// A unit that documents know under another name is found under that, too.
fn aliases(planner: &mut Planner<'_>) {
    let coreos = &planner.input.config.coreos;
    let host = planner.host;
    for (alias, unit) in ALIASES {
        let writes = coreos.units.iter().any(|item| item.name == alias && item.content.is_some());
        let names = coreos.units.iter().any(|item| item.name == alias && !item.cluster)
            || coreos.etcd2.position.is_some();
        let path = paths::unit(alias, true);
        let is_ours = host.memory.manifest.aliases.contains_key(&path);
        let is_masked = planner.manifest.masks.contains(&path);
        let is_there = is_masked || (host.units.contains_key(alias) && !is_ours);
        let Some(file) = host.units.get(unit).filter(|_| names && !writes && !is_there) else {
            continue;
        };
        planner.manifest.aliases.insert(path.clone(), file.path.clone());
        if !host.is_link(&path, &file.path) {
            planner.links.push(Action::Link { path, target: file.path.clone() });
        }
    }
}

/// Whether a unit is on the host, or will be.
pub(super) fn has_unit(config: &CloudConfig, host: &Host, name: &str) -> bool {
    let brings = |unit: &Unit| unit.name == name && unit.content.is_some() && !unit.cluster;
    host.units.contains_key(name) || config.coreos.units.iter().any(brings)
}

/// Without reboots, locksmith has nothing to do.
fn locksmith(planner: &mut Planner<'_>) {
    let path = paths::unit(members::LOCKSMITH, true);
    let strategy = super::commands::reboot_strategy(planner.input.config);
    let (config, host) = (planner.input.config, planner.host);
    if has_unit(config, host, members::LOCKSMITH) || host.is_masked(&path) {
        match strategy {
            Some("off") => mask_file(planner, path),
            Some(_) if !planner.manifest.masks.contains(&path) => unmask_file(planner, path),
            Some(_) | None => {}
        }
    }
}

/// Makes systemd and systemd-networkd read their files again, once, if one of them changes.
pub(super) fn reload(actions: &mut Vec<Action>) {
    let touches = |wanted: fn(&Path) -> bool| {
        actions.iter().any(|action| match action {
            Action::File(file) => wanted(&file.path),
            Action::Link { path, .. } | Action::Remove(path) => wanted(path),
            Action::Enable { .. } | Action::Disable(_) => wanted(Path::new("/etc/systemd/system")),
            _ => false,
        })
    };
    let (units, network) = (touches(paths::is_of_systemd), touches(paths::is_of_networkd));
    if units {
        actions.push(Action::Reload);
    }
    if network {
        actions.push(Action::ReloadNetwork);
    }
}
