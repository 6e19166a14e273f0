//! One machine with nothing configured: no etcd, and what a command confirmed stays.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fleet_tests::Host;
use fleet_tests::wait::{throughout, until};

use crate::fixture::{Fleet, PATIENCE, Systemd, TTL_OF_ALONE, sleeper};
use crate::session;

/// Units with a confirmed command before each end, from several operators at once.
const CONFIRMED: usize = 20;
const OPERATORS: usize = 4;

/// Units of an operator whom no end stops.
const MOST: usize = 200;

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
        assert_eq!(processes(), before, "after {way:?}");
    }
    // Longer than the lease of any of them lasts.
    let ended = TTL_OF_ALONE + Duration::from_secs(5);
    throughout(ended, || assert_eq!(processes(), before));

    // It leads again, and has taken nothing for lost.
    fleet.fleetctl(&["start", &files[3]]).good();
    let since = format!("--since={}", since.trim());
    let journal = host.read(["journalctl", "--unit=fleet", "--output=cat", &since]).unwrap();
    let told = journal.lines().filter(|line| line.contains("vanished") || line.contains("lost"));
    assert_eq!(told.collect::<Vec<_>>(), Vec::<&str>::new());
}

/// What an operator was told last of a unit: what is wanted, what is so, and what systemd says; nothing
/// of one that is gone.
type Word = Option<[&'static str; 3]>;

const RUNS: Word = Some(["launched", "launched", "active"]);
const STOPPED: Word = Some(["loaded", "loaded", "inactive"]);

/// Starts units, stops some and destroys others, until a command fails or somebody says so; notes each
/// command that is confirmed.
fn operate(
    host: &Host,
    instances: &str,
    is_over: &AtomicBool,
    told: &Mutex<BTreeMap<String, Word>>,
) {
    let done = |verb, unit: &str| {
        let done = host.output(["fleetctl", verb, unit], b"");
        done.is_ok_and(|done| done.status.success())
    };
    let units = (0..MOST).map(|n| (n, format!("{instances}{n}.service")));
    for (n, unit) in units.take_while(|_| !is_over.load(Ordering::Relaxed)) {
        if !done("start", &format!("/root/units/{unit}")) {
            return;
        }
        told.lock().unwrap().insert(unit.clone(), RUNS);
        let (verb, word) = match n % 4 {
            1 => ("stop", STOPPED),
            2 => ("destroy", None),
            _ => continue,
        };
        // From now on until it is confirmed, either may be so.
        told.lock().unwrap().remove(&unit);
        if !done(verb, &unit) {
            return;
        }
        told.lock().unwrap().insert(unit, word);
    }
}

/// What is so of each of these units.
fn words<'a>(
    fleet: &Fleet,
    units: impl Iterator<Item = &'a String>,
) -> BTreeMap<String, Option<[String; 3]>> {
    let line = ["list-unit-files", "--no-legend", "--fields=unit,dstate,state"];
    let listed = fleet.fleetctl(&line).stdout;
    let rows = listed.lines().map(|line| line.split_whitespace().map(str::to_owned));
    let rows: BTreeMap<String, Vec<String>> =
        rows.filter_map(|mut row| Some((row.next()?, row.collect()))).collect();
    let host = Systemd(fleet.host(1));
    let word = |unit: &String| {
        let [wanted, found] = rows.get(unit)?.as_slice() else { return None };
        Some([wanted.clone(), found.clone(), host.show(unit, "ActiveState")])
    };
    units.map(|unit| (unit.clone(), word(unit))).collect()
}

#[test]
fn what_was_confirmed_when_fleetd_was_killed_or_the_power_went_stays_so() {
    let fleet = Fleet::alone();
    let host = fleet.host(1);
    fleet.write("burst@.service", &sleeper(""));
    let told = Mutex::new(BTreeMap::new());
    let kill = ["systemctl", "kill", "--signal=KILL", "--kill-who=main", "fleet"];
    let ends: [(_, &dyn Fn()); 2] =
        [("kill", &|| drop(host.read(kill).unwrap())), ("power", &|| host.power_off().unwrap())];

    for (round, (way, end)) in (1..).zip(ends) {
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for operator in 0..OPERATORS {
                let (host, told, is_over) = (&host, &told, &is_over);
                let instances = format!("burst@{way}-{operator}-");
                scope.spawn(move || operate(host, &instances, is_over, told));
            }
            until(PATIENCE, "enough commands are confirmed", || {
                let count = told.lock().unwrap().len();
                if count >= round * CONFIRMED { Ok(()) } else { Err(count) }
            });
            end();
            is_over.store(true, Ordering::Relaxed);
        });
        host.bring_up().unwrap();

        let told = told.lock().unwrap();
        assert!(told.values().any(Option::is_none), "{told:?}");
        let told: BTreeMap<_, _> = told
            .iter()
            .map(|(unit, word)| (unit.clone(), word.map(|word| word.map(str::to_owned))))
            .collect();
        until(PATIENCE, format!("all is as it was confirmed before {way}"), || {
            let found = words(&fleet, told.keys());
            if found == told { Ok(()) } else { Err(format!("{found:?}, not {told:?}")) }
        });
        for gone in told.iter().filter(|(_, word)| word.is_none()).map(|(unit, _)| unit) {
            assert_eq!(Systemd(host.clone()).show(gone, "ActiveState"), "inactive", "{gone}");
        }
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
