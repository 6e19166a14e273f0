//! `fleetctl status`

use fleet_units::UnitName;

use super::no_units_given;
use super::patterns::{Scope, named};
use super::status_json::status_json;
use super::whereabouts::{MachineArgs, Map, goals};
use crate::client::Client;
use crate::error::CommandError;
use crate::ssh::{Program, Ssh};
use crate::ui::Ui;

/// Print what systemd says of units, on their machines
///
/// Exits as systemctl does: 3 if a unit does not run.
#[derive(Debug, clap::Args)]
pub(crate) struct StatusArgs {
    /// Names of units, or patterns such as 'web@*'
    #[arg(value_name = "UNIT")]
    units: Vec<String>,
    #[command(flatten)]
    machine: MachineArgs,
    /// Print a JSON array of units, with what fleet knows and what systemd says, for programs
    #[arg(long)]
    json: bool,
    /// Has no effect: there is nothing to wait for
    #[arg(long, hide = true)]
    no_block: bool,
}

/// Runs systemctl on the machines of the units.
pub(crate) async fn status(
    args: &StatusArgs,
    client: &Client<'_>,
    ui: &Ui,
    ssh: &Ssh<'_>,
) -> Result<(), CommandError> {
    if args.units.is_empty() {
        no_units_given(ui);
        return Ok(());
    }
    let (names, mut ended) = named(client, &args.units, Scope::Runnable, ui).await?;
    if args.json {
        return ended.and(status_json(&names, &args.machine, client, ui, ssh).await);
    }
    let map = Map::of(client, &args.machine).await?;
    let mut printed = false;
    for name in &names {
        let programs = programs(args, client, &map, ssh, name).await;
        if programs.is_ok() && std::mem::replace(&mut printed, true) {
            ui.line("")?;
        }
        let done = programs.and_then(|(headed, programs)| ssh.in_turn(&programs, headed, ui));
        // Told now, so that it stands between the others; the first counts, as 1.0 stopped there.
        ended = ended.and(done.map_err(|error| error.tell(ui)));
    }
    ended
}

/// Gives the programs that tell of a unit, and whether they are to name their machines.
async fn programs(
    args: &StatusArgs,
    client: &Client<'_>,
    map: &Map,
    ssh: &Ssh<'_>,
    name: &UnitName,
) -> Result<(bool, Vec<Program>), CommandError> {
    let goals = goals(client, name, &args.machine, "loaded").await?;
    let words = ["systemctl", "status", "-l", name.as_str()];
    Ok((goals.global, map.programs(&goals, ssh, &words)?))
}
