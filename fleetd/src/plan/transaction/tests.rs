use super::*;
use crate::placement::testing::{World, machine, unit};
use crate::plan::tests::{lost, settle};
use crate::plan::{Outlook, plan};
use crate::registry::document::{Leader, Standing};
use crate::store::Commit;

/// What somebody else does between plan and commit.
type Change = fn(&mut World);

#[test]
fn leadership_that_was_lost_and_regained_refuses_old_transactions() {
    let mut world = World::with_machines("a");
    world.launch("web.service", "");
    let mirror = world.mirror();
    let cluster = world.cluster();
    let prefix = world.prefix.clone();
    let leadership = mirror.leader.as_ref().unwrap().created;
    let basis = Basis { prefix: &prefix, mirror: &mirror, cluster: &cluster, leadership };
    let [packet] = pack(&basis, &plan(&cluster, &lost(""))).try_into().unwrap();
    let leader = Leader { machine: machine("leader") };
    world.delete(&Key::Leader);
    world.put(&Key::Leader, &leader);

    let commit = world.commit(packet.transaction);

    assert_eq!(commit, Commit::Refused(Revision(world.revision)));
    assert_eq!(world.schedule(), Vec::<String>::new());
}

#[test]
fn whatever_a_decision_is_based_on_refuses_it_when_it_changes() {
    let changes: [(&str, Change); 8] = [
        ("text", |world| {
            world.launch("web.service", "MachineID=b");
        }),
        ("destroy", |world| world.destroy("web.service")),
        ("presence", |world| world.vanish("a")),
        ("standing", |world| world.stand("a", Standing::Cordoned)),
        ("metadata", |world| world.overlay("a", &[("role", "")])),
        ("peer", |world| world.delete(&Key::Placed(unit("db.service")))),
        ("own assignment", |world| world.assign("a", "web.service", Phase::Released)),
        ("lost machine", |world| world.appear("x", "")),
    ];
    for (what, change) in changes {
        let mut world = World::with_machines("");
        world.join("a", "role=web");
        world.launch("db.service", "");
        settle(&mut world, &lost(""));
        world.launch("web.service", "MachineOf=db.service\nMachineMetadata=role=web");
        world.assign("x", "web.service", Phase::Released);
        let mirror = world.mirror();
        let cluster = world.cluster();
        let prefix = world.prefix.clone();
        let leadership = mirror.leader.as_ref().unwrap().created;
        let basis = Basis { prefix: &prefix, mirror: &mirror, cluster: &cluster, leadership };
        let [packet] = pack(&basis, &plan(&cluster, &lost("x"))).try_into().unwrap();
        change(&mut world);

        let commit = world.commit(packet.transaction);

        assert_eq!(commit, Commit::Refused(Revision(world.revision)), "{what}");
    }
}

#[test]
fn a_group_is_packed_whole_and_transactions_keep_to_the_limits() {
    let mut world = World::with_machines("ab");
    for number in 0..40 {
        world.launch(&format!("db@{number:02}.service"), "");
        world.launch(&format!("web@{number:02}.service"), "MachineOf=db@%i.service");
    }
    let mirror = world.mirror();
    let cluster = world.cluster();
    let prefix = world.prefix.clone();
    let leadership = mirror.leader.as_ref().unwrap().created;
    let basis = Basis { prefix: &prefix, mirror: &mirror, cluster: &cluster, leadership };

    let packets = pack(&basis, &plan(&cluster, &lost("")));

    let sizes = packets.iter().map(|packet| {
        (
            packet.decisions.len(),
            packet.transaction.compares.len() + packet.transaction.writes.len(),
        )
    });
    assert_eq!(sizes.collect::<Vec<_>>(), [(22, 117), (22, 117), (22, 117), (14, 77)]);
}

#[test]
fn a_group_beyond_the_limits_lands_in_parts() {
    let mut world = World::with_machines("ab");
    world.launch("db.service", "");
    for number in 0..60 {
        world.launch(&format!("web@{number:02}.service"), "MachineOf=db.service");
    }

    settle(&mut world, &lost(""));

    assert_eq!(world.schedule().iter().filter(|line| line.starts_with("a ")).count(), 61);
}

#[test]
fn machines_that_never_return_do_not_keep_a_unit_from_a_place() {
    let mut world = World::with_machines("");
    world.launch("web.service", "");
    let away: Vec<_> = (0..80).map(|number| format!("x{number:02}")).collect();
    for id in &away {
        world.stand(id, Standing::Joined);
        world.assign(id, "web.service", Phase::Released);
    }
    world.join("a", "");
    let (mirror, cluster) = (world.mirror(), world.cluster());
    let prefix = world.prefix.clone();
    let leadership = mirror.leader.as_ref().unwrap().created;
    let basis = Basis { prefix: &prefix, mirror: &mirror, cluster: &cluster, leadership };
    let outlook = Outlook { lost: away.iter().map(|id| machine(id)).collect(), ..lost("") };

    let [packet] = pack(&basis, &plan(&cluster, &outlook)).try_into().unwrap();

    // etcd counts compares and writes each for themselves.
    let Transaction { compares, writes } = &packet.transaction;
    assert!(compares.len() <= MAX_OPERATIONS && writes.len() <= MAX_OPERATIONS);
    assert!(matches!(world.commit(packet.transaction), Commit::Done(_)));
    let newest = away[70..].iter().map(|id| format!("{id} web.service released"));
    assert_eq!(
        world.schedule(),
        newest.fold(vec!["a web.service".into()], |mut all, one| {
            all.push(one);
            all
        })
    );
}

#[test]
fn a_unit_with_as_many_peers_as_it_may_have_fits_beside_what_dead_machines_left() {
    let mut world = World::with_machines("a");
    let peers: Vec<_> = (0..30).map(|number| format!("db@{number:02}.service")).collect();
    for peer in &peers {
        world.launch(peer, "");
        world.hold("a", peer);
    }
    let directives: String = peers.iter().map(|peer| format!("MachineOf={peer}\n")).collect();
    let file = fleet_units::UnitFile::parse(&crate::placement::testing::text(&directives)).unwrap();
    assert!(fleet_units::Directives::of(&file, &unit("web.service")).is_ok());
    world.launch("web.service", &directives);
    let away: Vec<_> = (0..MAX_LEFTOVERS).map(|number| format!("x{number:02}")).collect();
    for id in &away {
        world.stand(id, Standing::Joined);
        world.assign(id, "web.service", Phase::Released);
    }
    let outlook = Outlook { lost: away.iter().map(|id| machine(id)).collect(), ..lost("") };
    let (mirror, cluster) = (world.mirror(), world.cluster());
    let prefix = world.prefix.clone();
    let leadership = mirror.leader.as_ref().unwrap().created;
    let basis = Basis { prefix: &prefix, mirror: &mirror, cluster: &cluster, leadership };

    let [packet] = pack(&basis, &plan(&cluster, &outlook)).try_into().unwrap();

    let placed = Decision::Place { unit: unit("web.service"), machine: machine("a") };
    assert_eq!(packet.decisions, [placed]);
    let compares = packet.transaction.compares.len();
    assert!(compares <= MAX_OPERATIONS, "{compares}");
}

#[test]
fn giving_up_many_copies_keeps_to_the_limits_and_to_the_copy_that_stays() {
    let mut world = World::with_machines("");
    world.launch("web.service", "Global=true");
    let machines: Vec<_> = (0..200).map(|number| format!("m{number:03}")).collect();
    for id in &machines {
        world.join(id, "");
        world.assign(id, "web.service", Phase::Held);
    }
    world.launch("web.service", "");
    let mirror = world.mirror();
    let cluster = world.cluster();
    let prefix = world.prefix.clone();
    let leadership = mirror.leader.as_ref().unwrap().created;
    let basis = Basis { prefix: &prefix, mirror: &mirror, cluster: &cluster, leadership };

    let packets = pack(&basis, &plan(&cluster, &lost("")));

    let released = packets.iter().flat_map(|packet| &packet.decisions);
    let released = released.filter(|one| matches!(one, Decision::Release { .. })).count();
    assert_eq!(released, machines.len() - 1);
    let largest = packets.iter().map(|packet| packet.transaction.compares.len()).max();
    assert!(largest <= Some(MAX_OPERATIONS), "{largest:?}");
    let kept = cluster.holder(&cluster.units[&unit("web.service")]).unwrap();
    let presence = Compare::Modified(
        prefix.encode(&Key::Machine(kept.clone())),
        mirror.modified(&Key::Machine(kept.clone())),
    );
    assert!(packets[0].transaction.compares.contains(&presence));
}
