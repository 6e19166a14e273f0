//! `fleetctl list-units`

use fleet_units::api::UnitState;
use fleet_units::api::v2::StateList;
use serde_json::{Value, json};

use super::tell_health;
use crate::client::{Client, ClientError};
use crate::error::CommandError;
use crate::legend::{self, Addresses};
use crate::table::{Column, ListArgs, hash, text_or_null};
use crate::ui::Ui;

/// List units as systemd sees them on their machines
///
/// Columns: unit, load, active, sub, machine, hash, and ip with --json.
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

#[derive(Clone, Copy, Debug)]
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
}

/// Prints what machines report of units, sorted by unit and machine.
pub(crate) async fn list_units(
    args: &ListUnitsArgs,
    client: &Client<'_>,
    ui: &Ui,
) -> Result<(), CommandError> {
    let columns = args.list.columns::<UnitColumn>()?;
    let rows = rows(client, ui).await.map_err(|error| {
        CommandError::doing("Error retrieving list of units from repository", error)
    })?;
    args.list.print(ui, &columns, &rows)
}

async fn rows(client: &Client<'_>, ui: &Ui) -> Result<Vec<Row>, ClientError> {
    let StateList { mut states, machines, health, .. } = client.states().await?;
    let addresses: Addresses = machines.into_iter().collect();
    tell_health(health, ui);
    states.sort_by(|left, right| {
        (&left.name, &left.machine_id).cmp(&(&right.name, &right.machine_id))
    });
    let row = |state: UnitState| Row {
        address: addresses.of(&state.machine_id).map(str::to_owned),
        state,
    };
    Ok(states.into_iter().map(row).collect())
}
