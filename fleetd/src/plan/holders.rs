//! Holders: who keeps what it has.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fleet_units::{MachineId, UnitName};

use super::{Decision, Draft, Group, ReleaseReason, availability};
use crate::placement::{
    AssignmentView, MachineView, Obstacle, RecordView, UnitView, has_no_conflict, has_peers,
    is_not_replaced, matches,
};
use crate::registry::document::Phase;

/// A unit on a machine that follows what it is told.
#[derive(Clone, Copy)]
struct Holder<'a> {
    name: &'a UnitName,
    unit: &'a UnitView,
    record: &'a RecordView,
    machine: &'a MachineView,
    assignment: &'a AssignmentView,
}

impl<'a> Holder<'a> {
    /// Who sits down first: the older unit, and last of all those that changed.
    fn rank(&self) -> (bool, i64, &'a UnitName, &'a MachineId) {
        (self.has_changed(), self.record.uid, self.name, &self.machine.id)
    }

    /// Whether the machine was given another text than the record has now.
    fn has_changed(&self) -> bool {
        !Arc::ptr_eq(&self.record.rules, &self.assignment.rules)
    }

    fn is_current(&self) -> bool {
        let place = (self.machine.id.clone(), self.record.uid);
        self.assignment.is_current
            && (self.record.rules.is_global() || self.unit.placed.as_ref() == Some(&place))
    }
}

type Unsuited<'a> = BTreeMap<(&'a UnitName, &'a MachineId), Obstacle>;

impl<'a> Draft<'a> {
    /// Seats all holders that may stay, brings their assignments up to date, and releases the
    /// others.
    pub(super) fn keep_holders(&mut self) {
        self.seat_facts();
        let mut holders = self.holders();
        let mut unsuited = Unsuited::new();
        for holder in &holders {
            match matches(&holder.record.rules, holder.machine) {
                Ok(()) => self.board.put(&holder.record.rules, &holder.machine.id),
                Err(obstacle) => drop(unsuited.insert(seat(holder), obstacle)),
            }
        }
        self.unseat_lonely(&holders, &mut unsuited);
        self.draw_in(&mut holders);
        self.unseat_conflicting(&holders, &mut unsuited);
        self.unseat_replaced(&holders, &mut unsuited);
        self.unseat_lonely(&holders, &mut unsuited);
        self.decide(&holders, &unsuited);
    }

    /// Releases who cannot stay and updates who stays; a unit that replaces others together with
    /// these.
    fn decide(&mut self, holders: &[Holder<'a>], unsuited: &Unsuited<'a>) {
        let updated: Vec<_> = holders
            .iter()
            .filter(|holder| !unsuited.contains_key(&seat(holder)) && !holder.is_current())
            .collect();
        let seats: BTreeSet<_> = updated.iter().map(|holder| seat(holder)).collect();
        let mut replaced: BTreeMap<_, Group> = BTreeMap::new();
        for ((unit, machine), obstacle) in unsuited {
            let release = self.releasing(unit, machine, ReleaseReason::Unsuited(obstacle.clone()));
            let by = match obstacle {
                Obstacle::Replaced { by } => seats.get(&(by, *machine)),
                _ => None,
            };
            match by {
                Some(by) => replaced.entry(*by).or_default().push(release),
                None => self.groups.push(vec![release]),
            }
        }
        for holder in updated {
            let mut group = replaced.remove(&seat(holder)).unwrap_or_default();
            let (unit, machine) = (holder.name.clone(), holder.machine.id.clone());
            group.push(Decision::Update { unit, machine });
            self.groups.push(group);
        }
    }

    /// Seats what stays as it is whatever anybody wants: machines that are not there to be told,
    /// and everything that unreadable documents speak of.
    fn seat_facts(&mut self) {
        for (name, unit) in self.scope.units.clone() {
            for (machine, assignment) in &unit.assignments {
                let is_fact = unit.is_frozen || !availability(self.cluster, machine).follows();
                if is_fact
                    && let Some(rules) = self.cluster.seat(unit, machine, assignment)
                    && !self.released.contains(&(name, machine))
                {
                    self.board.put(rules, machine);
                }
            }
        }
    }

    /// Holders whose unit is wanted and that are to be looked at, by rank.
    fn holders(&mut self) -> Vec<Holder<'a>> {
        let mut holders = Vec::new();
        for (name, unit) in &self.scope.units {
            let ids = unit.assignments.keys();
            holders.extend(ids.filter_map(|id| self.holder(name, unit, id)));
        }
        for holder in holders.iter().filter(|holder| holder.has_changed()) {
            self.scope.freed.insert(&holder.machine.id);
        }
        holders.sort_by_key(Holder::rank);
        holders
    }

    fn holder(&self, name: &'a UnitName, unit: &'a UnitView, id: &MachineId) -> Option<Holder<'a>> {
        let record = super::wanted(unit)?;
        let assignment = unit.assignments.get(id)?;
        let machine = self.cluster.machines.get(id)?;
        let is_holder = machine.availability.follows()
            && assignment.phase == Phase::Held
            && !self.released.contains(&(name, &machine.id));
        is_holder.then_some(Holder { name, unit, record, machine, assignment })
    }

    /// Adds holders that did not change, but get into the competition of units that did: who
    /// conflicts with them, or gives way to them, and who would follow.
    fn draw_in(&self, holders: &mut Vec<Holder<'a>>) {
        if self.scope.is_everything {
            return;
        }
        let mut drawn = BTreeSet::new();
        let changed = self.scope.units.iter();
        let seats = changed.flat_map(|(name, unit)| unit.assignments.keys().map(|id| (*name, id)));
        for (name, machine) in seats {
            let Some(tenants) = self.board.tenants(machine) else { continue };
            let Some(rules) = tenants.get(name) else { continue };
            let replacing = tenants.replacing(rules).map(|rules| &rules.name);
            let near = tenants.conflicting(rules).chain(tenants.replaced_by(rules));
            let mut next: Vec<_> = near.chain(replacing).collect();
            while let Some(name) = next.pop() {
                let Some((name, unit)) = self.cluster.units.get_key_value(name) else { continue };
                if !self.scope.has(name)
                    && let Some(neighbour) = self.holder(name, unit, machine)
                    && drawn.insert(seat(&neighbour))
                {
                    next.extend(self.cluster.followers(name));
                }
            }
        }
        holders.extend(drawn.into_iter().filter_map(|(name, machine)| {
            self.holder(name, self.cluster.units.get(name)?, machine)
        }));
        holders.sort_by_key(Holder::rank);
    }

    /// Unseats those whose MachineOf does not hold any more, and then those who need these.
    fn unseat_lonely(&mut self, holders: &[Holder<'a>], unsuited: &mut Unsuited<'a>) {
        let mut needy: Vec<_> = holders
            .iter()
            .filter(|holder| {
                holder.record.rules.has_needs() && !unsuited.contains_key(&seat(holder))
            })
            .collect();
        loop {
            let before = needy.len();
            let mut staying = Vec::new();
            for holder in needy {
                match has_peers(&holder.record.rules, holder.machine, &self.neighbours()) {
                    Ok(()) => staying.push(holder),
                    Err(obstacle) => {
                        self.board.remove(holder.name, &holder.machine.id);
                        unsuited.insert(seat(holder), obstacle);
                    }
                }
            }
            if staying.len() == before {
                break;
            }
            needy = staying;
        }
    }

    /// Lets those who conflict with another compete: all of them stand up and sit down again in
    /// their order, as long as nobody minds.
    fn unseat_conflicting(&mut self, holders: &[Holder<'a>], unsuited: &mut Unsuited<'a>) {
        let neighbours = self.neighbours();
        let conflicting: Vec<_> = holders
            .iter()
            .filter(|holder| !unsuited.contains_key(&seat(holder)))
            .filter(|holder| {
                has_no_conflict(&holder.record.rules, holder.machine, &neighbours).is_err()
            })
            .collect();
        for holder in &conflicting {
            self.board.remove(holder.name, &holder.machine.id);
        }
        for holder in conflicting {
            match has_no_conflict(&holder.record.rules, holder.machine, &self.neighbours()) {
                Ok(()) => self.board.put(&holder.record.rules, &holder.machine.id),
                Err(obstacle) => drop(unsuited.insert(seat(holder), obstacle)),
            }
        }
    }

    /// Unseats those that another holder replaces.
    fn unseat_replaced(&mut self, holders: &[Holder<'a>], unsuited: &mut Unsuited<'a>) {
        for holder in holders {
            if unsuited.contains_key(&seat(holder)) {
                continue;
            }
            let rules = &holder.record.rules;
            if let Err(obstacle) = is_not_replaced(rules, holder.machine, &self.neighbours()) {
                self.board.remove(holder.name, &holder.machine.id);
                unsuited.insert(seat(holder), obstacle);
            }
        }
    }
}

const fn seat<'a>(holder: &Holder<'a>) -> (&'a UnitName, &'a MachineId) {
    (holder.name, &holder.machine.id)
}
