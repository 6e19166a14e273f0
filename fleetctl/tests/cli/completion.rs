//! What shells complete, against a scripted server.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::commands::all;
use crate::list::{MACHINES, UNITS};
use crate::program::Fleetctl;
use crate::server::{Script, Server};
use crate::silence::mute;

const INSTANCES: &str = r#"{"units":[{"name":"web@1.service","desiredState":"launched"},
    {"name":"web@2.service","desiredState":"inactive"},{"name":"db.service"}]}"#;

fn server(units: &str) -> Server {
    Script::new()
        .on("GET /fleet/v1/machines", 200, MACHINES)
        .on("GET /fleet/v1/units", 200, units)
        .serve()
}

/// What the last of the words may become, one in a line.
fn completed(line: &str) -> String {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("units")).unwrap();
    fs::write(directory.path().join("units/new.service"), "").unwrap();
    fs::write(directory.path().join("web.timer"), "").unwrap();
    let words: Vec<&str> = ["__complete", "--"].into_iter().chain(line.split(' ')).collect();
    let ended = Fleetctl::at(&server(UNITS), &words).in_directory(directory.path()).run();
    format!("$ fleetctl {line}\n{ended}\n").replace('\t', "  ")
}

#[test]
fn commands_flags_values_units_machines_and_files_are_completed() {
    let lines = [
        "st",
        "list-units --f",
        "list-m --f",
        "list-machines --color=a",
        "list-machines --color a",
        "completion ",
        "--debug=t",
        "stop w",
        "stop web.service ",
        "stop -no-block w",
        "stop --block-attempts 1 w",
        "start ",
        "start u",
        "start units/",
        "submit -- w",
        "journal --lines 3 w",
        "journal web.service ",
        "status --machine ",
        "status --machine=c",
        "ssh 1",
        "ssh --unit i",
        "ssh c9de ls w",
        "fd-forward u",
        "--endpoint unix:///nonexistent stop w",
        "--tunnel host stop w",
        "--request-timeout=soon stop w",
        "zzz w",
        "stop --zzz",
    ];
    insta::assert_snapshot!("completed", lines.map(completed).concat());
}

#[test]
fn every_command_is_completed_and_nothing_that_is_hidden() {
    let ended = Fleetctl::new(&["__complete", "--", ""]).run().out();
    let completed: Vec<_> = ended.lines().filter_map(|line| line.split('\t').next()).collect();
    let mut shown: Vec<_> = all().into_iter().filter(|command| command != "verify").collect();
    shown.sort();
    assert_eq!(completed, shown);
}

#[test]
fn a_cluster_that_keeps_silent_has_no_names_and_no_words() {
    let endpoint = mute();
    for line in [["stop", "w"], ["ssh", "c"]] {
        let words = [["__complete", "--"], line].concat();
        let ended = Fleetctl::new(&words).env("FLEETCTL_ENDPOINT", &endpoint).run();
        assert_eq!(ended.to_string(), "exit 0");
    }
}

/// Runs a script in a shell that has the completion and finds fleetctl; `None` without the shell,
/// unless all have to be there.
fn shell(program: &str, script: &str) -> Option<String> {
    let server = server(INSTANCES);
    let fleetctl = Path::new(env!("CARGO_BIN_EXE_fleetctl"));
    let path = std::env::var("PATH").unwrap();
    let home = tempfile::tempdir().unwrap();
    let mut line = Command::new(program);
    line.args(["-c", script]).env_clear().env("HOME", home.path()).current_dir(home.path());
    line.env("PATH", format!("{}:{path}", fleetctl.parent().unwrap().display()));
    line.env("FLEETCTL_ENDPOINT", server.endpoint());
    let ended = match line.output() {
        Err(_) if std::env::var_os("FLEET_TEST_PROGRAMS").is_none() => return None,
        ended => ended.unwrap_or_else(|error| panic!("{program}: {error}")),
    };
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "", "{program}");
    Some(String::from_utf8(ended.stdout).unwrap())
}

#[test]
fn bash_is_given_what_stands_behind_the_mark_at_which_it_breaks_words() {
    const SCRIPT: &str = r#"
        . <(fleetctl completion bash)
        for COMP_LINE in 'fleetctl sto' 'fleetctl stop ' 'fleetctl stop web@' 'fleetctl stop web@1' \
            'fleetctl list-units --color=n' 'fleetctl cat d' 'fleetctl zzz '; do
            COMP_POINT=${#COMP_LINE} COMPREPLY=()
            _fleetctl fleetctl
            echo "$COMP_LINE: ${COMPREPLY[*]}"
        done
        complete -p fleetctl"#;
    insta::assert_snapshot!("bash", shell("bash", SCRIPT).unwrap());
}

#[test]
fn zsh_is_given_names_with_their_help() {
    const SCRIPT: &str = r#"
        compdef() { print -r -- "compdef $@" }
        compadd() { print -rl -- "compadd $*" "${(P@)@[-1]}" }
        . <(fleetctl completion zsh)
        words=(fleetctl stop web@); CURRENT=3
        _fleetctl"#;
    if let Some(given) = shell("zsh", SCRIPT) {
        insta::assert_snapshot!("zsh", given);
    }
}

#[test]
fn fish_shows_names_with_their_help() {
    const SCRIPT: &str = "
        fleetctl completion fish | source
        for line in 'fleetctl sto' 'fleetctl stop web@' 'fleetctl cat '
            echo $line:
            complete --do-complete $line
        end";
    if let Some(given) = shell("fish", SCRIPT) {
        insta::assert_snapshot!("fish", given);
    }
}
