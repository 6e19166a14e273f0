//! From decisions to transactions: fenced by the leadership, and valid only while every document
//! that a decision is based on is unchanged.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use fleet_units::{MachineId, UnitName};

use super::decision::{Decision, Group, ReleaseReason};
use crate::placement::{Cluster, Obstacle, RecordView};
use crate::registry::document::{Assignment, Phase, Placed, Unit, encode};
use crate::registry::key::{Key, KeyPrefix};
use crate::registry::mirror::Mirror;
use crate::store::{Compare, MAX_BYTES, MAX_OPERATIONS, Revision, Transaction, Write};

/// Most of a unit's released assignments on machines that are away. Whoever returns finds in its
/// own that it is to stop the unit; machines that never return must not fill the transaction.
const MAX_LEFTOVERS: usize = 10;

/// Room for a key and its revision.
const COMPARE_BYTES: usize = 256;

/// Decisions with the transaction that carries them out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// What lands.
    pub decisions: Vec<Decision>,
    /// How.
    pub transaction: Transaction,
}

/// What the transactions of one plan are made from.
#[derive(Clone, Copy, Debug)]
pub struct Basis<'a> {
    /// How keys are spelt.
    pub prefix: &'a KeyPrefix,
    /// The documents.
    pub mirror: &'a Mirror,
    /// The view of them that was planned on.
    pub cluster: &'a Cluster,
    /// Create revision of the leader key while this engine leads.
    pub leadership: Revision,
}

/// Packs groups into as few transactions as the store's limits allow, in order.
///
/// A group stays whole unless it is too large by itself: then it lands in its own order, in which
/// no unit comes before one that it has to join.
#[must_use]
pub fn pack(basis: &Basis<'_>, groups: &[Group]) -> Vec<Packet> {
    let mut packing =
        Packing { basis, packets: Vec::new(), open: Parts::default(), decisions: vec![] };
    for group in groups {
        let parts: Vec<_> = group.iter().map(|decision| basis.part(decision)).collect();
        let whole = parts.iter().cloned().fold(Parts::default(), Parts::with);
        if Parts::default().fits_with(&whole) {
            packing.add(whole, group);
        } else {
            for (part, decision) in parts.into_iter().zip(group) {
                packing.add(part, std::slice::from_ref(decision));
            }
        }
    }
    packing.close();
    packing.packets
}

struct Packing<'a> {
    basis: &'a Basis<'a>,
    packets: Vec<Packet>,
    open: Parts,
    decisions: Vec<Decision>,
}

impl Packing<'_> {
    fn add(&mut self, parts: Parts, decisions: &[Decision]) {
        if !self.open.fits_with(&parts) {
            self.close();
        }
        self.open = std::mem::take(&mut self.open).with(parts);
        self.decisions.extend_from_slice(decisions);
    }

    fn close(&mut self) {
        if self.decisions.is_empty() {
            return;
        }
        let transaction = std::mem::take(&mut self.open).finish(self.basis);
        let decisions = std::mem::take(&mut self.decisions);
        self.packets.push(Packet { decisions, transaction });
    }
}

/// Replaces what a transaction expects of keys that were written since it was made, by us.
pub fn rebase(transaction: &mut Transaction, written: &BTreeMap<String, Revision>) {
    for compare in &mut transaction.compares {
        if let Compare::Modified(key, revision) = compare
            && let Some(newer) = written.get(key)
        {
            *revision = *newer;
        }
    }
}

/// The revisions that keys have once a transaction has landed.
pub fn landed(transaction: &Transaction, at: Revision) -> impl Iterator<Item = (String, Revision)> {
    transaction.writes.iter().map(move |write| match write {
        Write::Put { key, .. } => (key.clone(), at),
        Write::Delete(key) => (key.clone(), Revision::ABSENT),
    })
}

/// A transaction in the making.
#[derive(Clone, Debug, Default)]
struct Parts {
    compares: BTreeMap<Key, Revision>,
    writes: BTreeMap<Key, Option<Vec<u8>>>,
}

impl Parts {
    fn with(mut self, other: Self) -> Self {
        self.compares.extend(other.compares);
        self.writes.extend(other.writes);
        self
    }

    fn fits_with(&self, other: &Self) -> bool {
        let compares = other.compares.keys().filter(|key| !self.compares.contains_key(key));
        let writes = other.writes.iter().filter(|(key, _)| !self.writes.contains_key(key));
        let size = |value: &Option<Vec<u8>>| value.as_ref().map_or(0, Vec::len);
        let values: usize =
            self.writes.values().chain(writes.clone().map(|(_, value)| value)).map(size).sum();
        // The one more is the fence.
        let operations =
            1 + self.compares.len() + compares.count() + self.writes.len() + writes.count();
        operations <= MAX_OPERATIONS && values + operations * COMPARE_BYTES <= MAX_BYTES
    }

    fn finish(self, basis: &Basis<'_>) -> Transaction {
        let fence = Compare::Created(basis.prefix.encode(&Key::Leader), basis.leadership);
        let compares = self
            .compares
            .into_iter()
            .map(|(key, revision)| Compare::Modified(basis.prefix.encode(&key), revision));
        let writes = self.writes.into_iter().map(|(key, value)| {
            let key = basis.prefix.encode(&key);
            match value {
                Some(value) => Write::Put { key, value, lease: None },
                None => Write::Delete(key),
            }
        });
        Transaction {
            compares: std::iter::once(fence).chain(compares).collect(),
            writes: writes.collect(),
        }
    }

    fn put<T: serde::Serialize>(&mut self, key: Key, document: &T) {
        self.writes.insert(key, Some(encode(document)));
    }

    fn delete(&mut self, key: Key) {
        self.writes.insert(key, None);
    }
}

impl Basis<'_> {
    /// What one decision depends on, and what it writes.
    fn part(&self, decision: &Decision) -> Parts {
        let mut parts = Parts::default();
        match decision {
            Decision::Place { unit, machine } => self.place(&mut parts, unit, machine),
            Decision::Move { unit, from, to } => {
                self.place(&mut parts, unit, to);
                self.expect(&mut parts, [Key::Member(from.clone())]);
                self.put_released(&mut parts, unit, from);
            }
            Decision::PlaceGlobal { unit, machine } => {
                self.expect_suited(&mut parts, unit, machine);
                self.put_held(&mut parts, unit, machine, self.mirror.revision.0);
            }
            Decision::Update { unit, machine } => self.update(&mut parts, unit, machine),
            Decision::Release { unit, machine, reason } => {
                self.release(&mut parts, unit, machine, reason);
            }
            Decision::Forget { unit } => {
                let place = Key::Placed(unit.clone());
                self.expect(&mut parts, [Key::Unit(unit.clone()), place.clone()]);
                if let Some(machine) = self.placed_on(unit) {
                    self.expect(&mut parts, [Key::Schedule(machine.clone(), unit.clone())]);
                }
                parts.delete(place);
            }
        }
        parts
    }

    fn place(&self, parts: &mut Parts, unit: &UnitName, machine: &MachineId) {
        let place = Key::Placed(unit.clone());
        self.expect_suited(parts, unit, machine);
        self.expect(parts, [place.clone()]);
        // What is left of the unit elsewhere does not matter as long as that machine stays away.
        let outdated = self.outdated(unit, machine);
        for other in self.assignments(unit).filter(|other| *other != machine) {
            self.expect(parts, [Key::Machine(other.clone())]);
            let assignment = Key::Schedule(other.clone(), unit.clone());
            if outdated.contains(other) {
                parts.delete(assignment);
            } else {
                self.expect(parts, [assignment]);
            }
        }
        let generation = self.mirror.revision.0;
        self.put_held(parts, unit, machine, generation);
        if let Some(record) = self.mirror.units.get(unit) {
            let uid = record.created.0;
            parts.put(place, &Placed { machine: machine.clone(), uid, generation });
        }
    }

    /// The oldest of what is left of a unit on machines that are away, where there is too much.
    fn outdated(&self, unit: &UnitName, machine: &MachineId) -> BTreeSet<&MachineId> {
        let assignments = self.mirror.schedule.get(unit).into_iter().flatten();
        let mut leftovers: Vec<_> = assignments
            .filter(|(other, stored)| {
                *other != machine
                    && stored.document.phase == Phase::Released
                    && !self.mirror.machines.contains_key(*other)
            })
            .map(|(other, stored)| (stored.modified, other))
            .collect();
        leftovers.sort_unstable();
        let outdated = leftovers.len().saturating_sub(MAX_LEFTOVERS);
        leftovers.into_iter().take(outdated).map(|(_, other)| other).collect()
    }

    fn update(&self, parts: &mut Parts, unit: &UnitName, machine: &MachineId) {
        let Some(assignment) = self.assignment(unit, machine) else { return };
        self.expect_suited(parts, unit, machine);
        self.put_held(parts, unit, machine, assignment.placement);
        if self.rules(unit).is_some_and(|unit| unit.rules.is_global()) {
            return;
        }
        let key = Key::Placed(unit.clone());
        self.expect(parts, [key.clone()]);
        let place = Placed {
            machine: machine.clone(),
            uid: assignment.uid,
            generation: assignment.placement,
        };
        let stands = self.mirror.placed.get(unit).map(|placed| &placed.document);
        if stands.is_none_or(|placed| (&placed.machine, placed.uid) != (machine, place.uid)) {
            parts.put(key, &place);
        }
    }

    fn release(
        &self,
        parts: &mut Parts,
        unit: &UnitName,
        machine: &MachineId,
        reason: &ReleaseReason,
    ) {
        let place = Key::Placed(unit.clone());
        match reason {
            ReleaseReason::Destroyed | ReleaseReason::Inactive | ReleaseReason::CreatedAnew => {
                self.expect(parts, [Key::Unit(unit.clone())]);
            }
            ReleaseReason::Duplicate => {
                // The copy that stays, and its machine: without it, this one would have to stay.
                let kept = self.cluster.units.get(unit).and_then(|unit| self.cluster.holder(unit));
                let kept = kept.into_iter().flat_map(|kept| {
                    [Key::Schedule(kept.clone(), unit.clone()), Key::Machine(kept.clone())]
                });
                self.expect(parts, kept.chain([Key::Unit(unit.clone())]));
            }
            ReleaseReason::Unsuited(obstacle) => {
                self.expect_suited(parts, unit, machine);
                if let Obstacle::Conflict { with }
                | Obstacle::Rival { with }
                | Obstacle::Replaced { by: with } = obstacle
                {
                    let other = Key::Schedule(machine.clone(), with.clone());
                    self.expect(parts, [Key::Unit(with.clone()), other]);
                }
            }
        }
        self.expect(parts, [place.clone(), Key::Schedule(machine.clone(), unit.clone())]);
        self.put_released(parts, unit, machine);
        if self.placed_on(unit) == Some(machine) {
            parts.delete(place);
        }
    }

    /// Makes a part depend on all that decides whether a unit suits a machine.
    fn expect_suited(&self, parts: &mut Parts, unit: &UnitName, machine: &MachineId) {
        let assignment = |unit: &UnitName| Key::Schedule(machine.clone(), unit.clone());
        self.expect(
            parts,
            [
                Key::Unit(unit.clone()),
                assignment(unit),
                Key::Member(machine.clone()),
                Key::Machine(machine.clone()),
                Key::Metadata(machine.clone()),
            ],
        );
        for peer in self.rules(unit).iter().flat_map(|unit| &unit.rules.peers) {
            let keys = [Key::Unit(peer.clone()), Key::Placed(peer.clone()), assignment(peer)];
            self.expect(parts, keys);
        }
    }

    fn expect(&self, parts: &mut Parts, keys: impl IntoIterator<Item = Key>) {
        for key in keys {
            let revision = self.mirror.modified(&key);
            parts.compares.insert(key, revision);
        }
    }

    fn put_held(&self, parts: &mut Parts, unit: &UnitName, machine: &MachineId, placement: i64) {
        let Some(record) = self.mirror.units.get(unit) else { return };
        let Unit { text, hash, target, generation, stops } = record.document.clone();
        let uid = record.created.0;
        let phase = Phase::Held;
        let assignment =
            Assignment { text, hash, target, uid, generation, stops, placement, phase };
        parts.put(Key::Schedule(machine.clone(), unit.clone()), &assignment);
    }

    fn put_released(&self, parts: &mut Parts, unit: &UnitName, machine: &MachineId) {
        let Some(assignment) = self.assignment(unit, machine) else { return };
        let released = Assignment { phase: Phase::Released, ..assignment.clone() };
        parts.put(Key::Schedule(machine.clone(), unit.clone()), &released);
    }

    fn rules(&self, unit: &UnitName) -> Option<&RecordView> {
        self.cluster.units.get(unit)?.record.as_ref()
    }

    fn placed_on(&self, unit: &UnitName) -> Option<&MachineId> {
        self.mirror.placed.get(unit).map(|placed| &placed.document.machine)
    }

    fn assignments(&self, unit: &UnitName) -> impl Iterator<Item = &MachineId> {
        self.mirror.schedule.get(unit).into_iter().flat_map(BTreeMap::keys)
    }

    fn assignment(&self, unit: &UnitName, machine: &MachineId) -> Option<&Assignment> {
        let stored = self.mirror.schedule.get(unit)?.get(machine)?;
        Some(&stored.document)
    }
}
