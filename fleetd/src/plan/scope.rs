//! Which units a plan has to look at.
//!
//! A unit that is not looked at stays as it is. So whatever a look at everything would decide, the
//! scope has to lead to:
//!
//! * changed units, and all units of changed machines;
//! * their followers by MachineOf, and theirs, as well as units that wait for a machine together
//!   with them, since a group is placed as one;
//! * units that replace others and wait: who gives way to whom depends on many;
//! * holders that a changed holder gets in conflict with (see `holders`);
//! * global units, on machines that may take more than before;
//! * all units that wait for a machine, if any machine may take more than before.

use std::collections::BTreeSet;

use fleet_units::{MachineId, UnitName};

use super::{Outlook, availability, is_gone, wanted};
use crate::placement::{Availability, Changes, Cluster, UnitView};

/// What a plan looks at.
pub(super) struct Scope<'a> {
    pub(super) is_everything: bool,
    /// Units by age.
    pub(super) units: Vec<(&'a UnitName, &'a UnitView)>,
    dirty: BTreeSet<&'a UnitName>,
    /// Machines that may take more than before.
    pub(super) freed: BTreeSet<&'a MachineId>,
}

impl<'a> Scope<'a> {
    pub(super) fn new(cluster: &'a Cluster, outlook: &Outlook, changes: &'a Changes) -> Self {
        let (mut units, dirty): (Vec<_>, _) = if changes.is_everything {
            (cluster.units.iter().collect(), BTreeSet::new())
        } else {
            let dirty = dirty(cluster, outlook, changes);
            let units = dirty.iter().filter_map(|name| cluster.units.get_key_value(*name));
            (units.collect(), dirty)
        };
        units.sort_by_key(|(name, unit)| (unit.record.as_ref().map(|record| record.uid), *name));
        let freed = changes.freed.iter().chain(&changes.machines).collect();
        Self { is_everything: changes.is_everything, units, dirty, freed }
    }

    /// Whether a unit is looked at.
    pub(super) fn has(&self, unit: &UnitName) -> bool {
        self.is_everything || self.dirty.contains(unit)
    }

    /// Machines on which a global unit has to be looked at.
    pub(super) fn machines_for(
        &self,
        cluster: &'a Cluster,
        global: &UnitName,
    ) -> Vec<&'a MachineId> {
        if self.has(global) {
            return cluster.machines.keys().collect();
        }
        let freed = self.freed.iter();
        freed.filter_map(|id| Some(cluster.machines.get_key_value(*id)?.0)).collect()
    }
}

/// Units that wait for a machine or would leave a lost one.
pub(super) fn waiting<'a>(
    cluster: &'a Cluster,
    outlook: &Outlook,
) -> impl Iterator<Item = (&'a UnitName, &'a UnitView)> {
    let left = cluster.machines.values().filter(|one| one.availability == Availability::Left);
    let gone = left.map(|machine| &machine.id).chain(&outlook.lost);
    let stranded: BTreeSet<_> = gone.flat_map(|machine| cluster.residents(machine)).collect();
    let stranded = stranded.into_iter().filter(|name| !cluster.is_unplaced(name));
    let names = cluster.unplaced().chain(stranded);
    names.filter_map(|name| cluster.units.get_key_value(name))
}

fn dirty<'a>(
    cluster: &'a Cluster,
    outlook: &Outlook,
    changes: &'a Changes,
) -> BTreeSet<&'a UnitName> {
    let residents = changes.machines.iter().flat_map(|machine| cluster.residents(machine));
    let replacers = cluster.replacers().filter(|name| may_wait(cluster, outlook, name));
    let mut next: Vec<_> = changes.units.iter().chain(residents).chain(replacers).collect();
    let mut dirty = BTreeSet::new();
    while let Some(name) = next.pop() {
        if !dirty.insert(name) {
            continue;
        }
        next.extend(cluster.followers(name));
        let record = cluster.units.get(name).and_then(wanted);
        let peers = record.into_iter().flat_map(|record| &record.rules.peers);
        next.extend(peers.filter(|peer| may_wait(cluster, outlook, peer)));
    }
    dirty
}

/// Whether a unit may be one of those that wait for a machine.
fn may_wait(cluster: &Cluster, outlook: &Outlook, name: &UnitName) -> bool {
    let Some(unit) = cluster.units.get(name) else { return false };
    let holder = cluster.holder(unit);
    holder.is_none_or(|holder| {
        is_gone(cluster, outlook, holder) || !availability(cluster, holder).follows()
    })
}
