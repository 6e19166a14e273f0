//! The command line itself.

use crate::program::Fleetctl;

fn run(words: &[&str]) -> String {
    Fleetctl::new(words).run().to_string()
}

#[test]
fn help_is_printed_for_each_way_to_ask_for_it_and_holds_the_version() {
    let help = run(&[]);
    assert_eq!(
        [run(&["help"]), run(&["--help"]), run(&["-h"]), run(&["-help"])],
        [help.clone(), help.clone(), help.clone(), help.clone(),]
    );
    assert!(help.contains(env!("CARGO_PKG_VERSION")));
    insta::assert_snapshot!("help", help.replace(env!("CARGO_PKG_VERSION"), "VERSION"));
}

#[test]
fn the_version_is_one_line_however_it_is_asked_for() {
    let version = format!("fleetctl version {}\nexit 0", env!("CARGO_PKG_VERSION"));
    for words in [&["--version"][..], &["-v"], &["-version"], &["version"], &["vers"]] {
        assert_eq!(run(words), version);
    }
}

#[test]
fn what_makes_no_sense_is_usage_with_the_nearest_word_and_exit_2() {
    let lines: [&[&str]; 8] = [
        &["strat", "a"],
        &["start", "--relpace", "a"],
        &["list-machines", "-no-legnd"],
        &["cat"],
        &["list-units", "--fields=unti"],
        &["list-units", "--fields="],
        &["--endpoint=fleet", "list-units"],
        &["--driver=etcd", "list-units"],
    ];
    insta::assert_snapshot!(lines.map(run).join("\n---\n"), @r#"
    ! error: unrecognized subcommand 'strat'
    ! 
    !   tip: some similar subcommands exist: 'status', 'restart', 'start'
    ! 
    ! Usage: fleetctl [OPTIONS] [COMMAND]
    ! 
    ! For more information, try '--help'.
    exit 2
    ---
    ! error: unexpected argument '--relpace' found
    ! 
    !   tip: a similar argument exists: '--replace'
    ! 
    ! Usage: fleetctl start --replace [UNIT]...
    ! 
    ! For more information, try '--help'.
    exit 2
    ---
    ! error: unexpected argument '--no-legnd' found
    ! 
    !   tip: a similar argument exists: '--no-legend'
    ! 
    ! Usage: fleetctl list-machines --no-legend
    ! 
    ! For more information, try '--help'.
    exit 2
    ---
    ! error: the following required arguments were not provided:
    !   <UNIT>
    ! 
    ! Usage: fleetctl cat <UNIT>
    ! 
    ! For more information, try '--help'.
    exit 2
    ---
    ! Invalid key in output format: "unti"; did you mean "unit"?
    exit 2
    ---
    ! Must define output format
    exit 2
    ---
    ! Unable to initialize client: URL scheme undefined: `fleet`; write unix:///PATH or http://HOST:PORT
    exit 2
    ---
    ! fleetctl talks to fleetd only, not to etcd: leave --driver and --experimental-api out, and name a fleetd with --endpoint
    exit 2
    "#);
}

#[test]
fn flags_of_1_0_that_name_places_in_etcd_are_taken_and_have_no_effect() {
    let line = run(&["--etcd-key-prefix=/x", "--driver=API", "start"]);
    assert_eq!(line, "! No units given\nexit 0");
}

#[test]
fn no_units_are_nothing_to_do() {
    for command in ["submit", "load", "start", "stop", "unload", "destroy", "status"] {
        assert_eq!(run(&[command]), "! No units given\nexit 0");
    }
}
