//! What 1.0 knows of units, in the shape in which newer servers tell it.

use std::collections::BTreeSet;

use fleet_units::api::v2::{Copy, JobState, UnitDetail, Update};
use fleet_units::api::{Unit, UnitState};
use fleet_units::{TargetState, UnitFile};
use futures_util::{StreamExt, TryStreamExt, stream};

use super::error::ClientError;
use super::{CONCURRENT, Client};
use crate::legend::Addresses;
use crate::source::is_global;

/// In place of the uid of a record, all of which are 0 here.
const ANOTHER_TEXT: i64 = -1;

/// Asks for each of the units.
pub(super) async fn ask(
    client: &Client<'_>,
    names: &BTreeSet<String>,
) -> Result<Update, ClientError> {
    let addresses: Addresses = client.machines().await?.into_iter().collect();
    let units: Vec<(&String, Option<Unit>, Vec<UnitState>)> = stream::iter(names)
        .map(|name| async move {
            let unit = client.unit(name).await?;
            let states = match unit {
                Some(_) => client.states_of(name).await?,
                None => Vec::new(),
            };
            Ok::<_, ClientError>((name, unit, states))
        })
        .buffered(CONCURRENT)
        .try_collect()
        .await?;
    let mut update = Update::default();
    for (name, unit, states) in units {
        match unit {
            Some(unit) => update.units.push(detail(&unit, &states, &addresses)),
            None => update.gone.push(name.clone()),
        }
    }
    Ok(update)
}

/// Puts together what 1.0 says in three places. It has no generations, so every report counts.
fn detail(unit: &Unit, states: &[UnitState], addresses: &Addresses) -> UnitDetail {
    let file = UnitFile::from_options(unit.options.clone()).ok();
    let global = file.as_ref().is_some_and(|file| is_global(&unit.name, file));
    let hash = file.map(|file| file.hash().to_string()).unwrap_or_default();
    let copies = states.iter().map(|state| {
        let copy = copy(unit, global, state, addresses);
        // A machine that has the unit in another text has yet to act on the replacement.
        let older = !global && !state.hash.is_empty() && state.hash != hash;
        if older { Copy { uid: ANOTHER_TEXT, ..copy } } else { copy }
    });
    let mut machines: Vec<Copy> = copies.collect();
    if let Some(machine) = unit.machine_id.as_deref().filter(|_| machines.is_empty()) {
        let address = addresses.of(machine).map(str::to_owned);
        machines.push(Copy { machine: machine.to_owned(), address, ..Copy::default() });
    }
    UnitDetail {
        name: unit.name.clone(),
        global,
        desired_state: unit.desired_state.unwrap_or_default(),
        current_state: (!global).then(|| unit.current_state.unwrap_or_default()),
        machines,
        ..UnitDetail::default()
    }
}

fn copy(unit: &Unit, global: bool, state: &UnitState, addresses: &Addresses) -> Copy {
    let elsewhere = unit.machine_id.as_ref().is_some_and(|machine| *machine != state.machine_id);
    Copy {
        machine: state.machine_id.clone(),
        address: addresses.of(&state.machine_id).map(str::to_owned),
        current: if global { current(state) } else { unit.current_state.unwrap_or_default() },
        load: state.systemd_load_state.clone(),
        active: state.systemd_active_state.clone(),
        sub: state.systemd_sub_state.clone(),
        job: job(unit, state),
        leaving: elsewhere,
        ..Copy::default()
    }
}

/// Guesses how far a copy of a global unit is, of which 1.0 has no current state.
fn current(state: &UnitState) -> TargetState {
    match state.systemd_active_state.as_str() {
        "" | "inactive" | "failed" => TargetState::Loaded,
        _ => TargetState::Launched,
    }
}

/// Guesses from a unit's state how far its job is, which 1.0 does not tell.
fn job(unit: &Unit, state: &UnitState) -> JobState {
    if unit.desired_state != Some(TargetState::Launched) {
        return JobState::None;
    }
    match state.systemd_active_state.as_str() {
        "activating" | "reloading" | "deactivating" => JobState::Running,
        "failed" => JobState::Failed,
        _ => JobState::Done,
    }
}
