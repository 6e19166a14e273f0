//! The judge of whether a machine may take a unit.
//!
//! `Replaces=` is a conflict with a winner. The two never share a machine; a unit that is to be
//! placed may go where units run that it replaces, and these leave the machine. It does not push
//! away what would push it away in return, see [`Cluster::are_rivals`], nor what has to stay as it
//! is because its documents cannot be read.

use std::collections::BTreeSet;

use fleet_units::{MachineId, UnitName};

use super::board::Board;
use super::cluster::Cluster;
use super::obstacle::{Obstacle, PeerProblem};
use super::rules::Rules;
use super::view::{Availability, MachineView};
use crate::registry::document::VERSION;

/// The company that a unit would have: who sits where, and what else the cluster knows of them.
#[derive(Clone, Copy, Debug)]
pub struct Neighbours<'a> {
    /// What is known of units and machines.
    pub cluster: &'a Cluster,
    /// Who sits where, which a plan changes as it goes.
    pub board: &'a Board,
}

/// Judges whether a machine may take a unit that it does not hold.
///
/// # Errors
///
/// Names the first obstacle.
pub fn eligible(
    unit: &Rules,
    machine: &MachineView,
    neighbours: &Neighbours<'_>,
) -> Result<(), Obstacle> {
    accepts(machine)?;
    matches(unit, machine)?;
    has_peers(unit, machine, neighbours)?;
    has_no_conflict(unit, machine, neighbours)?;
    is_not_replaced(unit, machine, neighbours)
}

fn accepts(machine: &MachineView) -> Result<(), Obstacle> {
    match machine.availability {
        Availability::Open => Ok(()),
        Availability::Cordoned => Err(Obstacle::Cordoned),
        Availability::Draining => Err(Obstacle::Draining),
        Availability::Leaving => Err(Obstacle::Leaving),
        Availability::Left | Availability::Absent => Err(Obstacle::Absent),
        Availability::Outdated => Err(Obstacle::Outdated { needed: VERSION }),
        Availability::Unreadable => Err(Obstacle::UnreadableMachine),
    }
}

/// Judges the directives that concern the machine alone.
///
/// # Errors
///
/// Names the first obstacle.
pub fn matches(unit: &Rules, machine: &MachineView) -> Result<(), Obstacle> {
    if unit.name.is_template() {
        return Err(Obstacle::Template);
    }
    if let Some(wanted) = &unit.directives.machine_id
        && !machine.id.matches(wanted)
    {
        return Err(Obstacle::MachineId { wanted: wanted.clone() });
    }
    for (key, wanted) in &unit.directives.metadata {
        let has = machine.metadata.get(key);
        if !has.is_some_and(|has| wanted.contains(has)) {
            let (key, wanted) = (key.clone(), wanted.clone());
            return Err(Obstacle::Metadata { key, wanted, has: has.cloned() });
        }
    }
    Ok(())
}

/// Judges MachineOf.
///
/// # Errors
///
/// Names the first unit that is missing, and where it is instead.
pub fn has_peers(
    unit: &Rules,
    machine: &MachineView,
    neighbours: &Neighbours<'_>,
) -> Result<(), Obstacle> {
    if let Some(peer) = &unit.impossible_peer {
        let problem = PeerProblem::Unknown;
        return Err(Obstacle::MachineOf { peer: peer.clone(), problem });
    }
    let Neighbours { cluster, board } = neighbours;
    let missing = unit.peers.iter().find(|peer| !board.holds(&machine.id, peer));
    let Some(peer) = missing else { return Ok(()) };
    if let Some(cycle) = cluster.cycle_of(&unit.name) {
        return Err(Obstacle::Cycle(cycle));
    }
    let record = cluster.units.get(peer).and_then(|peer| peer.record.as_ref());
    let problem = match record {
        _ if board.place_of(peer).is_some() => PeerProblem::Elsewhere,
        None => PeerProblem::Unknown,
        Some(record) if !record.is_wanted() => PeerProblem::Inactive,
        Some(record) if record.rules.is_global() => PeerProblem::NotHere,
        Some(_) => PeerProblem::NotPlaced,
    };
    Err(Obstacle::MachineOf { peer: peer.to_string(), problem })
}

/// Judges Conflicts, whichever side declares them, and Replaces where nobody gives way.
///
/// # Errors
///
/// Names a unit in the way.
pub fn has_no_conflict(
    unit: &Rules,
    machine: &MachineView,
    neighbours: &Neighbours<'_>,
) -> Result<(), Obstacle> {
    let Neighbours { cluster, board } = neighbours;
    let Some(tenants) = board.tenants(&machine.id) else { return Ok(()) };
    if let Some(with) = tenants.conflicting(unit).next() {
        return Err(Obstacle::Conflict { with: with.clone() });
    }
    for with in tenants.replaced_by(unit) {
        if cluster.units.get(with).is_some_and(|with| with.is_frozen) {
            return Err(Obstacle::Immovable { unit: with.clone() });
        }
        if cluster.are_rivals(&unit.name, with) {
            return Err(Obstacle::Rival { with: with.clone() });
        }
    }
    let mut replacing = tenants.replacing(unit).map(|with| &with.name);
    match replacing.find(|with| cluster.are_rivals(with, &unit.name)) {
        Some(with) => Err(Obstacle::Rival { with: with.clone() }),
        None => Ok(()),
    }
}

/// Judges Replaces where this unit is the one that gives way.
///
/// # Errors
///
/// Names the unit that replaces it.
pub fn is_not_replaced(
    unit: &Rules,
    machine: &MachineView,
    neighbours: &Neighbours<'_>,
) -> Result<(), Obstacle> {
    let tenants = neighbours.board.tenants(&machine.id);
    match tenants.and_then(|tenants| tenants.replacing(unit).next()) {
        Some(by) => Err(Obstacle::Replaced { by: by.name.clone() }),
        None => Ok(()),
    }
}

/// Units on a machine that have to go if it takes this one.
#[must_use]
pub fn displaced(unit: &Rules, machine: &MachineId, board: &Board) -> BTreeSet<UnitName> {
    if unit.replaces.is_empty() {
        return BTreeSet::new();
    }
    let tenants = board.tenants(machine).into_iter();
    tenants.flat_map(|tenants| tenants.replaced_by(unit)).cloned().collect()
}
