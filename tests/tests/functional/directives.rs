//! What `[X-Fleet]` says, in all its spellings, and what it must not say.

use serde_json::json;

use crate::fixture::{Fleet, sleeper};
use crate::http::send;

#[test]
fn legacy_spellings_place_units_as_the_modern_ones_do() {
    let fleet = Fleet::of(3);
    fleet.tell_hostnames();
    let ids: Vec<_> = fleet.hosts().iter().map(|host| host.machine_id().unwrap()).collect();
    let names: Vec<_> = fleet.hosts().iter().map(|host| host.name().to_owned()).collect();
    // Each unit is sent to a machine that has more units already than another one.
    let units = [
        ("a-boot", format!("X-ConditionMachineBootID={}", ids[2]), 2),
        ("b-id", format!("X-ConditionMachineID={}", &ids[2][..8]), 2),
        ("c-both", format!("X-ConditionMachineID={}\nMachineID={}", ids[0], ids[2]), 2),
        ("d-metadata", format!("X-ConditionMachineMetadata=hostname={}", names[2]), 2),
        ("e-near", "X-ConditionMachineOf=d-metadata.service".to_owned(), 2),
        ("f-fill", format!("MachineID={}", ids[1]), 1),
        ("g-fill", format!("MachineID={}", ids[1]), 1),
        ("h-fill", format!("MachineID={}", ids[0]), 0),
        ("i-far", "X-Conflicts=h-fill.service a-boot.service".to_owned(), 1),
    ];

    for (position, (unit, directives, expected)) in units.iter().enumerate() {
        let unit = format!("{unit}.service");
        let path = fleet.write(&unit, &sleeper(directives));
        fleet.fleetctl(&["start", &path]).good();
        let active = fleet.await_active(position + 1);
        assert_eq!(active[&unit], ids[*expected], "{unit}: {directives}");
    }
}

#[test]
fn directives_that_cannot_go_together_are_refused_with_a_sentence() {
    let fleet = Fleet::of(1);
    let id = fleet.host(1).machine_id().unwrap();
    let (pin, peer) = (format!("MachineID={id}"), "MachineOf=a.service".to_owned());
    let conflict = "Conflicts=b@*.service".to_owned();
    let (global, replace) = ("Global=true".to_owned(), "Replaces=c.service".to_owned());
    let cases = [
        (&pin, &peer, "MachineID cannot be used with Peers"),
        (&pin, &conflict, "MachineID cannot be used with Conflicts"),
        (&pin, &global, "MachineID cannot be used with Global"),
        (&pin, &replace, "MachineID cannot be used with Replaces"),
        (&global, &peer, "Global cannot be used with Peers"),
        (&global, &replace, "Global cannot be used with Replaces"),
        (&conflict, &replace, "Conflicts cannot be used with Replaces"),
        (
            &peer,
            &"Conflicts=a.*".to_owned(),
            "unresolvable requirements: peer \"a.service\" matches conflict \"a.*\"",
        ),
        (
            &peer,
            &"Replaces=a.service".to_owned(),
            "unresolvable requirements: peer \"a.service\" matches replace \"a.service\"",
        ),
    ];

    for (one, other, sentence) in cases {
        for (first, second) in [(one, other), (other, one)] {
            let path = fleet.write("torn.service", &sleeper(&format!("{first}\n{second}")));
            let refused = fleet.fleetctl(&["start", &path]);
            assert_eq!(refused.code, 1, "{refused:?}");
            assert!(refused.stderr.starts_with("Error creating units: "), "{refused:?}");
            assert!(refused.stderr.contains(sentence), "{refused:?}");

            let option = |line: &str| {
                let (name, value) = line.split_once('=').unwrap();
                json!({"section": "X-Fleet", "name": name, "value": value})
            };
            let unit =
                json!({"desiredState": "launched", "options": [option(first), option(second)]});
            let answer = send(&fleet.host(1), "PUT", "/fleet/v1/units/torn.service", &unit);
            answer.refused(400, sentence);
        }
    }
    assert_eq!(fleet.unit_files(), Vec::<String>::new());
}

#[test]
fn an_unknown_directive_is_told_with_the_nearest_known_one_and_stops_nothing() {
    let fleet = Fleet::of(1);
    for (key, nearest) in [
        ("Machineof", "MachineOf"),
        ("X-ConditionConflicts", "Conflicts"),
        ("MachineMetdata", "MachineMetadata"),
        ("X-Global", "Global"),
    ] {
        let path = fleet.write("odd.service", &sleeper(&format!("{key}=a=b")));

        let started = fleet.fleetctl(&["start", &path]).good();

        let sentence = format!("unrecognized requirement in [X-Fleet] section: \"{key}\"");
        let line = started.stderr.lines().find(|line| line.contains(&sentence));
        let line = line.unwrap_or_else(|| panic!("no warning: {started:?}"));
        assert!(line.contains("odd.service"), "{line}");
        assert!(line.contains(&format!("\"{nearest}\"")), "{line}");
        assert_eq!(fleet.await_active(1).into_keys().collect::<Vec<_>>(), ["odd.service"]);
        fleet.fleetctl(&["destroy", "odd.service"]).good();
    }
}

#[test]
fn a_chain_of_machine_of_lands_together_whatever_the_order_of_its_names() {
    let fleet = Fleet::of(3);
    fleet.tell_hostnames();
    let last = fleet.host(3);
    // Only the last of the chain says where all of them have to be.
    let pin = format!("MachineOf=b.service\nMachineMetadata=hostname={}", last.name());
    let paths = [
        fleet.write("c.service", &sleeper(&pin)),
        fleet.write("b.service", &sleeper("MachineOf=a.service")),
        fleet.write("a.service", &sleeper("")),
    ];
    // The chosen machine is the one with the most units.
    let filler = format!("MachineMetadata=hostname={}", last.name());
    let filler = fleet.write("filler.service", &sleeper(&filler));
    fleet.fleetctl(&["start", &filler]).good();

    fleet.fleetctl(&["start", &paths[0], &paths[1], &paths[2]]).good();

    let active = fleet.await_active(4);
    for unit in ["a", "b", "c"] {
        assert_eq!(active[&format!("{unit}.service")], last.machine_id().unwrap(), "{active:?}");
    }
}
