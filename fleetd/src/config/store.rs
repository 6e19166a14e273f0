//! Which store holds the cluster: etcd, or the embedded one of a machine that is alone.

use std::fmt;

use super::fragment::Place;
use super::key::Key;
use super::layers::Merged;
use super::problem::Problem;
use crate::store::etcd::EtcdOptions;

/// The kinds of store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StoreKind {
    Etcd,
    Embedded,
}

/// The store, with what is needed to reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreChoice {
    /// The etcd of a cluster.
    Etcd(EtcdOptions),
    /// The one in this process.
    Embedded,
}

/// Why it is this store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreReason {
    /// The setting `store` says so.
    Said(Place),
    /// The endpoints of etcd are named.
    EndpointsNamed(Place),
    /// There is a configuration, and it names no store: that has always meant etcd on this host.
    NothingSaid,
    /// There is no configuration at all.
    Unconfigured,
}

impl fmt::Display for StoreReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Said(place) => write!(f, "store is set ({place})"),
            Self::EndpointsNamed(place) => write!(f, "etcd_servers is set ({place})"),
            Self::NothingSaid => f.write_str(
                "the configuration sets neither store nor etcd_servers, which means an etcd at \
                 the default endpoints",
            ),
            Self::Unconfigured => {
                f.write_str("there is no fleet.conf, no FLEET_... in the environment and no flag")
            }
        }
    }
}

/// The store that a configuration means.
pub(super) fn choose(merged: &Merged, wanted: Option<StoreKind>) -> (StoreKind, StoreReason) {
    let place = |key| merged.of(key).place.clone();
    match wanted {
        Some(kind) => (kind, StoreReason::Said(place(Key::Store))),
        None if place(Key::EtcdServers) != Place::Default => {
            (StoreKind::Etcd, StoreReason::EndpointsNamed(place(Key::EtcdServers)))
        }
        None if merged.is_configured => (StoreKind::Etcd, StoreReason::NothingSaid),
        None => (StoreKind::Embedded, StoreReason::Unconfigured),
    }
}

/// What makes no sense beside an embedded store. An empty value says nothing, so that one layer can
/// take back what another one says.
pub(super) fn contradictions(merged: &Merged, engine_is_disabled: bool) -> Vec<Problem> {
    let of_etcd = [
        Key::EtcdCafile,
        Key::EtcdCertfile,
        Key::EtcdKeyfile,
        Key::EtcdPassword,
        Key::EtcdRequestTimeout,
        Key::EtcdServers,
        Key::EtcdUsername,
    ];
    let written = of_etcd.map(|key| (key, merged.of(key))).into_iter();
    let written = written
        .filter(|(_, written)| written.place != Place::Default && !written.text.trim().is_empty());
    let mut problems: Vec<_> = written
        .map(|(key, written)| {
            let sentence = format!("{key} is set and store=embedded uses no etcd: remove one");
            Problem::new(written.place.clone(), sentence)
        })
        .collect();
    if engine_is_disabled {
        let sentence = "disable_engine is set and with store=embedded no other machine can lead: \
                        remove one";
        let place = merged.of(Key::DisableEngine).place.clone();
        problems.push(Problem::new(place, sentence.to_owned()));
    }
    problems
}
