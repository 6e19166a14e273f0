use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};

use super::harness::Fixture;

const VERBS: [&str; 5] = ["GET", "PUT", "POST", "DELETE", "PATCH"];

/// Answers other verbs in its own words.
const DISCOVERY: &str = "/fleet/v1/discovery";

async fn document(fixture: &Fixture) -> Value {
    let answer = fixture.ask("GET /fleet/v2/openapi.json", "").await;
    serde_json::from_str(answer.strip_prefix("200 ").unwrap()).unwrap()
}

/// Operations by verb and address.
fn operations(document: &Value) -> BTreeMap<(String, String), Value> {
    let mut operations = BTreeMap::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (verb, operation) in item.as_object().unwrap() {
            operations.insert((verb.to_uppercase(), path.clone()), operation.clone());
        }
    }
    operations
}

/// The status of a response, however long its body goes on.
async fn status(fixture: &Fixture, request: &str) -> String {
    let stream = fixture.open(request, "", b"").await;
    let first = BufReader::new(stream).lines().next_line().await.unwrap().unwrap();
    first.split(' ').nth(1).unwrap().to_owned()
}

#[tokio::test]
async fn addresses_of_the_document_take_the_verbs_that_it_names_and_no_others() {
    let fixture = Fixture::new(100);
    let described = operations(&document(&fixture).await);
    let paths: BTreeSet<_> = described.keys().map(|(_, path)| path.clone()).collect();
    assert!(paths.contains(DISCOVERY), "{paths:?}");

    let mut served = BTreeSet::new();
    for path in &paths {
        for verb in VERBS {
            let address = path.replace("{name}", "a.service");
            let refused = if path == DISCOVERY { "400" } else { "405" };
            if status(&fixture, &format!("{verb} {address}")).await != refused {
                served.insert((verb.to_owned(), path.clone()));
            }
        }
    }

    assert_eq!(served, described.into_keys().collect());
}

#[tokio::test]
async fn all_that_the_document_refers_to_is_there_and_has_one_name() {
    let document = document(&Fixture::new(100)).await;

    let mut names = BTreeSet::new();
    for (address, operation) in operations(&document) {
        let name = operation["operationId"].as_str().unwrap().to_owned();
        assert!(names.insert(name), "{address:?} is called as another one");
        assert!(operation["responses"]["503"].is_object(), "{address:?}");
    }
    let mut missing = Vec::new();
    each_reference(&document, &mut |reference| {
        if document.pointer(reference.strip_prefix('#').unwrap()).is_none() {
            missing.push(reference.to_owned());
        }
    });
    assert_eq!(missing, Vec::<String>::new());
}

fn each_reference(value: &Value, see: &mut impl FnMut(&str)) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| each_reference(value, see)),
        Value::Object(members) => {
            for (key, value) in members {
                match value {
                    Value::String(reference) if key == "$ref" => see(reference),
                    _ => each_reference(value, see),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[tokio::test]
async fn the_discovery_document_tells_of_version_1_what_is_served() {
    let document = document(&Fixture::new(100)).await;
    let discovery: Value = serde_json::from_str(include_str!("../discovery.json")).unwrap();

    let described = operations(&document);
    for (_, resource) in discovery["resources"].as_object().unwrap() {
        for (name, method) in resource["methods"].as_object().unwrap() {
            let path = method["path"].as_str().unwrap().replace("{unitName}", "{name}");
            let verb = method["httpMethod"].as_str().unwrap().to_owned();
            assert!(described.contains_key(&(verb, format!("/fleet/v1/{path}"))), "{name}");
        }
    }
    for (name, schema) in discovery["schemas"].as_object().unwrap() {
        let fields = |schema: &Value| -> BTreeSet<String> {
            schema["properties"].as_object().unwrap().keys().cloned().collect()
        };
        let mut ours = fields(&document["components"]["schemas"][name]);
        // What 1.0 did not have, and its clients ignore.
        ours.remove("text");
        assert_eq!(ours, fields(schema), "{name}");
    }
}

#[tokio::test]
async fn keys_of_all_documents_are_read_in_any_case() {
    let document = document(&Fixture::new(100)).await;

    let mut unknown = BTreeSet::new();
    for schema in document["components"]["schemas"].as_object().unwrap().values() {
        each_property(schema, &mut |key| {
            let body = format!(r#"{{"{}":1}}"#, key.to_uppercase());
            let read: Value = fleet_units::api::from_json(body.as_bytes()).unwrap();
            if read.get(key).is_none() {
                unknown.insert(key.to_owned());
            }
        });
    }

    assert_eq!(unknown, BTreeSet::new());
}

fn each_property(schema: &Value, see: &mut impl FnMut(&str)) {
    match schema {
        Value::Array(values) => values.iter().for_each(|value| each_property(value, see)),
        Value::Object(members) => {
            for (key, value) in members {
                if let ("properties", Value::Object(properties)) = (key.as_str(), value) {
                    properties.keys().for_each(|key| see(key));
                }
                each_property(value, see);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
