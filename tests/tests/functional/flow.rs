//! The way of one unit through the states of systemd, and back to nothing.

use serde_json::json;

use crate::fixture::{Fleet, Systemd};
use crate::http::get;

/// A text of which 1.0's hash is on record.
const TEXT: &str = "[Service]\nExecStart=/bin/sleep 100\n";
const HASH: &str = "1c6fb6f3684bafb0c173d8b8b957ceff031180c1";

/// Acceptance row 30, for what stands in its place here.
#[test]
fn a_unit_is_loaded_started_stopped_and_unloaded_in_systemd_too() {
    let fleet = Fleet::of(1);
    let host = Systemd(fleet.host(1));
    let path = fleet.write("flow.service", TEXT);

    fleet.fleetctl(&["load", &path]).good();
    assert_states(&host, ["loaded", "inactive", "dead"]);
    assert_eq!(host.read(["cat", "/run/fleet/units/flow.service"]).unwrap(), TEXT);

    fleet.fleetctl(&["start", "flow.service"]).good();
    assert_states(&host, ["loaded", "active", "running"]);

    fleet.fleetctl(&["stop", "flow.service"]).good();
    assert_states(&host, ["loaded", "inactive", "dead"]);

    fleet.fleetctl(&["unload", "flow.service"]).good();
    assert_eq!(systemd(&host), ["not-found", "inactive", "dead"]);
    let left = "ls /run/fleet/units /run/fleet/applied; find /run/systemd/system -name 'flow*'";
    let left = host.read(["sh", "-c", left]).unwrap();
    assert_eq!(left, "/run/fleet/applied:\n\n/run/fleet/units:\n");
    get(&host, "/fleet/v1/state/flow.service").refused(404, "unit state does not exist");
    assert_eq!(get(&host, "/fleet/v1/state").json(200), json!({}));
}

/// systemd says so, and the API says the same of the same text.
#[track_caller]
fn assert_states(host: &Systemd, expected: [&str; 3]) {
    assert_eq!(systemd(host), expected);
    let [load, active, sub] = expected;
    let expected = json!({
        "hash": HASH,
        "machineID": host.machine_id().unwrap(),
        "name": "flow.service",
        "systemdActiveState": active,
        "systemdLoadState": load,
        "systemdSubState": sub,
    });
    assert_eq!(get(host, "/fleet/v1/state/flow.service").json(200), expected);
}

fn systemd(host: &Systemd) -> [String; 3] {
    ["LoadState", "ActiveState", "SubState"].map(|property| host.show("flow.service", property))
}
