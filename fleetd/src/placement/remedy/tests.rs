use fleet_units::TargetState;
use proptest::prelude::*;

use super::*;
use crate::placement::testing::{World, machine, text, unit};
use crate::registry::document::{Standing, Unit};
use crate::registry::key::Key;

/// The nearest change for a unit, in few words.
fn proposed(world: &World, name: &str) -> String {
    let word = |change: &Remedy| match change {
        Remedy::SetMetadata { machine, key, value, has } => {
            let instead = has.as_ref().map_or(String::new(), |has| format!(" instead of {has}"));
            format!("set {key}={value}{instead} on {machine}")
        }
        Remedy::Open(machine) => format!("open {machine}"),
        Remedy::Start(unit) => format!("start {unit}"),
        Remedy::Unload(unit) => format!("unload {unit}"),
        Remedy::Upgrade(machine) => format!("upgrade {machine}"),
        Remedy::AddMachine { id, metadata } => {
            format!("add {} with {metadata:?}", id.as_deref().unwrap_or("any"))
        }
    };
    match nearest(&world.cluster(), &unit(name)) {
        Some(changes) => changes.iter().map(word).collect::<Vec<_>>().join(", "),
        None => "nothing would do".to_owned(),
    }
}

#[test]
fn the_change_that_takes_least_is_proposed() {
    let mut world = World::with_machines("");
    world.join("a", "role=db");
    world.join("b", "");
    world.launch("web@1.service", "");
    world.hold("b", "web@1.service");
    world.set("idle.service", &text("MachineMetadata=disk=ssd"), TargetState::Inactive);
    world.launch("placed.service", "");
    world.hold("b", "placed.service");
    let cases = [
        ("MachineMetadata=role=web", "set role=web on b"),
        ("MachineMetadata=role=web\nMachineID=a", "set role=web instead of db on a"),
        ("MachineMetadata=role=web\nConflicts=web@*", "set role=web instead of db on a"),
        ("MachineOf=idle.service", "set disk=ssd on a, start idle.service"),
        ("MachineOf=none.service", "start none.service"),
        ("MachineOf=placed.service\nConflicts=web@*", "unload web@1.service"),
        ("MachineOf=placed.service\nConflicts=placed.service", "nothing would do"),
        ("MachineOf=placed.service\nMachineID=a", "nothing would do"),
        ("MachineID=c\nMachineMetadata=disk=ssd", r#"add c with {"disk": "ssd"}"#),
        ("MachineOf=new.service", "nothing would do"),
        ("", ""),
    ];
    for (directives, expected) in cases {
        world.launch("new.service", directives);
        assert_eq!(proposed(&world, "new.service"), expected, "{directives}");
    }
}

#[test]
fn a_closed_machine_is_opened_before_units_are_stopped_and_those_before_machines_are_bought() {
    let mut world = World::with_machines("ab");
    for (id, name) in [("a", "one.service"), ("b", "two.service")] {
        world.launch(name, "");
        world.hold(id, name);
    }
    world.launch("new.service", "Conflicts=one.service two.service");
    assert_eq!(proposed(&world, "new.service"), "unload one.service");
    world.join("c", "");
    world.stand("c", Standing::Cordoned);
    assert_eq!(proposed(&world, "new.service"), "open c");
    for id in ["a", "b", "c"] {
        world.vanish(id);
    }
    assert_eq!(proposed(&world, "new.service"), "add any with {}");
}

const MACHINES: [&str; 3] = ["a", "b", "c"];
const UNITS: [&str; 6] =
    ["u1.service", "u2.service", "u3.service", "w@1.service", "w@2.service", "u4.service"];
const DIRECTIVES: [&str; 15] = [
    "",
    "Conflicts=w@*.service",
    "Conflicts=u1.service",
    "Conflicts=u*.service",
    "MachineOf=u1.service",
    "MachineOf=u2.service",
    "MachineOf=u1.service u2.service",
    "MachineOf=nobody.service",
    "MachineMetadata=role=web",
    "MachineMetadata=role=db\nMachineMetadata=role=web",
    "MachineMetadata=disk=ssd\nMachineOf=u3.service",
    "MachineID=b",
    "Replaces=u1.service",
    "Replaces=w@*.service",
    "Global=true",
];
const METADATA: [&str; 4] = ["", "role=web", "role=db", "role=web disk=ssd"];

#[derive(Clone, Debug)]
struct Sketch {
    machines: Vec<(usize, u8)>,
    /// Directives, target, and the machine that holds it.
    units: Vec<(usize, bool, Option<usize>)>,
}

fn sketch() -> impl Strategy<Value = Sketch> {
    let machines = prop::collection::vec((0..METADATA.len(), 0..4_u8), MACHINES.len());
    let held = prop::option::of(0..MACHINES.len());
    let unit = (0..DIRECTIVES.len(), prop::bool::weighted(0.8), held);
    let units = prop::collection::vec(unit, UNITS.len());
    (machines, units).prop_map(|(machines, units)| Sketch { machines, units })
}

fn drawn(sketch: &Sketch) -> World {
    let mut world = World::with_machines("");
    for (id, (metadata, standing)) in MACHINES.iter().zip(&sketch.machines) {
        world.join(id, METADATA[*metadata]);
        match standing {
            0 => world.stand(id, Standing::Cordoned),
            1 => world.vanish(id),
            _ => {}
        }
    }
    for (name, (directives, wanted, held)) in UNITS.iter().zip(&sketch.units) {
        let target = if *wanted { TargetState::Launched } else { TargetState::Inactive };
        world.set(name, &text(DIRECTIVES[*directives]), target);
        if let (Some(held), true) = (held, *wanted) {
            world.hold(MACHINES[*held], name);
        }
    }
    world
}

/// Does what is proposed, as a person, the engine and the agents would.
fn carry_out(world: &mut World, on: &MachineId, changes: &Proposal) {
    let mut overlay: Vec<(&str, &str)> = Vec::new();
    for change in changes {
        match change {
            Remedy::SetMetadata { machine, key, value, .. } => {
                assert_eq!(machine, on);
                overlay.push((key, value));
            }
            Remedy::Open(machine) => world.stand(machine.as_str(), Standing::Joined),
            Remedy::Start(name) => {
                let stored: Option<Unit> = world.read(&Key::Unit(name.clone()));
                let text = stored.map_or_else(String::new, |unit| unit.text);
                world.set(name.as_str(), &text, TargetState::Launched);
            }
            Remedy::Unload(name) => {
                let stored: Unit = world.read(&Key::Unit(name.clone())).unwrap();
                world.set(name.as_str(), &stored.text, TargetState::Inactive);
                world.delete(&Key::Placed(name.clone()));
                for id in MACHINES {
                    world.delete(&Key::Schedule(machine(id), name.clone()));
                }
            }
            Remedy::Upgrade(_) => panic!("all machines are of today"),
            Remedy::AddMachine { metadata, .. } => {
                world.join(on.as_str(), "");
                overlay.extend(metadata.iter().map(|(key, value)| (&**key, &**value)));
            }
        }
    }
    if !overlay.is_empty() {
        world.overlay(on.as_str(), &overlay);
    }
}

/// Units that come to a machine together with one, since it needs them. What a unit needs that was
/// there before is not asked.
fn joining(cluster: &Cluster, on: &MachineId, name: &UnitName) -> BTreeSet<UnitName> {
    let mut joining = BTreeSet::new();
    let mut next = vec![name.clone()];
    while let Some(name) = next.pop() {
        let record = cluster.units[&name].record.as_ref().unwrap();
        let missing = record.rules.peers.iter().filter(|peer| !cluster.board.holds(on, peer));
        next.extend(missing.filter(|peer| joining.insert((*peer).clone())).cloned());
    }
    joining
}

proptest! {
    #[test]
    fn what_is_proposed_makes_the_unit_eligible(sketch in sketch()) {
        for name in UNITS.map(unit) {
            let mut world = drawn(&sketch);
            let cluster = world.cluster();
            let held = cluster.board.place_of(&name).is_some();
            let is_wanted = cluster.units[&name].record.as_ref().unwrap().is_wanted();
            let Some((on, changes)) = proposal(&cluster, &name) else { continue };
            if held || !is_wanted {
                continue;
            }
            carry_out(&mut world, &on, &changes);
            let joined = joining(&world.cluster(), &on, &name);
            for peer in &joined {
                world.hold(on.as_str(), peer.as_str());
            }

            let cluster = world.cluster();
            let neighbours = Neighbours { cluster: &cluster, board: &cluster.board };
            for unit in joined.iter().chain([&name]) {
                let rules = &cluster.units[unit].record.as_ref().unwrap().rules;
                let judged = eligible(rules, &cluster.machines[&on], &neighbours);
                prop_assert!(judged.is_ok(), "{unit} on {on}: {judged:?} {changes:?}");
            }
        }
    }

    #[test]
    fn a_machine_with_no_obstacle_is_eligible_and_the_first_obstacle_is_the_one_that_counts(
        sketch in sketch(),
    ) {
        let cluster = drawn(&sketch).cluster();
        let neighbours = Neighbours { cluster: &cluster, board: &cluster.board };
        for machine in cluster.machines.values() {
            for unit in cluster.units.values() {
                let rules = &unit.record.as_ref().unwrap().rules;
                let parts = [
                    eligible(rules, machine, &neighbours).is_ok(),
                    crate::placement::matches(rules, machine).is_ok()
                        && crate::placement::has_peers(rules, machine, &neighbours).is_ok()
                        && crate::placement::has_no_conflict(rules, machine, &neighbours).is_ok()
                        && crate::placement::is_not_replaced(rules, machine, &neighbours).is_ok()
                        && machine.availability == Availability::Open,
                ];
                prop_assert_eq!(parts[0], parts[1]);
            }
        }
    }
}
