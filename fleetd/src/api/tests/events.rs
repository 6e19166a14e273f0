//! What those are told who follow units.

use fleet_units::api::v2::Update;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::UnixStream;

use super::harness::Fixture;
use super::v2::{NAP, batch, change};
use crate::registry::document::{Assignment, Phase};
use crate::registry::key::Key;

async fn lines(fixture: &Fixture, query: &str) -> Lines<BufReader<UnixStream>> {
    let stream = fixture.open(&format!("GET /fleet/v2/events{query}"), "", b"").await;
    BufReader::new(stream).lines()
}

/// The next update, past headers and the lengths of chunks.
async fn update(lines: &mut Lines<BufReader<UnixStream>>) -> Update {
    loop {
        let line = lines.next_line().await.unwrap().expect("the stream goes on");
        if line.starts_with('{') {
            return serde_json::from_str(&line).unwrap();
        }
    }
}

#[tokio::test]
async fn events_tell_first_what_is_and_then_what_changes() {
    let fixture = Fixture::new(100);
    batch(&fixture, &[change("a.service", NAP)]).await;
    let mut events = lines(&fixture, "?name=a.service&name=b.service").await;

    let first = update(&mut events).await;
    let names: Vec<_> = first.units.iter().map(|unit| unit.name.as_str()).collect();
    assert_eq!((names, first.gone), (vec!["a.service"], vec!["b.service".to_owned()]));

    batch(&fixture, &[change("other.service", NAP), change("b.service", NAP)]).await;
    let second = update(&mut events).await;
    assert_eq!(second.units.len(), 1, "{second:?}");
    assert_eq!((second.units[0].name.as_str(), second.units[0].generation), ("b.service", 1));

    batch(&fixture, &[change("a.service", r#","delete":true"#)]).await;
    let third = update(&mut events).await;
    assert_eq!((third.units, third.gone), (vec![], vec!["a.service".to_owned()]));
}

#[tokio::test]
async fn who_follows_all_units_is_told_of_machines_that_change() {
    let fixture = Fixture::new(100);
    fixture.join("m1", Some("10.0.0.1"), &[]).await;
    let mut everything = lines(&fixture, "").await;
    let mut one = lines(&fixture, "?name=a.service").await;
    let ids = |update: Update| {
        let machines = update.machines.into_iter().flatten();
        machines.map(|machine| format!("{} {:?}", machine.id, machine.metadata)).collect::<Vec<_>>()
    };

    assert_eq!(ids(update(&mut everything).await), ["m1 {}"]);
    assert_eq!(update(&mut one).await.machines, None);
    fixture.join("m1", Some("10.0.0.1"), &[("disk", "ssd")]).await;
    assert_eq!(ids(update(&mut everything).await), [r#"m1 {"disk": "ssd"}"#]);
    fixture.delete(&Key::Machine("m1".parse().unwrap())).await;
    assert_eq!(update(&mut everything).await.machines, Some(Vec::new()));
    batch(&fixture, &[change("a.service", NAP)]).await;
    assert_eq!(update(&mut everything).await.machines, None);
    assert_eq!(update(&mut one).await.units.len(), 1);
}

#[tokio::test]
async fn a_unit_that_fits_nowhere_is_told_why() {
    let fixture = Fixture::new(100);
    fixture.join("m1", Some("10.0.0.1"), &[("disk", "hdd")]).await;
    let picky = r#","desiredState":"launched","text":"[X-Fleet]\nMachineMetadata=disk=ssd\n""#;
    batch(&fixture, &[change("a.service", picky)]).await;

    let mut events = lines(&fixture, "?name=a.service").await;
    let mut unit = update(&mut events).await.units.remove(0);
    if unit.obstacles.is_none() {
        unit = update(&mut events).await.units.remove(0);
    }

    let obstacles: Vec<_> = unit.obstacles.unwrap();
    let told: Vec<_> = obstacles
        .iter()
        .map(|one| (one.machine.as_str(), one.address.as_deref(), one.reason.as_str()))
        .collect();
    let reason = "metadata disk=ssd is wanted, the machine has disk=hdd";
    assert_eq!(told, [("m1", Some("10.0.0.1"), reason)]);
    assert!(unit.unplaceable);
}

#[tokio::test]
async fn a_destroyed_unit_is_gone_when_its_machine_has_let_go() {
    let fixture = Fixture::new(100);
    let launched = format!(r#"{NAP},"desiredState":"launched""#);
    batch(&fixture, &[change("a.service", &launched)]).await;
    fixture.run_unit("a.service", "m1").await;
    batch(&fixture, &[change("a.service", r#","delete":true"#)]).await;

    let mut events = lines(&fixture, "?name=a.service").await;
    let first = update(&mut events).await;
    assert_eq!((first.units[0].machines.len(), first.gone.len()), (1, 0));

    let name: fleet_units::UnitName = "a.service".parse().unwrap();
    fixture.delete(&Key::Schedule("m1".parse().unwrap(), name)).await;

    assert_eq!(update(&mut events).await.gone, ["a.service"]);
}

#[tokio::test]
async fn nobody_waits_for_a_machine_that_is_not_there_to_let_go() {
    let fixture = Fixture::new(100);
    fixture.join("m1", None, &[]).await;
    batch(&fixture, &[change("a.service", &format!(r#"{NAP},"desiredState":"launched""#))]).await;
    fixture.run_unit("a.service", "m1").await;
    batch(&fixture, &[change("a.service", r#","delete":true"#)]).await;
    let assignment = Key::Schedule("m1".parse().unwrap(), "a.service".parse().unwrap());
    let held: Assignment = fixture.read(&assignment).await;
    fixture.put(&assignment, &Assignment { phase: Phase::Released, ..held }).await;
    let mut events = lines(&fixture, "?name=a.service").await;
    assert_eq!(update(&mut events).await.gone, Vec::<String>::new());

    fixture.delete(&Key::Machine("m1".parse().unwrap())).await;

    assert_eq!(update(&mut events).await.gone, ["a.service"]);
}

#[tokio::test]
async fn a_unit_that_waits_only_for_a_leader_is_told_so() {
    let fixture = Fixture::new(100);
    fixture.join("m1", None, &[]).await;
    batch(&fixture, &[change("a.service", &format!(r#"{NAP},"desiredState":"launched""#))]).await;

    let told = fixture.ask("GET /fleet/v2/units?name=a.service", "").await;

    assert!(told.contains("could take it, but no engine leads at the moment"), "{told}");
    assert!(!told.contains("unplaceable"), "{told}");
}

#[tokio::test]
async fn a_global_unit_comes_to_machines_that_suit_it_and_its_copy_on_one_that_is_away_is_marked() {
    let fixture = Fixture::new(100);
    fixture.join("m1", None, &[("disk", "ssd")]).await;
    fixture.join("m2", None, &[("disk", "hdd")]).await;
    let ssd = r#","text":"[X-Fleet]\nGlobal=true\nMachineMetadata=disk=ssd\n""#;
    batch(&fixture, &[change("a.service", &format!(r#"{ssd},"desiredState":"launched""#))]).await;
    let shown = async || {
        let told = fixture.ask("GET /fleet/v2/units?name=a.service", "").await;
        (told.contains(r#""coming":true"#), told.contains(r#""absent":true"#))
    };
    assert_eq!(shown().await, (true, false), "m1 is to get it");

    fixture.run_unit("a.service", "m1").await;
    assert_eq!(shown().await, (false, false), "m2 does not suit it");

    fixture.delete(&Key::Machine("m1".parse().unwrap())).await;
    assert_eq!(shown().await, (false, true));
}
