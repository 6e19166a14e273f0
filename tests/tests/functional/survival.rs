//! Units outlive fleetd.

use fleet_tests::wait::{throughout, until};

use crate::fixture::{Fleet, PATIENCE, Systemd, TTL, sleeper};

#[test]
fn units_keep_their_processes_when_fleetd_is_killed_or_restarted() {
    let fleet = Fleet::of(3);
    let template = fleet.write("hello@.service", &sleeper(""));
    let files: Vec<_> = (1..=6).map(|n| template.replace("@.", &format!("@{n}."))).collect();
    let mut start = vec!["start"];
    start.extend(files.iter().map(String::as_str));
    fleet.fleetctl(&start).good();
    let places = fleet.await_active(6);
    let before = fleet.processes(&places);

    let ways = [
        ("SIGKILL", &["systemctl", "kill", "--signal=KILL", "--kill-who=main", "fleet"][..]),
        ("restart", &["systemctl", "restart", "fleet"]),
    ];
    for (way, command) in ways {
        for host in fleet.hosts().into_iter().map(Systemd) {
            let old = host.main_pid("fleet");
            host.read(command).unwrap();
            until(PATIENCE, format!("another fleetd runs after {way}"), || {
                let (now, state) = (host.main_pid("fleet"), host.show("fleet", "ActiveState"));
                if now != old && state == "active" { Ok(()) } else { Err(format!("{now} {state}")) }
            });
        }
        fleet.await_machines(3);
        // The new one has adopted what it found; it must not think better of it later.
        throughout(TTL, || assert_eq!(fleet.processes(&places), before, "after {way}"));
    }
    assert_eq!(fleet.await_active(6), places);
}

#[test]
fn units_keep_running_while_the_store_is_away() {
    let fleet = Fleet::of(3);
    let template = fleet.write("hello@.service", &sleeper(""));
    let files: Vec<_> = (1..=3).map(|n| template.replace("@.", &format!("@{n}."))).collect();
    fleet.fleetctl(&["start", &files[0], &files[1], &files[2]]).good();
    let places = fleet.await_active(3);
    let before = fleet.processes(&places);

    for host in fleet.hosts() {
        host.read(["systemctl", "stop", "etcd"]).unwrap();
    }
    throughout(TTL * 2, || assert_eq!(fleet.processes(&places), before));
    for host in fleet.hosts() {
        host.read(["systemctl", "start", "--no-block", "etcd"]).unwrap();
    }

    fleet.await_machines(3);
    assert_eq!(fleet.await_active(3), places);
    assert_eq!(fleet.processes(&places), before);
}

#[test]
fn a_host_whose_own_etcd_is_away_goes_on_through_the_others() {
    let fleet = Fleet::of(3);
    let template = fleet.write("hello@.service", &sleeper(""));
    let files: Vec<_> = (1..=3).map(|n| template.replace("@.", &format!("@{n}."))).collect();
    fleet.fleetctl(&["start", &files[0], &files[1], &files[2]]).good();
    let places = fleet.await_active(3);
    let before = fleet.processes(&places);
    let host = Systemd(fleet.host(3));
    let id = host.machine_id().unwrap();
    let environment = host.show("fleet", "Environment");
    assert!(environment.contains("FLEET_ETCD_SERVERS=http://127.0.0.1:2379"), "{environment}");
    let pinned = fleet.write("pinned.service", &sleeper(&format!("MachineID={id}")));

    host.read(["systemctl", "stop", "etcd"]).unwrap();

    let works = |when: &str| {
        assert!(!host.is_active("etcd.service"), "{when}");
        fleet.fleetctl(&["start", &pinned]).good();
        assert!(host.is_active("pinned.service"), "{when}");
        fleet.fleetctl_on(&host, &["destroy", "pinned.service"]).good();
        assert!(!host.is_active("pinned.service"), "{when}");
        let machines = fleet.machines_from(&host);
        assert!(machines.len() == 3 && machines.contains(&id), "{when}: {machines:?}");
    };
    works("without its own etcd");
    throughout(TTL * 2, || assert_eq!(fleet.processes(&places), before));
    works("after its lease would have run out");
    // Whoever is started now has nobody to ask.
    host.read(["systemctl", "restart", "fleet"]).unwrap();
    fleet.await_machines(3);
    works("restarted");

    host.read(["systemctl", "start", "etcd"]).unwrap();
    for other in [1, 2].map(|number| fleet.host(number)) {
        other.read(["systemctl", "stop", "etcd"]).unwrap();
        other.read(["systemctl", "start", "--no-block", "etcd"]).unwrap();
    }
    fleet.await_machines(3);
    assert_eq!(fleet.await_active(3), places);
    assert_eq!(fleet.processes(&places), before);
}
