//! Commands that change global units.

use std::fs;
use std::slice;

use crate::program::Fleetctl;
use crate::server::{Script, Server};

const ABSENT: &str = r#"{"revision":1,"gone":["all.service"]}"#;

/// The unit `all.service` in a stream: its generation and target, and the copies on its machines.
fn all(generation: u64, target: &str, more: &str, copies: &[String]) -> String {
    let copies = copies.join(",");
    format!(
        r#"{{"revision":{generation},"units":[{{"name":"all.service","uid":4,"generation":{generation},"global":true,"desiredState":"{target}","machines":[{copies}]{more}}}]}}"#
    )
}

/// A copy by its machine, what it has acted on and come to, and how systemd's job ended.
fn copy(machine: &str, observed: u64, current: &str, active: &str, job: &str) -> String {
    format!(
        r#"{{"machine":"{machine}","current":"{current}","observed":{observed},"uid":4,"active":"{active}","sub":"x","job":"{job}"}}"#
    )
}

fn wrote(script: Script, generation: u64) -> Script {
    let outcome = format!(
        r#"{{"units":[{{"name":"all.service","status":201,"uid":4,"generation":{generation}}}]}}"#
    );
    script.on("POST /fleet/v2/units", 200, &outcome)
}

fn run(server: &Server, words: &[&str]) -> String {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("all.service"), "[X-Fleet]\nGlobal=true\n").unwrap();
    Fleetctl::at(server, words).in_directory(directory.path()).run().to_string()
}

#[test]
fn a_start_of_a_global_unit_waits_for_all_machines_that_it_suits() {
    let one = copy("11111111aa", 1, "launched", "active", "done");
    let two = copy("22222222bb", 1, "launched", "active", "done");
    let starting = copy("22222222bb", 1, "launched", "activating", "running");
    let away = r#"{"machine":"33333333cc","current":"inactive","observed":0,"uid":0,"job":"none","absent":true}"#;
    let later = [
        all(1, "launched", r#","coming":true"#, &[]),
        all(1, "launched", r#","coming":true"#, slice::from_ref(&one)),
        all(1, "launched", "", &[one.clone(), starting, away.to_owned()]),
        all(1, "launched", "", &[one, two, away.to_owned()]),
    ];
    let later: Vec<&str> = later.iter().map(String::as_str).collect();
    let server = wrote(Script::new().events(&[ABSENT], &later), 1).serve();
    insta::assert_snapshot!(run(&server, &["start", "all.service"]), @r#"
    Unit all.service launched on 11111111...
    Unit all.service launched on 22222222...
    Unit all.service is to be launched on 33333333... when that is back
    exit 0
    "#);
}

#[test]
fn a_global_unit_that_fails_on_one_machine_is_told_with_those_where_it_runs() {
    let one = copy("11111111aa", 1, "launched", "active", "done");
    let two = copy("22222222bb", 1, "launched", "failed", "failed");
    let later = all(1, "launched", "", &[one, two]);
    let server = wrote(Script::new().events(&[ABSENT], &[&later]), 1).serve();
    insta::assert_snapshot!(run(&server, &["start", "all.service"]), @r#"
    Unit all.service launched on 11111111...
    ! Error waiting for units: unit all.service on 22222222... is failed (x); `fleetctl status all.service` shows more
    exit 1
    "#);
}

#[test]
fn a_global_unit_that_suits_no_machine_is_started_all_the_same() {
    let why =
        r#","obstacles":[{"machine":"11111111aa","reason":"lacks disk=ssd"}],"unplaceable":true"#;
    let later = all(1, "launched", why, &[]);
    let server = wrote(Script::new().events(&[ABSENT], &[&later]), 1).serve();
    insta::assert_snapshot!(run(&server, &["start", "all.service"]), @r#"
    Unit all.service suits no machine at the moment
      11111111...: lacks disk=ssd
    exit 0
    "#);
}

#[test]
fn a_stop_and_a_restart_of_a_global_unit_wait_for_each_copy() {
    let copies = |observed: [u64; 2], current, active, job| {
        vec![
            copy("11111111aa", observed[0], current, active, job),
            copy("22222222bb", observed[1], current, active, job),
        ]
    };
    let runs = all(1, "launched", "", &copies([1, 1], "launched", "active", "done"));
    let cases = [
        ("stop", "loaded", "inactive"),
        ("unload", "inactive", "inactive"),
        ("restart", "launched", "active"),
    ];
    let ended = cases.map(|(verb, target, active)| {
        let last = match verb {
            "unload" => vec![],
            _ => copies([2, 2], target, active, "done"),
        };
        let later = [
            all(2, target, "", &copies([2, 1], target, active, "done")),
            all(2, target, "", &last),
        ];
        let server = Script::new().events(&[&runs], &[&later[0], &later[1]]);
        run(&wrote(server, 2).serve(), &[verb, "all"])
    });
    insta::assert_snapshot!(ended.join("\n---\n"), @r#"
    Unit all.service loaded on 11111111...
    Unit all.service loaded on 22222222...
    ! Successfully stopped units [all.service].
    exit 0
    ---
    Unit all.service inactive
    ! Successfully unloaded units [all.service].
    exit 0
    ---
    Unit all.service launched on 11111111...
    Unit all.service launched on 22222222...
    exit 0
    "#);
}

#[test]
fn a_global_unit_may_be_triggered_and_not_waited_for() {
    let server = wrote(Script::new().events(&[ABSENT], &[]), 1).serve();
    assert_eq!(
        run(&server, &["start", "--no-block", "all.service"]),
        "Triggered global unit all.service start\nexit 0"
    );
}
