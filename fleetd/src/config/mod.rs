//! Settings from `fleet.conf`, `FLEET_*` and flags: read as written ([`Fragment`]), laid over each
//! other ([`Merged`]), checked ([`Settings`]). Nothing below reads the environment by itself.

use std::path::{Path, PathBuf};

mod duration;
mod file;
mod fragment;
mod key;
mod layers;
mod print;
mod problem;
mod reload;
mod settings;
mod store;
#[cfg(test)]
mod tests;
mod value;

pub use fragment::{Fragment, Place, Written};
pub use key::Key;
pub use layers::Merged;
pub use problem::{ConfigError, Problem};
pub use reload::Changes;
pub use settings::{ApiTls, Notice, Settings};
pub use store::{StoreChoice, StoreReason};

/// Read if nobody names another file, and if it exists.
const DEFAULT_PATH: &str = "/etc/fleet/fleet.conf";

/// What the outside says, before any of it is looked at.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file named on the command line.
    pub file: Option<PathBuf>,
    /// Environment variables, of any name.
    pub environment: Vec<(String, String)>,
    /// Settings given as flags.
    pub flags: Vec<(Key, String)>,
}

/// Settings, and what is to be logged of them.
#[derive(Debug)]
pub struct Loaded {
    /// The settings as they were written.
    pub merged: Merged,
    /// The settings.
    pub settings: Settings,
    /// What has no effect any more.
    pub notices: Vec<Notice>,
    /// The file that was read.
    pub file: Option<PathBuf>,
}

impl Loaded {
    /// The file that was read, for messages.
    #[must_use]
    pub fn file_name(&self) -> String {
        self.file.as_ref().map_or_else(|| "none".to_owned(), |path| path.display().to_string())
    }
}

/// Reads and checks all settings.
///
/// # Errors
///
/// If a named file cannot be read, or for everything that is wrong with what was written.
pub fn load(sources: &Sources) -> Result<Loaded, ConfigError> {
    let (file, merged) = merge(sources)?;
    let settings = Settings::check(&merged)?;
    Ok(Loaded { settings, notices: Settings::notices(&merged), file, merged })
}

/// The settings as they would count, each with the place that it comes from, and what is wrong with
/// them if anything is.
///
/// # Errors
///
/// If a named file cannot be read.
pub fn print(sources: &Sources) -> Result<(String, Result<Vec<Notice>, ConfigError>), ConfigError> {
    let (file, merged) = merge(sources)?;
    let checked = Settings::check(&merged);
    let text = print::render(&merged, file.as_deref(), checked.as_ref().ok());
    Ok((text, checked.map(|_| Settings::notices(&merged))))
}

fn merge(sources: &Sources) -> Result<(Option<PathBuf>, Merged), ConfigError> {
    let file = match &sources.file {
        Some(path) => Some(read(path)?),
        None => read_default(Path::new(DEFAULT_PATH))?,
    };
    let (path, fragment) = file.unzip();
    let merged = Merged::of_layers([
        fragment.unwrap_or_default(),
        Fragment::of_environment(sources.environment.iter().cloned()),
        Fragment::of_flags(sources.flags.iter().cloned()),
    ]);
    Ok((path, merged))
}

fn read(path: &Path) -> Result<(PathBuf, Fragment), ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    Ok((path.to_owned(), Fragment::of_file(path, &text)))
}

fn read_default(path: &Path) -> Result<Option<(PathBuf, Fragment)>, ConfigError> {
    match read(path) {
        Ok(file) => Ok(Some(file)),
        Err(ConfigError::Unreadable { source, .. })
            if source.kind() == std::io::ErrorKind::NotFound =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
