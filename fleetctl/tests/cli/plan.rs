//! `plan`: what start would do.

use crate::program::Fleetctl;
use crate::server::Script;

const REPLY: &str = r#"{"units":[
    {"name":"new.service","asked":true,"desiredState":"launched",
     "machines":[{"machine":"148a18ff-6e95","address":"10.0.0.1","effect":"starts"}]},
    {"name":"old.service","asked":false,"desiredState":"launched","machines":[
        {"machine":"148a18ff-6e95","address":"10.0.0.1","effect":"leaves",
         "reason":"the machine has new.service, which replaces the unit"},
        {"machine":"c9de9451-6a6f","effect":"starts"}]}]}"#;

const WAITS: &str = r#"{"leaderless":true,"units":[
    {"name":"new.service","asked":true,"desiredState":"launched","machines":[],"pending":true,
     "warnings":["`MachineBoot` is old: write `MachineID`"],
     "obstacles":[{"machine":"148a18ff-6e95","load":1,
        "reasons":["lacks disk=\u001b[31mssd","conflicts with old.service there"]}]}]}"#;

const REFUSED: &str =
    r#"{"units":[{"name":"new.service","asked":true,"machines":[],"message":"no such luck"}]}"#;

fn run(reply: &str, words: &[&str]) -> (String, Vec<String>) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("new.service");
    std::fs::write(&path, "[Service]\nExecStart=/bin/new\n[X-Fleet]\nReplaces=old.service\n")
        .unwrap();
    let server = Script::new()
        .on("GET /fleet/v2/units", 200, r#"{"units":[]}"#)
        .on("POST /fleet/v2/plan", 200, reply)
        .serve();
    let path = path.to_string_lossy().into_owned();
    let words: Vec<&str> = words.iter().copied().chain([path.as_str()]).collect();
    let told = Fleetctl::at(&server, &words).run().to_string();
    (told, server.writes())
}

#[test]
fn a_plan_is_told_unit_by_unit_and_what_start_would_write_is_only_asked_about() {
    let (told, asked) = run(REPLY, &["plan"]);
    insta::assert_snapshot!(told, @r#"
    new.service would start on 148a18ff.../10.0.0.1
    old.service would leave 148a18ff.../10.0.0.1: the machine has new.service, which replaces the unit
    old.service would start on c9de9451...
    Nothing has been changed.
    exit 0
    "#);
    insta::assert_snapshot!(asked.join("\n"), @r#"POST /fleet/v2/plan {"units":[{"name":"new.service","options":[{"name":"ExecStart","section":"Service","value":"/bin/new"},{"name":"Replaces","section":"X-Fleet","value":"old.service"}],"text":"[Service]\nExecStart=/bin/new\n[X-Fleet]\nReplaces=old.service\n","desiredState":"launched","raiseOnly":true}]}"#);
}

#[test]
fn a_unit_that_would_wait_is_told_with_every_reason_and_exit_1() {
    insta::assert_snapshot!(run(WAITS, &["plan", "--full"]).0, @r#"
    new.service would wait, as no machine can take it:
        148a18ff-6e95 lacks disk= [31mssd
        148a18ff-6e95 conflicts with old.service there
    No engine leads at the moment: nothing would be done before one does.
    Nothing has been changed.
    exit 1
    "#);
}

#[test]
fn a_unit_that_would_lose_its_place_and_find_no_other_is_exit_1() {
    let displaced = r#"{"units":[
        {"name":"new.service","asked":true,"desiredState":"launched",
         "machines":[{"machine":"148a18ff-6e95","effect":"starts"}]},
        {"name":"old.service","asked":false,"desiredState":"launched","machines":[],"pending":true,
         "obstacles":[{"machine":"148a18ff-6e95","load":1,
            "reasons":["new.service there replaces the unit"]}]}]}"#;
    insta::assert_snapshot!(run(displaced, &["plan"]).0, @r#"
    new.service would start on 148a18ff...
    old.service would wait, as no machine can take it:
        148a18ff... new.service there replaces the unit
    Nothing has been changed.
    exit 1
    "#);
}

#[test]
fn what_is_there_would_be_left_alone_with_once_and_needs_no_file() {
    let registered = r#"{"name":"old.service","desiredState":"launched","text":"[Service]\nExecStart=/bin/old\n"}"#;
    let detail = r#"{"units":[{"name":"old.service","uid":4,"generation":1,"desiredState":"launched","currentState":"launched"}]}"#;
    let stays = r#"{"units":[{"name":"old.service","asked":true,"desiredState":"launched",
        "machines":[{"machine":"148a18ff-6e95","effect":"stays"}]}]}"#;
    let server = Script::new()
        .on("GET /fleet/v2/units", 200, detail)
        .on("GET /fleet/v1/units/old.service", 200, registered)
        .on("POST /fleet/v2/plan", 200, stays)
        .serve();
    let empty = tempfile::tempdir().unwrap();
    let fleetctl = Fleetctl::at(&server, &["plan", "--once", "old"]).in_directory(empty.path());
    insta::assert_snapshot!(fleetctl.run().to_string(), @r#"
    old.service stays as it is on 148a18ff...
    Nothing has been changed.
    exit 0
    "#);
}

#[test]
fn a_unit_that_would_be_refused_is_told_with_exit_1() {
    insta::assert_snapshot!(run(REFUSED, &["plan"]).0, @r#"
    new.service would be refused: no such luck
    Nothing has been changed.
    exit 1
    "#);
}

#[test]
fn programs_are_told_the_plan_as_json() {
    insta::assert_snapshot!(run(WAITS, &["plan", "--json"]).0, @r#"
    [
      {
        "asked": true,
        "dstate": "launched",
        "error": null,
        "machines": [],
        "obstacles": [
          {
            "ip": null,
            "machine": "148a18ff-6e95",
            "reasons": [
              "lacks disk=\u001b[31mssd",
              "conflicts with old.service there"
            ]
          }
        ],
        "pending": true,
        "unit": "new.service",
        "warnings": [
          "`MachineBoot` is old: write `MachineID`"
        ]
      }
    ]
    exit 1
    "#);
}
