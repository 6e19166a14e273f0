//! Readers that have seen enough, and outputs that take nothing.

use std::fs::OpenOptions;
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
