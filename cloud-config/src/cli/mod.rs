//! The command line: commands, help, exit codes.

mod fetch;

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
    /// Print what the datasource of this host has
    Fetch(fetch::FetchArgs),
}

/// Runs the command of the command line.
pub(crate) fn run() -> ExitCode {
    match Cli::parse().command {
        Command::Fetch(args) => finish(fetch::run(&args)),
    }
}

/// Prints what a command says, and ends as it did.
fn finish(done: Result<String, impl Display>) -> ExitCode {
    let (written, code) = match done {
        Ok(text) => (io::stdout().write_all(text.as_bytes()), ExitCode::SUCCESS),
        Err(error) => (writeln!(io::stderr(), "Error: {error}"), ExitCode::FAILURE),
    };
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
        _ => code,
    }
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
