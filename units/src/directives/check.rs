//! Directives that contradict each other.

use super::Directives;
use crate::UnitName;

/// A placement compares the documents of each unit that it goes with, three of them, in one
/// transaction; etcd takes 128 compares.
const MOST_PEERS: usize = 30;

/// Refuses what cannot be satisfied: first the combinations of 1.0, in its order and words.
pub(super) fn check(directives: &Directives, unit: &UnitName) -> Result<(), DirectiveError> {
    for peer in &directives.machine_of {
        for (kind, globs) in
            [("conflict", &directives.conflicts), ("replace", &directives.replaces)]
        {
            if let Some(glob) = globs.iter().find(|glob| glob.matches(peer)) {
                return Err(DirectiveError::Unresolvable {
                    peer: peer.clone(),
                    kind,
                    pattern: glob.to_string(),
                });
            }
        }
    }
    let peers = ("Peers", !directives.machine_of.is_empty());
    let conflicts = ("Conflicts", !directives.conflicts.is_empty());
    let global = ("Global", directives.global);
    let replaces = ("Replaces", !directives.replaces.is_empty());
    let machine_id = ("MachineID", directives.machine_id.is_some());
    let exclusive = [
        (machine_id, peers),
        (machine_id, conflicts),
        (machine_id, global),
        (machine_id, replaces),
        (global, peers),
        (global, replaces),
        (conflicts, replaces),
    ];
    match exclusive.into_iter().find(|((_, one), (_, other))| *one && *other) {
        Some(((one, _), (other, _))) => Err(DirectiveError::Exclusive { one, other }),
        None if directives.machine_of.iter().any(|peer| peer == unit.as_str()) => {
            Err(DirectiveError::OwnPeer(unit.clone()))
        }
        None if directives.machine_of.len() > MOST_PEERS => {
            Err(DirectiveError::TooManyPeers { count: directives.machine_of.len() })
        }
        None => Ok(()),
    }
}

/// Why the directives of a unit cannot go together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DirectiveError {
    /// A unit is both wanted near and kept away.
    #[error("unresolvable requirements: peer {peer:?} matches {kind} {pattern:?}")]
    Unresolvable {
        /// The unit that is wanted near.
        peer: String,
        /// What keeps it away: conflict or replace.
        kind: &'static str,
        /// The pattern that matches it.
        pattern: String,
    },
    /// One excludes the other.
    #[error("{one} cannot be used with {other}")]
    Exclusive {
        /// The first of them.
        one: &'static str,
        /// The second.
        other: &'static str,
    },
    /// A unit waits for itself. 1.0 accepted that, and never placed such a unit.
    #[error(
        "MachineOf names {0} itself, which would wait for itself for ever: name the unit to join"
    )]
    OwnPeer(UnitName),
    /// More units are wanted near than a decision can vouch for.
    #[error(
        "MachineOf names {count} units, {MOST_PEERS} at most are possible: chain them, each naming the one before"
    )]
    TooManyPeers {
        /// How many are named.
        count: usize,
    },
}
