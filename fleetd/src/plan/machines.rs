//! Machines that go, come back, or are to take nothing more.

use fleet_units::TargetState;

use super::tests::{NOTHING, decide, land, lost, settle};
use super::*;
use crate::placement::testing::{World, machine, text, unit};
use crate::registry::document::Standing;
use crate::registry::key::Key;

#[test]
fn a_lost_machine_gives_its_units_away_and_keeps_what_fits_nowhere_else() {
    let mut world = World::with_machines("ab");
    world.launch("all.service", "Global=true");
    world.launch("pinned.service", "MachineID=a");
    world.launch("web.service", "");
    settle(&mut world, &lost(""));
    world.launch("web.service", "# moved with its new text");
    let before = world.schedule();
    world.vanish("a");

    assert_eq!(before, ["a all.service", "a pinned.service", "b all.service", "b web.service"]);
    world.join("a", "");
    world.vanish("b");
    assert_eq!(decide(&world, &lost("")), NOTHING);
    assert_eq!(decide(&world, &lost("b")), ["move web.service from b to a"]);
    settle(&mut world, &lost("b"));
    assert_eq!(
        world.schedule(),
        [
            "a all.service",
            "a pinned.service",
            "a web.service",
            "b all.service",
            "b web.service released",
        ]
    );

    world.vanish("a");
    world.appear("b", "");
    world.obey();
    assert_eq!(decide(&world, &lost("a")), ["move web.service from a to b"]);
}

#[test]
fn nothing_moves_back_to_a_machine_that_returns() {
    let mut world = World::with_machines("ab");
    world.launch("web.service", "");
    settle(&mut world, &lost(""));
    world.vanish("a");
    settle(&mut world, &lost("a"));
    world.appear("a", "");

    assert_eq!(decide(&world, &lost("")), NOTHING);
    settle(&mut world, &lost(""));
    assert_eq!(world.schedule(), ["b web.service"]);
}

#[test]
fn unwanted_units_of_an_absent_machine_are_released_at_once() {
    let mut world = World::with_machines("ab");
    world.launch("one.service", "");
    world.launch("two.service", "MachineID=a");
    settle(&mut world, &lost(""));
    world.vanish("a");
    world.destroy("one.service");
    world.destroy("two.service");
    world.launch("two.service", "");

    assert_eq!(
        decide(&world, &lost("")),
        [
            "release one.service from a: destroyed",
            "release two.service from a: destroyed and created anew",
        ]
    );
    land(&mut world, &lost("a"));
    assert_eq!(decide(&world, &lost("")), NOTHING);
    assert_eq!(decide(&world, &lost("a")), ["place two.service on b"]);
}

#[test]
fn a_hold_stops_moves_and_nothing_else() {
    let mut world = World::with_machines("ab");
    world.launch("web.service", "");
    world.launch("db.service", "");
    settle(&mut world, &lost(""));
    world.vanish("a");
    world.set("db.service", &text(""), TargetState::Loaded);
    world.launch("new.service", "");

    let hold = Outlook { is_on_hold: true, ..lost("a") };
    assert_eq!(decide(&world, &hold), ["update db.service on b", "place new.service on b"]);
}

#[test]
fn a_leaving_machine_gets_nothing_and_what_it_stopped_runs_elsewhere() {
    let mut world = World::with_machines("ab");
    world.launch("one.service", "");
    world.launch("two.service", "");
    world.launch("three.service", "");
    world.launch("all.service", "Global=true");
    settle(&mut world, &lost(""));
    world.stand("a", Standing::Leaving);
    world.set("three.service", &text(""), TargetState::Loaded);
    world.delete(&Key::Schedule(machine("a"), unit("one.service")));
    world.delete(&Key::Schedule(machine("a"), unit("all.service")));

    assert_eq!(decide(&world, &lost("")), ["place one.service on b"]);
    settle(&mut world, &lost(""));
    assert_eq!(
        world.schedule(),
        ["a three.service", "b all.service", "b one.service", "b two.service"]
    );

    world.vanish("a");
    world.stand("a", Standing::Left);
    assert_eq!(decide(&world, &lost("")), ["move three.service from a to b"]);
}

#[test]
fn a_cordoned_machine_keeps_and_updates_what_it_has() {
    let mut world = World::with_machines("a");
    world.launch("web.service", "");
    settle(&mut world, &lost(""));
    world.stand("a", Standing::Cordoned);
    world.set("web.service", &text(""), TargetState::Loaded);
    world.launch("new.service", "");
    world.launch("all.service", "Global=true");

    assert_eq!(decide(&world, &lost("")), ["update web.service on a"]);
}
