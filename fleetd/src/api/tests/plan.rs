use fleet_units::api::v2::{Effect, PlanReply, PlannedUnit};

use super::harness::Fixture;
use crate::store::{Selection, Store};

async fn planned(fixture: &Fixture, units: &str) -> Vec<PlannedUnit> {
    let body = format!(r#"{{"units":[{units}]}}"#);
    let answer = fixture.ask("POST /fleet/v2/plan", &body).await;
    serde_json::from_str::<PlanReply>(answer.strip_prefix("200 ").unwrap()).unwrap().units
}

fn launch(name: &str, directives: &str) -> String {
    let text = format!("[Service]\\nExecStart=/bin/true\\n[X-Fleet]\\n{directives}\\n");
    format!(r#"{{"name":"{name}","text":"{text}","desiredState":"launched"}}"#)
}

/// What is planned, in few words.
fn words(units: &[PlannedUnit]) -> Vec<String> {
    let word = |unit: &PlannedUnit| {
        let copies =
            unit.machines.iter().map(|copy| format!(" {:?} {}", copy.effect, copy.machine));
        let waits = if unit.pending { " waits" } else { "" };
        let refused = if unit.message.is_some() { " refused" } else { "" };
        format!("{}{}{waits}{refused}", unit.name, copies.collect::<String>())
    };
    units.iter().map(word).collect()
}

#[tokio::test]
async fn a_plan_tells_what_comes_of_changes_and_writes_nothing() {
    let fixture = Fixture::new(100);
    for id in ["m1", "m2"] {
        fixture.join(id, Some("10.0.0.1"), &[]).await;
    }
    let old =
        format!(r#"{{"units":[{},{}]}}"#, launch("old.service", ""), launch("idle.service", ""));
    fixture.ask("POST /fleet/v2/units", &old).await;
    fixture.run_unit("old.service", "m1").await;
    fixture.run_unit("idle.service", "m2").await;
    let everything = Selection::Prefix(fixture.prefix.as_str().to_owned());
    let before = fixture.store.range(&everything, None).await.unwrap();

    let units = [
        launch("new.service", "Replaces=old.service"),
        launch("peer.service", "MachineOf=new.service"),
        launch("picky.service", "MachineMetadata=disk=ssd\\nMachineMetadata=role=web"),
        launch("bad.service", "Global=true\\nMachineID=m1"),
        launch("idle.service", "Conflicts=nobody.service"),
    ];
    let planned = planned(&fixture, &units.join(",")).await;

    assert_eq!(
        words(&planned),
        [
            "new.service Starts m1",
            "peer.service Starts m1",
            "picky.service waits",
            "bad.service refused",
            "idle.service Restarts m2",
            "old.service Leaves m1 Starts m2",
        ]
    );
    let left = planned[5].machines.iter().find(|copy| copy.effect == Effect::Leaves).unwrap();
    assert_eq!(
        left.reason.as_deref(),
        Some("the machine has new.service, which replaces the unit")
    );
    assert_eq!(
        planned[2].obstacles[1].reasons,
        [
            "metadata disk=ssd is wanted, the machine has no disk",
            "metadata role=web is wanted, the machine has no role",
        ]
    );
    let after = fixture.store.range(&everything, None).await.unwrap();
    assert_eq!((after.revision, after.entries), (before.revision, before.entries));
}

#[tokio::test]
async fn what_is_as_it_is_wanted_stays_and_what_happens_anyway_is_not_told() {
    let fixture = Fixture::new(100);
    fixture.join("m1", None, &[]).await;
    let units = format!(r#"{{"units":[{},{}]}}"#, launch("a.service", ""), launch("b.service", ""));
    fixture.ask("POST /fleet/v2/units", &units).await;
    fixture.run_unit("a.service", "m1").await;

    let same = r#"{"name":"a.service","desiredState":"launched","raiseOnly":true}"#;
    assert_eq!(words(&planned(&fixture, same).await), ["a.service Stays m1"]);
    let stop = r#"{"name":"a.service","desiredState":"loaded"}"#;
    assert_eq!(words(&planned(&fixture, stop).await), ["a.service Stops m1"]);
    let delete = r#"{"name":"a.service","delete":true}"#;
    assert_eq!(words(&planned(&fixture, delete).await), ["a.service Leaves m1"]);
}
