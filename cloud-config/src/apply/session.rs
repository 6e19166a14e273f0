//! One run: reads a document, plans and applies it, and tells how that went.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::{Applying, Target};
use crate::document::{self, CloudConfig, Script};
use crate::facts::{Facts, Metadata};
use crate::host::{GatherError, Host, Root, gather};
use crate::plan::{Input, Plan, Scope, plan};
use crate::problem::{Position, Problem};
use crate::state::{self, Memory, Outcome, Stage, Summary};

/// What a host is to be, and where that is from.
#[derive(Clone, Copy)]
pub struct Document<'a> {
    /// The user data; may be secret.
    pub user_data: &'a [u8],
    /// Where it is from, for people.
    pub source: &'a str,
    /// What the cloud says; `None` if it was not asked, so that what it said earlier stays.
    pub metadata: Option<&'a Metadata>,
    /// What is to be known of where it is from, for people.
    pub warnings: &'a [String],
    /// Addresses of the host.
    pub facts: &'a Facts,
    /// Who gets keys that are for nobody by name.
    pub default_user: &'a str,
}

impl std::fmt::Debug for Document<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // No content may reach a log.
        formatter.debug_struct("Document").field("source", &self.source).finish_non_exhaustive()
    }
}

/// Hears how a run goes while it does.
pub trait Progress {
    /// What is wrong with the document, before anything is done.
    fn planned(&self, _problems: &[Problem]) {}

    /// Units have been asked for, and nothing waited for them yet; it may be called again.
    fn asked(&self) {}

    /// Something was done, or was not.
    fn ended(&self, _outcome: &Outcome) {}
}

/// Nobody listens.
impl Progress for () {}

/// How much of a document is applied.
#[derive(Clone, Copy)]
pub enum Extent<'a> {
    /// What needs no network: the name of the host, users, keys and files. Nothing is asked of units,
    /// nothing runs, and no result is noted.
    Files,
    /// All of it.
    Whole(&'a dyn Progress),
}

impl<'a> Extent<'a> {
    pub(super) fn progress(self) -> &'a dyn Progress {
        match self {
            Self::Files => &(),
            Self::Whole(progress) => progress,
        }
    }
}

/// A run on a host; there is one at a time.
#[derive(Debug)]
pub struct Run(#[expect(dead_code, reason = "it is held until it is dropped")] File);

impl Run {
    /// Begins a run.
    ///
    /// # Errors
    ///
    /// When there is one, or none can be.
    pub fn begin(root: &Root) -> Result<Self, ApplyError> {
        lock(root).map(Self)
    }
}

impl std::fmt::Debug for Extent<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Files => "Files",
            Self::Whole(_) => "Whole",
        })
    }
}

/// Nothing could be done at all.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// Somebody else does it.
    #[error(
        "another cloud-config applies a document: wait until it is done, `cloud-config status --wait`"
    )]
    Busy,
    /// The host cannot be looked at.
    #[error(transparent)]
    Gather(#[from] GatherError),
    /// What was done cannot be noted.
    #[error("cannot write below {path}: {source}", path = path.display())]
    State {
        /// Where.
        path: std::path::PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Applies a document. With an error in it, or one that only this host makes, nothing of it is applied but
/// what the metadata says to keep the host reachable.
///
/// # Errors
///
/// When the host cannot be looked at, or nothing can be noted on it. What fails while the document is
/// applied is told in the summary.
pub fn apply_document(target: Target<'_>, document: Document<'_>) -> Result<Summary, ApplyError> {
    apply(&Run::begin(target.root)?, target, document, Extent::Whole(&()))
}

/// Applies as much of a document; see [`apply_document`].
///
/// # Errors
///
/// As there.
pub fn apply(
    _run: &Run,
    target: Target<'_>,
    document: Document<'_>,
    extent: Extent<'_>,
) -> Result<Summary, ApplyError> {
    let mut summary = Summary::begun(document.source);
    summary.warnings = document.warnings.to_vec();
    let is_whole = matches!(extent, Extent::Whole(_));
    if is_whole {
        save(target, state::RESULT, &summary)?;
    }
    let done = run(target, document, extent, &mut summary);
    summary.error = done.as_ref().err().map(ToString::to_string);
    summary.stage = summary.end();
    if is_whole {
        save(target, state::RESULT, &summary)?;
    }
    done.map(|()| summary)
}

fn run(
    target: Target<'_>,
    document: Document<'_>,
    extent: Extent<'_>,
    summary: &mut Summary,
) -> Result<(), ApplyError> {
    let read = document::read(document.user_data, document.facts);
    let mut problems = read.problems.clone();
    let nothing = CloudConfig::default();
    let whole = input(document, &read.config, &read.scripts, Scope::Whole);
    let floor = input(document, &nothing, &[], Scope::Floor);
    let mut planned = None;
    if !read.has_errors() {
        match gather(target.root, &whole) {
            Ok(host) => {
                let made = plan(&whole, &host);
                problems.extend(made.problems.iter().cloned());
                planned = Some((made, host)).filter(|(made, _)| !made.has_errors());
            }
            // The host is to be reachable, so that somebody can look at it.
            Err(error) => problems.push(Problem::error(Position::START, "", error.to_string())),
        }
    }
    summary.floor = planned.is_none();
    let (made, host) = match planned {
        Some(planned) => planned,
        None => {
            summary.warnings.extend(set_aside(target));
            let host = gather(target.root, &floor)?;
            let made = plan(&floor, &host);
            let new = made.problems.iter().filter(|problem| !problems.contains(problem));
            problems.extend(new.cloned().collect::<Vec<_>>());
            (made, host)
        }
    };
    extent.progress().planned(&problems);
    summary.problems = problems;
    summary.instance_id.clone_from(&made.instance_id);
    carry_out(target, &made, &host, extent, summary)
}

/// Renames what is remembered and cannot be read, so that a later run has something to go on with.
fn set_aside(target: Target<'_>) -> Vec<String> {
    let memory = state::read_memory(target.root).err().map(|error| (state::MEMORY, error));
    let asked = state::read_asked(target.root).err().map(|error| (state::ASKED, error));
    let aside = memory.into_iter().chain(asked).map(|(path, error)| {
        let damaged = format!("{path}.damaged");
        let place = |path: &str| target.root.place(Path::new(path));
        let renamed =
            place(path).and_then(|from| place(&damaged).and_then(|to| fs::rename(from, to)));
        match renamed {
            Ok(()) => {
                format!("{path} is damaged ({error}), and is now {damaged}: nothing is remembered")
            }
            Err(why) => format!("{path} is damaged ({error}), and cannot be renamed: {why}"),
        }
    });
    aside.collect()
}

fn input<'a>(
    document: Document<'a>,
    config: &'a CloudConfig,
    scripts: &'a [Script],
    scope: Scope,
) -> Input<'a> {
    Input {
        config,
        scripts,
        metadata: document.metadata,
        default_user: document.default_user,
        scope,
    }
}

fn carry_out(
    target: Target<'_>,
    made: &Plan,
    host: &Host,
    extent: Extent<'_>,
    summary: &mut Summary,
) -> Result<(), ApplyError> {
    let mut memory = host.memory.clone();
    // Should the host go down meanwhile, what was made is still known as ours.
    memory.manifest = made.manifest.clone().or(&host.memory.manifest);
    remember(target, host, &memory)?;
    let mut applying = Applying::new(target, host.asked.clone(), extent);
    applying.change(made);
    note(target, extent, summary, &applying.outcomes);
    memory.manifest = made.manifest.clone();
    remember(target, host, &memory)?;
    if matches!(extent, Extent::Files) {
        summary.actions = applying.outcomes;
        return Ok(());
    }
    applying.command(made);
    note(target, extent, summary, &applying.outcomes);
    applying.submit(made);
    let noted = applying.remember_asked();
    applying.run_scripts(made, host, &mut memory, &mut |outcomes| {
        note(target, extent, summary, outcomes);
    });
    summary.actions = applying.outcomes;
    remember(target, host, &memory)?;
    noted.map_err(|source| ApplyError::State { path: state::ASKED.into(), source })
}

/// Notes how far it is, for those who look before it is done.
fn note(target: Target<'_>, extent: Extent<'_>, summary: &mut Summary, outcomes: &[Outcome]) {
    summary.actions = outcomes.to_vec();
    if matches!(extent, Extent::Whole(_)) {
        // That it cannot be noted is told in the end.
        save(target, state::RESULT, summary).ok();
    }
}

/// Notes what outlives the boot, if there is something new since the host was looked at.
fn remember(target: Target<'_>, host: &Host, memory: &Memory) -> Result<(), ApplyError> {
    let known = state::read_memory(target.root).unwrap_or_default();
    if *memory == known && *memory == host.memory {
        return Ok(());
    }
    save(target, state::MEMORY, memory)
}

fn save<T: serde::Serialize>(target: Target<'_>, path: &str, value: &T) -> Result<(), ApplyError> {
    let saved = state::save(target.root, path, value);
    saved.map_err(|source| ApplyError::State { path: path.into(), source })
}

/// Held while a document is applied.
fn lock(root: &Root) -> Result<File, ApplyError> {
    let at = |source| ApplyError::State { path: state::LOCK.into(), source };
    let place = root.place(Path::new(state::LOCK)).map_err(at)?;
    if let Some(folder) = place.parent() {
        fs::create_dir_all(folder).map_err(at)?;
    }
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(place).map_err(at)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(ApplyError::Busy),
        Err(TryLockError::Error(source)) => Err(at(source)),
    }
}

/// How the last run of this boot went, or goes. One that ended without a word has failed.
///
/// # Errors
///
/// When that cannot be read.
pub fn read_status(root: &Root) -> io::Result<Option<Summary>> {
    let summary = state::read_summary(root)?;
    let is_running = |summary: &Summary| summary.stage == Stage::Running;
    if !summary.as_ref().is_some_and(is_running) {
        return Ok(summary);
    }
    let file = File::open(root.place(Path::new(state::LOCK))?);
    let is_held = match file.map(|file| file.try_lock_shared()) {
        Ok(Err(TryLockError::WouldBlock)) => true,
        // Only root can know, as anybody could hold it else.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => true,
        Ok(Ok(()) | Err(TryLockError::Error(_))) | Err(_) => false,
    };
    if is_held {
        return Ok(summary);
    }
    // It may have ended between the two looks.
    let summary = state::read_summary(root)?;
    Ok(summary.map(|summary| match summary.stage {
        Stage::Running => Summary {
            stage: Stage::Failed,
            error: Some("cloud-config was stopped before it was done".to_owned()),
            ..summary
        },
        Stage::Done | Stage::Failed => summary,
    }))
}
