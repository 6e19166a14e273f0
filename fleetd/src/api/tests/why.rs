use fleet_units::api::v2::{Candidate, Change, Choice, Explanation, Verdict};
use serde::Deserialize;

use super::harness::Fixture;

#[derive(Deserialize)]
struct Explanations {
    units: Vec<Explanation>,
}

async fn explained(fixture: &Fixture, query: &str) -> Vec<Explanation> {
    let answer = fixture.ask(&format!("GET /fleet/v2/why?{query}"), "").await;
    let body = answer.strip_prefix("200 ").unwrap();
    serde_json::from_str::<Explanations>(body).unwrap().units
}

async fn launch(fixture: &Fixture, name: &str, directives: &str) {
    let text = format!("[Service]\\nExecStart=/bin/true\\n[X-Fleet]\\n{directives}\\n");
    let unit = format!(r#"{{"name":"{name}","text":"{text}","desiredState":"launched"}}"#);
    fixture.ask("POST /fleet/v2/units", &format!(r#"{{"units":[{unit}]}}"#)).await;
}

#[tokio::test]
async fn a_placed_unit_is_explained_by_what_speaks_for_its_machine() {
    let fixture = Fixture::new(100);
    fixture.join("m1", Some("10.0.0.1"), &[]).await;
    fixture.join("m2", None, &[]).await;
    launch(&fixture, "one.service", "MachineID=m1").await;
    launch(&fixture, "two.service", "").await;
    launch(&fixture, "three.service", "MachineOf=two.service").await;
    for name in ["one.service", "two.service", "three.service"] {
        fixture.run_unit(name, "m1").await;
    }
    let query = "name=one.service&name=two.service&name=three.service&name=none.service";
    let units = explained(&fixture, query).await;

    let choices = units.iter().map(|one| (one.name.as_str(), one.verdict, one.choice));
    assert_eq!(
        choices.collect::<Vec<_>>(),
        [
            ("one.service", Verdict::Placed, Some(Choice::Only)),
            ("three.service", Verdict::Placed, Some(Choice::Joined)),
            ("two.service", Verdict::Placed, Some(Choice::Kept)),
        ]
    );
    assert_eq!(units[0].asks, ["MachineID=m1"]);
    let [first, second] = &units[0].machines[..] else { panic!("{units:?}") };
    assert_eq!((first.load, first.address.as_deref()), (3, Some("10.0.0.1")));
    assert_eq!(
        first.holding.as_ref().map(|holding| (holding.since, holding.leaving)),
        Some((1, false))
    );
    let expected = Candidate {
        machine: "m2".to_owned(),
        reasons: vec!["is not machine m1".to_owned()],
        ..Candidate::default()
    };
    assert_eq!(*second, expected);
}

#[tokio::test]
async fn a_unit_that_waits_is_told_all_that_is_in_its_way_and_what_would_help() {
    let fixture = Fixture::new(100);
    fixture.join("m1", Some("10.0.0.1"), &[("disk", "hdd")]).await;
    launch(&fixture, "web@1.service", "").await;
    fixture.run_unit("web@1.service", "m1").await;
    let directives =
        "Conflicts=web@*.service\\nMachineMetadata=disk=ssd\\nMachineMetadata=role=web";
    launch(&fixture, "web@2.service", directives).await;

    let units = explained(&fixture, "name=web@2.service").await;

    assert_eq!(
        units[0].machines[0].reasons,
        [
            "metadata disk=ssd is wanted, the machine has disk=hdd",
            "metadata role=web is wanted, the machine has no role",
            "conflicts with web@1.service there",
        ]
    );
    let (machine, address) = ("m1".to_owned(), Some("10.0.0.1".to_owned()));
    let metadata = [("disk", "ssd"), ("role", "web")];
    let metadata = metadata.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    let unload = Change::Unload { name: "web@1.service".to_owned() };
    let expected = vec![Change::SetMetadata { machine, address, metadata }, unload];
    assert_eq!((units[0].verdict, &units[0].nearest), (Verdict::Pending, &Some(expected)));
    assert!(units[0].leaderless);
}
