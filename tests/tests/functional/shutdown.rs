//! fleetd that is told to stop.

use crate::fixture::{Fleet, Systemd, sleeper};

/// Acceptance row 28.
#[test]
fn a_fleetd_that_is_stopped_ends_well_with_its_units_stopped() {
    let fleet = Fleet::of(1);
    let path = fleet.write("hello.service", &sleeper(""));
    fleet.fleetctl(&["start", &path]).good();
    let host = Systemd(fleet.host(1));

    host.read(["systemctl", "stop", "fleet"]).unwrap();

    let how = ["ActiveState", "SubState", "Result", "ExecMainStatus"];
    let how = how.map(|property| host.show("fleet.service", property));
    assert_eq!(how, ["inactive", "dead", "success", "0"]);
    assert!(!host.is_active("hello.service"));
}

#[test]
fn the_command_that_wakes_a_stopped_fleetd_by_its_socket_is_answered() {
    let fleet = Fleet::of(1);
    let host = Systemd(fleet.host(1));
    let before = fleet.fleetctl(&["list-machines"]).good().stdout;
    host.read(["systemctl", "stop", "fleet"]).unwrap();

    assert_eq!(fleet.fleetctl(&["list-machines"]).good().stdout, before);
}
