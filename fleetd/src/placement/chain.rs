//! MachineOf as a graph: how deep a unit hangs, and where it runs in circles.

use std::collections::{BTreeMap, BTreeSet};

use fleet_units::UnitName;

/// The MachineOf graph of a cluster; units without MachineOf are not in it.
#[derive(Clone, Debug, Default)]
pub(super) struct Chains {
    /// Number of steps to a unit that needs nobody.
    depths: BTreeMap<UnitName, usize>,
    /// Units on a circle, with those of their peers that are on one too.
    circular: BTreeMap<UnitName, BTreeSet<UnitName>>,
}

impl Chains {
    /// Orders units by what they need.
    pub(super) fn new(mut needs: BTreeMap<UnitName, BTreeSet<UnitName>>) -> Self {
        let mut depths = BTreeMap::new();
        let mut depth = 1;
        loop {
            let free: Vec<_> = needs
                .iter()
                .filter(|(_, peers)| !peers.iter().any(|peer| needs.contains_key(peer)))
                .map(|(name, _)| name.clone())
                .collect();
            if free.is_empty() {
                break;
            }
            for name in free {
                needs.remove(&name);
                depths.insert(name, depth);
            }
            depth += 1;
        }
        Self { depths, circular: circles(needs) }
    }

    pub(super) fn depth(&self, unit: &UnitName) -> usize {
        self.depths.get(unit).copied().unwrap_or(0)
    }

    /// The circle that a unit is on, beginning with it.
    pub(super) fn cycle_of(&self, unit: &UnitName) -> Option<Vec<UnitName>> {
        self.circular.get(unit)?;
        let mut path = vec![unit.clone()];
        let mut next = unit;
        while let Some(peer) = self.circular.get(next).and_then(BTreeSet::first) {
            if path.contains(peer) {
                break;
            }
            path.push(peer.clone());
            next = peer;
        }
        Some(path)
    }
}

/// Drops those that merely wait for a circle; what is left is needed by, and needs, another.
fn circles(
    mut needs: BTreeMap<UnitName, BTreeSet<UnitName>>,
) -> BTreeMap<UnitName, BTreeSet<UnitName>> {
    loop {
        let needed: BTreeSet<_> = needs.values().flatten().cloned().collect();
        let before = needs.len();
        needs.retain(|name, _| needed.contains(name));
        if needs.len() == before {
            break;
        }
    }
    let names: BTreeSet<_> = needs.keys().cloned().collect();
    for peers in needs.values_mut() {
        peers.retain(|peer| names.contains(peer));
    }
    needs
}
