//! A look at what changed comes to what a look at everything would.

use proptest::prelude::*;

use super::properties::{MACHINES, Step, UNITS, absent, step, take};
use super::tests::lost;
use super::*;
use crate::placement::RulesCache;
use crate::placement::testing::{World, machine, unit};
use crate::plan::transaction::{Basis, landed, pack, rebase};
use crate::registry::document::{Standing, Unit};
use crate::registry::key::Key;
use crate::registry::mirror::Mirror;
use crate::store::{Commit, Event};

/// A leader who only ever hears of changes.
struct Leader {
    seen: World,
    mirror: Mirror,
    cache: RulesCache,
    cluster: Cluster,
    outlook: Outlook,
    changes: Changes,
}

impl Leader {
    fn of(world: &World) -> Self {
        let mirror = world.mirror();
        let mut cache = RulesCache::default();
        let cluster = Cluster::of(&mirror, &mut cache);
        let (outlook, changes) = (Outlook::default(), Changes::everything());
        Self { seen: world.clone(), mirror, cache, cluster, outlook, changes }
    }

    /// Hears of all that happened in the world since it last did.
    fn hear(&mut self, world: &World) {
        let before = &self.seen.entries;
        let put = world.entries.values();
        let put = put.filter(|entry| before.get(&entry.key) != Some(*entry));
        let gone = before.keys().filter(|key| !world.entries.contains_key(*key));
        let revision = crate::store::Revision(world.revision);
        let gone = gone.map(|key| Event::Delete { key: key.clone(), revision });
        let events = gone.chain(put.cloned().map(Event::Put)).collect();
        let touched = self.mirror.apply(revision, events);
        self.cluster.refresh(&self.mirror, &mut self.cache, &touched, &mut self.changes);
        self.seen = world.clone();
    }

    fn plan(&mut self, outlook: &Outlook) -> Vec<Group> {
        self.changes.machines.extend(self.outlook.difference(outlook));
        self.outlook = outlook.clone();
        replan(&mut self.cluster, outlook, &self.changes)
    }

    /// Carries out the first of the transactions that a plan makes; says whether it was all.
    fn land(&self, world: &mut World, groups: &[Group], most: usize) -> bool {
        let basis = Basis {
            prefix: &world.prefix.clone(),
            mirror: &self.mirror,
            cluster: &self.cluster,
            leadership: self.mirror.leader.as_ref().unwrap().created,
        };
        let mut written = std::collections::BTreeMap::new();
        let singly = groups.iter().map(|group| pack(&basis, std::slice::from_ref(group)));
        let packets: Vec<_> = singly.flatten().collect();
        let is_all = packets.len() <= most;
        for mut packet in packets.into_iter().take(most) {
            rebase(&mut packet.transaction, &written);
            let Commit::Done(revision) = world.commit(packet.transaction.clone()) else {
                panic!("refused: {packet:?}")
            };
            written.extend(landed(&packet.transaction, revision));
        }
        is_all
    }
}

/// What may happen.
#[derive(Clone, Debug)]
enum Turn {
    /// The ordinary. Of a plan so many transactions land before it is dropped.
    Step(Step, usize),
    Stand(usize, Standing),
    /// A document becomes garbage, or garbage goes.
    Garble(Key),
    Delete(Key),
    /// Somebody writes an assignment that no engine has decided on.
    Assign(usize, usize, Phase),
}

fn turn() -> impl Strategy<Value = Turn> {
    let most = prop_oneof![3 => Just(usize::MAX), 1 => 0..3_usize];
    let standing = prop_oneof![
        2 => Just(Standing::Joined),
        1 => Just(Standing::Cordoned),
        1 => Just(Standing::Draining),
        1 => Just(Standing::Leaving),
        1 => Just(Standing::Left),
    ];
    let phase = prop_oneof![Just(Phase::Held), Just(Phase::Released), Just(Phase::Retiring)];
    let (machines, units) = (0..MACHINES.len(), 0..UNITS.len());
    prop_oneof![
        30 => (step(), most).prop_map(|(step, most)| Turn::Step(step, most)),
        2 => (machines.clone(), standing).prop_map(|(id, standing)| Turn::Stand(id, standing)),
        1 => key().prop_map(Turn::Garble),
        2 => key().prop_map(Turn::Delete),
        1 => (machines, units, phase).prop_map(|(id, unit, phase)| Turn::Assign(id, unit, phase)),
    ]
}

fn key() -> impl Strategy<Value = Key> {
    (0..MACHINES.len(), 0..UNITS.len(), 0..6).prop_map(|(id, name, kind)| {
        let (id, name) = (machine(MACHINES[id]), unit(UNITS[name]));
        match kind {
            0 => Key::Member(id),
            1 => Key::Machine(id),
            2 => Key::Metadata(id),
            3 => Key::Unit(name),
            4 => Key::Placed(name),
            _ => Key::Schedule(id, name),
        }
    })
}

/// Does what a turn says, unless that is to plan.
fn happen(world: &mut World, turn: &Turn) {
    match turn {
        Turn::Step(step, _) => take(world, step),
        Turn::Stand(id, standing) => world.stand(MACHINES[*id], *standing),
        Turn::Garble(key) => drop(world.put_raw(key, b"garbage".to_vec())),
        Turn::Delete(key) => world.delete(key),
        Turn::Assign(id, name, phase) => {
            let name = UNITS[*name];
            if world.read::<Unit>(&Key::Unit(unit(name))).is_some() {
                world.assign(MACHINES[*id], name, *phase);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_look_at_what_changed_comes_to_what_a_look_at_everything_would(
        course in prop::collection::vec(turn(), 1..60)
    ) {
        let mut world = World::with_machines("abcd");
        let mut leader = Leader::of(&world);
        for turn in &course {
            let Turn::Step(Step::Plan(is_patient), most) = turn else {
                happen(&mut world, turn);
                continue;
            };
            leader.hear(&world);
            let outlook = if *is_patient { lost("") } else { absent(&world) };
            let fresh = Cluster::of(&leader.mirror, &mut leader.cache);
            let groups = leader.plan(&outlook);
            prop_assert_eq!(&groups, &plan(&fresh, &outlook));
            prop_assert_eq!(format!("{:?}", leader.cluster), format!("{fresh:?}"));
            if leader.land(&mut world, &groups, *most) {
                leader.changes = Changes::default();
            }
        }
    }
}
