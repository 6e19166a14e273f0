//! MachineOf as a graph: how deep a unit hangs, and where it runs in circles.

use std::collections::{BTreeMap, BTreeSet};

use fleet_units::UnitName;

use super::cluster::Cluster;

/// Depths that were asked for, and those on the way there.
#[derive(Debug, Default)]
pub struct Depths<'a> {
    known: BTreeMap<&'a UnitName, Depth>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Depth {
    /// Being looked at.
    Open,
    /// It leads into a circle.
    Endless,
    Steps(usize),
}

impl<'a> Depths<'a> {
    /// Steps along MachineOf to a unit that needs nobody; none where it leads into a circle, as
    /// there is nothing to wait for.
    pub fn of(&mut self, cluster: &'a Cluster, unit: &'a UnitName) -> usize {
        if cluster.peers(unit).is_empty() {
            return 0;
        }
        let mut path = vec![unit];
        while let Some(unit) = path.last().copied() {
            let peers = cluster.peers(unit);
            let is_new = self.known.insert(unit, Depth::Open).is_none();
            let unknown = peers.iter().filter(|peer| !self.known.contains_key(peer));
            let before = path.len();
            if is_new {
                path.extend(unknown);
            }
            if path.len() == before {
                path.pop();
                let depth = self.conclude(peers);
                self.known.insert(unit, depth);
            }
        }
        match self.known.get(unit) {
            Some(Depth::Steps(steps)) => *steps,
            _ => 0,
        }
    }

    fn conclude(&self, peers: &[UnitName]) -> Depth {
        let mut deepest = None;
        for peer in peers {
            match self.known.get(peer) {
                Some(Depth::Steps(steps)) => deepest = deepest.max(Some(*steps)),
                _ => return Depth::Endless,
            }
        }
        Depth::Steps(deepest.map_or(0, |deepest| deepest + 1))
    }
}

impl Cluster {
    /// Units that a unit has to join, and those that these have to join, and so on.
    pub(super) fn needed_by(&self, unit: &UnitName) -> BTreeSet<UnitName> {
        let mut needed = BTreeSet::new();
        let mut next = vec![unit];
        while let Some(at) = next.pop() {
            next.extend(self.peers(at).iter().filter(|peer| needed.insert((*peer).clone())));
        }
        needed
    }

    /// Units that a unit has to join.
    fn peers(&self, unit: &UnitName) -> &[UnitName] {
        let record = self.units.get(unit).and_then(|unit| unit.record.as_ref());
        record.map_or(&[], |record| &record.rules.peers)
    }

    /// The circle of MachineOf that a unit is on, beginning with it.
    #[must_use]
    pub fn cycle_of(&self, unit: &UnitName) -> Option<Vec<UnitName>> {
        let mut came_from: BTreeMap<&UnitName, &UnitName> = BTreeMap::new();
        let mut next = vec![unit];
        while let Some(at) = next.pop() {
            for peer in self.peers(at) {
                if peer == unit {
                    let steps = std::iter::successors(Some(at), |at| came_from.get(at).copied());
                    let mut circle: Vec<_> = steps.cloned().collect();
                    circle.reverse();
                    return Some(circle);
                }
                if !came_from.contains_key(peer) {
                    came_from.insert(peer, at);
                    next.push(peer);
                }
            }
        }
        None
    }
}
