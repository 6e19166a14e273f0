//! `fleetctl status`

use fleet_units::{TargetState, UnitName};

use super::{name_of, no_units_given};
use crate::client::{Client, is_global};
use crate::error::CommandError;
use crate::legend::{self, Addresses};
use crate::settings::{Environment, SshSettings};
use crate::ssh::{self, Place};
use crate::ui::Ui;

/// Identity of this machine.
const MACHINE_ID: &str = "/etc/machine-id";

/// Print what systemd says of units, on their machines
///
/// Exits as systemctl does: 3 if a unit does not run.
#[derive(Debug, clap::Args)]
pub(crate) struct StatusArgs {
    /// Names of units
    #[arg(value_name = "UNIT")]
    units: Vec<String>,
    /// Port of sshd on the machines
    #[arg(long, value_name = "PORT", default_value_t = 22)]
    ssh_port: u16,
    /// Has no effect: there is nothing to wait for
    #[arg(long, hide = true)]
    no_block: bool,
}

/// Machines that hold a unit.
struct Holders {
    machines: Vec<String>,
    global: bool,
}

/// Runs systemctl on the machines of the units.
pub(crate) async fn status(
    args: &StatusArgs,
    client: &Client<'_>,
    ui: &Ui,
    settings: &SshSettings,
    environment: Environment<'_>,
) -> Result<(), CommandError> {
    if args.units.is_empty() {
        no_units_given(ui);
        return Ok(());
    }
    let addresses: Addresses = client.machines().await?.into_iter().collect();
    let own = std::fs::read_to_string(MACHINE_ID).unwrap_or_default();
    let own = own.trim();
    let mut worst = 0;
    let mut printed = false;
    for argument in &args.units {
        let name = name_of(argument)?;
        let holders = holders(client, &name).await?;
        for machine in &holders.machines {
            if std::mem::replace(&mut printed, true) {
                ui.line("")?;
            }
            if holders.global {
                ui.line(&format!("{}:", legend::short(machine, addresses.of(machine))))?;
            }
            let place = place(own, machine, &addresses, args.ssh_port)?;
            let words = ["systemctl", "status", "-l", name.as_str()];
            let code = ssh::run(settings, environment, &place, &words)?;
            // The first that is not 0 counts, as that is where 1.0 stopped.
            worst = if worst == 0 { code } else { worst };
        }
    }
    if worst == 0 { Ok(()) } else { Err(CommandError::program(worst)) }
}

async fn holders(client: &Client<'_>, name: &UnitName) -> Result<Holders, CommandError> {
    let unit = client.unit(name.as_str()).await?;
    let unit = unit.ok_or_else(|| CommandError::failed(format!("Unit {name} does not exist.")))?;
    let global = is_global(&unit);
    let machines: Vec<String> = if global {
        client.states_of(name.as_str()).await?.into_iter().map(|state| state.machine_id).collect()
    } else {
        let loaded = unit.current_state != Some(TargetState::Inactive);
        unit.machine_id.into_iter().filter(|_| loaded).collect()
    };
    if machines.is_empty() {
        return Err(CommandError::failed(format!("Unit {name} does not appear to be loaded.")));
    }
    Ok(Holders { machines, global })
}

fn place(
    own: &str,
    machine: &str,
    addresses: &Addresses,
    port: u16,
) -> Result<Place, CommandError> {
    if machine == own {
        return Ok(Place::Here);
    }
    let address = addresses.of(machine).ok_or_else(|| {
        CommandError::failed(format!("Could not determine address of machine {machine}."))
    })?;
    Ok(Place::There { address: address.to_owned(), port })
}
