//! Why a datasource that is there cannot be read.

use std::io;
use std::path::PathBuf;

use super::http::HttpError;
use super::program::ProgramError;

/// Why a datasource that is there cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A server does not give what it should.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file, answer or value is not in the form that it should have.
    #[error("{place}: {fault}")]
    Form {
        /// The path, URL or name.
        place: String,
        /// What is wrong; never what is in it.
        fault: String,
    },
    /// A program that reads the datasource fails.
    #[error(transparent)]
    Program(#[from] ProgramError),
}

impl SourceError {
    pub(super) fn form(place: &(impl ToString + ?Sized), fault: impl Into<String>) -> Self {
        Self::Form { place: place.to_string(), fault: fault.into() }
    }
}
