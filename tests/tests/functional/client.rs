//! The command line by itself.

use crate::fixture::Fleet;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Acceptance rows 7 and 8.
#[test]
fn help_and_version_succeed_and_name_the_version() {
    let fleet = Fleet::of(1);

    for arguments in [&[][..], &["help"], &["--help"], &["-h"]] {
        let help = fleet.fleetctl(arguments).good();
        assert!(help.stdout.contains(VERSION), "{arguments:?}: {help:?}");
    }
    let version = fleet.fleetctl(&["version"]).good();
    assert_eq!(version.stdout, format!("fleetctl version {VERSION}\n"));
}

#[test]
fn a_list_may_be_cut_off_by_its_reader() {
    let fleet = Fleet::of(1);

    // The reader is certainly gone before anything is written.
    let script = "exec 3> >(true); wait $!; fleetctl list-machines >&3; echo $?";
    let cut = fleet.host(1).read(["bash", "-c", script]).unwrap();

    assert_eq!(cut, "0\n");
}
