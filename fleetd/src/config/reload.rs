//! What becomes of changed settings in a fleetd that runs: some are followed at once, the others
//! with the next restart, which leaves units running.

use super::key::Key;
use super::layers::Merged;

/// Settings that are not what they were.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Those that can be followed now.
    pub followed: Vec<Key>,
    /// Those that a restart is needed for.
    pub left: Vec<Key>,
}

impl Changes {
    /// Compares what was written with what is.
    #[must_use]
    pub fn between(old: &Merged, new: &Merged) -> Self {
        let changed = Key::ALL.into_iter().filter(|key| old.of(*key).text != new.of(*key).text);
        let (followed, left) = changed
            // Nothing comes of these, whatever they say.
            .filter(|key| !key.is_obsolete())
            .partition(|key| is_followed(*key));
        Self { followed, left }
    }
}

/// Whether a running fleetd follows a setting. What is not followed is known to other parts by the
/// time, or means other units, keys or sockets.
const fn is_followed(key: Key) -> bool {
    match key {
        Key::ApiCafile
        | Key::ApiCertfile
        | Key::ApiKeyfile
        | Key::EtcdCafile
        | Key::EtcdCertfile
        | Key::EtcdKeyfile
        | Key::Metadata
        | Key::PublicIp
        | Key::Verbosity => true,
        Key::AgentTtl
        | Key::AuthorizedKeysFile
        | Key::DisableEngine
        | Key::DisableWatches
        | Key::EnableGrpc
        | Key::EngineReconcileInterval
        | Key::EtcdKeyPrefix
        | Key::EtcdPassword
        | Key::EtcdRequestTimeout
        | Key::EtcdServers
        | Key::EtcdUsername
        | Key::InsecureTcp
        | Key::RescheduleGrace
        | Key::Store
        | Key::SystemdUser
        | Key::TokenLimit
        | Key::UnitsDirectory
        | Key::VerifyUnits => false,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::fragment::Fragment;
    use super::*;

    #[test]
    fn changed_settings_are_followed_or_left_and_obsolete_ones_are_neither() {
        let of = |text| Merged::of_layers([Fragment::of_file(Path::new("fleet.conf"), text)]);
        let old = of("metadata=a=b\nagent_ttl=5s\ntoken_limit=7\n");
        let new = of("\n\nagent_ttl=5s\nverbosity=1\nmetadata=a=c\nenable_grpc=true\n");

        let expected =
            Changes { followed: vec![Key::Metadata, Key::Verbosity], left: vec![Key::TokenLimit] };
        assert_eq!(Changes::between(&old, &new), expected);
        assert_eq!(Changes::between(&new, &new), Changes::default());
    }
}
