//! The registry as the API looks at it, and who waits for changes of which units. Pure but for the
//! wake-up of those who wait; [`view`](super::view) feeds it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fleet_units::api::v2::{MachineObstacle, UnitDetail, Update};
use fleet_units::{MachineId, UnitName};
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::warn;

use super::present;
use crate::placement::{Changes, Cluster, Obstacle, RulesCache, explain};
use crate::registry::key::{Key, KeyPrefix};
use crate::registry::mirror::Mirror;
use crate::store::{Event, Revision, Snapshot};

/// A unit that the engine places at once needs no explanation, which costs a look at everything.
const EXPLAINED_AFTER: Duration = Duration::from_millis(100);

/// Why nothing happens although a machine could take the unit.
const NOBODY_LEADS: &str = "could take it, but no engine leads at the moment";

/// The registry and those who follow it.
#[derive(Debug)]
pub(super) struct Scene {
    pub(super) mirror: Mirror,
    rules: RulesCache,
    /// The registry as placement sees it, once somebody asked for that.
    cluster: Option<Cluster>,
    followers: BTreeMap<u64, Follower>,
    next_follower: u64,
    /// Unreadable documents that were logged, by their revision.
    logged: BTreeMap<String, Revision>,
}

/// Somebody who waits for changes.
#[derive(Debug)]
struct Follower {
    /// None follows all units.
    names: Option<BTreeSet<UnitName>>,
    /// To be told at the next occasion.
    pending: BTreeSet<UnitName>,
    /// Told before, and not told to be gone.
    told: BTreeSet<UnitName>,
    /// Units that wait for a place, and when that is explained; none once it was.
    placeless: BTreeMap<UnitName, Option<Instant>>,
    /// Whether the machines, or what is wrong in the cluster, have changed since it was told.
    machines: bool,
    wake: watch::Sender<()>,
}

impl Follower {
    fn follows(&self, name: &UnitName) -> bool {
        self.names.as_ref().is_none_or(|names| names.contains(name))
    }

    fn mark(&mut self, names: impl IntoIterator<Item = UnitName>) {
        self.pending.extend(names);
        if !self.pending.is_empty() {
            self.wake.send_replace(());
        }
    }

    /// Who follows some units is not interested in machines.
    fn mark_machines(&mut self) {
        if self.names.is_none() {
            self.machines = true;
            self.wake.send_replace(());
        }
    }

    /// Units that wait for a place may be told something else now.
    fn mark_placeless(&mut self) {
        let names: Vec<_> = self.placeless.keys().cloned().collect();
        self.mark(names);
    }
}

impl Scene {
    pub(super) fn new(prefix: KeyPrefix) -> Self {
        Self {
            mirror: Mirror::new(prefix),
            rules: RulesCache::default(),
            cluster: None,
            followers: BTreeMap::new(),
            next_follower: 0,
            logged: BTreeMap::new(),
        }
    }

    /// Starts anew from a list.
    pub(super) fn reset(&mut self, snapshot: Snapshot) {
        self.mirror.reset(snapshot);
        self.cluster = None;
        self.rules = RulesCache::default();
        for follower in self.followers.values_mut() {
            let names = everything(&self.mirror, follower);
            follower.mark(names);
            follower.mark_machines();
        }
        self.log_unreadable();
    }

    /// Applies changes, and wakes those who wait for them.
    pub(super) fn apply(&mut self, revision: Revision, events: Vec<Event>) {
        let touched = self.mirror.apply(revision, events);
        if let Some(cluster) = &mut self.cluster {
            cluster.refresh(&self.mirror, &mut self.rules, &touched, &mut Changes::default());
        }
        self.followers.retain(|_, follower| !follower.wake.is_closed());
        for follower in self.followers.values_mut() {
            for key in &touched {
                match key {
                    Key::Unit(name)
                    | Key::Placed(name)
                    | Key::Schedule(_, name)
                    | Key::State(_, name) => {
                        if follower.follows(name) {
                            follower.mark([name.clone()]);
                        }
                    }
                    Key::Member(_) | Key::Leader => follower.mark_placeless(),
                    Key::Metadata(_) => {
                        follower.mark_placeless();
                        follower.mark_machines();
                    }
                    Key::Machine(machine) => {
                        let held = self.mirror.schedule.iter();
                        let held = held.filter(|(_, machines)| machines.contains_key(machine));
                        let held = held.map(|(name, _)| name.clone());
                        let held: Vec<_> = held.filter(|name| follower.follows(name)).collect();
                        follower.mark(held);
                        follower.mark_placeless();
                        follower.mark_machines();
                    }
                    Key::Hold => follower.mark_machines(),
                    Key::Settings | Key::Seeded(_) => {}
                }
            }
        }
        self.log_unreadable();
    }

    /// Whether anybody follows.
    pub(super) fn is_followed(&mut self) -> bool {
        self.followers.retain(|_, follower| !follower.wake.is_closed());
        !self.followers.is_empty()
    }

    /// Begins to follow units; the first update is ready at once.
    pub(super) fn follow(
        &mut self,
        names: Option<BTreeSet<UnitName>>,
    ) -> (u64, watch::Receiver<()>) {
        let (wake, woken) = watch::channel(());
        let mut follower = Follower {
            names,
            pending: BTreeSet::new(),
            told: BTreeSet::new(),
            placeless: BTreeMap::new(),
            machines: true,
            wake,
        };
        follower.pending = everything(&self.mirror, &follower);
        // A stream of nothing yet shall still begin with an update.
        follower.wake.send_replace(());
        let id = self.next_follower;
        self.next_follower += 1;
        self.followers.insert(id, follower);
        (id, woken)
    }

    /// Tells a follower what it has not been told yet.
    pub(super) fn take(&mut self, id: u64, now: Instant) -> Option<Update> {
        let mut follower = self.followers.remove(&id)?;
        let mut update = Update { revision: self.mirror.revision.0, ..Update::default() };
        for name in std::mem::take(&mut follower.pending) {
            let Some(mut detail) = present::detail(&self.mirror, &name) else {
                follower.placeless.remove(&name);
                if follower.told.remove(&name) || follower.names.is_some() {
                    update.gone.push(name.to_string());
                }
                continue;
            };
            if present::wants_place(&self.mirror, &name) {
                let due = follower.placeless.entry(name.clone());
                let due = due.or_insert_with(|| Some(now + EXPLAINED_AFTER));
                if due.is_none_or(|due| due <= now) {
                    *due = None;
                    self.explain(&name, &mut detail);
                } else {
                    detail.coming = detail.global;
                }
            } else {
                follower.placeless.remove(&name);
            }
            follower.told.insert(name);
            update.units.push(detail);
        }
        if std::mem::take(&mut follower.machines) && follower.names.is_none() {
            update.machines = Some(present::machines(&self.mirror));
        }
        self.followers.insert(id, follower);
        Some(update)
    }

    /// When somebody is to be told why a unit waits.
    pub(super) fn next_explanation(&self) -> Option<Instant> {
        let due = self.followers.values().flat_map(|follower| follower.placeless.values());
        due.filter_map(|due| *due).min()
    }

    /// Wakes those who are to be told why a unit waits.
    pub(super) fn wake_due(&mut self, now: Instant) {
        for follower in self.followers.values_mut() {
            let due = |(name, due): (&UnitName, &mut Option<Instant>)| {
                due.take_if(|due| *due <= now).map(|_| name.clone())
            };
            let due: Vec<_> = follower.placeless.iter_mut().filter_map(due).collect();
            follower.mark(due);
        }
    }

    /// All that is known of units, obstacles included; those that do not exist are missing.
    pub(super) fn details(&mut self, names: &BTreeSet<UnitName>) -> Vec<UnitDetail> {
        let mut details = Vec::new();
        for name in names {
            let Some(mut detail) = present::detail(&self.mirror, name) else { continue };
            if present::wants_place(&self.mirror, name) {
                self.explain(name, &mut detail);
            }
            details.push(detail);
        }
        details
    }

    /// Looks at the registry, and at the cluster as placement sees it.
    pub(super) fn look<T>(&mut self, look: impl FnOnce(&Mirror, &Cluster) -> T) -> T {
        let view = || Cluster::of(&self.mirror, &mut self.rules);
        let cluster = self.cluster.get_or_insert_with(view);
        look(&self.mirror, cluster)
    }

    fn explain(&mut self, name: &UnitName, detail: &mut UnitDetail) {
        let view = || Cluster::of(&self.mirror, &mut self.rules);
        let cluster = self.cluster.get_or_insert_with(view);
        let obstacles = explain(cluster, name);
        let candidates: Vec<_> = cluster.members().map(|machine| &machine.id).collect();
        let comes = |id: &MachineId| match obstacles.get(id) {
            None => !present::is_held(&self.mirror, name, id),
            Some(obstacle) => matches!(obstacle, Obstacle::Stopping { .. }),
        };
        detail.coming = detail.global && candidates.iter().any(|id| comes(id));
        detail.unplaceable =
            obstacles.len() == candidates.len() && obstacles.values().all(Obstacle::is_lasting);
        let told = candidates.into_iter().filter_map(|id| {
            let reason = match obstacles.get(id) {
                Some(obstacle) => obstacle.to_string(),
                None if self.mirror.leader.is_none() => NOBODY_LEADS.to_owned(),
                None => return None,
            };
            let address = present::address(&self.mirror, id);
            Some(MachineObstacle { machine: id.to_string(), address, reason })
        });
        detail.obstacles = Some(told.collect());
    }

    fn log_unreadable(&mut self) {
        let unreadable = &self.mirror.unreadable;
        self.logged.retain(|key, _| unreadable.contains_key(key));
        for (key, document) in unreadable {
            if self.logged.insert(key.clone(), document.modified) != Some(document.modified) {
                let reason = crate::log::chain(&document.error);
                warn!(key, reason, "Cannot read a stored document, and leaves it alone");
            }
        }
    }
}

/// What a follower may have to be told of after a list.
fn everything(mirror: &Mirror, follower: &Follower) -> BTreeSet<UnitName> {
    if let Some(names) = &follower.names {
        return names.clone();
    }
    let known = mirror.units.keys().chain(mirror.schedule.keys());
    known.chain(&follower.told).cloned().collect()
}
