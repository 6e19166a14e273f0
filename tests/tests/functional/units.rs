//! Submit, load, start and their ways back, for one unit and for several.

use fleet_tests::wait::until;

use crate::fixture::{Fleet, PATIENCE, Systemd, places, sleeper, strings};

/// Acceptance row 32.
#[test]
fn a_started_unit_runs_on_one_machine() {
    let fleet = Fleet::of(3);
    let path = fleet.write("hello.service", &sleeper(""));

    let started = fleet.fleetctl(&["start", &path]).good();

    let units = fleet.units();
    assert_eq!(units.len(), 1, "{units:?}");
    let holder = Systemd(fleet.host_of(&units[0].machine));
    assert!(holder.is_active("hello.service"));
    let short = &units[0].machine[..8];
    let line = format!("Unit hello.service launched on {short}.../{}\n", holder.address());
    assert_eq!(started.stdout, line);
}

/// Acceptance row 33, first part.
#[test]
fn nine_instances_are_submitted_and_destroyed_twice_over() {
    let fleet = Fleet::of(3);
    let files = instances(&fleet, 9);
    let names = strings(&files);

    for _ in 0..2 {
        no_error(&fleet, "submit", &names);
        assert_eq!(fleet.unit_files().len(), 9);
        no_error(&fleet, "destroy", &names);
        assert_eq!(fleet.unit_files(), Vec::<String>::new());
    }
}

/// Acceptance row 33, second part.
#[test]
fn six_instances_are_loaded_and_unloaded_twice_over() {
    let fleet = Fleet::of(3);
    let files = instances(&fleet, 6);
    let names = strings(&files);

    for _ in 0..2 {
        no_error(&fleet, "load", &names);
        let loaded = fleet.units();
        let states: Vec<_> =
            loaded.iter().map(|unit| (unit.load.as_str(), unit.active.as_str())).collect();
        assert_eq!(states, [("loaded", "inactive"); 6]);
        no_error(&fleet, "unload", &names);
        assert_eq!(fleet.units(), []);
        assert_eq!(fleet.unit_files().len(), 6);
    }
}

/// Acceptance row 33, third part.
#[test]
fn three_instances_are_started_and_stopped_twice_over() {
    let fleet = Fleet::of(3);
    let files = instances(&fleet, 3);
    let names = strings(&files);

    for _ in 0..2 {
        no_error(&fleet, "start", &names);
        assert_eq!(fleet.await_active(3).len(), 3);
        no_error(&fleet, "stop", &names);
        assert_eq!(places(&fleet.units()).len(), 0);
    }
}

/// Acceptance row 37.
#[test]
fn cat_gives_back_the_submitted_bytes() {
    let fleet = Fleet::of(1);
    let text = "# A comment, and a blank line\n\n[Service]\nExecStart=/bin/sleep \\\n  infinity\n";
    let path = fleet.write("hello.service", text);

    fleet.fleetctl(&["submit", &path]).good();

    assert_eq!(fleet.fleetctl(&["cat", "hello.service"]).good().stdout, text);
}

/// Acceptance row 38.
#[test]
fn status_of_a_loaded_unit_says_loaded() {
    let fleet = Fleet::of(1);
    let path = fleet.write("hello.service", &sleeper(""));
    fleet.fleetctl(&["load", &path]).good();

    let status = fleet.fleetctl(&["status", "hello.service"]);

    assert!(status.stdout.contains("Loaded: loaded"), "{status:?}");
    assert_eq!(status.code, 3, "systemctl's code for a unit that is not running");
}

/// Acceptance row 39.
#[test]
fn twenty_instances_are_listed_in_order() {
    let fleet = Fleet::of(1);
    let files = instances(&fleet, 20);
    fleet.fleetctl(&[&["submit"], strings(&files).as_slice()].concat()).good();

    let listed = fleet.unit_files();

    let mut sorted = listed.clone();
    sorted.sort();
    assert_eq!(listed, sorted);
    assert_eq!(listed.len(), 20);
}

#[test]
fn a_start_that_fails_says_so_with_the_words_of_systemd() {
    let fleet = Fleet::of(1);
    let path = fleet.write("bad.service", "[Service]\nType=oneshot\nExecStart=/bin/false\n");

    let failed = fleet.fleetctl(&["start", &path]);

    assert_eq!(failed.code, 1);
    assert!(
        failed.stderr.contains("bad.service") && failed.stderr.contains("failed"),
        "{failed:?}"
    );
}

#[test]
fn a_stop_behind_fleets_back_is_reported_and_not_undone() {
    let fleet = Fleet::of(1);
    let path = fleet.write("hello.service", &sleeper(""));
    fleet.fleetctl(&["start", &path]).good();
    let host = Systemd(fleet.host(1));

    host.read(["systemctl", "stop", "hello.service"]).unwrap();

    until(PATIENCE, "the list says inactive", || {
        let units = fleet.units();
        if units.iter().any(|unit| unit.active == "inactive") { Ok(()) } else { Err("active") }
    });
    assert!(!host.is_active("hello.service"));
}

fn instances(fleet: &Fleet, count: usize) -> Vec<String> {
    fleet.write("hello@.service", &sleeper(""));
    (1..=count).map(|number| format!("/root/units/hello@{number}.service")).collect()
}

fn no_error(fleet: &Fleet, verb: &str, names: &[&str]) {
    let done = fleet.fleetctl(&[&[verb], names].concat()).good();
    assert!(!done.stderr.contains("Error"), "{done:?}");
}
