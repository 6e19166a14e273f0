//! What the whole of fleetd relies on: its contract with systemd, kept by the systemd of a host.

use crate::fixture::Fleet;

#[test]
fn systemd_over_d_bus_keeps_the_contract_that_its_twin_keeps() {
    let fleet = Fleet::of(1);
    let host = fleet.host(1);
    let program = std::env::var("FLEET_TESTBED_CONTRACT").unwrap();
    host.write("/root/contract", &std::fs::read(program).unwrap()).unwrap();

    let claims = "chmod +x contract && ./contract systemd::contract::dbus:: systemd::dbus::real::";
    let kept = host.output(["sh", "-c", claims], b"").unwrap();

    let said = String::from_utf8_lossy(&kept.stdout);
    assert!(kept.status.success(), "{said}");
    assert!(!said.contains("running 0 tests"), "{said}");
}
