//! Metadata of machines, from their configuration and set at run time.

use crate::fixture::{Fleet, sleeper};

/// Acceptance row 15.
#[test]
fn an_instance_may_ask_for_the_metadata_that_its_own_name_spells() {
    let fleet = Fleet::of(3);
    fleet.tell_hostnames();
    let template = fleet.write("named@.service", &sleeper("MachineMetadata=hostname=%i"));
    let instance = |name: &str| template.replace("@.", &format!("@{name}."));
    let paths: Vec<_> = fleet.hosts().iter().map(|host| instance(host.name())).collect();

    fleet.fleetctl(&["start", &paths[0], &paths[1], &paths[2]]).good();
    let unmatched = fleet.fleetctl(&["start", "--block-attempts=20", &instance("nowhere")]);

    let active = fleet.await_active(3);
    for host in fleet.hosts() {
        let unit = format!("named@{}.service", host.name());
        assert_eq!(active[&unit], host.machine_id().unwrap(), "{active:?}");
        let short = &host.machine_id().unwrap()[..8];
        let line = unmatched.stderr.lines().find(|line| line.contains(short));
        let line = line.unwrap_or_else(|| panic!("no line for {short}: {unmatched:?}"));
        assert!(line.contains("hostname=nowhere"), "{line}");
    }
    assert_eq!(unmatched.code, 1, "{unmatched:?}");
}
