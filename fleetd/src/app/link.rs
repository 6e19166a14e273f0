//! What of the store is not the same for all kinds: its connections.

use crate::config::StoreChoice;
use crate::store::etcd::{EtcdOptionsError, EtcdStore};

/// How the store is reached, beside what all stores do.
pub(super) enum Link {
    /// Through connections to members.
    Etcd {
        /// The connections.
        store: EtcdStore,
        /// Whether they are made with certificates.
        is_secure: bool,
    },
    /// It is in this process.
    Embedded,
}

impl Link {
    /// Makes the store read its certificates again.
    pub(super) fn renew(&self, choice: &StoreChoice) -> Result<(), EtcdOptionsError> {
        match (self, choice) {
            (Self::Etcd { store, is_secure: true }, StoreChoice::Etcd(options)) => {
                store.renew(&options.tls.clone().unwrap_or_default())
            }
            _ => Ok(()),
        }
    }

    /// URLs that are in use.
    pub(super) fn endpoints(&self) -> Vec<String> {
        match self {
            Self::Etcd { store, .. } => store.endpoints(),
            Self::Embedded => Vec::new(),
        }
    }
}
