use fleet_units::TargetState;

use super::*;
use crate::placement::RulesCache;
use crate::placement::testing::{World, machine, text, unit};
use crate::plan::transaction::{Basis, landed, pack, rebase};
use crate::registry::document::{Assignment, Placed};
use crate::registry::key::Key;
use crate::store::Commit;

pub(crate) fn lost(ids: &str) -> Outlook {
    let lost = ids.chars().map(|id| machine(&id.to_string())).collect();
    Outlook { lost, is_on_hold: false }
}

/// The plan as lines of text; groups of more than one in brackets.
pub(super) fn decide(world: &World, outlook: &Outlook) -> Vec<String> {
    let line = |decision: &Decision| match decision {
        Decision::Place { unit, machine } => format!("place {unit} on {machine}"),
        Decision::Move { unit, from, to } => format!("move {unit} from {from} to {to}"),
        Decision::PlaceGlobal { unit, machine } => format!("spread {unit} to {machine}"),
        Decision::Update { unit, machine } => format!("update {unit} on {machine}"),
        Decision::Release { unit, machine, reason } => {
            format!("release {unit} from {machine}: {reason}")
        }
        Decision::Forget { unit } => format!("forget {unit}"),
    };
    let group = |group: &Group| match group.as_slice() {
        [decision] => line(decision),
        decisions => format!("[{}]", decisions.iter().map(line).collect::<Vec<_>>().join("; ")),
    };
    plan(&world.cluster(), outlook).iter().map(group).collect()
}

/// Plans once and carries it out.
pub(crate) fn land(world: &mut World, outlook: &Outlook) {
    let mirror = world.mirror();
    let cluster = Cluster::of(&mirror, &mut RulesCache::default());
    let leader = mirror.leader.as_ref().unwrap();
    let prefix = &world.prefix.clone();
    let basis = Basis { prefix, mirror: &mirror, cluster: &cluster, leadership: leader.created };
    let mut written = std::collections::BTreeMap::new();
    for mut packet in pack(&basis, &plan(&cluster, outlook)) {
        rebase(&mut packet.transaction, &written);
        let commit = world.commit(packet.transaction.clone());
        let Commit::Done(revision) = commit else { panic!("refused: {packet:?}") };
        written.extend(landed(&packet.transaction, revision));
    }
}

/// Plans and obeys until there is nothing to do.
pub(crate) fn settle(world: &mut World, outlook: &Outlook) {
    for _ in 0..10 {
        land(world, outlook);
        world.obey();
        if plan(&world.cluster(), outlook).is_empty() {
            return;
        }
    }
    panic!("does not settle: {:?}", decide(world, outlook));
}

pub(super) const NOTHING: [&str; 0] = [];

#[test]
fn units_spread_by_load_and_machine_id() {
    let mut world = World::with_machines("abc");
    for number in 0..100 {
        world.launch(&format!("web@{number:02}.service"), "");
    }

    settle(&mut world, &lost(""));

    let count = |id| world.schedule().iter().filter(|line| line.starts_with(id)).count();
    assert_eq!(["a", "b", "c"].map(count), [34, 33, 33]);
}

#[test]
fn globals_and_loaded_units_count_as_load() {
    let mut world = World::with_machines("ab");
    world.launch("all.service", "Global=true");
    world.set("idle.service", &text(""), TargetState::Loaded);
    world.set("off.service", &text(""), TargetState::Inactive);
    world.launch("web.service", "");

    assert_eq!(
        decide(&world, &lost("")),
        [
            "spread all.service to a",
            "spread all.service to b",
            "place idle.service on a",
            "place web.service on b",
        ]
    );
}

#[test]
fn a_placement_carries_the_record_and_the_revision_it_was_decided_on() {
    let mut world = World::with_machines("a");
    let uid = world.launch("web.service", "");
    world.set("web.service", &text(""), TargetState::Loaded);
    let decided = world.revision;

    land(&mut world, &lost(""));

    let assignment: Assignment =
        world.read(&Key::Schedule(machine("a"), unit("web.service"))).unwrap();
    assert_eq!(
        assignment,
        Assignment {
            text: text(""),
            hash: assignment.hash,
            target: TargetState::Loaded,
            uid,
            generation: 2,
            stops: 1,
            placement: decided,
            phase: Phase::Held,
        }
    );
    assert_eq!(
        world.read::<Placed>(&Key::Placed(unit("web.service"))),
        Some(Placed { machine: machine("a"), uid, generation: decided })
    );
}

#[test]
fn an_assignment_follows_its_record_in_place() {
    let mut world = World::with_machines("ab");
    world.launch("web.service", "");
    settle(&mut world, &lost(""));
    let placement = world.read::<Placed>(&Key::Placed(unit("web.service"))).unwrap();
    world.set("web.service", &text("# other text"), TargetState::Loaded);

    assert_eq!(decide(&world, &lost("")), ["update web.service on a"]);
    land(&mut world, &lost(""));

    let assignment: Assignment =
        world.read(&Key::Schedule(machine("a"), unit("web.service"))).unwrap();
    assert_eq!(
        (assignment.target, assignment.generation, assignment.stops, assignment.placement),
        (TargetState::Loaded, 2, 1, placement.generation)
    );
    assert_eq!(world.read(&Key::Placed(unit("web.service"))), Some(placement));
    assert_eq!(decide(&world, &lost("")), NOTHING);
}

#[test]
fn an_inactive_or_destroyed_unit_is_released_and_its_place_goes() {
    let mut world = World::with_machines("a");
    world.launch("one.service", "");
    world.launch("two.service", "");
    settle(&mut world, &lost(""));
    world.set("one.service", &text(""), TargetState::Inactive);
    world.destroy("two.service");

    assert_eq!(
        decide(&world, &lost("")),
        [
            "release two.service from a: destroyed",
            "release one.service from a: target state inactive",
        ]
    );
    land(&mut world, &lost(""));
    assert_eq!(world.schedule(), ["a one.service released", "a two.service released"]);
    assert_eq!(world.read::<Placed>(&Key::Placed(unit("one.service"))), None);
    assert_eq!(world.read::<Placed>(&Key::Placed(unit("two.service"))), None);
    assert_eq!(decide(&world, &lost("")), NOTHING);
}

#[test]
fn a_unit_created_anew_waits_for_its_namesake_to_stop() {
    let mut world = World::with_machines("ab");
    world.launch("web.service", "");
    settle(&mut world, &lost(""));
    world.destroy("web.service");
    world.launch("web.service", "");

    assert_eq!(
        decide(&world, &lost("")),
        ["release web.service from a: destroyed and created anew"]
    );
    land(&mut world, &lost(""));
    assert_eq!(decide(&world, &lost("")), NOTHING);
    world.obey();
    assert_eq!(decide(&world, &lost("")), ["place web.service on a"]);
}

#[test]
fn a_released_unit_starts_nowhere_else_before_it_is_stopped() {
    let mut world = World::with_machines("ab");
    world.launch("web.service", "MachineID=a");
    settle(&mut world, &lost(""));
    world.launch("web.service", "MachineID=b");

    assert_eq!(
        decide(&world, &lost("")),
        ["release web.service from a: the machine is not machine b"]
    );
    land(&mut world, &lost(""));
    assert_eq!(decide(&world, &lost("")), NOTHING);
    world.vanish("a");
    assert_eq!(decide(&world, &lost("")), NOTHING);
    assert_eq!(decide(&world, &lost("a")), ["place web.service on b"]);
}

#[test]
fn a_machine_that_no_longer_suits_its_units_gives_them_up() {
    let mut world = World::with_machines("a");
    world.join("b", "role=web");
    world.launch("web.service", "MachineMetadata=role=web");
    world.launch("all.service", "Global=true\nMachineMetadata=role=web");
    settle(&mut world, &lost(""));
    world.overlay("a", &[("role", "web")]);
    world.overlay("b", &[("role", "db")]);

    let reason = "the machine metadata role=web is wanted, the machine has role=db";
    assert_eq!(
        decide(&world, &lost("")),
        [
            format!("release all.service from b: {reason}"),
            format!("release web.service from b: {reason}"),
            "spread all.service to a".to_owned(),
        ]
    );
    settle(&mut world, &lost(""));
    assert_eq!(world.schedule(), ["a all.service", "a web.service"]);
}

#[test]
fn of_two_holders_that_conflict_the_one_that_changed_goes() {
    let mut world = World::with_machines("a");
    world.launch("old.service", "");
    world.launch("young.service", "");
    settle(&mut world, &lost(""));
    world.launch("old.service", "Conflicts=young.service");

    assert_eq!(
        decide(&world, &lost("")),
        ["release old.service from a: the machine conflicts with young.service there"]
    );
}

#[test]
fn mutual_conflicts_fill_the_machines_and_the_rest_waits() {
    let mut world = World::with_machines("abc");
    for number in 1..=5 {
        world.launch(&format!("web@{number}.service"), "Conflicts=web@*.service");
    }

    settle(&mut world, &lost(""));
    assert_eq!(world.schedule(), ["a web@1.service", "b web@2.service", "c web@3.service"]);

    world.join("d", "");
    world.vanish("a");
    assert_eq!(decide(&world, &lost("a")), ["move web@1.service from a to d"]);
}

#[test]
fn a_conflict_that_one_side_declares_holds_until_the_other_is_gone() {
    let mut world = World::with_machines("a");
    world.launch("shy.service", "Conflicts=loud@*.service other.service");
    settle(&mut world, &lost(""));
    world.launch("loud@1.service", "");

    assert_eq!(decide(&world, &lost("")), NOTHING);
    world.destroy("shy.service");
    settle(&mut world, &lost(""));
    assert_eq!(world.schedule(), ["a loud@1.service"]);
}

#[test]
fn a_global_unit_that_conflicts_with_another_starts_nowhere() {
    let mut world = World::with_machines("ab");
    world.launch("one.service", "Global=true");
    world.launch("two.service", "Global=true\nConflicts=one.service");

    settle(&mut world, &lost(""));
    assert_eq!(world.schedule(), ["a one.service", "b one.service"]);
}

#[test]
fn a_global_unit_runs_where_no_other_unit_minds_and_comes_when_that_has_gone() {
    let mut world = World::with_machines("ab");
    world.launch("loud.service", "Conflicts=all.service");
    settle(&mut world, &lost(""));
    world.launch("all.service", "Global=true");

    settle(&mut world, &lost(""));
    assert_eq!(world.schedule(), ["a loud.service", "b all.service"]);
    world.destroy("loud.service");
    settle(&mut world, &lost(""));
    assert_eq!(world.schedule(), ["a all.service", "b all.service"]);
}

#[test]
fn a_duplicate_assignment_is_released_where_the_unit_is_not_placed() {
    let mut world = World::with_machines("ab");
    world.launch("web.service", "");
    settle(&mut world, &lost(""));
    world.assign("b", "web.service", Phase::Held);

    assert_eq!(decide(&world, &lost("")), ["release web.service from b: another machine holds it"]);
}

#[test]
fn a_unit_that_is_global_no_more_stays_on_a_machine_that_is_there() {
    let mut world = World::with_machines("abc");
    world.launch("web.service", "Global=true");
    // The newest of them is on the machine that dies.
    for id in ["b", "c", "a"] {
        world.launch("web.service", "Global=true");
        world.assign(id, "web.service", Phase::Held);
    }
    world.vanish("a");
    world.launch("web.service", "");

    assert_eq!(
        decide(&world, &lost("")),
        [
            "release web.service from a: another machine holds it",
            "release web.service from b: another machine holds it",
            "update web.service on c",
        ]
    );
}

#[test]
fn a_holder_without_a_place_gets_it_back() {
    let mut world = World::with_machines("ab");
    world.launch("web.service", "");
    settle(&mut world, &lost(""));
    let placed: Placed = world.read(&Key::Placed(unit("web.service"))).unwrap();
    world.delete(&Key::Placed(unit("web.service")));

    assert_eq!(decide(&world, &lost("")), ["update web.service on a"]);
    land(&mut world, &lost(""));
    assert_eq!(world.read(&Key::Placed(unit("web.service"))), Some(placed));
}

#[test]
fn a_place_without_an_assignment_is_filled_or_forgotten() {
    let mut world = World::with_machines("a");
    world.launch("web.service", "");
    world.launch("picky.service", "MachineID=b");
    for name in ["web.service", "picky.service"] {
        world.hold("c", name);
        world.delete(&Key::Schedule(machine("c"), unit(name)));
    }

    assert_eq!(decide(&world, &lost("")), ["place web.service on a", "forget picky.service"]);
    settle(&mut world, &lost(""));
    assert_eq!(world.read::<Placed>(&Key::Placed(unit("picky.service"))), None);
}

#[test]
fn a_unit_can_become_global_and_back() {
    let mut world = World::with_machines("abc");
    world.launch("web.service", "");
    settle(&mut world, &lost(""));

    world.launch("web.service", "Global=true");
    assert_eq!(
        decide(&world, &lost("")),
        [
            "update web.service on a",
            "spread web.service to b",
            "spread web.service to c",
            "forget web.service",
        ]
    );
    settle(&mut world, &lost(""));
    world.launch("web.service", "");
    settle(&mut world, &lost(""));
    assert_eq!(world.schedule().len(), 1);
    assert!(world.read::<Placed>(&Key::Placed(unit("web.service"))).is_some());
}

#[test]
fn what_unreadable_documents_speak_of_stays_as_it_is() {
    let mut world = World::with_machines("ab");
    for name in ["one.service", "two.service", "three.service", "four.service", "five.service"] {
        world.launch(name, "MachineID=a");
    }
    settle(&mut world, &lost(""));
    world.destroy("five.service");
    let garbage = || b"\xff garbage".to_vec();
    world.put_raw(&Key::Unit(unit("one.service")), garbage());
    world.destroy("two.service");
    world.put_raw(&Key::Placed(unit("two.service")), garbage());
    world.destroy("three.service");
    world.put_raw(&Key::Schedule(machine("b"), unit("three.service")), garbage());
    world.set("four.service", "[X-Fleet\n", TargetState::Launched);

    assert_eq!(decide(&world, &lost("")), ["release five.service from a: destroyed"]);
    world.put_raw(&Key::Machine(machine("a")), garbage());
    assert_eq!(decide(&world, &lost("a")), NOTHING);
}
