//! `cloud-config boot`: what systemd calls while a host boots.

use std::env;
use std::fmt;
use std::io::{self, Write as _};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use clap::{Args, ValueEnum};
use cloud_config::apply::{ApplyError, Document, Extent, Limits, Progress, Run, Target, apply};
use cloud_config::clock::{Clock, SystemClock};
use cloud_config::datasource::{self, Found, NotFound, Search, find, find_or_kept, keep};
use cloud_config::document;
use cloud_config::facts::Facts;
use cloud_config::host::Root;
use cloud_config::plan::DEFAULT_USER;
use cloud_config::problem::Problem;
use cloud_config::state::{self, Done, Outcome, Stage, Summary};

/// What is reached when a host is what its user data say.
const TARGET: &str = "cloud-config.target";

/// How long the network may take to give the host the address that a document needs.
const ADDRESS: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(100);

/// How early it is in the boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum When {
    /// Before the network: what a datasource on the host has, and of that names, users, keys and files
    Early,
    /// With the network: everything
    Late,
}

/// Flags of `boot`.
#[derive(Debug, Args)]
pub(crate) struct BootArgs {
    /// Which part of the boot it is
    when: When,
    /// Who gets keys that are for nobody by name
    #[arg(long, value_name = "NAME", env = "CLOUD_CONFIG_USER", default_value = DEFAULT_USER)]
    user: String,
    /// The root directory of the host
    #[arg(long, value_name = "DIR", default_value = "/", hide = true)]
    root: PathBuf,
}

/// Why the host is not what its user data say.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BootError {
    /// There may be user data, and nobody knows.
    #[error(transparent)]
    Source(#[from] NotFound),
    /// Nothing could be done.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// What was done cannot be noted.
    #[error("cannot write {}", state::RESULT)]
    Note(#[source] io::Error),
    /// Some of it could not be done.
    #[error("not all that the user data say was done, as told above")]
    Failed,
}

/// Makes the host what its user data say, as far as it can be at this time.
pub(crate) fn run(args: &BootArgs) -> Result<String, BootError> {
    let boot = Boot { root: Root::new(&args.root), user: &args.user, clock: SystemClock::start() };
    match args.when {
        When::Early => boot.early(),
        When::Late => boot.late(),
    }
    .map(|()| String::new())
}

/// A host that boots.
struct Boot<'a> {
    root: Root,
    user: &'a str,
    clock: SystemClock,
}

impl Boot<'_> {
    /// What is not found now, or cannot be done yet, is left to the later part, which tells of it.
    fn early(&self) -> Result<(), BootError> {
        let Ok(found) = find(&self.search(), datasource::Stage::Local) else { return Ok(()) };
        let facts = facts(&self.root, &found);
        let run = Run::begin(&self.root)?;
        let summary = apply(&run, self.target(), self.document(&found, &facts), Extent::Files)?;
        for outcome in &summary.actions {
            Journal.ended(outcome);
        }
        Ok(())
    }

    fn late(&self) -> Result<(), BootError> {
        let run = Run::begin(&self.root)?;
        // Who waits for the result knows that there will be one.
        self.note(&Summary::begun("none"))?;
        let found = match find_or_kept(&self.search()) {
            Ok(found) => found,
            Err(error) => return self.without_user_data(error),
        };
        for warning in &found.warnings {
            tell(Level::Warning, warning);
        }
        let facts = facts_in_time(&self.root, &found, &self.clock);
        let document = self.document(&found, &facts);
        let summary = apply(&run, self.target(), document, Extent::Whole(&Journal))?;
        // What failed may do at another boot; a document with errors is not to come back.
        if !summary.floor
            && let Err(error) = keep(self.root.directory(), &found)
        {
            let text = format!("cannot keep the user data for a boot without them: {error}");
            tell(Level::Warning, text);
        }
        if summary.stage != Stage::Done {
            return Err(BootError::Failed);
        }
        reach_target();
        Ok(())
    }

    /// A host that nobody gave user data is what it is to be.
    fn without_user_data(&self, error: NotFound) -> Result<(), BootError> {
        let none = Summary::begun("none");
        let NotFound::Nothing(_) = &error else {
            let error_text = Some(error.to_string());
            self.note(&Summary { stage: Stage::Failed, error: error_text, ..none })?;
            return Err(error.into());
        };
        tell(Level::Info, format!("{error}: nothing to do"));
        self.note(&Summary { stage: Stage::Done, ..none })?;
        Journal.asked();
        reach_target();
        Ok(())
    }

    fn note(&self, summary: &Summary) -> Result<(), BootError> {
        state::save(&self.root, state::RESULT, summary).map_err(BootError::Note)
    }

    fn search(&self) -> Search<'_> {
        let limits = datasource::Limits::default();
        Search { root: self.root.directory(), path: None, url: None, clock: &self.clock, limits }
    }

    fn target(&self) -> Target<'_> {
        let limits = Limits::default();
        Target { root: &self.root, is_running: true, clock: &self.clock, limits }
    }

    fn document<'a>(&'a self, found: &'a Found, facts: &'a Facts) -> Document<'a> {
        Document {
            user_data: found.user_data.as_deref().unwrap_or_default(),
            source: found.source.as_str(),
            metadata: Some(&found.metadata),
            warnings: &found.warnings,
            facts,
            default_user: self.user,
        }
    }
}

/// Tells systemd and the journal how it goes.
struct Journal;

impl Progress for Journal {
    fn planned(&self, problems: &[Problem]) {
        for problem in problems {
            tell(if problem.is_error() { Level::Error } else { Level::Warning }, problem);
        }
    }

    fn asked(&self) {
        notify("READY=1");
    }

    fn ended(&self, outcome: &Outcome) {
        let level = match outcome.result {
            Done::Failed => Level::Error,
            Done::Skipped | Done::Pending => Level::Warning,
            Done::Done => Level::Info,
        };
        tell(level, outcome);
    }
}

fn facts(root: &Root, found: &Found) -> Facts {
    Facts::of_host(root.directory(), &found.metadata, Some(found.source.as_str()))
}

/// The addresses of the host. While the document lacks nothing but one of them, the network may be
/// about to bring it.
fn facts_in_time(root: &Root, found: &Found, clock: &dyn Clock) -> Facts {
    let user_data = found.user_data.as_deref().unwrap_or_default();
    let until = clock.now() + ADDRESS;
    loop {
        let facts = facts(root, found);
        if clock.now() >= until || !lacks_addresses(user_data, &facts) {
            return facts;
        }
        clock.sleep(PAUSE);
    }
}

/// Whether a document has errors, and none if all addresses were known.
fn lacks_addresses(user_data: &[u8], facts: &Facts) -> bool {
    document::read(user_data, facts).has_errors()
        && !document::read(user_data, &facts.clone().or_sample()).has_errors()
}

/// It is not waited for: what it takes to reach it may wait for us.
fn reach_target() {
    let started = Command::new("systemctl").args(["start", "--no-block", TARGET]).status();
    if !started.is_ok_and(|status| status.success()) {
        tell(Level::Warning, format!("systemd does not start {TARGET}"));
    }
}

/// Tells systemd, if that started us and wants to know.
fn notify(state: &str) {
    let Some(path) = env::var_os("NOTIFY_SOCKET") else { return };
    let path = path.as_encoded_bytes();
    let address = match path.strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(env::var_os("NOTIFY_SOCKET").unwrap_or_default()),
    };
    let sent = address.and_then(|address| {
        UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address).map(drop)
    });
    if let Err(error) = sent {
        tell(Level::Warning, format!("cannot tell systemd {state}: {error}"));
    }
}

/// How much a line matters, in syslog's numbers.
#[derive(Debug, Clone, Copy)]
enum Level {
    Error = 3,
    Warning = 4,
    Info = 6,
}

/// Writes a line for the journal, which takes the level from its beginning.
fn tell(level: Level, line: impl fmt::Display) {
    let prefix = match env::var_os("JOURNAL_STREAM") {
        Some(_) => format!("<{}>", level as u8),
        None => String::new(),
    };
    // Nobody is left to tell if this fails.
    writeln!(io::stderr(), "{prefix}{line}").ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_document_that_lacks_nothing_but_an_address_is_worth_waiting_for() {
        let document = |line: &str| format!("#cloud-config\nhostname: one\n{line}\n").into_bytes();
        let none = Facts::default();

        for (line, expected) in [
            ("manage_etc_hosts: localhost", false),
            ("coreos: {fleet: {public-ip: $private_ipv4}}", true),
            ("coreos: {fleet: {public-ip: $private_ipv4}, units: 7}", false),
        ] {
            assert_eq!(lacks_addresses(&document(line), &none), expected, "{line}");
            assert!(!lacks_addresses(&document(line), &Facts::sample()), "{line}");
        }
    }
}
