//! One machine with nothing configured: no etcd, and what a command confirmed stays.

use std::collections::BTreeSet;
use std::sync::Mutex;

use fleet_tests::wait::{throughout, until};

use crate::fixture::{Fleet, PATIENCE, Systemd, TTL, sleeper};
use crate::session;

/// Confirmed commands before the power goes, from several operators at once.
const CONFIRMED: usize = 20;
const OPERATORS: usize = 4;

#[test]
fn a_machine_with_nothing_configured_plays_the_session_without_etcd() {
    let fleet = Fleet::alone();
    let host = Systemd(fleet.host(1));
    assert_eq!(host.read(["sh", "-c", "ls /etc/fleet; pgrep -x etcd; true"]).unwrap(), "");

    session::play(&fleet);
}

#[test]
fn units_of_a_machine_that_is_alone_keep_their_processes_when_fleetd_is_killed_or_restarted() {
    let fleet = Fleet::alone();
    let host = Systemd(fleet.host(1));
    let template = fleet.write("hello@.service", &sleeper(""));
    let files: Vec<_> = (1..=4).map(|n| template.replace("@.", &format!("@{n}."))).collect();
    fleet.fleetctl(&["start", &files[0], &files[1], &files[2]]).good();
    let places = fleet.await_active(3);
    let processes = || -> Vec<_> { places.keys().map(|unit| host.main_pid(unit)).collect() };
    let before = processes();
    let since = host.read(["date", "+%Y-%m-%d %H:%M:%S"]).unwrap();

    let ways = [
        &["systemctl", "kill", "--signal=KILL", "--kill-who=main", "fleet"][..],
        &["systemctl", "restart", "fleet"],
    ];
    for way in ways {
        let old = host.main_pid("fleet");
        host.read(way).unwrap();
        until(PATIENCE, format!("another fleetd runs after {way:?}"), || {
            let (now, state) = (host.main_pid("fleet"), host.show("fleet", "ActiveState"));
            if now != old && state == "active" { Ok(()) } else { Err(format!("{now} {state}")) }
        });
        assert_eq!(fleet.await_active(3), places);
        throughout(TTL, || assert_eq!(processes(), before, "after {way:?}"));
    }

    // It leads again, and has taken nothing for lost.
    fleet.fleetctl(&["start", &files[3]]).good();
    let since = format!("--since={}", since.trim());
    let journal = host.read(["journalctl", "--unit=fleet", "--output=cat", &since]).unwrap();
    let told = journal.lines().filter(|line| line.contains("vanished") || line.contains("lost"));
    assert_eq!(told.collect::<Vec<_>>(), Vec::<&str>::new());
}

#[test]
fn what_was_confirmed_while_the_power_went_runs_after_it_is_back() {
    let fleet = Fleet::alone();
    let host = fleet.host(1);
    let template = fleet.write("burst@.service", &sleeper(""));
    let confirmed = Mutex::new(BTreeSet::new());

    std::thread::scope(|scope| {
        let (fleet, template, confirmed) = (&fleet, &template, &confirmed);
        for operator in 0..OPERATORS {
            scope.spawn(move || {
                for n in 0.. {
                    let name = format!("burst@{operator}-{n}.service");
                    let path = template.replace("burst@.service", &name);
                    let line = ["fleetctl", "start", &path];
                    let done = fleet.host(1).output(line, b"");
                    if !done.is_ok_and(|done| done.status.success()) {
                        return;
                    }
                    confirmed.lock().unwrap().insert(name);
                }
            });
        }
        until(PATIENCE, "enough commands are confirmed", || {
            let count = confirmed.lock().unwrap().len();
            if count >= CONFIRMED { Ok(()) } else { Err(count) }
        });
        host.power_off().unwrap();
    });
    fleet.boot(&host);

    let confirmed = confirmed.into_inner().unwrap();
    until(PATIENCE, "all that was confirmed runs", || {
        let units = fleet.units();
        let running = units.iter().filter(|unit| unit.active == "active");
        let running: BTreeSet<_> = running.map(|unit| unit.unit.clone()).collect();
        let missing: Vec<_> = confirmed.difference(&running).cloned().collect();
        if missing.is_empty() { Ok(()) } else { Err(format!("{missing:?} of {units:?}")) }
    });
    let arguments = ["list-unit-files", "--no-legend", "--fields=unit,dstate,state"];
    let files = fleet.fleetctl(&arguments).good().stdout;
    for unit in &confirmed {
        let row = files.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let row = row.into_iter().find(|row| row[0] == unit).unwrap();
        assert_eq!(row[1..], ["launched", "launched"], "{unit}");
    }
}

#[test]
fn etcd_beside_units_of_the_machine_is_refused_and_they_run_on() {
    let fleet = Fleet::alone();
    let host = Systemd(fleet.host(1));
    let path = fleet.write("hello.service", &sleeper(""));
    fleet.fleetctl(&["start", &path]).good();
    let process = host.main_pid("hello.service");

    host.write("/etc/fleet/fleet.conf", b"etcd_servers=http://127.0.0.1:2379\n").unwrap();
    let restart = host.output(["systemctl", "restart", "fleet"], b"").unwrap();

    assert!(!restart.status.success(), "{restart:?}");
    let said = "/var/lib/fleet/store.redb holds 1 unit of this machine, and etcd is to be used: \
                etcd_servers is set (/etc/fleet/fleet.conf line 1); set store=embedded to go on \
                with them, or move the file away to leave them behind";
    until(PATIENCE, "fleetd says why", || {
        let journal = host.read(["journalctl", "--unit=fleet", "--output=cat"]).unwrap();
        if journal.contains(said) { Ok(()) } else { Err(journal) }
    });
    assert_eq!(host.main_pid("hello.service"), process);

    host.write("/etc/fleet/fleet.conf", b"store=embedded\n").unwrap();
    host.read(["systemctl", "reset-failed", "fleet.service", "fleet.socket"]).unwrap();
    host.read(["systemctl", "restart", "fleet.socket", "fleet.service"]).unwrap();
    assert_eq!(fleet.await_active(1).into_keys().collect::<Vec<_>>(), ["hello.service"]);
    assert_eq!(host.main_pid("hello.service"), process);
}
