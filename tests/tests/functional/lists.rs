//! Lists as programs and people get them from a cluster that lives.

use fleet_tests::wait::until;
use serde_json::{Value, json};

use crate::fixture::{Finished, Fleet, PATIENCE, sleeper};

fn json_of(finished: Finished) -> Value {
    serde_json::from_str(&finished.good().stdout).unwrap()
}

#[test]
fn a_global_unit_is_listed_with_its_copies_and_the_machines_it_keeps_off() {
    let fleet = Fleet::of(3);
    fleet.tell_hostnames();
    let (first, second, third) = (fleet.host(1), fleet.host(2), fleet.host(3));
    let metadata = |name| format!("MachineMetadata=\"hostname={name}\"");
    let wanted = format!("Global=true\n{}\n{}", metadata(first.name()), metadata(second.name()));
    let path = fleet.write("all.service", &sleeper(&wanted));
    fleet.fleetctl(&["start", &path]).good();

    let mut active: Vec<String> = fleet
        .units()
        .into_iter()
        .filter(|unit| unit.active == "active")
        .map(|unit| unit.machine)
        .collect();
    active.sort();
    let list = json_of(fleet.fleetctl(&["list-unit-files", "--json", "--filter=name=all"]));

    let mut expected = [first, second].map(|host| host.machine_id().unwrap());
    expected.sort();
    assert_eq!(active, expected);
    let of = |list: &Value, key: &str| -> Vec<Value> {
        let entries = list[0][key].as_array().unwrap().iter();
        entries.map(|entry| entry["machine"].clone()).collect()
    };
    assert_eq!(of(&list, "copies"), expected.map(Value::from));
    assert_eq!(of(&list, "obstacles"), [Value::from(third.machine_id().unwrap())]);
    let reason = list[0]["obstacles"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("hostname="), "{reason}");
    let elsewhere = format!("--filter=machine={}", third.machine_id().unwrap());
    assert_eq!(json_of(fleet.fleetctl(&["list-unit-files", "--json", &elsewhere])), json!([]));
}

#[test]
fn a_list_that_is_watched_tells_of_units_and_machines_as_they_come_and_go() {
    let fleet = Fleet::of(3);
    let path = fleet.write("hello.service", &sleeper(""));
    let units = Watched::begin(&fleet, "list-units --fields=unit,active");
    let machines = Watched::begin(&fleet, "list-machines --fields=machine");
    units.await_last(&json!([]));
    let mut ids: Vec<String> =
        fleet.hosts().iter().map(|host| host.machine_id().unwrap()).collect();
    ids.sort();
    let listed =
        |ids: &[String]| -> Value { ids.iter().map(|id| json!({ "machine": id })).collect() };
    machines.await_last(&listed(&ids));

    fleet.fleetctl(&["start", &path]).good();
    units.await_last(&json!([{ "unit": "hello.service", "active": "active" }]));
    fleet.fleetctl(&["destroy", "hello.service"]).good();
    units.await_last(&json!([]));

    let leaver = fleet.host(3);
    leaver.read(["systemctl", "stop", "fleet"]).unwrap();
    let left = leaver.machine_id().unwrap();
    ids.retain(|id| *id != left);
    machines.await_last(&listed(&ids));

    // fleetd is away for a moment; the lists go on after that.
    fleet.host(1).read(["systemctl", "restart", "fleet.service"]).unwrap();
    leaver.read(["systemctl", "start", "fleet.service"]).unwrap();
    ids.push(left);
    ids.sort();
    machines.await_last(&listed(&ids));
}

#[test]
fn programs_get_systemds_words_from_the_machine_that_runs_a_unit() {
    let fleet = Fleet::of(2);
    let (here, there) = (fleet.host(1), fleet.host(2));
    let pin = format!("MachineID={}", there.machine_id().unwrap());
    let path = fleet.write("hello.service", &sleeper(&pin));
    fleet.fleetctl(&["start", &path]).good();

    let pid = there.read(["systemctl", "show", "--value", "--property=MainPID", "hello.service"]);
    let status = json_of(fleet.fleetctl(&["status", "--json", "hello"]));
    fleet.fleetctl(&["stop", "hello"]).good();
    let stopped = fleet.fleetctl(&["status", "--json", "hello"]);

    let copy = &status[0]["copies"][0];
    assert_eq!(copy["machine"], json!(there.machine_id().unwrap()));
    assert_ne!(copy["machine"], json!(here.machine_id().unwrap()));
    assert_eq!(copy["error"], Value::Null);
    assert_eq!(copy["systemd"]["MainPID"], json!(pid.unwrap().trim()));
    assert_eq!(copy["systemd"]["ActiveState"], "active");
    assert_eq!(stopped.code, 3, "{stopped:?}");
}

/// A list on host 1 that is printed anew with each change, for as long as this lives.
struct Watched<'a> {
    fleet: &'a Fleet,
    name: String,
}

impl<'a> Watched<'a> {
    fn begin(fleet: &'a Fleet, list: &str) -> Self {
        let name = format!("watch-{}", list.split(' ').next().unwrap_or_default());
        let script = format!(
            "rm -f /root/{name}; systemd-run --quiet --collect --unit={name} \
             --property=StandardOutput=file:/root/{name} fleetctl {list} --watch --json"
        );
        fleet.host(1).read(["sh", "-c", &script]).unwrap();
        Self { fleet, name }
    }

    /// Waits until the list that was printed last is this one.
    #[track_caller]
    fn await_last(&self, expected: &Value) {
        let path = format!("/root/{}", self.name);
        until(PATIENCE, format!("{} tells {expected}", self.name), || {
            let printed = self.fleet.host(1).read(["cat", &path]).unwrap_or_default();
            let last = printed.lines().last().unwrap_or_default();
            let last: Value = serde_json::from_str(last).unwrap_or_default();
            if last == *expected { Ok(()) } else { Err(printed) }
        });
    }
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        // What the test has to say is said already.
        self.fleet.host(1).read(["systemctl", "stop", &self.name]).ok();
    }
}
