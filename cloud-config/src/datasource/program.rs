//! Programs that read a datasource, with a limit of time and output.

use std::io::{self, Read as _};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use wait_timeout::ChildExt as _;

use super::MAX_BYTES;

/// Why a program gives nothing. What it printed is not told: secrets may be in it.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// It cannot be started.
    #[error("cannot run {program}: {source}")]
    Start {
        /// Its name.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// It took too long, and was killed.
    #[error("{program} does not end within {} s", limit.as_secs())]
    Slow {
        /// Its name.
        program: String,
        /// What it had.
        limit: Duration,
    },
    /// It printed too much.
    #[error("{program} prints more than {} MB", MAX_BYTES / 1_000_000)]
    Verbose {
        /// Its name.
        program: String,
    },
}

/// Runs a program; what it prints, or `None` if it fails or is not installed.
pub(super) fn run(
    program: &str,
    args: &[&str],
    limit: Duration,
) -> Result<Option<Vec<u8>>, ProgramError> {
    let start = |source| ProgramError::Start { program: program.to_owned(), source };
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = match command.spawn() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        child => child.map_err(start)?,
    };
    let (sender, output) = mpsc::channel();
    let stdout = child.stdout.take();
    std::thread::spawn(move || {
        let most = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX).saturating_add(1);
        let mut bytes = Vec::new();
        let read = stdout.map(|stdout| stdout.take(most).read_to_end(&mut bytes));
        // Nobody listens any more if it took too long.
        sender.send(read.transpose().map(|_| bytes)).ok();
    });
    let status = child.wait_timeout(limit).map_err(start)?;
    let bytes = output.recv_timeout(if status.is_some() { limit } else { Duration::ZERO });
    let (Some(status), Ok(bytes)) = (status, bytes) else {
        // It may have ended by itself just now.
        child.kill().ok();
        child.wait().map_err(start)?;
        return Err(ProgramError::Slow { program: program.to_owned(), limit });
    };
    let bytes = bytes.map_err(start)?;
    if bytes.len() > MAX_BYTES {
        return Err(ProgramError::Verbose { program: program.to_owned() });
    }
    Ok(status.success().then_some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    fn sh(script: &str, limit: Duration) -> Result<Option<Vec<u8>>, String> {
        run("sh", &["-c", script], limit).map_err(|error| error.to_string())
    }

    #[test]
    fn what_a_program_prints_is_kept_if_it_succeeds() {
        assert_eq!(sh("printf one", LIMIT), Ok(Some(b"one".to_vec())));
        assert_eq!(sh("printf one; exit 1", LIMIT), Ok(None));
        assert_eq!(run("no-such-program-here", &[], LIMIT).unwrap(), None);
    }

    #[test]
    fn more_output_than_a_pipe_holds_is_read() {
        let bytes = sh("head -c 300000 /dev/zero", LIMIT).unwrap().unwrap();

        assert_eq!(bytes.len(), 300_000);
    }

    #[test]
    fn a_program_that_hangs_is_killed() {
        let told = sh("exec sleep 600", Duration::from_millis(50));

        assert_eq!(told, Err("sh does not end within 0 s".to_owned()));
    }

    #[test]
    fn a_program_that_prints_for_ever_is_told() {
        assert_eq!(sh("yes", LIMIT), Err("sh prints more than 10 MB".to_owned()));
    }
}
