//! What the whole of fleetd relies on: its contract with systemd, kept by the systemd of a host.

use crate::fixture::{Fleet, Undo};

#[test]
fn systemd_over_d_bus_keeps_the_contract_that_its_twin_keeps() {
    let fleet = Fleet::of(1);
    let host = fleet.host(1);
    let [program, tests] =
        ["", "_TESTS"].map(|part| std::env::var(format!("FLEET_TESTBED_CONTRACT{part}")).unwrap());
    let _gone = Undo::new(&host, "rm -f /root/contract");
    host.write("/root/contract", &std::fs::read(program).unwrap()).unwrap();
    host.read(["chmod", "+x", "/root/contract"]).unwrap();

    for claims in tests.split(' ') {
        let kept = host.output(["/root/contract", claims], b"").unwrap();

        let said = String::from_utf8_lossy(&kept.stdout);
        let is_kept = kept.status.success() && said.contains("test result: ok. ");
        assert!(is_kept && !said.contains("test result: ok. 0 passed"), "{claims}: {said}");
    }
}
