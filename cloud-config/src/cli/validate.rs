//! `cloud-config validate`: what is wrong with a document.

use std::path::PathBuf;

use clap::Args;
use cloud_config::document;
use cloud_config::facts::Facts;
use cloud_config::plan::members;
use cloud_config::problem::Problem;
use serde_json::json;

use super::Ending;
use super::input::{InputError, read};

/// Flags of `validate`.
#[derive(Debug, Args)]
pub(super) struct ValidateArgs {
    /// The document, or `-` for the standard input
    file: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Fail on warnings, too
    #[arg(long)]
    strict: bool,
}

/// Reads the document as any host would, whose addresses are not known.
pub(super) fn run(args: &ValidateArgs) -> Result<Ending, InputError> {
    let read = document::read(&read(&args.file)?, &Facts::sample());
    let mut problems = read.problems;
    if !problems.iter().any(Problem::is_error) {
        problems.extend(members::warnings(&read.config.coreos));
        problems.sort_by_key(|problem| problem.position);
    }
    let is_valid = !problems.iter().any(|problem| args.strict || problem.is_error());
    let file = args.file.display();
    let text = if args.json {
        format!(
            "{}\n",
            json!({ "file": file.to_string(), "valid": is_valid, "problems": problems })
        )
    } else if problems.is_empty() {
        format!("{file}: valid\n")
    } else {
        problems.iter().map(|problem| format!("{file}:{problem}\n")).collect()
    };
    Ok(Ending { text, notes: Vec::new(), is_success: is_valid })
}
