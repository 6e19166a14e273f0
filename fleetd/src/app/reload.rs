//! The configuration of a fleetd that runs: what counts, and reading it again. A configuration that
//! is wrong changes nothing.

use tracing::{error, info, warn};

use crate::config::{self, Changes, Key, Loaded, Merged, Settings, Sources, StoreChoice};
use crate::log::{Verbosity, chain};

/// What counts, and where it comes from.
#[derive(Debug)]
pub struct Configuration {
    sources: Sources,
    verbosity: Verbosity,
    /// As written; what is not followed before a restart stays as it was at the start.
    merged: Merged,
    pub(super) settings: Settings,
}

impl Configuration {
    /// The configuration that fleetd starts with.
    #[must_use]
    pub fn new(sources: Sources, loaded: Loaded, verbosity: Verbosity) -> Self {
        let Loaded { merged, settings, .. } = loaded;
        Self { sources, verbosity, merged, settings }
    }

    /// Reads everything again and follows what can be followed; tells whether it could be read.
    pub(super) fn reload(&mut self) -> bool {
        let loaded = match config::load(&self.sources) {
            Ok(loaded) => loaded,
            Err(error) => {
                info!("Reloading configuration");
                let reason = chain(&error);
                error!(reason, "The configuration is wrong: all settings stay as they are");
                return false;
            }
        };
        info!(configuration = loaded.file_name(), "Reloading configuration");
        let changes = Changes::between(&self.merged, &loaded.merged);
        let names = |keys: &[Key]| keys.iter().map(Key::to_string).collect::<Vec<_>>().join(" ");
        if !changes.left.is_empty() {
            warn!(
                settings = names(&changes.left),
                "These need a restart of fleet, which leaves units running"
            );
        }
        self.merged.follow(&loaded.merged, &changes.followed);
        self.follow(loaded.settings);
        info!(settings = names(&changes.followed), "Reloaded configuration");
        true
    }

    fn follow(&mut self, new: Settings) {
        let Settings { api_tls, debug, metadata, public_ip, store, .. } = new;
        // Sockets that were opened without TLS cannot begin to speak it, nor the other way round.
        match (&self.settings.api_tls, api_tls) {
            (Some(_), Some(files)) => self.settings.api_tls = Some(files),
            (None, None) => {}
            (None, Some(_)) | (Some(_), None) => {
                warn!(
                    "TLS of the API begins or ends with a restart of fleet, which leaves units running"
                );
            }
        }
        if let (StoreChoice::Etcd(now), StoreChoice::Etcd(new)) = (&mut self.settings.store, store)
        {
            now.tls = new.tls;
        }
        if debug != self.settings.debug
            && let Err(error) = self.verbosity.set(debug)
        {
            warn!(error = %chain(&error), "Verbosity stays as it is");
        }
        (self.settings.debug, self.settings.metadata, self.settings.public_ip) =
            (debug, metadata, public_ip);
    }
}
