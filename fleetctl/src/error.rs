//! How commands end when they do not succeed, and the exit code of each end.

use std::error::Error;
use std::fmt;
use std::io;
use std::process::ExitCode;

use crate::client::ClientError;
use crate::ui::Ui;

/// Why a command did not succeed.
#[derive(Debug)]
pub(crate) struct CommandError {
    blame: Blame,
    /// What was being done, as the beginning of the sentence.
    doing: Option<String>,
    source: Option<Box<dyn Error>>,
}

/// What an exit code tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blame {
    /// The command line makes no sense.
    Usage,
    /// fleet or the machine could not do it.
    Failed,
    /// A program that ran for us ended so.
    Program(u8),
    /// Whoever read the output has seen enough.
    ReaderGone,
}

impl CommandError {
    /// A command line that makes no sense.
    pub(crate) fn usage(sentence: impl Into<String>) -> Self {
        Self { blame: Blame::Usage, doing: Some(sentence.into()), source: None }
    }

    /// A failure that one sentence tells.
    pub(crate) fn failed(sentence: impl Into<String>) -> Self {
        Self { blame: Blame::Failed, doing: Some(sentence.into()), source: None }
    }

    /// A failure of something below; `doing` begins the sentence.
    pub(crate) fn doing(doing: impl Into<String>, source: impl Error + 'static) -> Self {
        Self { blame: Blame::Failed, doing: Some(doing.into()), source: Some(Box::new(source)) }
    }

    /// A failure of which all has been said.
    pub(crate) const fn told() -> Self {
        Self { blame: Blame::Failed, doing: None, source: None }
    }

    /// The end of a program that ran for us; 0 is no error but has no other home either.
    pub(crate) const fn program(code: u8) -> Self {
        Self { blame: Blame::Program(code), doing: None, source: None }
    }

    /// Tells the operator, and leaves the code to exit with.
    pub(crate) fn tell(self, ui: &Ui) -> Self {
        self.report(ui);
        Self { blame: self.blame, doing: None, source: None }
    }

    /// Tells the operator, and gives the code to exit with.
    pub(crate) fn report(&self, ui: &Ui) -> ExitCode {
        let sentence = self.to_string();
        if !sentence.is_empty() {
            ui.note(&sentence);
        }
        self.exit_code()
    }

    fn exit_code(&self) -> ExitCode {
        match self.blame {
            Blame::Usage => ExitCode::from(2),
            Blame::Failed => ExitCode::from(1),
            Blame::Program(code) => ExitCode::from(code),
            Blame::ReaderGone => ExitCode::SUCCESS,
        }
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = self.source.as_deref().map(chain);
        match (&self.doing, source) {
            (Some(doing), Some(source)) => write!(f, "{doing}: {source}"),
            (Some(only), None) => f.write_str(only),
            (None, Some(only)) => f.write_str(&only),
            (None, None) => Ok(()),
        }
    }
}

impl Error for CommandError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref()
    }
}

impl From<io::Error> for CommandError {
    /// Output is the only thing that commands write by themselves.
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self { blame: Blame::ReaderGone, doing: None, source: None };
        }
        Self::doing("Error writing output", error)
    }
}

impl From<ClientError> for CommandError {
    fn from(error: ClientError) -> Self {
        Self::doing("Error", error)
    }
}

/// Joins an error and its sources.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut sentence = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        sentence.push_str(": ");
        sentence.push_str(&error.to_string());
        source = error.source();
    }
    sentence
}
