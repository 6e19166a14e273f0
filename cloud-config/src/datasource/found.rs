//! What a datasource has.

use std::fmt;
use std::str::FromStr;

use super::Name;
use crate::facts::Metadata;

/// User data and metadata of a host, and where they are from.
#[derive(Clone, PartialEq, Eq)]
pub struct Found {
    /// What the user gave; `None` if nothing. Secrets may be in it.
    pub user_data: Option<Vec<u8>>,
    /// What the cloud says of the host.
    pub metadata: Metadata,
    /// Which datasource it is.
    pub source: Name,
    /// What was passed over, or is old: sentences for people.
    pub warnings: Vec<String>,
}

impl Found {
    /// Nothing yet.
    pub(super) fn new(source: Name) -> Self {
        Self { user_data: None, metadata: Metadata::default(), source, warnings: Vec::new() }
    }

    /// With user data, unless that is empty.
    pub(super) fn with_user_data(mut self, user_data: Option<Vec<u8>>) -> Self {
        self.user_data = user_data.filter(|bytes| !bytes.is_empty());
        self
    }

    /// An address that the cloud tells; one that cannot be read is a warning.
    pub(super) fn address<T: FromStr>(&mut self, what: &str, text: Option<String>) -> Option<T> {
        let text = text.filter(|text| !text.is_empty())?;
        let address = text.parse().ok();
        if address.is_none() {
            self.warnings.push(format!("{}: {what} is not an address: passed over", self.source));
        }
        address
    }

    /// The keys of lines of text.
    pub(super) fn add_keys(&mut self, text: &str) {
        let lines = text.lines().map(str::trim);
        for key in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if !self.metadata.ssh_authorized_keys.iter().any(|known| known == key) {
                self.metadata.ssh_authorized_keys.push(key.to_owned());
            }
        }
    }
}

impl fmt::Debug for Found {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.user_data.as_ref().map(Vec::len);
        formatter
            .debug_struct("Found")
            .field("source", &self.source)
            .field("user_data_bytes", &bytes)
            .field("metadata", &self.metadata)
            .field("warnings", &self.warnings)
            .finish()
    }
}
