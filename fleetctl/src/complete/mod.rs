//! What may stand where a command line is not finished: for the shells, by `fleetctl __complete`.
//!
//! Which kind of word it is comes from the command line's own description ([`Line`]). Names of the
//! cluster are given if it answers soon; whatever goes wrong, nobody is told, as somebody is typing.

mod line;

use std::fs;
use std::time::Duration;

use clap::CommandFactory;

use crate::cli::{self, Cli};
use crate::client::Client;
use crate::error::CommandError;
use crate::settings::{Environment, Settings};
use crate::ui::Ui;
use line::{Line, Source};

/// Longer waits are felt by people who type.
const DEADLINE: Duration = Duration::from_millis(300);

/// The words so far
#[derive(Debug, clap::Args)]
pub(crate) struct CompleteArgs {
    /// Words behind the program's name; the last is to be completed
    #[arg(value_name = "WORD", trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

/// A word that may stand there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    word: String,
    help: String,
}

impl Candidate {
    fn new(word: impl Into<String>, help: impl Into<String>) -> Self {
        Self { word: word.into(), help: help.into() }
    }
}

/// Prints what the last word may become: a line for each, with its help behind a tab.
pub(crate) async fn complete(
    args: &CompleteArgs,
    environment: Environment<'_>,
    ui: &Ui,
) -> Result<(), CommandError> {
    let mut command = Cli::command();
    command.build();
    let line = Line::read(&command, &args.words);
    let mut candidates = Vec::new();
    for source in &line.sources {
        match source {
            Source::Words(words) => candidates.extend(words.iter().cloned()),
            Source::Files => candidates.extend(files(&line.typed)),
            Source::Units | Source::Machines => {
                if let Some(settings) = settings(&line.globals, environment) {
                    let names = tokio::time::timeout(DEADLINE, names(source, settings, ui));
                    candidates.extend(names.await.unwrap_or_default());
                }
            }
        }
    }
    candidates.retain(|candidate| candidate.word.starts_with(&line.typed));
    candidates.sort();
    for Candidate { word, help } in candidates {
        ui.line(format!("{}{word}\t{help}", line.stem).trim_end())?;
    }
    Ok(())
}

/// The way to the cluster that the line names, unless somebody might have to log in for it.
fn settings(globals: &[String], environment: Environment<'_>) -> Option<Settings> {
    let mut words = vec!["fleetctl".to_owned()];
    words.extend(globals.iter().cloned());
    let settings = cli::parse(words).ok()?.global.settings(environment).ok()?;
    settings.tunnel.is_none().then_some(settings)
}

async fn names(source: &Source, settings: Settings, ui: &Ui) -> Vec<Candidate> {
    let client = Client::new(settings.endpoint, DEADLINE, ui);
    if *source == Source::Machines {
        let machines = client.machines().await.unwrap_or_default();
        let named =
            machines.into_iter().map(|machine| Candidate::new(machine.id, machine.primary_ip));
        return named.collect();
    }
    let units = client.units().await.unwrap_or_default();
    let state = |state: Option<fleet_units::TargetState>| state.unwrap_or_default().to_string();
    let named = units.into_iter().map(|unit| Candidate::new(unit.name, state(unit.desired_state)));
    named.collect()
}

/// The files of the directory that the word leads to; hidden ones only if it asks for them.
fn files(typed: &str) -> Vec<Candidate> {
    let (directory, start) = typed
        .rsplit_once('/')
        .map_or(("", typed), |(directory, start)| (&typed[..=directory.len()], start));
    let Ok(entries) = fs::read_dir(if directory.is_empty() { "." } else { directory }) else {
        return Vec::new();
    };
    let shown = |name: &String| !name.starts_with('.') || start.starts_with('.');
    let named = entries.filter_map(|entry| {
        let entry = entry.ok()?;
        let name = entry.file_name().into_string().ok().filter(shown)?;
        let slash = if entry.path().is_dir() { "/" } else { "" };
        Some(Candidate::new(format!("{directory}{name}{slash}"), ""))
    });
    named.collect()
}
