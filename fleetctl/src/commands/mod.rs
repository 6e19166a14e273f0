//! One file for each command: its arguments, and what it does.
//!
//! `raise` is what submit, load, start and restart have in common; `lower` is that of stop, unload
//! and destroy; `whereabouts` finds the machines for status, journal and ssh; `patterns` finds the
//! units that are meant by `web@*`.

pub(crate) mod cat;
pub(crate) mod destroy;
pub(crate) mod fd_forward;
pub(crate) mod journal;
pub(crate) mod list_machines;
pub(crate) mod list_unit_files;
pub(crate) mod list_units;
pub(crate) mod load;
mod lower;
mod patterns;
mod raise;
pub(crate) mod restart;
pub(crate) mod ssh;
pub(crate) mod start;
pub(crate) mod status;
pub(crate) mod stop;
pub(crate) mod submit;
pub(crate) mod unload;
pub(crate) mod verify;
mod whereabouts;

use std::collections::BTreeMap;

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

/// As 1.0: scripts give what a query has found, which may be nothing.
fn no_units_given(ui: &Ui) {
    ui.note("No units given");
}

/// Says that something was asked for and is not waited for.
fn triggered(name: &str, global: bool, verb: &str) -> String {
    let global = if global { "global " } else { "" };
    format!("Triggered {global}unit {name} {verb}")
}

/// Tells what is wrong in the cluster: documents that lists lack, units that wait for machines.
fn tell_health(health: Health, ui: &Ui) {
    let Health { unreadable, hold } = health;
    for document in unreadable {
        ui.note(&format!("WARNING: cannot read {}: {}", document.key, document.reason));
    }
    if let Some(Hold { machines, key }) = hold {
        let machines: Vec<_> = machines.iter().map(|id| legend::machine(id, None, false)).collect();
        ui.note(&format!(
            "WARNING: most machines vanished at once ({}): units stay where they are until they \
             return, or until you run: etcdctl del {key}",
            machines.join(" ")
        ));
    }
}
