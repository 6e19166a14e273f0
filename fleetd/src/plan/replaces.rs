//! What `Replaces=` does, beside the other directives.

use fleet_units::TargetState;

use super::tests::{NOTHING, decide, land, lost, settle};
use super::*;
use crate::placement::testing::{World, machine, text, unit};
use crate::plan::transaction::{Basis, pack};
use crate::registry::document::Assignment;
use crate::registry::key::Key;

#[test]
fn a_newcomer_takes_the_machine_of_the_unit_that_it_replaces() {
    let mut world = World::with_machines("abc");
    world.launch("old.service", "");
    settle(&mut world, &lost(""));
    world.launch("new.service", "Replaces=old.service");

    assert_eq!(
        decide(&world, &lost("")),
        ["[release old.service from a: the machine has new.service, which replaces the unit; \
             place new.service on a]"]
    );
    land(&mut world, &lost(""));
    assert_eq!(world.schedule(), ["a new.service", "a old.service released"]);
    assert_eq!(decide(&world, &lost("")), NOTHING);
    world.obey();
    assert_eq!(decide(&world, &lost("")), ["place old.service on b"]);
    settle(&mut world, &lost(""));
    assert_eq!(world.schedule(), ["a new.service", "b old.service"]);
}

#[test]
fn a_replaced_unit_that_fits_nowhere_else_waits_until_the_other_has_gone() {
    let mut world = World::with_machines("a");
    world.launch("old.service", "");
    settle(&mut world, &lost(""));
    world.launch("new.service", "Replaces=old.service");
    settle(&mut world, &lost(""));
    assert_eq!(world.schedule(), ["a new.service"]);

    world.set("new.service", &text("Replaces=old.service"), TargetState::Inactive);
    settle(&mut world, &lost(""));
    assert_eq!(world.schedule(), ["a old.service"]);
}

#[test]
fn units_that_replace_each_other_conflict_and_the_first_one_stays() {
    let mut world = World::with_machines("a");
    world.launch("one.service", "Replaces=two.service");
    settle(&mut world, &lost(""));
    world.launch("two.service", "Replaces=one.service");

    assert_eq!(decide(&world, &lost("")), NOTHING);
    world.join("b", "");
    settle(&mut world, &lost(""));
    assert_eq!(world.schedule(), ["a one.service", "b two.service"]);
}

#[test]
fn a_circle_of_replaces_settles() {
    let mut world = World::with_machines("a");
    world.launch("one.service", "Replaces=two.service");
    settle(&mut world, &lost(""));
    world.launch("two.service", "Replaces=three.service");
    world.launch("three.service", "Replaces=one.service");

    settle(&mut world, &lost(""));
    assert_eq!(world.schedule(), ["a one.service"]);
}

#[test]
fn followers_leave_with_the_unit_that_is_replaced() {
    let mut world = World::with_machines("ab");
    world.launch("db.service", "");
    world.launch("backup.service", "MachineOf=db.service");
    settle(&mut world, &lost(""));
    world.launch("new.service", "Replaces=db.service");

    settle(&mut world, &lost(""));
    assert_eq!(world.schedule(), ["a new.service", "b backup.service", "b db.service"]);
}

#[test]
fn a_follower_replaces_where_its_group_goes() {
    let mut world = World::with_machines("ab");
    world.launch("cache@1.service", "");
    world.launch("cache@2.service", "");
    world.launch("other.service", "");
    settle(&mut world, &lost(""));
    world.launch("db.service", "");
    world.launch("index.service", "MachineOf=db.service\nReplaces=cache@2.service");

    assert_eq!(
        decide(&world, &lost("")),
        ["[place db.service on b; release cache@2.service from b: the machine has \
             index.service, which replaces the unit; place index.service on b]"]
    );
}

#[test]
fn all_units_that_a_pattern_names_leave_the_one_machine_that_is_taken() {
    let mut world = World::with_machines("ab");
    for number in 1..=4 {
        world.launch(&format!("web@{number}.service"), "");
    }
    settle(&mut world, &lost(""));
    world.launch("new.service", "Replaces=web@*.service");

    settle(&mut world, &lost(""));
    assert_eq!(
        world.schedule(),
        [
            "a new.service",
            "b web@1.service",
            "b web@2.service",
            "b web@3.service",
            "b web@4.service"
        ]
    );
}

#[test]
fn a_global_unit_leaves_the_machine_of_its_replacement_and_returns_after_it() {
    let mut world = World::with_machines("ab");
    world.launch("all.service", "Global=true");
    settle(&mut world, &lost(""));
    world.launch("new.service", "Replaces=all.service");

    settle(&mut world, &lost(""));
    assert_eq!(world.schedule(), ["a new.service", "b all.service"]);
    world.destroy("new.service");
    settle(&mut world, &lost(""));
    assert_eq!(world.schedule(), ["a all.service", "b all.service"]);
}

#[test]
fn a_holder_that_begins_to_replace_its_neighbour_pushes_it_away_at_once() {
    let mut world = World::with_machines("a");
    world.launch("one.service", "");
    world.launch("two.service", "");
    settle(&mut world, &lost(""));
    world.join("b", "");
    world.launch("one.service", "Replaces=two.service");

    assert_eq!(
        decide(&world, &lost("")),
        ["[release two.service from a: the machine has one.service, which replaces the unit; \
             update one.service on a]"]
    );
    settle(&mut world, &lost(""));
    assert_eq!(world.schedule(), ["a one.service", "b two.service"]);
}

#[test]
fn a_unit_from_a_lost_machine_pushes_nobody_away_while_there_is_room() {
    let mut world = World::with_machines("abc");
    world.launch("new.service", "Replaces=old.service");
    world.launch("old.service", "");
    world.launch("other.service", "");
    settle(&mut world, &lost(""));
    assert_eq!(world.schedule(), ["a new.service", "b old.service", "c other.service"]);
    world.vanish("a");

    assert_eq!(decide(&world, &lost("a")), ["move new.service from a to c"]);
    world.vanish("c");
    assert_eq!(
        decide(&world, &lost("ac")),
        [
            "[release old.service from b: the machine has new.service, which replaces the unit; \
             move new.service from a to b]",
            "move other.service from c to b",
        ]
    );
}

#[test]
fn nobody_pushes_away_what_is_placed_in_the_same_round() {
    let mut world = World::with_machines("ab");
    world.launch("old.service", "");
    world.launch("new.service", "Replaces=old.service");

    assert_eq!(decide(&world, &lost("")), ["place old.service on a", "place new.service on b"]);
}

#[test]
fn a_unit_and_what_it_replaces_change_in_one_transaction() {
    let mut world = World::with_machines("");
    world.join("a", "role=web");
    world.join("b", "");
    world.launch("old.service", "MachineMetadata=role=web");
    settle(&mut world, &lost(""));
    // Pairs come last: the transaction before them is nearly full.
    for number in 0..21 {
        world.launch(&format!("fill@{number:02}.service"), "");
    }
    world.launch("new.service", "Replaces=old.service");
    let mirror = world.mirror();
    let cluster = world.cluster();
    let prefix = world.prefix.clone();
    let leadership = mirror.leader.as_ref().unwrap().created;
    let basis = Basis { prefix: &prefix, mirror: &mirror, cluster: &cluster, leadership };

    let packets = pack(&basis, &plan(&cluster, &lost("")));

    let pair = ["old.service", "new.service"].map(unit);
    let homes = packets.iter().map(|packet| {
        packet.decisions.iter().filter(|decision| pair.contains(decision.unit())).count()
    });
    assert_eq!(homes.collect::<Vec<_>>(), [0, 2]);
}

#[test]
fn a_replacement_whose_victim_changes_under_way_does_not_land() {
    let mut world = World::with_machines("ab");
    world.launch("old.service", "");
    settle(&mut world, &lost(""));
    world.launch("new.service", "Replaces=old.service");
    let mirror = world.mirror();
    let cluster = world.cluster();
    let prefix = world.prefix.clone();
    let leadership = mirror.leader.as_ref().unwrap().created;
    let basis = Basis { prefix: &prefix, mirror: &mirror, cluster: &cluster, leadership };
    let [packet] = pack(&basis, &plan(&cluster, &lost(""))).try_into().unwrap();
    world.launch("new.service", "");

    world.commit(packet.transaction);

    let held: Assignment = world.read(&Key::Schedule(machine("a"), unit("old.service"))).unwrap();
    assert_eq!(held.phase, Phase::Held);
    assert_eq!(world.schedule(), ["a old.service"]);
}
