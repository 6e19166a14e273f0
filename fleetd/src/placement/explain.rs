//! Why a unit is where it is, or nowhere: for people and programs that ask. Decides nothing.

use std::collections::BTreeMap;

use fleet_units::{MachineId, UnitName};

use super::cluster::Cluster;
use super::eligible::{Neighbours, obstacles};
use super::obstacle::Obstacle;
use super::tenants::Tenants;
use super::view::{Availability, MachineView, RecordView, UnitView};

/// Says for each machine that cannot take a unit why; a machine that is missing here can.
///
/// Machines that left in order are not told of. The answer for a name without a record is empty.
#[must_use]
pub fn explain(cluster: &Cluster, name: &UnitName) -> BTreeMap<MachineId, Obstacle> {
    let Some(unit) = cluster.units.get(name) else { return BTreeMap::new() };
    cluster
        .members()
        .filter_map(|machine| Some((machine.id.clone(), against(cluster, unit, machine).next()?)))
        .collect()
}

/// All that keeps a unit off a machine that does not hold it; nothing if nobody wants the unit.
pub fn against<'a>(
    cluster: &'a Cluster,
    unit: &'a UnitView,
    machine: &'a MachineView,
) -> impl Iterator<Item = Obstacle> + 'a {
    let frozen = unit.is_frozen.then_some(Obstacle::UnreadableUnit);
    let record = unit.record.as_ref().filter(|_| !unit.is_frozen);
    let judged = record.into_iter().flat_map(move |record| {
        let neighbours = Neighbours { cluster, board: &cluster.board };
        let stopping = move || stopping(cluster, unit, record, machine);
        obstacles(&record.rules, machine, neighbours)
            .chain(std::iter::once_with(stopping).flatten())
    });
    frozen.into_iter().chain(judged)
}

fn stopping(
    cluster: &Cluster,
    unit: &UnitView,
    record: &RecordView,
    machine: &MachineView,
) -> Option<Obstacle> {
    let mut stopping = unit.stopping(record);
    let on = stopping.find(|on| !record.rules.is_global() || *on == &machine.id)?;
    let lost = cluster.machines.get(on).is_none_or(|on| on.availability == Availability::Absent);
    (!lost).then(|| Obstacle::Stopping { on: on.clone() })
}

/// What speaks for the machine that holds a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Units are there that MachineOf names.
    Joined,
    /// No other machine could take it.
    Only,
    /// No other machine that could take it has fewer units.
    LeastLoaded,
    /// Others have fewer units, but a unit moves only if it has to.
    Kept,
}

/// Says what speaks for the machine that holds a unit, as things are now.
#[must_use]
pub fn choice(cluster: &Cluster, unit: &UnitView, holder: &MachineId) -> Choice {
    let mut peers = unit.record.iter().flat_map(|record| &record.rules.peers);
    if peers.any(|peer| !cluster.is_global(peer)) {
        return Choice::Joined;
    }
    let others = cluster.machines.values().filter(|machine| machine.id != *holder);
    let suiting = others.filter(|machine| against(cluster, unit, machine).next().is_none());
    match suiting.map(|machine| cluster.load(&machine.id)).min() {
        None => Choice::Only,
        // Without the unit itself.
        Some(least) if cluster.load(holder) <= least + 1 => Choice::LeastLoaded,
        Some(_) => Choice::Kept,
    }
}

impl Cluster {
    /// Number of units that a machine holds.
    #[must_use]
    pub fn load(&self, machine: &MachineId) -> usize {
        self.board.tenants(machine).map_or(0, Tenants::len)
    }
}
