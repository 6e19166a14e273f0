//! Runs programs of the machine and turns their failure into a sentence.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::process::{Command, ExitStatus, Output, Stdio};
use std::time::Duration;

/// A program that could not be run, or that failed.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The program could not be started.
    #[error("failed to run `{line}`")]
    Start {
        /// The command line.
        line: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// The program ran and did not succeed.
    #[error("`{line}` failed ({status}){}", said(output))]
    Failed {
        /// The command line.
        line: String,
        /// How it ended.
        status: ExitStatus,
        /// The end of what it printed, if that was captured.
        output: String,
    },
    /// The program was ended, as it took too long.
    #[error("`{line}` had not ended after {} s{}", limit.as_secs(), said(output))]
    Late {
        /// The command line.
        line: String,
        /// How long it could take.
        limit: Duration,
        /// The end of what it printed.
        output: String,
    },
}

/// A command from its program and arguments.
pub fn command<S: AsRef<OsStr>>(line: impl IntoIterator<Item = S>) -> Command {
    let mut words = line.into_iter();
    let mut command = words.next().map_or_else(|| Command::new("true"), Command::new);
    command.args(words);
    command
}

/// Runs to the end and returns what was printed on standard output.
///
/// # Errors
///
/// The program could not be started or did not exit with 0.
pub fn read(command: &mut Command) -> Result<String, CommandError> {
    let output = output(command.stdin(Stdio::null()), b"")?;
    printed(command, &output)
}

/// What a program has printed on standard output.
///
/// # Errors
///
/// It did not exit with 0.
pub fn printed(command: &Command, output: &Output) -> Result<String, CommandError> {
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let mut printed = String::from_utf8_lossy(&output.stderr).into_owned();
    if printed.trim().is_empty() {
        printed = String::from_utf8_lossy(&output.stdout).into_owned();
    }
    Err(CommandError::Failed { line: line(command), status: output.status, output: printed })
}

/// Runs to the end; its output goes where ours goes.
///
/// # Errors
///
/// The program could not be started or did not exit with 0.
pub fn show(command: &mut Command) -> Result<(), CommandError> {
    let status = command.status().map_err(|source| start_error(command, source))?;
    if status.success() {
        return Ok(());
    }
    Err(CommandError::Failed { line: line(command), status, output: String::new() })
}

/// Runs to the end with `input` on standard input; the exit code is for the caller to judge.
///
/// # Errors
///
/// The program could not be started.
pub fn output(command: &mut Command, input: &[u8]) -> Result<Output, CommandError> {
    if !input.is_empty() {
        command.stdin(Stdio::piped());
    }
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|source| start_error(command, source))?;
    let stdin = child.stdin.take();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            if let Some(mut stdin) = stdin {
                // A program may end without reading all of its input.
                stdin.write_all(input).ok();
            }
        });
        child.wait_with_output().map_err(|source| start_error(command, source))
    })
}

/// The command line as a person would type it, shortened.
pub fn line(command: &Command) -> String {
    let words: Vec<_> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(OsStr::to_string_lossy)
        .collect();
    let mut line = words.join(" ");
    if let Some((end, _)) = line.char_indices().nth(200) {
        line.truncate(end);
        line.push_str(" ...");
    }
    line
}

fn start_error(command: &Command, source: io::Error) -> CommandError {
    CommandError::Start { line: line(command), source }
}

fn said(output: &str) -> String {
    let lines: Vec<_> = output.trim_end().lines().collect();
    let last = &lines[lines.len().saturating_sub(15)..];
    if last.is_empty() { String::new() } else { format!(":\n{}", last.join("\n")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_reaches_the_program_and_its_output_comes_back() {
        let output = output(&mut command(["cat"]), b"two\nlines\n").unwrap();

        assert_eq!(output.stdout, b"two\nlines\n");
    }

    #[test]
    fn a_failure_says_what_was_printed() {
        let failure = read(&mut command(["sh", "-c", "echo no such thing >&2; exit 3"]));

        assert_eq!(
            failure.unwrap_err().to_string(),
            "`sh -c echo no such thing >&2; exit 3` failed (exit status: 3):\nno such thing"
        );
    }
}
