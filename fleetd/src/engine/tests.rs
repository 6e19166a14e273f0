use std::collections::BTreeSet;

use fleet_units::UnitName;
use tokio::time::{sleep, timeout_at};

use super::spy::{Fault, Spy};
use super::*;
use crate::placement::testing::{World, machine, unit};
use crate::registry::document::{Assignment, Leader, MetadataOverlay, Phase, Placed, Standing};
use crate::registry::mirror::Mirror;
use crate::store::embedded::EmbeddedStore;
use crate::store::{LeaseId, Revision, Snapshot, Transaction, Witness, Witnessed, Write};

/// Time is simulated: this only has to be longer than anything that is waited for.
const PATIENCE: Duration = Duration::from_secs(120);

const TTL: Duration = Duration::from_secs(5);

/// A cluster whose machines exist in the store alone.
struct Stage {
    store: EmbeddedStore,
    prefix: KeyPrefix,
    tasks: TaskTracker,
}

impl Stage {
    fn new() -> Self {
        let store = EmbeddedStore::in_memory().unwrap();
        Self { store, prefix: KeyPrefix::new("/fleet"), tasks: TaskTracker::new() }
    }

    /// Copies the documents of a world, except who leads.
    async fn copy(&self, world: &World) {
        for entry in world.entries.values() {
            if self.prefix.decode(&entry.key) != Some(Key::Leader) {
                self.put(&entry.key, entry.value.clone(), None).await;
            }
        }
    }

    async fn put(&self, key: &str, value: Vec<u8>, lease: Option<LeaseId>) -> Revision {
        let write = Write::Put { key: key.to_owned(), value, lease };
        self.write(write).await
    }

    async fn delete(&self, key: &Key) -> Revision {
        self.write(Write::Delete(self.prefix.encode(key))).await
    }

    async fn write(&self, write: Write) -> Revision {
        let transaction = Transaction { compares: vec![], writes: vec![write] };
        let Commit::Done(revision) = self.store.commit(transaction).await.unwrap() else {
            panic!("refused")
        };
        revision
    }

    /// Lets an engine run on a machine until the token is cancelled.
    fn engine(&self, id: &str) -> CancellationToken {
        let stop = CancellationToken::new();
        self.tasks.spawn(Engine::new(self.store.clone(), self.settings(id)).run(stop.clone()));
        stop
    }

    fn settings(&self, id: &str) -> EngineSettings {
        EngineSettings {
            machine: machine(id),
            agent_ttl: TTL,
            reschedule_grace: Duration::ZERO,
            prefix: self.prefix.clone(),
        }
    }

    async fn snapshot(&self) -> Snapshot {
        let everything = Selection::Prefix(self.prefix.as_str().to_owned());
        self.store.range(&everything, None).await.unwrap()
    }

    async fn mirror(&self) -> Mirror {
        let mut mirror = Mirror::new(self.prefix.clone());
        mirror.reset(self.snapshot().await);
        mirror
    }

    /// Waits until the registry is as wanted.
    async fn until<T>(&self, what: &str, look: impl Fn(&Mirror) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        let mut follower =
            Follower::new(self.store.clone(), Selection::Prefix(self.prefix.as_str().to_owned()));
        loop {
            let mirror = self.mirror().await;
            if let Some(seen) = look(&mirror) {
                return seen;
            }
            if timeout_at(deadline, follower.next()).await.is_err() {
                panic!("{what} did not happen; last seen: {mirror:#?}");
            }
        }
    }

    async fn placed(&self, name: &str) -> Placed {
        let name = unit(name);
        self.until("placement", |mirror| Some(mirror.placed.get(&name)?.document.clone())).await
    }
}

fn leader(mirror: &Mirror) -> Option<MachineId> {
    mirror.leader.as_ref().map(|leader| leader.document.machine.clone())
}

fn assignment(mirror: &Mirror, id: &str, name: &UnitName) -> Option<Assignment> {
    Some(mirror.schedule.get(name)?.get(&machine(id))?.document.clone())
}

#[tokio::test(start_paused = true)]
async fn a_unit_is_placed_released_and_placed_again() {
    let stage = Stage::new();
    let mut world = World::with_machines("ab");
    world.launch("web.service", "");
    stage.copy(&world).await;
    stage.engine("a");

    assert_eq!(stage.placed("web.service").await.machine, machine("a"));

    let name = unit("web.service");
    stage.delete(&Key::Unit(name.clone())).await;
    let released = |mirror: &Mirror| {
        let assignment = assignment(mirror, "a", &name)?;
        (assignment.phase == Phase::Released && !mirror.placed.contains_key(&name)).then_some(())
    };
    stage.until("release", released).await;

    let text = world.entries[&stage.prefix.encode(&Key::Unit(name.clone()))].value.clone();
    stage.put(&stage.prefix.encode(&Key::Unit(name.clone())), text, None).await;
    let gone = stage.delete(&Key::Schedule(machine("a"), name.clone())).await;
    let placed = stage.placed("web.service").await;
    assert_eq!((placed.machine, placed.generation), (machine("a"), gone.0));
}

#[tokio::test(start_paused = true)]
async fn a_cluster_at_rest_is_left_alone() {
    let stage = Stage::new();
    let mut world = World::with_machines("ab");
    world.launch("web.service", "");
    world.launch("never.service", "MachineID=c");
    stage.copy(&world).await;
    stage.engine("a");
    stage.engine("b");
    stage.placed("web.service").await;
    let before = stage.snapshot().await.revision;

    sleep(10 * TTL).await;

    assert_eq!(stage.snapshot().await.revision, before);
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_is_seen_to_die_loses_its_units_half_a_second_later() {
    let stage = Stage::new();
    let mut world = World::with_machines("abc");
    world.launch("web.service", "MachineMetadata=role=web");
    world.join("d", "role=web");
    world.join("e", "role=web");
    stage.copy(&world).await;
    stage.engine("a");
    assert_eq!(stage.placed("web.service").await.machine, machine("d"));
    sleep(2 * TTL).await;

    stage.delete(&Key::Machine(machine("d"))).await;
    let died = Instant::now();
    let moved = |mirror: &Mirror| {
        let placed = mirror.placed.get(&unit("web.service"))?;
        (placed.document.machine == machine("e")).then_some(())
    };
    stage.until("move", moved).await;

    assert_eq!(died.elapsed().as_millis() / 100, 5);
    let mirror = stage.mirror().await;
    let name = unit("web.service");
    let phases =
        ["d", "e"].map(|id| assignment(&mirror, id, &name).map(|assignment| assignment.phase));
    assert_eq!(phases, [Some(Phase::Released), Some(Phase::Held)]);
}

#[tokio::test(start_paused = true)]
async fn metadata_that_is_set_while_machines_run_places_and_moves_units_at_once() {
    let stage = Stage::new();
    let mut world = World::with_machines("ab");
    world.launch("web.service", "MachineMetadata=role=web");
    stage.copy(&world).await;
    stage.engine("a");
    stage.until("election", leader).await;
    sleep(2 * TTL).await;
    assert_eq!(stage.mirror().await.placed.len(), 0);
    let set = async |id: &str, role: &str| {
        let values = [("role".to_owned(), role.to_owned())].into();
        let overlay = crate::registry::document::encode(&MetadataOverlay { values });
        stage.put(&stage.prefix.encode(&Key::Metadata(machine(id))), overlay, None).await;
    };

    let asked = Instant::now();
    set("b", "web").await;
    assert_eq!(stage.placed("web.service").await.machine, machine("b"));

    set("a", "web").await;
    set("b", "").await;
    let name = unit("web.service");
    let released = |mirror: &Mirror| {
        let assignment = assignment(mirror, "b", &name)?;
        (assignment.phase == Phase::Released).then_some(())
    };
    stage.until("release", released).await;
    stage.delete(&Key::Schedule(machine("b"), name.clone())).await;
    assert_eq!(stage.placed("web.service").await.machine, machine("a"));
    assert!(asked.elapsed() < Duration::from_millis(100), "{:?}", asked.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_registers_again_at_once_keeps_its_units() {
    let stage = Stage::new();
    let mut world = World::with_machines("ab");
    world.launch("web.service", "");
    stage.copy(&world).await;
    stage.engine("b");
    let placed = stage.placed("web.service").await;
    let key = Key::Machine(machine("a"));
    let value = world.entries[&stage.prefix.encode(&key)].value.clone();

    stage.delete(&key).await;
    sleep(Duration::from_millis(400)).await;
    stage.put(&stage.prefix.encode(&key), value, None).await;
    sleep(3 * TTL).await;

    assert_eq!(stage.placed("web.service").await, placed);
}

#[tokio::test(start_paused = true)]
async fn a_storm_is_written_down_outlives_its_leader_and_ends_when_an_operator_says_so() {
    let stage = Stage::new();
    let mut world = World::with_machines("abc");
    world.launch("web.service", "MachineMetadata=role=web");
    world.join("d", "role=web");
    stage.copy(&world).await;
    let first = stage.engine("a");
    assert_eq!(stage.placed("web.service").await.machine, machine("d"));
    world.appear("a", "role=web");
    let key = stage.prefix.encode(&Key::Machine(machine("a")));
    stage.put(&key, world.entries[&key].value.clone(), None).await;
    for id in ["b", "c", "d"] {
        stage.delete(&Key::Machine(machine(id))).await;
    }
    let away: BTreeSet<_> = ["b", "c", "d"].map(machine).into();
    let held = |mirror: &Mirror| {
        let hold = mirror.hold.as_ref()?;
        (hold.document.machines == away).then_some(())
    };
    stage.until("hold", held).await;

    first.cancel();
    stage.engine("b");
    stage.until("hand-over", |mirror| leader(mirror).filter(|id| *id == machine("b"))).await;
    sleep(3 * TTL).await;
    assert_eq!(stage.placed("web.service").await.machine, machine("d"));
    stage.until("hold", held).await;

    stage.delete(&Key::Hold).await;
    let moved = |mirror: &Mirror| {
        let placed = mirror.placed.get(&unit("web.service"))?;
        (placed.document.machine == machine("a")).then_some(())
    };
    stage.until("move", moved).await;
    // Whoever leads next knows that these machines are not waited for.
    let given_up = |mirror: &Mirror| {
        let is_missing = |id| mirror.members.get(id).is_some_and(|it| it.document.missing);
        (away.iter().all(is_missing) && mirror.hold.is_none()).then_some(())
    };
    stage.until("note", given_up).await;
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_stops_hands_over_at_once() {
    let stage = Stage::new();
    stage.copy(&World::with_machines("ab")).await;
    let first = stage.engine("a");
    stage.until("election", |mirror| leader(mirror).filter(|id| *id == machine("a"))).await;
    stage.engine("b");
    sleep(TTL).await;

    let told = Instant::now();
    first.cancel();
    stage.until("hand-over", |mirror| leader(mirror).filter(|id| *id == machine("b"))).await;

    assert!(told.elapsed() < Duration::from_millis(100), "{:?}", told.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_leader_whose_seat_was_taken_steps_down_and_returns_when_it_is_free() {
    let stage = Stage::new();
    stage.copy(&World::with_machines("ab")).await;
    stage.engine("a");
    let term = stage.until("election", |mirror| mirror.leader.clone()).await;
    let key = stage.prefix.encode(&Key::Leader);
    let grant = stage.store.grant(TTL).await.unwrap();
    let other = crate::registry::document::encode(&Leader { machine: machine("b") });
    stage.delete(&Key::Leader).await;
    let taken = stage.put(&key, other, Some(grant.id)).await;

    let regained = |mirror: &Mirror| {
        let leader = mirror.leader.clone()?;
        (leader.created > taken).then_some(leader)
    };
    let regained = stage.until("return", regained).await;

    assert_eq!(regained.document, term.document);
    assert!(regained.created > term.created);
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_stands_by_watches_the_leader_alone() {
    let stage = Stage::new();
    let spy = Spy::on(&stage.store, []);
    let key = stage.prefix.encode(&Key::Leader);
    let value = crate::registry::document::encode(&Leader { machine: machine("a") });
    stage.put(&key, value, None).await;
    let stop = CancellationToken::new();
    stage.tasks.spawn(Engine::new(spy.clone(), stage.settings("b")).run(stop.clone()));

    sleep(10 * TTL).await;
    stop.cancel();
    stage.tasks.close();
    stage.tasks.wait().await;

    assert_eq!(*spy.seen.lock().unwrap(), [Selection::Key(key)]);
}

#[tokio::test(start_paused = true)]
async fn a_newer_document_makes_a_leader_step_down() {
    let stage = Stage::new();
    let mut world = World::with_machines("ab");
    world.launch("web.service", "");
    stage.copy(&world).await;
    stage.engine("a");
    stage.placed("web.service").await;
    let key = stage.prefix.encode(&Key::Unit(unit("next.service")));

    stage.put(&key, br#"{"version":2}"#.to_vec(), None).await;
    stage.until("resignation", |mirror| mirror.leader.is_none().then_some(())).await;
    sleep(DEFERENCE / 2).await;

    assert_eq!(leader(&stage.mirror().await), None);
}

#[tokio::test(start_paused = true)]
async fn the_machine_of_a_leader_that_died_is_lost_without_another_wait() {
    let stage = Stage::new();
    let mut world = World::with_machines("bc");
    world.join("x", "role=web");
    world.stand("y", Standing::Joined);
    world.appear("c", "role=web");
    world.launch("web.service", "MachineMetadata=role=web");
    world.hold("x", "web.service");
    stage.copy(&world).await;
    // The leader that dies: a key under a lease that nobody renews in the end.
    let grant = stage.store.grant(TTL).await.unwrap();
    let value = crate::registry::document::encode(&Leader { machine: machine("x") });
    stage.put(&stage.prefix.encode(&Key::Leader), value, Some(grant.id)).await;
    stage.engine("b");
    for _ in 0..4 {
        sleep(TTL / 2).await;
        stage.store.keep_alive(grant.id).await.unwrap();
    }
    stage.delete(&Key::Machine(machine("x"))).await;

    stage.until("vacancy", |mirror| leader(mirror).filter(|id| *id == machine("b"))).await;
    let elected = Instant::now();
    let moved = |mirror: &Mirror| {
        let placed = mirror.placed.get(&unit("web.service"))?;
        (placed.document.machine == machine("c")).then_some(())
    };
    stage.until("move", moved).await;

    assert_eq!(elected.elapsed().as_millis() / 100, 5);
}

#[tokio::test(start_paused = true)]
async fn nobody_leads_on_the_word_of_a_store_that_is_not_the_one_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let witness = Witness::open(directory.path().join("seen")).unwrap();
    let known = Witnessed::new(EmbeddedStore::in_memory().unwrap(), witness.clone());
    known.range(&Selection::Key("k".to_owned()), None).await.unwrap();
    let stage = Stage::new();
    let mut world = World::with_machines("ab");
    world.launch("web.service", "");
    stage.copy(&world).await;
    let before = stage.snapshot().await;

    let store = Witnessed::new(stage.store.clone(), witness.clone());
    let engine = Engine::new(store, stage.settings("a"));
    timeout(PATIENCE, engine.run(CancellationToken::new())).await.unwrap();

    assert!(witness.doubt().is_some());
    assert_eq!(stage.snapshot().await, before);
}

#[tokio::test(start_paused = true)]
async fn a_write_of_a_deposed_leader_never_lands() {
    let stage = Stage::new();
    let mut world = World::with_machines("ab");
    world.launch("web.service", "");
    stage.copy(&world).await;
    let spy = Spy::on(&stage.store, [Fault::Late]);
    let stop = CancellationToken::new();
    stage.tasks.spawn(Engine::new(spy.clone(), stage.settings("a")).run(stop.clone()));
    let late = spy.late.notified();
    stage.until("election", |mirror| mirror.leader.clone()).await;
    late.await;

    // Lost and regained between plan and write: the value of the key is the same again.
    let value = crate::registry::document::encode(&Leader { machine: machine("a") });
    stage.delete(&Key::Leader).await;
    let grant = stage.store.grant(TTL).await.unwrap();
    stage.put(&stage.prefix.encode(&Key::Leader), value, Some(grant.id)).await;
    let before = stage.snapshot().await;
    spy.go.notify_one();
    let outcome = spy.outcome.lock().await.recv().await;

    assert_eq!(outcome, Some(Commit::Refused(before.revision)));
    assert_eq!(stage.mirror().await.placed, std::collections::BTreeMap::new());
}

#[tokio::test(start_paused = true)]
async fn a_write_with_an_unknown_outcome_is_looked_up_before_the_next_plan() {
    let stage = Stage::new();
    let mut world = World::with_machines("ab");
    world.launch("web.service", "");
    stage.copy(&world).await;
    let spy = Spy::on(&stage.store, [Fault::Unanswered]);
    let stop = CancellationToken::new();
    stage.tasks.spawn(Engine::new(spy.clone(), stage.settings("a")).run(stop.clone()));
    let placed = stage.placed("web.service").await;

    sleep(3 * TTL).await;

    assert_eq!(stage.placed("web.service").await, placed);
    let everything = Selection::Prefix(stage.prefix.as_str().to_owned());
    let lists = spy.seen.lock().unwrap().iter().filter(|seen| **seen == everything).count();
    assert_eq!(lists, 2);
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_plans_no_more_gives_up_the_lead() {
    let stage = Stage::new();
    let grant = stage.store.grant(TTL).await.unwrap();
    let value = crate::registry::document::encode(&Leader { machine: machine("a") });
    let created = stage.put(&stage.prefix.encode(&Key::Leader), value, Some(grant.id)).await;
    let until = Instant::now() + grant.ttl;
    let term = Term { created, lease: grant.id, ttl: grant.ttl, until };
    let (pulse, receiver) = watch::channel(Instant::now());
    let over = CancellationToken::new();
    stage.tasks.spawn(election::keep(stage.store.clone(), term, receiver, over.clone()));
    for _ in 0..10 {
        sleep(TTL / 4).await;
        pulse.send_replace(Instant::now());
    }
    assert_eq!(leader(&stage.mirror().await), Some(machine("a")));

    let halted = Instant::now();
    over.cancelled().await;
    stage.until("resignation", |mirror| mirror.leader.is_none().then_some(())).await;

    assert!(halted.elapsed() < TTL, "{:?}", halted.elapsed());
}
