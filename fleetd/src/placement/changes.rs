//! What changed in a cluster since somebody planned on it.

use std::collections::BTreeSet;

use fleet_units::{MachineId, UnitName};

/// Changes that have not been planned on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Whether everything may have changed.
    pub is_everything: bool,
    /// Units of which a document changed.
    pub units: BTreeSet<UnitName>,
    /// Machines that changed, or of which is known now that they are lost or are not.
    pub machines: BTreeSet<MachineId>,
    /// Machines that may take more than before, as a unit left them or became more modest.
    pub freed: BTreeSet<MachineId>,
}

impl Changes {
    /// As if all were new.
    #[must_use]
    pub fn everything() -> Self {
        Self { is_everything: true, ..Self::default() }
    }

    /// Whether nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.is_everything
            && self.units.is_empty()
            && self.machines.is_empty()
            && self.freed.is_empty()
    }

    /// Adds the changes of another.
    pub fn merge(&mut self, other: Self) {
        self.is_everything |= other.is_everything;
        self.units.extend(other.units);
        self.machines.extend(other.machines);
        self.freed.extend(other.freed);
    }
}
