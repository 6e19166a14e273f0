//! `fleetctl completion`

use clap::ValueEnum;

use crate::error::CommandError;
use crate::ui::Ui;

/// Print a script that makes a shell complete commands, flags, units and machines
///
/// For bash, put this into ~/.bashrc: . <(fleetctl completion bash)
///
/// For zsh, into ~/.zshrc, below compinit: . <(fleetctl completion zsh)
///
/// For fish, into ~/.config/fish/config.fish: fleetctl completion fish | source
///
/// Names of units and machines come from the cluster, if that answers within 0.3 s, and not through
/// --tunnel.
#[derive(Debug, clap::Args)]
pub(crate) struct CompletionArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// A shell that can complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// Prints the script, which asks `fleetctl __complete`.
pub(crate) fn completion(args: &CompletionArgs, ui: &Ui) -> Result<(), CommandError> {
    let script = match args.shell {
        Shell::Bash => include_str!("../complete/fleetctl.bash"),
        Shell::Zsh => include_str!("../complete/fleetctl.zsh"),
        Shell::Fish => include_str!("../complete/fleetctl.fish"),
    };
    Ok(ui.data(script)?)
}
