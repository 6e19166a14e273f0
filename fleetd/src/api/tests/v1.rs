use fleet_units::TargetState;
use tokio::io::AsyncReadExt;

use super::harness::{Fixture, JSON, error, hash, short};
use crate::api::Unavailable;
use crate::registry::document::{MetadataOverlay, Unit};
use crate::registry::key::Key;

const SLEEP: &str = "[Service]\nExecStart=/bin/sleep 1\n";
const OPTIONS: &str = r#"[{"name":"ExecStart","section":"Service","value":"/bin/sleep 1"}]"#;
const OTHER: &str = r#"[{"name":"ExecStart","section":"Service","value":"/bin/sleep 2"}]"#;

fn body(options: &str, rest: &str) -> String {
    format!(r#"{{"options":{options}{rest}}}"#)
}

fn unit(name: &str, state: &str) -> String {
    format!(
        r#"{{"currentState":"inactive","desiredState":"{state}","name":"{name}","options":{OPTIONS}}}"#
    )
}

fn with_text(unit: &str, text: &str) -> String {
    let text = serde_json::to_string(text).unwrap();
    format!("{},\"text\":{text}}}", unit.strip_suffix('}').unwrap())
}

#[tokio::test]
async fn responses_look_as_those_of_1_0_did() {
    let fixture = Fixture::new(100);

    let list = fixture.whole("GET /fleet/v1/units", "", b"").await;
    assert_eq!(list, "HTTP/1.1 200 OK\ncontent-type: application/json\nserver: fleetd/2.0.0\n{}");
    let missing = fixture.whole("GET /v1-alpha/units/a.service", "", b"").await;
    assert_eq!(
        missing,
        "HTTP/1.1 404 Not Found\ncontent-type: application/json\nserver: fleetd/2.0.0\n\
         {\"error\":{\"code\":404,\"message\":\"unit does not exist\"}}"
    );
    let put = "PUT /fleet/v1/units/a.service?alt=json";
    let quality = "Content-Type: application/json; quality=0.9\r\n";
    let created = fixture.whole(put, quality, body(OPTIONS, "").as_bytes()).await;
    assert_eq!(created, "HTTP/1.1 201 Created\nserver: fleetd/2.0.0\n");
}

#[tokio::test]
async fn a_unit_lives_through_put_get_and_delete() {
    let fixture = Fixture::new(100);
    let path = "/fleet/v1/units/lb%402.service";

    assert_eq!(fixture.ask(&format!("PUT {path}"), &body(OPTIONS, "")).await, "201");
    let inactive = unit("lb@2.service", "inactive");
    let canonical = with_text(&inactive, SLEEP);
    assert_eq!(fixture.ask(&format!("GET {path}"), "").await, format!("200 {canonical}"));
    assert_eq!(
        fixture.ask("GET /v1-alpha/units", "").await,
        format!("200 {{\"units\":[{inactive}]}}")
    );
    // Keys in any case, as 1.0 took them.
    let launch = r#"{"DesiredState":"launched","NAME":"lb@2.service"}"#;
    assert_eq!(fixture.ask(&format!("PUT {path}"), launch).await, "204");
    let launched = with_text(&unit("lb@2.service", "launched"), SLEEP);
    assert_eq!(fixture.ask(&format!("GET {path}"), "").await, format!("200 {launched}"));
    assert_eq!(fixture.ask(&format!("PUT {path}"), &body(OTHER, "")).await, "201");
    assert_eq!(fixture.stored("lb@2.service").await.target, TargetState::Inactive);
    assert_eq!(fixture.ask(&format!("DELETE {path}"), "").await, "204");
    assert_eq!(fixture.ask(&format!("DELETE {path}"), "").await, error(404, "unit does not exist"));
    assert_eq!(fixture.ask("GET /fleet/v1/units", "").await, "200 {}");
}

#[tokio::test]
async fn replacing_in_place_keeps_the_record() {
    let fixture = Fixture::new(100);
    let launched = r#","desiredState":"launched""#;
    fixture.ask("PUT /fleet/v1/units/a.service", &body(OPTIONS, launched)).await;
    let uid = fixture.uid("a.service").await;

    let replaced = fixture.ask("PUT /fleet/v1/units/a.service", &body(OTHER, launched)).await;

    assert_eq!(replaced, "201");
    let text = "[Service]\nExecStart=/bin/sleep 2\n".to_owned();
    let expected = Unit {
        hash: hash(&text).parse().unwrap(),
        text,
        target: TargetState::Launched,
        generation: 2,
        stops: 0,
    };
    assert_eq!(fixture.stored("a.service").await, expected);
    assert_eq!(fixture.uid("a.service").await, uid);
}

#[tokio::test]
async fn text_is_kept_byte_for_byte_if_it_says_what_the_options_say() {
    let fixture = Fixture::new(100);
    let commented = "# nap\n\n[Service]\nExecStart = /bin/sleep 1\n\n";
    let text = |text: &str| format!(r#","text":{}"#, serde_json::to_string(text).unwrap());

    fixture.ask("PUT /fleet/v1/units/a.service", &body(OPTIONS, &text(commented))).await;
    assert_eq!(fixture.stored("a.service").await.text, commented);

    fixture.ask("PUT /fleet/v1/units/b.service", &body(OPTIONS, &text("[Service]\nX=1"))).await;
    assert_eq!(fixture.stored("b.service").await.text, SLEEP);

    let edited = "# long nap\n[Service]\nExecStart=/bin/sleep 1\n";
    let edit = body(OPTIONS, &text(edited));
    assert_eq!(fixture.ask("PUT /fleet/v1/units/a.service", &edit).await, "204");
    let stored = fixture.stored("a.service").await;
    assert_eq!((stored.text.as_str(), stored.hash.to_string()), (edited, hash(commented)));
}

#[tokio::test]
async fn bad_requests_are_refused_in_the_words_of_1_0() {
    let fixture = Fixture::new(100);
    fixture.ask("PUT /fleet/v1/units/there.service", &body(OPTIONS, "")).await;
    fixture.ask("PUT /fleet/v1/units/t@.service", &body(OPTIONS, "")).await;
    let exclusive = r#"[{"name":"Global","section":"X-Fleet","value":"true"},{"name":"MachineID","section":"X-Fleet","value":"x"}]"#;
    let launched = r#"{"desiredState":"launched"}"#.to_owned();
    let cases = [
        ("a.service", "{}".to_owned(), 409, "unit does not exist and options field empty"),
        (
            "there.service",
            body(OPTIONS, ""),
            409,
            "must provide DesiredState to update existing unit",
        ),
        ("t@.service", launched.clone(), 400, "cannot activate template \"t@.service\""),
        (
            "u@.service",
            body(OPTIONS, r#","desiredState":"loaded""#),
            400,
            "cannot activate template \"u@.service\"",
        ),
        ("a.service", body(exclusive, ""), 400, "MachineID cannot be used with Global"),
        ("there.service", body(exclusive, ""), 400, "MachineID cannot be used with Global"),
        (
            "a.service",
            body(OPTIONS, r#","name":"b.service""#),
            400,
            "name in URL \"a.service\" differs from unit name in request body \"b.service\"",
        ),
        ("a.servic", body(OPTIONS, ""), 400, "invalid unit type: \"servic\""),
    ];

    for (name, body, code, message) in cases {
        let answer = fixture.ask(&format!("PUT /fleet/v1/units/{name}"), &body).await;
        assert_eq!(answer, error(code, message), "{name} {body}");
    }
}

#[tokio::test]
async fn bodies_that_are_not_json_are_refused() {
    let fixture = Fixture::new(100);
    let put = "PUT /fleet/v1/units/a.service";
    let cases: [(&str, &[u8], String); 6] = [
        ("", b"{}", error(415, "expected 1 Content-Type, got 0")),
        (
            "Content-Type: application/json\r\nContent-Type: application/json\r\n",
            b"{}",
            error(415, "expected 1 Content-Type, got 2"),
        ),
        (
            "Content-Type: text/plain\r\n",
            b"{}",
            error(415, "only acceptable Content-Type is application/json"),
        ),
        (
            JSON,
            b"",
            error(400, "unable to decode body: EOF while parsing a value at line 1 column 0"),
        ),
        (JSON, b"\xff\xfe", error(400, "unable to decode body: expected value at line 1 column 1")),
        (
            JSON,
            br#"{"desiredState":"started"}"#,
            error(
                400,
                "unable to decode body: unknown state \"started\": use inactive, loaded or launched",
            ),
        ),
    ];

    for (headers, body, expected) in cases {
        let answer = short(&fixture.whole(put, headers, body).await);
        assert_eq!(answer, expected, "{headers} {}", String::from_utf8_lossy(body));
    }
}

#[tokio::test]
async fn a_body_over_512_kib_is_too_large() {
    let fixture = Fixture::new(100);
    let large = format!(r#"{{"text":"{}"}}"#, "x".repeat(512 * 1024));

    let answer = fixture.ask("PUT /fleet/v1/units/a.service", &large).await;

    let message = "the body of this request may have 512 KiB: move large contents of a unit into \
                   files of their own";
    assert_eq!(answer, error(413, message));
}

#[tokio::test]
async fn other_addresses_and_verbs_are_refused() {
    let fixture = Fixture::new(100);

    for address in ["/", "/fleet/v1", "/v1-alpha"] {
        for verb in ["GET", "POST"] {
            let answer = fixture.ask(&format!("{verb} {address}"), "").await;
            assert_eq!(answer, error(405, &format!("{verb} is not supported here")), "{address}");
        }
    }
    let answer = fixture.ask("POST /fleet/v1/machines", "").await;
    assert_eq!(answer, error(405, "POST is not supported here"));
    for path in ["/x", "/fleet/v1/units/", "/fleet/v1/units/a/b"] {
        let message = format!("nothing is served at {path}: the API is at /fleet/v1/");
        assert_eq!(fixture.ask(&format!("GET {path}"), "").await, error(404, &message));
    }
}

#[tokio::test]
async fn machines_have_the_metadata_that_counts() {
    let fixture = Fixture::new(100);
    fixture.join("XXX", None, &[]).await;
    fixture.join("YYY", Some("1.2.3.4"), &[("ping", "pang"), ("old", "1")]).await;
    let values = [("ping".to_owned(), "pong".to_owned()), ("old".to_owned(), String::new())];
    let overlay = MetadataOverlay { values: values.into() };
    fixture.put(&Key::Metadata("YYY".parse().unwrap()), &overlay).await;

    assert_eq!(
        fixture.ask("GET /fleet/v1/machines", "").await,
        r#"200 {"machines":[{"id":"XXX"},{"id":"YYY","metadata":{"ping":"pong"},"primaryIP":"1.2.3.4"}]}"#
    );
}

#[tokio::test]
async fn states_are_listed_and_filtered() {
    let fixture = Fixture::new(100);
    for (name, machine) in [("a.service", "m2"), ("b.service", "m1")] {
        let launch = body(OPTIONS, r#","desiredState":"launched""#);
        fixture.ask(&format!("PUT /fleet/v1/units/{name}"), &launch).await;
        fixture.run_unit(name, machine).await;
    }
    let hash = hash(SLEEP);
    let state = |name: &str, machine: &str| {
        format!(
            r#"{{"hash":"{hash}","machineID":"{machine}","name":"{name}","systemdActiveState":"active","systemdLoadState":"loaded","systemdSubState":"running"}}"#
        )
    };
    let (a, b) = (state("a.service", "m2"), state("b.service", "m1"));
    let cases = [
        ("/state", format!("200 {{\"states\":[{a},{b}]}}")),
        ("/state?machineID=m1", format!("200 {{\"states\":[{b}]}}")),
        ("/state?unitName=a.service&machineID=m2", format!("200 {{\"states\":[{a}]}}")),
        ("/state?unitName=a.service&machineID=m1", "200 {}".to_owned()),
        ("/state/b.service", format!("200 {b}")),
        ("/state/c.service", error(404, "unit state does not exist")),
    ];

    // The view opened before these came; it follows.
    fixture.ask("DELETE /fleet/v1/units/none.service", "").await;
    for (path, expected) in cases {
        assert_eq!(fixture.ask(&format!("GET /fleet/v1{path}"), "").await, expected, "{path}");
    }
    let unit = fixture.ask("GET /fleet/v1/units/a.service", "").await;
    assert!(
        unit.contains(r#""currentState":"launched","desiredState":"launched","machineID":"m2""#)
    );
}

#[tokio::test]
async fn lists_come_in_pages() {
    let fixture = Fixture::new(2);
    for id in ["a", "b", "c"] {
        fixture.join(id, None, &[]).await;
    }

    let token = "AgABAA==";
    assert_eq!(
        fixture.ask("GET /fleet/v1/machines", "").await,
        format!(r#"200 {{"machines":[{{"id":"a"}},{{"id":"b"}}],"nextPageToken":"{token}"}}"#)
    );
    assert_eq!(
        fixture.ask(&format!("GET /fleet/v1/machines?nextPageToken={token}"), "").await,
        r#"200 {"machines":[{"id":"c"}]}"#
    );
    let cases = [
        ("nextPageToken=ZABMLg==", "token limit must be 2"),
        ("nextPageToken=AgAAAA==", "token page must be greater than zero"),
        (
            "nextPageToken=",
            "malformed page token: use the nextPageToken of the page before as it is",
        ),
        ("nextPageToken=AgABAA==&nextPageToken=AgABAA==", "nextPageToken may be given once"),
    ];
    for (query, message) in cases {
        let answer = fixture.ask(&format!("GET /fleet/v1/units?{query}"), "").await;
        assert_eq!(answer, error(400, message), "{query}");
    }
}

#[tokio::test]
async fn a_request_that_comes_while_fleetd_starts_waits_until_this_machine_is_registered() {
    let fixture = Fixture::new(100);
    drop(fixture.readiness.send_replace(Err(Unavailable::Pending)));
    let mut asked = std::pin::pin!(fixture.ask("GET /fleet/v1/units", ""));

    let early = tokio::time::timeout(std::time::Duration::from_millis(200), &mut asked).await;
    assert!(early.is_err(), "{early:?}");
    drop(fixture.readiness.send_replace(Ok(())));
    assert_eq!(asked.await, "200 {}");
}

#[tokio::test]
async fn nothing_is_answered_before_this_machine_is_registered() {
    let fixture = Fixture::new(100);
    let phrase = "fleet server unable to communicate with etcd";

    drop(fixture.readiness.send_replace(Err(Unavailable::Pending)));
    fixture.warm_up().await;
    assert_eq!(fixture.ask("GET /fleet/v1/units", "").await, error(503, phrase));
    let reason = "machine-id 0123 is in use by host two".to_owned();
    drop(fixture.readiness.send_replace(Err(Unavailable::Refused(reason))));
    assert_eq!(
        fixture.ask("GET /", "").await,
        error(503, &format!("{phrase}: machine-id 0123 is in use by host two"))
    );
    drop(fixture.readiness.send_replace(Ok(())));
    assert_eq!(fixture.ask("GET /fleet/v1/units", "").await, "200 {}");
}

#[tokio::test]
async fn a_store_that_is_gone_is_told_and_not_hidden_behind_old_answers() {
    let fixture = Fixture::new(100);
    assert_eq!(fixture.ask("GET /fleet/v1/units", "").await, "200 {}");

    fixture.store.close().await;
    tokio::time::pause();
    tokio::time::advance(std::time::Duration::from_secs(1)).await;
    tokio::time::resume();

    let answer = fixture.ask("GET /fleet/v1/units", "").await;
    assert!(answer.contains("fleet server unable to communicate with etcd: "), "{answer}");
}

#[tokio::test]
async fn a_client_that_goes_away_with_half_a_body_is_not_waited_for() {
    let fixture = Fixture::new(100);
    let head = "PUT /fleet/v1/units/a.service HTTP/1.1\r\nHost: fleet\r\nConnection: close\r\n\
                Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
    let mut stream = fixture.send(head).await;

    tokio::time::pause();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();

    assert!(response.starts_with("HTTP/1.1 408 "), "{response}");
}
