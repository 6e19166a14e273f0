//! Commands that print.

use crate::program::Fleetctl;
use crate::server::{Script, Server};

pub(crate) const MACHINES: &str = r#"{"machines":[
    {"id":"c9de9451-6a6f-1d80-b7e6-46e996bfc4d1","primaryIP":"10.10.1.3","metadata":{"disk":"ssd","az":"a"}},
    {"id":"148a18ff-6e95-4cd8-92da-c9de9bb90d5a"}]}"#;

pub(crate) const UNITS: &str = r#"{"units":[
    {"name":"web.service","desiredState":"launched","currentState":"launched",
     "machineID":"c9de9451-6a6f-1d80-b7e6-46e996bfc4d1","options":[
        {"section":"Unit","name":"Description","value":"The web"},
        {"section":"Service","name":"ExecStart","value":"/bin/sleep 100"}]},
    {"name":"each.service","desiredState":"launched","currentState":"inactive",
     "options":[{"section":"X-Fleet","name":"Global","value":"true"}]},
    {"name":"idle.service","desiredState":"inactive","currentState":"inactive",
     "options":[{"section":"Service","name":"ExecStart","value":"/bin/sleep 100"}]}]}"#;

pub(crate) const STATES: &str = r#"{"states":[
    {"name":"web.service","machineID":"c9de9451-6a6f-1d80-b7e6-46e996bfc4d1",
     "hash":"1c6fb6f3684bafb0c173d8b8b957ceff031180c1",
     "systemdLoadState":"loaded","systemdActiveState":"active","systemdSubState":"running"},
    {"name":"each.service","machineID":"dead9451-6a6f-1d80-b7e6-46e996bfc4d1",
     "systemdLoadState":"loaded","systemdActiveState":"failed"}]}"#;

fn server() -> Server {
    Script::new()
        .on("GET /fleet/v1/machines", 200, MACHINES)
        .on("GET /fleet/v1/units", 200, UNITS)
        .on("GET /fleet/v1/state", 200, STATES)
        .serve()
}

pub(crate) fn run(words: &[&str]) -> String {
    Fleetctl::at(&server(), words).run().to_string()
}

#[test]
fn machines_are_listed_by_id_with_whole_ids_on_demand() {
    insta::assert_snapshot!(run(&["list-machines"]), @r#"
    MACHINE      IP         METADATA
    148a18ff...  -          -
    c9de9451...  10.10.1.3  az=a,disk=ssd
    exit 0
    "#);
    insta::assert_snapshot!(run(&["list-machines", "-l", "--no-legend", "--fields=machine,metadata"]), @r#"
    148a18ff-6e95-4cd8-92da-c9de9bb90d5a  -
    c9de9451-6a6f-1d80-b7e6-46e996bfc4d1  az=a,disk=ssd
    exit 0
    "#);
}

#[test]
fn units_are_listed_as_machines_report_them() {
    insta::assert_snapshot!(run(&["list-units"]), @r#"
    UNIT          MACHINE                ACTIVE  SUB
    each.service  dead9451...            failed  -
    web.service   c9de9451.../10.10.1.3  active  running
    exit 0
    "#);
    let fields = "--fields=unit,load,active,sub,machine,hash";
    insta::assert_snapshot!(run(&["list-units", "--full", fields]), @r#"
    UNIT          LOAD    ACTIVE  SUB      MACHINE                               HASH
    each.service  loaded  failed  -        dead9451-6a6f-1d80-b7e6-46e996bfc4d1  -
    web.service   loaded  active  running  c9de9451-6a6f-1d80-b7e6-46e996bfc4d1  1c6fb6f3684bafb0c173d8b8b957ceff031180c1
    exit 0
    "#);
}

#[test]
fn the_first_of_several_endpoints_is_asked_and_the_others_are_told_to_be_in_vain() {
    let server = Script::new().on("GET /fleet/v1/machines", 200, r#"{"machines":[{"id":"m1"}]}"#);
    let server = server.serve();
    let list = format!("{},http://127.0.0.1:1", server.endpoint());
    let words = ["--endpoint", &list, "list-machines", "--no-legend", "--fields=machine"];
    let ended = Fleetctl::new(&words).run().to_string().replace(&server.endpoint(), "FIRST");
    insta::assert_snapshot!(ended, @r#"
    m1...
    ! WARNING: --endpoint takes one address: only the first is used, FIRST
    exit 0
    "#);
}

#[test]
fn a_list_is_all_of_its_pages() {
    let first = r#"{"machines":[{"id":"m2"}],"nextPageToken":"ZAABAA=="}"#;
    let script = Script::new().on("GET /fleet/v1/machines", 200, first).on(
        "GET /fleet/v1/machines?nextPageToken=ZAABAA%3D%3D",
        200,
        r#"{"machines":[{"id":"m1"}]}"#,
    );
    let words = ["list-machines", "--no-legend", "--fields=machine"];
    assert_eq!(Fleetctl::at(&script.serve(), &words).run().to_string(), "m1...\nm2...\nexit 0");
}

#[test]
fn unit_files_are_listed_with_what_is_asked_for_and_what_is() {
    insta::assert_snapshot!(run(&["list-unit-files"]), @r#"
    UNIT          HASH     DSTATE    STATE     TARGET
    each.service  e32a2bc  launched  -         global
    idle.service  1c6fb6f  inactive  inactive  -
    web.service   b4d419b  launched  launched  c9de9451.../10.10.1.3
    exit 0
    "#);
    let fields = "--fields=unit,global,tmachine,desc,hash";
    insta::assert_snapshot!(run(&["list-unit-files", fields]), @r#"
    UNIT          GLOBAL  TMACHINE               DESC     HASH
    each.service  true    -                      -        e32a2bc
    idle.service  false   -                      -        1c6fb6f
    web.service   false   c9de9451.../10.10.1.3  The web  b4d419b
    ! WARNING: The "tmachine" field is deprecated. Use "target" instead.
    exit 0
    "#);
}

#[test]
fn programs_get_whole_values_under_names_that_stay() {
    insta::assert_snapshot!(run(&["list-units", "--json"]), @r#"
    [
      {
        "active": "failed",
        "hash": null,
        "ip": null,
        "load": "loaded",
        "machine": "dead9451-6a6f-1d80-b7e6-46e996bfc4d1",
        "sub": null,
        "unit": "each.service"
      },
      {
        "active": "active",
        "hash": "1c6fb6f3684bafb0c173d8b8b957ceff031180c1",
        "ip": "10.10.1.3",
        "load": "loaded",
        "machine": "c9de9451-6a6f-1d80-b7e6-46e996bfc4d1",
        "sub": "running",
        "unit": "web.service"
      }
    ]
    exit 0
    "#);
    insta::assert_snapshot!(run(&["list-machines", "--json", "--fields=machine,metadata"]), @r#"
    [
      {
        "machine": "148a18ff-6e95-4cd8-92da-c9de9bb90d5a",
        "metadata": {}
      },
      {
        "machine": "c9de9451-6a6f-1d80-b7e6-46e996bfc4d1",
        "metadata": {
          "az": "a",
          "disk": "ssd"
        }
      }
    ]
    exit 0
    "#);
    insta::assert_snapshot!(run(&["list-unit-files", "--json", "--fields=unit,state,target"]), @r#"
    [
      {
        "state": null,
        "target": null,
        "unit": "each.service"
      },
      {
        "state": "inactive",
        "target": null,
        "unit": "idle.service"
      },
      {
        "state": "launched",
        "target": "c9de9451-6a6f-1d80-b7e6-46e996bfc4d1",
        "unit": "web.service"
      }
    ]
    exit 0
    "#);
}

#[test]
fn nothing_to_list_is_a_legend_or_an_empty_array() {
    let nothing = ["/fleet/v1/machines", "/fleet/v1/units", "/fleet/v1/state"];
    let script = nothing
        .iter()
        .fold(Script::new(), |script, path| script.on(&format!("GET {path}"), 200, "{}"));
    let server = script.serve();
    let run = |words: &[&str]| Fleetctl::at(&server, words).run().to_string();
    assert_eq!(run(&["list-units"]), "UNIT  MACHINE  ACTIVE  SUB\nexit 0");
    assert_eq!(run(&["list-units", "--json"]), "[]\nexit 0");
    assert_eq!(run(&["list-units", "--no-legend"]), "exit 0");
}

#[test]
fn documents_that_cannot_be_read_are_told_beside_the_list() {
    let unreadable = r#"{"unreadable":[{"key":"/f/units/x","reason":"it is no JSON"}]}"#;
    let script = Script::new()
        .on("GET /fleet/v2/states", 200, &format!(r#"{{"health":{unreadable}}}"#))
        .on("GET /fleet/v1/machines", 200, "{}")
        .on("GET /fleet/v1/units", 200, "{}")
        .on("GET /fleet/v2/health", 200, unreadable);
    let server = script.serve();
    for list in ["list-units", "list-unit-files", "list-machines"] {
        assert_eq!(
            Fleetctl::at(&server, &[list, "--no-legend"]).run().to_string(),
            "! WARNING: cannot read /f/units/x: it is no JSON\nexit 0",
            "{list}"
        );
    }
}

#[test]
fn lists_tell_of_a_storm_and_how_it_ends() {
    let hold = r#"{"hold":{"machines":["0123456789abcdef"],"key":"/f/engine/hold"}}"#;
    let script = Script::new()
        .on("GET /fleet/v2/states", 200, &format!(r#"{{"health":{hold}}}"#))
        .on("GET /fleet/v1/machines", 200, "{}")
        .on("GET /fleet/v2/health", 200, hold);
    let server = script.serve();
    for list in ["list-units", "list-machines"] {
        assert_eq!(
            Fleetctl::at(&server, &[list, "--no-legend"]).run().to_string(),
            "! WARNING: most machines vanished at once (01234567...): units stay where they are \
             until they return, or until you run: etcdctl del /f/engine/hold\nexit 0",
            "{list}"
        );
    }
}

#[test]
fn all_states_come_with_one_request() {
    let states = STATES.strip_prefix('{').unwrap();
    let machines = MACHINES.strip_suffix('}').unwrap();
    let server =
        Script::new().on("GET /fleet/v2/states", 200, &format!("{machines},{states}")).serve();

    let listed = Fleetctl::at(&server, &["list-units"]).run().to_string();

    assert_eq!(listed, run(&["list-units"]));
    assert_eq!(server.requests(), (1, vec!["GET /fleet/v2/states".to_owned()]));
}

/// What 1.0 serves a list of two pages with.
fn pages() -> Script {
    let page = |unit: &str, rest: &str| {
        format!(r#"{{"states":[{{"name":"{unit}","machineID":"m"}}]{rest}}}"#)
    };
    Script::new()
        .on("GET /fleet/v1/state", 200, &page("b.service", r#","nextPageToken":"AQABAA==""#))
        .on("GET /fleet/v1/state?nextPageToken=AQABAA%3D%3D", 200, &page("a.service", ""))
        .on("GET /fleet/v1/machines", 200, r#"{"machines":[{"id":"m"}]}"#)
}

const PAGES: [&str; 4] = [
    "GET /fleet/v2/states",
    "GET /fleet/v1/state",
    "GET /fleet/v1/state?nextPageToken=AQABAA%3D%3D",
    "GET /fleet/v1/machines",
];

#[test]
fn all_pages_of_1_0_come_over_one_connection() {
    let server = pages().serve();

    let words = ["list-units", "--no-legend", "--fields=unit"];
    let listed = Fleetctl::at(&server, &words).run().to_string();

    assert_eq!(listed, "a.service\nb.service\nexit 0");
    assert_eq!(server.requests(), (1, PAGES.map(str::to_owned).to_vec()));
}

#[test]
fn a_server_that_hangs_up_after_each_answer_is_connected_to_again() {
    let server = pages().hanging_up().serve();

    let words = ["list-units", "--no-legend", "--fields=unit"];
    let listed = Fleetctl::at(&server, &words).run().to_string();

    assert_eq!(listed, "a.service\nb.service\nexit 0");
    assert_eq!(server.requests(), (4, PAGES.map(str::to_owned).to_vec()));
}

#[test]
fn cat_gives_the_bytes_that_were_submitted() {
    let kept = r#"{"name":"a.service","text":"\n# c\n[Service]\r\nExecStart=/a","options":[]}"#;
    let older =
        r#"{"name":"b.service","options":[{"section":"Service","name":"ExecStart","value":"/b"}]}"#;
    let server = Script::new()
        .on("GET /fleet/v1/units/a.service", 200, kept)
        .on("GET /fleet/v1/units/b.service", 200, older)
        .serve();
    assert_eq!(
        Fleetctl::at(&server, &["cat", "a"]).run().out(),
        "\n# c\n[Service]\r\nExecStart=/a"
    );
    assert_eq!(
        Fleetctl::at(&server, &["cat", "dir/b.service"]).run().out(),
        "[Service]\nExecStart=/b\n"
    );
    assert_eq!(
        Fleetctl::at(&server, &["cat", "c"]).run().to_string(),
        "! Unit c.service not found\nexit 1"
    );
}
