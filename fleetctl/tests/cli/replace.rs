//! `--replace`.

use std::fs;

use fleet_units::UnitFile;

use crate::program::Fleetctl;
use crate::server::{Script, Server};

const OLD: &str = "[Service]\nExecStart=/bin/old\n";
const NEW: &str = "[Service]\nExecStart=/bin/new\n";

fn run(server: &Server, words: &[&str]) -> String {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("hello.service"), NEW).unwrap();
    Fleetctl::at(server, words).in_directory(directory.path()).run().to_string()
}

/// A server of 1.0 that has the unit in one text, and a machine that reports it in another.
fn of_1_0(text: &str, reported: &str) -> Script {
    let hash = UnitFile::parse(reported).unwrap().hash();
    let path = text.trim_end().rsplit('=').next().unwrap();
    let unit = format!(
        r#"{{"name":"hello.service","desiredState":"launched","currentState":"launched","machineID":"8145ebb7d1f0","options":[{{"section":"Service","name":"ExecStart","value":"{path}"}}]}}"#
    );
    let state = format!(
        r#"{{"states":[{{"name":"hello.service","machineID":"8145ebb7d1f0","hash":"{hash}","systemdLoadState":"loaded","systemdActiveState":"active","systemdSubState":"running"}}]}}"#
    );
    Script::new()
        .on("GET /fleet/v1/units/hello.service", 200, &unit)
        .on("GET /fleet/v1/state", 200, &state)
        .on("GET /fleet/v1/machines", 200, r#"{"machines":[{"id":"8145ebb7d1f0"}]}"#)
        .on("PUT /fleet/v1/units/hello.service", 204, "")
}

#[test]
fn on_1_0_a_unit_is_replaced_by_one_write_with_its_state_and_waited_for_in_its_new_text() {
    let words = ["start", "--replace", "--block-attempts=1", "hello.service"];
    let done = of_1_0(OLD, OLD).then(of_1_0(NEW, NEW)).serve();
    insta::assert_snapshot!(run(&done, &words), @r#"
    Unit hello.service launched on 8145ebb7...
    exit 0
    "#);
    let puts = done.writes().into_iter().filter(|write| write.starts_with("PUT"));
    insta::assert_snapshot!(puts.collect::<Vec<_>>().join("\n"), @r#"PUT /fleet/v1/units/hello.service {"desiredState":"launched","name":"hello.service","options":[{"name":"ExecStart","section":"Service","value":"/bin/new"}],"text":"[Service]\nExecStart=/bin/new\n"}"#);

    let late = of_1_0(OLD, OLD).then(of_1_0(NEW, OLD)).serve();
    insta::assert_snapshot!(run(&late, &words), @r#"
    ! Error waiting for units: timed out waiting for unit hello.service to report state launched: 8145ebb7... has not acted on it
    exit 1
    "#);
}

#[test]
fn a_command_replaces_no_unit_that_is_to_do_more_than_it_asks_for() {
    let ended = ["submit", "load"].map(|verb| {
        let server = of_1_0(OLD, OLD).serve();
        let ended = run(&server, &[verb, "--replace", "hello.service"]);
        assert_eq!(server.writes(), Vec::<String>::new());
        ended
    });
    insta::assert_snapshot!(ended.join("\n"), @r#"
    ! Warning: can not replace Unit(hello.service) in state 'launched', use the appropriate command
    exit 0
    Unit hello.service launched on 8145ebb7...
    ! Warning: can not replace Unit(hello.service) in state 'launched', use the appropriate command
    exit 0
    "#);
}
