//! `cloud-config apply`: makes the host what a document says.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use cloud_config::apply::{ApplyError, Document, Limits, Target, apply_document};
use cloud_config::clock::SystemClock;
use cloud_config::datasource::{self, Found, NotFound, Search, Stage};
use cloud_config::facts::Metadata;
use cloud_config::host::Root;
use cloud_config::state::{Stage as Progress, Summary};

use super::Ending;
use super::facts::HostArgs;
use super::input::{self, InputError};

/// Flags of `apply`.
#[derive(Debug, Args)]
pub(super) struct ApplyArgs {
    /// The document, or `-` for the standard input; else the host's datasource is asked
    file: Option<PathBuf>,
    #[command(flatten)]
    host: HostArgs,
    /// Wait so many seconds until units run
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    wait: u64,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// A system runs from the root directory, though it is not that of this program
    #[arg(long, hide = true)]
    booted: bool,
}

/// Nothing could be applied.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error(transparent)]
    Input(#[from] InputError),
    #[error(transparent)]
    NotFound(#[from] NotFound),
    #[error(transparent)]
    Apply(#[from] ApplyError),
}

/// Applies the document.
pub(super) fn run(args: &ApplyArgs) -> Result<Ending, Error> {
    let summary = match &args.file {
        Some(file) => of_file(args, file)?,
        None => of_datasource(args)?,
    };
    Ok(ending(args, &summary))
}

fn of_file(args: &ApplyArgs, file: &Path) -> Result<Summary, Error> {
    let user_data = input::read(file)?;
    let source = file.display().to_string();
    let facts = args.host.facts(&Metadata::default(), None);
    let document = Document {
        user_data: &user_data,
        source: &source,
        metadata: None,
        warnings: &[],
        facts: &facts,
        default_user: &args.host.user,
    };
    Ok(apply(args, document)?)
}

fn of_datasource(args: &ApplyArgs) -> Result<Summary, Error> {
    let clock = SystemClock::start();
    let search = Search {
        root: &args.host.root,
        path: None,
        url: None,
        clock: &clock,
        limits: datasource::Limits::default(),
    };
    let found = datasource::find(&search, Stage::Network)?;
    let facts = args.host.facts(&found.metadata, Some(&found.source.to_string()));
    let source = found.source.to_string();
    let document = Document {
        user_data: found.user_data.as_deref().unwrap_or_default(),
        source: &source,
        metadata: Some(&found.metadata),
        warnings: &found.warnings,
        facts: &facts,
        default_user: &args.host.user,
    };
    let summary = apply(args, document)?;
    keep(args, &found, &summary)?;
    Ok(summary)
}

/// For a boot on which no datasource answers.
fn keep(args: &ApplyArgs, found: &Found, summary: &Summary) -> Result<(), ApplyError> {
    if summary.floor {
        return Ok(());
    }
    let kept = datasource::keep(&args.host.root, found);
    kept.map_err(|source| ApplyError::State { path: "/var/lib/cloud-config".into(), source })
}

fn apply(args: &ApplyArgs, document: Document<'_>) -> Result<Summary, ApplyError> {
    let root = Root::new(&args.host.root);
    let clock = SystemClock::start();
    let is_booted = root.is_this_host() && Path::new("/run/systemd/system").is_dir();
    let limits = Limits { units: Duration::from_secs(args.wait), ..Limits::default() };
    let is_running = is_booted || args.booted;
    apply_document(Target { root: &root, is_running, clock: &clock, limits }, document)
}

fn ending(args: &ApplyArgs, summary: &Summary) -> Ending {
    let is_success = summary.stage == Progress::Done;
    if args.json {
        let text = serde_json::to_string(summary).map(|text| text + "\n").unwrap_or_default();
        return Ending { text, notes: Vec::new(), is_success };
    }
    let source = &summary.source;
    let mut notes: Vec<String> =
        summary.warnings.iter().map(|warning| format!("Warning: {warning}")).collect();
    notes.extend(summary.problems.iter().map(|problem| format!("{source}:{problem}")));
    if summary.floor {
        notes.push(
            "Nothing of this document was applied: only the host's name and keys of the metadata."
                .to_owned(),
        );
    }
    let mut text: String = summary.actions.iter().map(|outcome| format!("{outcome}\n")).collect();
    let changes = match summary.changes() {
        1 => "1 change\n".to_owned(),
        changes => format!("{changes} changes\n"),
    };
    text.push_str(&changes);
    Ending { text, notes, is_success }
}
