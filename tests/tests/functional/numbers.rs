//! Many units in one command.

use std::collections::BTreeMap;

use crate::fixture::{Fleet, sleeper};

const KEYS: &str = "ETCDCTL_API=3 etcdctl get --prefix --keys-only /";
const LISTED: &str = "systemctl list-units --all --plain --no-legend";
const FILES: &str = "find /run/fleet /run/systemd/system /etc/systemd";

#[test]
fn a_hundred_instances_spread_evenly_and_leave_nothing_behind() {
    let fleet = Fleet::of(3);
    fleet.write("hello@.service", &sleeper(""));
    let files: Vec<_> = (1..=100).map(|n| format!("/root/units/hello@{n}.service")).collect();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();

    fleet.fleetctl(&[&["start"], files.as_slice()].concat()).good();

    let mut loads: BTreeMap<String, usize> = BTreeMap::new();
    for machine in fleet.await_active(100).into_values() {
        *loads.entry(machine).or_default() += 1;
    }
    let mut counts: Vec<_> = loads.into_values().collect();
    counts.sort_unstable();
    assert_eq!(counts, [33, 33, 34]);

    // Where nothing is found afterwards, something has to be found before.
    assert!(traces(&fleet).iter().all(|(_, found)| *found > 0), "{:?}", traces(&fleet));

    fleet.fleetctl(&[&["destroy"], files.as_slice()].concat()).good();

    assert!(traces(&fleet).iter().all(|(_, found)| *found == 0), "{:?}", traces(&fleet));
}

/// How many lines speak of the instances, in each place where units leave traces.
fn traces(fleet: &Fleet) -> Vec<(String, usize)> {
    let mut traces = vec![("store".to_owned(), count(fleet, 1, KEYS))];
    for number in 1..=3 {
        traces.push((format!("systemd of {number}"), count(fleet, number, LISTED)));
        traces.push((format!("files of {number}"), count(fleet, number, FILES)));
    }
    traces
}

fn count(fleet: &Fleet, host: u8, script: &str) -> usize {
    let printed = fleet.host(host).read(["sh", "-c", script]).unwrap();
    printed.lines().filter(|line| line.contains("hello@")).count()
}
