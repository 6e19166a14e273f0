//! Commands that change units.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::program::Fleetctl;
use crate::server::{Script, Server};

const HELLO: &str = "# says hello\n[Service]\nExecStart=/bin/hello\n";

const ABSENT: &str = r#"{"revision":1,"gone":["hello.service"]}"#;

const PLACED: &str = r#"{"revision":4,"units":[{"name":"hello.service","uid":4,"generation":1,"desiredState":"launched","currentState":"inactive","machines":[{"machine":"8145ebb7d1f0","address":"10.10.1.3","current":"inactive","observed":0,"uid":0,"job":"none"}]}]}"#;

const LOADED: &str = r#"{"revision":4,"units":[{"name":"hello.service","uid":4,"generation":1,"desiredState":"loaded","currentState":"loaded","machines":[{"machine":"8145ebb7d1f0","address":"10.10.1.3","current":"loaded","observed":1,"uid":4,"load":"loaded","active":"inactive","sub":"dead","job":"none"}]}]}"#;

const LAUNCHED: &str = r#"{"revision":6,"units":[{"name":"hello.service","uid":4,"generation":2,"desiredState":"launched","currentState":"launched","machines":[{"machine":"8145ebb7d1f0","address":"10.10.1.3","current":"launched","observed":2,"uid":4,"load":"loaded","active":"active","sub":"running","job":"done"}]}]}"#;

const FAILED: &str = r#"{"revision":6,"units":[{"name":"hello.service","uid":4,"generation":2,"desiredState":"launched","currentState":"launched","machines":[{"machine":"8145ebb7d1f0","address":"10.10.1.3","current":"launched","observed":2,"uid":4,"load":"loaded","active":"failed","sub":"failed","job":"failed","problem":"systemd's job failed"}]}]}"#;

const NOWHERE: &str = r#"{"revision":5,"units":[{"name":"hello.service","uid":4,"generation":1,"desiredState":"launched","currentState":"inactive","obstacles":[{"machine":"148a18ff6e95","address":"10.10.1.1","reason":"lacks disk=ssd"},{"machine":"491586a6508f","address":"10.10.1.2","reason":"lacks disk=ssd"}],"unplaceable":true}]}"#;

fn batch(script: Script, outcome: &str) -> Script {
    script.on("POST /fleet/v2/units", 200, &format!(r#"{{"units":[{outcome}]}}"#))
}

fn wrote(generation: u64) -> String {
    format!(r#"{{"name":"hello.service","status":201,"uid":4,"generation":{generation}}}"#)
}

fn directory() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("hello.service"), HELLO).unwrap();
    directory
}

fn run(server: &Server, directory: &Path, words: &[&str]) -> String {
    Fleetctl::at(server, words).in_directory(directory).run().to_string()
}

#[test]
fn loading_a_new_unit_writes_it_once_and_says_where_it_is() {
    let server = batch(Script::new().events(&[ABSENT], &["", PLACED, LOADED]), &wrote(1)).serve();
    assert_eq!(
        run(&server, directory().path(), &["load", "hello.service"]),
        "Unit hello.service loaded on 8145ebb7.../10.10.1.3\nexit 0"
    );
    insta::assert_snapshot!(server.writes().join("\n"), @r##"POST /fleet/v2/units {"units":[{"name":"hello.service","options":[{"name":"ExecStart","section":"Service","value":"/bin/hello"}],"text":"# says hello\n[Service]\nExecStart=/bin/hello\n","desiredState":"loaded","raiseOnly":true}]}"##);
}

#[test]
fn starting_a_loaded_unit_writes_its_target_and_waits_for_systemd() {
    let server = batch(Script::new().events(&[LOADED], &[LAUNCHED]), &wrote(2)).serve();
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(
        run(&server, empty.path(), &["start", "hello"]),
        "Unit hello.service launched on 8145ebb7.../10.10.1.3\nexit 0"
    );
    insta::assert_snapshot!(server.writes().join("\n"), @r#"POST /fleet/v2/units {"units":[{"name":"hello.service","desiredState":"launched"}]}"#);
}

#[test]
fn starting_what_runs_writes_nothing() {
    let server = Script::new().events(&[LAUNCHED], &[]).serve();
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(
        run(&server, empty.path(), &["start", "hello"]),
        "Unit hello.service launched on 8145ebb7.../10.10.1.3\nexit 0"
    );
    assert_eq!(server.writes(), Vec::<String>::new());
}

#[test]
fn a_unit_that_fits_nowhere_ends_the_start_with_the_reason_of_each_machine() {
    let server = batch(Script::new().events(&[ABSENT], &[NOWHERE]), &wrote(1)).serve();
    insta::assert_snapshot!(run(&server, directory().path(), &["start", "hello.service"]), @r#"
    ! Error waiting for units: no machine can take unit hello.service:
    !   148a18ff.../10.10.1.1: lacks disk=ssd
    !   491586a6.../10.10.1.2: lacks disk=ssd
    exit 1
    "#);
}

#[test]
fn a_failed_job_ends_the_start_with_systemds_words() {
    let server = batch(Script::new().events(&[LOADED], &[FAILED]), &wrote(2)).serve();
    let empty = tempfile::tempdir().unwrap();
    insta::assert_snapshot!(run(&server, empty.path(), &["start", "hello.service"]), @r#"
    ! Error waiting for units: unit hello.service on 8145ebb7.../10.10.1.3 is failed (failed): systemd's job failed; `fleetctl status hello.service` shows more
    exit 1
    "#);
}

#[test]
fn a_failed_unit_is_started_again() {
    let launched = LAUNCHED.replace(r#""generation":2"#, r#""generation":3"#);
    let launched = launched.replace(r#""observed":2"#, r#""observed":3"#);
    let server = batch(Script::new().events(&[FAILED], &[&launched]), &wrote(3)).serve();
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(
        run(&server, empty.path(), &["start", "hello"]),
        "Unit hello.service launched on 8145ebb7.../10.10.1.3\nexit 0"
    );
    insta::assert_snapshot!(server.writes().join("\n"), @r#"POST /fleet/v2/units {"units":[{"name":"hello.service","desiredState":"launched","restart":true}]}"#);
}

#[test]
fn a_start_that_does_not_wait_says_so_once() {
    let server = batch(Script::new().events(&[ABSENT], &[]), &wrote(1)).serve();
    assert_eq!(
        run(&server, directory().path(), &["start", "-no-block", "hello.service"]),
        "Triggered unit hello.service start\nexit 0"
    );
}

#[test]
fn attempts_bound_the_wait_and_its_end_says_what_was_waited_for() {
    let server = batch(Script::new().events(&[ABSENT], &[PLACED]), &wrote(1)).serve();
    let words = ["start", "--block-attempts=1", "hello.service"];
    insta::assert_snapshot!(run(&server, directory().path(), &words), @r#"
    ! Error waiting for units: timed out waiting for unit hello.service to report state launched: 8145ebb7.../10.10.1.3 has not acted on it
    exit 1
    "#);
}

#[test]
fn one_bad_unit_of_several_is_named_and_the_others_are_done() {
    let first = r#"{"revision":1,"gone":["bad.service","hello.service","lost.service"]}"#;
    let server = batch(Script::new().events(&[first], &[]), &wrote(1)).serve();
    let directory = directory();
    fs::write(directory.path().join("bad.service"), "[Service\n").unwrap();
    let words = ["submit", "bad.service", "hello.service", "lost.service", "a b.service"];
    insta::assert_snapshot!(run(&server, directory.path(), &words), @r#"
    Unit hello.service inactive
    ! Error creating units: error extracting information from unit name a b.service: invalid character ' ' in unit name
    ! Error creating units: failed getting Unit(bad.service) from file: line 1: section header "[Service" has no end: write "[Section]" on a line of its own
    ! Error creating units: unable to find Unit(lost.service) in Registry or on filesystem
    exit 1
    "#);
}

#[test]
fn what_fleet_refuses_is_told_in_its_words() {
    let refused = r#"{"name":"hello.service","status":400,"message":"it is too large"}"#;
    let server = batch(Script::new().events(&[ABSENT], &[]), refused).serve();
    assert_eq!(
        run(&server, directory().path(), &["start", "hello.service"]),
        "! Error creating units: failed creating unit hello.service: it is too large\nexit 1"
    );
}

#[test]
fn a_registered_unit_that_differs_is_used_and_the_difference_is_told() {
    let registered = r#"{"name":"hello.service","desiredState":"launched","options":[{"section":"Service","name":"ExecStart","value":"/bin/other"}]}"#;
    let script = Script::new().events(&[LAUNCHED], &[]);
    let server = script.on("GET /fleet/v1/units/hello.service", 200, registered).serve();
    insta::assert_snapshot!(run(&server, directory().path(), &["start", "hello.service"]), @r#"
    Unit hello.service launched on 8145ebb7.../10.10.1.3
    ! WARNING: Unit hello.service in registry differs from local unit file hello.service. Add --replace to override.
    exit 0
    "#);
    assert_eq!(server.writes(), Vec::<String>::new());
}

#[test]
fn a_unit_is_replaced_in_place_by_one_write() {
    let registered = r#"{"name":"hello.service","desiredState":"launched","options":[{"section":"Service","name":"ExecStart","value":"/bin/other"}]}"#;
    let script = Script::new().events(&[LAUNCHED], &[]);
    let script = script.on("GET /fleet/v1/units/hello.service", 200, registered);
    let server = batch(script, &wrote(2)).serve();
    assert_eq!(
        run(&server, directory().path(), &["start", "--replace", "hello.service"]),
        "Unit hello.service launched on 8145ebb7.../10.10.1.3\nexit 0"
    );
    insta::assert_snapshot!(server.writes().join("\n"), @r##"POST /fleet/v2/units {"units":[{"name":"hello.service","options":[{"name":"ExecStart","section":"Service","value":"/bin/hello"}],"text":"# says hello\n[Service]\nExecStart=/bin/hello\n","desiredState":"launched","raiseOnly":true}]}"##);
}

#[test]
fn what_is_given_once_is_written_whatever_there_is_and_the_server_decides() {
    let kept = r#"{"name":"hello.service","status":204,"uid":0,"generation":0,"kept":true}"#;
    let words = ["start", "--once", "hello.service"];
    for first in [ABSENT, LOADED] {
        let server = batch(Script::new().events(&[first], &[]), kept).serve();
        assert_eq!(
            run(&server, directory().path(), &words),
            "Unit hello.service was given to the cluster before\nexit 0"
        );
        assert_eq!(
            server.writes(),
            [
                r##"POST /fleet/v2/units {"units":[{"name":"hello.service","options":[{"name":"ExecStart","section":"Service","value":"/bin/hello"}],"text":"# says hello\n[Service]\nExecStart=/bin/hello\n","desiredState":"launched","raiseOnly":true,"once":true}]}"##
            ]
        );
    }
    let server = batch(Script::new().events(&[ABSENT], &["", PLACED, LAUNCHED]), &wrote(2)).serve();
    assert_eq!(
        run(&server, directory().path(), &words),
        "Unit hello.service launched on 8145ebb7.../10.10.1.3\nexit 0"
    );
}

#[test]
fn what_is_given_once_and_is_there_needs_no_file() {
    let registered = r#"{"name":"hello.service","desiredState":"loaded","text":"[Service]\nExecStart=/bin/old\n"}"#;
    let kept = r#"{"name":"hello.service","status":204,"uid":4,"generation":1,"kept":true}"#;
    let script = Script::new()
        .events(&[LOADED], &[])
        .on("GET /fleet/v1/units/hello.service", 200, registered)
        .on("GET /fleet/v1/units", 200, &format!(r#"{{"units":[{registered}]}}"#));
    let server = batch(script, kept).serve();
    let empty = tempfile::tempdir().unwrap();
    for word in ["hello", "hell*"] {
        assert_eq!(
            run(&server, empty.path(), &["start", "--once", word]),
            "Unit hello.service was given to the cluster before\nexit 0"
        );
    }
    // fleetd notes that it was there: once destroyed it stays so.
    let write = r#"POST /fleet/v2/units {"units":[{"name":"hello.service","options":[{"name":"ExecStart","section":"Service","value":"/bin/old"}],"text":"[Service]\nExecStart=/bin/old\n","desiredState":"launched","raiseOnly":true,"once":true}]}"#;
    assert_eq!(server.writes(), [write, write]);
}

#[test]
fn an_instance_is_made_of_its_registered_template() {
    let template = r#"{"name":"web@.service","text":"; any\n[Service]\nExecStart=/bin/web %i\n","options":[{"section":"Service","name":"ExecStart","value":"/bin/web %i"}]}"#;
    let first = r#"{"revision":1,"gone":["web@1.service"]}"#;
    let script = Script::new().events(&[first], &[]);
    let script = script.on("GET /fleet/v1/units/web%40.service", 200, template);
    let outcome = r#"{"name":"web@1.service","status":201,"uid":4,"generation":1}"#;
    let server = batch(script, outcome).serve();
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(
        run(&server, empty.path(), &["submit", "web@1"]),
        "Unit web@1.service inactive\nexit 0"
    );
    insta::assert_snapshot!(server.writes().join("\n"), @r#"POST /fleet/v2/units {"units":[{"name":"web@1.service","options":[{"name":"ExecStart","section":"Service","value":"/bin/web %i"}],"text":"; any\n[Service]\nExecStart=/bin/web %i\n","desiredState":"inactive","raiseOnly":true}]}"#);
}

#[test]
fn stopping_waits_and_tells_units_that_nobody_knows() {
    let first = LAUNCHED.replace(r#""revision":6"#, r#""gone":["lost.service"]"#);
    let stopped = LOADED.replace(r#""generation":1"#, r#""generation":3"#);
    let stopped = stopped.replace(r#""observed":1"#, r#""observed":3"#);
    let server = batch(Script::new().events(&[&first], &[&stopped]), &wrote(3)).serve();
    let empty = tempfile::tempdir().unwrap();
    let ended = run(&server, empty.path(), &["stop", "hello", "lost"]);
    insta::assert_snapshot!(ended, @r#"
    Unit hello.service loaded on 8145ebb7.../10.10.1.3
    ! Unit lost.service not found in registry
    ! Successfully stopped units [hello.service].
    exit 0
    "#);
    insta::assert_snapshot!(server.writes().join("\n"), @r#"POST /fleet/v2/units {"units":[{"name":"hello.service","desiredState":"loaded"}]}"#);
}

#[test]
fn lowering_what_nobody_knows_or_what_is_lower_already_is_done() {
    let inactive = r#"{"revision":1,"gone":["lost.service"],"units":[{"name":"hello.service","uid":4,"generation":1,"desiredState":"inactive","currentState":"inactive"}]}"#;
    let empty = tempfile::tempdir().unwrap();
    let ended = ["stop", "unload", "destroy"].map(|command| {
        let words: &[&str] =
            if command == "destroy" { &[command, "lost"] } else { &[command, "hello", "lost"] };
        run(&Script::new().events(&[inactive], &[]).serve(), empty.path(), words)
    });
    insta::assert_snapshot!(ended.join("\n---\n"), @r#"
    ! Unable to stop unit hello.service in state inactive
    ! Unit lost.service not found in registry
    exit 0
    ---
    Unit hello.service inactive
    ! Unit lost.service not found in registry
    ! Successfully unloaded units [hello.service].
    exit 0
    ---
    ! Unit lost.service not found in registry
    exit 0
    "#);
}

#[test]
fn destroying_returns_when_the_unit_is_gone() {
    let stopping = r#"{"revision":7,"units":[{"name":"hello.service","uid":4,"generation":2,"desiredState":"inactive","machines":[{"machine":"8145ebb7d1f0","current":"loaded","observed":2,"uid":4,"job":"running","leaving":true}]}]}"#;
    let gone = r#"{"revision":9,"gone":["hello.service"]}"#;
    let script = Script::new().events(&[LAUNCHED], &[stopping, gone]);
    let outcome = r#"{"name":"hello.service","status":204}"#;
    let server = batch(script, outcome).serve();
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(
        run(&server, empty.path(), &["destroy", "hello"]),
        "Destroyed hello.service\nexit 0"
    );
    insta::assert_snapshot!(server.writes().join("\n"), @r#"POST /fleet/v2/units {"units":[{"name":"hello.service","delete":true}]}"#);
}

#[test]
fn a_unit_whose_stored_document_is_garbage_can_be_destroyed() {
    let first = r#"{"revision":1,"gone":["hello.service"]}"#;
    let outcome = r#"{"name":"hello.service","status":204,"uid":0,"generation":0}"#;
    let server = batch(Script::new().events(&[first], &[]), outcome).serve();
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(
        run(&server, empty.path(), &["destroy", "hello"]),
        "Destroyed hello.service\nexit 0"
    );
    insta::assert_snapshot!(server.writes().join("\n"), @r#"POST /fleet/v2/units {"units":[{"name":"hello.service","delete":true}]}"#);
}

#[test]
fn what_machines_still_know_of_a_unit_is_deleted_and_waited_for() {
    let remnant = r#"{"revision":7,"units":[{"name":"hello.service","uid":4,"generation":2,"desiredState":"inactive","machines":[{"machine":"8145ebb7d1f0","current":"loaded","observed":2,"uid":4,"job":"running","leaving":true}]}]}"#;
    let gone = r#"{"revision":9,"gone":["hello.service"]}"#;
    let garbage = r#"{"name":"hello.service","status":204,"uid":0,"generation":0}"#;
    let nothing = r#"{"name":"hello.service","status":404,"message":"unit does not exist"}"#;
    let refused = r#"{"name":"hello.service","status":503,"message":"etcd is away"}"#;
    let empty = tempfile::tempdir().unwrap();
    let ended = [garbage, nothing, refused].map(|outcome| {
        let script = Script::new().events(&[remnant], &[remnant, gone]);
        let server = batch(script, outcome).serve();
        let ended = run(&server, empty.path(), &["destroy", "hello"]);
        format!("{}\n{ended}", server.writes().join("\n"))
    });
    insta::assert_snapshot!(ended.join("\n---\n"), @r#"
    POST /fleet/v2/units {"units":[{"name":"hello.service","delete":true}]}
    Destroyed hello.service
    exit 0
    ---
    POST /fleet/v2/units {"units":[{"name":"hello.service","delete":true}]}
    Destroyed hello.service
    exit 0
    ---
    POST /fleet/v2/units {"units":[{"name":"hello.service","delete":true}]}
    ! Error destroying units: unit hello.service: etcd is away
    exit 1
    "#);
}

#[test]
fn a_server_of_1_0_is_written_to_singly_and_asked_again_and_again() {
    let unit = r#"{"name":"hello.service","desiredState":"loaded","currentState":"launched","machineID":"8145ebb7d1f0","options":[{"section":"Service","name":"ExecStart","value":"/bin/hello"}]}"#;
    let state = r#"{"states":[{"name":"hello.service","machineID":"8145ebb7d1f0","hash":"","systemdLoadState":"loaded","systemdActiveState":"active","systemdSubState":"running"}]}"#;
    let machines = r#"{"machines":[{"id":"8145ebb7d1f0","primaryIP":"10.10.1.3"}]}"#;
    let script = Script::new()
        .on("GET /fleet/v1/units/hello.service", 200, unit)
        .on("GET /fleet/v1/state", 200, state)
        .on("GET /fleet/v1/machines", 200, machines)
        .on("PUT /fleet/v1/units/hello.service", 204, "");
    let server = script.serve();
    let empty = tempfile::tempdir().unwrap();
    let words = ["load", "hello"];
    assert_eq!(
        run(&server, empty.path(), &words),
        "Unit hello.service launched on 8145ebb7.../10.10.1.3\nexit 0"
    );
    assert_eq!(
        run(&server, empty.path(), &["start", "--no-block", "hello"]),
        "Triggered unit hello.service start\nexit 0"
    );
    insta::assert_snapshot!(server.writes().join("\n"), @r#"
    POST /fleet/v2/units {"units":[{"name":"hello.service","desiredState":"launched"}]}
    PUT /fleet/v1/units/hello.service {"desiredState":"launched","name":"hello.service"}
    "#);
}
