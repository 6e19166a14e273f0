//! Readers that have seen enough, and outputs that take nothing.

use std::fs::{self, OpenOptions};
use std::io;
use std::process::Stdio;

use crate::commands::all;
use crate::list::{MACHINES, STATES, UNITS};
use crate::program::{Ended, Fleetctl};
use crate::server::{Script, Server};

fn server() -> Server {
    let unit = r#"{"name":"a.service","desiredState":"launched","text":"[Service]\n"}"#;
    Script::new()
        .on("GET /fleet/v1/machines", 200, MACHINES)
        .on("GET /fleet/v1/units", 200, UNITS)
        .on("GET /fleet/v1/units/a.service", 200, unit)
        .on("GET /fleet/v1/state", 200, STATES)
        .serve()
}

fn gone() -> Stdio {
    let (_reader, writer) = io::pipe().unwrap();
    writer.into()
}

/// Command lines that print.
fn printing() -> Vec<String> {
    let help = all().into_iter().filter(|command| command != "help");
    let help = help.map(|command| format!("help {command}"));
    let lists = ["list-units", "list-unit-files", "list-machines"];
    let lists = lists.iter().flat_map(|list| [(*list).to_owned(), format!("{list} --json")]);
    let others = ["", "help", "version", "--version", "cat a"].map(str::to_owned);
    help.chain(lists).chain(others).collect()
}

fn run(line: &str, out: Stdio, err: Stdio) -> Ended {
    let words: Vec<&str> = line.split_whitespace().collect();
    Fleetctl::at(&server(), &words).into(out, err)
}

#[test]
fn a_reader_that_went_away_is_no_error_to_any_command_that_prints() {
    for line in printing() {
        let ended = run(&line, gone(), Stdio::piped());
        assert_eq!(ended.to_string(), "exit 0", "fleetctl {line}");
    }
}

#[test]
fn an_output_that_takes_nothing_is_an_error_to_each_command_that_prints() {
    for line in printing() {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let ended = run(&line, full.into(), Stdio::piped());
        let sentence =
            "! Error writing output: No space left on device (os error 28)\nexit 1".to_owned();
        assert_eq!(ended.to_string(), sentence, "fleetctl {line}");
    }
}

#[test]
fn a_command_ends_as_it_would_if_nobody_reads_what_is_wrong() {
    let lines = ["strat", "cat", "--endpoint=unix:///nonexistent list-units", "stop"];
    let codes = lines.map(|line| run(line, Stdio::piped(), gone()).code());
    assert_eq!(codes, [Some(2), Some(2), Some(1), Some(0)]);
}

/// What a machine says of a unit that runs, or that has failed.
fn on_machine(name: &str, generation: u64, active: &str, job: &str) -> String {
    format!(
        r#"{{"name":"{name}.service","uid":4,"generation":{generation},"desiredState":"launched","currentState":"launched","machines":[{{"machine":"8145ebb7d1f0","current":"launched","observed":{generation},"uid":4,"load":"loaded","active":"{active}","sub":"x","job":"{job}"}}]}}"#
    )
}

fn update(units: &[String]) -> String {
    format!(r#"{{"revision":4,"units":[{}]}}"#, units.join(","))
}

/// Replaces what two units say, of which the first says so already; gives the number of writes.
fn replace(out: Stdio) -> (Ended, usize) {
    let directory = tempfile::tempdir().unwrap();
    let text = "[Service]\nExecStart=/bin/true\n";
    let before = ["a", "b"].map(|name| on_machine(name, 1, "active", "done"));
    let mut script = Script::new().events(&[&update(&before)], &[]);
    for (name, registered) in [("a", "true"), ("b", "false")] {
        fs::write(directory.path().join(format!("{name}.service")), text).unwrap();
        let unit = format!(
            r#"{{"name":"{name}.service","desiredState":"launched","text":"[Service]\nExecStart=/bin/{registered}\n"}}"#
        );
        script = script.on(&format!("GET /fleet/v1/units/{name}.service"), 200, &unit);
    }
    let outcome = r#"{"units":[{"name":"b.service","status":204,"uid":4,"generation":2}]}"#;
    let server = script.on("POST /fleet/v2/units", 200, outcome).serve();
    let words = ["start", "--no-block", "--replace", "a", "b"];
    let ended =
        Fleetctl::at(&server, &words).in_directory(directory.path()).into(out, Stdio::piped());
    (ended, server.writes().len())
}

#[test]
fn what_is_to_be_written_is_written_although_nobody_reads_or_can() {
    let (ended, writes) = replace(gone());
    assert_eq!((ended.to_string().as_str(), writes), ("exit 0", 1));

    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let (ended, writes) = replace(full.into());
    let sentence = "! Error writing output: No space left on device (os error 28)\nexit 1";
    assert_eq!((ended.to_string().as_str(), writes), (sentence, 1));
}

#[test]
fn a_unit_that_fails_after_the_reader_has_gone_still_fails_the_command() {
    let before = r#"{"revision":1,"units":[
        {"name":"a.service","uid":4,"generation":1,"desiredState":"loaded","currentState":"loaded"},
        {"name":"b.service","uid":4,"generation":1,"desiredState":"loaded","currentState":"loaded"}]}"#
        .replace('\n', "");
    let [a, b] = [("a", "active", "done"), ("b", "failed", "failed")]
        .map(|(name, active, job)| update(&[on_machine(name, 2, active, job)]));
    let outcomes = r#"{"units":[{"name":"a.service","status":204,"uid":4,"generation":2},{"name":"b.service","status":204,"uid":4,"generation":2}]}"#;
    let script = Script::new().events(&[&before], &[&a, &b]);
    let server = script.on("POST /fleet/v2/units", 200, outcomes).serve();
    let empty = tempfile::tempdir().unwrap();
    let fleetctl = Fleetctl::at(&server, &["start", "a", "b"]).in_directory(empty.path());
    insta::assert_snapshot!(fleetctl.into(gone(), Stdio::piped()).to_string(), @r#"
    ! Error waiting for units: unit b.service on 8145ebb7... is failed (x); `fleetctl status b.service` shows more
    exit 1
    "#);
}
