//! The planner's view of the registry: light, owned, complete for one decision round, and kept up
//! to date key by key.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fleet_units::{MachineId, UnitName};

use super::board::Board;
use super::rules::Rules;
use super::view::{AssignmentView, Availability, MachineView, UnitView};
use crate::registry::document::Phase;

/// Everything that placement knows.
#[derive(Clone, Debug, Default)]
pub struct Cluster {
    /// All machines that any document names.
    pub machines: BTreeMap<MachineId, MachineView>,
    /// All units that any document names.
    pub units: BTreeMap<UnitName, UnitView>,
    /// Who holds what at present.
    pub board: Board,
    /// Units that name a unit in MachineOf.
    pub(super) followers: BTreeMap<UnitName, BTreeSet<UnitName>>,
    /// Units with an assignment on a machine, or placed there.
    pub(super) residents: BTreeMap<MachineId, BTreeSet<UnitName>>,
    /// Wanted units that are global, by age.
    pub(super) globals: BTreeSet<(i64, UnitName)>,
    /// Wanted units that are not global and that no machine holds.
    pub(super) unplaced: BTreeSet<UnitName>,
    /// Wanted units that replace others.
    pub(super) replacers: BTreeSet<UnitName>,
    /// Units that stay as they are because somebody said so.
    pub(super) aside: BTreeSet<UnitName>,
}

impl Cluster {
    /// Machine that holds a unit, if that is not global.
    ///
    /// Of several, one that is there, however briefly the others are away: they may never return.
    /// Then the one that `placed/` names, else the newest.
    #[must_use]
    pub fn holder<'a>(&self, unit: &'a UnitView) -> Option<&'a MachineId> {
        let record = unit.record.as_ref();
        let held = unit.assignments.iter().filter(|(_, assignment)| {
            assignment.phase == Phase::Held
                && record.is_none_or(|record| record.uid == assignment.uid)
        });
        let is_staying =
            |id| self.machines.get(id).is_some_and(|machine| machine.availability.is_staying());
        let placed = unit.placed.as_ref().map(|(machine, _)| machine);
        held.min_by_key(|(machine, assignment)| {
            let is_placed = Some(*machine) == placed;
            (!is_staying(*machine), !is_placed, Reverse(assignment.placement))
        })
        .map(|(machine, _)| machine)
    }

    /// Machines that belong to the cluster: all but those that left in order.
    pub fn members(&self) -> impl Iterator<Item = &MachineView> {
        self.machines.values().filter(|machine| machine.availability != Availability::Left)
    }

    /// Whether a unit is one that runs on each machine that suits it.
    #[must_use]
    pub fn is_global(&self, unit: &UnitName) -> bool {
        let record = self.units.get(unit).and_then(|unit| unit.record.as_ref());
        record.is_some_and(|record| record.rules.is_global())
    }

    /// Units that name a unit in MachineOf.
    pub fn followers(&self, unit: &UnitName) -> impl Iterator<Item = &UnitName> {
        self.followers.get(unit).into_iter().flatten()
    }

    /// Units with an assignment on a machine, or placed there.
    pub fn residents(&self, machine: &MachineId) -> impl Iterator<Item = &UnitName> {
        self.residents.get(machine).into_iter().flatten()
    }

    /// Wanted units that are global, by age.
    pub fn globals(&self) -> impl Iterator<Item = &UnitName> {
        self.globals.iter().map(|(_, name)| name)
    }

    /// Wanted units that are not global and that no machine holds.
    pub fn unplaced(&self) -> impl Iterator<Item = &UnitName> {
        self.unplaced.iter()
    }

    /// Whether a unit is one of those.
    #[must_use]
    pub fn is_unplaced(&self, unit: &UnitName) -> bool {
        self.unplaced.contains(unit)
    }

    /// Wanted units that replace others.
    pub fn replacers(&self) -> impl Iterator<Item = &UnitName> {
        self.replacers.iter()
    }

    /// What a unit asks that sits on a machine, as the machine was told; `None` if it does not.
    #[must_use]
    pub fn seat<'a>(
        &self,
        unit: &'a UnitView,
        machine: &MachineId,
        assignment: &'a AssignmentView,
    ) -> Option<&'a Arc<Rules>> {
        let sits = assignment.phase == Phase::Held
            && (assignment.rules.is_global() || self.holder(unit) == Some(machine));
        sits.then_some(&assignment.rules)
    }
}
