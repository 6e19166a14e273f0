use futures_util::future::join_all;

use super::harness::{Fixture, error};
use crate::registry::document::MetadataOverlay;
use crate::registry::key::Key;
use crate::store::{Revision, Selection, Store};

const PATCH: &str = "PATCH /fleet/v1/machines";

fn operation(op: &str, machine: &str, key: &str, value: &str) -> String {
    format!(r#"{{"op":"{op}","path":"/{machine}/metadata/{key}","value":{{"value":"{value}"}}}}"#)
}

async fn patch(fixture: &Fixture, operations: &[String]) -> String {
    fixture.ask(PATCH, &format!("[{}]", operations.join(","))).await
}

async fn machines(fixture: &Fixture) -> String {
    fixture.ask("GET /fleet/v1/machines", "").await
}

async fn revision(fixture: &Fixture) -> Revision {
    let nothing = Selection::Key("none".into());
    fixture.store.range(&nothing, None).await.unwrap().revision
}

async fn overlay(fixture: &Fixture, machine: &str) -> Vec<String> {
    let stored: MetadataOverlay = fixture.read(&Key::Metadata(machine.parse().unwrap())).await;
    stored.values.iter().map(|(key, value)| format!("{key}={value}")).collect()
}

#[tokio::test]
async fn metadata_is_set_changed_and_taken_away_while_the_machine_runs() {
    let fixture = Fixture::new(100);
    fixture.join("XXX", None, &[]).await;
    assert_eq!(machines(&fixture).await, r#"200 {"machines":[{"id":"XXX"}]}"#);

    // As 1.0's own tests wrote it, and without a content type.
    let body = br#"[{"op":"add","path":"/XXX/metadata/foo","Value":{"value":"bar"}}]"#;
    let answer = fixture.whole(PATCH, "", body).await;
    let no_content =
        "HTTP/1.1 204 No Content\ncontent-type: application/json\nserver: fleetd/2.0.0\n";
    assert_eq!(answer, no_content);
    assert_eq!(
        machines(&fixture).await,
        r#"200 {"machines":[{"id":"XXX","metadata":{"foo":"bar"}}]}"#
    );

    let replace = format!("[{}]", operation("replace", "XXX", "foo", "baz"));
    assert_eq!(fixture.ask("PATCH /v1-alpha/machines", &replace).await, "204");
    assert_eq!(
        machines(&fixture).await,
        r#"200 {"machines":[{"id":"XXX","metadata":{"foo":"baz"}}]}"#
    );

    let remove = r#"[{"op":"remove","path":"/XXX/metadata/foo"}]"#;
    assert_eq!(fixture.ask(PATCH, remove).await, "204");
    assert_eq!(machines(&fixture).await, r#"200 {"machines":[{"id":"XXX"}]}"#);
}

#[tokio::test]
async fn what_is_set_counts_before_what_is_configured() {
    let fixture = Fixture::new(100);
    fixture.join("m1", None, &[("disk", "ssd"), ("role", "web"), ("zone", "a")]).await;

    let operations = [
        operation("replace", "m1", "role", "db"),
        operation("remove", "m1", "disk", ""),
        operation("add", "m1", "rack", "7"),
    ];
    assert_eq!(patch(&fixture, &operations).await, "204");

    assert_eq!(
        machines(&fixture).await,
        r#"200 {"machines":[{"id":"m1","metadata":{"rack":"7","role":"db","zone":"a"}}]}"#
    );
    assert_eq!(overlay(&fixture, "m1").await, ["disk=", "rack=7", "role=db"]);
}

#[tokio::test]
async fn operations_of_one_request_land_together_or_not_at_all() {
    let fixture = Fixture::new(100);
    fixture.join("m1", None, &[]).await;
    fixture.join("m2", None, &[]).await;
    let before = revision(&fixture).await;

    let good = [operation("add", "m1", "a", "1"), operation("add", "m2", "a", "2")];
    let bad = [good[0].clone(), operation("move", "m2", "a", "2")];
    let refused = patch(&fixture, &bad).await;

    assert_eq!(refused, error(400, "invalid op: expect add, remove, or replace"));
    assert_eq!(revision(&fixture).await, before);
    assert_eq!(patch(&fixture, &good).await, "204");
    assert_eq!(revision(&fixture).await, before.next());
    assert_eq!(
        machines(&fixture).await,
        r#"200 {"machines":[{"id":"m1","metadata":{"a":"1"}},{"id":"m2","metadata":{"a":"2"}}]}"#
    );
}

#[tokio::test]
async fn what_changes_nothing_is_not_written() {
    let fixture = Fixture::new(100);
    fixture.join("m1", None, &[("disk", "ssd")]).await;
    patch(
        &fixture,
        &[operation("add", "m1", "role", "web"), operation("remove", "m1", "disk", "")],
    )
    .await;
    let before = revision(&fixture).await;

    let operations = [
        operation("remove", "m1", "never", ""),
        operation("remove", "m1", "disk", ""),
        operation("add", "m1", "role", "web"),
    ];

    assert_eq!(patch(&fixture, &operations).await, "204");
    assert_eq!(patch(&fixture, &[]).await, "204");
    assert_eq!(revision(&fixture).await, before);
}

#[tokio::test]
async fn a_machine_that_is_away_has_its_metadata_when_it_comes() {
    let fixture = Fixture::new(100);
    let operations = [operation("add", "m1", "role", "db"), operation("remove", "m1", "disk", "")];
    assert_eq!(patch(&fixture, &operations).await, "204");
    assert_eq!(machines(&fixture).await, "200 {}");

    fixture.join("m1", None, &[("disk", "ssd"), ("role", "web")]).await;
    // The view follows; a write of its own waits for it.
    patch(&fixture, &[operation("add", "m2", "a", "b")]).await;

    let expected = r#"200 {"machines":[{"id":"m1","metadata":{"role":"db"}}]}"#;
    assert_eq!(machines(&fixture).await, expected);
}

#[tokio::test]
async fn those_who_set_different_keys_at_once_lose_nothing() {
    let fixture = Fixture::new(100);
    fixture.join("m1", None, &[]).await;

    let writers = (0..8).map(|number| {
        let operations = [operation("add", "m1", &format!("k{number}"), "v")];
        let fixture = &fixture;
        async move { patch(fixture, &operations).await }
    });

    assert_eq!(join_all(writers).await, ["204"; 8]);
    let keys: Vec<_> = (0..8).map(|number| format!("k{number}=v")).collect();
    assert_eq!(overlay(&fixture, "m1").await, keys);
}

#[tokio::test]
async fn more_machines_than_fit_into_a_transaction_are_written_in_several() {
    let fixture = Fixture::new(100);
    let before = revision(&fixture).await;

    let operations: Vec<_> =
        (0..150).map(|number| operation("add", &format!("m{number}"), "a", "b")).collect();

    assert_eq!(patch(&fixture, &operations).await, "204");
    assert_eq!(revision(&fixture).await, Revision(before.0 + 3));
    assert_eq!(overlay(&fixture, "m149").await, ["a=b"]);
}

#[tokio::test]
async fn bad_patches_are_refused_with_a_sentence() {
    let fixture = Fixture::new(100);
    let garbage = Key::Metadata("m2".parse().unwrap());
    fixture.put_raw(&garbage, b"garbage").await;
    let large = operation("add", "m1", "a", &"x".repeat(16 * 1024));
    let cases = [
        (
            r#"[{"op":"add","path":"/m1/metadata/a b","value":"c"}]"#.to_owned(),
            400,
            "machine metadata path invalid",
        ),
        (
            r#"[{"op":"add","path":"/m1/metadata/a"}]"#.to_owned(),
            400,
            "invalid value: add and replace require a value",
        ),
        (
            "{".to_owned(),
            400,
            "unable to decode body: EOF while parsing an object at line 1 column 1",
        ),
        (
            r#"{"op":"add"}"#.to_owned(),
            400,
            "unable to decode body: invalid type: map, expected a sequence",
        ),
        (
            format!("[{large}]"),
            413,
            "the metadata of machine m1 would be larger than 16 KiB: remove keys that nobody needs, or keep such data elsewhere",
        ),
        (
            format!("[{},{}]", operation("add", "m1", "a", "b"), operation("add", "m2", "a", "b")),
            409,
            "the stored metadata cannot be read, so it cannot be changed (not a document of fleet: expected value at line 1 column 1): remove the key /fleet/metadata/m2 from the store first",
        ),
    ];
    let before = revision(&fixture).await;

    for (body, code, message) in cases {
        let answer = fixture.ask(PATCH, &body).await;
        assert_eq!(answer, error(code, message), "{body:.100}");
    }
    assert_eq!(revision(&fixture).await, before);
}
