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
use crate::commands::plan::PlanArgs;
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

/// A command; what it does is told where its arguments are.
#[derive(Debug, Subcommand)]
#[command(args_override_self = true)]
pub(crate) enum Command {
    #[command(flatten)]
    Remote(Remote),
    #[command(flatten)]
    Local(Local),
}

/// A command that asks fleet.
#[derive(Debug, Subcommand)]
pub(crate) enum Remote {
    Submit(SubmitArgs),
    Load(LoadArgs),
    Start(StartArgs),
    Restart(RestartArgs),
    Stop(StopArgs),
    Unload(UnloadArgs),
    Destroy(DestroyArgs),
    ListUnits(ListUnitsArgs),
    ListUnitFiles(ListUnitFilesArgs),
    ListMachines(ListMachinesArgs),
    // `c` was short for `cat` before there was `completion`.
    #[command(alias = "c")]
    Cat(CatArgs),
    Plan(PlanArgs),
    Why(WhyArgs),
    Status(StatusArgs),
    Journal(JournalArgs),
    Ssh(SshArgs),
}

/// A command that needs no fleet, and so no valid way to it.
#[derive(Debug, Subcommand)]
pub(crate) enum Local {
    FdForward(FdForwardArgs),
    #[command(hide = true)]
    Verify(VerifyArgs),
    Completion(CompletionArgs),
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The commands of fleet 1.0.
    const OLD: &str = "cat destroy fd-forward journal list-machines list-unit-files list-units load \
                       restart ssh start status stop submit unload";

    #[test]
    fn a_beginning_that_named_one_command_of_1_0_still_names_it() {
        let arguments = |name| match name {
            "list-machines" | "list-unit-files" | "list-units" => None,
            _ => Some("web.service".to_owned()),
        };
        for name in OLD.split(' ') {
            let whole = ["fleetctl".to_owned(), name.to_owned()].into_iter().chain(arguments(name));
            let whole = format!("{:?}", parse(whole.collect()).unwrap());
            for length in 1..name.len() {
                let short = &name[..length];
                if OLD.split(' ').filter(|old| old.starts_with(short)).count() == 1 {
                    let words = ["fleetctl".to_owned(), short.to_owned()].into_iter();
                    let read = parse(words.chain(arguments(name)).collect());
                    assert_eq!(
                        read.map(|read| format!("{read:?}")).ok(),
                        Some(whole.clone()),
                        "{short}"
                    );
                }
            }
        }
    }
}
