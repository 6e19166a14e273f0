//! `status`, which runs programs on machines.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::TempDir;

use crate::program::Fleetctl;
use crate::server::Script;

/// Makes a program that prints its words and ends with a code.
pub(crate) fn program(directory: &TempDir, name: &str, code: u8) -> String {
    let path = directory.path().join(name);
    fs::write(&path, format!("#!/bin/sh\necho \"{name} $*\"\nexit {code}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.to_string_lossy().into_owned()
}

pub(crate) fn script(machine: &str) -> Script {
    let unit = format!(
        r#"{{"name":"a.service","desiredState":"launched","currentState":"launched","machineID":"{machine}","options":[]}}"#
    );
    let global = r#"{"name":"all.service","desiredState":"launched","options":[{"section":"X-Fleet","name":"Global","value":"1"}]}"#;
    let idle = r#"{"name":"idle.service","currentState":"inactive","options":[]}"#;
    let away = r#"{"name":"away.service","desiredState":"launched","currentState":"inactive","machineID":"m4567890abc","options":[]}"#;
    let states = r#"{"states":[{"name":"all.service","machineID":"m1"},{"name":"all.service","machineID":"m2"}]}"#;
    let machines = r#"{"machines":[{"id":"m1","primaryIP":"10.0.0.1"},{"id":"m2","primaryIP":"10.0.0.2"},{"id":"m3"}]}"#;
    Script::new()
        .on("GET /fleet/v1/units/a.service", 200, &unit)
        .on("GET /fleet/v1/units/all.service", 200, global)
        .on("GET /fleet/v1/units/idle.service", 200, idle)
        .on("GET /fleet/v1/units/away.service", 200, away)
        .on("GET /fleet/v1/state", 200, states)
        .on("GET /fleet/v1/machines", 200, machines)
}

pub(crate) fn run(script: Script, ssh: &str, words: &[&str]) -> String {
    Fleetctl::at(&script.serve(), words).env("FLEETCTL_SSH", ssh).run().to_string()
}

#[test]
fn another_machine_is_reached_through_ssh_and_systemctls_code_is_passed_on() {
    let directory = tempfile::tempdir().unwrap();
    let ssh = program(&directory, "ssh", 3);
    insta::assert_snapshot!(run(script("m1"), &ssh, &["status", "a"]), @r#"
    ssh -o StrictHostKeyChecking=ask -o UserKnownHostsFile=~/.fleetctl/known_hosts ~/.ssh/known_hosts -o ConnectTimeout=10 -o ServerAliveInterval=15 -l core -- 10.0.0.1 systemctl status -l a.service
    exit 3
    "#);
}

#[test]
fn a_global_unit_is_shown_on_each_machine_that_runs_it() {
    let directory = tempfile::tempdir().unwrap();
    let ssh = program(&directory, "ssh", 0);
    let words = ["--strict-host-key-checking=false", "status", "--no-block", "all.service"];
    insta::assert_snapshot!(run(script("m1"), &ssh, &words), @r#"
    m1.../10.0.0.1:
    ssh -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o ConnectTimeout=10 -o ServerAliveInterval=15 -o LogLevel=ERROR -l core -- 10.0.0.1 systemctl status -l all.service

    m2.../10.0.0.2:
    ssh -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o ConnectTimeout=10 -o ServerAliveInterval=15 -o LogLevel=ERROR -l core -- 10.0.0.2 systemctl status -l all.service
    exit 0
    "#);
}

#[test]
fn what_has_no_status_is_told() {
    let ended = ["idle", "lost", "away"].map(|unit| run(script("m1"), "ssh", &["status", unit]));
    let unreachable = run(script("m3"), "ssh", &["status", "a"]);
    let no_ssh = run(script("m1"), "/nonexistent/ssh", &["status", "a"]);
    insta::assert_snapshot!(format!("{}\n{unreachable}\n{no_ssh}", ended.join("\n")), @r#"
    ! Unit idle.service does not appear to be loaded.
    exit 1
    ! Unit lost.service does not exist.
    exit 1
    ! Unit away.service does not appear to be loaded. It belongs on m4567890..., which does not report it: `fleetctl list-machines` tells whether that is there.
    exit 1
    ! Could not determine address of machine m3.
    exit 1
    ! Error running /nonexistent/ssh: No such file or directory (os error 2)
    exit 1
    "#);
}

#[test]
fn one_bad_unit_spoils_nothing_but_the_exit_code() {
    let directory = tempfile::tempdir().unwrap();
    let ssh = program(&directory, "ssh", 0);
    let words = ["status", "a", "lost", "idle", "a"];
    insta::assert_snapshot!(run(script("m1"), &ssh, &words), @r#"
    ssh -o StrictHostKeyChecking=ask -o UserKnownHostsFile=~/.fleetctl/known_hosts ~/.ssh/known_hosts -o ConnectTimeout=10 -o ServerAliveInterval=15 -l core -- 10.0.0.1 systemctl status -l a.service

    ssh -o StrictHostKeyChecking=ask -o UserKnownHostsFile=~/.fleetctl/known_hosts ~/.ssh/known_hosts -o ConnectTimeout=10 -o ServerAliveInterval=15 -l core -- 10.0.0.1 systemctl status -l a.service
    ! Unit lost.service does not exist.
    ! Unit idle.service does not appear to be loaded.
    exit 1
    "#);
}

#[test]
fn a_global_unit_is_shown_on_one_machine_by_the_beginning_of_its_id() {
    let directory = tempfile::tempdir().unwrap();
    let ssh = program(&directory, "ssh", 3);
    let ended = ["m2", "m", "x"].map(|id| {
        run(script("m1"), &ssh, &["status", "--ssh-port=2222", "--machine", id, "all.service"])
    });
    insta::assert_snapshot!(ended.join("\n"), @r#"
    m2.../10.0.0.2:
    ssh -o StrictHostKeyChecking=ask -o UserKnownHostsFile=~/.fleetctl/known_hosts ~/.ssh/known_hosts -o ConnectTimeout=10 -o ServerAliveInterval=15 -p 2222 -l core -- 10.0.0.2 systemctl status -l all.service
    exit 3
    ! Unit all.service is on more than one machine whose id begins with "m".
    exit 1
    ! Unit all.service is not on a machine whose id begins with "x".
    exit 1
    "#);
}

#[test]
fn this_machine_is_asked_directly() {
    // A container may have no identity; then there is no machine to be on.
    let Ok(own) = fs::read_to_string(Path::new("/etc/machine-id")) else { return };
    let directory = tempfile::tempdir().unwrap();
    program(&directory, "systemctl", 3);
    let ended = Fleetctl::at(&script(own.trim()).serve(), &["status", "a"])
        .env("PATH", &directory.path().to_string_lossy())
        .run();
    assert_eq!(ended.to_string(), "systemctl status -l a.service\nexit 3");
}

/// Makes a program that tells systemd's properties of a unit.
fn systemctl_show(directory: &TempDir, properties: &str) -> String {
    let path = directory.path().join("ssh");
    fs::write(&path, format!("#!/bin/sh\nprintf '{properties}'\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.to_string_lossy().into_owned()
}

#[test]
fn programs_get_what_fleet_knows_and_what_systemd_says() {
    let directory = tempfile::tempdir().unwrap();
    let ssh = systemctl_show(
        &directory,
        "LoadState=loaded\\nActiveState=failed\\nMainPID=0\\nResult=exit-code\\n",
    );
    let copy = |machine: &str| {
        format!(
            r#"{{"machine":"{machine}","current":"launched","load":"loaded","active":"failed","sub":"failed","job":"failed","problem":"systemd's job failed","hash":"b4d419b"}}"#
        )
    };
    let unit = format!(
        r#"{{"units":[{{"name":"a.service","uid":4,"generation":1,"desiredState":"launched","currentState":"launched","machines":[{},{}]}}]}}"#,
        copy("m1"),
        copy("m3"),
    );
    let script = || script("m1").on("GET /fleet/v2/units", 200, &unit);
    insta::assert_snapshot!(run(script(), &ssh, &["status", "--json", "a", "lost"]), @r#"
    [
      {
        "copies": [
          {
            "absent": false,
            "active": "failed",
            "error": null,
            "hash": "b4d419b",
            "ip": null,
            "job": "failed",
            "leaving": false,
            "load": "loaded",
            "machine": "m1",
            "problem": "systemd's job failed",
            "sub": "failed",
            "systemd": {
              "ActiveState": "failed",
              "LoadState": "loaded",
              "MainPID": "0",
              "Result": "exit-code"
            }
          },
          {
            "absent": false,
            "active": "failed",
            "error": "Could not determine address of machine m3.",
            "hash": "b4d419b",
            "ip": null,
            "job": "failed",
            "leaving": false,
            "load": "loaded",
            "machine": "m3",
            "problem": "systemd's job failed",
            "sub": "failed",
            "systemd": null
          }
        ],
        "dstate": "launched",
        "global": false,
        "obstacles": null,
        "state": "launched",
        "unit": "a.service"
      }
    ]
    ! Unit lost.service does not exist.
    exit 1
    "#);
    let one = run(script(), &ssh, &["status", "--json", "--machine=m1", "a"]);
    assert!(one.ends_with("\nexit 3"), "{one}");
}

#[test]
fn programs_too_are_told_that_no_machine_is_meant_or_more_than_one() {
    let unit = r#"{"units":[{"name":"a.service","uid":4,"generation":1,"desiredState":"launched","currentState":"launched","machines":[{"machine":"m1"},{"machine":"m3"}]}]}"#;
    let script = || script("m1").on("GET /fleet/v2/units", 200, unit);
    let wrong = ["x", "m", ""].map(|id| {
        let words = ["status", "--json", "--machine", id, "a"];
        run(script(), "ssh", &words)
    });
    insta::assert_snapshot!(wrong.join("\n"), @r#"
    []
    ! Unit a.service is not on a machine whose id begins with "x".
    exit 1
    []
    ! Unit a.service is on more than one machine whose id begins with "m".
    exit 1
    []
    ! Unit a.service is not on a machine whose id begins with "".
    exit 1
    "#);
}

#[test]
fn who_asks_several_machines_at_once_is_asked_for_no_password() {
    let directory = tempfile::tempdir().unwrap();
    let ssh = systemctl_show(&directory, "ActiveState=active\\nStatusText=%s\\n' \"$*\" #");
    let state = r#"{"states":[{"name":"a.service","machineID":"m1"}]}"#;
    let script = script("m1").on("GET /fleet/v1/state?unitName=a.service", 200, state);
    let told = run(script, &ssh, &["status", "--json", "a"]);
    assert!(told.contains(r#""StatusText": "-o BatchMode=yes "#), "{told}");
}

#[test]
fn a_unit_that_waits_for_a_place_has_obstacles_in_place_of_copies() {
    let unit = r#"{"units":[{"name":"a.service","uid":4,"desiredState":"launched","currentState":"inactive","obstacles":[{"machine":"m1","address":"10.0.0.1","reason":"lacks disk=ssd"}]}]}"#;
    let script = script("m1").on("GET /fleet/v2/units", 200, unit);
    insta::assert_snapshot!(run(script, "ssh", &["status", "--json", "a"]), @r#"
    [
      {
        "copies": [],
        "dstate": "launched",
        "global": false,
        "obstacles": [
          {
            "ip": "10.0.0.1",
            "machine": "m1",
            "reason": "lacks disk=ssd"
          }
        ],
        "state": "inactive",
        "unit": "a.service"
      }
    ]
    exit 3
    "#);
}

#[test]
fn an_older_server_tells_programs_what_it_knows() {
    let directory = tempfile::tempdir().unwrap();
    let ssh = systemctl_show(&directory, "LoadState=loaded\\nActiveState=active\\n");
    let state = r#"{"states":[{"name":"a.service","machineID":"m1","systemdLoadState":"loaded","systemdActiveState":"active","systemdSubState":"running"}]}"#;
    let script = script("m1").on("GET /fleet/v1/state?unitName=a.service", 200, state);
    insta::assert_snapshot!(run(script, &ssh, &["status", "--json", "a"]), @r#"
    [
      {
        "copies": [
          {
            "absent": false,
            "active": "active",
            "error": null,
            "hash": null,
            "ip": "10.0.0.1",
            "job": "done",
            "leaving": false,
            "load": "loaded",
            "machine": "m1",
            "problem": null,
            "sub": "running",
            "systemd": {
              "ActiveState": "active",
              "LoadState": "loaded"
            }
          }
        ],
        "dstate": "launched",
        "global": false,
        "obstacles": null,
        "state": "launched",
        "unit": "a.service"
      }
    ]
    exit 0
    "#);
}
