//! Why a machine cannot take a unit.

use std::collections::BTreeSet;
use std::fmt;

use fleet_units::{MachineId, UnitName};

/// Why a machine cannot take a unit. Displayed after the machine's name: a part of a sentence that
/// tells a person what to change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// The unit is a template.
    Template,
    /// The unit's own documents cannot be read.
    UnreadableUnit,
    /// The machine's documents cannot be read.
    UnreadableMachine,
    /// Nothing is heard of the machine.
    Absent,
    /// An operator closed the machine for new units.
    Cordoned,
    /// The machine is giving its units away.
    Draining,
    /// The machine is about to leave the cluster.
    Leaving,
    /// Its fleetd is too old.
    Outdated {
        /// Document version that it would have to read.
        needed: u32,
    },
    /// MachineID names another machine.
    MachineId {
        /// The machine that is named, in full or in short.
        wanted: String,
    },
    /// MachineMetadata asks for something else.
    Metadata {
        /// The key.
        key: String,
        /// Values of which one would do.
        wanted: BTreeSet<String>,
        /// The machine's value.
        has: Option<String>,
    },
    /// MachineOf names a unit that is not here.
    MachineOf {
        /// The unit that is named.
        peer: String,
        /// Where it is instead.
        problem: PeerProblem,
    },
    /// MachineOf leads from the unit back to itself.
    Cycle(Vec<UnitName>),
    /// A unit here does not go together with this one.
    Conflict {
        /// That unit.
        with: UnitName,
    },
    /// A unit here replaces this one.
    Replaced {
        /// That unit.
        by: UnitName,
    },
    /// A unit here and this one replace each other, directly or by way of others: neither gives
    /// way.
    Rival {
        /// That unit.
        with: UnitName,
    },
    /// The unit replaces one here that has to stay as it is.
    Immovable {
        /// The unit that stays.
        unit: UnitName,
    },
    /// The unit is still being stopped where it was.
    Stopping {
        /// The machine that has to stop it first.
        on: MachineId,
    },
}

/// Why a unit that MachineOf names is not on a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerProblem {
    /// There is no such unit.
    Unknown,
    /// Nobody asked for it to be loaded.
    Inactive,
    /// It has no machine yet.
    NotPlaced,
    /// It runs on another machine.
    Elsewhere,
    /// It is global, and does not run on this machine.
    NotHere,
}

impl Obstacle {
    /// Whether it stays until somebody changes the unit or the machine; otherwise it is merely
    /// another unit that is in the way, and may go as it came.
    #[must_use]
    pub const fn is_lasting(&self) -> bool {
        match self {
            Self::Template
            | Self::UnreadableUnit
            | Self::UnreadableMachine
            | Self::Absent
            | Self::Cordoned
            | Self::Draining
            | Self::Leaving
            | Self::Outdated { .. }
            | Self::MachineId { .. }
            | Self::Metadata { .. }
            | Self::Cycle(_) => true,
            Self::MachineOf { .. }
            | Self::Conflict { .. }
            | Self::Replaced { .. }
            | Self::Rival { .. }
            | Self::Immovable { .. }
            | Self::Stopping { .. } => false,
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Template => f.write_str("cannot run a template: start an instance of it"),
            Self::UnreadableUnit => {
                f.write_str("waits: the unit's stored documents cannot be read")
            }
            Self::UnreadableMachine => f.write_str("has stored documents that cannot be read"),
            Self::Absent => f.write_str("is not there"),
            Self::Cordoned => f.write_str("is cordoned"),
            Self::Draining => f.write_str("is being drained"),
            Self::Leaving => f.write_str("is leaving"),
            Self::Outdated { needed } => {
                write!(f, "cannot read document version {needed}: upgrade its fleetd")
            }
            Self::MachineId { wanted } => write!(f, "is not machine {wanted}"),
            Self::Metadata { key, wanted, has } => {
                write!(f, "metadata ")?;
                for (position, value) in wanted.iter().enumerate() {
                    let or = if position == 0 { "" } else { " or " };
                    write!(f, "{or}{key}={value}")?;
                }
                match has {
                    Some(has) => write!(f, " is wanted, the machine has {key}={has}"),
                    None => write!(f, " is wanted, the machine has no {key}"),
                }
            }
            Self::MachineOf { peer, problem } => write!(f, "MachineOf={peer} {problem}"),
            Self::Cycle(units) => {
                f.write_str("MachineOf leads in a circle:")?;
                for unit in units {
                    write!(f, " {unit}")?;
                }
                Ok(())
            }
            Self::Conflict { with } => write!(f, "conflicts with {with} there"),
            Self::Replaced { by } => write!(f, "has {by}, which replaces the unit"),
            Self::Rival { with } => {
                write!(f, "has {with}: each replaces the other, so neither gives way")
            }
            Self::Immovable { unit } => {
                write!(f, "has {unit}, which stays: its stored documents cannot be read")
            }
            Self::Stopping { on } => {
                write!(f, "waits: the unit is still being stopped on machine {}", on.short())
            }
        }
    }
}

impl fmt::Display for PeerProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "does not exist",
            Self::Inactive => "is inactive: load or start it",
            Self::NotPlaced => "is not placed",
            Self::Elsewhere => "runs on another machine",
            Self::NotHere => "does not run on this machine",
        })
    }
}
