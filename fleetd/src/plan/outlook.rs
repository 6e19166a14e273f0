//! What the planner has to know of time.

use std::collections::BTreeSet;

use fleet_units::MachineId;

use crate::registry::key::Key;
use crate::registry::mirror::Mirror;

/// What the planner has to know of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outlook {
    /// Machines that are away for so long that their units are to run elsewhere.
    pub lost: BTreeSet<MachineId>,
    /// Whether nothing moves off them all the same, as too many vanished at once.
    pub is_on_hold: bool,
}

impl Outlook {
    /// What the leader has written of it, for those who only look on.
    #[must_use]
    pub fn shown(mirror: &Mirror) -> Self {
        let missing = mirror.members.iter().filter(|(_, member)| member.document.missing);
        let is_hold_unreadable = mirror.is_unreadable(&Key::Hold);
        let is_on_hold = mirror.hold.is_some() || is_hold_unreadable;
        Self { lost: missing.map(|(id, _)| id.clone()).collect(), is_on_hold }
    }

    /// Machines that another outlook judges differently.
    #[must_use]
    pub fn difference(&self, other: &Self) -> BTreeSet<MachineId> {
        if self.is_on_hold == other.is_on_hold {
            self.lost.symmetric_difference(&other.lost).cloned().collect()
        } else {
            self.lost.union(&other.lost).cloned().collect()
        }
    }
}
