//! One file for each command: its arguments, and what it does.
//!
//! `raise` is what submit, load, start and restart have in common; `lower` is that of stop, unload
//! and destroy; `whereabouts` finds the machines for status, journal and ssh; `patterns` finds the
//! units that are meant by `web@*`.

pub(crate) mod cat;
pub(crate) mod completion;
mod copies;
pub(crate) mod destroy;
pub(crate) mod fd_forward;
pub(crate) mod journal;
pub(crate) mod list_machines;
pub(crate) mod list_unit_files;
pub(crate) mod list_units;
pub(crate) mod load;
mod lower;
pub(crate) mod patterns;
pub(crate) mod plan;
mod raise;
pub(crate) mod restart;
pub(crate) mod ssh;
pub(crate) mod start;
pub(crate) mod status;
mod status_json;
pub(crate) mod stop;
pub(crate) mod submit;
mod systemd_states;
pub(crate) mod unload;
pub(crate) mod verify;
mod whereabouts;
pub(crate) mod why;

use std::collections::BTreeMap;
use std::fmt;

use fleet_units::UnitName;
use fleet_units::api::v2::{Health, Hold, UnitDetail, Update};

use crate::error::CommandError;
use crate::legend;
use crate::ui::Ui;

/// What is known of units, by name.
type Known = BTreeMap<String, UnitDetail>;

/// Sorts what a watch tells first.
fn known(first: Update) -> Known {
    first.units.into_iter().map(|unit| (unit.name.clone(), unit)).collect()
}

/// Names the unit that an argument means, for commands that need it to be there already.
fn name_of(argument: &str) -> Result<UnitName, CommandError> {
    UnitName::from_argument(argument)
        .map_err(|error| CommandError::doing(format!("\"{argument}\" names no unit"), error))
}

/// Says that a unit is not there that has to be.
fn no_unit(name: impl fmt::Display) -> CommandError {
    CommandError::failed(format!("Unit {name} does not exist."))
}

/// As 1.0: scripts give what a query has found, which may be nothing.
fn no_units_given(ui: &Ui) {
    ui.note("No units given");
}

/// Says that something was asked for and is not waited for.
fn triggered(name: &str, global: bool, verb: &str) -> String {
    let global = if global { "global " } else { "" };
    format!("Triggered {global}unit {name} {verb}")
}

/// Says what is wrong in the cluster: documents that lists lack, units that wait for machines.
pub(crate) fn warnings(health: &Health) -> Vec<String> {
    let Health { unreadable, hold } = health;
    let unreadable = unreadable
        .iter()
        .map(|document| format!("WARNING: cannot read {}: {}", document.key, document.reason));
    let hold = hold.iter().map(|Hold { machines, key }| {
        let machines: Vec<_> = machines.iter().map(|id| legend::machine(id, None, false)).collect();
        format!(
            "WARNING: most machines vanished at once ({}): units stay where they are until they \
             return, or until you run: etcdctl del {key}",
            machines.join(" ")
        )
    });
    unreadable.chain(hold).collect()
}
