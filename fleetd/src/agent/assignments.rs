//! What the registry asks of this machine: its part of `schedule/`, followed and understood.

use std::collections::{BTreeMap, BTreeSet};

use fleet_units::{MachineId, UnitName};
use tracing::warn;

use super::plan::{Assigned, Order};
use super::relations::Relations;
use crate::registry::document::{Assignment, Phase};
use crate::registry::key::{Key, KeyPrefix};
use crate::registry::mirror::{Mirror, Stored};
use crate::store::{Event, Revision, Snapshot};

/// The assignments of one machine.
#[derive(Debug)]
pub(crate) struct Assignments {
    machine: MachineId,
    prefix: KeyPrefix,
    mirror: Mirror,
    assigned: BTreeMap<UnitName, Assigned>,
    /// Unreadable documents that were logged, with the revision that was.
    logged: BTreeSet<(String, Revision)>,
}

impl Assignments {
    /// No assignments, before the first list.
    pub(crate) fn new(machine: MachineId, prefix: KeyPrefix) -> Self {
        let mirror = Mirror::new(prefix.clone());
        Self { machine, prefix, mirror, assigned: BTreeMap::new(), logged: BTreeSet::new() }
    }

    /// Takes over a list; returns the units that have, or had, an assignment.
    pub(crate) fn list(&mut self, snapshot: Snapshot) -> BTreeSet<UnitName> {
        self.mirror.reset(snapshot);
        let mut touched: BTreeSet<_> = self.assigned.keys().cloned().collect();
        touched.extend(self.mirror.schedule.keys().cloned());
        touched.extend(self.mirror.unreadable.values().filter_map(|unreadable| {
            unreadable.key.as_ref().and_then(|key| self.unit_of(key)).cloned()
        }));
        self.refresh(touched)
    }

    /// Takes over changes; returns the units that they touch.
    pub(crate) fn change(&mut self, revision: Revision, events: Vec<Event>) -> BTreeSet<UnitName> {
        let touched = self.mirror.apply(revision, events);
        self.refresh(touched.iter().filter_map(|key| self.unit_of(key)).cloned().collect())
    }

    /// We deleted the assignment at this revision; the watch will say so too.
    pub(crate) fn deleted(&mut self, unit: &UnitName, revision: Revision) {
        let key = self.prefix.encode(&Key::Schedule(self.machine.clone(), unit.clone()));
        self.change(revision, vec![Event::Delete { key, revision }]);
    }

    /// What is asked for, by unit.
    pub(crate) const fn assigned(&self) -> &BTreeMap<UnitName, Assigned> {
        &self.assigned
    }

    /// Revision of the last write of a unit's assignment; [`Revision::ABSENT`] without one.
    pub(crate) fn modified(&self, unit: &UnitName) -> Revision {
        self.assigned.get(unit).map_or(Revision::ABSENT, |assigned| assigned.modified)
    }

    /// The assignment document of a unit.
    pub(crate) fn document(&self, unit: &UnitName) -> Option<&Assignment> {
        Some(&self.stored(unit)?.document)
    }

    /// Why the assignment of a unit cannot be read.
    pub(crate) fn unreadable(&self, unit: &UnitName) -> Option<String> {
        let key = self.prefix.encode(&Key::Schedule(self.machine.clone(), unit.clone()));
        let unreadable = self.mirror.unreadable.get(&key)?;
        Some(format!("the unit is left as it is: {key} is unreadable: {}", unreadable.error))
    }

    fn unit_of<'a>(&self, key: &'a Key) -> Option<&'a UnitName> {
        match key {
            Key::Schedule(machine, unit) if *machine == self.machine => Some(unit),
            Key::Schedule(..)
            | Key::Member(_)
            | Key::Machine(_)
            | Key::Metadata(_)
            | Key::Unit(_)
            | Key::Placed(_)
            | Key::State(..)
            | Key::Leader
            | Key::Hold
            | Key::Settings
            | Key::Seeded(_) => None,
        }
    }

    fn stored(&self, unit: &UnitName) -> Option<&Stored<Assignment>> {
        self.mirror.schedule.get(unit)?.get(&self.machine)
    }

    fn refresh(&mut self, touched: BTreeSet<UnitName>) -> BTreeSet<UnitName> {
        for unit in &touched {
            let assigned = self.understand(unit);
            match assigned {
                Some(assigned) => drop(self.assigned.insert(unit.clone(), assigned)),
                None => drop(self.assigned.remove(unit)),
            }
        }
        for (key, unreadable) in &self.mirror.unreadable {
            if self.logged.insert((key.clone(), unreadable.modified)) {
                warn!(%key, error = %unreadable.error, "Document is unreadable, its unit is left as it is");
            }
        }
        touched
    }

    fn understand(&self, unit: &UnitName) -> Option<Assigned> {
        let Some(Stored { document, modified, .. }) = self.stored(unit) else {
            let key = self.prefix.encode(&Key::Schedule(self.machine.clone(), unit.clone()));
            let modified = self.mirror.unreadable.get(&key)?.modified;
            return Some(Assigned {
                order: Order::Unreadable,
                modified,
                relations: Relations::default(),
            });
        };
        let order = match document.phase {
            Phase::Held => Order::Hold(document.into()),
            Phase::Released => Order::Release,
            Phase::Retiring => Order::Keep,
        };
        let relations = Relations::of(unit, &document.text);
        Some(Assigned { order, modified: *modified, relations })
    }
}
