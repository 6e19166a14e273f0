//! A cluster in which nothing happens.

use std::time::Duration;

use fleet_tests::wait::{throughout, until};

use crate::fixture::{Fleet, PATIENCE, sleeper};

#[test]
fn a_cluster_at_rest_with_a_hundred_units_writes_nothing_for_a_minute() {
    let fleet = Fleet::of(3);
    fleet.write("hello@.service", &sleeper(""));
    let files: Vec<_> = (1..=100).map(|n| format!("/root/units/hello@{n}.service")).collect();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    fleet.fleetctl(&[&["start"], files.as_slice()].concat()).good();
    fleet.await_active(100);

    let mut last = revision(&fleet);
    until(PATIENCE, "the revision stands still", || {
        let now = revision(&fleet);
        let before = std::mem::replace(&mut last, now.clone());
        if before == now { Ok(()) } else { Err(format!("{before}, then {now}")) }
    });

    throughout(Duration::from_secs(60), || assert_eq!(revision(&fleet), last));
}

fn revision(fleet: &Fleet) -> String {
    let status = "ETCDCTL_API=3 etcdctl get nothing --write-out=json";
    let printed = fleet.host(1).read(["sh", "-c", status]).unwrap();
    let printed: serde_json::Value = serde_json::from_str(&printed).unwrap();
    printed["header"]["revision"].to_string()
}
