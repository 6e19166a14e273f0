//! The judge of whether a machine may take a unit.
//!
//! `Replaces=` is a conflict with a winner. The two never share a machine; a unit that is to be
//! placed may go where units run that it replaces, and these leave the machine. It does not push
//! away what would push it away in return, see [`Cluster::are_rivals`], nor what has to stay as it
//! is because its documents cannot be read.

use std::collections::BTreeSet;
use std::sync::Arc;

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
    first(obstacles(unit, machine, *neighbours))
}

/// All that keeps a machine from taking a unit that it does not hold; looked for one by one.
pub(super) fn obstacles<'a>(
    unit: &'a Rules,
    machine: &'a MachineView,
    neighbours: Neighbours<'a>,
) -> impl Iterator<Item = Obstacle> + 'a {
    let peers = move || missing_peers(unit, machine, neighbours);
    // A rival counts once.
    let replacing = move |by: &&Arc<Rules>| !neighbours.cluster.are_rivals(&by.name, &unit.name);
    closed(machine)
        .into_iter()
        .chain(mismatches(unit, machine))
        .chain(std::iter::once_with(peers).flatten())
        .chain(conflicts(unit, machine, neighbours))
        .chain(replacers(unit, machine, neighbours.board).filter(replacing).map(replaced))
}

fn first(mut obstacles: impl Iterator<Item = Obstacle>) -> Result<(), Obstacle> {
    obstacles.next().map_or(Ok(()), Err)
}

const fn closed(machine: &MachineView) -> Option<Obstacle> {
    match machine.availability {
        Availability::Open => None,
        Availability::Cordoned => Some(Obstacle::Cordoned),
        Availability::Draining => Some(Obstacle::Draining),
        Availability::Leaving => Some(Obstacle::Leaving),
        Availability::Left | Availability::Absent => Some(Obstacle::Absent),
        Availability::Outdated => Some(Obstacle::Outdated { needed: VERSION }),
        Availability::Unreadable => Some(Obstacle::UnreadableMachine),
    }
}

/// Judges the directives that concern the machine alone.
///
/// # Errors
///
/// Names the first obstacle.
pub fn matches(unit: &Rules, machine: &MachineView) -> Result<(), Obstacle> {
    first(mismatches(unit, machine))
}

fn mismatches<'a>(
    unit: &'a Rules,
    machine: &'a MachineView,
) -> impl Iterator<Item = Obstacle> + 'a {
    let template = unit.name.is_template().then_some(Obstacle::Template);
    let wanted = unit.directives.machine_id.as_ref().filter(|wanted| !machine.id.matches(wanted));
    let another = wanted.map(|wanted| Obstacle::MachineId { wanted: wanted.clone() });
    let metadata = unit.directives.metadata.iter().filter_map(|(key, wanted)| {
        let has = machine.metadata.get(key);
        let suits = has.is_some_and(|has| wanted.contains(has));
        (!suits).then(|| {
            let (key, wanted) = (key.clone(), wanted.clone());
            Obstacle::Metadata { key, wanted, has: has.cloned() }
        })
    });
    template.into_iter().chain(another).chain(metadata)
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
    first(missing_peers(unit, machine, *neighbours).into_iter())
}

fn missing_peers(unit: &Rules, machine: &MachineView, neighbours: Neighbours<'_>) -> Vec<Obstacle> {
    let Neighbours { cluster, board } = neighbours;
    let impossible = unit.impossible_peer.iter().map(|peer| {
        let problem = PeerProblem::Unknown;
        Obstacle::MachineOf { peer: peer.clone(), problem }
    });
    let missing: Vec<_> =
        unit.peers.iter().filter(|peer| !board.holds(&machine.id, peer)).collect();
    if !missing.is_empty()
        && let Some(cycle) = cluster.cycle_of(&unit.name)
    {
        return impossible.chain([Obstacle::Cycle(cycle)]).collect();
    }
    let missing = missing.into_iter().map(|peer| {
        let problem = problem(peer, neighbours);
        Obstacle::MachineOf { peer: peer.to_string(), problem }
    });
    impossible.chain(missing).collect()
}

fn problem(peer: &UnitName, Neighbours { cluster, board }: Neighbours<'_>) -> PeerProblem {
    let record = cluster.units.get(peer).and_then(|peer| peer.record.as_ref());
    match record {
        _ if board.place_of(peer).is_some() => PeerProblem::Elsewhere,
        None => PeerProblem::Unknown,
        Some(record) if !record.is_wanted() => PeerProblem::Inactive,
        Some(record) if record.rules.is_global() => PeerProblem::NotHere,
        Some(_) => PeerProblem::NotPlaced,
    }
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
    first(conflicts(unit, machine, *neighbours))
}

fn conflicts<'a>(
    unit: &'a Rules,
    machine: &MachineView,
    neighbours: Neighbours<'a>,
) -> impl Iterator<Item = Obstacle> + 'a {
    let Neighbours { cluster, board } = neighbours;
    let tenants = board.tenants(&machine.id).into_iter();
    let conflicting = tenants.clone().flat_map(|tenants| tenants.conflicting(unit));
    let conflicting = conflicting.map(|with| Obstacle::Conflict { with: with.clone() });
    let staying = tenants.flat_map(|tenants| tenants.replaced_by(unit)).filter_map(|with| {
        if cluster.units.get(with).is_some_and(|with| with.is_frozen) {
            return Some(Obstacle::Immovable { unit: with.clone() });
        }
        let is_rival = cluster.are_rivals(&unit.name, with);
        is_rival.then(|| Obstacle::Rival { with: with.clone() })
    });
    let rivals = replacers(unit, machine, board)
        .filter(|with| cluster.are_rivals(&with.name, &unit.name))
        .map(|with| Obstacle::Rival { with: with.name.clone() });
    conflicting.chain(staying).chain(rivals)
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
    first(replacers(unit, machine, neighbours.board).map(replaced))
}

/// Units on a machine that replace this one.
fn replacers<'a>(
    unit: &'a Rules,
    machine: &MachineView,
    board: &'a Board,
) -> impl Iterator<Item = &'a Arc<Rules>> + 'a {
    board.tenants(&machine.id).into_iter().flat_map(|tenants| tenants.replacing(unit))
}

fn replaced(by: &Arc<Rules>) -> Obstacle {
    Obstacle::Replaced { by: by.name.clone() }
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
