//! What `MachineOf=` does: units that go together, stay together and wait for each other.

use fleet_units::TargetState;

use super::tests::{NOTHING, decide, land, lost, settle};
use crate::placement::testing::{World, text};

#[test]
fn a_chain_of_machine_of_is_settled_in_one_round() {
    let mut world = World::with_machines("ab");
    world.launch("1.service", "MachineOf=2.service");
    world.launch("2.service", "MachineOf=3.service");
    world.launch("3.service", "MachineOf=4.service");
    world.launch("4.service", "");
    world.launch("other.service", "");

    land(&mut world, &lost(""));
    assert_eq!(
        world.schedule(),
        ["a 1.service", "a 2.service", "a 3.service", "a 4.service", "b other.service"]
    );
}

#[test]
fn machine_of_places_pairs_together_and_moves_them_together() {
    let mut world = World::with_machines("abc");
    for number in 1..=3 {
        let (ping, pong) = (format!("ping@{number}.service"), format!("pong@{number}.service"));
        world.launch(&ping, &format!("MachineOf={pong}"));
        world.launch(&pong, "");
    }

    assert_eq!(
        decide(&world, &lost("")),
        [
            "[place pong@1.service on a; place ping@1.service on a]",
            "[place pong@2.service on b; place ping@2.service on b]",
            "[place pong@3.service on c; place ping@3.service on c]",
        ]
    );
    settle(&mut world, &lost(""));
    world.vanish("b");
    assert_eq!(
        decide(&world, &lost("b")),
        ["[move pong@2.service from b to a; move ping@2.service from b to a]"]
    );
}

#[test]
fn a_group_goes_where_all_of_it_fits() {
    let mut world = World::with_machines("ab");
    world.join("c", "disk=ssd");
    world.launch("db.service", "");
    world.launch("backup.service", "MachineOf=db.service\nMachineMetadata=disk=ssd");

    assert_eq!(decide(&world, &lost("")), ["[place db.service on c; place backup.service on c]"]);
}

#[test]
fn a_follower_that_fits_nowhere_does_not_keep_the_others_from_running() {
    let mut world = World::with_machines("ab");
    world.launch("db.service", "");
    world.launch("picky.service", "MachineOf=db.service\nMachineMetadata=disk=ssd");
    world.launch("backup.service", "MachineOf=db.service");

    assert_eq!(decide(&world, &lost("")), ["[place db.service on a; place backup.service on a]"]);
}

#[test]
fn a_follower_goes_when_the_unit_that_it_follows_is_inactive() {
    let mut world = World::with_machines("ab");
    world.launch("db.service", "");
    world.launch("backup.service", "MachineOf=db.service");
    world.launch("report.service", "MachineOf=backup.service");
    settle(&mut world, &lost(""));
    world.set("db.service", &text(""), TargetState::Inactive);

    settle(&mut world, &lost(""));
    assert_eq!(world.schedule(), NOTHING);
    world.set("db.service", &text(""), TargetState::Loaded);
    assert_eq!(
        decide(&world, &lost("")),
        ["[place db.service on a; place backup.service on a; place report.service on a]"]
    );
}
