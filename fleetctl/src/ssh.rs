//! Programs on the machines of the cluster: run here, or there through the system's `ssh`.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus};

use crate::error::CommandError;
use crate::settings::{Environment, SshSettings};

/// Keys of machines in fleet's place, then those that the user's own ssh knows.
const KNOWN_HOSTS: &str = "~/.fleetctl/known_hosts ~/.ssh/known_hosts";

/// Where a program is to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// This machine.
    Here,
    /// The machine that has this address.
    There {
        /// Name or address.
        address: String,
        /// Port of its sshd; 22 leaves the choice to ssh's own configuration.
        port: u16,
    },
}

/// Runs a program, lets it talk to the terminal, and gives its exit code.
pub(crate) fn run(
    settings: &SshSettings,
    environment: Environment<'_>,
    place: &Place,
    words: &[&str],
) -> Result<u8, CommandError> {
    let line = command_line(settings, place, words);
    if matches!(place, Place::There { .. }) && settings.known_hosts_file.is_none() {
        make_known_hosts_directory(environment);
    }
    let Some((program, arguments)) = line.split_first() else { return Ok(0) };
    let status = Command::new(program).args(arguments).status();
    let status =
        status.map_err(|error| CommandError::doing(format!("Error running {program}"), error))?;
    Ok(code(status))
}

/// Gives the words to run on this machine.
fn command_line(settings: &SshSettings, place: &Place, words: &[&str]) -> Vec<String> {
    let Place::There { address, port } = place else {
        return words.iter().map(ToString::to_string).collect();
    };
    let (checking, known_hosts) = match (settings.strict, &settings.known_hosts_file) {
        // Keys that nobody checks are not worth keeping.
        (false, _) => ("no", "/dev/null"),
        (true, Some(file)) => ("ask", file.as_str()),
        (true, None) => ("ask", KNOWN_HOSTS),
    };
    let mut line = vec![
        settings.program.clone(),
        "-o".to_owned(),
        format!("StrictHostKeyChecking={checking}"),
        "-o".to_owned(),
        format!("UserKnownHostsFile={known_hosts}"),
        "-o".to_owned(),
        format!("ConnectTimeout={}", settings.timeout.as_secs_f64().ceil()),
    ];
    if !settings.strict {
        line.extend(["-o".to_owned(), "LogLevel=ERROR".to_owned()]);
    }
    if *port != 22 {
        line.extend(["-p".to_owned(), port.to_string()]);
    }
    line.extend(["-l".to_owned(), settings.username.clone(), "--".to_owned(), address.clone()]);
    line.extend(words.iter().map(|word| quoted(word)));
    line
}

/// Quotes a word for the shell at the other end.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./@:".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Without its directory ssh can't note a key that somebody has said yes to, and only warns.
fn make_known_hosts_directory(environment: Environment<'_>) {
    if let Some(home) = environment("HOME") {
        let directory = Path::new(&home).join(".fleetctl");
        DirBuilder::new().mode(0o700).create(directory).ok();
    }
}

/// Gives a program's exit code; one that a signal ended gets the shell's.
fn code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn settings(strict: bool, known_hosts_file: Option<&str>) -> SshSettings {
        SshSettings {
            program: "ssh".to_owned(),
            username: "core".to_owned(),
            timeout: Duration::from_secs(10),
            known_hosts_file: known_hosts_file.map(str::to_owned),
            strict,
        }
    }

    fn there(port: u16) -> Place {
        Place::There { address: "10.0.0.1".to_owned(), port }
    }

    const WORDS: [&str; 4] = ["systemctl", "status", "-l", r"a\x2db.service"];

    #[test]
    fn a_program_on_this_machine_needs_no_ssh() {
        assert_eq!(command_line(&settings(true, None), &Place::Here, &WORDS), WORDS);
    }

    #[test]
    fn host_keys_are_asked_about_and_kept_in_fleets_place_before_the_users() {
        let line = command_line(&settings(true, None), &there(22), &WORDS);
        insta::assert_snapshot!(line.join(" | "), @r#"ssh | -o | StrictHostKeyChecking=ask | -o | UserKnownHostsFile=~/.fleetctl/known_hosts ~/.ssh/known_hosts | -o | ConnectTimeout=10 | -l | core | -- | 10.0.0.1 | systemctl | status | -l | 'a\x2db.service'"#);
    }

    #[test]
    fn flags_choose_the_file_of_host_keys_and_the_port() {
        let line = command_line(&settings(true, Some("/k")), &there(2222), &WORDS);
        insta::assert_snapshot!(line.join(" | "), @r#"ssh | -o | StrictHostKeyChecking=ask | -o | UserKnownHostsFile=/k | -o | ConnectTimeout=10 | -p | 2222 | -l | core | -- | 10.0.0.1 | systemctl | status | -l | 'a\x2db.service'"#);
    }

    #[test]
    fn unchecked_host_keys_are_not_kept() {
        let line = command_line(&settings(false, Some("/k")), &there(22), &WORDS);
        insta::assert_snapshot!(line.join(" | "), @r#"ssh | -o | StrictHostKeyChecking=no | -o | UserKnownHostsFile=/dev/null | -o | ConnectTimeout=10 | -o | LogLevel=ERROR | -l | core | -- | 10.0.0.1 | systemctl | status | -l | 'a\x2db.service'"#);
    }
}
