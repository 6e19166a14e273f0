//! `fleetctl ssh`

use fleet_units::UnitName;
use fleet_units::api::Machine;

use super::whereabouts::holders;
use crate::client::Client;
use crate::error::CommandError;
use crate::legend;
use crate::ssh::{Address, Program, Ssh, Visit};
use crate::ui::Ui;

/// Log in to a machine, or run a command there
///
/// Exits as the command does. Its words are joined by blanks and read by a shell on the machine, as
/// with ssh. Flags stand before the command.
#[derive(Debug, clap::Args)]
pub(crate) struct SshArgs {
    /// Go to the machine whose id begins so
    #[arg(long, value_name = "ID")]
    machine: Option<String>,
    /// Go to the machine that holds this unit; if it is global, to each machine in turn
    #[arg(long, value_name = "UNIT")]
    unit: Option<String>,
    /// Let the machine use your ssh agent
    #[arg(short = 'A', long)]
    forward_agent: bool,
    /// Port of sshd on the machine
    #[arg(long, value_name = "PORT", default_value_t = 22)]
    ssh_port: u16,
    /// Machine, by the beginning of its id, or unit; not with --machine or --unit
    #[arg(value_name = "MACHINE|UNIT")]
    target: Option<String>,
    /// Command and its arguments; without one, a shell
    #[arg(value_name = "COMMAND", trailing_var_arg = true)]
    command: Vec<String>,
}

/// Why there is no machine to go to.
#[derive(Debug, thiserror::Error)]
enum Lost {
    #[error("machine does not exist: no id begins with \"{0}\"")]
    NoMachine(String),
    #[error("found more than one machine whose id begins with \"{0}\"")]
    ManyMachines(String),
    #[error("unit does not exist: {0}")]
    NoUnit(String),
    #[error("unit {0} is on no machine")]
    Nowhere(String),
    #[error("could not find matching unit or machine for \"{0}\"")]
    Nothing(String),
    #[error(
        "ambiguous argument, both machine and unit found for `{0}`: \
         put --machine or --unit before it"
    )]
    Both(String),
}

/// Goes to the machines that the arguments mean.
pub(crate) async fn ssh(
    args: &SshArgs,
    client: &Client<'_>,
    ui: &Ui,
    ssh: &Ssh<'_>,
) -> Result<(), CommandError> {
    let words: Vec<&str> = args.target.iter().chain(&args.command).map(String::as_str).collect();
    let machines = client.machines().await?;
    let (goals, words) = match (&args.machine, &args.unit, words.as_slice()) {
        (Some(_), Some(_), _) => {
            let sentence = "Both machine and unit flags provided, please specify only one.";
            return Err(CommandError::usage(sentence));
        }
        (Some(id), None, words) => (by_id(&machines, id).map(|found| vec![found]), words),
        (None, Some(unit), words) => (by_unit(client, &machines, unit).await?, words),
        (None, None, [target, words @ ..]) => (by_either(client, &machines, target).await?, words),
        (None, None, []) => {
            let sentence = "Unable to proceed: one machine or unit must be provided";
            return Err(CommandError::usage(sentence));
        }
    };
    let goals = goals.map_err(|lost| CommandError::failed(format!("Unable to proceed: {lost}")))?;
    let line = line(words);
    if goals.len() > 1 && line.is_none() {
        let sentence = "Unable to proceed: the unit is global, and a shell is on one machine: \
                        name that with --machine";
        return Err(CommandError::failed(sentence));
    }
    visit(args, &goals, line, ui, ssh)
}

/// Joins the words as 1.0 and ssh do; dashes that set the command off are none of it.
fn line(words: &[&str]) -> Option<String> {
    let words = words.strip_prefix(&["--"]).unwrap_or(words);
    (!words.is_empty()).then(|| words.join(" "))
}

/// Finds the one machine whose id begins so.
fn by_id<'a>(machines: &'a [Machine], id: &str) -> Result<&'a Machine, Lost> {
    let mut found = machines.iter().filter(|machine| machine.id.starts_with(id) && !id.is_empty());
    match (found.next(), found.next()) {
        (Some(machine), None) => Ok(machine),
        (None, _) => Err(Lost::NoMachine(id.to_owned())),
        (Some(_), Some(_)) => Err(Lost::ManyMachines(id.to_owned())),
    }
}

/// Finds the machines that hold a unit.
async fn by_unit<'a>(
    client: &Client<'_>,
    machines: &'a [Machine],
    unit: &str,
) -> Result<Result<Vec<&'a Machine>, Lost>, CommandError> {
    // Ids of machines and beginnings of them are no units, but they are names of some.
    let Ok(name) = UnitName::from_argument(unit) else {
        return Ok(Err(Lost::NoUnit(unit.to_owned())));
    };
    let Some(holders) = holders(client, &name).await? else {
        return Ok(Err(Lost::NoUnit(name.to_string())));
    };
    let holds = |machine: &&Machine| holders.machines.contains(&machine.id);
    let machines: Vec<&Machine> = machines.iter().filter(holds).collect();
    if machines.is_empty() {
        return Ok(Err(Lost::Nowhere(name.to_string())));
    }
    Ok(Ok(machines))
}

async fn by_either<'a>(
    client: &Client<'_>,
    machines: &'a [Machine],
    target: &str,
) -> Result<Result<Vec<&'a Machine>, Lost>, CommandError> {
    let unit = by_unit(client, machines, target).await?;
    Ok(either(target, by_id(machines, target), unit))
}

fn either<'a>(
    target: &str,
    machine: Result<&'a Machine, Lost>,
    unit: Result<Vec<&'a Machine>, Lost>,
) -> Result<Vec<&'a Machine>, Lost> {
    match (machine, unit) {
        (Err(Lost::NoMachine(_)), Err(Lost::NoUnit(_))) => Err(Lost::Nothing(target.to_owned())),
        (Err(Lost::NoMachine(_)), unit) => unit,
        (Ok(machine), Err(Lost::NoUnit(_))) => Ok(vec![machine]),
        (Err(lost), Err(Lost::NoUnit(_))) => Err(lost),
        (Ok(_) | Err(_), Ok(_) | Err(_)) => Err(Lost::Both(target.to_owned())),
    }
}

fn visit(
    args: &SshArgs,
    goals: &[&Machine],
    line: Option<String>,
    ui: &Ui,
    ssh: &Ssh<'_>,
) -> Result<(), CommandError> {
    let visit = Visit { line, forward_agent: args.forward_agent };
    let mut programs = Vec::with_capacity(goals.len());
    for machine in goals {
        if machine.primary_ip.is_empty() {
            return Err(CommandError::failed("Could not determine address of machine."));
        }
        let address = Address::of_machine(&machine.primary_ip, args.ssh_port)
            .map_err(|error| CommandError::doing("Error", error))?;
        let machine = legend::short(&machine.id, Some(&machine.primary_ip));
        programs.push(Program { machine, line: ssh.visit(&address, &visit) });
    }
    match programs.as_slice() {
        [only] => Err(ssh.turn_into(&only.line)),
        programs => ssh.in_turn(programs, true, ui),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machines() -> Vec<Machine> {
        let ids = ["8145ebb7", "8145ffff", "113f16a7"];
        ids.map(|id| Machine { id: id.to_owned(), ..Machine::default() }).to_vec()
    }

    #[test]
    fn a_word_means_a_machine_or_a_unit_but_never_both() {
        let machines = machines();
        let no_unit = || Err(Lost::NoUnit("x.service".to_owned()));
        let nowhere = || Err(Lost::Nowhere("x.service".to_owned()));
        let found = |target, unit| match either(target, by_id(&machines, target), unit) {
            Ok(found) => {
                found.iter().map(|machine| machine.id.as_str()).collect::<Vec<_>>().join(" ")
            }
            Err(lost) => lost.to_string(),
        };
        let all = machines.iter().collect::<Vec<_>>();
        let found = [
            found("11", no_unit()),
            found("8145", no_unit()),
            found("8145ebb7", Ok(all.clone())),
            found("81", Ok(all.clone())),
            found("11", nowhere()),
            found("x", Ok(all)),
            found("x", nowhere()),
            found("x", no_unit()),
            found("", no_unit()),
        ];
        insta::assert_snapshot!(found.join("\n"), @r#"
        113f16a7
        found more than one machine whose id begins with "8145"
        ambiguous argument, both machine and unit found for `8145ebb7`: put --machine or --unit before it
        ambiguous argument, both machine and unit found for `81`: put --machine or --unit before it
        ambiguous argument, both machine and unit found for `11`: put --machine or --unit before it
        8145ebb7 8145ffff 113f16a7
        unit x.service is on no machine
        could not find matching unit or machine for "x"
        could not find matching unit or machine for ""
        "#);
    }

    #[test]
    fn words_are_joined_and_only_the_first_dashes_are_dropped() {
        let lines = [&["ls", "-l"][..], &["--", "grep", "--", "-x"], &["--"], &[]].map(line);
        assert_eq!(
            lines,
            [Some("ls -l"), Some("grep -- -x"), None, None].map(|line| line.map(str::to_owned))
        );
    }
}
