//! The command line: flags, commands, help.

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::argv::Flags;
use crate::commands::cat::CatArgs;
use crate::commands::completion::CompletionArgs;
use crate::commands::destroy::DestroyArgs;
use crate::commands::fd_forward::FdForwardArgs;
use crate::commands::journal::JournalArgs;
use crate::commands::list_machines::ListMachinesArgs;
use crate::commands::list_unit_files::ListUnitFilesArgs;
use crate::commands::list_units::ListUnitsArgs;
use crate::commands::load::LoadArgs;
use crate::commands::restart::RestartArgs;
use crate::commands::ssh::SshArgs;
use crate::commands::start::StartArgs;
use crate::commands::status::StatusArgs;
use crate::commands::stop::StopArgs;
use crate::commands::submit::SubmitArgs;
use crate::commands::unload::UnloadArgs;
use crate::commands::verify::VerifyArgs;
use crate::commands::why::WhyArgs;
use crate::complete::CompleteArgs;
use crate::settings::GlobalArgs;

/// What `fleetctl version` prints.
pub(crate) const VERSION: &str = concat!("fleetctl version ", env!("CARGO_PKG_VERSION"));

const AFTER_HELP: &str = "\
Each global flag can be set in the environment: --endpoint as FLEETCTL_ENDPOINT, and so on.
Command names may be shortened as long as they are unambiguous.

Exit codes: 0 done, or already so; 1 failed; 2 the command line makes no sense. `status`, `journal`
and `ssh` exit as the program on the machine does.";

/// Command line of fleetctl.
#[derive(Debug, Parser)]
#[command(
    name = "fleetctl",
    about = concat!("fleetctl version ", env!("CARGO_PKG_VERSION"), ": runs systemd units on a cluster of machines"),
    after_help = AFTER_HELP,
    args_override_self = true,
    disable_version_flag = true,
    infer_subcommands = true,
    max_term_width = 100,
    subcommand_help_heading = "Commands"
)]
pub(crate) struct Cli {
    /// Print the version
    #[arg(short = 'v', long)]
    pub(crate) version: bool,
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// A command.
#[derive(Debug, Subcommand)]
#[command(args_override_self = true)]
pub(crate) enum Command {
    /// Make units known to the cluster, without running them
    Submit(SubmitArgs),
    /// Give units to machines, without starting them
    Load(LoadArgs),
    /// Run units, each on a machine that suits it
    Start(StartArgs),
    /// Stop units that run and start them again, each where it is
    Restart(RestartArgs),
    /// Stop units, and leave them on their machines
    Stop(StopArgs),
    /// Stop units, and take them from their machines
    Unload(UnloadArgs),
    /// Stop units, and make the cluster forget them
    Destroy(DestroyArgs),
    /// List units as systemd sees them on their machines
    ListUnits(ListUnitsArgs),
    /// List all units that the cluster knows
    ListUnitFiles(ListUnitFilesArgs),
    /// List the machines of the cluster
    ListMachines(ListMachinesArgs),
    /// Print the text of a unit
    Cat(CatArgs),
    /// Explain why units are where they are, or nowhere, and what would place them
    Why(WhyArgs),
    /// Print what systemd says of units, on their machines
    Status(StatusArgs),
    /// Print the journal of a unit, from its machines
    Journal(JournalArgs),
    /// Log in to a machine, or run a command there
    Ssh(SshArgs),
    /// Join standard input and output to a unix socket, for tunnels
    FdForward(FdForwardArgs),
    /// Fail: units are not signed any more
    #[command(hide = true)]
    Verify(VerifyArgs),
    /// Print a script that makes a shell complete commands, flags, units and machines
    Completion(CompletionArgs),
    /// Print what the last of some words may become
    #[command(name = "__complete", hide = true)]
    Complete(CompleteArgs),
    /// Print the version
    Version,
}

/// The command line, with its help.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

/// Reads a command line; the first word is the program's name.
pub(crate) fn parse(words: Vec<String>) -> Result<Cli, clap::Error> {
    let mut command = Cli::command();
    command.build();
    let words = Flags::of(&command).normalise(words);
    Cli::from_arg_matches(&Cli::command().try_get_matches_from(words)?)
}

/// The help that stands for all commands.
pub(crate) fn help() -> String {
    Cli::command().render_help().to_string()
}
