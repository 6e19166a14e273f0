//! Units that are restarted, replaced and stopped: what systemd did of it, and where.

use fleet_tests::Host;
use fleet_tests::wait::until;
use serde_json::json;

use crate::fixture::{Fleet, PATIENCE, SLOW_TO_STOP, Systemd, sleeper};
use crate::http;

/// The same with another process.
const OTHER: &str = "[Service]\nExecStart=/bin/sleep 1000000\n";

/// A word of systemd for a unit, when it came in seconds.
type Job = (f64, String);

/// What systemd has said of a unit since, such as `Stopped`, and when. All hosts have one clock.
fn jobs_of(host: &Systemd, unit: &str, cursor: &str) -> Vec<Job> {
    let job = |(time, message): (f64, String)| {
        let (verb, of) = message.split_once(' ')?;
        let known = ["Starting", "Started", "Stopping", "Stopped"].contains(&verb);
        (known && of.split([' ', '.']).next() == unit.split('.').next())
            .then(|| (time, verb.to_owned()))
    };
    host.said_by_systemd(cursor).into_iter().filter_map(job).collect()
}

fn verbs(jobs: &[Job]) -> Vec<&str> {
    jobs.iter().map(|(_, verb)| verb.as_str()).collect()
}

/// What each machine has of a unit, as systemd sees it; `inactive` for machines that never had it.
fn actives(hosts: &[Host], unit: &str) -> Vec<String> {
    hosts.iter().map(|host| Systemd(host.clone()).show(unit, "ActiveState")).collect()
}

/// Acceptance row 35.
#[test]
fn restarted_units_get_new_processes_once_and_stay_where_they_are() {
    let fleet = Fleet::of(3);
    let paths: Vec<String> =
        ["a", "b", "c"].map(|name| fleet.write(&format!("{name}.service"), SLOW_TO_STOP)).into();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    fleet.fleetctl(&[&["start"], paths.as_slice()].concat()).good();
    let places = fleet.await_active(3);
    let before = fleet.processes(&places);
    let hosts: Vec<Systemd> = fleet.hosts().into_iter().map(Systemd).collect();
    let cursors: Vec<String> = hosts.iter().map(Systemd::journal_cursor).collect();

    let restarted = fleet.fleetctl(&["restart", "a", "b.service", "c"]).good();

    assert_eq!((restarted.stdout.lines().count(), &*restarted.stderr), (3, ""), "{restarted:?}");
    assert_eq!(fleet.await_active(3), places);
    let after = fleet.processes(&places);
    assert!(before.iter().all(|(unit, process)| after[unit] != *process), "{before:?} {after:?}");
    let jobs = hosts.iter().zip(&cursors).flat_map(|(host, cursor)| host.jobs_since(cursor));
    let mut jobs: Vec<String> = jobs.collect();
    jobs.sort();
    let expected = ["Started", "Stopped", "Stopping"]
        .map(|verb| ["a", "b", "c"].map(|name| format!("{verb} {name}.service")));
    assert_eq!(jobs, expected.concat());

    let stopped = fleet.fleetctl(&["stop", "a", "b", "c"]).good();
    assert!(stopped.stderr.contains("Successfully stopped units"), "{stopped:?}");
    fleet.await_active(0);
}

#[test]
fn a_restart_starts_what_is_loaded_and_leaves_alone_what_is_inactive_or_unknown() {
    let fleet = Fleet::of(1);
    let host = Systemd(fleet.host(1));
    for (verb, name) in [("submit", "idle.service"), ("load", "held.service")] {
        let path = fleet.write(name, &sleeper(""));
        fleet.fleetctl(&[verb, &path]).good();
    }

    let restarted = fleet.fleetctl(&["restart", "idle", "held", "lost"]);

    assert_eq!(restarted.code, 1, "{restarted:?}");
    let expected = "Error creating units: unable to find Unit(lost.service) in Registry or on \
                    filesystem\nUnable to restart unit idle.service in state inactive\n";
    assert_eq!(restarted.stderr, expected);
    assert_eq!(fleet.unit_files(), ["held.service", "idle.service"]);
    assert!(host.is_active("held.service"));
    assert_eq!(host.show("idle.service", "LoadState"), "not-found");
}

/// Acceptance row 34.
#[test]
fn each_command_replaces_units_that_are_to_do_no_more_than_it_asks_for() {
    let fleet = Fleet::of(3);
    for (verb, count) in [("submit", 9), ("load", 6), ("start", 3)] {
        let names: Vec<String> = (1..=count).map(|n| format!("{verb}{n}.service")).collect();
        let write = |text: &str| -> Vec<String> {
            names.iter().map(|name| fleet.write(name, text)).collect()
        };
        let paths = write(SLOW_TO_STOP);
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        fleet.fleetctl(&[&[verb], paths.as_slice()].concat()).good();
        write(OTHER);

        let replaced = fleet.fleetctl(&[&[verb, "--replace"], paths.as_slice()].concat()).good();

        assert_eq!(replaced.stderr, "");
        let texts = names.iter().map(|name| fleet.fleetctl(&["cat", name]).good().stdout);
        assert_eq!(texts.collect::<Vec<_>>(), vec![OTHER; names.len()]);
        for lower in ["submit", "load", "start"].into_iter().take_while(|lower| *lower != verb) {
            let refused = fleet.fleetctl(&[lower, "--replace", paths[0]]).good();
            assert!(refused.stdout.contains("Found same Unit"), "{refused:?}");
            fleet.write(&names[0], SLOW_TO_STOP);
            let refused = fleet.fleetctl(&[lower, "--replace", paths[0]]).good();
            assert!(refused.stderr.contains("use the appropriate command"), "{refused:?}");
            fleet.write(&names[0], OTHER);
        }
    }
    assert_eq!(fleet.await_active(3).len(), 3);
}

#[test]
fn replacing_touches_only_units_whose_text_changed_and_keeps_their_machines() {
    let fleet = Fleet::of(2);
    let names = ["changed.service", "commented.service", "same.service"];
    let paths = names.map(|name| fleet.write(name, SLOW_TO_STOP));
    let start: Vec<&str> = [&["start"], paths.each_ref().map(String::as_str).as_slice()].concat();
    fleet.fleetctl(&start).good();
    let places = fleet.await_active(3);
    // Were it placed anew, it would leave the fuller machine.
    let taken = &places["changed.service"];
    let fillers = (1..=3).map(|number| {
        fleet.write(&format!("filler{number}.service"), &sleeper(&format!("MachineID={taken}")))
    });
    let fillers: Vec<String> = fillers.collect();
    let fillers: Vec<&str> = fillers.iter().map(String::as_str).collect();
    fleet.fleetctl(&[&["start"], fillers.as_slice()].concat()).good();
    let places = fleet.await_active(6);
    let before = fleet.processes(&places);
    let host = Systemd(fleet.host_of(taken));
    let cursor = host.journal_cursor();
    fleet.write("changed.service", OTHER);
    fleet.write("commented.service", &format!("# why\n{SLOW_TO_STOP}"));

    let replace = [&["start", "--replace"], &start[1..]].concat();
    let replaced = fleet.fleetctl(&replace).good();

    let same = "Found same Unit(same.service) in Registry, nothing to do";
    assert!(replaced.stdout.contains(same), "{replaced:?}");
    assert_eq!(fleet.await_active(6), places);
    let after = fleet.processes(&places);
    let changed = |unit: &&String| before[*unit] != after[*unit];
    assert_eq!(before.keys().filter(changed).collect::<Vec<_>>(), ["changed.service"]);
    let jobs = jobs_of(&host, "changed.service", &cursor);
    assert_eq!(verbs(&jobs), ["Stopping", "Stopped", "Started"], "never both at a time");
    let texts = names.map(|name| fleet.fleetctl(&["cat", name]).good().stdout);
    let expected = [OTHER.to_owned(), format!("# why\n{SLOW_TO_STOP}"), SLOW_TO_STOP.to_owned()];
    assert_eq!(texts, expected);
    let again = fleet.fleetctl(&replace).good();
    assert_eq!(again.stdout.matches("Found same Unit").count(), 3, "{again:?}");
    assert_eq!(fleet.processes(&places), after);
}

#[test]
fn a_replacement_that_does_not_suit_the_machine_moves_the_unit_which_stops_first() {
    let fleet = Fleet::of(2);
    let path = fleet.write("mover.service", SLOW_TO_STOP);
    fleet.fleetctl(&["start", &path]).good();
    let old = fleet.await_active(1).remove("mover.service").unwrap();
    let new = fleet.machines_from(&fleet.host(1)).into_iter().find(|id| *id != old).unwrap();
    let [from, to] = [&old, &new].map(|machine| Systemd(fleet.host_of(machine)));
    let cursors = [from.journal_cursor(), to.journal_cursor()];
    fleet.write("mover.service", &sleeper(&format!("MachineID={new}")));

    let replaced = fleet.fleetctl(&["start", "--replace", &path]).good();

    assert_eq!(replaced.stdout.lines().count(), 1, "{replaced:?}");
    assert_eq!(fleet.await_active(1)["mover.service"], new);
    let ended = jobs_of(&from, "mover.service", &cursors[0]);
    let begun = jobs_of(&to, "mover.service", &cursors[1]);
    assert_eq!((verbs(&ended), verbs(&begun)), (vec!["Stopping", "Stopped"], vec!["Started"]));
    assert!(ended[1].0 < begun[0].0, "{ended:?} {begun:?}");
    assert_eq!(from.show("mover.service", "LoadState"), "not-found");
}

#[test]
fn one_request_of_1_0_with_options_and_a_state_replaces_in_place_too() {
    let fleet = Fleet::of(2);
    let path = fleet.write("hello.service", SLOW_TO_STOP);
    fleet.fleetctl(&["start", &path]).good();
    let places = fleet.await_active(1);
    let host = Systemd(fleet.host_of(&places["hello.service"]));
    let cursor = host.journal_cursor();
    let option = json!({"section": "Service", "name": "ExecStart", "value": "/bin/sleep 1000000"});
    let body = json!({"name": "hello.service", "desiredState": "launched", "options": [option]});

    let answer = http::send(&fleet.host(1), "PUT", "/fleet/v1/units/hello.service", &body);

    assert_eq!(answer.status, 201, "{answer:?}");
    until(PATIENCE, "systemd has started the new text", || {
        let jobs = jobs_of(&host, "hello.service", &cursor);
        if verbs(&jobs) == ["Stopping", "Stopped", "Started"] {
            Ok(())
        } else {
            Err(format!("{jobs:?}"))
        }
    });
    assert_eq!(fleet.await_active(1), places);
}

#[test]
fn an_instance_is_replaced_by_the_template_beside_it_and_else_by_that_of_the_registry() {
    let fleet = Fleet::of(1);
    let text = |seconds: u32| format!("[Service]\nExecStart=/bin/sleep {seconds}\n");
    let template = fleet.write("web@.service", &text(10_001));
    let instance = template.replace("@.", "@1.");
    fleet.fleetctl(&["submit", &template]).good();
    fleet.fleetctl(&["start", &instance]).good();
    fleet.write("web@.service", &text(10_002));

    let differs = fleet.fleetctl(&["start", &instance]).good();
    let warning = format!(
        "WARNING: Unit web@1.service in registry differs from local template unit file {template}. \
         Add --replace to override.\n"
    );
    assert_eq!(differs.stderr, warning);
    let cat = || fleet.fleetctl(&["cat", "web@1"]).good().stdout;
    assert_eq!(cat(), text(10_001));

    fleet.fleetctl(&["start", "--replace", &instance]).good();
    assert_eq!(cat(), text(10_002));

    fleet.host(1).read(["rm", &template]).unwrap();
    fleet.fleetctl(&["start", "--replace", &instance]).good();
    assert_eq!(cat(), text(10_001));
    assert_eq!(fleet.await_active(1).len(), 1);
}

#[test]
fn patterns_stand_for_units_of_the_registry_and_one_that_matches_nothing_is_told() {
    let fleet = Fleet::of(2);
    fleet.write("web@.service", &sleeper(""));
    let paths = [1, 2, 3].map(|number| format!("/root/units/web@{number}.service"));
    let submit = [&["submit"], paths.each_ref().map(String::as_str).as_slice()].concat();
    fleet.fleetctl(&submit).good();

    let started = fleet.fleetctl(&["start", "web@*"]).good();
    assert_eq!(started.stdout.lines().count(), 3, "{started:?}");
    let before = fleet.processes(&fleet.await_active(3));
    fleet.fleetctl(&["restart", "web@[12]"]).good();
    let after = fleet.processes(&fleet.await_active(3));
    let same: Vec<_> = before.keys().filter(|unit| before[*unit] == after[*unit]).collect();
    assert_eq!(same, ["web@3.service"]);
    let status = fleet.fleetctl(&["status", "web@*"]).good();
    assert_eq!(status.stdout.matches("Active: active").count(), 3, "{status:?}");
    fleet.fleetctl(&["stop", "web@[12]"]).good();
    fleet.await_active(1);

    let none = ["start", "restart", "stop", "destroy"].map(|verb| {
        let ended = fleet.fleetctl(&[verb, "db@*"]);
        (ended.code, ended.stderr)
    });
    let told = "No unit in the registry matches db@*\n";
    assert_eq!(none, [1, 1, 0, 0].map(|code| (code, told.to_owned())));
    let destroyed = fleet.fleetctl(&["destroy", "*"]).good();
    assert_eq!(destroyed.stdout.matches("Destroyed web@").count(), 3, "{destroyed:?}");
    assert_eq!(fleet.unit_files(), Vec::<String>::new());
}

#[test]
fn of_several_units_the_bad_ones_are_named_and_the_good_ones_run() {
    let fleet = Fleet::of(1);
    let good = fleet.write("good.service", &sleeper(""));
    let broken = fleet.write("broken.service", "[Service\n");
    let fails = fleet.write("fails.service", "[Service]\nType=oneshot\nExecStart=/bin/false\n");
    let clash = fleet.write("clash.service", "[X-Fleet]\nGlobal=true\nMachineOf=good.service\n");
    let large = format!("[Service]\nExecStart=/bin/true {}\n", "x".repeat(600 * 1024));
    let large = fleet.write("large.service", &large);

    let started = fleet.fleetctl(&["start", &broken, &fails, &good, &clash, &large, "lost", "a b"]);

    assert_eq!(started.code, 1, "{started:?}");
    let bad = ["broken", "fails", "clash", "large", "lost", "a b"];
    let untold = bad.into_iter().find(|name| {
        !started.stderr.lines().any(|line| line.starts_with("Error ") && line.contains(name))
    });
    assert_eq!(untold, None, "{started:?}");
    assert_eq!(fleet.await_active(1).into_keys().collect::<Vec<_>>(), ["good.service"]);
    assert_eq!(fleet.unit_files(), ["fails.service", "good.service"]);
}

#[test]
fn a_stop_stops_what_only_another_unit_has_started() {
    let fleet = Fleet::of(1);
    let host = Systemd(fleet.host(1));
    let wanted = fleet.write("wanted.service", SLOW_TO_STOP);
    let wants = fleet.write("wants.service", &format!("[Unit]\nWants=wanted.service\n{OTHER}"));
    fleet.fleetctl(&["load", &wanted]).good();
    fleet.fleetctl(&["start", &wants]).good();
    fleet.await_active(2);
    let process = host.main_pid("wants.service");

    let stopped = fleet.fleetctl(&["stop", "wanted"]).good();

    assert_eq!(stopped.stderr, "Successfully stopped units [wanted.service].\n");
    assert_eq!(host.show("wanted.service", "ActiveState"), "inactive");
    assert_eq!(host.main_pid("wants.service"), process);
    let again = fleet.fleetctl(&["stop", "wanted"]).good();
    assert_eq!(again.stderr, "Successfully stopped units [wanted.service].\n");
}

#[test]
fn a_global_unit_is_replaced_on_each_machine_and_leaves_those_that_it_suits_no_more() {
    let fleet = Fleet::of(3);
    fleet.tell_hostnames();
    let path = fleet.write("all.service", &format!("{SLOW_TO_STOP}[X-Fleet]\nGlobal=true\n"));
    fleet.fleetctl(&["start", &path]).good();
    let hosts: Vec<Systemd> = fleet.hosts().into_iter().map(Systemd).collect();
    let replace = |directives: &str| {
        let cursors: Vec<String> = hosts.iter().map(Systemd::journal_cursor).collect();
        fleet.write("all.service", &format!("{OTHER}[X-Fleet]\nGlobal=true\n{directives}"));
        let replaced = fleet.fleetctl(&["start", "--replace", &path]).good();
        let jobs = hosts.iter().zip(&cursors).map(|(host, cursor)| {
            let jobs = jobs_of(host, "all.service", cursor);
            verbs(&jobs).join(" ")
        });
        (replaced.stdout.matches("Unit all.service launched on").count(), jobs.collect::<Vec<_>>())
    };

    let each = "Stopping Stopped Started".to_owned();
    assert_eq!(replace(""), (3, vec![each.clone(), each.clone(), each.clone()]));
    let first = hosts[0].name();
    let gone = "Stopping Stopped".to_owned();
    let only = replace(&format!("MachineMetadata=hostname={first}\n"));
    assert_eq!(only, (1, vec![each, gone.clone(), gone]));
}

#[test]
fn a_machine_that_is_away_holds_nobody_up_and_catches_up_when_it_is_back() {
    let fleet = Fleet::of(3);
    let path = fleet.write("all.service", &sleeper("Global=true"));
    fleet.fleetctl(&["start", &path]).good();
    let away = fleet.host(3);
    let machine = away.machine_id().unwrap();
    away.power_off().unwrap();

    let stopped = fleet.fleetctl(&["stop", "all"]).good();

    let last = stopped.stdout.lines().last().unwrap_or_default();
    let told = format!("Unit all.service is to be loaded on {}", &machine[..8]);
    assert!(last.starts_with(&told) && last.ends_with("when that is back"), "{stopped:?}");
    assert_eq!(actives(&fleet.hosts()[..2], "all.service"), ["inactive"; 2]);
    fleet.boot(&away);
    fleet.await_machines(3);
    until(PATIENCE, "it is loaded on all machines", || {
        let units = fleet.units();
        let loaded = units.iter().filter(|unit| unit.active == "inactive").count();
        if loaded == 3 { Ok(()) } else { Err(format!("{units:?}")) }
    });
    assert_eq!(Systemd(away).show("all.service", "ActiveEnterTimestamp"), "");
}

/// Acceptance row 25, the restart.
#[test]
fn a_restart_of_a_global_unit_is_one_on_each_machine_or_on_one() {
    let fleet = Fleet::of(3);
    let path = fleet.write("all.service", &format!("{SLOW_TO_STOP}[X-Fleet]\nGlobal=true\n"));
    let started = fleet.fleetctl(&["start", &path]).good();
    assert_eq!(started.stdout.matches("Unit all.service launched on").count(), 3, "{started:?}");
    let hosts = fleet.hosts();
    let processes = || -> Vec<String> {
        hosts.iter().map(|host| Systemd(host.clone()).main_pid("all.service")).collect()
    };
    let changed = |before: &[String], after: &[String]| -> Vec<bool> {
        before.iter().zip(after).map(|(before, after)| before != after && after != "0").collect()
    };
    let first = processes();

    let restarted = fleet.fleetctl(&["restart", "all"]).good();
    let second = processes();
    assert_eq!(restarted.stdout.matches("launched on").count(), 3, "{restarted:?}");
    assert_eq!(changed(&first, &second), [true; 3]);

    let machine = hosts[1].machine_id().unwrap();
    let restarted =
        fleet.fleetctl(&["restart", "--sudo", "--machine", &machine[..8], "all"]).good();
    assert!(restarted.stdout.starts_with("Unit all.service restarted on"), "{restarted:?}");
    assert_eq!(changed(&second, &processes()), [false, true, false]);
    assert_eq!(actives(&hosts, "all.service"), ["active"; 3]);
}

#[test]
fn a_machine_that_joins_does_with_a_global_unit_what_the_others_do() {
    let fleet = Fleet::of(2);
    let path = fleet.write("all.service", &sleeper("Global=true"));
    fleet.fleetctl(&["start", &path]).good();
    let hosts = [1, 2, 3].map(|number| fleet.host(number));

    let stopped = fleet.fleetctl(&["stop", "all"]).good();
    assert_eq!(stopped.stdout.matches("Unit all.service loaded on").count(), 2, "{stopped:?}");
    assert_eq!(actives(&hosts[..2], "all.service"), ["inactive"; 2]);
    hosts[2].read(["systemctl", "start", "fleet.socket", "fleet.service"]).unwrap();
    fleet.await_machines(3);
    until(PATIENCE, "the newcomer has loaded it", || {
        let load = Systemd(hosts[2].clone()).show("all.service", "LoadState");
        if load == "loaded" { Ok(()) } else { Err(load) }
    });
    assert_eq!(actives(&hosts, "all.service"), ["inactive"; 3]);

    let started = fleet.fleetctl(&["start", "all"]).good();
    assert_eq!(started.stdout.matches("Unit all.service launched on").count(), 3, "{started:?}");
    assert_eq!(actives(&hosts, "all.service"), ["active"; 3]);

    let unloaded = fleet.fleetctl(&["unload", "all"]).good();
    assert!(unloaded.stdout.contains("Unit all.service inactive"), "{unloaded:?}");
    let loads = hosts.each_ref().map(|host| Systemd(host.clone()).show("all.service", "LoadState"));
    assert_eq!(loads, ["not-found"; 3]);
}
