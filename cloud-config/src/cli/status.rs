//! `cloud-config status`: how applying went.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use cloud_config::apply::read_status;
use cloud_config::clock::{Clock, SystemClock};
use cloud_config::host::Root;
use cloud_config::state::{Done, Stage, Summary};
use serde_json::json;

use super::Ending;

/// How often the result is looked at.
const PAUSE: Duration = Duration::from_millis(200);

/// Flags of `status`.
#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// Wait until it is done or has failed
    #[arg(long)]
    wait: bool,
    /// Wait no longer than so many seconds
    #[arg(long, value_name = "SECONDS", requires = "wait")]
    deadline: Option<u64>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// The root directory of the host
    #[arg(long, value_name = "DIR", default_value = "/")]
    root: PathBuf,
}

/// Looks at the result, once or until there is one.
pub(super) fn run(args: &StatusArgs) -> io::Result<Ending> {
    let root = Root::new(&args.root);
    let clock = SystemClock::start();
    let until = args.deadline.map(Duration::from_secs);
    loop {
        let summary = read_status(&root)?;
        let ended = summary.as_ref().is_some_and(|summary| summary.stage != Stage::Running);
        let waits = args.wait && until.is_none_or(|until| clock.now() < until);
        if ended || !waits {
            return Ok(ending(args, summary.as_ref()));
        }
        clock.sleep(PAUSE);
    }
}

fn ending(args: &StatusArgs, summary: Option<&Summary>) -> Ending {
    let is_success = summary.is_some_and(|summary| summary.stage == Stage::Done);
    let text = match summary {
        Some(summary) if args.json => serde_json::to_string(summary).unwrap_or_default() + "\n",
        None if args.json => format!("{}\n", json!({ "stage": "none" })),
        Some(summary) => text(summary),
        None => "status: nothing was applied since the host booted\n".to_owned(),
    };
    Ending { text, notes: Vec::new(), is_success }
}

/// What units did, and all that went wrong.
fn text(summary: &Summary) -> String {
    let mut lines =
        vec![format!("status: {}", summary.stage), format!("source: {}", summary.source)];
    lines.extend(summary.instance_id.as_ref().map(|id| format!("instance: {id}")));
    lines.extend(summary.error.clone());
    lines.extend(summary.warnings.iter().map(|warning| format!("warning: {warning}")));
    lines.extend(summary.problems.iter().map(ToString::to_string));
    if summary.floor {
        lines.push("only the host's name and keys of the metadata were applied".to_owned());
    }
    let told = summary
        .actions
        .iter()
        .filter(|outcome| outcome.unit.is_some() || outcome.result == Done::Failed);
    lines.extend(told.map(ToString::to_string));
    lines.join("\n") + "\n"
}
