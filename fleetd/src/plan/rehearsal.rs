//! What would come of changes: the planner's own rounds on a copy of the registry, with agents that
//! do at once what they are told. Nothing is written anywhere. Pure.

use std::collections::BTreeMap;

use fleet_units::{MachineId, UnitName};

use super::decision::{Decision, ReleaseReason};
use super::transaction::{Basis, pack};
use super::{Outlook, plan};
use crate::placement::{Changes, Cluster, RulesCache};
use crate::registry::document::Phase;
use crate::registry::key::{Key, KeyPrefix};
use crate::registry::mirror::Mirror;
use crate::store::{Event, KeyValue, Revision, Snapshot, Write};

/// A cluster settles in fewer; one that does not is no reason to go on for ever.
const ROUNDS: usize = 50;

/// A copy of the registry on which changes are tried out.
#[derive(Debug)]
pub struct Rehearsal {
    prefix: KeyPrefix,
    mirror: Mirror,
    rules: RulesCache,
    cluster: Cluster,
    outlook: Outlook,
    /// Create revisions, by key.
    created: BTreeMap<String, Revision>,
    /// Why units left machines.
    departures: BTreeMap<(UnitName, MachineId), ReleaseReason>,
}

impl Rehearsal {
    /// Begins with a list of the whole registry.
    #[must_use]
    pub fn of(prefix: KeyPrefix, snapshot: Snapshot) -> Self {
        let entries = snapshot.entries.iter();
        let created = entries.map(|entry| (entry.key.clone(), entry.create_revision)).collect();
        let mut mirror = Mirror::new(prefix.clone());
        mirror.reset(snapshot);
        let mut rules = RulesCache::default();
        let cluster = Cluster::of(&mirror, &mut rules);
        let outlook = Outlook::shown(&mirror);
        let departures = BTreeMap::new();
        Self { prefix, mirror, rules, cluster, outlook, created, departures }
    }

    /// The registry as it would be.
    #[must_use]
    pub const fn mirror(&self) -> &Mirror {
        &self.mirror
    }

    /// The cluster as it would be.
    #[must_use]
    pub const fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Whether there is a document, readable or not.
    #[must_use]
    pub fn has(&self, key: &Key) -> bool {
        self.created.contains_key(&self.prefix.encode(key))
    }

    /// Why a unit would leave a machine, if it would.
    #[must_use]
    pub fn departure(&self, unit: &UnitName, machine: &MachineId) -> Option<&ReleaseReason> {
        self.departures.get(&(unit.clone(), machine.clone()))
    }

    /// Takes over writes, all at one revision.
    pub fn write(&mut self, writes: impl IntoIterator<Item = Write>) {
        let revision = Revision(self.mirror.revision.0 + 1);
        let events = writes.into_iter().map(|write| self.event(write, revision)).collect();
        let touched = self.mirror.apply(revision, events);
        let (mirror, rules) = (&self.mirror, &mut self.rules);
        self.cluster.refresh(mirror, rules, &touched, &mut Changes::default());
    }

    fn event(&mut self, write: Write, mod_revision: Revision) -> Event {
        match write {
            Write::Put { key, value, lease } => {
                let create_revision = *self.created.entry(key.clone()).or_insert(mod_revision);
                Event::Put(KeyValue { key, value, create_revision, mod_revision, lease })
            }
            Write::Delete(key) => {
                self.created.remove(&key);
                Event::Delete { key, revision: mod_revision }
            }
        }
    }

    /// Lets the engine plan and the agents follow until nothing is left to do.
    pub fn settle(&mut self) {
        self.departures.clear();
        for _ in 0..ROUNDS {
            let decided = self.decide();
            let obeyed = self.obeyed();
            if decided.is_empty() && obeyed.is_empty() {
                return;
            }
            self.write(decided);
            let obeyed = self.obeyed();
            self.write(obeyed);
        }
    }

    /// What the engine would write.
    fn decide(&mut self) -> Vec<Write> {
        let groups = plan(&self.cluster, &self.outlook);
        for decision in groups.iter().flatten() {
            if let Decision::Release { unit, machine, reason } = decision {
                self.departures.insert((unit.clone(), machine.clone()), reason.clone());
            }
        }
        let (prefix, mirror, cluster) = (&self.prefix, &self.mirror, &self.cluster);
        // Nobody else writes here, so it does not matter what the transactions compare.
        let basis = Basis { prefix, mirror, cluster, leadership: Revision::ABSENT };
        let packets = pack(&basis, &groups);
        packets.into_iter().flat_map(|packet| packet.transaction.writes).collect()
    }

    /// What the agents of all machines that are there would delete: units that they have to stop.
    fn obeyed(&self) -> Vec<Write> {
        let schedule = self.mirror.schedule.iter();
        let assignments = schedule.flat_map(|(unit, machines)| {
            machines.iter().map(move |(machine, stored)| (unit, machine, &stored.document))
        });
        let released = assignments.filter(|(_, machine, assignment)| {
            assignment.phase == Phase::Released && self.mirror.machines.contains_key(*machine)
        });
        released
            .map(|(unit, machine, _)| Key::Schedule(machine.clone(), unit.clone()))
            .map(|key| Write::Delete(self.prefix.encode(&key)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::placement::testing::{World, machine, unit};
    use crate::plan::tests::{lost, settle};

    fn rehearsal(world: &World) -> Rehearsal {
        Rehearsal::of(world.prefix.clone(), world.snapshot())
    }

    #[test]
    fn a_rehearsal_comes_to_what_the_engine_and_the_agents_come_to() {
        let mut world = World::with_machines("abc");
        world.launch("all.service", "Global=true");
        world.launch("old.service", "MachineID=a");
        settle(&mut world, &lost(""));
        world.launch("new.service", "Replaces=old.service");
        world.launch("peer.service", "MachineOf=new.service");
        world.launch("shy.service", "Conflicts=*.service");

        let mut rehearsal = rehearsal(&world);
        rehearsal.settle();
        settle(&mut world, &lost(""));

        let held = |mirror: &Mirror| {
            let schedule = mirror.schedule.iter();
            let lines = schedule.flat_map(|(unit, machines)| {
                machines.keys().map(move |machine| format!("{machine} {unit}"))
            });
            lines.collect::<std::collections::BTreeSet<_>>()
        };
        assert_eq!(held(rehearsal.mirror()), world.schedule().into_iter().collect());
        let by = unit("new.service");
        let obstacle = crate::placement::Obstacle::Replaced { by };
        assert_eq!(
            rehearsal.departure(&unit("old.service"), &machine("a")),
            Some(&ReleaseReason::Unsuited(obstacle))
        );
    }

    #[test]
    fn what_the_leader_has_written_of_lost_machines_counts() {
        let mut world = World::with_machines("abc");
        world.launch("web.service", "");
        settle(&mut world, &lost(""));
        world.vanish("a");
        let place = |world: &World| {
            let mut rehearsal = rehearsal(world);
            rehearsal.settle();
            rehearsal.cluster().board.place_of(&unit("web.service")).cloned()
        };

        assert_eq!(place(&world), Some(machine("a")));
        world.miss("a");
        assert_eq!(place(&world), Some(machine("b")));
        world.suspend("a");
        assert_eq!(place(&world), Some(machine("a")));
    }
}
