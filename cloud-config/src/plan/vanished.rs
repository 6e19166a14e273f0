//! What earlier documents did and this one does not say any more.

use std::path::Path;

use super::{Action, Planner, paths};
use crate::problem::Position;
use crate::state::Digest;

pub(super) fn plan(planner: &mut Planner<'_>) {
    let (host, old) = (planner.host, &planner.host.memory.manifest);
    for (path, digest) in &old.files {
        let is_written = planner.input.config.write_files.iter().any(|file| file.path == *path);
        if planner.manifest.files.contains_key(path) || is_written {
            continue;
        }
        match host.content(path) {
            Some(content) if Digest::of(content) == *digest => remove(planner, path),
            Some(_) => {
                let text = format!(
                    "{} is not in the document any more, but was changed since: it stays",
                    path.display()
                );
                planner.warn(Position::START, "", text);
            }
            None => {}
        }
    }
    for path in &old.masks {
        if !planner.manifest.masks.contains(path)
            && host.is_masked(path)
            && !planner.drafts.has(path)
        {
            remove_once(planner, path);
        }
    }
    for (path, target) in &old.aliases {
        if !planner.manifest.aliases.contains_key(path)
            && host.is_link(path, target)
            && !planner.drafts.has(path)
        {
            remove_once(planner, path);
        }
    }
}

fn remove(planner: &mut Planner<'_>, path: &Path) {
    let unit = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let is_unit_file = paths::unit_of(path) == unit;
    let units = &planner.input.config.coreos.units;
    let is_to_be_enabled =
        units.iter().any(|item| Some(&item.name) == unit.as_ref() && item.enable == Some(true));
    let is_enabled = |unit: &String| planner.host.enabled.contains(unit) && !is_to_be_enabled;
    if let Some(unit) = unit.filter(|unit| is_unit_file && is_enabled(unit)) {
        planner.links.push(Action::Disable(unit));
    }
    remove_once(planner, path);
}

fn remove_once(planner: &mut Planner<'_>, path: &Path) {
    let action = Action::Remove(path.to_owned());
    let is_linked = planner
        .links
        .iter()
        .any(|known| matches!(known, Action::Link { path: linked, .. } if linked == path));
    if !is_linked && !planner.links.contains(&action) {
        planner.links.push(action);
    }
}
