//! What is asked of units once all files are there.
//!
//! It is asked once in each boot, as CoreOS did it, and again when a file of the unit changes: so a second
//! run restarts nothing.

use std::collections::BTreeSet;

use super::{Action, Input, members, paths, units};
use crate::document::{CloudConfig, UnitCommand};
use crate::host::Host;
use crate::problem::Problem;

pub(super) fn plan(
    input: &Input<'_>,
    host: &Host,
    actions: &mut Vec<Action>,
    problems: &mut Vec<Problem>,
) {
    let changed = changed(actions);
    let mut asked = Vec::new();
    for unit in &input.config.coreos.units {
        if unit.cluster {
            let path = units::cluster_path(&unit.name);
            let start = unit.command == Some(UnitCommand::Start);
            asked.push(Action::Submit { unit: unit.name.clone(), path, start });
        } else if let Some(command) = unit.command
            && !paths::is_network(&unit.name)
        {
            asked.push(Action::Command { unit: unit.name.clone(), command });
        }
    }
    asked.extend(update(input.config, host, problems));
    // Units of the cluster need fleetd, which is among the others.
    asked.sort_by_key(|action| matches!(action, Action::Submit { .. }));
    asked.retain(|action| !host.asked.contains(&action.to_string()) || is_of(action, &changed));
    actions.extend(asked);
}

fn is_of(action: &Action, changed: &BTreeSet<String>) -> bool {
    match action {
        Action::Command { unit, .. } | Action::Submit { unit, .. } => changed.contains(unit),
        _ => false,
    }
}

/// Units of which a file changes.
fn changed(actions: &[Action]) -> BTreeSet<String> {
    let mut changed = BTreeSet::new();
    for action in actions {
        let path = match action {
            Action::File(file) => &file.path,
            Action::Link { path, .. } | Action::Remove(path) => path,
            _ => continue,
        };
        changed.extend(paths::unit_of(path));
        if path.starts_with(crate::state::CLUSTER) {
            changed.extend(path.file_name().map(|name| name.to_string_lossy().into_owned()));
        }
    }
    changed
}

/// What a document says about reboots.
pub(super) fn reboot_strategy(config: &CloudConfig) -> Option<&str> {
    option(config, "reboot_strategy")
}

fn option<'a>(config: &'a CloudConfig, name: &str) -> Option<&'a str> {
    let options = &config.coreos.update.options;
    options.iter().find(|(option, _)| *option == name).map(|(_, value)| value.as_str())
}

/// Programs for updates follow what is said of them, if the host has them.
fn update(config: &CloudConfig, host: &Host, problems: &mut Vec<Problem>) -> Vec<Action> {
    let mut asked = Vec::new();
    let mut ask = |option: &str, unit: &str, command: UnitCommand| {
        if units::has_unit(config, host, unit) {
            asked.push(Action::Command { unit: unit.to_owned(), command });
        } else if command != UnitCommand::Stop
            && let Some(position) = config.coreos.update.position
        {
            let path = format!("coreos.update.{option}");
            let text =
                format!("this host has no {unit}: it is only noted in /etc/coreos/update.conf");
            problems.push(Problem::warning(position, path, text));
        }
    };
    match reboot_strategy(config) {
        Some("off") => ask("reboot_strategy", members::LOCKSMITH, UnitCommand::Stop),
        Some(_) => ask("reboot_strategy", members::LOCKSMITH, UnitCommand::Restart),
        None => {}
    }
    if let Some(name) = ["group", "server"].into_iter().find(|name| option(config, name).is_some())
    {
        ask(name, members::UPDATE_ENGINE, UnitCommand::Restart);
    }
    asked
}
