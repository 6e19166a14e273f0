use std::collections::BTreeSet;

use fleet_units::TargetState;
use fleet_units::api::v2::{BatchOutcome, BatchReply, StateList};

use super::harness::{Fixture, JSON, error};
use crate::registry::document::Hold;
use crate::registry::key::Key;

pub(super) fn change(name: &str, rest: &str) -> String {
    format!(r#"{{"name":"{name}"{rest}}}"#)
}

pub(super) const NAP: &str = r#","text":"[Service]\nExecStart=/bin/sleep 1\n""#;

pub(super) async fn batch(fixture: &Fixture, changes: &[String]) -> Vec<BatchOutcome> {
    let body = format!(r#"{{"units":[{}]}}"#, changes.join(","));
    let answer = fixture.ask("POST /fleet/v2/units", &body).await;
    let reply: BatchReply = serde_json::from_str(answer.strip_prefix("200 ").unwrap()).unwrap();
    reply.units
}

fn told(outcome: &BatchOutcome) -> (&str, u16, Option<&str>, Option<u64>) {
    (&outcome.name, outcome.status, outcome.message.as_deref(), outcome.generation)
}

#[tokio::test]
async fn each_change_of_a_batch_stands_for_itself() {
    let fixture = Fixture::new(100);
    let launched = r#","desiredState":"launched""#;
    batch(
        &fixture,
        &[change("old.service", NAP), change("up.service", &(NAP.to_owned() + launched))],
    )
    .await;

    let outcomes = batch(
        &fixture,
        &[
            change("new.service", NAP),
            change("bad", NAP),
            change("none.service", launched),
            change("old.service", r#","delete":true"#),
            change("up.service", r#","desiredState":"loaded","raiseOnly":true"#),
            change("new.service", launched),
        ],
    )
    .await;

    let expected = [
        ("new.service", 201, None, Some(1)),
        ("bad", 400, Some("unit name must contain \".\""), None),
        ("none.service", 409, Some("unit does not exist and options field empty"), None),
        ("old.service", 204, None, Some(1)),
        ("up.service", 204, None, Some(1)),
        ("new.service", 204, None, Some(2)),
    ];
    assert_eq!(outcomes.iter().map(told).collect::<Vec<_>>(), expected);
    assert_eq!(outcomes[0].uid, Some(fixture.uid("new.service").await));
    assert_eq!(fixture.stored("up.service").await.target, TargetState::Launched);
}

#[tokio::test]
async fn new_contents_that_ask_for_what_nobody_knows_are_taken_with_a_warning() {
    let fixture = Fixture::new(100);
    let unit = r#","text":"[X-Fleet]\nMachineId=a\nGlobal=maybe\n""#;
    let launched = r#","desiredState":"launched""#;

    let new = batch(&fixture, &[change("a.service", unit)]).await;
    let again = batch(&fixture, &[change("a.service", launched), change("b.service", NAP)]).await;

    let warnings = [
        r#"unrecognized requirement in [X-Fleet] section: "MachineId", did you mean "MachineID"?"#,
        r#"Global=maybe in [X-Fleet] section: write "true" or "false""#,
    ];
    assert_eq!((new[0].status, &new[0].warnings[..]), (201, &warnings.map(str::to_owned)[..]));
    assert_eq!([&again[0].warnings, &again[1].warnings], [&Vec::<String>::new(); 2]);
}

#[tokio::test]
async fn contradictory_directives_are_refused_with_a_sentence() {
    let fixture = Fixture::new(100);
    let section = |lines: &str| format!(r#","text":"[X-Fleet]\n{lines}\n""#);
    let cases = [
        ("Global=true\\nMachineOf=b.service", "Global cannot be used with Peers"),
        (
            "MachineOf=b.service\\nConflicts=b*",
            "unresolvable requirements: peer \"b.service\" matches conflict \"b*\"",
        ),
        (
            "MachineOf=%n",
            "MachineOf names a.service itself, which would wait for itself for ever: name the unit \
             to join",
        ),
    ];

    for (lines, message) in cases {
        let outcomes = batch(&fixture, &[change("a.service", &section(lines))]).await;
        assert_eq!(told(&outcomes[0]), ("a.service", 400, Some(message), None), "{lines}");
    }
    assert_eq!(fixture.ask("GET /fleet/v1/units", "").await, "200 {}");
}

#[tokio::test]
async fn many_units_land_in_few_transactions() {
    let fixture = Fixture::new(1000);
    let changes: Vec<_> =
        (0..300).map(|number| change(&format!("u{number}.service"), NAP)).collect();

    let outcomes = batch(&fixture, &changes).await;

    assert!(outcomes.iter().all(|outcome| outcome.status == 201));
    let revisions: BTreeSet<_> = outcomes.iter().map(|outcome| outcome.uid).collect();
    assert_eq!(revisions.len(), 3);
}

#[tokio::test]
async fn a_batch_has_a_most() {
    let fixture = Fixture::new(100);
    let body = format!(r#"{{"units":[{}]}}"#, vec![change("x", ""); 20_001].join(","));

    for address in ["/fleet/v2/units", "/fleet/v2/plan"] {
        let told = "one request may have 20000 units, this one has 20001: send them in several";
        assert_eq!(fixture.ask(&format!("POST {address}"), &body).await, error(413, told));
    }
}

#[tokio::test]
async fn a_unit_is_made_once_and_not_again_after_somebody_destroyed_it() {
    let fixture = Fixture::new(100);
    let first =
        r#","text":"[Service]\nExecStart=/bin/sleep 1\n","desiredState":"launched","once":true"#;
    let other =
        r#","text":"[Service]\nExecStart=/bin/sleep 2\n","desiredState":"launched","once":true"#;
    let shown = |outcome: &BatchOutcome| (outcome.status, outcome.generation, outcome.kept);

    // Two at once: whoever comes first.
    let both = [change("a.service", first), change("a.service", other)];
    let outcomes = batch(&fixture, &both).await;
    let uid = fixture.uid("a.service").await;
    assert_eq!(
        outcomes.iter().map(shown).collect::<Vec<_>>(),
        [(201, Some(1), false), (204, Some(1), true)]
    );
    assert_eq!([outcomes[0].uid, outcomes[1].uid], [Some(uid), Some(uid)]);
    assert_eq!(fixture.stored("a.service").await.text, "[Service]\nExecStart=/bin/sleep 1\n");

    batch(&fixture, &[change("a.service", r#","delete":true"#)]).await;
    let after = batch(&fixture, &[change("a.service", other)]).await;
    assert_eq!(shown(&after[0]), (204, Some(0), true));
    assert_eq!(fixture.ask("GET /fleet/v1/units", "").await, "200 {}");
    assert_eq!(fixture.ask("GET /fleet/v2/health", "").await, r#"200 {"unreadable":[]}"#);

    // An operator still can.
    let by_hand = batch(&fixture, &[change("a.service", NAP)]).await;
    assert_eq!(by_hand[0].status, 201);
}

#[tokio::test]
async fn a_unit_that_was_there_is_kept_and_does_not_come_back_either() {
    let fixture = Fixture::new(100);
    batch(&fixture, &[change("a.service", NAP)]).await;

    let launch =
        r#","text":"[Service]\nExecStart=/bin/sleep 2\n","desiredState":"launched","once":true"#;
    let kept = batch(&fixture, &[change("a.service", launch)]).await;
    assert_eq!((kept[0].status, kept[0].generation, kept[0].kept), (204, Some(1), true));
    let stored = fixture.stored("a.service").await;
    assert_eq!(
        (stored.target, stored.text.as_str()),
        (TargetState::Inactive, "[Service]\nExecStart=/bin/sleep 1\n")
    );

    batch(&fixture, &[change("a.service", r#","delete":true"#)]).await;
    assert!(batch(&fixture, &[change("a.service", launch)]).await[0].kept);
    assert_eq!(fixture.ask("GET /fleet/v1/units", "").await, "200 {}");
}

#[tokio::test]
async fn a_unit_that_is_refused_leaves_no_mark() {
    let fixture = Fixture::new(100);
    let bad = r#","text":"[X-Fleet]\nGlobal=true\nMachineOf=b.service\n","once":true"#;
    let good = r#","text":"[Service]\nExecStart=/bin/sleep 1\n","once":true"#;

    assert_eq!(batch(&fixture, &[change("a.service", bad)]).await[0].status, 400);
    assert_eq!(batch(&fixture, &[change("a.service", r#","once":true"#)]).await[0].status, 409);
    assert_eq!(batch(&fixture, &[change("a.service", good)]).await[0].status, 201);
}

#[tokio::test]
async fn a_restart_is_one_more_stop() {
    let fixture = Fixture::new(100);
    let launched = r#","desiredState":"launched""#;
    batch(&fixture, &[change("a.service", &(NAP.to_owned() + launched))]).await;

    let restart = format!(r#"{launched},"restart":true"#);
    let outcomes = batch(&fixture, &[change("a.service", &restart)]).await;

    assert_eq!(told(&outcomes[0]), ("a.service", 204, None, Some(2)));
    assert_eq!(fixture.stored("a.service").await.stops, 1);
}

#[tokio::test]
async fn garbage_is_shown_and_can_be_destroyed() {
    let fixture = Fixture::new(100);
    let key = Key::Unit("a.service".parse().unwrap());
    fixture.put_raw(&key, b"garbage").await;

    let shown = fixture.ask("GET /fleet/v2/health", "").await;
    let reason = "not a document of fleet: expected value at line 1 column 1";
    let expected =
        format!(r#"200 {{"unreadable":[{{"key":"/fleet/units/a.service","reason":"{reason}"}}]}}"#);
    assert_eq!(shown, expected);
    let put =
        fixture.whole("PUT /fleet/v1/units/a.service", JSON, b"{\"desiredState\":\"loaded\"}");
    let refused = error(
        409,
        &format!(
            "the stored unit cannot be read, so it cannot be changed ({reason}): destroy it first"
        ),
    );
    assert_eq!(super::harness::short(&put.await), refused);
    assert_eq!(fixture.ask("DELETE /fleet/v1/units/a.service", "").await, "204");
    assert_eq!(fixture.ask("GET /fleet/v2/health", "").await, r#"200 {"unreadable":[]}"#);
}

#[tokio::test]
async fn a_storm_is_told_with_the_key_that_ends_it() {
    let fixture = Fixture::new(100);
    let machines = ["a", "b"].map(|id| id.parse().unwrap()).into();

    fixture.put(&Key::Hold, &Hold { machines }).await;

    assert_eq!(
        fixture.ask("GET /fleet/v2/health", "").await,
        r#"200 {"unreadable":[],"hold":{"machines":["a","b"],"key":"/fleet/engine/hold"}}"#
    );
}

#[tokio::test]
async fn all_states_come_in_one_answer_however_long_a_page_is() {
    let fixture = Fixture::new(1);
    let launched = format!(r#"{NAP},"desiredState":"launched""#);
    batch(&fixture, &[change("b.service", &launched), change("a.service", &launched)]).await;
    fixture.join("m1", Some("10.0.0.1"), &[("disk", "ssd")]).await;
    for (unit, machine) in [("a.service", "m2"), ("b.service", "m1"), ("a.service", "m1")] {
        fixture.run_unit(unit, machine).await;
    }
    let garbage = fixture.put_raw(&Key::Unit("c.service".parse().unwrap()), b"{}").await.0;

    let listed = fixture.whole("GET /fleet/v2/states", "", b"").await;

    let hash = super::harness::hash("[Service]\nExecStart=/bin/sleep 1\n");
    let state = |unit: &str, machine: &str| {
        format!(
            r#"{{"hash":"{hash}","machineID":"{machine}","name":"{unit}","systemdActiveState":"active","systemdLoadState":"loaded","systemdSubState":"running"}}"#
        )
    };
    let states =
        [state("a.service", "m1"), state("a.service", "m2"), state("b.service", "m1")].join(",");
    let reason = "not a document of fleet: missing field `version` at line 1 column 2";
    let expected = format!(
        "HTTP/1.1 200 OK\ncontent-type: application/json\nserver: fleetd/2.0.0\n\
         {{\"revision\":{garbage},\
         \"machines\":[{{\"id\":\"m1\",\"metadata\":{{\"disk\":\"ssd\"}},\"primaryIP\":\"10.0.0.1\"}}],\
         \"states\":[{states}],\
         \"health\":{{\"unreadable\":[{{\"key\":\"/fleet/units/c.service\",\"reason\":\"{reason}\"}}]}}}}"
    );
    assert_eq!(listed, expected);
    let read: StateList = serde_json::from_str(listed.lines().last().unwrap()).unwrap();
    assert_eq!((read.states.len(), read.states[1].machine_id.as_str()), (3, "m2"));
}
