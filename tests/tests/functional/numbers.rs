//! Many units in one command.

use std::collections::BTreeMap;

use crate::fixture::{Fleet, sleeper};

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

    fleet.fleetctl(&[&["destroy"], files.as_slice()].concat()).good();

    let keys = "ETCDCTL_API=3 etcdctl get --prefix --keys-only / | grep -c hello@";
    assert_eq!(count(&fleet, 1, keys), "0");
    for number in 1..=3 {
        let listed = "systemctl list-units --all --plain --no-legend | grep -c hello@";
        assert_eq!(count(&fleet, number, listed), "0");
        let files = "find /run/fleet /run/systemd/system /etc/systemd -name '*hello@*' | wc -l";
        assert_eq!(count(&fleet, number, files), "0");
    }
}

fn count(fleet: &Fleet, host: u8, script: &str) -> String {
    let printed = fleet.host(host).output(["sh", "-c", script], b"").unwrap();
    String::from_utf8_lossy(&printed.stdout).trim().to_owned()
}
