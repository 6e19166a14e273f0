//! Log lines: what happened and then its fields, on stderr. If that is the journal, each line
//! begins with its priority as sd-daemon(3) has it, so that `journalctl --priority` works and
//! plain `journalctl` shows the fields as well. `FLEET_LOG` takes a filter such as `debug` or
//! `fleetd::engine=trace`.

use std::error::Error;
use std::fmt;
use std::os::linux::fs::MetadataExt;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

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
    Twice(#[source] Box<dyn Error + Send + Sync>),
    /// The level cannot be changed.
    #[error("cannot change how much is logged")]
    Stuck(#[source] tracing_subscriber::reload::Error),
}

/// How much is logged, while fleetd runs.
pub struct Verbosity(Box<dyn Fn(bool) -> Result<(), LogError> + Send + Sync>);

impl fmt::Debug for Verbosity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verbosity").finish_non_exhaustive()
    }
}

impl Verbosity {
    /// Logs more, or less again. A filter that was given at the start stays.
    ///
    /// # Errors
    ///
    /// If nothing is logged any more.
    pub fn set(&self, debug: bool) -> Result<(), LogError> {
        (self.0)(debug)
    }
}

/// Sets up logging for the whole process.
///
/// # Errors
///
/// If the filter is malformed.
pub fn set_up(debug: bool, filter: Option<&str>) -> Result<Verbosity, LogError> {
    let line = Line { is_journal: stderr_is_journal() };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(parse(filter.unwrap_or(level(debug)))?)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .event_format(line)
        .with_filter_reloading();
    let handle = builder.reload_handle();
    builder.try_init().map_err(LogError::Twice)?;
    let is_given = filter.is_some();
    Ok(Verbosity(Box::new(move |debug| {
        if is_given {
            return Ok(());
        }
        handle.reload(parse(level(debug))?).map_err(LogError::Stuck)
    })))
}

const fn level(debug: bool) -> &'static str {
    if debug { "debug,zbus=info,h2=info,tonic=info,tower=info" } else { "info" }
}

fn parse(filter: &str) -> Result<EnvFilter, LogError> {
    EnvFilter::try_new(filter)
        .map_err(|source| LogError::Filter { filter: filter.to_owned(), source })
}

/// The form of a line.
struct Line {
    is_journal: bool,
}

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let level = *event.metadata().level();
        if self.is_journal {
            write!(writer, "<{}>", priority(level))?;
        } else {
            write!(writer, "{level:>5} ")?;
        }
        context.field_format().format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}

/// The priority of syslog.
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
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
