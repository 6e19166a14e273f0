//! Units that take the place of others.

use fleet_tests::wait::until;

use crate::fixture::{Fleet, PATIENCE, SLOW_TO_STOP, Systemd, places, sleeper};

/// Acceptance row 22.
#[test]
fn a_newcomer_takes_the_machine_of_the_unit_that_it_replaces_which_moves() {
    let fleet = Fleet::of(2);
    let old = fleet.write("old.service", SLOW_TO_STOP);
    let new = fleet.write("new.service", &sleeper("Replaces=old.service"));
    fleet.fleetctl(&["start", &old]).good();
    let before = fleet.await_active(1);
    let taken = &before["old.service"];
    // Nothing but Replaces speaks for that machine.
    let filler = fleet.write("filler.service", &sleeper(&format!("MachineID={taken}")));
    fleet.fleetctl(&["start", &filler]).good();
    let host = Systemd(fleet.host_of(taken));
    let cursor = host.journal_cursor();

    fleet.fleetctl(&["start", &new]).good();

    let other = fleet.await_moved(&fleet.host(1), "old.service", taken);
    let active = fleet.await_active(3);
    assert_eq!(active["new.service"], *taken, "{active:?}");
    assert_eq!(active["old.service"], other, "{active:?}");
    let jobs = host.jobs_since(&cursor);
    let order: Vec<&str> =
        jobs.iter().map(String::as_str).filter(|job| !job.starts_with("Stopping")).collect();
    assert_eq!(order, ["Stopped old.service", "Started new.service"], "never both at a time");

    fleet.fleetctl(&["destroy", "new.service"]).good();
    assert_eq!(fleet.await_active(2)["old.service"], other, "there is no way back");
}

#[test]
fn a_replaced_unit_with_no_other_machine_waits_until_there_is_room() {
    let fleet = Fleet::of(1);
    let old = fleet.write("old.service", &sleeper(""));
    let new = fleet.write("new.service", &sleeper("Replaces=old.service"));
    fleet.fleetctl(&["start", &old]).good();

    fleet.fleetctl(&["start", &new]).good();

    until(PATIENCE, "the newcomer alone runs", || {
        let active: Vec<String> = places(&fleet.units()).into_keys().collect();
        if active == ["new.service"] { Ok(()) } else { Err(format!("{active:?}")) }
    });
    assert!(!Systemd(fleet.host(1)).is_active("old.service"));
    fleet.fleetctl(&["destroy", "new.service"]).good();
    let active = fleet.await_active(1);
    assert!(active.contains_key("old.service"), "{active:?}");
}

/// Acceptance row 23.
#[test]
fn of_two_that_replace_each_other_the_first_runs_on_and_the_other_waits() {
    let fleet = Fleet::of(1);
    let host = Systemd(fleet.host(1));
    let one = fleet.write("one.service", &sleeper("Replaces=two.service"));
    let two = fleet.write("two.service", &sleeper("Replaces=one.service"));
    fleet.fleetctl(&["start", &one]).good();
    let cursor = host.journal_cursor();

    let blocked = fleet.fleetctl(&["start", "--block-attempts=1", &two]);

    assert_eq!(blocked.code, 1, "{blocked:?}");
    assert!(blocked.stderr.contains("one.service"), "{blocked:?}");
    let states = ["list-unit-files", "--no-legend", "--fields=unit,dstate,state"];
    let states = fleet.fleetctl(&states).good().stdout;
    let states: Vec<&str> = states.split_whitespace().collect();
    let expected = ["one.service", "launched", "launched", "two.service", "launched", "inactive"];
    assert_eq!(states, expected);
    assert_eq!(host.jobs_since(&cursor), Vec::<String>::new());

    fleet.fleetctl(&["destroy", "one.service"]).good();
    let active = fleet.await_active(1);
    assert!(active.contains_key("two.service"), "{active:?}");
}

#[test]
fn two_that_replace_each_other_run_apart_where_there_is_room() {
    let fleet = Fleet::of(2);
    let one = fleet.write("one.service", &sleeper("Replaces=two.service"));
    let two = fleet.write("two.service", &sleeper("Replaces=one.service"));
    let hosts: Vec<_> = fleet.hosts().into_iter().map(Systemd).collect();
    let cursors: Vec<_> = hosts.iter().map(Systemd::journal_cursor).collect();

    fleet.fleetctl(&["start", &one, &two]).good();

    let active = fleet.await_active(2);
    assert_ne!(active["one.service"], active["two.service"]);
    // Whatever they did to each other, systemd would have been told before this.
    let later = fleet.write("later@.service", &sleeper("Conflicts=later@*.service"));
    let [first, second] = [1, 2].map(|number| later.replace("@.", &format!("@{number}.")));
    fleet.fleetctl(&["start", &first, &second]).good();
    for (host, cursor) in hosts.iter().zip(&cursors) {
        let jobs = host.jobs_since(cursor);
        assert_eq!(jobs.len(), 2, "{}: {jobs:?}", host.name());
    }
}
