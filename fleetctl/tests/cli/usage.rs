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
    insta::assert_snapshot!(help.replace(env!("CARGO_PKG_VERSION"), "VERSION"), @r#"
    fleetctl version VERSION: runs systemd units on a cluster of machines

    Usage: fleetctl [OPTIONS] [COMMAND]

    Commands:
      submit           Make units known to the cluster, without running them
      load             Give units to machines, without starting them
      start            Run units, each on a machine that suits it
      restart          Stop units that run and start them again, each where it is
      stop             Stop units, and leave them on their machines
      unload           Stop units, and take them from their machines
      destroy          Stop units, and make the cluster forget them
      list-units       List units as systemd sees them on their machines
      list-unit-files  List all units that the cluster knows
      list-machines    List the machines of the cluster
      cat              Print the text of a unit
      why              Explain why units are where they are, or nowhere, and what would place them
      status           Print what systemd says of units, on their machines
      journal          Print the journal of a unit, from its machines
      ssh              Log in to a machine, or run a command there
      fd-forward       Join standard input and output to a unix socket, for tunnels
      version          Print the version
      help             Print this message or the help of the given subcommand(s)

    Options:
      -v, --version  Print the version
      -h, --help     Print help

    Global flags:
          --endpoint <URL>
              unix:///PATH or http[s]://HOST:PORT of fleet's API [default: unix:///var/run/fleet.sock]
          --request-timeout <SECONDS>
              Seconds that one request may take [default: 3]
          --cert-file <PATH>
              PEM file with the certificate that fleet's API is shown over https
          --key-file <PATH>
              PEM file with the key of the certificate
          --ca-file <PATH>
              PEM file with the authorities that sign the API's certificate [default: the system's]
          --tunnel <HOST>
              Machine through whose sshd fleet and its machines are reached, as HOST[:PORT]
          --ssh-username <USER>
              User who logs in to other machines [default: core]
          --ssh-timeout <SECONDS>
              Seconds that connecting to another machine may take [default: 10]
          --known-hosts-file <PATH>
              File with the host keys of machines [default: ~/.fleetctl/known_hosts]
          --strict-host-key-checking[=<BOOL>]
              Whether the host keys of machines are checked [default: true]
          --debug[=<BOOL>]
              Tell on standard error what is asked of fleet

    Each global flag can be set in the environment: --endpoint as FLEETCTL_ENDPOINT, and so on.
    Command names may be shortened as long as they are unambiguous.

    Exit codes: 0 done, or already so; 1 failed; 2 the command line makes no sense. `status`, `journal`
    and `ssh` exit as the program on the machine does.
    exit 0
    "#);
}

#[test]
fn help_of_a_command_shows_its_flags_before_the_global_ones() {
    insta::assert_snapshot!(run(&["help", "start"]), @r#"
    Run units, each on a machine that suits it

    Usage: fleetctl start [OPTIONS] [UNIT]...

    Arguments:
      [UNIT]...  Paths of unit files, names of units or of instances of templates, or patterns over
                 names that the cluster knows, such as 'web@*'

    Options:
          --replace             Replace units that the cluster knows already by what the files say
          --once                Leave everything as it is if a unit is there, or was given to the
                                cluster with --once before and may have been destroyed since
          --no-block            Do not wait: return when the cluster has noted what is asked for
          --block-attempts <N>  Wait for at most N times 2 seconds; 0 waits until the job has ended
                                [default: 0]
      -h, --help                Print help

    Global flags:
          --endpoint <URL>
              unix:///PATH or http[s]://HOST:PORT of fleet's API [default: unix:///var/run/fleet.sock]
          --request-timeout <SECONDS>
              Seconds that one request may take [default: 3]
          --cert-file <PATH>
              PEM file with the certificate that fleet's API is shown over https
          --key-file <PATH>
              PEM file with the key of the certificate
          --ca-file <PATH>
              PEM file with the authorities that sign the API's certificate [default: the system's]
          --tunnel <HOST>
              Machine through whose sshd fleet and its machines are reached, as HOST[:PORT]
          --ssh-username <USER>
              User who logs in to other machines [default: core]
          --ssh-timeout <SECONDS>
              Seconds that connecting to another machine may take [default: 10]
          --known-hosts-file <PATH>
              File with the host keys of machines [default: ~/.fleetctl/known_hosts]
          --strict-host-key-checking[=<BOOL>]
              Whether the host keys of machines are checked [default: true]
          --debug[=<BOOL>]
              Tell on standard error what is asked of fleet
    exit 0
    "#);
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
fn no_units_are_nothing_to_do() {
    for command in ["submit", "load", "start", "stop", "unload", "destroy", "status"] {
        assert_eq!(run(&[command]), "! No units given\nexit 0");
    }
}
