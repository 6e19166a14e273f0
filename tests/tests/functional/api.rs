//! Version 1 of the API, asked as 1.0's clients ask it.

use serde_json::json;

use crate::fixture::Fleet;
use crate::http::{get, send};

/// Acceptance row 10.
#[test]
fn every_member_lists_the_machines_as_1_0_does() {
    let fleet = Fleet::of(3);
    let listed = machines(&fleet);
    let expected = format!("{{\"machines\":[{}]}}", listed.join(","));

    for host in fleet.hosts() {
        for path in ["/fleet/v1/machines", "/v1-alpha/machines", "/fleet/v1/machines?alt=json"] {
            let answer = get(&host, path);
            answer.json(200);
            assert_eq!(answer.body, expected, "{} {path}", host.name());
            let server = concat!("fleetd/", env!("CARGO_PKG_VERSION"));
            assert_eq!(answer.headers["server"], server);
        }
    }
    let refused = send(&fleet.host(1), "DELETE", "/fleet/v1/machines", &json!({}));
    assert_eq!(refused.json(405)["error"]["code"], 405);
}

/// Acceptance row 11.
#[test]
fn a_list_goes_on_with_its_own_page_token_and_with_no_other() {
    let fleet = Fleet::of(3);
    let asked = fleet.host(1);
    fleet.configure(&asked, "token_limit=2");
    let listed = machines(&fleet);
    let page = |token: &str| get(&asked, &format!("/fleet/v1/machines?nextPageToken={token}"));

    let first = get(&asked, "/fleet/v1/machines");
    let second = page("AgABAA==");

    first.json(200);
    let (one, two) = (&listed[0], &listed[1]);
    let text = format!("{{\"machines\":[{one},{two}],\"nextPageToken\":\"AgABAA==\"}}");
    assert_eq!(first.body, text);
    second.json(200);
    assert_eq!(second.body, format!("{{\"machines\":[{}]}}", listed[2]));
    page("ZAABAA==").refused(400, "token limit must be 2");
    page("AgAAAA==").refused(400, "token page must be greater than zero");
    for other in ["", "AgABAA", "!!!!", "AgABAA==&nextPageToken=AgABAA=="] {
        let refused = page(other).json(400);
        assert_eq!(refused["error"]["code"], 400, "{other}: {refused}");
    }
}

/// The machines as the API writes them, in its order.
fn machines(fleet: &Fleet) -> Vec<String> {
    let entry = |host: &fleet_tests::Host| {
        let (id, address) = (host.machine_id().unwrap(), host.address());
        format!("{{\"id\":\"{id}\",\"primaryIP\":\"{address}\"}}")
    };
    let mut machines: Vec<_> = fleet.hosts().iter().map(entry).collect();
    machines.sort();
    machines
}
