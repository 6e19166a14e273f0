//! Keeps a view true: what a touched key changes, in the view and in its indices.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fleet_units::{MachineId, UnitName};

use super::changes::Changes;
use super::cluster::Cluster;
use super::names::withdraw;
use super::rules::RulesCache;
use super::view::{AssignmentView, MachineView, UnitView};
use crate::registry::document::Phase;
use crate::registry::key::Key;
use crate::registry::mirror::Mirror;

/// What was touched of one unit.
#[derive(Debug, Default)]
struct Touch {
    /// The record, or its place.
    is_whole: bool,
    /// Assignments on these machines.
    machines: BTreeSet<MachineId>,
}

impl Cluster {
    /// Views the registry; `cache` saves parsing what an earlier view has parsed.
    #[must_use]
    pub fn of(mirror: &Mirror, cache: &mut RulesCache) -> Self {
        let mut cluster = Self::default();
        let unreadable = mirror.unreadable.values().filter_map(|one| one.key.as_ref());
        let machines = mirror.members.keys().chain(mirror.machines.keys()).cloned();
        let units = mirror.units.keys().chain(mirror.placed.keys()).chain(mirror.schedule.keys());
        let machines = machines.map(Key::Member);
        let units = units.cloned().map(Key::Unit);
        let touched: Vec<_> = machines.chain(units).chain(unreadable.cloned()).collect();
        cluster.refresh(mirror, cache, &touched, &mut Changes::default());
        cluster
    }

    /// Takes over keys that were touched, and notes what that may change for a planner.
    pub fn refresh(
        &mut self,
        mirror: &Mirror,
        cache: &mut RulesCache,
        touched: &[Key],
        changes: &mut Changes,
    ) {
        let mut machines: BTreeSet<MachineId> = BTreeSet::new();
        let mut units: BTreeMap<&UnitName, Touch> = BTreeMap::new();
        for key in touched {
            match key {
                Key::Member(id) | Key::Machine(id) | Key::Metadata(id) => {
                    machines.insert(id.clone());
                }
                Key::Unit(name) | Key::Placed(name) => {
                    units.entry(name).or_default().is_whole = true;
                }
                Key::Schedule(id, name) => {
                    units.entry(name).or_default().machines.insert(id.clone());
                }
                Key::State(..) | Key::Leader | Key::Hold | Key::Settings | Key::Seeded(_) => {}
            }
        }
        // Machines first: who of several is the holder depends on them.
        for id in machines {
            self.refresh_machine(mirror, &id, changes);
        }
        for (name, touch) in units {
            self.refresh_unit(mirror, cache, name, &touch, changes);
            changes.units.insert(name.clone());
        }
    }

    /// Lets a unit stay as it is, whatever its documents say, until it is taken back.
    pub fn set_aside(&mut self, unit: &UnitName, changes: &mut Changes) {
        self.aside.insert(unit.clone());
        self.strike(unit);
        if let Some(view) = self.units.get_mut(unit) {
            view.is_frozen = true;
        }
        self.enter(unit);
        changes.units.insert(unit.clone());
    }

    /// Lets the documents of a unit count again that was set aside.
    pub fn take_back(
        &mut self,
        mirror: &Mirror,
        cache: &mut RulesCache,
        unit: &UnitName,
        changes: &mut Changes,
    ) {
        self.aside.remove(unit);
        self.refresh(mirror, cache, &[Key::Unit(unit.clone())], changes);
    }

    fn refresh_machine(&mut self, mirror: &Mirror, id: &MachineId, changes: &mut Changes) {
        let keys = [Key::Member(id.clone()), Key::Machine(id.clone()), Key::Metadata(id.clone())];
        let is_named = mirror.members.contains_key(id)
            || mirror.machines.contains_key(id)
            || self.residents.contains_key(id)
            || keys.iter().any(|key| mirror.is_unreadable(key));
        let view = is_named.then(|| MachineView::of(mirror, id));
        let before = self.machines.get(id);
        if before == view.as_ref() {
            return;
        }
        changes.machines.insert(id.clone());
        match view {
            Some(view) => {
                self.board.offer(&view);
                self.machines.insert(id.clone(), view);
            }
            None => {
                self.board.withdraw(id);
                self.machines.remove(id);
            }
        }
        let residents: Vec<_> = self.residents(id).cloned().collect();
        for name in residents {
            let machines = self.machines_of(&name);
            self.reseat(&name, &machines, changes);
        }
    }

    fn refresh_unit(
        &mut self,
        mirror: &Mirror,
        cache: &mut RulesCache,
        name: &UnitName,
        touch: &Touch,
        changes: &mut Changes,
    ) {
        let is_spread = self.units.get(name).is_some_and(UnitView::is_spread);
        if is_spread && !touch.is_whole && mirror.unreadable.is_empty() {
            for id in &touch.machines {
                self.refresh_assignment(mirror, cache, name, id);
            }
            self.settle_in(mirror, name, &touch.machines, changes);
        } else {
            let mut machines = self.machines_of(name);
            self.strike(name);
            match UnitView::of(mirror, cache, name) {
                Some(mut view) => {
                    view.is_frozen |= self.aside.contains(name);
                    self.units.insert(name.clone(), view);
                }
                None => drop(self.units.remove(name)),
            }
            self.enter(name);
            machines.extend(self.machines_of(name));
            self.settle_in(mirror, name, &machines, changes);
        }
        cache.prune(name);
    }

    /// One of the many assignments of a global unit.
    fn refresh_assignment(
        &mut self,
        mirror: &Mirror,
        cache: &mut RulesCache,
        name: &UnitName,
        id: &MachineId,
    ) {
        let Some(view) = self.units.get_mut(name) else { return };
        match mirror.schedule.get(name).and_then(|machines| machines.get(id)) {
            Some(stored) => {
                let record = mirror.units.get(name);
                let assignment = AssignmentView::of(name, &stored.document, record, cache);
                view.assignments.insert(id.clone(), assignment);
            }
            None => drop(view.assignments.remove(id)),
        }
    }

    /// Notes where a unit resides now, and seats it there.
    fn settle_in(
        &mut self,
        mirror: &Mirror,
        name: &UnitName,
        machines: &BTreeSet<MachineId>,
        changes: &mut Changes,
    ) {
        for id in machines {
            let unit = self.units.get(name);
            if unit.is_some_and(|unit| unit.names(id)) {
                self.residents.entry(id.clone()).or_default().insert(name.clone());
            } else {
                withdraw(&mut self.residents, id, name);
            }
            if self.machines.contains_key(id) != self.residents.contains_key(id) {
                self.refresh_machine(mirror, id, changes);
            }
        }
        self.reseat(name, machines, changes);
    }

    fn machines_of(&self, name: &UnitName) -> BTreeSet<MachineId> {
        self.units.get(name).into_iter().flat_map(UnitView::machines).cloned().collect()
    }

    /// Brings the board in line with the view of a unit, as far as some machines are concerned.
    fn reseat(&mut self, name: &UnitName, machines: &BTreeSet<MachineId>, changes: &mut Changes) {
        let mut newly = Vec::new();
        for id in machines {
            let assignment = self.units.get(name).and_then(|unit| {
                let assignment = unit.assignments.get(id)?;
                self.seat(unit, id, assignment)
            });
            let seated = self.board.tenants(id).and_then(|tenants| tenants.get(name));
            if let (Some(seated), Some(assignment)) = (seated, assignment)
                && Arc::ptr_eq(seated, assignment)
            {
                continue;
            }
            if let Some(assignment) = assignment {
                newly.push((id, Arc::clone(assignment)));
            }
            if seated.is_some() {
                changes.freed.insert(id.clone());
                self.board.remove(name, id);
            }
        }
        for (id, rules) in newly {
            self.board.put(&rules, id);
        }
    }

    /// Enters a unit in all indices that its documents decide on.
    fn enter(&mut self, name: &UnitName) {
        let Some(unit) = self.units.get(name) else { return };
        let Some(record) = &unit.record else { return };
        for peer in &record.rules.peers {
            self.followers.entry(peer.clone()).or_default().insert(name.clone());
        }
        if !record.is_wanted() || unit.is_frozen {
            return;
        }
        if record.rules.is_global() {
            self.globals.insert((record.uid, name.clone()));
        } else if unit.assignments.values().all(|one| one.phase != Phase::Held) {
            self.unplaced.insert(name.clone());
        }
        if !record.rules.replaces.is_empty() {
            self.replacers.insert(name.clone());
        }
    }

    /// Strikes a unit from all indices.
    fn strike(&mut self, name: &UnitName) {
        self.unplaced.remove(name);
        self.replacers.remove(name);
        let Some(record) = self.units.get(name).and_then(|unit| unit.record.as_ref()) else {
            return;
        };
        if record.rules.is_global() {
            self.globals.remove(&(record.uid, name.clone()));
        }
        for peer in &record.rules.peers {
            withdraw(&mut self.followers, peer, name);
        }
    }
}
