//! The command line: commands, help, exit codes.

mod apply;
mod boot;
mod facts;
mod fetch;
mod input;
mod plan;
mod status;
mod validate;

use std::fmt::Display;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

const AFTER_HELP: &str = "Exit codes: 0 done, 1 failed, 2 the command line makes no sense.";

/// Command line of cloud-config.
#[derive(Debug, Parser)]
#[command(
    name = "cloud-config",
    version,
    about = "Turns a host into what its user data says",
    after_help = AFTER_HELP,
    max_term_width = 100
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// A command.
#[derive(Debug, Subcommand)]
enum Command {
    /// Tell what is wrong with a document, without looking at the host
    Validate(validate::ValidateArgs),
    /// Tell what applying a document would change on the host
    Plan(plan::PlanArgs),
    /// Make the host what a document says
    Apply(apply::ApplyArgs),
    /// Tell how applying went
    Status(status::StatusArgs),
    /// Print what the datasource of this host has
    Fetch(fetch::FetchArgs),
    /// Do what is to be done while the host boots (called by systemd)
    #[command(hide = true)]
    Boot(boot::BootArgs),
}

/// What a command prints and how it ends.
struct Ending {
    /// For the standard output.
    text: String,
    /// For people alone.
    notes: Vec<String>,
    is_success: bool,
}

impl Ending {
    fn success(text: String) -> Self {
        Self { text, notes: Vec::new(), is_success: true }
    }
}

/// Runs the command of the command line.
pub(crate) fn run() -> ExitCode {
    match Cli::parse().command {
        Command::Validate(args) => finish(validate::run(&args)),
        Command::Plan(args) => finish(plan::run(&args)),
        Command::Apply(args) => finish(apply::run(&args)),
        Command::Status(args) => finish(status::run(&args)),
        Command::Boot(args) => finish(boot::run(&args).map(Ending::success)),
        Command::Fetch(args) => finish(fetch::run(&args).map(Ending::success)),
    }
}

/// Prints what a command says, and ends as it did.
fn finish(done: Result<Ending, impl Display>) -> ExitCode {
    let (written, is_success) = match done {
        Ok(ending) => (print(&ending), ending.is_success),
        Err(error) => (writeln!(io::stderr(), "Error: {error}"), false),
    };
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
        _ if is_success => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn print(ending: &Ending) -> io::Result<()> {
    for note in &ending.notes {
        writeln!(io::stderr(), "{note}")?;
    }
    io::stdout().write_all(ending.text.as_bytes())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
