//! `fleetctl list-units`

use fleet_units::api::UnitState;
use fleet_units::api::v2::StateList;
use serde_json::{Value, json};

use super::systemd_states::{STATES, active_tone, load_tone};
use crate::client::Client;
use crate::error::CommandError;
use crate::filter::{Key, Subject};
use crate::legend::{self, Addresses};
use crate::list::{ListArgs, Listed, list};
use crate::table::{Column, hash, text_or_null};
use crate::terminal::Tone;
use crate::ui::Ui;

/// List units as systemd sees them on their machines
///
/// Columns: unit, load, active, sub, machine, ip, hash.
///
/// Conditions of --filter: name=GLOB, machine=ID or ADDRESS (the beginning of an id will do), and
/// state=WORD, which may be systemd's active, load or sub-state.
#[derive(Debug, clap::Args)]
pub(crate) struct ListUnitsArgs {
    #[command(flatten)]
    list: ListArgs,
}

/// A unit on a machine.
struct Row {
    state: UnitState,
    address: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum UnitColumn {
    Unit,
    Load,
    Active,
    Sub,
    Machine,
    Ip,
    Hash,
}

impl Column for UnitColumn {
    type Row = Row;
    const ALL: &'static [Self] =
        &[Self::Unit, Self::Load, Self::Active, Self::Sub, Self::Machine, Self::Ip, Self::Hash];
    const DEFAULT: &'static [Self] = &[Self::Unit, Self::Machine, Self::Active, Self::Sub];

    const KEYS: &'static [Key] = &[Key::Name, Key::State, Key::Machine];
    const STATES: &'static [&'static str] = STATES;

    fn name(self) -> &'static str {
        match self {
            Self::Unit => "unit",
            Self::Load => "load",
            Self::Active => "active",
            Self::Sub => "sub",
            Self::Machine => "machine",
            Self::Ip => "ip",
            Self::Hash => "hash",
        }
    }

    fn text(self, row: &Row, full: bool) -> String {
        let state = &row.state;
        match self {
            Self::Unit => state.name.clone(),
            Self::Load => state.systemd_load_state.clone(),
            Self::Active => state.systemd_active_state.clone(),
            Self::Sub => state.systemd_sub_state.clone(),
            Self::Machine => legend::machine(&state.machine_id, row.address.as_deref(), full),
            Self::Ip => row.address.clone().unwrap_or_default(),
            Self::Hash => hash(&state.hash, full),
        }
    }

    fn value(self, row: &Row) -> Value {
        let state = &row.state;
        match self {
            Self::Unit => json!(state.name),
            Self::Load => text_or_null(&state.systemd_load_state),
            Self::Active => text_or_null(&state.systemd_active_state),
            Self::Sub => text_or_null(&state.systemd_sub_state),
            Self::Machine => text_or_null(&state.machine_id),
            Self::Ip => json!(row.address),
            Self::Hash => text_or_null(&state.hash),
        }
    }

    fn subject(row: &Row) -> Subject<'_> {
        let Row { state, address } = row;
        let states =
            [&state.systemd_active_state, &state.systemd_load_state, &state.systemd_sub_state];
        Subject {
            name: &state.name,
            states: states.map(String::as_str).to_vec(),
            machines: vec![(&state.machine_id, address.as_deref())],
            metadata: None,
        }
    }

    fn tone(self, row: &Row) -> Tone {
        match self {
            Self::Active | Self::Sub => active_tone(&row.state.systemd_active_state),
            Self::Load => load_tone(&row.state.systemd_load_state),
            Self::Unit | Self::Machine | Self::Ip | Self::Hash => Tone::Plain,
        }
    }
}

/// Prints what machines report of units, sorted by unit and machine.
pub(crate) async fn list_units(
    args: &ListUnitsArgs,
    client: &Client<'_>,
    ui: &Ui,
) -> Result<(), CommandError> {
    list::<UnitColumn>(&args.list, client, ui, async |_| {
        let states = client.states().await.map_err(|error| {
            CommandError::doing("Error retrieving list of units from repository", error)
        })?;
        Ok(listed(states))
    })
    .await
}

fn listed(list: StateList) -> Listed<Row> {
    let StateList { mut states, machines, health, .. } = list;
    let addresses: Addresses = machines.into_iter().collect();
    states.sort_by(|left, right| {
        (&left.name, &left.machine_id).cmp(&(&right.name, &right.machine_id))
    });
    let row = |state: UnitState| Row {
        address: addresses.of(&state.machine_id).map(str::to_owned),
        state,
    };
    Listed { rows: states.into_iter().map(row).collect(), health }
}
