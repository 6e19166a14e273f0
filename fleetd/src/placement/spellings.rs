//! All spellings of the directives, from the text of a unit to the machines that may take it.

use fleet_units::MachineId;

use super::testing::{World, unit};
use super::*;

/// The machines of a small cluster that may take a unit with such directives.
fn admitted(section: &str) -> String {
    let mut world = World::with_machines("");
    world.join("a", "role=web disk=ssd");
    world.join("b", "role=db disk=ssd");
    world.join("c", "role=db");
    for (machine, name) in [("a", "web@1.service"), ("b", "db.service"), ("c", "web@2.service")] {
        world.launch(name, "");
        world.hold(machine, name);
    }
    world.launch("new@b.service", section);
    let cluster = world.cluster();
    let obstacles = explain(&cluster, &unit("new@b.service"));
    let machines = cluster.machines.keys().filter(|id| !obstacles.contains_key(*id));
    machines.map(MachineId::as_str).collect::<Vec<_>>().join(" ")
}

#[test]
fn every_spelling_of_1_0_is_honoured_and_no_other() {
    for (section, expected) in [
        ("", "a b c"),
        ("MachineID=a", "a"),
        ("X-ConditionMachineID=a", "a"),
        ("X-ConditionMachineBootID=a", "a"),
        ("MachineID=%i", "b"),
        ("MachineID=\"c\" \"a\"", "c"),
        ("X-ConditionMachineBootID=a\nX-ConditionMachineID=b\nMachineID=c", "c"),
        ("X-ConditionMachineBootID=a\nX-ConditionMachineID=b", "b"),
        ("X-ConditionMachineId=a", "a b c"),
        ("MachineId=a", "a b c"),
        ("MachineOf=db.service", "b"),
        ("X-ConditionMachineOf=db.service", "b"),
        ("MachineOf=\"db.service\" \"web@1.service\"", ""),
        ("MachineOf=db.service\nX-ConditionMachineOf=web@1.service", ""),
        ("X-MachineOf=db.service", "a b c"),
        ("Machineof=db.service", "a b c"),
        ("X-Peers=db.service", "a b c"),
        ("Conflicts=web@*.service", "b"),
        ("X-Conflicts=web@*.service", "b"),
        ("X-Conflicts=db.service\nConflicts=web@?.service", ""),
        ("Conflicts=db.service web@[12].service", ""),
        ("Conflicts=\"db.service\" \"web@1.service\"", "c"),
        ("Conflicts=new@*.service", "a b c"),
        ("X-ConditionConflicts=web@*.service", "a b c"),
        ("MachineMetadata=role=db", "b c"),
        ("X-ConditionMachineMetadata=role=db", "b c"),
        ("X-ConditionMachineMetadata=role=db\nMachineMetadata=role=web", "a b c"),
        ("X-ConditionMachineMetadata=role=db\nMachineMetadata=disk=ssd", "b"),
        ("MachineMetadata=\"role=db\" \"disk=ssd\"", "b"),
        ("MachineMetadata=disk=ssd\nMachineMetadata=ignored=", "a b"),
        ("X-MachineMetadata=role=db", "a b c"),
        ("X-ConditionMetadata=role=db", "a b c"),
        ("Global=true\nMachineMetadata=role=db", "b c"),
        ("MachineID=b\nMachineMetadata=role=web", ""),
    ] {
        assert_eq!(admitted(section), expected, "{section}");
    }
}

#[test]
fn only_global_makes_a_unit_global_and_its_last_word_counts() {
    for (section, expected) in [
        ("Global=Yes", true),
        ("Global=t", true),
        ("Global=false\nGlobal=on", true),
        ("Global=true\nGlobal=0", false),
        ("Global=12", false),
        ("X-Global=true", false),
        ("global=true", false),
        ("X-ConditionGlobal=true", false),
    ] {
        let mut world = World::with_machines("a");
        world.launch("all.service", section);
        let cluster = world.cluster();
        let record = cluster.units[&unit("all.service")].record.as_ref().unwrap();
        assert_eq!(record.rules.is_global(), expected, "{section}");
    }
}
