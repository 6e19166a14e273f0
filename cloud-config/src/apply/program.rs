//! Programs of the host, each with a limit of time.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::FileExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::{Pid, Signal, kill_process_group};
use wait_timeout::ChildExt as _;

use crate::host::Root;

/// The most that is told of what a program prints, in characters.
const MAX_TOLD: usize = 400;

/// The most that is looked at, in bytes.
const MAX_PRINTED: usize = 64 << 10;

/// How a program ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// By itself.
    Exited(ExitStatus),
    /// It took too long, and was killed with all that it started.
    Killed(Duration),
}

/// Why a program did not do what it was to do.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// It cannot be run.
    #[error("cannot run {program}: {source}")]
    Start {
        /// Its name.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// How it ended, for people.
    #[error("{0}")]
    Ended(String),
}

/// The programs of a host.
#[derive(Debug, Clone, Copy)]
pub(super) struct Programs<'a> {
    pub(super) root: &'a Root,
}

impl Programs<'_> {
    /// Runs a program, and tells in a few words why it failed.
    pub(super) fn run(
        &self,
        program: &str,
        words: &[&str],
        input: Option<&[u8]>,
        limit: Duration,
    ) -> Result<(), String> {
        self.output(program, words, input, limit).map(drop)
    }

    /// Runs a program; what it prints.
    pub(super) fn output(
        &self,
        program: &str,
        words: &[&str],
        input: Option<&[u8]>,
        limit: Duration,
    ) -> Result<String, String> {
        self.attempt(program, words, input, limit).map_err(|failure| failure.to_string())
    }

    /// The same, and tells one that cannot be run from one that fails.
    pub(super) fn attempt(
        &self,
        program: &str,
        words: &[&str],
        input: Option<&[u8]>,
        limit: Duration,
    ) -> Result<String, Failure> {
        let cannot = |source| Failure::Start { program: program.to_owned(), source };
        let output = memory().map_err(cannot)?;
        let ended = start(program, words, input, &output).and_then(|child| wait(child, limit));
        let text = printed(&output);
        match ended.map_err(cannot)? {
            Ended::Exited(status) if status.success() => Ok(text),
            Ended::Exited(status) => {
                let told = format!("{program} {}{}", describe(status), why(text.lines().rev()));
                Err(Failure::Ended(told))
            }
            Ended::Killed(limit) => {
                Err(Failure::Ended(format!("{program} did not end within {} s", limit.as_secs())))
            }
        }
    }

    /// Starts a program that is waited for later.
    pub(super) fn begin(&self, program: &str, words: &[&str]) -> Result<Waiting, String> {
        let begun = memory().and_then(|output| {
            let child = start(program, words, None, &output)?;
            Ok(Waiting { child: RefCell::new(child), output, program: program.to_owned() })
        });
        begun.map_err(|error| format!("cannot run {program}: {error}"))
    }

    /// Runs a program that changes users and groups.
    pub(super) fn account(
        &self,
        program: &str,
        words: &[&str],
        input: Option<&[u8]>,
        limit: Duration,
    ) -> Result<(), String> {
        let directory = self.root.directory().to_string_lossy();
        // chpasswd knows no prefix.
        let flag = if program == "chpasswd" { "--root" } else { "--prefix" };
        let prefix: &[&str] = if self.root.is_this_host() { &[] } else { &[flag, &directory] };
        self.run(program, &[prefix, words].concat(), input, limit)
    }

    /// Runs systemctl for links, which needs no systemd that runs.
    pub(super) fn enabling(&self, words: &[&str], limit: Duration) -> Result<(), String> {
        let root = format!("--root={}", self.root.directory().display());
        let root: &[&str] = if self.root.is_this_host() { &[] } else { &[&root] };
        self.run("systemctl", &[root, words].concat(), None, limit)
    }
}

/// A program that waits for something.
#[derive(Debug)]
pub(super) struct Waiting {
    child: RefCell<Child>,
    output: File,
    program: String,
}

impl Waiting {
    pub(super) fn printed(&self) -> String {
        printed(&self.output)
    }

    pub(super) fn has_ended(&self) -> bool {
        // Of one that cannot be waited for nothing else will be heard.
        self.child.borrow_mut().try_wait().map_or(true, |status| status.is_some())
    }

    /// What it said first if it failed; it has ended.
    pub(super) fn end(self) -> Result<(), String> {
        let status = self.child.borrow_mut().wait().map_err(|error| error.to_string())?;
        if status.success() {
            return Ok(());
        }
        let text = self.printed();
        let lines = text.lines().filter(|line| !line.starts_with("Enqueued "));
        Err(format!("{} {}{}", self.program, describe(status), why(lines)))
    }

    /// Ends it; what it waited for goes on.
    pub(super) fn abandon(self) {
        let mut child = self.child.into_inner();
        // It may have ended by itself just now.
        child.kill().ok();
        child.wait().ok();
    }
}

/// The first of some lines that says something.
fn why<'a>(mut lines: impl Iterator<Item = &'a str>) -> String {
    let line = lines.find(|line| !line.trim().is_empty()).unwrap_or_default();
    let line: String = line.chars().filter(|c| !c.is_control()).take(MAX_TOLD).collect();
    if line.is_empty() { String::new() } else { format!(": {}", line.trim()) }
}

/// What a program printed; the beginning if it is much.
fn printed(output: &File) -> String {
    let mut bytes = vec![0; MAX_PRINTED];
    let read = output.read_at(&mut bytes, 0).unwrap_or_default();
    bytes.truncate(read);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A file in memory: a program never waits for somebody to read it, as it would at a pipe.
fn memory() -> io::Result<File> {
    Ok(File::from(memfd_create("cloud-config", MemfdFlags::CLOEXEC)?))
}

fn start(program: &str, words: &[&str], input: Option<&[u8]>, output: &File) -> io::Result<Child> {
    let stdin = match input {
        Some(bytes) => {
            let mut file = memory()?;
            file.write_all(bytes)?;
            file.seek(SeekFrom::Start(0))?;
            Stdio::from(file)
        }
        None => Stdio::null(),
    };
    let mut command = Command::new(program);
    command.args(words).stdin(stdin).stdout(output.try_clone()?).stderr(output.try_clone()?);
    command.process_group(0).spawn()
}

/// Waits for a program, and kills it with all that it started if it takes too long.
pub(super) fn wait(mut child: Child, limit: Duration) -> io::Result<Ended> {
    if let Some(status) = child.wait_timeout(limit)? {
        return Ok(Ended::Exited(status));
    }
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    // It may have ended by itself just now.
    if let Some(group) = group {
        kill_process_group(group, Signal::KILL).ok();
    }
    child.wait()?;
    Ok(Ended::Killed(limit))
}

/// How a program ended, for people.
pub(super) fn describe(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, Some(signal)) => format!("was killed by signal {signal}"),
        (None, None) => "ended in an unknown way".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::clock::{Clock as _, SystemClock};

    const LIMIT: Duration = Duration::from_secs(20);

    fn sh(script: &str, input: Option<&[u8]>, limit: Duration) -> Result<String, String> {
        let root = Root::new(Path::new("/"));
        let programs = Programs { root: &root };
        programs.output("sh", &["-c", script], input, limit)
    }

    #[test]
    fn what_a_program_says_last_tells_why_it_failed() {
        assert_eq!(sh("cat", Some(b"in"), LIMIT), Ok("in".to_owned()));
        assert_eq!(
            sh("echo first; echo why >&2; echo; exit 3", None, LIMIT),
            Err("sh ended with exit code 3: why".to_owned())
        );
        assert_eq!(sh("kill -9 $$", None, LIMIT), Err("sh was killed by signal 9".to_owned()));
    }

    #[test]
    fn a_program_that_hangs_is_killed_with_all_that_it_started() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("pid");
        let script = format!("sleep 600 & echo $! > {}; wait", file.display());

        assert_eq!(
            sh(&script, None, Duration::from_secs(1)),
            Err("sh did not end within 1 s".to_owned())
        );

        let pid = std::fs::read_to_string(file).unwrap();
        let stat = format!("/proc/{}/stat", pid.trim());
        let is_dead = || match std::fs::read_to_string(&stat) {
            Ok(status) => status.contains(") Z "),
            Err(_) => true,
        };
        let clock = SystemClock::start();
        while !is_dead() {
            assert!(clock.now() < LIMIT, "{pid} lives");
            clock.sleep(Duration::from_millis(5));
        }
    }
}
