//! Where units are, for commands that go there.

use fleet_units::{TargetState, UnitName};

use super::no_unit;
use crate::client::Client;
use crate::error::CommandError;
use crate::legend::{self, Addresses};
use crate::source::{is_global, unit_file};
use crate::ssh::{Address, Place, Program, Ssh};

/// Identity of this machine.
const MACHINE_ID: &str = "/etc/machine-id";

/// Flags of commands that go to the machines of units.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct MachineArgs {
    /// Only on the machine whose id begins so
    #[arg(long, value_name = "ID")]
    pub(super) machine: Option<String>,
    /// Port of sshd on the machines
    #[arg(long, value_name = "PORT", default_value_t = 22)]
    pub(super) ssh_port: u16,
}

/// Machines that hold a unit.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Holders {
    /// Their ids.
    pub(super) machines: Vec<String>,
    /// The machine that is to hold it and does not report it.
    pub(super) lacking: Option<String>,
    /// Whether there is one on each machine that is eligible.
    pub(super) global: bool,
    /// What is asked for of the unit.
    pub(super) desired: TargetState,
}

/// How to get from this machine to the others.
#[derive(Debug)]
pub(super) struct Map {
    own: String,
    addresses: Addresses,
    port: u16,
}

/// Finds the machines that hold a unit.
pub(super) async fn holders(
    client: &Client<'_>,
    name: &UnitName,
) -> Result<Option<Holders>, CommandError> {
    let Some(unit) = client.unit(name.as_str()).await? else { return Ok(None) };
    let global = unit_file(&unit).is_ok_and(|file| is_global(&unit.name, &file));
    let desired = unit.desired_state.unwrap_or_default();
    let (machines, lacking) = if global {
        let states = client.states_of(name.as_str()).await?;
        (states.into_iter().map(|state| state.machine_id).collect(), None)
    } else if unit.current_state == Some(TargetState::Inactive) {
        (Vec::new(), unit.machine_id)
    } else {
        (unit.machine_id.into_iter().collect(), None)
    };
    Ok(Some(Holders { machines, lacking, global, desired }))
}

/// Finds the machines that a command is to go to; `state` is what a unit without one is not.
pub(super) async fn goals(
    client: &Client<'_>,
    name: &UnitName,
    args: &MachineArgs,
    state: &str,
) -> Result<Holders, CommandError> {
    let holders = holders(client, name).await?.ok_or_else(|| no_unit(name))?;
    chosen(holders, name, args, state)
}

/// Chooses those of the machines that are meant.
pub(super) fn chosen(
    holders: Holders,
    name: &UnitName,
    args: &MachineArgs,
    state: &str,
) -> Result<Holders, CommandError> {
    if holders.machines.is_empty() {
        let hint = holders.lacking.map(|machine| {
            let machine = legend::short(&machine, None);
            format!(
                " It belongs on {machine}, which does not report it: `fleetctl list-machines` tells \
                 whether that is there."
            )
        });
        let hint = hint.unwrap_or_default();
        let what = format!("Unit {name} does not appear to be {state}.{hint}");
        return Err(CommandError::failed(what));
    }
    match &args.machine {
        Some(id) => {
            let machines = only(holders.machines, |machine| machine, name.as_str(), id)?;
            Ok(Holders { machines, ..holders })
        }
        None => Ok(holders),
    }
}

/// Chooses the one whose machine has an id that begins so, of all that are there of a unit.
pub(super) fn only<T>(
    mut copies: Vec<T>,
    machine: impl Fn(&T) -> &String,
    name: &str,
    id: &str,
) -> Result<Vec<T>, CommandError> {
    // Nothing is what a variable holds that was never set, and means no machine.
    copies.retain(|copy| !id.is_empty() && machine(copy).starts_with(id));
    match copies.as_slice() {
        [_] => Ok(copies),
        [] => Err(CommandError::failed(format!(
            "Unit {name} is not on a machine whose id begins with \"{id}\"."
        ))),
        _ => Err(CommandError::failed(format!(
            "Unit {name} is on more than one machine whose id begins with \"{id}\"."
        ))),
    }
}

impl Map {
    /// Asks where the machines are.
    pub(super) async fn of(client: &Client<'_>, args: &MachineArgs) -> Result<Self, CommandError> {
        let addresses = client.machines().await?.into_iter().collect();
        let own = std::fs::read_to_string(MACHINE_ID).unwrap_or_default();
        Ok(Self { own: own.trim().to_owned(), addresses, port: args.ssh_port })
    }

    /// Gives the place of a machine.
    fn place(&self, machine: &str) -> Result<Place, CommandError> {
        if machine == self.own {
            return Ok(Place::Here);
        }
        let host = self.addresses.of(machine).ok_or_else(|| {
            CommandError::failed(format!("Could not determine address of machine {machine}."))
        })?;
        let address = Address::of_machine(host, self.port);
        address.map(Place::There).map_err(|error| CommandError::doing("Error", error))
    }

    /// Gives the programs that have these words, one for each machine.
    pub(super) fn programs(
        &self,
        goals: &Holders,
        ssh: &Ssh<'_>,
        words: &[&str],
    ) -> Result<Vec<Program>, CommandError> {
        goals.machines.iter().map(|machine| self.program(machine, ssh, words)).collect()
    }

    /// Gives the program that has these words on a machine.
    pub(super) fn program(
        &self,
        machine: &str,
        ssh: &Ssh<'_>,
        words: &[&str],
    ) -> Result<Program, CommandError> {
        let line = ssh.program(&self.place(machine)?, words);
        Ok(Program { machine: legend::short(machine, self.addresses.of(machine)), line })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(id: &str) -> String {
        let machines = ["8145ebb7", "8145ffff", "113f16a7"].map(str::to_owned).to_vec();
        match only(machines, |machine| machine, "all.service", id) {
            Ok(machines) => machines.join(" "),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_machine_is_chosen_by_the_beginning_of_its_id_if_that_means_one() {
        insta::assert_snapshot!(["11", "8145f", "8145", "2", ""].map(shown).join("\n"), @r#"
        113f16a7
        8145ffff
        Unit all.service is on more than one machine whose id begins with "8145".
        Unit all.service is not on a machine whose id begins with "2".
        Unit all.service is not on a machine whose id begins with "".
        "#);
    }
}
