//! Many machines, or most of the store, lost at once.

use fleet_tests::Host;
use fleet_tests::wait::{throughout, until};

use crate::fixture::{Finished, Fleet, PATIENCE, PHRASE, Systemd, TTL, Undo, sleeper};

/// Ends the leases of the machines `$@` at once: left alone, they would end a second or two apart.
const REVOKE: &str = "\
    for id; do
        key=/_coreos.com/fleet/machines/$id
        lease=$(etcdctl get --write-out=json $key | sed 's/.*\"lease\":\\([0-9]*\\).*/\\1/')
        leases=\"$leases $(printf %x $lease)\"
    done
    for lease in $leases; do etcdctl lease revoke $lease & done
    wait";

/// Three of four machines vanish within a TTL: the network is more likely than so many deaths.
#[test]
fn units_of_machines_that_vanish_together_wait_for_them_while_new_units_start() {
    let fleet = Fleet::of(4);
    let template = fleet.write("hello@.service", &sleeper("Conflicts=hello@*.service"));
    let files: Vec<_> = (1..=4).map(|n| template.replace("@.", &format!("@{n}."))).collect();
    fleet.fleetctl(&["start", &files[0], &files[1], &files[2], &files[3]]).good();
    let mut places = fleet.await_active(4);
    let first = Systemd(fleet.host(1));
    let id = first.machine_id().unwrap();
    // Room for one that would move.
    let (free, _) = places.clone().into_iter().find(|(_, machine)| *machine == id).unwrap();
    fleet.fleetctl(&["destroy", &free]).good();
    places.remove(&free);
    let before = fleet.processes(&places);
    let frozen = fleet.hosts().split_off(1);
    let thawed: Vec<_> = frozen
        .iter()
        .map(|host| Undo::new(host, "systemctl kill --signal=CONT --kill-who=main fleet"))
        .collect();
    for host in &frozen {
        host.read(["systemctl", "kill", "--signal=STOP", "--kill-who=main", "fleet"]).unwrap();
    }
    let ids = frozen.iter().map(|host| host.machine_id().unwrap()).collect::<Vec<_>>();
    let line = ["sh", "-c", REVOKE, "sh"].into_iter().chain(ids.iter().map(String::as_str));
    first.read(line).unwrap();

    let is_told = |listed: &Finished| listed.stderr.contains("most machines vanished at once");
    until(PATIENCE, "the list tells of it", || {
        let listed = fleet.fleetctl(&["list-machines"]);
        if is_told(&listed) { Ok(()) } else { Err(format!("{listed:?}")) }
    });
    let later = fleet.write("later.service", &sleeper(""));
    fleet.fleetctl(&["start", &later]).good();

    assert!(first.is_active("later.service"));
    let line = ["systemctl", "list-units", "--plain", "--no-legend", "hello@*"];
    assert_eq!(first.read(line).unwrap(), "", "one has moved");
    assert_eq!(fleet.processes(&places), before);
    drop(thawed);
    until(PATIENCE, "it is over", || {
        let listed = fleet.fleetctl(&["list-machines", "--no-legend"]);
        let is_over = listed.stdout.lines().count() == 4 && !is_told(&listed);
        if is_over { Ok(()) } else { Err(format!("{listed:?}")) }
    });
    // The last to return may have lost its unit to a free machine by then.
    until(PATIENCE, "each unit runs once", || {
        let run = |host: &Host| host.read(line.iter().chain(&["--state=active"])).unwrap();
        let shown = fleet.hosts().iter().map(run).collect::<String>();
        let mut found: Vec<_> = shown.lines().filter_map(|line| line.split(' ').next()).collect();
        found.sort_unstable();
        if found.iter().eq(places.keys()) { Ok(()) } else { Err(shown) }
    });
}

#[test]
fn one_member_of_etcd_is_not_missed_and_without_most_of_them_units_run_on() {
    let fleet = Fleet::of(3);
    let template = fleet.write("hello@.service", &sleeper(""));
    let files: Vec<_> = (1..=4).map(|n| template.replace("@.", &format!("@{n}."))).collect();
    fleet.fleetctl(&["start", &files[0], &files[1], &files[2]]).good();
    let back = "systemctl start --no-block etcd";
    let lost: Vec<_> = fleet.hosts()[..2].iter().map(|host| Undo::new(host, back)).collect();

    fleet.host(1).read(["systemctl", "stop", "etcd"]).unwrap();
    fleet.fleetctl(&["start", &files[3]]).good();
    let places = fleet.await_active(4);
    let before = fleet.processes(&places);
    fleet.host(2).read(["systemctl", "stop", "etcd"]).unwrap();

    until(PATIENCE, "a command says so", || {
        let listed = fleet.fleetctl(&["list-units"]);
        let is_told = listed.code == 1 && listed.stderr.contains(PHRASE);
        if is_told { Ok(()) } else { Err(format!("{listed:?}")) }
    });
    throughout(TTL, || assert_eq!(fleet.processes(&places), before));
    drop(lost);
    fleet.await_machines(3);
    assert_eq!(fleet.await_active(4), places);
    assert_eq!(fleet.processes(&places), before);
}
