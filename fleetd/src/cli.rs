//! The command line of fleetd. Long flags may begin with one dash, as they did in 1.0.

use std::path::PathBuf;

use clap::{Arg, ArgAction, Command, value_parser};

use crate::config::Key;

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Invocation {
    /// Run, with what was said about the settings.
    Run {
        /// The configuration file.
        config: Option<PathBuf>,
        /// Settings.
        flags: Vec<(Key, String)>,
    },
    /// Print the settings that would count.
    PrintConfig {
        /// The configuration file.
        config: Option<PathBuf>,
        /// Settings.
        flags: Vec<(Key, String)>,
    },
    /// Print the version.
    Version,
    /// Somebody who gives arguments means fleetctl: say so and show the usage.
    Arguments(String),
}

/// Reads the command line, the program's name first.
///
/// # Errors
///
/// Unknown flags, and the request for help, which is an error to clap.
pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Invocation, clap::Error> {
    let mut command = command();
    let usage = command.render_usage();
    let matches = command.try_get_matches_from(arguments.into_iter().map(plain))?;
    let words: Vec<_> = matches.get_many::<String>("arguments").unwrap_or_default().collect();
    if matches.get_flag("version") || words == ["version"] {
        return Ok(Invocation::Version);
    }
    if !words.is_empty() {
        return Ok(Invocation::Arguments(format!(
            "fleetd takes no arguments. Did you mean to invoke fleetctl instead?\n{usage}"
        )));
    }
    let flag = |key: Key| Some((key, matches.get_one::<String>(key.name())?.clone()));
    let config = matches.get_one::<PathBuf>("config").cloned();
    let flags = Key::ALL.into_iter().filter_map(flag).collect();
    Ok(if matches.get_flag("print-config") {
        Invocation::PrintConfig { config, flags }
    } else {
        Invocation::Run { config, flags }
    })
}

/// The command line, with its help.
#[must_use]
pub fn command() -> Command {
    let settings = Key::ALL.map(|key| {
        let flag = Arg::new(key.name()).long(key.name()).value_name("VALUE").help(key.help());
        flag.hide(key.is_obsolete())
            .help_heading("Settings (also in fleet.conf, and in the environment as FLEET_...)")
    });
    Command::new("fleetd")
        .about("Make this machine part of a fleet")
        .override_usage("fleetd [--config PATH] [--print-config] [--version] [--SETTING VALUE]...")
        .arg(
            Arg::new("config")
                .long("config")
                .value_name("PATH")
                .value_parser(value_parser!(PathBuf))
                .help("Read this file instead of /etc/fleet/fleet.conf"),
        )
        .arg(
            Arg::new("print-config")
                .long("print-config")
                // Flags are spelt with underscores by the time that clap sees them.
                .alias("print_config")
                .action(ArgAction::SetTrue)
                .help("Print each setting with the place that it comes from, and end"),
        )
        .arg(
            Arg::new("version")
                .long("version")
                .action(ArgAction::SetTrue)
                .help("Print the version"),
        )
        .arg(Arg::new("arguments").num_args(0..).hide(true))
        .args(settings)
}

/// Flags as people write them: `-config` as Go took it, `--agent-ttl` as others do. No flag has a
/// short form but `-h`.
fn plain(argument: String) -> String {
    let bare = argument.trim_start_matches('-');
    let dashes = argument.len() - bare.len();
    if !matches!(dashes, 1 | 2) || bare.len() < 2 {
        return argument;
    }
    let (name, value) = bare.split_at(bare.find('=').unwrap_or(bare.len()));
    format!("--{}{value}", name.replace('-', "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(arguments: &[&str]) -> Invocation {
        let line = std::iter::once("fleetd").chain(arguments.iter().copied());
        parse(line.map(str::to_owned)).unwrap_or_else(|error| panic!("{arguments:?}: {error}"))
    }

    #[test]
    fn the_command_is_well_formed() {
        command().debug_assert();
    }

    #[test]
    fn one_dash_is_as_good_as_two() {
        for line in [&["-config", "/x"][..], &["--config", "/x"], &["-config=/x"], &["--config=/x"]]
        {
            let run = Invocation::Run { config: Some("/x".into()), flags: vec![] };
            assert_eq!(of(line), run, "{line:?}");
        }
        for line in ["version", "-version", "--version"] {
            assert_eq!(of(&[line]), Invocation::Version, "{line}");
        }
    }

    #[test]
    fn settings_are_flags() {
        let flags = vec![(Key::AgentTtl, "5s".to_owned()), (Key::Metadata, "a=b".to_owned())];

        assert_eq!(
            of(&["--metadata", "a=b", "-agent-ttl=5s"]),
            Invocation::Run { config: None, flags }
        );
    }

    #[test]
    fn settings_are_printed_instead_of_used() {
        for line in ["--print-config", "-print-config", "--print_config"] {
            let print = Invocation::PrintConfig {
                config: Some("/x".into()),
                flags: vec![(Key::AgentTtl, "5s".to_owned())],
            };
            assert_eq!(of(&["--config=/x", line, "--agent-ttl=5s"]), print, "{line}");
        }
    }

    #[test]
    fn whoever_means_fleetctl_is_told_so() {
        let text = "fleetd takes no arguments. Did you mean to invoke fleetctl instead?\nUsage: \
                    fleetd [--config PATH] [--print-config] [--version] [--SETTING VALUE]...";

        assert_eq!(of(&["list-units"]), Invocation::Arguments(text.to_owned()));
    }
}
