//! `fleetctl restart`

use fleet_units::{TargetState, UnitName};

use super::patterns::{Scope, named};
use super::raise::{Raise, RaiseArgs, raise};
use super::whereabouts::{MachineArgs, Map, chosen, holders};
use super::{no_unit, no_units_given, triggered};
use crate::client::Client;
use crate::error::CommandError;
use crate::ssh::Ssh;
use crate::ui::Ui;
use crate::wait::BlockArgs;

/// Stop units that run and start them again, each where it is
///
/// A unit that is loaded is started, one that is inactive is left alone. A global unit is restarted
/// on all machines, or with --machine on one, by systemctl there.
#[derive(Debug, clap::Args)]
pub(crate) struct RestartArgs {
    /// Names of units, paths of their files, or patterns such as 'web@*'
    #[arg(value_name = "UNIT")]
    units: Vec<String>,
    #[command(flatten)]
    block: BlockArgs,
    /// Only on the machine whose id begins so
    #[arg(long, value_name = "ID", conflicts_with = "block_attempts")]
    machine: Option<String>,
    /// Port of sshd on that machine
    #[arg(long, value_name = "PORT", default_value_t = 22)]
    ssh_port: u16,
    /// Restart as root on that machine
    #[arg(long, requires = "machine")]
    sudo: bool,
}

/// Restarts units.
pub(crate) async fn restart(
    args: &RestartArgs,
    client: &Client<'_>,
    ui: &Ui,
    ssh: &Ssh<'_>,
) -> Result<(), CommandError> {
    if args.machine.is_some() {
        return restart_copies(args, client, ui, ssh).await;
    }
    let units = RaiseArgs::as_they_are(args.units.clone());
    raise(Raise::Restart(&args.block), &units, client, ui).await
}

/// Restarts units on one machine, which fleet's targets cannot tell from the others.
async fn restart_copies(
    args: &RestartArgs,
    client: &Client<'_>,
    ui: &Ui,
    ssh: &Ssh<'_>,
) -> Result<(), CommandError> {
    if args.units.is_empty() {
        no_units_given(ui);
        return Ok(());
    }
    let (names, mut ended) = named(client, &args.units, Scope::Runnable, ui).await?;
    let machine = MachineArgs { machine: args.machine.clone(), ssh_port: args.ssh_port };
    let map = Map::of(client, &machine).await?;
    for name in &names {
        let done = restart_copy(args, client, ui, (ssh, &map, &machine), name).await;
        ended = ended.and(done.map_err(|error| error.tell(ui)));
    }
    ended
}

async fn restart_copy(
    args: &RestartArgs,
    client: &Client<'_>,
    ui: &Ui,
    (ssh, map, machine): (&Ssh<'_>, &Map, &MachineArgs),
    name: &UnitName,
) -> Result<(), CommandError> {
    let holders = holders(client, name).await?.ok_or_else(|| no_unit(name))?;
    let state = holders.desired;
    if state == TargetState::Inactive {
        ui.note(&format!("Unable to restart unit {name} in state {state}"));
        return Ok(());
    }
    if state == TargetState::Loaded {
        return Err(CommandError::failed(format!(
            "Unable to restart unit {name} in state {state} on one machine: \
             `fleetctl start {name}` starts it on all that are to run it"
        )));
    }
    let copy = chosen(holders, name, machine, "loaded")?;
    let mut line = if args.sudo { vec!["sudo"] } else { Vec::new() };
    line.extend(["systemctl", "restart"]);
    let no_block = args.block.is_off();
    if no_block {
        line.push("--no-block");
    }
    line.push(name.as_str());
    let programs = map.programs(&copy, ssh, &line)?;
    ssh.in_turn(&programs, false, ui)?;
    for program in programs {
        let done = if no_block {
            triggered(name.as_str(), false, "restart")
        } else {
            format!("Unit {name} restarted")
        };
        ui.result(&format!("{done} on {}", program.machine));
    }
    Ok(())
}
