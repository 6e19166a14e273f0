use std::collections::BTreeSet;

use fleet_units::TargetState;
use proptest::prelude::*;

use super::tests::{land, lost, settle};
use super::*;
use crate::placement::matches;
use crate::placement::testing::{World, machine, text};
use crate::registry::document::Standing;

pub(super) const MACHINES: [&str; 4] = ["a", "b", "c", "d"];
pub(super) const UNITS: [&str; 6] =
    ["u1.service", "u2.service", "u3.service", "w@1.service", "w@2.service", "w@3.service"];
const DIRECTIVES: [&str; 13] = [
    "",
    "",
    "Conflicts=w@*.service",
    "Conflicts=u1.service",
    "MachineOf=u1.service",
    "MachineOf=u2.service",
    "MachineMetadata=role=web",
    "MachineID=b",
    "Replaces=u1.service",
    "Replaces=u3.service",
    "Replaces=w@*.service",
    "MachineOf=u1.service\nReplaces=w@1.service",
    "Global=true",
];

/// Something that people, agents or fate do to a cluster.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Set(usize, usize, TargetState),
    Destroy(usize),
    Vanish(usize),
    Appear(usize),
    Overlay(usize, bool),
    /// Somebody changes what is written of a machine that stays.
    Stand(usize, Standing),
    /// The engine plans; the flag says whether what is absent counts as lost.
    Plan(bool),
    Obey,
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let target = prop_oneof![
        1 => Just(TargetState::Inactive),
        1 => Just(TargetState::Loaded),
        4 => Just(TargetState::Launched),
    ];
    let standing = prop_oneof![
        2 => Just(Standing::Joined),
        1 => Just(Standing::Cordoned),
        1 => Just(Standing::Draining),
    ];
    prop_oneof![
        6 => (0..UNITS.len(), 0..DIRECTIVES.len(), target).prop_map(|(u, d, t)| Step::Set(u, d, t)),
        1 => (0..UNITS.len()).prop_map(Step::Destroy),
        1 => (0..MACHINES.len()).prop_map(Step::Vanish),
        1 => (0..MACHINES.len()).prop_map(Step::Appear),
        1 => (0..MACHINES.len(), any::<bool>()).prop_map(|(m, web)| Step::Overlay(m, web)),
        1 => (0..MACHINES.len(), standing).prop_map(|(m, standing)| Step::Stand(m, standing)),
        4 => any::<bool>().prop_map(Step::Plan),
        2 => Just(Step::Obey),
    ]
}

pub(super) fn absent(world: &World) -> Outlook {
    let machines = world.mirror().machines;
    let absent = MACHINES.iter().filter(|id| !machines.contains_key(&machine(id)));
    lost(&absent.copied().collect::<String>())
}

pub(super) fn take(world: &mut World, step: &Step) {
    match step {
        Step::Set(name, directives, target) => {
            world.set(UNITS[*name], &text(DIRECTIVES[*directives]), *target);
        }
        Step::Destroy(name) => world.destroy(UNITS[*name]),
        Step::Vanish(id) => world.vanish(MACHINES[*id]),
        Step::Appear(id) => world.appear(MACHINES[*id], ""),
        Step::Overlay(id, is_web) => {
            world.overlay(MACHINES[*id], &[("role", if *is_web { "web" } else { "db" })]);
        }
        Step::Stand(id, standing) => world.stand(MACHINES[*id], *standing),
        Step::Plan(is_patient) => {
            let outlook = if *is_patient { lost("") } else { absent(world) };
            land(world, &outlook);
        }
        Step::Obey => world.obey(),
    }
}

/// Invariant 1: one assignment that counts, for a unit that is not global.
fn at_most_one_place(world: &World) -> Result<(), TestCaseError> {
    let cluster = world.cluster();
    for (name, view) in &cluster.units {
        let held: Vec<_> = view
            .assignments
            .iter()
            .filter(|(_, one)| one.phase == Phase::Held && !one.rules.is_global())
            .collect();
        prop_assert!(held.len() <= 1, "{name} is held by {held:?}");
    }
    Ok(())
}

/// Invariant 2: what was placed suits its machine, in the company that it has there.
fn placements_are_suited(world: &World, before: &BTreeSet<String>) -> Result<(), TestCaseError> {
    let cluster = world.cluster();
    for (name, view) in &cluster.units {
        for (id, assignment) in &view.assignments {
            let is_new = !before.contains(&format!("{id} {name}"));
            if assignment.phase != Phase::Held || !is_new {
                continue;
            }
            let neighbours = Neighbours { cluster: &cluster, board: &cluster.board };
            let judged = eligible(&assignment.rules, &cluster.machines[id], &neighbours);
            prop_assert_eq!(judged, Ok(()), "{} on {}", name, id);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn every_write_keeps_the_invariants(steps in prop::collection::vec(step(), 1..40)) {
        let mut world = World::with_machines("abcd");
        for step in &steps {
            let before: BTreeSet<_> = world.schedule().into_iter().collect();
            take(&mut world, step);
            if matches!(step, Step::Plan(_)) {
                at_most_one_place(&world)?;
                placements_are_suited(&world, &before)?;
            }
        }
    }

    #[test]
    fn a_cluster_settles_and_then_rests(steps in prop::collection::vec(step(), 1..40)) {
        let mut world = World::with_machines("abcd");
        for step in &steps {
            take(&mut world, step);
        }
        let outlook = absent(&world);
        settle(&mut world, &outlook);

        prop_assert_eq!(plan(&world.cluster(), &outlook), Vec::<Group>::new());
        let cluster = world.cluster();
        let is_lost = |machine: &MachineId| outlook.lost.contains(machine);
        for (name, view) in &cluster.units {
            let wanted = wanted(view);
            for (id, one) in view.assignments.iter().filter(|(id, _)| !is_lost(id)) {
                prop_assert!(one.phase == Phase::Held && one.is_current, "{} on {}", name, id);
                prop_assert!(wanted.is_some(), "{} on {}", name, id);
                prop_assert_eq!(matches(&one.rules, &cluster.machines[id]), Ok(()));
            }
        }
    }

    #[test]
    fn the_same_cluster_has_the_same_plan(steps in prop::collection::vec(step(), 1..20)) {
        let mut world = World::with_machines("abcd");
        for step in &steps {
            take(&mut world, step);
        }
        let outlook = absent(&world);

        prop_assert_eq!(plan(&world.cluster(), &outlook), plan(&world.cluster(), &outlook));
    }
}
