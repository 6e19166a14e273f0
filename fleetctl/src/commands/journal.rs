//! `fleetctl journal`

use std::slice;

use fleet_units::UnitName;

use super::patterns::{Scope, named};
use super::whereabouts::{MachineArgs, Map, goals};
use crate::client::Client;
use crate::error::CommandError;
use crate::ssh::{Program, Ssh};
use crate::ui::Ui;

/// Print the journal of a unit, from its machines
///
/// Exits as journalctl does. Of several units or machines, one journal comes after the other; with
/// --follow all come together, and each line names its machine.
#[derive(Debug, clap::Args)]
pub(crate) struct JournalArgs {
    /// Name of the unit, or a pattern such as 'web@*'
    #[arg(value_name = "UNIT")]
    unit: String,
    /// How many of the last lines, or `all`
    #[arg(short = 'n', long, value_name = "N", default_value = "10", value_parser = lines)]
    lines: String,
    /// Go on with lines as they are written
    #[arg(short = 'f', long)]
    follow: bool,
    /// Read the journal as root
    #[arg(long)]
    sudo: bool,
    /// Form of the lines, as of journalctl
    #[arg(short = 'o', long, value_name = "FORM", default_value = "short")]
    output: String,
    #[command(flatten)]
    machine: MachineArgs,
}

fn lines(text: &str) -> Result<String, String> {
    if text == "all" || text.parse::<u64>().is_ok() {
        return Ok(text.to_owned());
    }
    Err("it takes a number or `all`".to_owned())
}

/// Runs journalctl on the machines of the unit.
pub(crate) async fn journal(
    args: &JournalArgs,
    client: &Client<'_>,
    ui: &Ui,
    ssh: &Ssh<'_>,
) -> Result<(), CommandError> {
    let unit = slice::from_ref(&args.unit);
    let (names, mut ended) = named(client, unit, Scope::Runnable, ui).await?;
    let map = Map::of(client, &args.machine).await?;
    let mut programs = Vec::new();
    for name in &names {
        match programs_of(args, client, &map, ssh, name).await {
            Ok(found) if names.len() == 1 => programs.extend(found),
            Ok(found) => programs.extend(found.into_iter().map(|program| {
                let machine = format!("{name} on {}", program.machine);
                Program { machine, ..program }
            })),
            Err(error) => ended = ended.and(Err(error.tell(ui))),
        }
    }
    let done = match programs.as_slice() {
        [] => Ok(()),
        [only] if names.len() == 1 => Err(ssh.turn_into(&only.line)),
        _ if args.follow => ssh.follow(programs, ui).await,
        programs => ssh.in_turn(programs, true, ui),
    };
    ended.and(done)
}

/// Gives the programs that have the journal of a unit, one for each machine.
async fn programs_of(
    args: &JournalArgs,
    client: &Client<'_>,
    map: &Map,
    ssh: &Ssh<'_>,
    name: &UnitName,
) -> Result<Vec<Program>, CommandError> {
    let goals = goals(client, name, &args.machine, "running").await?;
    map.programs(&goals, ssh, &words(args, name.as_str()))
}

fn words<'a>(args: &'a JournalArgs, unit: &'a str) -> Vec<&'a str> {
    let mut words = Vec::new();
    if args.sudo {
        words.push("sudo");
    }
    words.extend(["journalctl", "--unit", unit, "--no-pager", "-n", &args.lines]);
    words.extend(["--output", &args.output]);
    if args.follow {
        words.push("-f");
    }
    words
}
