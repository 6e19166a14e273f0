//! `fleetctl restart`, and stops of what fleet has not started.

use crate::program::Fleetctl;
use crate::remote::short;
use crate::server::{Script, Server};
use crate::status::{program, run as run_there, script};

/// The unit `hello.service` in a stream, by its generation and target, and systemd's word for it.
fn hello(generation: u64, target: &str, active: &str) -> String {
    format!(
        r#"{{"revision":{generation},"units":[{{"name":"hello.service","uid":4,"generation":{generation},"desiredState":"{target}","currentState":"{target}","machines":[{{"machine":"8145ebb7d1f0","address":"10.10.1.3","current":"{target}","observed":{generation},"uid":4,"load":"loaded","active":"{active}","sub":"x","job":"done"}}]}}]}}"#
    )
}

fn wrote(script: Script, generation: u64) -> Script {
    let outcome = format!(
        r#"{{"units":[{{"name":"hello.service","status":204,"uid":4,"generation":{generation}}}]}}"#
    );
    script.on("POST /fleet/v2/units", 200, &outcome)
}

fn run(server: &Server, words: &[&str]) -> String {
    let empty = tempfile::tempdir().unwrap();
    let ended = Fleetctl::at(server, words).in_directory(empty.path()).run();
    format!("{}\n{ended}", server.writes().join("\n"))
}

#[test]
fn a_unit_that_runs_is_restarted_by_one_write_and_waited_for() {
    let events = [hello(2, "launched", "active"), hello(3, "launched", "active")];
    let server = wrote(Script::new().events(&[&events[0]], &[&events[0], &events[1]]), 3).serve();
    insta::assert_snapshot!(run(&server, &["restart", "hello"]), @r#"
    POST /fleet/v2/units {"units":[{"name":"hello.service","desiredState":"launched","restart":true}]}
    Unit hello.service launched on 8145ebb7.../10.10.1.3
    exit 0
    "#);
}

#[test]
fn a_loaded_unit_is_started_by_a_restart_and_stopped_before_that_only_if_it_is_up() {
    let after = hello(3, "launched", "active");
    for (active, more) in [("inactive", ""), ("active", r#","restart":true"#)] {
        let before = hello(2, "loaded", active);
        let server = wrote(Script::new().events(&[&before], &[&after]), 3).serve();
        let write = format!(
            r#"POST /fleet/v2/units {{"units":[{{"name":"hello.service","desiredState":"launched"{more}}}]}}"#
        );
        let line = "Unit hello.service launched on 8145ebb7.../10.10.1.3";
        assert_eq!(run(&server, &["restart", "hello"]), format!("{write}\n{line}\nexit 0"));
    }
}

#[test]
fn an_inactive_unit_is_not_restarted_and_a_name_that_nobody_knows_fails() {
    let first = r#"{"revision":1,"gone":["lost.service"],"units":[{"name":"idle.service","uid":3,"generation":1,"desiredState":"inactive","currentState":"inactive"}]}"#;
    let server = Script::new().events(&[first], &[]).serve();
    insta::assert_snapshot!(run(&server, &["restart", "idle", "lost"]), @r#"

    ! Error creating units: unable to find Unit(lost.service) in Registry or on filesystem
    ! Unable to restart unit idle.service in state inactive
    exit 1
    "#);
    let server = Script::new().events(&[first], &[]).serve();
    insta::assert_snapshot!(run(&server, &["restart", "idle"]), @r#"

    ! Unable to restart unit idle.service in state inactive
    exit 0
    "#);
}

#[test]
fn a_stop_stops_what_another_unit_has_started() {
    let before = hello(2, "loaded", "active");
    let events = [hello(3, "loaded", "active"), hello(3, "loaded", "inactive")];
    let script = Script::new().events(&[&before], &[&before, &events[0], &events[1]]);
    let server = wrote(script, 3).serve();
    insta::assert_snapshot!(run(&server, &["stop", "hello"]), @r#"
    POST /fleet/v2/units {"units":[{"name":"hello.service","desiredState":"loaded","restart":true}]}
    Unit hello.service loaded on 8145ebb7.../10.10.1.3
    ! Successfully stopped units [hello.service].
    exit 0
    "#);
}

/// A server of 1.0 that has the unit with this target, and what systemd says.
fn of_1_0(target: &str, active: &str) -> Script {
    let unit = format!(
        r#"{{"name":"hello.service","desiredState":"{target}","currentState":"{target}","machineID":"8145ebb7d1f0","options":[{{"section":"Service","name":"ExecStart","value":"/bin/hello"}}]}}"#
    );
    let state = format!(
        r#"{{"states":[{{"name":"hello.service","machineID":"8145ebb7d1f0","hash":"","systemdLoadState":"loaded","systemdActiveState":"{active}","systemdSubState":"x"}}]}}"#
    );
    Script::new()
        .on("GET /fleet/v1/units/hello.service", 200, &unit)
        .on("GET /fleet/v1/state", 200, &state)
        .on(
            "GET /fleet/v1/machines",
            200,
            r#"{"machines":[{"id":"8145ebb7d1f0","primaryIP":"10.10.1.3"}]}"#,
        )
        .on("PUT /fleet/v1/units/hello.service", 204, "")
}

#[test]
fn a_server_of_1_0_leaves_running_what_it_has_not_started_and_that_is_told() {
    let server = of_1_0("loaded", "active").serve();
    insta::assert_snapshot!(run(&server, &["stop", "hello"]), @r#"

    ! Unable to stop unit hello.service: systemd runs it although fleet has not started it, and a server of fleet 1.0 leaves that so; stop it with `fleetctl ssh hello.service sudo systemctl stop hello.service`
    exit 1
    "#);
}

#[test]
fn a_restart_on_1_0_is_a_stop_and_a_start_with_a_wait_after_each() {
    let server = of_1_0("launched", "active")
        .then(of_1_0("loaded", "inactive"))
        .then(of_1_0("launched", "active"))
        .serve();
    insta::assert_snapshot!(run(&server, &["restart", "hello"]), @r#"
    POST /fleet/v2/units {"units":[{"name":"hello.service","desiredState":"loaded"}]}
    PUT /fleet/v1/units/hello.service {"desiredState":"loaded","name":"hello.service"}
    POST /fleet/v2/units {"units":[{"name":"hello.service","desiredState":"launched"}]}
    PUT /fleet/v1/units/hello.service {"desiredState":"launched","name":"hello.service"}
    Unit hello.service loaded on 8145ebb7.../10.10.1.3
    Unit hello.service launched on 8145ebb7.../10.10.1.3
    exit 0
    "#);
}

#[test]
fn one_copy_of_a_global_unit_is_restarted_by_systemctl_on_its_machine() {
    let directory = tempfile::tempdir().unwrap();
    let ssh = program(&directory, "ssh", 0);
    let lines: [&[&str]; 6] = [
        &["restart", "--machine=m2", "all", "a"],
        &["restart", "--machine=m1", "--sudo", "--no-block", "--ssh-port=2222", "a"],
        &["restart", "--machine=m", "all"],
        &["restart", "--machine=m1", "idle", "held", "lost", "x*"],
        &["restart", "--machine=m1", "--block-attempts=2", "a"],
        &["restart", "--sudo", "a"],
    ];
    let ended = lines.map(|words| {
        let held = r#"{"name":"held.service","desiredState":"loaded","currentState":"loaded","machineID":"m1","options":[]}"#;
        let script = script("m1")
            .on("GET /fleet/v1/units/held.service", 200, held)
            .on("GET /fleet/v1/units", 200, r#"{"units":[]}"#);
        short(&run_there(script, &ssh, words))
    });
    insta::assert_snapshot!(ended.join("---\n"), @r#"
    ssh -l core -- 10.0.0.2 systemctl restart all.service
    Unit all.service restarted on m2.../10.0.0.2
    ! Unit a.service is not on a machine whose id begins with "m2".
    exit 1
    ---
    ssh -p 2222 -l core -- 10.0.0.1 sudo systemctl restart --no-block a.service
    Triggered unit a.service restart on m1.../10.0.0.1
    exit 0
    ---
    ! Unit all.service is on more than one machine whose id begins with "m".
    exit 1
    ---
    ! No unit in the registry matches x*
    ! Unable to restart unit idle.service in state inactive
    ! Unable to restart unit held.service in state loaded on one machine: `fleetctl start held.service` starts it on all that are to run it
    ! Unit lost.service does not exist.
    exit 1
    ---
    ! error: the argument '--machine <ID>' cannot be used with '--block-attempts <N>'
    ! 
    ! Usage: fleetctl restart --machine <ID> <UNIT>...
    ! 
    ! For more information, try '--help'.
    exit 2
    ---
    ! error: the following required arguments were not provided:
    !   --machine <ID>
    ! 
    ! Usage: fleetctl restart --machine <ID> --sudo <UNIT>...
    ! 
    ! For more information, try '--help'.
    exit 2
    "#);
}

#[test]
fn a_restart_that_fails_on_the_machine_ends_as_systemctl_does() {
    let directory = tempfile::tempdir().unwrap();
    let ssh = program(&directory, "ssh", 5);
    let ended = run_there(script("m1"), &ssh, &["restart", "--machine=m2", "all"]);
    insta::assert_snapshot!(short(&ended), @r#"
    ssh -l core -- 10.0.0.2 systemctl restart all.service
    exit 5
    "#);
}
