//! `cloud-config plan`: what applying a document would change.

use std::path::PathBuf;

use clap::Args;
use cloud_config::document;
use cloud_config::facts::Metadata;
use cloud_config::host::{GatherError, Root, gather};
use cloud_config::plan::{Input, Plan, Scope, plan};
use cloud_config::problem::Problem;

use super::Ending;
use super::facts::HostArgs;
use super::input::{self, InputError};

/// Flags of `plan`.
#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    /// The document, or `-` for the standard input
    file: PathBuf,
    #[command(flatten)]
    host: HostArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Nothing can be planned.
#[derive(Debug, thiserror::Error)]
pub(super) enum PlanError {
    #[error(transparent)]
    Input(#[from] InputError),
    #[error(transparent)]
    Gather(#[from] GatherError),
}

/// Plans, and touches nothing.
pub(super) fn run(args: &PlanArgs) -> Result<Ending, PlanError> {
    let facts = args.host.facts(&Metadata::default(), None);
    let read = document::read(&input::read(&args.file)?, &facts);
    let mut made = Plan { problems: read.problems, ..Plan::default() };
    if !made.has_errors() {
        let input = Input {
            config: &read.config,
            scripts: &read.scripts,
            metadata: None,
            default_user: &args.host.user,
            scope: Scope::Whole,
        };
        let host = gather(&Root::new(&args.host.root), &input)?;
        let earlier = std::mem::take(&mut made.problems);
        made = plan(&input, &host);
        made.problems.splice(0..0, earlier);
    }
    Ok(ending(args, &made))
}

fn ending(args: &PlanArgs, made: &Plan) -> Ending {
    let is_success = !made.has_errors();
    if args.json {
        let text = format!("{}\n", made.json());
        return Ending { text, notes: Vec::new(), is_success };
    }
    let file = args.file.display();
    let line = |problem: &Problem| format!("{file}:{problem}");
    let mut notes: Vec<String> = made.problems.iter().map(line).collect();
    if !is_success {
        notes.push(
            "Nothing of this document would be applied: of the metadata, the host's name and keys \
             would be."
                .to_owned(),
        );
    } else if made.actions.is_empty() {
        notes.push("Nothing would change.".to_owned());
    }
    let text = if is_success { made.text() } else { String::new() };
    Ending { text, notes, is_success }
}
