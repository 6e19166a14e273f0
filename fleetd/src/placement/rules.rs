//! What a unit's text asks of its machine, parsed once per text.

use std::collections::BTreeMap;
use std::sync::Arc;

use fleet_units::{Directives, UnitFile, UnitHash, UnitName};

use super::names::Names;

/// A unit's directives, prepared for the questions that placement asks.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Unit that they belong to.
    pub name: UnitName,
    /// The directives themselves.
    pub directives: Directives,
    /// Units that MachineOf names.
    pub peers: Vec<UnitName>,
    /// The first MachineOf value that can be no unit's name.
    pub impossible_peer: Option<String>,
    /// Units that must not be on the same machine.
    pub conflicts: Names,
    /// Units that give way to it.
    pub replaces: Names,
    /// Whether the text is no unit file, so that nobody knows what it asks.
    pub(super) is_broken: bool,
}

impl Rules {
    /// Parses the text of a stored unit.
    #[must_use]
    pub fn of(name: &UnitName, text: &str) -> Self {
        match UnitFile::parse(text) {
            Ok(file) => Self::new(name.clone(), Directives::lenient(&file, name)),
            Err(_) => Self { is_broken: true, ..Self::none(name.clone()) },
        }
    }

    /// The rules of a unit that asks for nothing.
    #[must_use]
    pub fn none(name: UnitName) -> Self {
        Self::new(name, Directives::default())
    }

    fn new(name: UnitName, directives: Directives) -> Self {
        let mut peers = Vec::new();
        let mut impossible_peer = None;
        for peer in &directives.machine_of {
            match peer.parse() {
                Ok(peer) => peers.push(peer),
                Err(_) => impossible_peer = impossible_peer.or_else(|| Some(peer.clone())),
            }
        }
        let conflicts = Names::of(&directives.conflicts);
        // It would push others away wherever it goes; nobody can submit such a unit.
        let replaces = if directives.global { &[] } else { directives.replaces.as_slice() };
        let replaces = Names::of(replaces);
        let is_broken = false;
        Self { name, directives, peers, impossible_peer, conflicts, replaces, is_broken }
    }

    /// Whether the unit has to join others.
    #[must_use]
    pub const fn has_needs(&self) -> bool {
        !self.peers.is_empty() || self.impossible_peer.is_some()
    }

    /// Whether the unit runs on each machine that suits it.
    #[must_use]
    pub const fn is_global(&self) -> bool {
        self.directives.global
    }
}

/// Remembers parsed rules from one view to the next; a text is known by its hash.
#[derive(Debug, Default)]
pub struct RulesCache {
    known: BTreeMap<UnitName, Vec<(UnitHash, Arc<Rules>)>>,
}

impl RulesCache {
    pub(super) fn rules(&mut self, name: &UnitName, hash: UnitHash, text: &str) -> Arc<Rules> {
        if let Some(known) = self.known.get_mut(name) {
            if let Some((_, rules)) = known.iter().find(|(known, _)| *known == hash) {
                return Arc::clone(rules);
            }
            let rules = Arc::new(Rules::of(name, text));
            known.push((hash, Arc::clone(&rules)));
            return rules;
        }
        let rules = Arc::new(Rules::of(name, text));
        self.known.insert(name.clone(), vec![(hash, Arc::clone(&rules))]);
        rules
    }

    /// Forgets texts of a unit that no view uses any more.
    pub(super) fn prune(&mut self, name: &UnitName) {
        let Some(known) = self.known.get_mut(name) else { return };
        known.retain(|(_, rules)| Arc::strong_count(rules) > 1);
        if known.is_empty() {
            self.known.remove(name);
        }
    }
}
