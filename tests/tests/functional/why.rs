//! Explanations of a cluster that lives, and what comes of following them.

use fleet_tests::wait::until;
use serde_json::{Value, json};

use crate::fixture::{Fleet, PATIENCE, sleeper};

fn explained(fleet: &Fleet, unit: &str) -> Value {
    let printed = fleet.fleetctl(&["why", "--json", unit]).good().stdout;
    serde_json::from_str::<Value>(&printed).unwrap()[0].take()
}

#[test]
fn a_unit_that_waits_is_placed_by_the_change_that_is_proposed() {
    let fleet = Fleet::of(2);
    fleet.write("web@.service", &sleeper("Conflicts=web@*.service"));
    for name in ["web@1.service", "web@2.service", "web@3.service"] {
        fleet.fleetctl(&["start", "--no-block", &format!("/root/units/{name}")]).good();
    }
    let places = fleet.await_active(2);
    let names = ["web@1.service", "web@2.service", "web@3.service"];
    let waiting = names.iter().find(|name| !places.contains_key(**name)).unwrap();

    let why = explained(&fleet, waiting);

    assert_eq!(why["verdict"], "pending");
    let reasons: Vec<(&str, &str)> = why["machines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["machine"].as_str().unwrap(), one["reasons"][0].as_str().unwrap()))
        .collect();
    let mut expected: Vec<(&str, String)> = places
        .iter()
        .map(|(unit, machine)| (machine.as_str(), format!("conflicts with {unit} there")))
        .collect();
    expected.sort();
    let expected: Vec<(&str, &str)> =
        expected.iter().map(|(machine, reason)| (*machine, reason.as_str())).collect();
    assert_eq!(reasons, expected);
    assert_eq!(why["nearest"][0]["change"], "unload");
    let in_the_way = why["nearest"][0]["name"].as_str().unwrap();
    fleet.fleetctl(&["unload", in_the_way]).good();
    until(PATIENCE, "the waiting unit runs", || {
        let units = fleet.units();
        let runs = |name: &str| units.iter().any(|one| one.unit == name && one.active == "active");
        if runs(waiting) { Ok(()) } else { Err(format!("{units:?}")) }
    });
    let why = explained(&fleet, waiting);
    assert_eq!((&why["verdict"], &why["nearest"]), (&json!("placed"), &Value::Null));
    let text = fleet.fleetctl(&["why", waiting]).good().stdout;
    assert!(text.starts_with(&format!("{waiting} is on ")), "{text}");
}

#[test]
fn all_that_keeps_units_off_is_told_machine_by_machine() {
    let fleet = Fleet::of(3);
    fleet.tell_hostnames();
    let (first, second) = (fleet.host(1), fleet.host(2));
    let hostname = |name: &str| format!("MachineMetadata=\"hostname={name}\"");
    let global = format!("Global=true\n{}", hostname(first.name()));
    let all = fleet.write("all.service", &sleeper(&global));
    let asking =
        format!("MachineOf=db.service\nMachineMetadata=disk=ssd\n{}", hostname(second.name()));
    let backup = fleet.write("backup.service", &sleeper(&asking));
    let db = fleet.write("db.service", &sleeper(""));
    fleet.fleetctl(&["start", &all]).good();
    fleet.fleetctl(&["submit", &db]).good();
    fleet.fleetctl(&["start", "--no-block", &backup]).good();

    let global = explained(&fleet, "all");
    let holding: Vec<&str> = global["machines"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| !one["holding"].is_null())
        .map(|one| one["machine"].as_str().unwrap())
        .collect();
    assert_eq!(
        (holding, &global["verdict"]),
        (vec![&*first.machine_id().unwrap()], &json!("global"))
    );
    let why = explained(&fleet, "backup");
    let machines = why["machines"].as_array().unwrap();
    let of =
        |id: &str| machines.iter().find(|one| one["machine"] == id).unwrap()["reasons"].clone();
    let has = format!(
        "metadata hostname={} is wanted, the machine has hostname={}",
        second.name(),
        first.name()
    );
    let disk = "metadata disk=ssd is wanted, the machine has no disk";
    let db = "MachineOf=db.service is inactive: load or start it";
    assert_eq!(of(&first.machine_id().unwrap()), json!([disk, has, db]));
    assert_eq!(of(&second.machine_id().unwrap()), json!([disk, db]));
    let changes: Vec<&Value> = why["nearest"].as_array().unwrap().iter().collect();
    let second_id = second.machine_id().unwrap();
    assert_eq!(
        (&changes[0]["change"], &changes[0]["machine"]),
        (&json!("setMetadata"), &json!(second_id))
    );
    assert_eq!(*changes[1], json!({ "change": "start", "name": "db.service" }));
    let unknown = fleet.fleetctl(&["why", "nothing"]);
    assert_eq!((unknown.code, unknown.stderr.trim()), (1, "Unit nothing.service does not exist."));
}

/// A plan with what was written in the meantime: nothing.
fn planned(fleet: &Fleet, words: &[&str]) -> (i32, Value) {
    // Machines may report states meanwhile, which is nobody's plan.
    let stored = || {
        let kinds = ["units", "placed", "schedule"].map(|kind| {
            let keys = format!("/_coreos.com/fleet/{kind}/");
            let words = ["etcdctl", "get", "--prefix", &keys, "--write-out=json"];
            let printed = fleet.host(1).read(words).unwrap();
            serde_json::from_str::<Value>(&printed).unwrap()["kvs"].take()
        });
        kinds.map(|kind| kind.to_string())
    };
    let before = stored();
    let finished = fleet.fleetctl(&[&["plan", "--json"], words].concat());
    assert_eq!(before, stored(), "a plan wrote something");
    (finished.code, serde_json::from_str(&finished.stdout).unwrap())
}

/// Units with what would happen to them, machine by machine.
fn effects(plan: &Value) -> Vec<(String, Vec<(String, String)>)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let unit = |unit: &Value| {
        let copies = unit["machines"].as_array().unwrap().iter();
        let copies = copies.map(|copy| (text(&copy["effect"]), text(&copy["machine"])));
        (text(&unit["unit"]), copies.collect())
    };
    plan.as_array().unwrap().iter().map(unit).collect()
}

#[test]
fn what_is_planned_happens_when_it_is_started() {
    let fleet = Fleet::of(2);
    let old = fleet.write("old.service", &sleeper(""));
    fleet.fleetctl(&["start", &old]).good();
    let place = fleet.await_active(1)["old.service"].clone();
    let mut ids = fleet.hosts().into_iter().map(|host| host.machine_id().unwrap());
    let other = ids.find(|id| *id != place).unwrap();
    let new = fleet.write("new.service", &sleeper("Replaces=old.service"));
    let web = fleet.write("web@.service", &sleeper("Conflicts=web@*.service"));
    let web = web.trim_end_matches("web@.service");
    let [one, two, three] = [1, 2, 3].map(|number| format!("{web}web@{number}.service"));

    let (code, plan) = planned(&fleet, &[&new]);

    let expected = [
        ("new.service", vec![("starts", &place)]),
        ("old.service", vec![("leaves", &place), ("starts", &other)]),
    ];
    let expected = expected.map(|(unit, copies)| {
        let mut copies: Vec<(String, String)> =
            copies.into_iter().map(|(what, id)| (what.to_owned(), id.clone())).collect();
        copies.sort_by(|left, right| left.1.cmp(&right.1));
        (unit.to_owned(), copies)
    });
    assert_eq!((code, effects(&plan)), (0, expected.to_vec()));
    fleet.fleetctl(&["start", &new]).good();
    fleet.await_moved(&fleet.host(1), "old.service", &place);
    assert_eq!(fleet.await_active(2)["new.service"], place);

    let (code, plan) = planned(&fleet, &[&one, &two, &three]);
    let waits: Vec<bool> =
        plan.as_array().unwrap().iter().map(|unit| unit["pending"].as_bool().unwrap()).collect();
    assert_eq!((code, waits), (1, vec![false, false, true]));
    assert_eq!(plan[2]["obstacles"].as_array().unwrap().len(), 2);

    fleet.write("new.service", &sleeper("Replaces=old.service nobody.service"));
    let (code, plan) = planned(&fleet, &["--replace", &new]);
    let restarts = vec![("new.service".to_owned(), vec![("restarts".to_owned(), place)])];
    assert_eq!((code, effects(&plan)), (0, restarts));
}
