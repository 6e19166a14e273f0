//! `fleetctl list-machines`

use fleet_units::api::Machine;
use serde_json::{Value, json};

use crate::client::{Client, ClientError};
use crate::error::CommandError;
use crate::filter::{Key, Subject};
use crate::legend;
use crate::list::{ListArgs, Listed, list};
use crate::table::{Column, text_or_null};
use crate::ui::Ui;

/// List the machines of the cluster
///
/// Columns: machine, ip, metadata.
///
/// Conditions of --filter: machine=ID or ADDRESS (the beginning of an id will do), and
/// metadata=KEY=VALUE.
#[derive(Debug, clap::Args)]
pub(crate) struct ListMachinesArgs {
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MachineColumn {
    Machine,
    Ip,
    Metadata,
}

impl Column for MachineColumn {
    type Row = Machine;
    const ALL: &'static [Self] = &[Self::Machine, Self::Ip, Self::Metadata];
    const DEFAULT: &'static [Self] = Self::ALL;

    const KEYS: &'static [Key] = &[Key::Machine, Key::Metadata];
    const STATES: &'static [&'static str] = &[];

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

    fn subject(machine: &Machine) -> Subject<'_> {
        Subject {
            machines: vec![(&machine.id, Some(&machine.primary_ip))],
            metadata: Some(&machine.metadata),
            ..Subject::default()
        }
    }
}

/// Prints the machines that are present, sorted by id.
pub(crate) async fn list_machines(
    args: &ListMachinesArgs,
    client: &Client<'_>,
    ui: &Ui,
) -> Result<(), CommandError> {
    list::<MachineColumn>(&args.list, client, ui, async |_| {
        machines(client).await.map_err(|error| {
            CommandError::doing("Error retrieving list of active machines from fleet API", error)
        })
    })
    .await
}

async fn machines(client: &Client<'_>) -> Result<Listed<Machine>, ClientError> {
    let mut rows = client.machines().await?;
    let health = client.health().await?;
    rows.sort_by(|left, right| left.id.cmp(&right.id));
    Ok(Listed { rows, health })
}
