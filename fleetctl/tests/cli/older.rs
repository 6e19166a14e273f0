//! The program against a server of fleet 1.0, which `fleet-1.0.replay` has on record.

use std::fs;

use crate::program::Fleetctl;
use crate::server::Script;
use crate::status::program;

const RECORDED: &str = include_str!("fleet-1.0.replay");

/// How a run in an empty directory ended, and what it wrote to the server.
fn session(name: &str, words: &[&str]) -> String {
    let directory = tempfile::tempdir().unwrap();
    let text = "# new\n[Service]\nExecStart=/bin/new\n";
    fs::write(directory.path().join("new.service"), text).unwrap();
    let server = Script::recorded(RECORDED, name).serve();
    let ended = Fleetctl::at(&server, words).in_directory(directory.path()).run();
    // What 1.0 does not know is tried once, and changes nothing.
    let tried = |write: &String| !write.contains(" /fleet/v2/");
    let writes: Vec<_> = server.writes().into_iter().filter(tried).collect();
    format!("{}\n{ended}", writes.join("\n")).trim_start().to_owned()
}

#[test]
fn lists_are_those_of_1_0() {
    let lists = ["list-machines", "list-units", "list-unit-files"];
    let lists = lists.map(|list| session("", &[list])).join("\n");
    insta::assert_snapshot!(lists, @r##"
    MACHINE      IP         METADATA
    8145ebb7...  10.10.1.3  disk=ssd
    exit 0
    UNIT           MACHINE                ACTIVE  SUB
    hello.service  8145ebb7.../10.10.1.3  active  running
    exit 0
    UNIT           HASH     DSTATE    STATE     TARGET
    hello.service  b8fbaa4  launched  launched  8145ebb7.../10.10.1.3
    idle.service   0291f12  inactive  inactive  -
    exit 0
    "##);
}

#[test]
fn units_are_printed_from_their_options() {
    let printed = ["hello", "none"].map(|unit| session("", &["cat", unit])).join("\n");
    insta::assert_snapshot!(printed, @r##"
    [Unit]
    Description=Says hello

    [Service]
    ExecStart=/bin/sleep 100
    exit 0
    ! Unit none.service not found
    exit 1
    "##);
}

#[test]
fn status_is_asked_of_the_machine() {
    let directory = tempfile::tempdir().unwrap();
    let ssh = program(&directory, "ssh", 3);
    let server = Script::recorded(RECORDED, "").serve();
    let words = ["--strict-host-key-checking=false", "status", "hello", "idle"];
    let ended = Fleetctl::at(&server, &words).env("FLEETCTL_SSH", &ssh).run().to_string();
    insta::assert_snapshot!(ended, @r##"
    ssh -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o ConnectTimeout=10 -o ServerAliveInterval=15 -o LogLevel=ERROR -l core -- 10.10.1.3 systemctl status -l hello.service
    ! Unit idle.service does not appear to be loaded.
    exit 3
    "##);
}

#[test]
fn units_are_brought_up_one_by_one_and_waited_for() {
    let started = session("start", &["start", "idle"]);
    let unchanged = session("", &["start", "hello"]);
    let submitted = session("submit", &["submit", "new"]);
    let refused = session("refused", &["start", "new"]);
    insta::assert_snapshot!([started, unchanged, submitted, refused].join("\n"), @r##"
    PUT /fleet/v1/units/idle.service {"desiredState":"launched","name":"idle.service"}
    Unit idle.service launched on 8145ebb7.../10.10.1.3
    exit 0
    Unit hello.service launched on 8145ebb7.../10.10.1.3
    exit 0
    PUT /fleet/v1/units/new.service {"desiredState":"inactive","name":"new.service","options":[{"name":"ExecStart","section":"Service","value":"/bin/new"}],"text":"# new\n[Service]\nExecStart=/bin/new\n"}
    Unit new.service inactive
    exit 0
    PUT /fleet/v1/units/new.service {"desiredState":"launched","name":"new.service","options":[{"name":"ExecStart","section":"Service","value":"/bin/new"}],"text":"# new\n[Service]\nExecStart=/bin/new\n"}
    ! Error creating units: failed creating unit new.service: invalid value for option "Bad"
    exit 1
    "##);
}

#[test]
fn nothing_is_given_once_to_a_server_that_would_not_remember_it() {
    assert_eq!(
        session("", &["start", "--once", "new"]),
        "! Error creating units: failed creating unit new.service: the server is fleet 1.0, which does \
         not remember what was given to it: leave out --once\nexit 1"
    );
}

#[test]
fn units_are_brought_down_one_by_one_and_waited_for() {
    let lowered = ["stop", "unload", "destroy"].map(|word| session(word, &[word, "hello"]));
    let unknown = session("", &["stop", "none"]);
    insta::assert_snapshot!(format!("{}\n{unknown}", lowered.join("\n")), @r##"
    PUT /fleet/v1/units/hello.service {"desiredState":"loaded","name":"hello.service"}
    Unit hello.service loaded on 8145ebb7.../10.10.1.3
    ! Successfully stopped units [hello.service].
    exit 0
    PUT /fleet/v1/units/hello.service {"desiredState":"inactive","name":"hello.service"}
    Unit hello.service inactive
    ! Successfully unloaded units [hello.service].
    exit 0
    DELETE /fleet/v1/units/hello.service
    Destroyed hello.service
    exit 0
    ! Unit none.service not found in registry
    exit 0
    "##);
}

#[test]
fn a_server_that_is_not_registered_is_told_in_its_words() {
    insta::assert_snapshot!(session("registering", &["list-machines"]), @r##"
    ! Error retrieving list of active machines from fleet API: fleet server unable to communicate with etcd
    exit 1
    "##);
}
