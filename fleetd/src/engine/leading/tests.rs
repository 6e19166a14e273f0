use super::*;
use crate::metrics::Metrics;
use crate::placement::testing::{World, machine};
use crate::registry::document::Member;
use crate::store;

const TTL: Duration = Duration::from_secs(5);

/// A leader with a clock that the test sets.
struct Desk {
    leading: Leading,
    began: Instant,
}

impl Desk {
    fn new(world: &World) -> Self {
        let settings = EngineSettings {
            machine: machine("leader"),
            agent_ttl: TTL,
            reschedule_grace: Duration::ZERO,
            prefix: world.prefix.clone(),
        };
        let leadership = world.mirror().leader.unwrap().created;
        let began = Instant::now();
        Self { leading: Leading::new(settings, leadership, None, began), began }
    }

    fn handle(&mut self, event: Event, millis: u64) -> Reaction {
        self.leading.handle(event, self.began + Duration::from_millis(millis))
    }

    fn list(&mut self, world: &World, millis: u64) -> Reaction {
        self.handle(Event::Update(Update::Listed(world.snapshot())), millis)
    }

    /// Tells what has changed from one world to another.
    fn hear(&mut self, before: &World, after: &World, millis: u64) -> Reaction {
        let revision = Revision(after.revision);
        let put = after.entries.values();
        let put = put.filter(|entry| before.entries.get(&entry.key) != Some(*entry)).cloned();
        let gone = before.entries.keys().filter(|key| !after.entries.contains_key(*key));
        let gone = gone.map(|key| store::Event::Delete { key: key.clone(), revision });
        let events = put.map(store::Event::Put).chain(gone).collect();
        self.handle(Event::Update(Update::Changed { revision, events }), millis)
    }

    fn deadline(&self) -> Option<u128> {
        self.leading.deadline().map(|at| (at - self.began).as_millis())
    }
}

/// Two machines, with more to place than one transaction takes.
fn busy() -> World {
    let mut world = World::with_machines("ab");
    for number in 0..50 {
        world.launch(&format!("web@{number:02}.service"), "");
    }
    world
}

fn refused(world: &World) -> Event {
    Event::Committed(Ok(Commit::Refused(Revision(world.revision + 1))))
}

#[test]
fn a_leader_sleeps_while_a_commit_is_under_way() {
    let mut world = busy();
    let mut desk = Desk::new(&world);
    let Reaction::Commit(first) = desk.list(&world, 0) else { panic!("no plan") };
    let landed = Event::Committed(Ok(world.commit(first)));
    let Reaction::Commit(_) = desk.handle(landed, 10) else { panic!("one packet") };

    assert_eq!(desk.deadline(), None);
    assert_eq!(desk.handle(Event::Tick, 5_000), Reaction::Wait);
    assert_eq!(desk.deadline(), None);
}

#[test]
fn a_leader_that_was_refused_again_and_again_sleeps_until_it_tries_again() {
    let world = busy();
    let mut desk = Desk::new(&world);
    for millis in [0, 10_000, 20_000, 30_000, 40_000, 50_000, 60_000] {
        let Reaction::Commit(_) = desk.list(&world, millis) else { panic!("no plan") };
        desk.handle(refused(&world), millis);
    }
    let Some(retry) = desk.deadline() else { panic!("no wake-up") };

    assert!(retry > 60_000 + REFUSAL_LAG.as_millis(), "{retry}");
    assert_eq!(desk.handle(Event::Tick, 60_200), Reaction::Wait);
    assert_eq!(desk.deadline(), Some(retry));
    assert_eq!(desk.handle(Event::Tick, u64::try_from(retry).unwrap()), Reaction::Relist);
    assert_eq!(desk.deadline(), None);
}

#[test]
fn a_leader_that_sees_nothing_of_its_write_lists_anew_once() {
    let mut world = World::with_machines("ab");
    world.launch("web.service", "");
    let mut desk = Desk::new(&world);
    let Reaction::Commit(plan) = desk.list(&world, 0) else { panic!("no plan") };
    let landed = Event::Committed(Ok(world.commit(plan)));

    assert_eq!(desk.handle(landed, 10), Reaction::Wait);
    assert_eq!(desk.deadline(), Some(2_010));
    assert_eq!(desk.handle(Event::Tick, 2_010), Reaction::Relist);
    assert_eq!(desk.deadline(), None);
}

#[test]
fn a_machine_whose_absence_is_confirmed_during_a_plan_wakes_the_leader_once() {
    let mut world = World::with_machines("abc");
    let mut desk = Desk::new(&world);
    assert_eq!(desk.list(&world, 0), Reaction::Wait);
    world.vanish("b");
    assert_eq!(desk.list(&world, 1_000), Reaction::Wait);

    // However late it is asked.
    assert_eq!(desk.deadline(), Some(1_500));
    let Reaction::Commit(note) = desk.handle(Event::Tick, 1_700) else { panic!("no note") };
    let landed = Event::Committed(Ok(world.commit(note)));
    assert_eq!(desk.handle(landed, 1_710), Reaction::Wait);
    assert_eq!(desk.list(&world, 1_720), Reaction::Wait);
    assert_eq!(desk.deadline(), None);
    let member: Option<Member> = world.read(&Key::Member(machine("b")));
    assert!(member.unwrap().missing);
}

#[test]
fn what_a_refused_plan_was_made_for_is_planned_again() {
    let mut world = World::with_machines("a");
    for name in ["one.service", "two.service"] {
        world.launch(name, "MachineMetadata=role=web\nConflicts=one.service two.service");
    }
    let mut desk = Desk::new(&world);
    assert_eq!(desk.list(&world, 0), Reaction::Wait);
    let before = world.clone();
    world.join("b", "role=web");
    let Reaction::Commit(_) = desk.hear(&before, &world, 10) else { panic!("no plan") };
    // The unit that the new machine was meant for is gone, so there is room for the other.
    let before = world.clone();
    world.destroy("one.service");
    assert_eq!(desk.hear(&before, &world, 20), Reaction::Wait);

    let refused = Event::Committed(Ok(Commit::Refused(Revision(world.revision))));
    let Reaction::Commit(plan) = desk.handle(refused, 30) else { panic!("no other plan") };
    assert!(matches!(world.commit(plan), Commit::Done(_)));
    assert_eq!(world.schedule(), ["b two.service"]);
}

#[test]
fn a_machine_that_is_lost_without_any_change_makes_its_units_move() {
    let mut world = World::with_machines("abc");
    world.launch("web.service", "");
    world.hold("a", "web.service");
    let mut desk = Desk::new(&world);
    assert_eq!(desk.list(&world, 0), Reaction::Wait);
    let before = world.clone();
    world.vanish("a");
    assert_eq!(desk.hear(&before, &world, 1_000), Reaction::Wait);

    let Reaction::Commit(plan) = desk.handle(Event::Tick, 1_500) else { panic!("no plan") };
    assert!(matches!(world.commit(plan), Commit::Done(_)));
    assert_eq!(world.schedule(), ["a web.service released", "b web.service"]);
}

fn refused_for_good() -> Event {
    Event::Committed(Err(StoreError::Refused("too large".into())))
}

#[test]
fn a_note_that_the_store_refuses_is_counted_and_told_once() {
    let mut world = World::with_machines("abc");
    let metrics = Metrics::default();
    let mut desk = Desk::new(&world);
    desk.leading = desk.leading.observed_by(metrics.engine.clone());
    desk.list(&world, 0);
    world.vanish("b");
    desk.list(&world, 1_000);
    assert!(matches!(desk.handle(Event::Tick, 1_500), Reaction::Commit(_)));
    for millis in [10_000, 20_000] {
        desk.handle(refused_for_good(), millis);
        desk.handle(Event::Tick, millis + 5_000);
    }

    let counted = "fleet_engine_reconcile_failure_count_total{type=\"run\"} 2\n";
    assert!(metrics.text().unwrap().contains(counted));
    let told = "the store refuses the request: too large".to_owned();
    assert_eq!(desk.leading.refused_note, Some(told));
}

#[test]
fn an_operator_ends_a_storm_that_came_back_while_its_hold_was_taken_back() {
    let hold = Key::Hold;
    let mut world = World::with_machines("abcde");
    let mut desk = Desk::new(&world);
    desk.list(&world, 0);
    ["a", "b", "c"].iter().for_each(|id| world.vanish(id));
    let Reaction::Commit(note) = desk.list(&world, 1_000) else { panic!("no hold") };
    let landed = Event::Committed(Ok(world.commit(note)));
    desk.handle(landed, 1_010);
    desk.list(&world, 1_020);
    world.appear("b", "");
    let Reaction::Commit(note) = desk.list(&world, 2_000) else { panic!("hold stays") };
    assert!(note.writes.contains(&store::Write::Delete(world.prefix.encode(&hold))));
    // It goes again before that lands.
    world.vanish("b");
    desk.handle(refused(&world), 2_010);
    desk.list(&world, 2_200);
    assert_eq!(desk.leading.presence.storm().len(), 3);

    world.delete(&hold);
    desk.list(&world, 3_000);

    assert_eq!(desk.leading.presence.storm().len(), 0);
}

#[test]
fn a_unit_that_the_store_refuses_is_set_aside_and_holds_up_no_other() {
    let mut world = World::with_machines("a");
    for name in ["1.service", "bad.service", "2.service"] {
        world.launch(name, "");
    }
    let is_bad = |plan: &Transaction| {
        plan.compares.iter().any(|compare| format!("{compare:?}").contains("units/bad.service"))
    };
    let mut desk = Desk::new(&world);
    let mut reaction = desk.list(&world, 0);
    let mut tried = 0;
    for millis in (100..).step_by(100).take(20) {
        reaction = match reaction {
            Reaction::Commit(plan) if is_bad(&plan) => {
                tried += 1;
                desk.handle(refused_for_good(), millis)
            }
            Reaction::Commit(plan) => {
                let landed = Event::Committed(Ok(world.commit(plan)));
                desk.handle(landed, millis)
            }
            _ => desk.list(&world, millis),
        };
    }

    assert_eq!(world.schedule(), ["a 1.service", "a 2.service"]);
    assert_eq!((tried, reaction), (2, Reaction::Wait));
    let due = u64::try_from(desk.deadline().unwrap()).unwrap();
    let Reaction::Commit(plan) = desk.handle(Event::Tick, due) else { panic!("not tried again") };
    assert!(is_bad(&plan));
    assert!(matches!(world.commit(plan), Commit::Done(_)));
}
