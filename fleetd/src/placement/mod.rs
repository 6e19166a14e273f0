//! Where a unit may run: the question that the engine asks to decide and the API asks to explain.
//!
//! Pure. A [`Cluster`] is the view of the registry that both work on; [`eligible`] is the only
//! judge of whether a machine may take a unit.

mod board;
mod chain;
mod changes;
mod cluster;
mod eligible;
mod names;
mod obstacle;
mod ranking;
mod refresh;
mod rivals;
mod rules;
#[cfg(test)]
mod spellings;
mod tenants;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod view;

use std::collections::BTreeMap;

use fleet_units::{MachineId, UnitName};

pub use board::{Board, Mark};
pub use chain::Depths;
pub use changes::Changes;
pub use cluster::Cluster;
pub use eligible::{
    Neighbours, displaced, eligible, has_no_conflict, has_peers, is_not_replaced, matches,
};
pub use names::Names;
pub use obstacle::{Obstacle, PeerProblem};
pub use ranking::{Ranked, Wanted};
pub use rules::{Rules, RulesCache};
pub use tenants::Tenants;
pub use view::{AssignmentView, Availability, MachineView, RecordView, UnitView};

/// Says for each machine that cannot take a unit why; a machine that is missing here can.
///
/// Machines that left in order are not told of. The answer for a name without a record is empty.
#[must_use]
pub fn explain(cluster: &Cluster, name: &UnitName) -> BTreeMap<MachineId, Obstacle> {
    let Some(unit) = cluster.units.get(name) else { return BTreeMap::new() };
    let known =
        cluster.machines.values().filter(|machine| machine.availability != Availability::Left);
    known
        .filter_map(|machine| Some((machine.id.clone(), obstacle(cluster, unit, machine)?)))
        .collect()
}

fn obstacle(cluster: &Cluster, unit: &UnitView, machine: &MachineView) -> Option<Obstacle> {
    if unit.is_frozen {
        return Some(Obstacle::UnreadableUnit);
    }
    let record = unit.record.as_ref()?;
    let neighbours = Neighbours { cluster, board: &cluster.board };
    if let Err(obstacle) = eligible(&record.rules, machine, &neighbours) {
        return Some(obstacle);
    }
    let mut stopping = unit.stopping(record);
    let on = stopping.find(|on| !record.rules.is_global() || *on == &machine.id)?;
    let lost = cluster.machines.get(on).is_none_or(|on| on.availability == Availability::Absent);
    (!lost).then(|| Obstacle::Stopping { on: on.clone() })
}
