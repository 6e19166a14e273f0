//! `fleetctl list-unit-files`

use fleet_units::api::Unit;
use fleet_units::{Directives, TargetState, UnitFile, UnitName};
use serde_json::{Value, json};

use super::tell_health;
use crate::client::{Client, ClientError};
use crate::error::CommandError;
use crate::legend::{self, Addresses};
use crate::source::unit_file;
use crate::table::{Column, ListArgs, hash, text_or_null};
use crate::ui::Ui;

/// List all units that the cluster knows
///
/// Columns: unit, global, dstate, target, state, hash, desc.
#[derive(Debug, clap::Args)]
pub(crate) struct ListUnitFilesArgs {
    #[command(flatten)]
    list: ListArgs,
}

/// A unit that the cluster knows.
struct Row {
    unit: Unit,
    address: Option<String>,
    global: bool,
    hash: String,
    description: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FileColumn {
    Unit,
    Global,
    Dstate,
    Target,
    /// What `target` was called once.
    Tmachine,
    State,
    Hash,
    Desc,
}

impl Column for FileColumn {
    type Row = Row;
    const ALL: &'static [Self] = &[
        Self::Unit,
        Self::Global,
        Self::Dstate,
        Self::Target,
        Self::Tmachine,
        Self::State,
        Self::Hash,
        Self::Desc,
    ];
    const DEFAULT: &'static [Self] =
        &[Self::Unit, Self::Hash, Self::Dstate, Self::State, Self::Target];

    fn name(self) -> &'static str {
        match self {
            Self::Unit => "unit",
            Self::Global => "global",
            Self::Dstate => "dstate",
            Self::Target => "target",
            Self::Tmachine => "tmachine",
            Self::State => "state",
            Self::Hash => "hash",
            Self::Desc => "desc",
        }
    }

    fn text(self, row: &Row, full: bool) -> String {
        match self {
            Self::Unit => row.unit.name.clone(),
            Self::Global => row.global.to_string(),
            Self::Dstate => {
                row.unit.desired_state.map(|state| state.to_string()).unwrap_or_default()
            }
            Self::Target if row.global => "global".to_owned(),
            Self::Target | Self::Tmachine => {
                let machine = row.unit.machine_id.as_deref().unwrap_or_default();
                legend::machine(machine, row.address.as_deref(), full)
            }
            Self::State => row.state().map(|state| state.to_string()).unwrap_or_default(),
            Self::Hash => hash(&row.hash, full),
            Self::Desc => row.description.clone(),
        }
    }

    fn value(self, row: &Row) -> Value {
        match self {
            Self::Unit => json!(row.unit.name),
            Self::Global => json!(row.global),
            Self::Dstate => json!(row.unit.desired_state),
            Self::Target | Self::Tmachine => json!(row.unit.machine_id),
            Self::State => json!(row.state()),
            Self::Hash => text_or_null(&row.hash),
            Self::Desc => text_or_null(&row.description),
        }
    }
}

impl Row {
    fn of(unit: Unit, addresses: &Addresses) -> Self {
        let file = unit_file(&unit).ok();
        let hash = file.as_ref().map(|file| file.hash().to_string()).unwrap_or_default();
        let description = file.as_ref().and_then(|file| file.values("Unit", "Description").next());
        Self {
            address: unit.machine_id.as_deref().and_then(|id| addresses.of(id)).map(str::to_owned),
            global: file.as_ref().is_some_and(|file| is_global(&unit.name, file)),
            description: description.unwrap_or_default().to_owned(),
            hash,
            unit,
        }
    }

    /// A global unit has a state on each of its machines, and none of its own.
    fn state(&self) -> Option<TargetState> {
        self.unit.current_state.filter(|_| !self.global)
    }
}

fn is_global(name: &str, file: &UnitFile) -> bool {
    name.parse::<UnitName>().is_ok_and(|name| Directives::lenient(file, &name).global)
}

/// Prints all units, sorted by name.
pub(crate) async fn list_unit_files(
    args: &ListUnitFilesArgs,
    client: &Client<'_>,
    ui: &Ui,
) -> Result<(), CommandError> {
    let columns = args.list.columns::<FileColumn>()?;
    if columns.contains(&FileColumn::Tmachine) {
        ui.note("WARNING: The \"tmachine\" field is deprecated. Use \"target\" instead.");
    }
    let rows = rows(client, ui).await.map_err(|error| {
        CommandError::doing("Error retrieving list of units from repository", error)
    })?;
    args.list.print(ui, &columns, &rows)
}

async fn rows(client: &Client<'_>, ui: &Ui) -> Result<Vec<Row>, ClientError> {
    let mut units = client.units().await?;
    let addresses: Addresses = client.machines().await?.into_iter().collect();
    tell_health(client.health().await?, ui);
    units.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(units.into_iter().map(|unit| Row::of(unit, &addresses)).collect())
}
