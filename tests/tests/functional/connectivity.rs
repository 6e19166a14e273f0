//! A machine that is cut off from the store.

use std::time::Duration;

use fleet_tests::wait::{throughout, until};

use crate::fixture::{Fleet, PATIENCE, Systemd, TTL, Undo, sleeper};

/// As long as in 1.0's test: the presence is lost, and there is time for rash acts.
const CUT: Duration = TTL.saturating_add(Duration::from_secs(5 + 2));

const UNITS: [&str; 4] =
    ["global@2.service", "global@3.service", "single@2.service", "single@3.service"];

/// What the host itself sends to etcd's port is refused at once; the members of the store go on.
/// Local addresses come first of all rules, so theirs has to make room.
const REFUSE: &str = "\
    ip rule add pref 1 lookup local && ip rule del pref 0 && \
    ip rule add pref 0 iif lo ipproto tcp dport 2379 prohibit";
const ALLOW: &str = "ip rule add pref 0 lookup local; ip rule del prohibit; ip rule del pref 1";

/// Acceptance row 5.
#[test]
fn a_machine_without_its_store_leaves_its_units_alone() {
    let fleet = Fleet::of(1);
    for (kind, directive) in [("single", ""), ("global", "Global=true")] {
        let template = fleet.write(&format!("{kind}@.service"), &sleeper(directive));
        for (verb, instance) in [("submit", "@1."), ("load", "@2."), ("start", "@3.")] {
            fleet.fleetctl(&[verb, &template.replace("@.", instance)]).good();
        }
    }
    let host = Systemd(fleet.host(1));
    let initial = until(PATIENCE, "two units are loaded and two run", || {
        let states = states(&fleet);
        if is_settled(&states) { Ok(states) } else { Err(states) }
    });
    let before = systemd(&host);
    assert_eq!(before.matches("UnitFileState=linked-runtime").count(), 4, "{before}");
    let cursor = host.journal_cursor();

    let cut = Undo::new(&host, ALLOW);
    host.read(["sh", "-c", REFUSE]).unwrap();
    throughout(CUT, || assert_eq!(systemd(&host), before));
    let presence = ["etcdctl", "get", "--prefix", "--keys-only", "/_coreos.com/fleet/machines/"];
    assert_eq!(fleet.host(2).read(presence).unwrap(), "", "the machine counts as lost");
    let asked = fleet.fleetctl(&["list-machines"]);
    assert_eq!(asked.code, 1, "{asked:?}");
    assert!(asked.stderr.contains("fleet server unable to communicate with etcd"), "{asked:?}");
    drop(cut);

    fleet.await_machines(1);
    until(PATIENCE, "all states are what they were", || {
        let states = states(&fleet);
        if states == initial { Ok(()) } else { Err(states) }
    });
    assert_eq!(systemd(&host), before);
    assert_eq!(stops(&host, &cursor), Vec::<String>::new());
    fleet.fleetctl(&["stop", "single@3.service"]).good();
    // Where nothing was found before, a stop would have been found.
    assert_eq!(stops(&host, &cursor), ["Stopping single@3.service"]);
}

/// All that lists say of units: wanted, brought about, and what systemd says.
fn states(fleet: &Fleet) -> String {
    let files = "--fields=unit,dstate,state,target";
    let files = fleet.fleetctl(&["list-unit-files", "--no-legend", files]);
    let units = "--fields=unit,load,active,sub,machine,hash";
    let units = fleet.fleetctl(&["list-units", "--no-legend", units]);
    [files, units].map(|listed| listed.stdout + &listed.stderr).concat()
}

fn is_settled(states: &str) -> bool {
    let lines: Vec<Vec<&str>> =
        states.lines().map(|line| line.split_whitespace().collect()).collect();
    let of_systemd = |unit: &str, words: &[&str]| {
        lines.iter().any(|line| line[0] == unit && line[1..].starts_with(words))
    };
    let loaded = ["loaded", "inactive", "dead"];
    let runs = ["loaded", "active", "running"];
    lines.len() == 6 + 4
        && of_systemd("global@2.service", &loaded)
        && of_systemd("global@3.service", &runs)
        && of_systemd("single@2.service", &loaded)
        && of_systemd("single@3.service", &runs)
}

fn systemd(host: &Systemd) -> String {
    let shown = ["systemctl", "show", "--property=Id,UnitFileState,ActiveState,SubState,MainPID"];
    host.read(shown.iter().chain(&UNITS)).unwrap()
}

/// Which units of this test systemd has stopped since.
fn stops(host: &Systemd, cursor: &str) -> Vec<String> {
    let of_ours = |job: &String| {
        ["Stopping single@", "Stopping global@"].iter().any(|start| job.starts_with(start))
    };
    host.jobs_since(cursor).into_iter().filter(of_ours).collect()
}
