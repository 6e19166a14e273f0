//! The session that people know from fleet 1.0, with the unit that they know.

use fleet_tests::wait::until;

use crate::fixture::{Fleet, PATIENCE, Systemd};

const HELLO: &str = include_str!("../../../units/examples/hello.service");

#[test]
fn hello_service_is_loaded_and_started_and_runs_as_a_container() {
    play(&Fleet::of(3));
}

/// Loads, starts, shows and destroys the unit.
pub(crate) fn play(fleet: &Fleet) {
    let path = fleet.write("hello.service", HELLO);

    let loaded = fleet.fleetctl(&["load", &path]).good();
    let machine = fleet.units()[0].machine.clone();
    let holder = Systemd(fleet.host_of(&machine));
    let legend = format!("{}.../{}", &machine[..8], holder.address());
    assert_eq!(loaded.stdout, format!("Unit hello.service loaded on {legend}\n"));

    let started = fleet.fleetctl(&["start", "hello.service"]).good();
    assert_eq!(started.stdout, format!("Unit hello.service launched on {legend}\n"));

    let machines = fleet.fleetctl(&["list-machines", "--full"]).good();
    let header = machines.stdout.lines().next().unwrap();
    assert_eq!(header.split_whitespace().collect::<Vec<_>>(), ["MACHINE", "IP", "METADATA"]);
    let units = fleet.fleetctl(&["list-units"]).good();
    let rows: Vec<Vec<&str>> =
        units.stdout.lines().map(|line| line.split("  ").map(str::trim).collect()).collect();
    let rows: Vec<Vec<&str>> = rows
        .into_iter()
        .map(|row| row.into_iter().filter(|cell| !cell.is_empty()).collect())
        .collect();
    let expected = [
        vec!["UNIT", "MACHINE", "ACTIVE", "SUB"],
        vec!["hello.service", &legend, "active", "running"],
    ];
    assert_eq!(rows, expected);

    until(PATIENCE, "the container is there and its words are in the journal", || {
        let containers = holder.read(["/usr/bin/docker", "ps", "--format={{.Names}}"]).unwrap();
        let journal = holder.read(["journalctl", "--unit=hello.service", "--output=cat"]).unwrap();
        let said = journal.lines().any(|line| line == "Hello World");
        if containers.trim() == "hello" && said {
            Ok(())
        } else {
            Err(format!("{containers} {journal}"))
        }
    });
    for host in fleet.hosts() {
        let status = fleet.fleetctl_on(&host, &["status", "hello.service"]).good();
        assert!(status.stdout.contains("Active: active (running)"), "{}: {status:?}", host.name());
    }

    let destroyed = fleet.fleetctl(&["destroy", "hello.service"]).good();
    assert_eq!(destroyed.stdout, "Destroyed hello.service\n");
    assert_eq!(holder.read(["/usr/bin/docker", "ps", "--quiet"]).unwrap(), "");
}
