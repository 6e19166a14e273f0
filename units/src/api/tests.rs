use serde_json::{Value, json};

use super::v2::{BatchOutcome, BatchRequest, BatchUnit, Copy, JobState, UnitDetail, Update};
use super::*;
use crate::{Metadata, TargetState, UnitOption};

fn text<T: serde::Serialize>(document: &T) -> String {
    serde_json::to_string(document).unwrap()
}

#[test]
fn machines_are_written_as_1_0_wrote_them() {
    let page = MachinePage {
        machines: vec![
            Machine { id: "XXX".into(), ..Machine::default() },
            Machine {
                id: "YYY".into(),
                metadata: Metadata::from([("ping".into(), "pong".into())]),
                primary_ip: "1.2.3.4".into(),
            },
        ],
        next_page_token: None,
    };
    let written = r#"{"machines":[{"id":"XXX"},{"id":"YYY","metadata":{"ping":"pong"},"primaryIP":"1.2.3.4"}]}"#;

    assert_eq!(text(&page), written);
    assert_eq!(serde_json::from_str::<MachinePage>(written).unwrap(), page);
}

#[test]
fn units_are_written_with_keys_in_alphabetical_order() {
    let unit = Unit {
        current_state: Some(TargetState::Loaded),
        desired_state: Some(TargetState::Launched),
        machine_id: Some("XXX".into()),
        name: "hello.service".into(),
        options: vec![UnitOption::new("Service", "ExecStart", "/bin/true")],
        text: Some("[Service]\nExecStart=/bin/true\n".into()),
    };
    let page = UnitPage { next_page_token: Some("ZABMLg==".into()), units: vec![unit] };
    let written = concat!(
        r#"{"nextPageToken":"ZABMLg==","units":[{"currentState":"loaded","desiredState":"launched","#,
        r#""machineID":"XXX","name":"hello.service","#,
        r#""options":[{"name":"ExecStart","section":"Service","value":"/bin/true"}],"#,
        r#""text":"[Service]\nExecStart=/bin/true\n"}]}"#
    );

    assert_eq!(text(&page), written);
    assert_eq!(serde_json::from_str::<UnitPage>(written).unwrap(), page);
}

#[test]
fn states_are_written_with_keys_in_alphabetical_order() {
    let page = UnitStatePage {
        next_page_token: None,
        states: vec![UnitState {
            hash: "1c6f".into(),
            machine_id: "XXX".into(),
            name: "hello.service".into(),
            systemd_active_state: "active".into(),
            systemd_load_state: "loaded".into(),
            systemd_sub_state: "running".into(),
        }],
    };
    let written = concat!(
        r#"{"states":[{"hash":"1c6f","machineID":"XXX","name":"hello.service","#,
        r#""systemdActiveState":"active","systemdLoadState":"loaded","systemdSubState":"running"}]}"#
    );

    assert_eq!(text(&page), written);
    assert_eq!(serde_json::from_str::<UnitStatePage>(written).unwrap(), page);
}

#[test]
fn empty_fields_are_omitted_and_may_be_missing() {
    assert_eq!(text(&UnitPage::default()), "{}");
    assert_eq!(text(&MachinePage::default()), "{}");
    assert_eq!(text(&UnitStatePage::default()), "{}");
    assert_eq!(text(&Unit::default()), "{}");
    assert_eq!(text(&UnitState::default()), "{}");
    assert_eq!(text(&UnitOption::new("Service", "ExecStart", "")), {
        r#"{"name":"ExecStart","section":"Service"}"#
    });
    assert_eq!(serde_json::from_str::<Unit>("{}").unwrap(), Unit::default());
}

#[test]
fn errors_have_1_0s_envelope() {
    let body = ErrorBody::new(404, "unit does not exist");
    let written = r#"{"error":{"code":404,"message":"unit does not exist"}}"#;

    assert_eq!(text(&body), written);
    assert_eq!(serde_json::from_str::<ErrorBody>(written).unwrap(), body);
}

#[test]
fn bodies_are_read_with_keys_in_any_case_and_unknown_ones_ignored() {
    let body =
        br#"{"NAME":"a.service","DesiredState":"launched","machineid":null,"What":{"name":1},
        "Options":[{"Section":"S","name":"N","Value":"v","x":[]}]}"#;

    assert_eq!(
        from_json::<Unit>(body).unwrap(),
        Unit {
            name: "a.service".into(),
            desired_state: Some(TargetState::Launched),
            options: vec![UnitOption::new("S", "N", "v")],
            ..Unit::default()
        }
    );
}

#[test]
fn a_key_in_its_own_spelling_beats_others() {
    for body in [r#"{"Name":"other","name":"own"}"#, r#"{"name":"own","NAME":"other"}"#] {
        assert_eq!(from_json::<Unit>(body.as_bytes()).unwrap().name, "own", "{body}");
    }
}

#[test]
fn keys_of_metadata_keep_their_case() {
    let body = br#"{"ID":"XXX","Metadata":{"Name":"a","ID":"b"},"PrimaryIP":"1.2.3.4"}"#;

    assert_eq!(
        from_json::<Machine>(body).unwrap(),
        Machine {
            id: "XXX".into(),
            metadata: Metadata::from([("ID".into(), "b".into()), ("Name".into(), "a".into())]),
            primary_ip: "1.2.3.4".into(),
        }
    );
}

#[test]
fn an_empty_state_is_none_and_another_word_is_refused() {
    let absent = from_json::<Unit>(br#"{"desiredState":"","currentState":null}"#).unwrap();
    let refused = from_json::<Unit>(br#"{"desiredState":"running"}"#).unwrap_err();

    assert_eq!(absent, Unit::default());
    assert_eq!(refused.to_string(), r#"unknown state "running": use inactive, loaded or launched"#);
}

#[test]
fn bodies_that_are_not_what_they_should_be_are_refused() {
    let deep = "[".repeat(100_000);
    for body in ["", "hello", "[]x", "{\"name\":1}", "\"text\"", "{\"options\":{}}", deep.as_str()]
    {
        assert!(from_json::<Unit>(body.as_bytes()).is_err(), "{body:.20}");
    }
}

/// A detail in which no field is omitted.
fn full_detail() -> UnitDetail {
    UnitDetail {
        name: "hello.service".into(),
        uid: 7,
        generation: 2,
        global: true,
        desired_state: TargetState::Launched,
        current_state: Some(TargetState::Loaded),
        machines: vec![Copy {
            machine: "XXX".into(),
            address: Some("1.2.3.4".into()),
            current: TargetState::Loaded,
            observed: 1,
            uid: 7,
            load: "loaded".into(),
            active: "failed".into(),
            sub: "failed".into(),
            job: JobState::Failed,
            problem: Some("it failed".into()),
            hash: Some("1c6f".into()),
            leaving: true,
            absent: true,
        }],
        obstacles: Some(vec![v2::MachineObstacle {
            machine: "YYY".into(),
            address: Some("1.2.3.5".into()),
            reason: "has no disk=ssd".into(),
        }]),
        coming: true,
        unplaceable: true,
    }
}

#[test]
fn details_of_units_have_these_keys() {
    let update = Update {
        revision: 9,
        units: vec![full_detail()],
        gone: vec!["b.service".into()],
        machines: None,
    };
    let expected = json!({
        "revision": 9,
        "units": [{
            "name": "hello.service",
            "uid": 7,
            "generation": 2,
            "global": true,
            "desiredState": "launched",
            "currentState": "loaded",
            "machines": [{
                "machine": "XXX",
                "address": "1.2.3.4",
                "current": "loaded",
                "observed": 1,
                "uid": 7,
                "load": "loaded",
                "active": "failed",
                "sub": "failed",
                "job": "failed",
                "problem": "it failed",
                "hash": "1c6f",
                "leaving": true,
                "absent": true,
            }],
            "obstacles": [{"machine": "YYY", "address": "1.2.3.5", "reason": "has no disk=ssd"}],
            "coming": true,
            "unplaceable": true,
        }],
        "gone": ["b.service"],
    });

    assert_eq!(serde_json::to_value(&update).unwrap(), expected);
    assert_eq!(serde_json::from_value::<Update>(expected).unwrap(), update);
}

#[test]
fn no_obstacles_and_no_wish_for_a_place_are_told_apart() {
    let placed = UnitDetail::default();
    let homeless = UnitDetail { obstacles: Some(Vec::new()), ..UnitDetail::default() };

    let read = [&placed, &homeless]
        .map(|detail| serde_json::from_str::<UnitDetail>(&text(detail)).unwrap().obstacles);

    assert_eq!(read, [None, Some(Vec::new())]);
}

#[test]
fn a_batch_survives_the_wire() {
    let request = BatchRequest {
        units: vec![
            BatchUnit {
                name: "a.service".into(),
                options: vec![UnitOption::new("S", "a", "b")],
                text: Some("[S]\na=b\n".into()),
                desired_state: Some(TargetState::Loaded),
                delete: false,
                raise_only: true,
                restart: false,
                once: true,
            },
            BatchUnit { name: "b.service".into(), delete: true, ..BatchUnit::default() },
        ],
    };
    let reply = v2::BatchReply {
        units: vec![BatchOutcome {
            name: "a.service".into(),
            status: 201,
            message: None,
            uid: Some(7),
            generation: Some(1),
            warnings: vec!["w".into()],
            kept: true,
        }],
    };

    assert_eq!(from_json::<BatchRequest>(text(&request).as_bytes()).unwrap(), request);
    assert_eq!(
        text(&reply),
        r#"{"units":[{"name":"a.service","status":201,"uid":7,"generation":1,"warnings":["w"],"kept":true}]}"#
    );
    assert_eq!(from_json::<v2::BatchReply>(text(&reply).as_bytes()).unwrap(), reply);
}

#[test]
fn every_key_that_is_written_is_read_in_any_case() {
    let update = Update {
        revision: 9,
        units: vec![full_detail()],
        gone: vec!["b.service".into()],
        machines: Some(vec![]),
    };
    let batch = BatchUnit {
        name: "a.service".into(),
        options: vec![UnitOption::new("S", "a", "b")],
        text: Some("t".into()),
        desired_state: Some(TargetState::Loaded),
        delete: true,
        raise_only: true,
        restart: true,
        once: true,
    };

    let shouted = shout(serde_json::to_value(&update).unwrap());
    assert_eq!(from_json::<Update>(&serde_json::to_vec(&shouted).unwrap()).unwrap(), update);
    let shouted = shout(serde_json::to_value(&batch).unwrap());
    assert_eq!(from_json::<BatchUnit>(&serde_json::to_vec(&shouted).unwrap()).unwrap(), batch);
}

/// The document with all keys in capitals.
fn shout(value: Value) -> Value {
    match value {
        Value::Array(values) => values.into_iter().map(shout).collect(),
        Value::Object(members) => members
            .into_iter()
            .map(|(key, value)| (key.to_uppercase(), shout(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}
