//! Unit files: a batch of them written, linked and enabled, or disabled and removed, with as few
//! calls to systemd as there can be. A unit that fails blocks no other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use fleet_units::{UnitFile, UnitName};
use futures_util::{StreamExt, stream};
use tokio::task::spawn_blocking;
use tracing::{debug, warn};

use crate::file::FileError;
use crate::log::chain;
use crate::systemd::files::{UnitDirectory, foreign};
use crate::systemd::{Systemd, SystemdError, UnitStatus};

/// Calls for single units that are on their way to systemd at the same time.
const CALLS: usize = 32;

/// Files to install and to remove.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Batch {
    /// Texts to write, byte for byte.
    pub(crate) installs: BTreeMap<UnitName, String>,
    /// Units to install that are started next. systemd would load them to tell their states, drop
    /// them again, and load them once more to start them; its signals tell as much meanwhile.
    pub(crate) starting: BTreeSet<UnitName>,
    /// Stopped units that go.
    pub(crate) removals: BTreeSet<UnitName>,
}

/// What became of a batch; each of its units is in one of the maps.
#[derive(Debug, Default)]
pub(crate) struct BatchOutcome {
    /// Units to install.
    pub(crate) installed: BTreeMap<UnitName, Result<(), Problem>>,
    /// Units to remove.
    pub(crate) removed: BTreeMap<UnitName, Result<(), Problem>>,
    /// What systemd says of the installed ones that are not started next.
    pub(crate) statuses: Vec<(UnitName, UnitStatus)>,
}

/// Why a step did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// What went wrong, as a sentence.
    pub(crate) sentence: String,
    /// Whether it makes sense to try again.
    pub(crate) transient: bool,
}

impl From<&SystemdError> for Problem {
    fn from(error: &SystemdError) -> Self {
        Self { sentence: chain(error), transient: error.is_transient() }
    }
}

impl From<&FileError> for Problem {
    /// A full or broken disk may be mended.
    fn from(error: &FileError) -> Self {
        Self { sentence: chain(error), transient: true }
    }
}

impl Problem {
    fn foreign(path: &std::path::Path) -> Self {
        let sentence = format!(
            "this host has a unit of that name of its own ({}), which fleet does not touch: give \
             yours another name",
            path.display()
        );
        Self { sentence, transient: false }
    }

    fn crashed() -> Self {
        Self { sentence: "a file operation was cut short".to_owned(), transient: true }
    }
}

/// Carries out batches.
#[derive(Clone, Debug)]
pub(crate) struct Files<M> {
    pub(crate) systemd: M,
    pub(crate) directory: UnitDirectory,
    pub(crate) unit_path: Vec<PathBuf>,
}

impl<M: Systemd> Files<M> {
    /// Carries out a batch: removals first, as they may free names and links.
    pub(crate) async fn apply(self, batch: Batch) -> BatchOutcome {
        let mut outcome = BatchOutcome::default();
        if !batch.removals.is_empty() {
            outcome.removed = self.remove(batch.removals.into_iter().collect()).await;
        }
        if !batch.installs.is_empty() {
            self.install(batch.installs, &batch.starting, &mut outcome).await;
        }
        outcome
    }

    async fn remove(&self, units: Vec<UnitName>) -> BTreeMap<UnitName, Result<(), Problem>> {
        let mut outcomes = self.disable(&units).await;
        let gone = succeeded(&outcomes);
        outcomes.extend(self.unlink(gone).await);
        let resets = stream::iter(succeeded(&outcomes)).map(|unit| async move {
            let is_loaded = self.systemd.reset_failed(&unit).await.unwrap_or_else(|error| {
                warn!(%unit, error = %chain(&error), "Failed state is not forgotten");
                true
            });
            is_loaded.then_some(unit)
        });
        let loaded: Vec<_> = resets.buffer_unordered(CALLS).collect().await;
        // What others keep in memory would be started from there, whatever its next file says.
        self.reload_if_needed(false, loaded.into_iter().flatten().collect()).await;
        outcomes
    }

    /// Removes links, in one call if possible.
    async fn disable(&self, units: &[UnitName]) -> BTreeMap<UnitName, Result<(), Problem>> {
        if units.is_empty() {
            return BTreeMap::new();
        }
        match self.systemd.disable(units).await {
            Ok(()) => return units.iter().map(|unit| (unit.clone(), Ok(()))).collect(),
            Err(error) if units.len() == 1 || error.is_transient() => {
                let problem = Problem::from(&error);
                return units.iter().map(|unit| (unit.clone(), Err(problem.clone()))).collect();
            }
            Err(error) => debug!(error = %chain(&error), "Disabling units one by one"),
        }
        let singly = stream::iter(units.to_vec()).map(|unit| async move {
            let outcome = self.systemd.disable(std::slice::from_ref(&unit)).await;
            (unit, outcome.map_err(|error| Problem::from(&error)))
        });
        singly.buffer_unordered(CALLS).collect().await
    }

    async fn unlink(&self, units: Vec<UnitName>) -> BTreeMap<UnitName, Result<(), Problem>> {
        let directory = self.directory.clone();
        let remove =
            move |unit: &UnitName| directory.remove(unit).map_err(|error| Problem::from(&error));
        completed(units.clone(), self.blocking(units, remove).await)
    }

    async fn install(
        &self,
        texts: BTreeMap<UnitName, String>,
        starting: &BTreeSet<UnitName>,
        outcome: &mut BatchOutcome,
    ) {
        let files: BTreeMap<UnitName, UnitFile> = texts
            .iter()
            .filter_map(|(unit, text)| Some((unit.clone(), UnitFile::parse(text).ok()?)))
            .collect();
        let wants_links =
            |unit: &UnitName| files.get(unit).is_some_and(|file| file.has_section("Install"));

        let old = self.installed_before(&texts).await;
        let mut replaced: Vec<_> = old.iter().map(|(unit, _)| unit.clone()).collect();
        let enabled: Vec<_> =
            old.into_iter().filter(|(_, enabled)| *enabled).map(|(unit, _)| unit).collect();
        for (unit, outcome) in self.disable(&enabled).await {
            if let Err(problem) = outcome {
                warn!(%unit, error = problem.sentence, "Links of the replaced unit are not removed");
            }
        }
        outcome.installed = self.write(texts).await;
        self.link(&mut outcome.installed).await;
        let to_enable = succeeded(&outcome.installed).into_iter().filter(wants_links).collect();
        let links_changed = self.enable(to_enable, &mut outcome.installed).await;
        replaced.extend(self.clean_up(&outcome.installed).await);

        let mut staying = succeeded(&outcome.installed);
        self.reload_if_needed(links_changed, replaced).await;
        staying.retain(|unit| !starting.contains(unit));
        if staying.is_empty() {
            return;
        }
        match self.systemd.statuses(&staying).await {
            Ok(statuses) => outcome.statuses = statuses,
            Err(error) => warn!(error = %chain(&error), "States of installed units are not known"),
        }
    }

    /// Units that have a file already, and whether it has links beside its own.
    async fn installed_before(&self, texts: &BTreeMap<UnitName, String>) -> Vec<(UnitName, bool)> {
        let directory = self.directory.clone();
        let found = self
            .blocking(texts.keys().cloned().collect(), move |unit| {
                let text = std::fs::read_to_string(directory.file(unit)).ok()?;
                Some(UnitFile::parse(&text).is_ok_and(|file| file.has_section("Install")))
            })
            .await;
        found.into_iter().filter_map(|(unit, found)| Some((unit, found?))).collect()
    }

    async fn write(
        &self,
        texts: BTreeMap<UnitName, String>,
    ) -> BTreeMap<UnitName, Result<(), Problem>> {
        let directory = self.directory.clone();
        // Most directories of systemd's path are nowhere: no need to look into them for each unit.
        let unit_path: Vec<_> =
            self.unit_path.iter().filter(|path| path.exists()).cloned().collect();
        let units: Vec<UnitName> = texts.keys().cloned().collect();
        let written = self.blocking(units.clone(), move |unit| {
            match foreign(&unit_path, unit, directory.path()) {
                Ok(Some(path)) => return Err(Problem::foreign(&path)),
                Ok(None) => {}
                Err(error) => return Err(Problem::from(&error)),
            }
            let text = texts.get(unit).map_or("", String::as_str);
            directory.write(unit, text).map_err(|error| Problem::from(&error))
        });
        completed(units, written.await)
    }

    /// Links what was written, in one call; after an error singly, to find the bad one.
    async fn link(&self, outcomes: &mut BTreeMap<UnitName, Result<(), Problem>>) {
        let units = succeeded(outcomes);
        let files: Vec<_> = units.iter().map(|unit| self.directory.file(unit)).collect();
        if files.is_empty() {
            return;
        }
        let Err(error) = self.systemd.link(&files).await else { return };
        if units.len() == 1 || error.is_transient() {
            let problem = Problem::from(&error);
            outcomes.extend(units.into_iter().map(|unit| (unit, Err(problem.clone()))));
            return;
        }
        debug!(error = %chain(&error), "Linking units one by one");
        let singly = stream::iter(units).map(|unit| async move {
            let file = self.directory.file(&unit);
            let outcome = self.systemd.link(&[file]).await;
            (unit, outcome.map_err(|error| Problem::from(&error)))
        });
        outcomes.extend(singly.buffer_unordered(CALLS).collect::<Vec<_>>().await);
    }

    /// Makes the links of `[Install]` sections; tells whether any changed.
    async fn enable(
        &self,
        units: Vec<UnitName>,
        outcomes: &mut BTreeMap<UnitName, Result<(), Problem>>,
    ) -> bool {
        let answers = stream::iter(units)
            .map(|unit| async move {
                let answer = self.systemd.enable(&unit).await;
                (unit, answer.map_err(|error| Problem::from(&error)))
            })
            .buffer_unordered(CALLS)
            .collect::<Vec<_>>()
            .await;
        let mut changed = false;
        for (unit, answer) in answers {
            match answer {
                Ok(links) => changed |= links,
                Err(problem) => drop(outcomes.insert(unit, Err(problem))),
            }
        }
        changed
    }

    /// Nothing may start a unit by accident that could not be installed as a whole.
    /// Tells which units that is about.
    async fn clean_up(&self, outcomes: &BTreeMap<UnitName, Result<(), Problem>>) -> Vec<UnitName> {
        let own = |unit: &&UnitName| self.directory.file(unit).exists();
        let failed = outcomes.iter().filter(|(_, outcome)| outcome.is_err());
        let failed: Vec<_> = failed.map(|(unit, _)| unit).filter(own).cloned().collect();
        let disabled = self.disable(&failed).await;
        for (unit, outcome) in self.unlink(succeeded(&disabled)).await {
            if let Err(problem) = outcome {
                warn!(%unit, error = problem.sentence, "Unit file is not removed");
            }
        }
        failed
    }

    /// Reading everything anew takes systemd seconds where there are thousands of units, and what
    /// it has not loaded it reads on its own.
    async fn reload_if_needed(&self, links_changed: bool, replaced: Vec<UnitName>) {
        let needed = links_changed
            || (!replaced.is_empty()
                && match self.systemd.outdated(&replaced).await {
                    Ok(outdated) => !outdated.is_empty(),
                    Err(error) => {
                        warn!(error = %chain(&error), "Reloading, as outdated units are not known");
                        true
                    }
                });
        if needed && let Err(error) = self.systemd.reload().await {
            warn!(error = %chain(&error), "systemd is not reloaded");
        }
    }

    async fn blocking<T: Send + 'static>(
        &self,
        units: Vec<UnitName>,
        work: impl Fn(&UnitName) -> T + Send + 'static,
    ) -> Vec<(UnitName, T)> {
        let all = move || units.into_iter().map(|unit| (unit.clone(), work(&unit))).collect();
        match spawn_blocking(all).await {
            Ok(outcomes) => outcomes,
            Err(error) => {
                warn!(%error, "File operations were cut short");
                Vec::new()
            }
        }
    }
}

fn succeeded(outcomes: &BTreeMap<UnitName, Result<(), Problem>>) -> Vec<UnitName> {
    outcomes.iter().filter(|(_, outcome)| outcome.is_ok()).map(|(unit, _)| unit.clone()).collect()
}

/// Outcomes for all units: an operation that was cut short did not tell all of them.
fn completed(
    units: Vec<UnitName>,
    told: Vec<(UnitName, Result<(), Problem>)>,
) -> BTreeMap<UnitName, Result<(), Problem>> {
    let mut outcomes: BTreeMap<_, _> = told.into_iter().collect();
    for unit in units {
        outcomes.entry(unit).or_insert_with(|| Err(Problem::crashed()));
    }
    outcomes
}
