//! Hollow machines beside the hosts of a cluster: another program, as they are agents of fleetd.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::bench::error::BenchError;
use crate::command::{CommandError, command, line};
use crate::error::Error;
use crate::wait::{self, TimedOut};

/// What it says once the cluster knows all machines.
const JOINED: &str = " machines joined in ";

/// It gives up by itself before.
const LEAVING: Duration = Duration::from_secs(100);

/// Removing the files of all machines.
const QUITTING: Duration = Duration::from_secs(10);

/// The machines. They are lost, all at once, if this is dropped.
#[derive(Debug)]
pub(crate) struct Hollow(Child);

impl Hollow {
    /// Returns once all machines have joined.
    pub(crate) fn start(program: PathBuf, etcd: &[String], count: u32) -> Result<Self, Error> {
        let mut start = command([program]);
        start.args(["--with-parent", "--machines"]).arg(count.to_string());
        start.args(etcd.iter().flat_map(|url| ["--etcd", url]));
        // Retries while a thousand machines join at once are no news.
        start.env("FLEET_LOG", "error").stdin(Stdio::null()).stdout(Stdio::piped());
        let child = start.spawn();
        let mut child =
            child.map_err(|source| CommandError::Start { line: line(&start), source })?;
        let said = child.stdout.take();
        let hollow = Self(child);
        let mut said = said.into_iter().flat_map(|said| BufReader::new(said).lines());
        if said.any(|line| line.is_ok_and(|line| line.contains(JOINED))) {
            return Ok(hollow);
        }
        Err(BenchError::unreadable("the output of the hollow machines", "it has ended").into())
    }

    /// All machines stop their units and leave.
    pub(crate) fn leave(mut self) -> Result<(), Error> {
        Ok(self.end(Signal::TERM, LEAVING)?)
    }

    fn end(&mut self, signal: Signal, limit: Duration) -> Result<(), TimedOut> {
        if let Some(pid) = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw) {
            // It may have ended by itself.
            kill_process(pid, signal).ok();
        }
        wait::attempt(limit, "the hollow machines to leave", || match self.0.try_wait() {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err("they are still there".to_owned()),
            Err(error) => Err(error.to_string()),
        })
    }
}

impl Drop for Hollow {
    fn drop(&mut self) {
        // After it was waited for, its id may be another's.
        if matches!(self.0.try_wait(), Ok(None)) && self.end(Signal::QUIT, QUITTING).is_err() {
            self.0.kill().and_then(|()| self.0.wait()).ok();
        }
    }
}
