//! Units that must not meet.

use std::collections::BTreeSet;

use fleet_tests::wait::until;

use crate::fixture::{Finished, Fleet, PATIENCE, Systemd, sleeper};

/// Acceptance row 20.
#[test]
fn a_conflict_that_one_side_declares_blocks_whichever_comes_second() {
    let fleet = Fleet::of(1);
    let plain = fleet.write("plain.service", &sleeper(""));
    let loner = fleet.write("loner.service", &sleeper("Conflicts=plain.service"));

    for (first, second) in [(&plain, &loner), (&loner, &plain)] {
        let (first_name, second_name) = (name(first), name(second));
        fleet.fleetctl(&["start", first]).good();

        let blocked = fleet.fleetctl(&["start", "--block-attempts=1", second]);

        assert_eq!(blocked.code, 1, "{blocked:?}");
        names_obstacle(&blocked, &fleet.host(1).machine_id().unwrap(), first_name);
        assert!(!Systemd(fleet.host(1)).is_active(second_name));
        fleet.fleetctl(&["destroy", first_name]).good();
        assert_eq!(fleet.await_active(1).into_keys().collect::<Vec<_>>(), [second_name]);
        fleet.fleetctl(&["destroy", second_name]).good();
    }
}

/// Acceptance row 21.
#[test]
fn each_name_of_each_conflicts_line_counts() {
    let fleet = Fleet::of(3);
    let paths = ["a", "b", "c"].map(|unit| fleet.write(&format!("{unit}.service"), &sleeper("")));
    fleet.fleetctl(&["start", &paths[0], &paths[1], &paths[2]]).good();
    let before = fleet.await_active(3);
    assert_eq!(before.values().collect::<BTreeSet<_>>().len(), 3, "{before:?}");
    let conflicts = "Conflicts=a.service b.service\nConflicts=nothing.service\nConflicts=c.service";
    let path = fleet.write("picky.service", &sleeper(conflicts));

    let blocked = fleet.fleetctl(&["start", "--block-attempts=1", &path]);

    assert_eq!(blocked.code, 1, "{blocked:?}");
    for (unit, machine) in &before {
        names_obstacle(&blocked, machine, unit);
    }
    for (unit, machine) in &before {
        fleet.fleetctl(&["destroy", unit]).good();
        let active = fleet.await_active(3);
        assert_eq!(active.get("picky.service"), Some(machine), "{active:?}");
        fleet.fleetctl(&["unload", "picky.service"]).good();
        fleet.fleetctl(&["start", &format!("/root/units/{unit}")]).good();
        assert_eq!(fleet.await_active(3), before);
        // It waits again, for the next of them to go.
        fleet.fleetctl(&["start", "--no-block", "picky.service"]).good();
    }
}

/// Acceptance row 26.
#[test]
fn a_second_global_unit_that_conflicts_starts_nowhere_until_the_first_is_gone() {
    let fleet = Fleet::of(3);
    let first = fleet.write("first.service", &sleeper("Global=true"));
    let second = fleet.write("second.service", &sleeper("Global=true\nConflicts=first.service"));
    let probe = fleet.write("probe.service", &sleeper("Global=true"));
    fleet.fleetctl(&["start", &first]).good();
    fleet.await_everywhere("first.service");

    fleet.fleetctl(&["start", &second]).good();
    // Once every machine runs what was asked for later, none will run what was asked for before.
    fleet.fleetctl(&["start", &probe]).good();
    fleet.await_everywhere("probe.service");

    let units: BTreeSet<String> = fleet.units().into_iter().map(|row| row.unit).collect();
    assert_eq!(units, BTreeSet::from(["first.service", "probe.service"].map(str::to_owned)));
    for host in fleet.hosts().into_iter().map(Systemd) {
        assert_eq!(host.show("second.service", "LoadState"), "not-found", "{}", host.name());
    }
    fleet.await_everywhere("first.service");

    fleet.fleetctl(&["destroy", "first.service"]).good();
    fleet.await_everywhere("second.service");
}

#[test]
fn a_global_unit_stays_off_the_machine_of_a_unit_that_it_conflicts_with() {
    let fleet = Fleet::of(3);
    let single = fleet.write("single.service", &sleeper(""));
    let global = fleet.write("global.service", &sleeper("Global=true\nConflicts=single.service"));
    fleet.fleetctl(&["start", &single]).good();
    let taken = fleet.await_active(1).remove("single.service").unwrap();
    let mut free: BTreeSet<String> =
        fleet.hosts().iter().map(|host| host.machine_id().unwrap()).collect();
    free.remove(&taken);

    fleet.fleetctl(&["start", &global]).good();
    until(PATIENCE, "the global unit runs on the two other machines", || {
        let found = fleet.machines_of("global.service");
        if found == free { Ok(()) } else { Err(format!("{found:?}")) }
    });
    // The machine in question has acted on something later.
    let pin = fleet.write("pin.service", &sleeper(&format!("MachineID={taken}")));
    fleet.fleetctl(&["start", &pin]).good();
    let host = Systemd(fleet.host_of(&taken));
    assert_eq!(host.show("global.service", "LoadState"), "not-found");

    fleet.fleetctl(&["destroy", "single.service"]).good();
    fleet.await_everywhere("global.service");
}

/// The command says that the unit `with` is in the way on that machine.
#[track_caller]
fn names_obstacle(blocked: &Finished, machine: &str, with: &str) {
    let line = blocked.stderr.lines().find(|line| line.contains(&machine[..8]));
    let line = line.unwrap_or_else(|| panic!("no line for {machine}: {blocked:?}"));
    assert!(line.contains(&format!("conflicts with {with}")), "{line}");
}

fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap()
}
