//! Units with an `[Install]` section.

use fleet_tests::wait::until;

use crate::fixture::{Fleet, PATIENCE, Systemd, sleeper};

const DISCOVERY: &str = "\
[Unit]
BindsTo=hello.service
After=hello.service

[Service]
ExecStart=/bin/sleep infinity

[Install]
WantedBy=hello.service

[X-Fleet]
MachineOf=hello.service
";

const LINK: &str = "/run/systemd/system/hello.service.wants/discovery.service";

/// Acceptance row 9, without ssh.
#[test]
fn a_loaded_unit_that_another_wants_comes_and_goes_with_it() {
    let fleet = Fleet::of(3);
    let hello = fleet.write("hello.service", &sleeper(""));
    let discovery = fleet.write("discovery.service", DISCOVERY);

    fleet.fleetctl(&["load", &hello, &discovery]).good();
    let loaded = fleet.units();
    let host = Systemd(fleet.host_of(&loaded[0].machine));
    let states: Vec<_> = loaded.iter().map(|unit| (&*unit.unit, &*unit.active)).collect();
    assert_eq!(states, [("discovery.service", "inactive"), ("hello.service", "inactive")]);
    assert_eq!(loaded[0].machine, loaded[1].machine);
    assert_eq!(host.show("discovery.service", "ActiveState"), "inactive");

    fleet.fleetctl(&["start", "hello.service"]).good();
    await_discovery(&fleet, &host, "active");
    let pid = host.main_pid("discovery.service");
    // Its machine has acted on something later, and has still not thought better of it.
    let later = fleet.write("later.service", &sleeper("MachineOf=hello.service"));
    fleet.fleetctl(&["start", &later]).good();
    assert_eq!(host.main_pid("discovery.service"), pid);
    let wanted = ["list-unit-files", "--no-legend", "--fields=unit,dstate"];
    let wanted = fleet.fleetctl(&wanted).good().stdout;
    let wanted: Vec<&str> = wanted.split_whitespace().collect();
    let expected =
        ["discovery.service", "loaded", "hello.service", "launched", "later.service", "launched"];
    assert_eq!(wanted, expected);

    fleet.fleetctl(&["stop", "hello.service"]).good();
    await_discovery(&fleet, &host, "inactive");

    host.read(["test", "-L", LINK]).unwrap();
    fleet.fleetctl(&["unload", "discovery.service"]).good();
    host.read(["test", "!", "-e", LINK, "-a", "!", "-L", LINK]).unwrap();
}

/// systemd says so, and so does the list.
fn await_discovery(fleet: &Fleet, host: &Systemd, state: &str) {
    until(PATIENCE, format!("discovery.service is {state}"), || {
        let truth = host.show("discovery.service", "ActiveState");
        let units = fleet.units();
        let listed = units.iter().any(|row| row.unit == "discovery.service" && row.active == state);
        if listed && truth == state { Ok(()) } else { Err(format!("{truth}, {units:?}")) }
    });
}
