//! Machines that are there although something says otherwise, and some that only seem to be.

use fleet_tests::Host;
use fleet_tests::wait::{throughout, until};

use crate::fixture::{Fleet, PATIENCE, PHRASE, Systemd, TTL, Undo, sleeper};

/// Acceptance row 17.
#[test]
fn a_second_host_with_the_machine_id_of_another_is_told_who_holds_it() {
    let fleet = Fleet::of(3);
    let (first, second) = (fleet.host(2), Systemd(fleet.host(3)));
    let id = first.machine_id().unwrap();

    let own = second.machine_id().unwrap();
    let disguised = Undo::new(&second, IDENTIFY.replace("ID", &own));
    identify(&second, &id);

    let complaint = until(PATIENCE, "the second host is refused", || {
        let listed = fleet.fleetctl_on(&second, &["list-machines"]);
        if listed.code == 1 { Ok(listed.stderr) } else { Err(format!("{listed:?}")) }
    });
    let (name, address) = (first.name(), first.address());
    let holder = format!("{PHRASE}: the machine-id {id} is held by host {name} ({address})");
    assert!(complaint.contains(&holder), "{complaint}");
    assert!(second.is_active("fleet.service"));
    assert_eq!(fleet.fleetctl_on(&first, &["list-machines"]).code, 0);

    // At once: nothing of the other host's stands in the way of an id of its own.
    let other = second.read(["systemd-id128", "new"]).unwrap().trim().to_owned();
    identify(&second, &other);
    let listed = fleet.machines_from(&second);
    assert!(listed.contains(&other), "{listed:?}");
    drop(disguised);
    fleet.await_machines(3);
}

#[test]
fn a_healthy_machine_whose_lease_the_store_drops_keeps_its_units() {
    let fleet = Fleet::of(3);
    let template = fleet.write("hello@.service", &sleeper(""));
    let files: Vec<_> = (1..=3).map(|n| template.replace("@.", &format!("@{n}."))).collect();
    fleet.fleetctl(&["start", &files[0], &files[1], &files[2]]).good();
    let places = fleet.await_active(3);
    let before = fleet.processes(&places);

    for host in fleet.hosts() {
        let id = host.machine_id().unwrap();
        let script = format!(
            "etcdctl lease revoke $(etcdctl get --write-out=json /_coreos.com/fleet/machines/{id} \
             | sed 's/.*\"lease\":\\([0-9]*\\).*/\\1/' | xargs printf %x)"
        );
        fleet.host(1).read(["sh", "-c", &script]).unwrap();
        fleet.await_machines(3);
    }

    throughout(TTL, || assert_eq!(fleet.processes(&places), before));
    assert_eq!(fleet.await_active(3), places);
}

#[test]
fn a_store_restored_from_an_older_backup_is_followed_once_an_operator_says_so() {
    let fleet = Fleet::of(3);
    let (old, new) = (fleet.write("old.service", &sleeper("")), sleeper(""));
    fleet.fleetctl(&["start", &old]).good();
    fleet.host(1).read(["etcdctl", "snapshot", "save", "/root/backup"]).unwrap();
    let backup = fleet.host(1).output(["cat", "/root/backup"], b"").unwrap().stdout;
    let new = fleet.write("new.service", &new);
    fleet.fleetctl(&["start", &new]).good();
    fleet.fleetctl(&["destroy", "old.service"]).good();
    let places = fleet.await_active(1);
    let holder = Systemd(fleet.host_of(&places["new.service"]));
    let pid = holder.main_pid("new.service");
    // A machine at rest hears with the renewal of its lease how far the store has come.
    let now = fleet.host(1).read(["etcdctl", "get", "--write-out=json", "/"]).unwrap();
    let now: serde_json::Value = serde_json::from_str(&now).unwrap();
    let before = now["header"]["revision"].as_u64().unwrap();
    for host in fleet.hosts() {
        until(PATIENCE, "the machine has seen the store as it is", || {
            let seen = seen(&host);
            if seen >= before { Ok(()) } else { Err(format!("{seen}, not {before}")) }
        });
    }

    let member =
        |host: Host| format!("{}=http://{}:2380", host.machine_id().unwrap(), host.address());
    let members = fleet.hosts().into_iter().map(member).collect::<Vec<_>>().join(",");
    for host in fleet.hosts() {
        host.read(["systemctl", "stop", "etcd"]).unwrap();
        host.write("/root/backup", &backup).unwrap();
    }
    for host in fleet.hosts() {
        let url = format!("http://{}:2380", host.address());
        host.read(["sh", "-c", RESTORE, "sh", &members, &url]).unwrap();
    }
    for host in fleet.hosts() {
        host.read(["systemctl", "start", "--no-block", "etcd"]).unwrap();
    }

    for host in fleet.hosts() {
        until(PATIENCE, "the store is doubted", || {
            let listed = fleet.fleetctl_on(&host, &["list-units"]);
            let is_doubted = listed.stderr.contains("the store went back from revision");
            if is_doubted && listed.code == 1 { Ok(()) } else { Err(format!("{listed:?}")) }
        });
    }
    throughout(TTL * 2, || {
        assert_eq!(holder.main_pid("new.service"), pid);
        let running = fleet.hosts().into_iter().map(Systemd);
        assert!(!running.into_iter().any(|host| host.is_active("old.service")));
    });

    for host in fleet.hosts() {
        host.read(["rm", "/run/fleet/seen"]).unwrap();
        host.read(["systemctl", "restart", "fleet"]).unwrap();
    }
    fleet.await_machines(3);
    until(PATIENCE, "the unit of the backup runs again", || {
        let units = fleet.units();
        let is_back = units.iter().any(|row| row.unit == "old.service" && row.active == "active");
        if is_back { Ok(()) } else { Err(format!("{units:?}")) }
    });
    // Nobody asks for the other one, and nobody stops it.
    assert_eq!(holder.main_pid("new.service"), pid);

    // Asked for anew, it runs once, wherever that is.
    fleet.fleetctl(&["start", &new]).good();
    fleet.await_active(2);
    until(PATIENCE, "one copy runs", || {
        let hosts = fleet.hosts().into_iter().map(Systemd);
        let running = hosts.filter(|host| host.is_active("new.service")).count();
        if running == 1 { Ok(()) } else { Err(format!("{running}")) }
    });
}

/// Replaces the data of a member that is stopped by those of the backup; `$1` are all members, `$2`
/// is the URL of this one.
const RESTORE: &str = r#"
set -eu
rm -rf /var/lib/etcd/default
# What told them apart from other clusters was where they found each other.
token=$(systemctl show --property=Environment etcd | tr ' ' '\n' | sed -n 's/^ETCD_DISCOVERY=//p')
etcdctl snapshot restore /root/backup --data-dir=/var/lib/etcd/default \
    --initial-cluster-token="$token" --name="$(cat /etc/machine-id)" --initial-cluster="$1" --initial-advertise-peer-urls="$2"
rm -f /root/backup
chown -R etcd: /var/lib/etcd
"#;

/// The newest revision that fleet on this host has written down.
fn seen(host: &Host) -> u64 {
    let record = host.read(["cat", "/run/fleet/seen"]).unwrap();
    let record: serde_json::Value = serde_json::from_str(&record).unwrap();
    record["revision"].as_u64().unwrap()
}

/// Gives a host another machine-id; the one that it had leaves the cluster in order.
const IDENTIFY: &str = "systemctl stop fleet && echo ID >/etc/machine-id && systemctl start fleet";

fn identify(host: &Host, id: &str) {
    host.read(["sh", "-c", &IDENTIFY.replace("ID", id)]).unwrap();
}
