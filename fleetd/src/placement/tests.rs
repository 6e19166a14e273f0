use fleet_units::TargetState;

use super::obstacle::PeerProblem;
use super::testing::{World, machine, unit};
use super::*;
use crate::registry::document::{Phase, Standing};
use crate::registry::key::Key;

/// The reason on each machine that cannot take the unit, as people see it.
fn reasons(world: &World, name: &str) -> Vec<String> {
    let obstacles = explain(&world.cluster(), &unit(name));
    obstacles.iter().map(|(machine, obstacle)| format!("{machine} {obstacle}")).collect()
}

#[test]
fn a_unit_without_directives_fits_everywhere() {
    let mut world = World::with_machines("ab");
    world.launch("web.service", "");

    assert_eq!(reasons(&world, "web.service"), Vec::<String>::new());
}

#[test]
fn machine_id_admits_one_machine_by_its_whole_or_short_id() {
    let mut world = World::with_machines("");
    world.join("0123456789abcdef", "");
    world.join("fedcba9876543210", "");
    world.launch("short.service", "MachineID=01234567");
    world.launch("whole.service", "MachineID=fedcba9876543210");

    assert_eq!(reasons(&world, "short.service"), ["fedcba9876543210 is not machine 01234567"]);
    assert_eq!(
        reasons(&world, "whole.service"),
        ["0123456789abcdef is not machine fedcba9876543210"]
    );
}

#[test]
fn metadata_needs_each_key_and_one_of_its_values() {
    let mut world = World::with_machines("a");
    world.join("b", "role=db disk=ssd");
    world.join("c", "role=web disk=hdd");
    world.launch(
        "web.service",
        "MachineMetadata=role=web\nMachineMetadata=role=db\nMachineMetadata=disk=ssd",
    );

    assert_eq!(
        reasons(&world, "web.service"),
        [
            "a metadata disk=ssd is wanted, the machine has no disk",
            "c metadata disk=ssd is wanted, the machine has disk=hdd",
        ]
    );
}

#[test]
fn metadata_set_at_run_time_hides_configured_metadata() {
    let mut world = World::with_machines("");
    world.join("a", "role=web");
    world.join("b", "role=db");
    world.overlay("a", &[("role", "")]);
    world.overlay("b", &[("role", "web")]);
    world.launch("web.service", "MachineMetadata=role=web");

    assert_eq!(
        reasons(&world, "web.service"),
        ["a metadata role=web is wanted, the machine has no role"]
    );
}

#[test]
fn conflicts_keep_away_whoever_declares_them() {
    let mut world = World::with_machines("abc");
    world.launch("web@1.service", "Conflicts=web@*.service");
    world.launch("web@2.service", "Conflicts=web@*.service");
    world.launch("shy.service", "Conflicts=loud.service other.service");
    world.launch("loud.service", "");
    world.hold("a", "web@1.service");
    world.hold("b", "shy.service");
    world.hold("c", "loud.service");

    assert_eq!(reasons(&world, "web@1.service"), Vec::<String>::new());
    assert_eq!(reasons(&world, "web@2.service"), ["a conflicts with web@1.service there"]);
    assert_eq!(reasons(&world, "loud.service"), ["b conflicts with shy.service there"]);
    assert_eq!(reasons(&world, "shy.service"), ["c conflicts with loud.service there"]);
}

#[test]
fn machine_of_says_where_the_other_unit_is_instead() {
    let mut world = World::with_machines("ab");
    world.launch("db.service", "");
    world.hold("a", "db.service");
    world.launch("pending.service", "");
    world.set("idle.service", "", TargetState::Inactive);
    for peer in ["db", "pending", "idle", "none"] {
        world.launch(&format!("of-{peer}.service"), &format!("MachineOf={peer}.service"));
    }
    world.launch("of-nothing.service", "MachineOf=no name");

    assert_eq!(
        reasons(&world, "of-db.service"),
        ["b MachineOf=db.service runs on another machine"]
    );
    assert_eq!(
        ["of-pending.service", "of-idle.service", "of-none.service", "of-nothing.service"]
            .map(|name| reasons(&world, name)[0].clone()),
        [
            "a MachineOf=pending.service is not placed",
            "a MachineOf=idle.service is inactive: load or start it",
            "a MachineOf=none.service does not exist",
            "a MachineOf=no name does not exist",
        ]
    );
}

#[test]
fn a_circle_of_machine_of_is_named_as_such() {
    let mut world = World::with_machines("a");
    world.launch("a.service", "MachineOf=b.service");
    world.launch("b.service", "MachineOf=c.service");
    world.launch("c.service", "MachineOf=b.service");
    world.launch("self.service", "MachineOf=self.service");

    assert_eq!(
        ["a.service", "b.service", "c.service", "self.service"]
            .map(|name| reasons(&world, name)[0].clone()),
        [
            "a MachineOf=b.service is not placed",
            "a MachineOf leads in a circle: b.service c.service",
            "a MachineOf leads in a circle: c.service b.service",
            "a MachineOf leads in a circle: self.service",
        ]
    );
}

#[test]
fn standing_decides_whether_a_machine_takes_units() {
    let mut world = World::with_machines("abcdefgh");
    world.stand("b", Standing::Cordoned);
    world.stand("c", Standing::Draining);
    world.stand("d", Standing::Leaving);
    world.vanish("e");
    world.stand("f", Standing::Left);
    world.vanish("f");
    world.stand("g", Standing::Left);
    world.put_raw(&Key::Machine(machine("h")), b"no document".to_vec());
    world.launch("web.service", "");

    assert_eq!(
        reasons(&world, "web.service"),
        [
            "b is cordoned",
            "c is being drained",
            "d is leaving",
            "e is not there",
            "g is leaving",
            "h has stored documents that cannot be read",
        ]
    );
}

#[test]
fn a_unit_waits_until_it_is_stopped_where_it_was() {
    let mut world = World::with_machines("ab");
    world.launch("web.service", "");
    world.assign("a", "web.service", Phase::Released);
    world.launch("all.service", "Global=true");
    world.assign("a", "all.service", Phase::Released);

    let waits = |machine| format!("{machine} waits: the unit is still being stopped on machine a");
    assert_eq!(reasons(&world, "web.service"), [waits("a"), waits("b")]);
    assert_eq!(reasons(&world, "all.service"), [waits("a")]);
}

#[test]
fn a_unit_with_garbage_among_its_documents_stays_as_it_is() {
    let mut world = World::with_machines("a");
    world.launch("web.service", "");
    world.put_raw(&Key::Placed(unit("web.service")), b"{}".to_vec());

    assert_eq!(
        reasons(&world, "web.service"),
        ["a waits: the unit's stored documents cannot be read"]
    );
}

#[test]
fn only_obstacles_that_another_unit_makes_may_pass() {
    let peer = "db.service".to_owned();
    let passing = [
        Obstacle::Conflict { with: unit("db.service") },
        Obstacle::MachineOf { peer, problem: PeerProblem::Unknown },
        Obstacle::Stopping { on: machine("a") },
        Obstacle::Replaced { by: unit("db.service") },
        Obstacle::Rival { with: unit("db.service") },
        Obstacle::Immovable { unit: unit("db.service") },
    ];
    let lasting = [
        Obstacle::Template,
        Obstacle::Absent,
        Obstacle::Cordoned,
        Obstacle::Cycle(vec![]),
        Obstacle::MachineId { wanted: "a".to_owned() },
        Obstacle::Outdated { needed: 2 },
    ];

    assert_eq!(passing.map(|obstacle| obstacle.is_lasting()), [false; 6]);
    assert_eq!(lasting.map(|obstacle| obstacle.is_lasting()), [true; 6]);
}

#[test]
fn a_unit_may_go_where_it_replaces_another_and_the_other_may_not_come_back() {
    let mut world = World::with_machines("ab");
    world.launch("old.service", "");
    world.hold("a", "old.service");
    world.launch("new.service", "Replaces=old.service");

    assert_eq!(reasons(&world, "new.service"), Vec::<String>::new());
    world.hold("b", "new.service");
    assert_eq!(reasons(&world, "old.service"), ["b has new.service, which replaces the unit"]);
}

#[test]
fn nobody_pushes_away_what_would_push_it_away_in_return() {
    let mut world = World::with_machines("a");
    world.launch("one.service", "Replaces=two.service");
    world.launch("two.service", "Replaces=one.service");
    world.launch("three.service", "Replaces=three-child.service");
    world.launch("three-child.service", "MachineOf=base.service\nReplaces=four.service");
    world.launch("base.service", "");
    world.launch("four.service", "Replaces=base.service");
    for name in ["one.service", "base.service"] {
        world.hold("a", name);
    }

    assert_eq!(
        ["two.service", "four.service", "three.service"].map(|name| reasons(&world, name)),
        [
            vec!["a has one.service: each replaces the other, so neither gives way".to_owned()],
            vec!["a has base.service: each replaces the other, so neither gives way".to_owned()],
            vec![],
        ]
    );
}

#[test]
fn a_unit_whose_documents_cannot_be_read_gives_no_way() {
    let mut world = World::with_machines("a");
    world.launch("old.service", "");
    world.hold("a", "old.service");
    world.put_raw(&Key::Placed(unit("old.service")), b"{}".to_vec());
    world.launch("new.service", "Replaces=old.service");

    assert_eq!(
        reasons(&world, "new.service"),
        ["a has old.service, which stays: its stored documents cannot be read"]
    );
}

/// The machines of a board as it offers them.
fn order(board: &Board) -> String {
    board.candidates(&Wanted::new(), None).map(|(_, id)| id.as_str()).collect()
}

#[test]
fn an_undone_board_is_what_it_was() {
    let machines = ["a", "b"].map(machine);
    let mut board = Board::new(World::with_machines("ab").cluster().machines.values());
    let rules = |name: &str, text: &str| std::sync::Arc::new(Rules::of(&unit(name), text));
    let one = rules("1.service", "[X-Fleet]\nConflicts=2.service\n");
    let other = rules("1.service", "");
    board.put(&one, &machines[0]);

    let mark = board.mark();
    board.put(&other, &machines[1]);
    board.put(&rules("2.service", ""), &machines[0]);
    board.remove(&unit("1.service"), &machines[1]);
    board.undo(mark);

    let second = rules("2.service", "");
    let tenants = board.tenants(&machines[0]).unwrap();
    assert_eq!(tenants.conflicting(&second).collect::<Vec<_>>(), [&unit("1.service")]);
    assert_eq!(board.place_of(&unit("1.service")), Some(&machines[0]));
    assert_eq!(order(&board), "ba");
    assert!(!board.holds(&machines[1], &unit("1.service")));
}

#[test]
fn the_board_offers_the_least_loaded_machine_first() {
    let machines = ["a", "b", "c"].map(machine);
    let mut board = Board::new(World::with_machines("abc").cluster().machines.values());
    let rules = |name: &str| std::sync::Arc::new(Rules::none(unit(name)));
    board.put(&rules("1.service"), &machines[0]);
    board.put(&rules("2.service"), &machines[0]);
    board.put(&rules("3.service"), &machines[1]);

    assert_eq!(order(&board), "cba");
    board.put(&rules("1.service"), &machines[2]);
    assert_eq!(order(&board), "abc");
    board.remove(&unit("3.service"), &machines[1]);
    assert_eq!(order(&board), "bac");
    assert_eq!(board.place_of(&unit("1.service")), Some(&machines[2]));
}

#[test]
fn the_board_offers_by_metadata_what_may_suit() {
    let mut world = World::with_machines("a");
    world.join("b", "role=web disk=ssd");
    world.join("c", "role=db disk=ssd");
    world.join("d", "role=db");
    world.join("e", "role=cache");
    let mut board = Board::new(world.cluster().machines.values());
    let rules = std::sync::Arc::new(Rules::none(unit("1.service")));
    board.put(&rules, &machine("b"));
    let offers = |board: &Board, wanted: &[(&str, &[&str])], beyond: Option<&Ranked>| {
        let set = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
        let wanted =
            wanted.iter().map(|(key, values)| ((*key).to_owned(), set(values))).collect::<Wanted>();
        board.candidates(&wanted, beyond).map(|(_, id)| id.as_str()).collect::<String>()
    };

    assert_eq!(offers(&board, &[("role", &["web", "db"])], None), "cdb");
    assert_eq!(offers(&board, &[("role", &["web", "db"])], Some(&(0, machine("c")))), "db");
    assert_eq!(offers(&board, &[("role", &["db", "web"]), ("disk", &["ssd"])], None), "cb");
    assert_eq!(offers(&board, &[("role", &["none"])], None), "");
    board.withdraw(&machine("c"));
    board.remove(&unit("1.service"), &machine("b"));
    assert_eq!(offers(&board, &[("role", &["db", "web"])], None), "bd");
}
