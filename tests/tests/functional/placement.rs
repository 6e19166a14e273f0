//! Which machine holds which unit.

use std::collections::BTreeSet;

use crate::fixture::{Fleet, sleeper, strings};

/// Acceptance row 18, without ssh.
#[test]
fn pairs_with_machine_of_share_a_machine_and_move_together() {
    let fleet = Fleet::of(3);
    let mut files = vec![
        fleet.write("ping@.service", &sleeper("Conflicts=ping@*.service")),
        fleet.write("pong@.service", &sleeper("MachineOf=ping@%i.service")),
    ];
    for number in 1..=3 {
        files.push(format!("/root/units/ping@{number}.service"));
        files.push(format!("/root/units/pong@{number}.service"));
    }
    let started: Vec<&str> = files[2..].iter().map(String::as_str).collect();
    fleet.fleetctl(&[&["start"], started.as_slice()].concat()).good();
    let before = fleet.await_active(6);
    for number in 1..=3 {
        let place = |unit: &str| &before[&format!("{unit}@{number}.service")];
        assert_eq!(place("ping"), place("pong"), "{before:?}");
    }

    // With conflicts there is no room for a fourth pair: free a machine for the one that is lost.
    fleet.fleetctl(&["destroy", "pong@1.service", "ping@1.service"]).good();
    let lost = fleet.host_of(&before["ping@2.service"]);
    let asked = fleet.hosts().into_iter().find(|host| host.number() != lost.number()).unwrap();
    lost.power_off().unwrap();

    let ping = fleet.await_moved(&asked, "ping@2.service", &before["ping@2.service"]);
    let pong = fleet.await_moved(&asked, "pong@2.service", &before["pong@2.service"]);
    assert_eq!(ping, pong);
    let after = fleet.await_active_from(&asked, 4);
    assert_eq!(after["ping@3.service"], before["ping@3.service"]);
}

/// Acceptance row 19.
#[test]
fn of_five_that_conflict_three_run_on_three_machines() {
    let fleet = Fleet::of(3);
    fleet.write("conflict@.service", &sleeper("Conflicts=conflict@*.service"));
    let files: Vec<_> = (1..=5).map(|n| format!("/root/units/conflict@{n}.service")).collect();
    let mut start = vec!["start", "--no-block"];
    start.extend(files.iter().map(String::as_str));

    fleet.fleetctl(&start).good();

    assert_eq!(fleet.unit_files().len(), 5, "they are listed at once");
    let active = fleet.await_active(3);
    // Once every machine runs what was asked for later, none will run what was asked for before.
    let probe = fleet.write("probe.service", &sleeper("Global=true"));
    fleet.fleetctl(&["start", &probe]).good();
    fleet.await_everywhere("probe.service");
    let (probes, units): (Vec<_>, Vec<_>) =
        fleet.units().into_iter().partition(|row| row.unit == "probe.service");
    let machines: BTreeSet<String> = active.into_values().collect();
    let on: Vec<_> = units.iter().map(|row| (&row.machine, &*row.active)).collect();
    assert_eq!((probes.len(), on.len()), (3, 3), "{units:?}");
    assert!(on.iter().all(|(on, active)| machines.contains(*on) && *active == "active"), "{on:?}");
    for host in fleet.hosts() {
        let line = ["systemctl", "list-units", "--plain", "--no-legend", "conflict@*"];
        let shown = host.read(line).unwrap();
        assert_eq!(shown.lines().count(), 1, "{}: {shown}", host.name());
    }
}

/// Acceptance row 24.
#[test]
fn machine_id_pins_a_unit() {
    let fleet = Fleet::of(3);
    let machines: Vec<_> = fleet.hosts().iter().map(|host| host.machine_id().unwrap()).collect();
    let mut files = Vec::new();
    for (number, machine) in machines.iter().enumerate() {
        let text = sleeper(&format!("X-ConditionMachineID={machine}"));
        files.push(fleet.write(&format!("pin{number}.service"), &text));
    }

    fleet.fleetctl(&[&["start"], strings(&files).as_slice()].concat()).good();

    let active = fleet.await_active(3);
    for (number, machine) in machines.iter().enumerate() {
        assert_eq!(&active[&format!("pin{number}.service")], machine);
    }
}

/// Acceptance row 25, without restart.
#[test]
fn a_global_unit_runs_everywhere_beside_others() {
    let fleet = Fleet::of(3);
    let global = fleet.write("global.service", &sleeper("Global=true"));
    let plain = fleet.write("plain@.service", &sleeper(""));
    let instances: Vec<_> = (1..=2).map(|n| plain.replace("@.", &format!("@{n}."))).collect();

    fleet.fleetctl(&["start", "--no-block", &global, &instances[0], &instances[1]]).good();

    fleet.await_everywhere("global.service");
    fleet.await_active(3);
    fleet.fleetctl(&["status", "--no-block", "global.service"]).good();
    fleet.await_everywhere("global.service");
}

#[test]
fn a_unit_that_fits_nowhere_ends_its_command_with_a_reason_for_each_machine() {
    let fleet = Fleet::of(3);
    let path = fleet.write("lost.service", &sleeper("MachineMetadata=planet=mars"));

    let refused = fleet.fleetctl(&["start", &path]);

    assert_eq!(refused.code, 1, "{refused:?}");
    for host in fleet.hosts() {
        let machine = host.machine_id().unwrap();
        let mut lines = refused.stderr.lines();
        let line = lines.find(|line| line.contains(&machine[..8]));
        let line = line.unwrap_or_else(|| panic!("no line for {machine}: {refused:?}"));
        assert!(line.contains("planet"), "{line}");
    }
}
