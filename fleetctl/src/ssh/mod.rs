//! Programs on the machines of the cluster: run here, or there through the system's `ssh`.

mod address;
mod follow;
mod line;
mod tunnel;

use std::io::{self, IsTerminal};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus, Stdio};

pub(crate) use address::Address;
pub(crate) use follow::Program;

use crate::client::Endpoint;
use crate::error::CommandError;
use crate::settings::{Environment, Settings, SshSettings};
use crate::ui::Ui;
use line::Login;
use tunnel::Tunnel;

/// Where a program is to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// This machine.
    Here,
    /// The machine that has this address.
    There(Address),
}

/// What a person asks of a machine by `fleetctl ssh`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Visit {
    /// The line for the machine's shell; without one, the shell itself.
    pub(crate) line: Option<String>,
    /// Whether the machine may use the person's agent.
    pub(crate) forward_agent: bool,
}

/// The way to other machines.
pub(crate) struct Ssh<'a> {
    settings: &'a SshSettings,
    environment: Environment<'a>,
    tunnel: Option<Tunnel>,
}

impl<'a> Ssh<'a> {
    /// Opens the tunnel, if there is to be one.
    pub(crate) async fn open(
        settings: &'a Settings,
        environment: Environment<'a>,
        ui: &Ui,
    ) -> Result<Self, CommandError> {
        let tunnel = match &settings.tunnel {
            Some(address) => {
                line::make_known_hosts_directory(&settings.ssh, environment);
                Some(Tunnel::open(&settings.ssh, environment, address, ui).await?)
            }
            None => None,
        };
        Ok(Self { settings: &settings.ssh, environment, tunnel })
    }

    /// Leads to fleet's API through the tunnel, if there is one.
    pub(crate) fn endpoint(&self, endpoint: &Endpoint) -> Endpoint {
        match &self.tunnel {
            Some(tunnel) => tunnel.endpoint(self.settings, endpoint),
            None => endpoint.clone(),
        }
    }

    /// Gives the words that run a program at a place; they arrive there as they are.
    pub(crate) fn program(&self, place: &Place, words: &[&str]) -> Vec<String> {
        let Place::There(address) = place else {
            return words.iter().map(ToString::to_string).collect();
        };
        let words: Vec<String> = words.iter().map(|word| line::quoted(word)).collect();
        self.login(address, &[], &words)
    }

    /// Gives the words for a visit to a machine.
    pub(crate) fn visit(&self, address: &Address, visit: &Visit) -> Vec<String> {
        let terminal = io::stdin().is_terminal();
        let watched = terminal && io::stdout().is_terminal() && io::stderr().is_terminal();
        let mut flags = Vec::new();
        if visit.forward_agent {
            flags.push("-A");
        }
        match (&visit.line, terminal, watched) {
            // A terminal there too, so that Ctrl-C ends the program and not only the connection.
            (Some(_), _, true) => flags.extend(["-t", "-o", "LogLevel=ERROR"]),
            // Else ssh would say that there can be none.
            (None, false, _) => flags.push("-T"),
            (None, true, _) => flags.extend(["-o", "LogLevel=ERROR"]),
            (Some(_), _, false) => {}
        }
        self.login(address, &flags, visit.line.as_slice())
    }

    /// Runs a program, lets it talk to the terminal, and gives its exit code.
    fn run(&self, line: &[String]) -> Result<u8, CommandError> {
        let Some(mut command) = self.command(line) else { return Ok(0) };
        Ok(code(command.status().map_err(|error| cannot_run(line, error))?))
    }

    /// Runs programs one after the other, each below the name of its machine if it is `headed`. The
    /// first that does not end well counts.
    pub(crate) fn in_turn(
        &self,
        programs: &[Program],
        headed: bool,
        ui: &Ui,
    ) -> Result<(), CommandError> {
        let mut worst = 0;
        for (index, program) in programs.iter().enumerate() {
            if index > 0 {
                ui.line("")?;
            }
            if headed {
                ui.line(&format!("{}:", program.machine))?;
            }
            let code = self.run(&program.line)?;
            worst = if worst == 0 { code } else { worst };
        }
        ended(worst)
    }

    /// Runs a program and gives what it prints; of one that does not end well, why.
    pub(crate) async fn printed(&self, program: &Program) -> Result<String, CommandError> {
        let line = self.unattended(program.line.clone());
        let Some(command) = self.command(&line) else { return Ok(String::new()) };
        let mut command = tokio::process::Command::from(command);
        let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await;
        let output = output.map_err(|error| cannot_run(&program.line, error))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let words = String::from_utf8_lossy(&output.stderr);
        let last = words.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
        let name = program.line.first().map_or("ssh", String::as_str);
        Err(CommandError::failed(format!(
            "{name} ended with exit code {}: {}",
            code(output.status),
            last.trim()
        )))
    }

    /// Runs programs at once and prints their lines as they come; see [`follow::follow`].
    pub(crate) async fn follow(&self, programs: Vec<Program>, ui: &Ui) -> Result<(), CommandError> {
        let unattended =
            |program: Program| Program { line: self.unattended(program.line), ..program };
        follow::follow(programs.into_iter().map(unattended).collect(), ui).await
    }

    /// Keeps ssh from asking on the terminal, where several would ask at once.
    fn unattended(&self, mut line: Vec<String>) -> Vec<String> {
        if line.first() == Some(&self.settings.program) {
            line.splice(1..1, ["-o", "BatchMode=yes"].map(str::to_owned));
        }
        line
    }

    /// Becomes a program, so that signals, terminal and exit code are its own; comes back only if
    /// that fails.
    pub(crate) fn turn_into(&self, line: &[String]) -> CommandError {
        match self.command(line) {
            Some(mut command) => cannot_run(line, command.exec()),
            None => CommandError::program(0),
        }
    }

    fn command(&self, line: &[String]) -> Option<Command> {
        let (program, arguments) = line.split_first()?;
        if *program == self.settings.program {
            line::make_known_hosts_directory(self.settings, self.environment);
        }
        let mut command = Command::new(program);
        command.args(arguments);
        Some(command)
    }

    fn login(&self, address: &Address, flags: &[&str], remote: &[String]) -> Vec<String> {
        let proxy = self.tunnel.as_ref().map(|tunnel| tunnel.proxy(self.settings));
        let login = Login { settings: self.settings, address, proxy, flags };
        login.line(remote)
    }
}

fn cannot_run(line: &[String], error: io::Error) -> CommandError {
    let program = line.first().map_or("ssh", String::as_str);
    CommandError::doing(format!("Error running {program}"), error)
}

fn ended(code: u8) -> Result<(), CommandError> {
    if code == 0 { Ok(()) } else { Err(CommandError::program(code)) }
}

/// Gives a program's exit code; one that a signal ended gets the shell's.
fn code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}
