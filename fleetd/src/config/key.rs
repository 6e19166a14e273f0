//! The settings by name: what may stand in fleet.conf, in `FLEET_*` and in flags, and what counts
//! where nobody says anything.

/// A setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// How long a machine counts as present after its last sign of life.
    AgentTtl,
    /// Authorities that people's certificates are checked against.
    ApiCafile,
    /// Certificate of the API.
    ApiCertfile,
    /// Its key.
    ApiKeyfile,
    /// 1.0's list of keys for signed units.
    AuthorizedKeysFile,
    /// Whether this machine never leads the cluster.
    DisableEngine,
    /// 1.0's switch from watches to polling.
    DisableWatches,
    /// 1.0's messages past etcd.
    EnableGrpc,
    /// 1.0's interval of the engine.
    EngineReconcileInterval,
    /// Authorities that etcd's certificate is checked against.
    EtcdCafile,
    /// Client certificate for etcd.
    EtcdCertfile,
    /// What all keys of this cluster begin with.
    EtcdKeyPrefix,
    /// Key of the client certificate.
    EtcdKeyfile,
    /// Password for etcd.
    EtcdPassword,
    /// Seconds that etcd has for an answer.
    EtcdRequestTimeout,
    /// Endpoints of etcd.
    EtcdServers,
    /// User name for etcd.
    EtcdUsername,
    /// Whether the API may listen on TCP without TLS for everybody.
    InsecureTcp,
    /// What units may ask of this machine.
    Metadata,
    /// Address that other machines and people are told.
    PublicIp,
    /// How long a lost machine's units wait for it.
    RescheduleGrace,
    /// Which store holds the cluster.
    Store,
    /// Whether to use the user's systemd.
    SystemdUser,
    /// Entries in one page of the API.
    TokenLimit,
    /// Where unit files are written.
    UnitsDirectory,
    /// How much is logged.
    Verbosity,
    /// 1.0's signed units.
    VerifyUnits,
}

impl Key {
    /// All settings, in the order of their names.
    pub const ALL: [Self; 27] = [
        Self::AgentTtl,
        Self::ApiCafile,
        Self::ApiCertfile,
        Self::ApiKeyfile,
        Self::AuthorizedKeysFile,
        Self::DisableEngine,
        Self::DisableWatches,
        Self::EnableGrpc,
        Self::EngineReconcileInterval,
        Self::EtcdCafile,
        Self::EtcdCertfile,
        Self::EtcdKeyPrefix,
        Self::EtcdKeyfile,
        Self::EtcdPassword,
        Self::EtcdRequestTimeout,
        Self::EtcdServers,
        Self::EtcdUsername,
        Self::InsecureTcp,
        Self::Metadata,
        Self::PublicIp,
        Self::RescheduleGrace,
        Self::Store,
        Self::SystemdUser,
        Self::TokenLimit,
        Self::UnitsDirectory,
        Self::Verbosity,
        Self::VerifyUnits,
    ];

    /// The name as fleet.conf spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AgentTtl => "agent_ttl",
            Self::ApiCafile => "api_cafile",
            Self::ApiCertfile => "api_certfile",
            Self::ApiKeyfile => "api_keyfile",
            Self::AuthorizedKeysFile => "authorized_keys_file",
            Self::DisableEngine => "disable_engine",
            Self::DisableWatches => "disable_watches",
            Self::EnableGrpc => "enable_grpc",
            Self::EngineReconcileInterval => "engine_reconcile_interval",
            Self::EtcdCafile => "etcd_cafile",
            Self::EtcdCertfile => "etcd_certfile",
            Self::EtcdKeyPrefix => "etcd_key_prefix",
            Self::EtcdKeyfile => "etcd_keyfile",
            Self::EtcdPassword => "etcd_password",
            Self::EtcdRequestTimeout => "etcd_request_timeout",
            Self::EtcdServers => "etcd_servers",
            Self::EtcdUsername => "etcd_username",
            Self::InsecureTcp => "insecure_tcp",
            Self::Metadata => "metadata",
            Self::PublicIp => "public_ip",
            Self::RescheduleGrace => "reschedule_grace",
            Self::Store => "store",
            Self::SystemdUser => "systemd_user",
            Self::TokenLimit => "token_limit",
            Self::UnitsDirectory => "units_directory",
            Self::Verbosity => "verbosity",
            Self::VerifyUnits => "verify_units",
        }
    }

    /// The value where nobody says anything; 1.0's where 1.0 had the setting.
    #[must_use]
    pub const fn default_text(self) -> &'static str {
        match self {
            Self::AgentTtl => "30s",
            Self::DisableEngine
            | Self::DisableWatches
            | Self::EnableGrpc
            | Self::InsecureTcp
            | Self::SystemdUser
            | Self::VerifyUnits => "false",
            Self::EngineReconcileInterval => "2.0",
            Self::EtcdKeyPrefix => "/_coreos.com/fleet/",
            Self::EtcdRequestTimeout => "1.0",
            Self::EtcdServers => "http://127.0.0.1:2379,http://127.0.0.1:4001",
            Self::RescheduleGrace => "0s",
            Self::TokenLimit => "100",
            Self::UnitsDirectory => "/run/fleet/units/",
            Self::Verbosity => "0",
            Self::ApiCafile
            | Self::ApiCertfile
            | Self::ApiKeyfile
            | Self::AuthorizedKeysFile
            | Self::EtcdCafile
            | Self::EtcdCertfile
            | Self::EtcdKeyfile
            | Self::EtcdPassword
            | Self::EtcdUsername
            | Self::Metadata
            | Self::PublicIp
            | Self::Store => "",
        }
    }

    /// One line for `--help`.
    #[must_use]
    pub const fn help(self) -> &'static str {
        match self {
            Self::AgentTtl => "Time after its last sign of life at which a machine counts as lost",
            Self::ApiCafile => {
                "PEM file with the authorities that sign the certificates of the API's clients"
            }
            Self::ApiCertfile => "PEM file with the certificate of the API on TCP sockets",
            Self::ApiKeyfile => "PEM file with the key of api_certfile",
            Self::DisableEngine => "Never lead the cluster from this machine",
            Self::EtcdCafile => "PEM file with the authorities that sign etcd's certificate",
            Self::EtcdCertfile => "PEM file with the certificate that etcd is shown",
            Self::EtcdKeyPrefix => "What all keys of this cluster begin with",
            Self::EtcdKeyfile => "PEM file with the key of etcd_certfile",
            Self::EtcdPassword => "Password for etcd_username",
            Self::EtcdRequestTimeout => "Seconds that etcd has for an answer",
            Self::EtcdServers => {
                "Endpoints of etcd, separated by commas; other members are found through them"
            }
            Self::EtcdUsername => "User to log in to etcd with",
            Self::InsecureTcp => "Serve the API on TCP sockets that others can reach, without TLS",
            Self::Metadata => "What units may ask of this machine: key=value,key=value",
            Self::PublicIp => "Address to publish instead of the default route's",
            Self::RescheduleGrace => "Time that the units of a lost machine wait for its return",
            Self::Store => {
                "etcd, or embedded: this machine alone (the default if nothing at all is set)"
            }
            Self::SystemdUser => "Run units in the user's systemd",
            Self::TokenLimit => "Entries in one page of the API",
            Self::UnitsDirectory => "Directory for unit files",
            Self::Verbosity => "Log more if above 0",
            Self::AuthorizedKeysFile
            | Self::DisableWatches
            | Self::EnableGrpc
            | Self::EngineReconcileInterval
            | Self::VerifyUnits => "No effect any more; read for the sake of old configurations",
        }
    }

    /// Whether it is read only because old configurations have it.
    #[must_use]
    pub const fn is_obsolete(self) -> bool {
        matches!(
            self,
            Self::AuthorizedKeysFile
                | Self::DisableWatches
                | Self::EnableGrpc
                | Self::EngineReconcileInterval
                | Self::VerifyUnits
        )
    }

    /// The setting of a name, in any case.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.name().eq_ignore_ascii_case(name))
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_and_lead_back_to_their_setting() {
        assert!(Key::ALL.is_sorted_by_key(|key| key.name()));
        assert_eq!(Key::ALL.map(|key| Key::of(key.name())), Key::ALL.map(Some));
        assert_eq!(Key::of("Agent_TTL"), Some(Key::AgentTtl));
    }
}
