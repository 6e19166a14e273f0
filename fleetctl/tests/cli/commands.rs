//! What holds for every command: its help, and what becomes of a line that is wrong.
//!
//! Expectations stand in `snapshots`; CONTRIBUTING.md says how they are written anew.

use std::collections::BTreeSet;
use std::fs;

use crate::program::Fleetctl;

/// Commands that are not in the help.
const HIDDEN: [&str; 1] = ["verify"];

fn run(words: &[&str]) -> String {
    Fleetctl::new(words).run().to_string()
}

/// All commands, as the help has them, and those that it hides.
pub(crate) fn all() -> Vec<String> {
    let help = Fleetctl::new(&["help"]).run().out();
    let list = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let list = list.take_while(|line| !line.is_empty());
    let names = list.filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    names.filter(|name| !name.is_empty()).chain(HIDDEN).map(str::to_owned).collect()
}

/// Commands with flags and words of their own, by which `help` is not meant.
fn with_flags() -> Vec<String> {
    all().into_iter().filter(|command| command != "help").collect()
}

/// The long flags in a command's help.
fn flags(command: &str) -> BTreeSet<String> {
    let help = Fleetctl::new(&["help", command]).run().out();
    // Not sentences in which a line happens to begin with a flag.
    let lines = help.lines().filter(|line| line.starts_with("  -") || line.starts_with("      --"));
    let long = |line: &str| {
        let long = line.split([' ', ',', '[']).find(|word| word.starts_with("--"));
        long.map(str::to_owned)
    };
    lines.filter_map(long).collect()
}

#[test]
fn the_help_of_each_command_is_the_same_however_it_is_asked_for() {
    for command in with_flags() {
        let help = run(&["help", &command]);
        assert_eq!(run(&[&command, "--help"]), help, "{command} --help");
        assert_eq!(run(&[&command, "-help"]), help, "{command} -help");
        insta::assert_snapshot!(format!("help-{command}"), help);
    }
}

#[test]
fn each_expectation_of_help_is_that_of_a_command() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/snapshots");
    let files = fs::read_dir(directory).unwrap().map(|file| file.unwrap().file_name());
    let files = files.filter_map(|file| {
        let file = file.into_string().unwrap();
        Some(file.split_once("help-")?.1.strip_suffix(".snap")?.to_owned())
    });
    assert_eq!(files.collect::<BTreeSet<_>>(), with_flags().into_iter().collect());
}

#[test]
fn a_flag_that_no_command_has_is_told_with_the_usage_of_that_command() {
    let told = with_flags().into_iter().map(|command| {
        format!("$ fleetctl {command} --zzzzzz\n{}\n", run(&[&command, "--zzzzzz"]))
    });
    insta::assert_snapshot!("unknown-flags", told.collect::<String>());
}

#[test]
fn the_nearest_flag_of_each_command_is_named_for_one_with_a_letter_too_few() {
    for command in with_flags() {
        for flag in flags(&command) {
            let (start, last) = flag.split_at(flag.len() - 1);
            let misspelt = format!("{}{last}", &start[..start.len() - 1]);
            let ended = Fleetctl::new(&[&command, &misspelt]).run();
            let tip = format!("tip: a similar argument exists: '{flag}'");
            let usage = format!("Usage: fleetctl {command}");
            assert!(
                ended.err().contains(&tip) && ended.err().contains(&usage),
                "{command} {misspelt}: {ended}"
            );
            assert_eq!((ended.code(), ended.out()), (Some(2), String::new()), "{command} {flag}");
        }
    }
}

#[test]
fn words_that_are_missing_or_too_many_are_told_with_the_usage() {
    let lines: [&[&str]; 8] = [
        &["cat"],
        &["cat", "a", "b"],
        &["journal"],
        &["journal", "a", "b"],
        &["fd-forward"],
        &["fd-forward", "/a", "/b"],
        &["list-units", "a"],
        &["version", "a"],
    ];
    let told = lines.map(|words| format!("$ fleetctl {}\n{}\n", words.join(" "), run(words)));
    insta::assert_snapshot!("words", told.concat());
}

#[test]
fn values_that_make_no_sense_are_told_with_what_would() {
    let lines: [&[&str]; 19] = [
        &["--request-timeout=soon", "list-units"],
        &["--request-timeout=0", "list-units"],
        &["list-units", "--request-timeout"],
        &["--ssh-timeout=-1", "list-units"],
        &["--strict-host-key-checking=perhaps", "list-units"],
        &["--debug=perhaps", "list-units"],
        &["--endpoint=10.0.0.1:49153", "list-units"],
        &["--endpoint=unix://var/run/fleet.sock", "list-units"],
        &["--endpoint=ftp://host", "list-units"],
        &["--tunnel=host:port", "list-units"],
        &["--driver=zookeeper", "list-units"],
        &["--experimental-api=false", "list-units"],
        &["start", "--block-attempts=few", "a"],
        &["start", "--no-block=perhaps", "a"],
        &["journal", "--lines=few", "a"],
        &["ssh", "--ssh-port=65536", "a"],
        &["list-machines", "--fields=machin,ip"],
        &["list-machines", "--color=sometimes"],
        &["list-units", "--filter=nme=a"],
    ];
    let told = lines.map(|words| format!("$ fleetctl {}\n{}\n", words.join(" "), run(words)));
    insta::assert_snapshot!("values", told.concat());
}

#[test]
fn a_command_that_is_none_or_several_is_told_with_similar_ones() {
    let lines: [&[&str]; 6] =
        [&["strat"], &["list"], &["st"], &["zzzzzz"], &["help", "strat"], &["--zzzzzz"]];
    let told = lines.map(|words| format!("$ fleetctl {}\n{}\n", words.join(" "), run(words)));
    insta::assert_snapshot!("commands", told.concat());
}
