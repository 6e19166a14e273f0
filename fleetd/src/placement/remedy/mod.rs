//! The nearest change that would let some machine take a unit.
//!
//! Each machine is tried on its own: its obstacles are taken away one by one, where somebody could
//! do so, and what that takes is noted. Only what makes the unit eligible in the end is proposed.
//! Of all proposals the one wins whose hardest change is the easiest, then the shortest, then that
//! for the least loaded machine.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use fleet_units::{MachineId, Metadata, UnitName};

use crate::placement::board::Board;
use crate::placement::cluster::Cluster;
use crate::placement::eligible::{Neighbours, eligible, obstacles};
use crate::placement::obstacle::{Obstacle, PeerProblem};
use crate::placement::rules::Rules;
use crate::placement::view::{Availability, MachineView};

/// Something that a person can do for a unit that has no machine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Remedy {
    /// Set metadata of a machine.
    SetMetadata {
        /// The machine.
        machine: MachineId,
        /// The key.
        key: String,
        /// The value that would do.
        value: String,
        /// The value that it has now, which other units may need.
        has: Option<String>,
    },
    /// Open a machine for units again that was cordoned, or is being drained.
    Open(MachineId),
    /// Start a unit that MachineOf names.
    Start(UnitName),
    /// Take a unit off its machine that does not go together with this one.
    Unload(UnitName),
    /// Upgrade fleetd on a machine.
    Upgrade(MachineId),
    /// Add a machine, or bring back one that is away.
    AddMachine {
        /// Its id, in full or in short, if it has to be that one.
        id: Option<String>,
        /// Metadata that it has to have.
        metadata: Metadata,
    },
}

impl Remedy {
    /// How much it takes; more takes more.
    const fn effort(&self) -> u8 {
        match self {
            Self::SetMetadata { has: None, .. } => 0,
            Self::SetMetadata { has: Some(_), .. } => 1,
            Self::Open(_) => 2,
            Self::Start(_) => 3,
            Self::Unload(_) => 4,
            Self::Upgrade(_) => 5,
            Self::AddMachine { .. } => 6,
        }
    }
}

/// The least that has to change for some machine to take a unit, and nothing if one could take it
/// as things are; `None` if only another text of the unit would do.
#[must_use]
pub fn nearest(cluster: &Cluster, name: &UnitName) -> Option<Vec<Remedy>> {
    proposal(cluster, name).map(|(_, changes)| changes.into_iter().collect())
}

/// Changes, and the machine that could take the unit then.
fn proposal(cluster: &Cluster, name: &UnitName) -> Option<(MachineId, Proposal)> {
    let unit = cluster.units.get(name).filter(|unit| !unit.is_frozen)?;
    let rules = &unit.record.as_ref()?.rules;
    let needed = cluster.needed_by(name);
    let mut board = cluster.board.clone();
    let mut proposals = Vec::new();
    for machine in cluster.members() {
        let id = machine.id.clone();
        let trial = Trial::of(cluster, &needed, &mut board, machine.clone());
        proposals.extend(trial.changes(rules).map(|changes| (id, changes)));
    }
    if let Some(newcomer) = newcomer(cluster, rules) {
        let id = newcomer.id.clone();
        let wanted = rules.directives.machine_id.clone();
        let trial = Trial::of(cluster, &needed, &mut board, newcomer);
        proposals.extend(trial.changes(rules).map(|changes| (id, added(wanted, changes))));
    }
    let cost = |(id, changes): &(MachineId, Proposal)| {
        (changes.iter().map(Remedy::effort).max(), changes.len(), cluster.load(id))
    };
    proposals.into_iter().min_by_key(cost)
}

type Proposal = BTreeSet<Remedy>;

/// A machine that could be there: the one that the unit names, or any.
fn newcomer(cluster: &Cluster, rules: &Rules) -> Option<MachineView> {
    let wanted = rules.directives.machine_id.as_deref();
    let is_there = |machine: &MachineView| {
        wanted.is_some_and(|wanted| machine.id.matches(wanted))
            && !matches!(machine.availability, Availability::Absent | Availability::Left)
    };
    if cluster.machines.values().any(is_there) {
        return None;
    }
    let id = wanted.unwrap_or("newcomer").parse().ok()?;
    Some(MachineView { id, availability: Availability::Open, metadata: Metadata::new() })
}

/// Makes what a machine that is not there yet would need a property of it.
fn added(id: Option<String>, changes: Proposal) -> Proposal {
    let mut metadata = Metadata::new();
    let mut rest = Proposal::new();
    for change in changes {
        match change {
            Remedy::SetMetadata { key, value, .. } => drop(metadata.insert(key, value)),
            other => drop(rest.insert(other)),
        }
    }
    rest.insert(Remedy::AddMachine { id, metadata });
    rest
}

/// A machine on which obstacles are taken away, to see what comes of it.
struct Trial<'a> {
    cluster: &'a Cluster,
    /// Units that the unit needs, directly or by way of others.
    needed: &'a BTreeSet<UnitName>,
    board: &'a mut Board,
    machine: MachineView,
    changes: Proposal,
}

impl<'a> Trial<'a> {
    const fn of(
        cluster: &'a Cluster,
        needed: &'a BTreeSet<UnitName>,
        board: &'a mut Board,
        machine: MachineView,
    ) -> Self {
        Self { cluster, needed, board, machine, changes: Proposal::new() }
    }

    /// What it takes for the machine to take a unit; leaves the board as it was.
    fn changes(mut self, rules: &Arc<Rules>) -> Option<Proposal> {
        let before = self.board.mark();
        let admitted = self.admit(rules);
        self.board.undo(before);
        admitted.map(|()| self.changes)
    }

    const fn neighbours(&self) -> Neighbours<'_> {
        Neighbours { cluster: self.cluster, board: self.board }
    }

    /// Takes away what is in the way of a unit, and seats it.
    fn admit(&mut self, rules: &Arc<Rules>) -> Option<()> {
        let found: Vec<_> = obstacles(rules, &self.machine, self.neighbours()).collect();
        for obstacle in found {
            self.overcome(obstacle)?;
        }
        eligible(rules, &self.machine, &self.neighbours()).ok()?;
        self.board.put(rules, &self.machine.id);
        Some(())
    }

    fn overcome(&mut self, obstacle: Obstacle) -> Option<()> {
        let machine = self.machine.id.clone();
        match obstacle {
            Obstacle::Metadata { key, wanted, .. } => {
                self.set_metadata(key, wanted.into_iter().next()?);
            }
            Obstacle::Cordoned | Obstacle::Draining => {
                self.machine.availability = Availability::Open;
                self.changes.insert(Remedy::Open(machine));
            }
            Obstacle::Outdated { .. } => {
                self.machine.availability = Availability::Open;
                self.changes.insert(Remedy::Upgrade(machine));
            }
            Obstacle::MachineOf { peer, problem } => self.fetch(&peer.parse().ok()?, problem)?,
            Obstacle::Conflict { with }
            | Obstacle::Replaced { by: with }
            | Obstacle::Rival { with } => self.take_away(with)?,
            Obstacle::Template
            | Obstacle::UnreadableUnit
            | Obstacle::UnreadableMachine
            | Obstacle::Absent
            | Obstacle::Leaving
            | Obstacle::MachineId { .. }
            | Obstacle::Cycle(_)
            | Obstacle::Immovable { .. }
            | Obstacle::Stopping { .. } => return None,
        }
        Some(())
    }

    /// What a unit wanted before gives way: whether that is to its liking shows in the end.
    fn set_metadata(&mut self, key: String, value: String) {
        let id = self.machine.id.clone();
        self.changes.retain(|change| match change {
            Remedy::SetMetadata { key: earlier, .. } => *earlier != key,
            _ => true,
        });
        let has = self.cluster.machines.get(&id).and_then(|known| known.metadata.get(&key));
        let has = has.cloned();
        self.machine.metadata.insert(key.clone(), value.clone());
        self.changes.insert(Remedy::SetMetadata { machine: id, key, value, has });
    }

    /// Brings a unit here that MachineOf names.
    fn fetch(&mut self, peer: &UnitName, problem: PeerProblem) -> Option<()> {
        // Another unit that needs it has brought it.
        if self.board.holds(&self.machine.id, peer) {
            return Some(());
        }
        let unit = self.cluster.units.get(peer);
        if unit.is_some_and(|unit| unit.is_frozen) {
            return None;
        }
        match problem {
            PeerProblem::Elsewhere => return None,
            PeerProblem::Unknown | PeerProblem::Inactive => {
                self.changes.insert(Remedy::Start(peer.clone()));
            }
            PeerProblem::NotPlaced | PeerProblem::NotHere => {}
        }
        let record = unit.and_then(|unit| unit.record.as_ref());
        match record {
            Some(record) => self.admit(&record.rules),
            // Nobody knows what it will ask.
            None => self.admit(&Arc::new(Rules::none(peer.clone()))),
        }
    }

    fn take_away(&mut self, unit: UnitName) -> Option<()> {
        let stays = self.cluster.units.get(&unit).is_none_or(|unit| unit.is_frozen)
            || self.needed.contains(&unit);
        if stays {
            return None;
        }
        self.board.remove(&unit, &self.machine.id);
        self.changes.insert(Remedy::Unload(unit));
        Some(())
    }
}
