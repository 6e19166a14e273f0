//! Settings as somebody wrote them: one file, the environment, or the command line. Every value is
//! still text and remembers its place; what cannot be a setting is a problem.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::file;
use super::key::Key;
use super::problem::Problem;

/// What begins the environment variables that set something.
const ENVIRONMENT_PREFIX: &str = "FLEET_";
/// Read by [`log`](crate::log), not a setting.
const LOG_VARIABLE: &str = "FLEET_LOG";

/// Where a value was written. Later ones win over earlier ones.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Nowhere: it is built in.
    Default,
    /// In a configuration file.
    File {
        /// The file.
        path: PathBuf,
        /// The line at which the setting begins.
        line: usize,
    },
    /// In this environment variable.
    Environment(String),
    /// On the command line.
    Flag(Key),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{} line {line}", path.display()),
            Self::Environment(variable) => f.write_str(variable),
            Self::Flag(key) => write!(f, "--{key}"),
        }
    }
}

/// A value as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The text, without quotes around the whole of it.
    pub text: String,
    /// Where it stands.
    pub place: Place,
}

/// The settings of one layer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fragment {
    /// Whether somebody has written anything, be it an empty file.
    pub is_written: bool,
    /// What is set.
    pub values: BTreeMap<Key, Written>,
    /// What is wrong already now.
    pub problems: Vec<Problem>,
}

impl Fragment {
    /// The built-in values: every setting has one.
    #[must_use]
    pub fn defaults() -> Self {
        let values = Key::ALL.map(|key| {
            (key, Written { text: key.default_text().to_owned(), place: Place::Default })
        });
        Self { values: values.into(), ..Self::default() }
    }

    /// Reads the text of a fleet.conf.
    #[must_use]
    pub fn of_file(path: &Path, text: &str) -> Self {
        let file = file::parse(text);
        let mut fragment = Self { is_written: true, ..Self::default() };
        for fault in file.faults {
            let place = Place::File { path: path.to_owned(), line: fault.line };
            fragment.problems.push(Problem::new(place, fault.sentence));
        }
        for entry in file.entries {
            let place = Place::File { path: path.to_owned(), line: entry.line };
            fragment.set(&entry.name, entry.value, place);
        }
        fragment
    }

    /// Takes the `FLEET_*` out of environment variables. An empty one counts as set.
    #[must_use]
    pub fn of_environment(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut fragment = Self::default();
        for (variable, text) in variables {
            let Some(name) = variable.strip_prefix(ENVIRONMENT_PREFIX) else { continue };
            if variable != LOG_VARIABLE {
                fragment.is_written = true;
                fragment.set(name, text, Place::Environment(variable.clone()));
            }
        }
        // The order of the environment is nobody's intention.
        fragment.problems.sort_by(|one, other| one.place.cmp(&other.place));
        fragment
    }

    /// Takes the settings given as flags.
    #[must_use]
    pub fn of_flags(flags: impl IntoIterator<Item = (Key, String)>) -> Self {
        let written = |(key, text)| (key, Written { text, place: Place::Flag(key) });
        let values: BTreeMap<_, _> = flags.into_iter().map(written).collect();
        Self { is_written: !values.is_empty(), values, problems: Vec::new() }
    }

    fn set(&mut self, name: &str, text: String, place: Place) {
        match Key::of(name) {
            Some(key) => {
                self.values.insert(key, Written { text, place });
            }
            None => self.problems.push(unknown(name, place)),
        }
    }
}

fn unknown(name: &str, place: Place) -> Problem {
    let name = name.to_ascii_lowercase();
    let sentence = match fleet_units::nearest(&name, Key::ALL.map(Key::name)) {
        Some(near) => format!("unknown setting {name:?}, did you mean {near:?}?"),
        None => format!("unknown setting {name:?}; fleetd --help lists all settings"),
    };
    Problem::new(place, sentence)
}
