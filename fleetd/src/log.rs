//! Where log lines go: to the journal with their fields if stderr is the journal, else to stderr
//! as text. `FLEET_LOG` takes a filter such as `debug` or `fleetd::engine=trace`.

use std::error::Error;
use std::os::linux::fs::MetadataExt;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Why nothing can be logged.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter is not one.
    #[error("FLEET_LOG={filter:?} is no filter: write a level such as debug")]
    Filter {
        /// What was written.
        filter: String,
        /// What is wrong with it.
        source: tracing_subscriber::filter::ParseError,
    },
    /// Somebody has set up logging before.
    #[error("logging is set up already")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// Sets up logging for the whole process.
///
/// # Errors
///
/// If the filter is malformed.
pub fn set_up(debug: bool, filter: Option<&str>) -> Result<(), LogError> {
    let filter =
        filter.unwrap_or(if debug { "debug,zbus=info,h2=info,tonic=info" } else { "info" });
    let level = EnvFilter::try_new(filter)
        .map_err(|source| LogError::Filter { filter: filter.to_owned(), source })?;
    let registry = tracing_subscriber::registry().with(level);
    let journal = if stderr_is_journal() { tracing_journald::layer().ok() } else { None };
    match journal {
        // The priority says the level; identical names make `journalctl -t fleetd` work.
        Some(journal) => {
            registry.with(journal.with_syslog_identifier("fleetd".to_owned())).try_init()?;
        }
        None => {
            let text = tracing_subscriber::fmt::layer()
                .with_writer(std::io::stderr)
                .with_ansi(false)
                .without_time()
                .with_target(false);
            registry.with(text).try_init()?;
        }
    }
    Ok(())
}

/// Whether stderr still is what systemd connected to the journal: it names that by device and
/// inode, as stderr may have been redirected since.
fn stderr_is_journal() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    std::fs::metadata("/proc/self/fd/2")
        .is_ok_and(|stderr| stream == format!("{}:{}", stderr.st_dev(), stderr.st_ino()))
}

/// An error with all that stands behind it, as one sentence.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let reason = error.to_string();
        if !text.ends_with(&reason) {
            text = format!("{text}: {reason}");
        }
        source = error.source();
    }
    text
}
