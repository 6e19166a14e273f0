//! What the engine decides, as data.

use std::fmt;

use fleet_units::{MachineId, UnitName};

use crate::placement::Obstacle;

/// Decisions that land together or not at all.
pub type Group = Vec<Decision>;

/// One change of the schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// A unit that runs nowhere gets a machine.
    Place {
        /// The unit.
        unit: UnitName,
        /// Its machine.
        machine: MachineId,
    },
    /// A unit leaves a machine that is lost.
    Move {
        /// The unit.
        unit: UnitName,
        /// The lost machine.
        from: MachineId,
        /// Its new machine.
        to: MachineId,
    },
    /// A machine gets a global unit.
    PlaceGlobal {
        /// The unit.
        unit: UnitName,
        /// The machine.
        machine: MachineId,
    },
    /// An assignment follows the unit's record.
    Update {
        /// The unit.
        unit: UnitName,
        /// The machine that keeps it.
        machine: MachineId,
    },
    /// A machine has to give a unit up.
    Release {
        /// The unit.
        unit: UnitName,
        /// The machine.
        machine: MachineId,
        /// Why.
        reason: ReleaseReason,
    },
    /// A place that nothing stands behind is struck from `placed/`.
    Forget {
        /// The unit.
        unit: UnitName,
    },
}

impl Decision {
    /// The unit that it is about.
    #[must_use]
    pub const fn unit(&self) -> &UnitName {
        match self {
            Self::Place { unit, .. }
            | Self::Move { unit, .. }
            | Self::PlaceGlobal { unit, .. }
            | Self::Update { unit, .. }
            | Self::Release { unit, .. }
            | Self::Forget { unit } => unit,
        }
    }
}

/// Why a machine has to give a unit up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReleaseReason {
    /// The unit was destroyed.
    Destroyed,
    /// Its target is inactive.
    Inactive,
    /// It was destroyed and created anew.
    CreatedAnew,
    /// Another machine holds it.
    Duplicate,
    /// It may not run there any more.
    Unsuited(Obstacle),
}

impl fmt::Display for ReleaseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Destroyed => f.write_str("destroyed"),
            Self::Inactive => f.write_str("target state inactive"),
            Self::CreatedAnew => f.write_str("destroyed and created anew"),
            Self::Duplicate => f.write_str("another machine holds it"),
            Self::Unsuited(obstacle) => write!(f, "the machine {obstacle}"),
        }
    }
}
