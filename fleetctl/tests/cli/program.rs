//! The program as a person meets it: words in; exit code, output and complaints out.

use std::fmt;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::server::Server;

/// A run of fleetctl.
pub(crate) struct Fleetctl(Command);

impl Fleetctl {
    /// Runs in an empty environment, but for the search path.
    pub(crate) fn new(words: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fleetctl"));
        command.args(words).env_clear().stdin(Stdio::null());
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        Self(command)
    }

    /// Talks to a server.
    pub(crate) fn at(server: &Server, words: &[&str]) -> Self {
        Self::new(words).env("FLEETCTL_ENDPOINT", &server.endpoint())
    }

    /// Runs on a terminal of that size, which gets what both outputs say.
    pub(crate) fn on_terminal(server: &Server, words: &str, columns: u16, rows: u16) -> Self {
        let line = format!(
            "stty cols {columns} rows {rows}; exec {} {words}",
            env!("CARGO_BIN_EXE_fleetctl")
        );
        let mut command = Command::new("script");
        command.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
        command.env_clear().stdin(Stdio::null());
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        let of_terminal = Self(command).env("TERM", "xterm");
        of_terminal.env("FLEETCTL_ENDPOINT", &server.endpoint())
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.0.env(name, value);
        self
    }

    pub(crate) fn in_directory(mut self, directory: &Path) -> Self {
        self.0.current_dir(directory);
        self
    }

    pub(crate) fn command(self) -> Command {
        self.0
    }

    pub(crate) fn run(mut self) -> Ended {
        Ended(self.0.output().unwrap())
    }

    /// Runs with these as its output and its complaints.
    pub(crate) fn into(mut self, out: Stdio, err: Stdio) -> Ended {
        Ended(self.0.stdout(out).stderr(err).spawn().unwrap().wait_with_output().unwrap())
    }

    /// Runs with these bytes as its input.
    pub(crate) fn fed(mut self, input: &[u8]) -> Ended {
        let piped = self.0.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        Ended(child.wait_with_output().unwrap())
    }
}

/// How a run ended, shown as one text.
pub(crate) struct Ended(Output);

impl Ended {
    pub(crate) fn code(&self) -> Option<i32> {
        self.0.status.code()
    }

    pub(crate) fn out(&self) -> String {
        String::from_utf8(self.0.stdout.clone()).unwrap()
    }

    pub(crate) fn err(&self) -> String {
        String::from_utf8(self.0.stderr.clone()).unwrap()
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in self.out().lines() {
            writeln!(f, "{line}")?;
        }
        for line in self.err().lines() {
            writeln!(f, "! {line}")?;
        }
        write!(f, "exit {}", self.code().unwrap_or(-1))
    }
}
