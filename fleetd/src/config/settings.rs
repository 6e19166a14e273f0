//! The checked settings: what the rest of fleetd may rely on.

use std::net::IpAddr;
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;

use fleet_units::Metadata;
use tracing::{info, warn};

use super::key::Key;
use super::layers::Merged;
use super::print::masked;
use super::problem::{ConfigError, Problem};
use super::store::{self, StoreChoice, StoreKind, StoreReason};
use super::value;
use crate::registry::key::KeyPrefix;
use crate::store::etcd::{Credentials, EtcdOptions, TlsFiles};

/// Everything that can be set, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long a machine counts as present after its last sign of life.
    pub agent_ttl: Duration,
    /// Certificates of the API on TCP sockets.
    pub api_tls: Option<ApiTls>,
    /// Never leads the cluster.
    pub disable_engine: bool,
    /// What all keys of this cluster begin with.
    pub prefix: KeyPrefix,
    /// The API may listen on TCP for everybody, without TLS.
    pub insecure_tcp: bool,
    /// What units may ask of this machine.
    pub metadata: Metadata,
    /// Address to publish; none means the default route's.
    pub public_ip: Option<IpAddr>,
    /// How long a lost machine's units wait for it.
    pub reschedule_grace: Duration,
    /// Where the cluster is kept.
    pub store: StoreChoice,
    /// Why there.
    pub store_reason: StoreReason,
    /// Units run in the user's systemd.
    pub systemd_user: bool,
    /// Entries in one page of the API.
    pub token_limit: NonZeroU16,
    /// Where unit files are written.
    pub units_directory: PathBuf,
    /// Log at level debug.
    pub debug: bool,
}

/// Files for TLS with the API's clients, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiTls {
    /// Authorities that sign the clients' certificates.
    pub ca: PathBuf,
    /// Certificate that clients are shown.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// A sentence about a setting that works otherwise than it did in 1.0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Whether somebody may be missing something; otherwise it is just as well.
    pub warning: bool,
    /// Place and meaning.
    pub problem: Problem,
}

impl Notice {
    /// Tells the journal.
    pub fn log(&self) {
        if self.warning {
            warn!(reason = %self.problem, "A setting is ignored");
        } else {
            info!(reason = %self.problem, "A setting is not needed any more");
        }
    }
}

impl Settings {
    /// Checks all values; reports all problems at once.
    ///
    /// # Errors
    ///
    /// Lists what is wrong, with its places.
    pub fn check(merged: &Merged) -> Result<Self, ConfigError> {
        let mut checker = Checker { merged, problems: merged.problems.clone() };
        let settings = checker.settings();
        match settings {
            Some(settings) if checker.problems.is_empty() => Ok(settings),
            _ => Err(ConfigError::Invalid(checker.problems)),
        }
    }

    /// What is to be said of settings that have lost their effect.
    #[must_use]
    pub fn notices(merged: &Merged) -> Vec<Notice> {
        Key::ALL.into_iter().filter_map(|key| notice(merged, key)).collect()
    }
}

fn notice(merged: &Merged, key: Key) -> Option<Notice> {
    let written = merged.of(key);
    let (warning, sentence) = match key {
        Key::EngineReconcileInterval => {
            (false, "has no effect: the engine acts on changes, when they happen")
        }
        Key::DisableWatches => {
            (true, "has no effect: fleet polls nothing, and needs watches of the store")
        }
        Key::EnableGrpc => {
            (true, "has no effect: machines talk through etcd v3, which is fast enough for it")
        }
        Key::VerifyUnits | Key::AuthorizedKeysFile => {
            (true, "has no effect: signed units are gone; restrict who may use the API instead")
        }
        _ => return None,
    };
    if written.text == key.default_text() {
        return None;
    }
    let problem = Problem::new(written.place.clone(), format!("{key} {sentence}"));
    Some(Notice { warning, problem })
}

struct Checker<'a> {
    merged: &'a Merged,
    problems: Vec<Problem>,
}

impl Checker<'_> {
    /// `None` only together with a problem.
    fn settings(&mut self) -> Option<Settings> {
        // Each is read before any can end the check: all problems are to be reported.
        let agent_ttl = self.read(Key::AgentTtl, value::ttl);
        let reschedule_grace = self.read(Key::RescheduleGrace, value::duration);
        let disable_engine = self.read(Key::DisableEngine, value::boolean);
        let insecure_tcp = self.read(Key::InsecureTcp, value::boolean);
        let systemd_user = self.read(Key::SystemdUser, value::boolean);
        let metadata = self.read(Key::Metadata, value::metadata);
        let public_ip = self.read(Key::PublicIp, value::address);
        let prefix = self.read(Key::EtcdKeyPrefix, value::prefix);
        let token_limit = self.read(Key::TokenLimit, value::count);
        let units_directory = self.read(Key::UnitsDirectory, value::directory);
        let verbosity = self.read(Key::Verbosity, value::integer);
        let api_tls = self.api_tls(insecure_tcp == Some(true));
        let store = self.store(disable_engine == Some(true));
        let (store, store_reason) = store?;
        Some(Settings {
            agent_ttl: agent_ttl?,
            api_tls: api_tls?,
            disable_engine: disable_engine?,
            prefix: prefix?,
            insecure_tcp: insecure_tcp?,
            metadata: metadata?,
            public_ip: public_ip?,
            reschedule_grace: reschedule_grace?,
            store,
            store_reason,
            systemd_user: systemd_user?,
            token_limit: token_limit?,
            units_directory: units_directory?,
            debug: verbosity? > 0,
        })
    }

    /// `None` only together with a problem.
    fn store(&mut self, engine_is_disabled: bool) -> Option<(StoreChoice, StoreReason)> {
        let wanted = self.read(Key::Store, value::store)?;
        let (kind, reason) = store::choose(self.merged, wanted);
        match kind {
            StoreKind::Etcd => Some((StoreChoice::Etcd(self.etcd()?), reason)),
            StoreKind::Embedded => {
                self.problems.extend(store::contradictions(self.merged, engine_is_disabled));
                Some((StoreChoice::Embedded, reason))
            }
        }
    }

    /// `None` only together with a problem. One without the others would let everybody in, or nobody.
    fn api_tls(&mut self, insecure_tcp: bool) -> Option<Option<ApiTls>> {
        let keys = [Key::ApiCafile, Key::ApiCertfile, Key::ApiKeyfile];
        let files = keys.map(|key| self.read(key, value::optional_absolute));
        let [Some(ca), Some(cert), Some(key)] = files else { return None };
        match (ca, cert, key) {
            (None, None, None) => Some(None),
            (Some(ca), Some(cert), Some(key)) => {
                if insecure_tcp {
                    let sentence =
                        "insecure_tcp and the certificates of the API are set: remove one";
                    self.object(Key::InsecureTcp, sentence);
                }
                Some(Some(ApiTls { ca, cert, key }))
            }
            (Some(_), _, _) => self.incomplete(Key::ApiCafile),
            (None, Some(_), _) => self.incomplete(Key::ApiCertfile),
            (None, None, Some(_)) => self.incomplete(Key::ApiKeyfile),
        }
    }

    /// `None` only together with a problem.
    fn etcd(&mut self) -> Option<EtcdOptions> {
        let endpoints = self.read(Key::EtcdServers, value::endpoints);
        let request_timeout = self.read(Key::EtcdRequestTimeout, value::seconds);
        let ca = self.read(Key::EtcdCafile, value::optional_file)?;
        let certificate = self.read(Key::EtcdCertfile, value::optional_file)?;
        let key = self.read(Key::EtcdKeyfile, value::optional_file)?;
        let username = self.text(Key::EtcdUsername);
        let password = self.text(Key::EtcdPassword);
        match (&certificate, &key) {
            (Some(_), None) => self.lonely(Key::EtcdCertfile, Key::EtcdKeyfile),
            (None, Some(_)) => self.lonely(Key::EtcdKeyfile, Key::EtcdCertfile),
            (Some(_), Some(_)) | (None, None) => {}
        }
        if username.is_empty() && !password.is_empty() {
            self.lonely(Key::EtcdPassword, Key::EtcdUsername);
        }
        let tls = TlsFiles { ca, cert: certificate, key };
        Some(EtcdOptions {
            endpoints: endpoints?,
            request_timeout: request_timeout?,
            credentials: (!username.is_empty()).then_some(Credentials { username, password }),
            tls: (tls != TlsFiles::default()).then_some(tls),
        })
    }

    fn read<T>(&mut self, key: Key, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        let written = self.merged.of(key);
        match parse(written.text.trim()) {
            Ok(value) => Some(value),
            Err(expected) => {
                let text = masked(key, &written.text);
                let sentence = format!("{key}={text:?}: {expected}");
                self.problems.push(Problem::new(written.place.clone(), sentence));
                None
            }
        }
    }

    fn text(&self, key: Key) -> String {
        self.merged.of(key).text.clone()
    }

    fn lonely(&mut self, given: Key, missing: Key) {
        self.object(given, &format!("{given} is set and {missing} is not: set both or none"));
    }

    fn incomplete<T>(&mut self, given: Key) -> Option<T> {
        self.object(given, "set all of api_cafile, api_certfile and api_keyfile, or none");
        None
    }

    fn object(&mut self, key: Key, sentence: &str) {
        let place = self.merged.of(key).place.clone();
        self.problems.push(Problem::new(place, sentence.to_owned()));
    }
}
