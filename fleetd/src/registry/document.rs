//! The stored documents. JSON with a `version`; a document of a newer version, or one that does
//! not parse, is *unreadable*: whoever meets it keeps things as they are and reports it.

use std::collections::BTreeSet;
use std::net::IpAddr;

pub use fleet_units::JobState;
use fleet_units::{MachineId, Metadata, TargetState, UnitHash};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The newest document version that this build reads, and the one it writes.
pub const VERSION: u32 = 1;

/// Durable facts about a machine, `members/<id>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Address last published, for people who look for a lost machine.
    pub address: Option<IpAddr>,
    /// Whether the engine may give it units.
    pub standing: Standing,
    /// Whether an engine has seen it vanish, and not together with most others: a later engine
    /// does not take it for part of a storm. Its return ends that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub missing: bool,
}

/// Where a member stands in the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// Takes units.
    Joined,
    /// Keeps its units, takes no others.
    Cordoned,
    /// Gives its units away one by one.
    Draining,
    /// Is stopping its units before it goes.
    Leaving,
    /// Went in order; its units run elsewhere.
    Left,
}

/// Presence of a machine, `machines/<id>`, bound to the machine's lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Random identity of this installation of fleetd, kept in its state directory: tells a
    /// restarted machine from a second one with the same machine-id.
    pub instance: Uuid,
    /// The kernel's boot id.
    pub boot: String,
    /// Host name, for messages.
    pub hostname: String,
    /// Published address.
    pub address: Option<IpAddr>,
    /// Metadata from the machine's configuration.
    pub metadata: Metadata,
    /// Newest document version that the machine reads.
    pub reads: u32,
    /// Version of fleetd, for people.
    pub fleet: String,
}

/// Metadata set at run time, `metadata/<id>`; an empty value hides a configured one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetadataOverlay {
    /// The set values.
    pub values: Metadata,
}

impl MetadataOverlay {
    /// The metadata that counts: configured values overlaid by these.
    #[must_use]
    pub fn over(&self, configured: &Metadata) -> Metadata {
        let mut effective = configured.clone();
        effective.extend(self.values.clone());
        effective.retain(|_, value| !value.is_empty());
        effective
    }
}

/// A unit as an operator asked for it, `units/<name>`. Its `uid` is the key's create revision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unit {
    /// The submitted text, byte for byte.
    pub text: String,
    /// 1.0's hash of the canonical text.
    pub hash: UnitHash,
    /// What the operator asked for.
    pub target: TargetState,
    /// Number of accepted writes.
    pub generation: u64,
    /// Number of times that the running unit must have been stopped: one per transition from
    /// launched to a lower target, and per restart.
    pub stops: u64,
}

/// The one place of a unit that is not global, `placed/<name>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed {
    /// Machine that holds the unit.
    pub machine: MachineId,
    /// Create revision of the unit's record.
    pub uid: i64,
    /// Store revision on which the placement was decided: grows with each placement of a name,
    /// also across destroy and start.
    pub generation: i64,
}

/// A unit that a machine has to hold, `schedule/<id>/<name>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// Text to run.
    pub text: String,
    /// Hash of that text.
    pub hash: UnitHash,
    /// Loaded or launched.
    pub target: TargetState,
    /// Create revision of the unit's record.
    pub uid: i64,
    /// Generation of the unit's record that this follows.
    pub generation: u64,
    /// Stop counter of the unit's record.
    pub stops: u64,
    /// Store revision on which the placement was decided, as in [`Placed::generation`].
    pub placement: i64,
    /// Whether the machine is to keep or to give up the unit.
    pub phase: Phase,
}

/// Phase of an assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// The machine holds the unit.
    Held,
    /// The machine stops the unit, then deletes this document.
    Released,
    /// The machine keeps the unit until its new copy runs (drain).
    Retiring,
}

/// What a machine reports of one unit, `states/<id>/<name>`, bound to the machine's lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Create revision of the unit's record that is meant.
    pub uid: i64,
    /// Newest generation of the unit's record that the machine has acted on.
    pub observed: u64,
    /// Hash of the text that systemd was given.
    pub hash: UnitHash,
    /// What the machine has brought about: loaded, or launched once systemd accepted the start.
    pub current: TargetState,
    /// systemd's LoadState.
    pub load: String,
    /// systemd's ActiveState.
    pub active: String,
    /// systemd's SubState.
    pub sub: String,
    /// The last job that the machine asked systemd for.
    pub job: JobState,
    /// Why the unit is not what it should be, as a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// The engine that leads, `engine/leader`, bound to the leader's lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leader {
    /// Its machine.
    pub machine: MachineId,
}

/// Machines that vanished together, `engine/hold`: while it stands no unit leaves a lost machine. An
/// operator who deletes it says that they will not return.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Those of them that are still away.
    pub machines: BTreeSet<MachineId>,
}

/// A unit that was made once for the cluster, `seeded/<name>`: it outlives the unit, so that a
/// machine that joins or boots later does not bring back what an operator destroyed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seeded {
    /// Hash of the text that came first, if one did.
    pub hash: Option<UnitHash>,
}

/// Why a stored document cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// It was written by a newer fleet.
    #[error("document version {0} is newer than this fleetd reads (version {VERSION}): upgrade it")]
    Newer(u32),
    /// It is not one of ours.
    #[error("not a document of fleet")]
    Garbage(#[source] serde_json::Error),
}

#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

#[derive(Serialize)]
struct Envelope<'a, T> {
    version: u32,
    #[serde(flatten)]
    document: &'a T,
}

/// Renders a document as it is stored.
///
/// # Panics
///
/// Never: the documents hold no map with keys other than text.
pub fn encode<T: Serialize>(document: &T) -> Vec<u8> {
    serde_json::to_vec(&Envelope { version: VERSION, document })
        .expect("documents are plain structures with text keys")
}

/// Reads a stored document.
///
/// # Errors
///
/// Says whether it is newer than this build, or garbage.
pub fn decode<T: DeserializeOwned>(value: &[u8]) -> Result<T, DocumentError> {
    check_version(value)?;
    serde_json::from_slice(value).map_err(DocumentError::Garbage)
}

/// Reads the version of a stored document, whatever its type.
///
/// # Errors
///
/// Says whether it is newer than this build, or garbage.
pub fn check_version(value: &[u8]) -> Result<(), DocumentError> {
    let Versioned { version } = serde_json::from_slice(value).map_err(DocumentError::Garbage)?;
    if version > VERSION { Err(DocumentError::Newer(version)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leader() -> Leader {
        Leader { machine: "148a18ff".parse().unwrap() }
    }

    #[test]
    fn a_document_carries_its_version_and_reads_back() {
        let stored = encode(&leader());

        assert_eq!(String::from_utf8_lossy(&stored), r#"{"version":1,"machine":"148a18ff"}"#);
        assert_eq!(decode::<Leader>(&stored).unwrap(), leader());
    }

    #[test]
    fn a_newer_document_says_so_even_if_its_form_is_unknown() {
        let error = decode::<Leader>(br#"{"version":2,"who":"148a18ff"}"#).unwrap_err();

        assert_eq!(
            error.to_string(),
            "document version 2 is newer than this fleetd reads (version 1): upgrade it"
        );
    }

    #[test]
    fn anything_else_is_garbage() {
        for value in [&b""[..], b"\xff", b"null", b"{}", br#"{"version":1}"#, b"[1]"] {
            let error = decode::<Leader>(value).unwrap_err();
            assert!(matches!(error, DocumentError::Garbage(_)), "{value:?}: {error}");
        }
    }

    #[test]
    fn an_overlay_wins_and_its_empty_value_hides() {
        let pairs = |pairs: &[(&str, &str)]| -> Metadata {
            pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()
        };
        let overlay = MetadataOverlay { values: pairs(&[("role", "db"), ("disk", "")]) };

        let effective = overlay.over(&pairs(&[("role", "web"), ("disk", "ssd"), ("az", "1")]));

        assert_eq!(effective, pairs(&[("az", "1"), ("role", "db")]));
    }
}
