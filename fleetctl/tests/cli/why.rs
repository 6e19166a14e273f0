//! `why`: explanations for people and programs.

use crate::program::Fleetctl;
use crate::server::Script;

const PENDING: &str = r#"{"units":[{"name":"web@2.service","desiredState":"launched","generation":1,
    "asks":["MachineMetadata=disk=ssd","Conflicts=web@*.service"],"verdict":"pending",
    "machines":[
        {"machine":"148a18ff-6e95-4cd8-92da-c9de9bb90d5a","address":"10.0.0.1","load":2,
         "reasons":["metadata disk=ssd is wanted, the machine has no disk","conflicts with web@1.service there"]},
        {"machine":"c9de9451-6a6f-1d80-b7e6-46e996bfc4d1","load":0,"reasons":["is not there"]}],
    "nearest":[
        {"change":"setMetadata","machine":"148a18ff-6e95-4cd8-92da-c9de9bb90d5a","address":"10.0.0.1","metadata":{"disk":"ssd"}},
        {"change":"unload","name":"web@1.service"}]}]}"#;

const PLACED: &str = r#"{"units":[{"name":"db.service","desiredState":"launched","generation":3,
    "asks":[],"verdict":"placed","choice":"kept",
    "machines":[
        {"machine":"148a18ff-6e95-4cd8-92da-c9de9bb90d5a","address":"10.0.0.1","load":12,"reasons":[],
         "holding":{"since":812,"generation":2}},
        {"machine":"c9de9451-6a6f-1d80-b7e6-46e996bfc4d1","load":0,"reasons":[]}]}]}"#;

const GLOBAL: &str = r#"{"units":[{"name":"all.service","desiredState":"launched","generation":1,
    "asks":["Global=true"],"verdict":"global","leaderless":true,
    "machines":[
        {"machine":"m1","load":1,"reasons":[],"holding":{"since":8,"generation":1,"absent":true}},
        {"machine":"m2","load":0,"reasons":[]},
        {"machine":"m3","load":0,"reasons":["is cordoned"],"holding":{"since":8,"generation":1,"leaving":true}}]}]}"#;

fn run(body: &str, words: &[&str]) -> String {
    let script = Script::new().on("GET /fleet/v2/why", 200, body);
    Fleetctl::at(&script.serve(), words).run().to_string()
}

#[test]
fn a_unit_that_waits_is_told_with_every_reason_and_the_nearest_change() {
    insta::assert_snapshot!(run(PENDING, &["why", "web@2"]), @r#"
    web@2.service is to be launched, and no machine holds it.
    It asks: MachineMetadata=disk=ssd, Conflicts=web@*.service
    MACHINE               UNITS  WHY
    148a18ff.../10.0.0.1  2      metadata disk=ssd is wanted, the machine has no disk
                                 conflicts with web@1.service there
    c9de9451...           0      is not there
    Nearest change: set metadata disk=ssd on 148a18ff.../10.0.0.1, and unload web@1.service, which is in the way.
    exit 0
    "#);
}

#[test]
fn a_placed_unit_is_told_with_what_speaks_for_its_machine() {
    insta::assert_snapshot!(run(PLACED, &["why", "db"]), @r#"
    db.service is on 148a18ff.../10.0.0.1, since revision 812 of the store.
    It asks nothing of its machine.
    Others that could take it have fewer units, but a unit moves only if it has to.
    The machine has been told of generation 2, and generation 3 is coming.
    MACHINE               UNITS  WHY
    148a18ff.../10.0.0.1  12     holds it
    c9de9451...           0      could take it, too
    exit 0
    "#);
}

#[test]
fn a_global_unit_is_told_machine_by_machine() {
    insta::assert_snapshot!(run(GLOBAL, &["why", "--full", "all"]), @r#"
    all.service is global, and 1 of 3 machines hold it.
    It asks: Global=true
    MACHINE  UNITS  WHY
    m1       1      holds it, and is not there
    m2       0      could take it, but no engine leads at the moment
    m3       0      has to stop it
                    is cordoned
    exit 0
    "#);
}

#[test]
fn unknown_units_are_told_and_the_others_explained() {
    insta::assert_snapshot!(run(PLACED, &["why", "nothing", "db", "a b"]), @r#"
    db.service is on 148a18ff.../10.0.0.1, since revision 812 of the store.
    It asks nothing of its machine.
    Others that could take it have fewer units, but a unit moves only if it has to.
    The machine has been told of generation 2, and generation 3 is coming.
    MACHINE               UNITS  WHY
    148a18ff.../10.0.0.1  12     holds it
    c9de9451...           0      could take it, too
    ! "a b" names no unit: invalid character ' ' in unit name
    ! Unit nothing.service does not exist.
    exit 1
    "#);
}

#[test]
fn programs_are_told_the_same() {
    insta::assert_snapshot!(run(PLACED, &["why", "--json", "db"]), @r#"
    [
      {
        "asks": [],
        "choice": "kept",
        "dstate": "launched",
        "generation": 3,
        "leaderless": false,
        "machines": [
          {
            "holding": {
              "absent": false,
              "generation": 2,
              "leaving": false,
              "since": 812
            },
            "ip": "10.0.0.1",
            "machine": "148a18ff-6e95-4cd8-92da-c9de9bb90d5a",
            "reasons": [],
            "units": 12
          },
          {
            "holding": null,
            "ip": null,
            "machine": "c9de9451-6a6f-1d80-b7e6-46e996bfc4d1",
            "reasons": [],
            "units": 0
          }
        ],
        "nearest": null,
        "unit": "db.service",
        "verdict": "placed"
      }
    ]
    exit 0
    "#);
}

#[test]
fn a_server_that_cannot_explain_is_told_of() {
    let older = Script::new().on("GET /fleet/v1/machines", 200, "{}");
    let output = Fleetctl::at(&older.serve(), &["why", "db"]).run().to_string();
    insta::assert_snapshot!(output, @r#"
    ! This fleetd cannot explain: it is older than this fleetctl.
    exit 1
    "#);
}
