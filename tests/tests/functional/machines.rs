//! Machines that come, go, die and come back.

use fleet_tests::wait::{throughout, until};

use crate::fixture::{Fleet, PATIENCE, Systemd, TTL, places, sleeper};

/// Acceptance row 3.
#[test]
fn a_machine_that_leaves_hands_its_unit_to_the_free_one_and_no_other_moves() {
    let fleet = Fleet::of(4);
    let before = three_that_conflict(&fleet);
    let asked = fleet.host(1);
    let leaver = before.iter().map(|(unit, machine)| (unit, fleet.host_of(machine)));
    let (unit, leaver) = leaver.into_iter().find(|(_, host)| host.number() != 1).unwrap();

    leaver.read(["systemctl", "stop", "fleet"]).unwrap();

    let place = fleet.await_moved(&asked, unit, &before[unit]);
    let mut expected = before.clone();
    expected.insert(unit.clone(), place);
    assert_eq!(fleet.await_active(3), expected);
    assert!(!Systemd(leaver).is_active(unit));
    fleet.await_machines(3);
}

/// Acceptance row 4.
#[test]
fn a_machine_that_is_replaced_by_another_moves_exactly_its_unit() {
    let fleet = Fleet::of(3);
    let before = three_that_conflict(&fleet);
    let (unit, old) = before.iter().find(|(_, id)| fleet.host_of(id).number() == 3).unwrap();
    let replaced = fleet.host(3);

    let script = "systemd-id128 new >/etc/machine-id; rm -rf /var/lib/fleet; sync";
    replaced.read(["sh", "-c", script]).unwrap();
    replaced.power_off().unwrap();
    fleet.boot(&replaced);

    let place = fleet.await_moved(&fleet.host(1), unit, old);
    assert_eq!(place, replaced.machine_id().unwrap());
    let mut expected = before.clone();
    expected.insert(unit.clone(), place);
    assert_eq!(fleet.await_active(3), expected);
}

/// Acceptance row 16.
#[test]
fn a_machine_that_shuts_its_fleet_down_takes_its_pinned_unit_off_the_list() {
    let fleet = Fleet::of(3);
    let leaver = Systemd(fleet.host(2));
    let pin = format!("MachineID={}", leaver.machine_id().unwrap());
    let path = fleet.write("pinned.service", &sleeper(&pin));
    fleet.fleetctl(&["start", &path]).good();

    leaver.read(["systemctl", "stop", "fleet"]).unwrap();

    assert_eq!(fleet.machines_from(&fleet.host(1)).len(), 2);
    assert_eq!(fleet.units(), []);
    assert!(!leaver.is_active("pinned.service"));
    assert_eq!(leaver.show("fleet.service", "Result"), "success");
}

#[test]
fn a_unit_of_a_dead_machine_runs_elsewhere_and_never_twice_when_that_is_back() {
    let fleet = Fleet::of(3);
    let path = fleet.write("hello.service", &sleeper(""));
    fleet.fleetctl(&["start", &path]).good();
    let first = fleet.await_active(1)["hello.service"].clone();
    let dead = fleet.host_of(&first);
    let asked = fleet.hosts().into_iter().find(|host| host.number() != dead.number()).unwrap();

    dead.power_off().unwrap();
    let second = fleet.await_moved(&asked, "hello.service", &first);
    fleet.boot(&dead);
    until(PATIENCE, "three machines are present", || {
        let machines = fleet.machines_from(&asked);
        if machines.len() == 3 { Ok(()) } else { Err(format!("{machines:?}")) }
    });

    throughout(TTL * 2, || {
        let running = fleet.hosts().into_iter().map(Systemd);
        let running = running.filter(|host| host.is_active("hello.service"));
        let running: Vec<_> = running.map(|host| host.machine_id().unwrap()).collect();
        assert_eq!(running, std::slice::from_ref(&second));
    });
}

#[test]
fn a_machine_that_was_cut_off_gives_up_what_moved_and_keeps_the_rest() {
    let fleet = Fleet::of(3);
    let cut = Systemd(fleet.host(3));
    let pin = format!("MachineID={}", cut.machine_id().unwrap());
    let pinned = fleet.write("pinned.service", &sleeper(&pin));
    let movable = fleet.write("movable@.service", &sleeper("Conflicts=movable@*.service"));
    let movable: Vec<_> = (1..=2).map(|n| movable.replace("@.", &format!("@{n}."))).collect();
    let on_one = format!("MachineID={}", fleet.host(1).machine_id().unwrap());
    let filler = fleet.write("movable@0.service", &sleeper(&on_one));
    fleet.fleetctl(&["start", &pinned, &filler, &movable[0], &movable[1]]).good();
    let before = fleet.await_active(4);
    let mut moving = before.iter().filter(|(unit, _)| unit.starts_with("movable"));
    let (moving, from) = moving.find(|(_, id)| fleet.host_of(id).number() == 3).unwrap();
    let pid = cut.main_pid("pinned.service");

    // Room for the unit of the machine that will be away.
    fleet.fleetctl(&["destroy", "movable@0.service"]).good();
    cut.connect(false).unwrap();
    let asked = fleet.host(1);
    fleet.await_moved(&asked, moving, from);
    assert!(cut.is_active(moving), "a machine that is cut off keeps its units");
    cut.connect(true).unwrap();

    until(PATIENCE, "the moved unit stops where it was", || {
        if cut.is_active(moving) { Err("active") } else { Ok(()) }
    });
    fleet.await_active(3);
    assert_eq!(cut.main_pid("pinned.service"), pid);
    assert_eq!(places(&fleet.units())["pinned.service"], before["pinned.service"]);
}

fn three_that_conflict(fleet: &Fleet) -> std::collections::BTreeMap<String, String> {
    let template = fleet.write("conflict@.service", &sleeper("Conflicts=conflict@*.service"));
    let files: Vec<_> = (1..=3).map(|n| template.replace("@.", &format!("@{n}."))).collect();
    fleet.fleetctl(&["start", &files[0], &files[1], &files[2]]).good();
    let places = places(&fleet.units());
    assert_eq!(places.len(), 3, "all are listed at once: {places:?}");
    places
}
