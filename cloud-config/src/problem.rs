//! What is wrong with a document, and where.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A place in the text of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
}

impl Position {
    /// The beginning of a document.
    pub const START: Self = Self { line: 1, column: 1 };

    /// The same place in a text with so many lines before it.
    #[must_use]
    pub const fn below(self, lines: usize) -> Self {
        Self { line: self.line + lines, column: self.column }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.line, self.column)
    }
}

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing of the document is applied but what keeps the host reachable.
    Error,
    /// The document is applied, and the warning told.
    Warning,
}

/// One thing that is wrong with a document.
///
/// Its text never holds contents of files, hashes of passwords or other values that may be secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Whether it stops the document.
    pub severity: Severity,
    /// Where the key or value starts.
    #[serde(flatten)]
    pub position: Position,
    /// Path of the key, such as `coreos.units[2].command`; empty for the whole document.
    pub path: String,
    /// A sentence without a full stop, and what would be right.
    pub text: String,
}

impl Problem {
    /// A problem that stops the document.
    #[must_use]
    pub fn error(position: Position, path: impl Into<String>, text: impl Into<String>) -> Self {
        Self { severity: Severity::Error, position, path: path.into(), text: text.into() }
    }

    /// A problem that is told, and does not stop the document.
    #[must_use]
    pub fn warning(position: Position, path: impl Into<String>, text: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, position, path: path.into(), text: text.into() }
    }

    /// Whether it stops the document.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(formatter, "{}: {severity}: ", self.position)?;
        if !self.path.is_empty() {
            write!(formatter, "{}: ", self.path)?;
        }
        write!(formatter, "{}", self.text)
    }
}
