//! Ctrl-C and its like, for a command that has something to clear away before it ends.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::signal::{SIGHUP, SIGINT, SIGTERM};

use crate::command::{self, CommandError};
use crate::error::Error;
use crate::wait;

/// How long a program that was told to end may take. Programs that clear away need seconds.
const ENDING: Duration = Duration::from_secs(60);

/// Whether the person wants this to end.
#[derive(Debug)]
pub(crate) struct Interrupts(Arc<AtomicBool>);

impl Interrupts {
    /// From now on Ctrl-C, SIGTERM and a hangup end what [`Self::show`] runs, not this program.
    ///
    /// # Errors
    ///
    /// The kernel refuses what every program gets.
    pub(crate) fn catch() -> Result<Self, Error> {
        let noted = Arc::default();
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            signal_hook::flag::register(signal, Arc::clone(&noted)).map_err(Error::Signals)?;
        }
        Ok(Self(noted))
    }

    /// Runs to the end, or until somebody wants an end; its output goes where ours goes.
    ///
    /// # Errors
    ///
    /// The program could not be started, failed and said why, or was interrupted.
    pub(crate) fn show(&self, line: &mut Command) -> Result<(), Error> {
        if self.are_noted() {
            return Err(Error::Interrupted);
        }
        let start_error =
            |line: &Command, source| CommandError::Start { line: command::line(line), source };
        let mut child = line.spawn().map_err(|source| start_error(line, source))?;
        let status = loop {
            if let Some(status) = child.try_wait().map_err(|source| start_error(line, source))? {
                break status;
            }
            if self.are_noted() {
                // A terminal has told it already; somebody with `kill` has not.
                tell(child.id());
                wait::attempt(ENDING, command::line(line), || match child.try_wait() {
                    Ok(Some(_)) => Ok(()),
                    Ok(None) => Err("it runs".to_owned()),
                    Err(error) => Err(error.to_string()),
                })?;
                return Err(Error::Interrupted);
            }
            wait::pause();
        };
        if self.are_noted() {
            return Err(Error::Interrupted);
        }
        if status.success() { Ok(()) } else { Err(Error::Told) }
    }

    fn are_noted(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// It may have ended by itself.
fn tell(child: u32) {
    if let Some(pid) = i32::try_from(child).ok().and_then(Pid::from_raw) {
        kill_process(pid, Signal::TERM).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::command;

    #[test]
    fn an_interrupt_ends_what_runs_and_starts_nothing_more() {
        let interrupts = Interrupts::catch().unwrap();
        assert!(interrupts.show(&mut command(["true"])).is_ok());

        // The shell interrupts us, and would then wait for ever.
        let script = "kill -INT $PPID; exec sleep infinity";
        let ended = interrupts.show(&mut command(["sh", "-c", script]));

        assert!(matches!(ended, Err(Error::Interrupted)), "{ended:?}");
        let more = interrupts.show(&mut command(["false"]));
        assert!(matches!(more, Err(Error::Interrupted)), "{more:?}");
    }
}
