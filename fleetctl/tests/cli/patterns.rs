//! Patterns in place of names.

use crate::program::Fleetctl;
use crate::remote::short;
use crate::server::Script;
use crate::status::{program, run as run_there, script};

const UNITS: &str = r#"{"units":[{"name":"db.service"},{"name":"web@.service"},{"name":"web@1.service"},{"name":"web@2.service"}]}"#;

/// Both instances, which run on a machine, and the template.
const RUNNING: &str = r#"{"revision":4,"units":[{"name":"web@.service","uid":2,"generation":1,"desiredState":"inactive","currentState":"inactive"},{"name":"web@1.service","uid":3,"generation":2,"desiredState":"launched","currentState":"launched","machines":[{"machine":"8145ebb7d1f0","current":"launched","observed":2,"uid":3,"active":"active","sub":"running","job":"done"}]},{"name":"web@2.service","uid":4,"generation":2,"desiredState":"launched","currentState":"launched","machines":[{"machine":"8145ebb7d1f0","current":"launched","observed":2,"uid":4,"active":"active","sub":"running","job":"done"}]}]}"#;

fn run(words: &[&str]) -> String {
    let gone = r#"{"revision":9,"gone":["web@.service","web@1.service","web@2.service"]}"#;
    let outcomes: Vec<String> = ["web@.service", "web@1.service", "web@2.service"]
        .iter()
        .map(|name| format!(r#"{{"name":"{name}","status":204,"uid":4,"generation":3}}"#))
        .collect();
    let server = Script::new()
        .events(&[RUNNING], &[gone])
        .on("GET /fleet/v1/units", 200, UNITS)
        .on(
            "GET /fleet/v1/units/web%401.service",
            200,
            r#"{"name":"web@1.service","text":"one\n"}"#,
        )
        .on(
            "GET /fleet/v1/units/web%402.service",
            200,
            r#"{"name":"web@2.service","text":"two\n"}"#,
        )
        .on("POST /fleet/v2/units", 200, &format!(r#"{{"units":[{}]}}"#, outcomes.join(",")))
        .serve();
    let empty = tempfile::tempdir().unwrap();
    let ended = Fleetctl::at(&server, words).in_directory(empty.path()).run();
    let writes: String = server.writes().iter().map(|write| format!("{write}\n")).collect();
    format!("{writes}{ended}")
}

#[test]
fn a_pattern_stands_for_the_units_in_the_registry_that_match_and_can_do_what_is_asked() {
    let commands: [&[&str]; 4] =
        [&["start", "web@*"], &["load", "web@*"], &["destroy", "web@*"], &["cat", "web@?"]];
    let ended = commands.map(run);
    insta::assert_snapshot!(ended.join("\n---\n"), @r#"
    Unit web@1.service launched on 8145ebb7...
    Unit web@2.service launched on 8145ebb7...
    exit 0
    ---
    Unit web@1.service launched on 8145ebb7...
    Unit web@2.service launched on 8145ebb7...
    exit 0
    ---
    POST /fleet/v2/units {"units":[{"name":"web@.service","delete":true},{"name":"web@1.service","delete":true},{"name":"web@2.service","delete":true}]}
    Destroyed web@.service
    Destroyed web@1.service
    Destroyed web@2.service
    exit 0
    ---
    # web@1.service
    one

    # web@2.service
    two
    exit 0
    "#);
}

#[test]
fn a_pattern_that_matches_nothing_fails_where_something_has_to_be_there() {
    let verbs = ["submit", "load", "start", "restart", "cat", "stop", "unload", "destroy"];
    let rows = verbs.map(|verb| format!("{verb}: {}", run(&[verb, "x*"]).replace('\n', ", ")));
    insta::assert_snapshot!(rows.join("\n"), @r#"
    submit: ! No unit in the registry matches x*, exit 1
    load: ! No unit in the registry matches x*, exit 1
    start: ! No unit in the registry matches x*, exit 1
    restart: ! No unit in the registry matches x*, exit 1
    cat: ! No unit in the registry matches x*, exit 1
    stop: ! No unit in the registry matches x*, exit 0
    unload: ! No unit in the registry matches x*, exit 0
    destroy: ! No unit in the registry matches x*, exit 0
    "#);
}

#[test]
fn a_pattern_stands_for_units_whose_state_and_journal_are_shown_too() {
    let directory = tempfile::tempdir().unwrap();
    let ssh = program(&directory, "ssh", 0);
    let names = r#"{"units":[{"name":"a.service"},{"name":"all.service"},{"name":"all@.service"},{"name":"b.service"}]}"#;
    let commands: [&[&str]; 5] = [
        &["status", "a*"],
        &["journal", "a*"],
        &["journal", "a"],
        &["status", "x*", "a"],
        &["journal", "x*"],
    ];
    let ended = commands.map(|words| {
        let script = script("m1").on("GET /fleet/v1/units", 200, names);
        short(&run_there(script, &ssh, words))
    });
    insta::assert_snapshot!(ended.join("---\n"), @r#"
    ssh -l core -- 10.0.0.1 systemctl status -l a.service

    m1.../10.0.0.1:
    ssh -l core -- 10.0.0.1 systemctl status -l all.service

    m2.../10.0.0.2:
    ssh -l core -- 10.0.0.2 systemctl status -l all.service
    exit 0
    ---
    a.service on m1.../10.0.0.1:
    ssh -l core -- 10.0.0.1 journalctl --unit a.service --no-pager -n 10 --output short

    all.service on m1.../10.0.0.1:
    ssh -l core -- 10.0.0.1 journalctl --unit all.service --no-pager -n 10 --output short

    all.service on m2.../10.0.0.2:
    ssh -l core -- 10.0.0.2 journalctl --unit all.service --no-pager -n 10 --output short
    exit 0
    ---
    ssh -l core -- 10.0.0.1 journalctl --unit a.service --no-pager -n 10 --output short
    exit 0
    ---
    ssh -l core -- 10.0.0.1 systemctl status -l a.service
    ! No unit in the registry matches x*
    exit 1
    ---
    ! No unit in the registry matches x*
    exit 1
    "#);
}

#[test]
fn a_malformed_pattern_fails_and_the_other_units_are_done() {
    assert_eq!(
        run(&["start", "web@[", "web@1.service"]),
        "Unit web@1.service launched on 8145ebb7...\n\
         ! malformed pattern \"web@[.service\": close each \"[\" with \"]\" and write \"\\\\\" for a backslash\n\
         exit 1"
    );
}
