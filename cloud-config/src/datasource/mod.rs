//! Where user data and metadata come from: one file for each place.
//!
//! A datasource reads, and writes nothing but what is kept for a boot without network. It asks
//! nobody in parallel: which places are asked, and in which order, is decided by [`find()`].

mod attempt;
mod azure;
mod cloudstack;
mod cmdline;
mod configdrive;
mod digitalocean;
mod ec2;
mod error;
mod file;
mod find;
mod found;
mod gce;
mod http;
mod identify;
mod json;
mod kept;
mod local;
mod name;
mod nocloud;
mod nocloud_metadata;
mod openstack;
mod packet;
mod program;
mod service;
#[cfg(test)]
mod tests;
mod vmware;
mod volume;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub use error::SourceError;
pub use find::{NotFound, Stage, Tried, find, find_or_kept, read};
pub use found::Found;
pub use http::HttpError;
pub use kept::{keep, kept};
pub use name::{Name, UnknownName};

use crate::clock::Clock;
use http::Http;

/// More user data than any document or script has; clouds take much less.
const MAX_BYTES: usize = 10_000_000;

/// Where to look, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct Search<'a> {
    /// The root directory of the host.
    pub root: &'a Path,
    /// The file or directory of the datasource, instead of the usual ones.
    pub path: Option<&'a Path>,
    /// The server of the datasource, instead of the one that the cloud has.
    pub url: Option<&'a str>,
    /// Tells the time.
    pub clock: &'a dyn Clock,
    /// How long it may take.
    pub limits: Limits,
}

/// How long to look for user data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// All datasources together.
    pub total: Duration,
    /// One request to a server, or one program.
    pub request: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { total: Duration::from_secs(120), request: Duration::from_secs(10) }
    }
}

/// What a datasource is read with.
struct Asking<'a> {
    search: Search<'a>,
    http: Http<'a>,
    /// Whether servers may be asked, too.
    online: bool,
}

impl Asking<'_> {
    /// Where the server of a cloud is; ends with a slash.
    fn base(&self, usual: &str) -> String {
        let base = self.search.url.unwrap_or(usual);
        if base.ends_with('/') { base.to_owned() } else { format!("{base}/") }
    }

    /// The given path, or else the usual ones below the root.
    fn places(&self, usual: &[&str]) -> Vec<PathBuf> {
        match self.search.path {
            Some(path) => vec![path.to_owned()],
            None => usual.iter().map(|path| self.search.root.join(path)).collect(),
        }
    }
}

/// What a datasource has; `None` if the host has no such datasource.
type Reading = Result<Option<Found>, SourceError>;
