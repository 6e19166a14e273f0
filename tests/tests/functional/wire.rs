//! The life of a unit through the socket of a host, in the words of 1.0's clients.

use fleet_tests::Host;
use fleet_tests::wait::until;
use serde_json::{Value, json};

use crate::fixture::{Fleet, PATIENCE};
use crate::http::{get, send};

/// What 1.0 made of the options below.
const HASH: &str = "1c6fb6f3684bafb0c173d8b8b957ceff031180c1";

#[test]
fn a_unit_lives_and_dies_by_the_requests_of_1_0_under_both_prefixes() {
    let fleet = Fleet::of(1);
    for prefix in ["/fleet/v1", "/v1-alpha"] {
        live(&fleet.host(1), prefix);
    }
}

fn live(host: &Host, prefix: &str) {
    let machine = host.machine_id().unwrap();
    let path = format!("{prefix}/units/wire%402.service?alt=json");
    let states = format!("{prefix}/state?unitName=wire%402.service&alt=json");
    let options = json!([{"name": "ExecStart", "section": "Service", "value": "/bin/sleep 100"}]);
    let unit = |state: &str, desired: &str| {
        let text = "[Service]\nExecStart=/bin/sleep 100\n";
        json!({
            "currentState": state, "desiredState": desired, "machineID": machine,
            "name": "wire@2.service", "options": options, "text": text,
        })
    };
    let state = |active: &str, sub: &str| {
        json!({"states": [{
            "hash": HASH, "machineID": machine, "name": "wire@2.service",
            "systemdActiveState": active, "systemdLoadState": "loaded", "systemdSubState": sub,
        }]})
    };

    let create = json!({"name": "wire@2.service", "desiredState": "launched", "options": options});
    assert_eq!(send(host, "PUT", &path, &create).status, 201);
    shows(host, &path, &unit("launched", "launched"));
    shows(host, &states, &state("active", "running"));
    assert_eq!(send(host, "PUT", &path, &json!({"DesiredState": "loaded"})).status, 204);
    shows(host, &path, &unit("loaded", "loaded"));
    shows(host, &states, &state("inactive", "dead"));
    assert_eq!(send(host, "DELETE", &path, &json!(null)).status, 204);
    get(host, &path).refused(404, "unit does not exist");
    shows(host, &states, &json!({}));
    shows(host, &format!("{prefix}/units"), &json!({}));
}

/// Sooner or later that is what is answered.
#[track_caller]
fn shows(host: &Host, path: &str, expected: &Value) {
    until(PATIENCE, "the answer is as expected", || {
        let answer = get(host, path).json(200);
        if answer == *expected { Ok(()) } else { Err(format!("{path}: {answer}")) }
    });
}

#[test]
fn the_api_describes_itself_through_the_socket() {
    let fleet = Fleet::of(1);
    let host = fleet.host(1);

    let discovery = get(&host, "/v1-alpha/discovery").json(200);
    let document = get(&host, "/fleet/v2/openapi.json").json(200);
    let refused = send(&host, "POST", "/fleet/v1/discovery", &json!({}));

    assert_eq!((&discovery["id"], &discovery["name"]), (&json!("fleet:v1"), &json!("schema")));
    assert_eq!(document["openapi"], "3.1.0");
    assert!(document["paths"]["/fleet/v1/units/{name}"]["put"].is_object());
    refused.refused(400, "only HTTP GET supported against this resource");
}
