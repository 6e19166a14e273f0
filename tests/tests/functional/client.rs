//! The command line by itself.

use crate::fixture::{Finished, Fleet};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Acceptance row 2.
#[test]
fn the_environment_names_the_endpoint_unless_a_flag_does() {
    let fleet = Fleet::of(1);
    let host = fleet.host(1);
    host.read(["ln", "--symbolic", "--force", "/run/fleet.sock", "/run/other.sock"]).unwrap();
    let (here, nowhere) = ("unix:///run/other.sock", "unix:///run/nobody.sock");
    let list = |endpoint: &str, more: &[&str]| -> Finished {
        let endpoint = format!("FLEETCTL_ENDPOINT={endpoint}");
        let line = ["env", &endpoint, "fleetctl", "list-machines", "--full", "--no-legend"];
        let output = host.output([&line[..], &["--fields=machine"], more].concat(), b"").unwrap();
        output.into()
    };

    let found = list(here, &[]).good();
    let unset = list("", &[]).good();
    let flag = format!("--endpoint={here}");
    let overruled = list(nowhere, &[&flag]).good();
    let lost = list(nowhere, &[]);

    for listed in [found, unset, overruled] {
        assert_eq!(listed.stdout.trim(), host.machine_id().unwrap());
    }
    assert_eq!(lost.code, 1, "{lost:?}");
    assert!(lost.stderr.contains("/run/nobody.sock"), "{lost:?}");
}

/// Acceptance rows 6, 7 and 8.
#[test]
fn help_and_version_succeed_and_name_the_version() {
    let fleet = Fleet::of(1);

    for arguments in [&[][..], &["help"], &["--help"], &["-h"]] {
        let help = fleet.fleetctl(arguments).good();
        assert!(help.stdout.contains(VERSION), "{arguments:?}: {help:?}");
    }
    for word in ["version", "--version", "-v"] {
        let version = fleet.fleetctl(&[word]).good();
        assert_eq!(version.stdout, format!("fleetctl version {VERSION}\n"), "{word}");
    }
}

#[test]
fn a_list_may_be_cut_off_by_its_reader() {
    let fleet = Fleet::of(1);

    // The reader is certainly gone before anything is written.
    let script = "exec 3> >(true); wait $!; fleetctl list-machines >&3; echo $?";
    let cut = fleet.host(1).read(["bash", "-c", script]).unwrap();

    assert_eq!(cut, "0\n");
}
