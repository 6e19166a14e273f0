//! `cloud-config boot`: what systemd calls while a host boots.

use std::env;
use std::fmt;
use std::io::{self, Write as _};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use clap::{Args, ValueEnum};
use cloud_config::apply::{ApplyError, Document, Extent, Limits, Target, apply};
use cloud_config::clock::{Clock, SystemClock};
use cloud_config::datasource::{self, Found, NotFound, Search, find, find_or_kept, keep};
use cloud_config::document;
use cloud_config::facts::Facts;
use cloud_config::host::Root;
use cloud_config::plan::DEFAULT_USER;
use cloud_config::state::{self, Done, Stage, Summary};

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
    let clock = SystemClock::start();
    match args.when {
        When::Early => early(&clock),
        When::Late => late(&clock),
    }
    .map(|()| String::new())
}

/// What is not found now, or cannot be done yet, is left to the later part, which tells of it.
fn early(clock: &dyn Clock) -> Result<(), BootError> {
    let root = Root::new(Path::new("/"));
    let Ok(found) = find(&search(&root, clock), datasource::Stage::Local) else { return Ok(()) };
    let facts = facts(&root, &found);
    let summary = apply(target(&root, clock), document(&found, &facts), Extent::Files)?;
    tell_actions(&summary);
    Ok(())
}

fn late(clock: &dyn Clock) -> Result<(), BootError> {
    let root = Root::new(Path::new("/"));
    let found = match find_or_kept(&search(&root, clock)) {
        Ok(found) => found,
        Err(error) => return without_user_data(&root, error),
    };
    for warning in &found.warnings {
        tell(Level::Warning, warning);
    }
    let facts = facts_in_time(&root, &found, clock);
    let ready = || notify("READY=1");
    let summary = apply(target(&root, clock), document(&found, &facts), Extent::Whole(&ready))?;
    for problem in &summary.problems {
        tell(if problem.is_error() { Level::Error } else { Level::Warning }, problem);
    }
    tell_actions(&summary);
    // What failed may do at another boot; a document with errors is not to come back.
    if !summary.floor
        && let Err(error) = keep(root.directory(), &found)
    {
        tell(Level::Warning, format!("cannot keep the user data for a boot without them: {error}"));
    }
    if summary.stage != Stage::Done {
        return Err(BootError::Failed);
    }
    reach_target();
    Ok(())
}

/// A host that nobody gave user data is what it is to be.
fn without_user_data(root: &Root, error: NotFound) -> Result<(), BootError> {
    let NotFound::Nothing(_) = &error else { return Err(error.into()) };
    tell(Level::Info, format!("{error}: nothing to do"));
    let summary = Summary { stage: Stage::Done, ..Summary::begun("none") };
    state::save(root, state::RESULT, &summary).map_err(BootError::Note)?;
    notify("READY=1");
    reach_target();
    Ok(())
}

fn search<'a>(root: &'a Root, clock: &'a dyn Clock) -> Search<'a> {
    let limits = datasource::Limits::default();
    Search { root: root.directory(), path: None, url: None, clock, limits }
}

fn target<'a>(root: &'a Root, clock: &'a dyn Clock) -> Target<'a> {
    Target { root, is_running: true, clock, limits: Limits::default() }
}

fn document<'a>(found: &'a Found, facts: &'a Facts) -> Document<'a> {
    Document {
        user_data: found.user_data.as_deref().unwrap_or_default(),
        source: found.source.as_str(),
        metadata: Some(&found.metadata),
        warnings: &found.warnings,
        facts,
        default_user: DEFAULT_USER,
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

fn tell_actions(summary: &Summary) {
    for outcome in &summary.actions {
        let level = match outcome.result {
            Done::Failed => Level::Error,
            Done::Skipped | Done::Pending => Level::Warning,
            Done::Done => Level::Info,
        };
        tell(level, outcome);
    }
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
