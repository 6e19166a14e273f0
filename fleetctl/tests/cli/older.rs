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
    insta::assert_snapshot!(lists, @"");
}

#[test]
fn units_are_printed_from_their_options() {
    let printed = ["hello", "none"].map(|unit| session("", &["cat", unit])).join("\n");
    insta::assert_snapshot!(printed, @"");
}

#[test]
fn status_is_asked_of_the_machine() {
    let directory = tempfile::tempdir().unwrap();
    let ssh = program(&directory, "ssh", 3);
    let server = Script::recorded(RECORDED, "").serve();
    let words = ["--strict-host-key-checking=false", "status", "hello", "idle"];
    let ended = Fleetctl::at(&server, &words).env("FLEETCTL_SSH", &ssh).run().to_string();
    insta::assert_snapshot!(ended, @"");
}

#[test]
fn units_are_brought_up_one_by_one_and_waited_for() {
    let started = session("start", &["start", "idle"]);
    let unchanged = session("", &["start", "hello"]);
    let submitted = session("submit", &["submit", "new"]);
    let refused = session("refused", &["start", "new"]);
    insta::assert_snapshot!([started, unchanged, submitted, refused].join("\n"), @"");
}

#[test]
fn units_are_brought_down_one_by_one_and_waited_for() {
    let lowered = ["stop", "unload", "destroy"].map(|word| session(word, &[word, "hello"]));
    let unknown = session("", &["stop", "none"]);
    insta::assert_snapshot!(format!("{}\n{unknown}", lowered.join("\n")), @"");
}

#[test]
fn a_server_that_is_not_registered_is_told_in_its_words() {
    insta::assert_snapshot!(session("registering", &["list-machines"]), @"");
}
