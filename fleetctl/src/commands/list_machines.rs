//! `fleetctl list-machines`

use fleet_units::api::Machine;
use serde_json::{Value, json};

use super::tell_health;
use crate::client::{Client, ClientError};
use crate::error::CommandError;
use crate::legend;
use crate::table::{Column, ListArgs, text_or_null};
use crate::ui::Ui;

/// List the machines of the cluster
///
/// Columns: machine, ip, metadata.
#[derive(Debug, clap::Args)]
pub(crate) struct ListMachinesArgs {
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Clone, Copy, Debug)]
enum MachineColumn {
    Machine,
    Ip,
    Metadata,
}

impl Column for MachineColumn {
    type Row = Machine;
    const ALL: &'static [Self] = &[Self::Machine, Self::Ip, Self::Metadata];
    const DEFAULT: &'static [Self] = Self::ALL;

    fn name(self) -> &'static str {
        match self {
            Self::Machine => "machine",
            Self::Ip => "ip",
            Self::Metadata => "metadata",
        }
    }

    fn text(self, machine: &Machine, full: bool) -> String {
        match self {
            Self::Machine => legend::machine(&machine.id, None, full),
            Self::Ip => machine.primary_ip.clone(),
            Self::Metadata => {
                let pairs = machine.metadata.iter().map(|(key, value)| format!("{key}={value}"));
                pairs.collect::<Vec<_>>().join(",")
            }
        }
    }

    fn value(self, machine: &Machine) -> Value {
        match self {
            Self::Machine => json!(machine.id),
            Self::Ip => text_or_null(&machine.primary_ip),
            Self::Metadata => json!(machine.metadata),
        }
    }
}

/// Prints the machines that are present, sorted by id.
pub(crate) async fn list_machines(
    args: &ListMachinesArgs,
    client: &Client<'_>,
    ui: &Ui,
) -> Result<(), CommandError> {
    let columns = args.list.columns::<MachineColumn>()?;
    let machines = machines(client, ui).await.map_err(|error| {
        CommandError::doing("Error retrieving list of active machines from fleet API", error)
    })?;
    args.list.print(ui, &columns, &machines)
}

async fn machines(client: &Client<'_>, ui: &Ui) -> Result<Vec<Machine>, ClientError> {
    let mut machines = client.machines().await?;
    tell_health(client.health().await?, ui);
    machines.sort_by(|left, right| left.id.cmp(&right.id));
    Ok(machines)
}
