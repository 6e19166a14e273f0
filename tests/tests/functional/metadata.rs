//! Metadata of machines, from their configuration and set at run time.

use std::collections::BTreeMap;

use fleet_tests::Host;
use fleet_tests::wait::until;
use serde_json::{Value, json};

use crate::fixture::{Fleet, PATIENCE, Systemd, sleeper};
use crate::http::{Answer, get, send};

const MACHINES: &str = "/fleet/v1/machines";

/// Machines with what they have, as the API tells it.
type Machines = BTreeMap<String, BTreeMap<String, String>>;

/// Acceptance row 15.
#[test]
fn an_instance_may_ask_for_the_metadata_that_its_own_name_spells() {
    let fleet = Fleet::of(3);
    fleet.tell_hostnames();
    let template = fleet.write("named@.service", &sleeper("MachineMetadata=hostname=%i"));
    let instance = |name: &str| template.replace("@.", &format!("@{name}."));
    let paths: Vec<_> = fleet.hosts().iter().map(|host| instance(host.name())).collect();

    fleet.fleetctl(&["start", &paths[0], &paths[1], &paths[2]]).good();
    let unmatched = fleet.fleetctl(&["start", "--block-attempts=20", &instance("nowhere")]);

    let active = fleet.await_active(3);
    for host in fleet.hosts() {
        let unit = format!("named@{}.service", host.name());
        assert_eq!(active[&unit], host.machine_id().unwrap(), "{active:?}");
        let short = &host.machine_id().unwrap()[..8];
        let line = unmatched.stderr.lines().find(|line| line.contains(short));
        let line = line.unwrap_or_else(|| panic!("no line for {short}: {unmatched:?}"));
        assert!(line.contains("hostname=nowhere"), "{line}");
    }
    assert_eq!(unmatched.code, 1, "{unmatched:?}");
}

/// Acceptance row 12.
#[test]
fn metadata_that_is_added_and_replaced_shows_at_once_beside_what_is_configured() {
    let fleet = Fleet::of(2);
    fleet.tell_hostnames();
    let (one, two) = (fleet.host(1), fleet.host(2));
    let changes = [
        operation("add", &one, "foo", "bar"),
        // As the tests of 1.0 spell it.
        json!({"op": "replace", "path": path(&two, "ping"), "Value": {"value": "pong"}}),
    ];

    done(&patch(&one, &json!(changes)));

    let host_one = ("hostname", one.name());
    let host_two = ("hostname", two.name());
    let expected =
        machines([(&one, &[("foo", "bar"), host_one]), (&two, &[host_two, ("ping", "pong")])]);
    assert_eq!(metadata(&one), expected);
    done(&patch(&one, &json!([operation("replace", &one, "foo", "baz")])));
    done(&patch(&one, &json!([operation("add", &two, "hostname", "other")])));
    let expected = machines([
        (&one, &[("foo", "baz"), host_one]),
        (&two, &[("hostname", "other"), ("ping", "pong")]),
    ]);
    assert_eq!(metadata(&one), expected);
    until(PATIENCE, "the other machine tells the same", || {
        let found = metadata(&two);
        if found == expected { Ok(()) } else { Err(format!("{found:?}")) }
    });
    let listed = fleet.fleetctl(&["list-machines", "--full", "--no-legend"]).good().stdout;
    let line = listed.lines().find(|line| line.starts_with(&one.machine_id().unwrap())).unwrap();
    assert!(line.ends_with(&format!("foo=baz,hostname={}", one.name())), "{line}");
}

/// Acceptance row 13.
#[test]
fn metadata_is_removed_and_removing_what_is_not_there_changes_nothing() {
    let fleet = Fleet::of(2);
    fleet.tell_hostnames();
    let (one, two) = (fleet.host(1), fleet.host(2));
    let before = get(&one, MACHINES).body;
    let remove = |host: &Host, key: &str| json!({"op": "remove", "path": path(host, key)});

    done(&patch(&one, &json!([remove(&one, "foo"), remove(&two, "foo")])));
    assert_eq!(get(&one, MACHINES).body, before);

    done(&patch(&one, &json!([operation("add", &one, "foo", "bar")])));
    assert_ne!(get(&one, MACHINES).body, before);
    done(&patch(&one, &json!([remove(&one, "foo")])));
    assert_eq!(get(&one, MACHINES).body, before);

    // What is configured can be hidden, and then the machine has nothing at all.
    done(&patch(&one, &json!([remove(&one, "hostname")])));
    let expected = machines([(&one, &[]), (&two, &[("hostname", two.name())])]);
    assert_eq!(metadata(&one), expected);
}

/// Acceptance row 14.
#[test]
fn a_bad_change_of_metadata_is_refused_and_nothing_beside_it_is_done() {
    let fleet = Fleet::of(1);
    let host = fleet.host(1);
    let before = get(&host, MACHINES).body;
    let value = json!({"value": "bar"});
    let (bad_op, bad_path, no_value) = (
        "invalid op: expect add, remove, or replace",
        "machine metadata path invalid",
        "invalid value: add and replace require a value",
    );
    let id = host.machine_id().unwrap();
    let good = path(&host, "foo");
    let cases = [
        (json!({"op": "noop", "path": good, "value": value}), bad_op),
        (json!({"path": good, "value": value}), bad_op),
        (json!({"op": "add", "path": "", "value": value}), bad_path),
        (json!({"op": "add", "path": format!("/{id}/foo"), "value": value}), bad_path),
        (json!({"op": "add", "path": format!("/{id}/metadata/"), "value": value}), bad_path),
        (json!({"op": "remove", "path": format!("/{id}/metadata/a b")}), bad_path),
        (json!({"op": "add", "path": format!("/{id}/metadata/a/b"), "value": value}), bad_path),
        (json!({"op": "add", "path": good}), no_value),
        (json!({"op": "replace", "path": good, "value": null}), no_value),
    ];

    for (bad, sentence) in cases {
        let changes = json!([operation("add", &host, "beside", "it"), bad]);
        let answer = patch(&host, &changes);
        assert_eq!(answer.status, 400, "{changes}: {answer:?}");
        answer.refused(400, sentence);
    }
    for no_list in [json!("nonsense"), json!({"op": "add"}), json!([1])] {
        assert_eq!(patch(&host, &no_list).json(400)["error"]["code"], 400);
    }
    assert_eq!(get(&host, MACHINES).body, before);
}

#[test]
fn metadata_set_at_run_time_places_what_waits_and_moves_what_no_longer_fits() {
    let fleet = Fleet::of(3);
    let [one, two] = [1, 2].map(|number| Systemd(fleet.host(number)));
    let [id_one, id_two] = [&one, &two].map(|host| host.machine_id().unwrap());
    let plain = fleet.write("plain.service", &sleeper(&format!("MachineID={id_two}")));
    fleet.fleetctl(&["start", &plain]).good();
    let path = fleet.write("picky.service", &sleeper("MachineMetadata=disk=ssd"));
    let blocked = fleet.fleetctl(&["start", &path]);
    assert_eq!(blocked.code, 1, "{blocked:?}");

    // The one with the most units: nothing but the metadata speaks for it.
    done(&patch(&one, &json!([operation("add", &two, "disk", "ssd")])));
    let active = fleet.await_active(2);
    assert_eq!(active["picky.service"], id_two);
    let pid = two.main_pid("plain.service");

    // Metadata outlives the presence of its machine.
    two.read(["systemctl", "restart", "fleet.service"]).unwrap();
    assert_eq!(metadata(&one)[&id_two]["disk"], "ssd");

    let changes =
        [operation("add", &one, "disk", "ssd"), operation("replace", &two, "disk", "hdd")];
    done(&patch(&one, &json!(changes)));
    let moved = fleet.await_moved(&one, "picky.service", &id_two);
    assert_eq!(moved, id_one);
    assert!(!two.is_active("picky.service"));

    done(&patch(&two, &json!([{"op": "remove", "path": self::path(&one, "disk")}])));
    until(PATIENCE, "the unit stops where it may not be", || {
        let listed = fleet.units().iter().any(|row| row.unit == "picky.service");
        if one.is_active("picky.service") || listed { Err("it runs") } else { Ok(()) }
    });
    assert_eq!(two.main_pid("plain.service"), pid);
}

#[test]
fn a_global_unit_follows_metadata_set_at_run_time() {
    let fleet = Fleet::of(3);
    let one = fleet.host(1);
    let path = fleet.write("global.service", &sleeper("Global=true\nMachineMetadata=role=edge"));
    fleet.fleetctl(&["start", &path]).good();

    for (with, without) in [(1, 3), (2, 1), (3, 2)] {
        let (with, without) = (fleet.host(with), fleet.host(without));
        let leave = json!({"op": "remove", "path": self::path(&without, "role")});
        done(&patch(&one, &json!([operation("add", &with, "role", "edge"), leave])));
        until(PATIENCE, format!("it runs on {} alone", with.name()), || {
            let rows = fleet.units();
            let places: Vec<_> = rows.iter().map(|row| (&*row.machine, &*row.active)).collect();
            let there = places == [(&*with.machine_id().unwrap(), "active")];
            if there { Ok(()) } else { Err(format!("{rows:?}")) }
        });
        assert!(!Systemd(without).is_active("global.service"));
    }
}

fn patch(host: &Host, changes: &Value) -> Answer {
    send(host, "PATCH", MACHINES, changes)
}

#[track_caller]
fn done(answer: &Answer) {
    assert_eq!((answer.status, &*answer.body), (204, ""), "{answer:?}");
}

fn operation(op: &str, host: &Host, key: &str, value: &str) -> Value {
    json!({"op": op, "path": path(host, key), "value": {"value": value}})
}

fn path(host: &Host, key: &str) -> String {
    format!("/{}/metadata/{key}", host.machine_id().unwrap())
}

/// What a host says that all machines have.
fn metadata(host: &Host) -> Machines {
    let page = get(host, MACHINES).json(200);
    let machines = page["machines"].as_array().unwrap().iter();
    machines
        .map(|machine| {
            let pairs = machine.get("metadata").map(|pairs| pairs.as_object().unwrap().iter());
            let pairs = pairs.into_iter().flatten();
            let pairs = pairs.map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned()));
            (machine["id"].as_str().unwrap().to_owned(), pairs.collect())
        })
        .collect()
}

fn machines<const N: usize>(expected: [(&Host, &[(&str, &str)]); N]) -> Machines {
    let pairs = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    };
    expected.map(|(host, has)| (host.machine_id().unwrap(), pairs(has))).into()
}
