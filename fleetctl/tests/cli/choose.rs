//! Which rows lists have, in which order, and in which colours.

use crate::list::{MACHINES, STATES, UNITS, run};
use crate::program::Fleetctl;
use crate::server::Script;

const MANY: &str = r#"{"states":[
    {"name":"web@10.service","machineID":"m1","systemdActiveState":"active","systemdSubState":"running"},
    {"name":"web@2.service","machineID":"m2","systemdActiveState":"activating","systemdSubState":"start-pre"},
    {"name":"web@2.service","machineID":"m1","systemdActiveState":"failed","systemdSubState":"failed"},
    {"name":"db.service","machineID":"m3","systemdActiveState":"inactive"}],
    "machines":[{"id":"m1","primaryIP":"10.0.0.10"},{"id":"m2","primaryIP":"10.0.0.9"}]}"#;

fn many(words: &[&str]) -> String {
    let server = Script::new().on("GET /fleet/v2/states", 200, MANY).serve();
    Fleetctl::at(&server, &[&["list-units"], words].concat()).run().to_string()
}

#[test]
fn rows_come_in_the_order_that_is_asked_for() {
    insta::assert_snapshot!(many(&["--sort=unit", "--fields=unit,machine"]), @r#"
    UNIT            MACHINE
    db.service      m3...
    web@2.service   m1.../10.0.0.10
    web@2.service   m2.../10.0.0.9
    web@10.service  m1.../10.0.0.10
    exit 0
    "#);
    insta::assert_snapshot!(many(&["--sort", "-active,-ip", "--fields=unit,active,ip"]), @r#"
    UNIT            ACTIVE      IP
    db.service      inactive    -
    web@2.service   failed      10.0.0.10
    web@10.service  active      10.0.0.10
    web@2.service   activating  10.0.0.9
    exit 0
    "#);
    insta::assert_snapshot!(many(&["--sort=sub", "--fields=unit,sub", "--no-legend"]), @r#"
    web@2.service   failed
    web@10.service  running
    web@2.service   start-pre
    db.service      -
    exit 0
    "#);
}

#[test]
fn rows_are_those_that_are_asked_for() {
    let words = [
        &["--filter=state=failed"][..],
        &["--filter", "machine=10.0.0.9"],
        &["--filter", "name=web@*,state!=failed"],
        &["--filter", "name=web@*", "--filter", "machine=m1", "--sort=unit"],
        &["--filter", "name=nothing"],
    ];
    insta::assert_snapshot!(words.map(many).join("\n---\n"), @r#"
    UNIT           MACHINE          ACTIVE  SUB
    web@2.service  m1.../10.0.0.10  failed  failed
    exit 0
    ---
    UNIT           MACHINE         ACTIVE      SUB
    web@2.service  m2.../10.0.0.9  activating  start-pre
    exit 0
    ---
    UNIT            MACHINE          ACTIVE      SUB
    web@10.service  m1.../10.0.0.10  active      running
    web@2.service   m2.../10.0.0.9   activating  start-pre
    exit 0
    ---
    UNIT            MACHINE          ACTIVE  SUB
    web@2.service   m1.../10.0.0.10  failed  failed
    web@10.service  m1.../10.0.0.10  active  running
    exit 0
    ---
    UNIT  MACHINE  ACTIVE  SUB
    exit 0
    "#);
    assert_eq!(many(&["--filter=state=dead", "--json"]), "[]\nexit 0");
}

#[test]
fn machines_are_chosen_by_metadata_and_units_by_their_target_states() {
    let lines = [
        &["list-machines", "--filter=metadata=disk=ssd"][..],
        &["list-machines", "--filter=machine=148a"],
        &["list-unit-files", "--filter=state=inactive"],
        &["list-unit-files", "--filter=machine=10.10.1.3", "--no-legend"],
        &["list-unit-files", "--sort=-desc,-dstate", "--fields=unit,desc,dstate"],
    ];
    insta::assert_snapshot!(lines.map(run).join("\n---\n"), @r#"
    MACHINE      IP         METADATA
    c9de9451...  10.10.1.3  az=a,disk=ssd
    exit 0
    ---
    MACHINE      IP  METADATA
    148a18ff...  -   -
    exit 0
    ---
    UNIT          HASH     DSTATE    STATE     TARGET
    idle.service  1c6fb6f  inactive  inactive  -
    exit 0
    ---
    web.service  b4d419b  launched  launched  c9de9451.../10.10.1.3
    exit 0
    ---
    UNIT          DESC     DSTATE
    web.service   The web  launched
    each.service  -        launched
    idle.service  -        inactive
    exit 0
    "#);
}

#[test]
fn a_choice_that_makes_no_sense_is_usage_with_the_nearest_word() {
    let lines = [
        &["list-units", "--filter", "stat=failed"][..],
        &["list-units", "--filter", "state=faild"],
        &["list-units", "--filter", "state=purple"],
        &["list-units", "--filter", "metadata=a=b"],
        &["list-units", "--filter", "name=["],
        &["list-unit-files", "--filter", "state=running"],
        &["list-machines", "--filter", "disk=ssd"],
        &["list-machines", "--filter", "ssd"],
        &["list-units", "--sort", "-activ"],
        &["list-units", "--sort="],
        &["list-units", "--color=alwys"],
    ];
    let refused = lines.map(|words| Fleetctl::new(words).run().to_string());
    insta::assert_snapshot!(refused.join("\n---\n"), @r#"
    ! Invalid key in filter: "stat"; did you mean "state"?
    exit 2
    ---
    ! Invalid state in filter: "faild"; did you mean "failed"?
    exit 2
    ---
    ! Invalid state in filter: "purple"; there are active,failed,inactive,activating,deactivating,reloading,running,exited,dead,loaded,not-found,auto-restart,...
    exit 2
    ---
    ! Invalid key in filter: "metadata"; there are name,state,machine
    exit 2
    ---
    ! Invalid name in filter: malformed pattern "[.service": close each "[" with "]" and write "\\" for a backslash
    exit 2
    ---
    ! Invalid state in filter: "running"; there are inactive,loaded,launched
    exit 2
    ---
    ! Invalid key in filter: "disk"; there are machine,metadata
    exit 2
    ---
    ! Invalid condition in filter: "ssd"; write KEY=VALUE or KEY!=VALUE
    exit 2
    ---
    ! Invalid key in sort order: "activ"; did you mean "active"?
    exit 2
    ---
    ! Invalid key in sort order: ""; there are unit,load,active,sub,machine,ip,hash
    exit 2
    ---
    ! error: invalid value 'alwys' for '--color <WHEN>'
    !   [possible values: auto, always, never]
    ! 
    !   tip: a similar value exists: 'always'
    ! 
    ! For more information, try '--help'.
    exit 2
    "#);
}

#[test]
fn colours_are_for_terminals_or_for_those_who_insist() {
    let server = Script::new().on("GET /fleet/v2/states", 200, MANY).serve();
    let insisted = Fleetctl::at(&server, &["list-units", "--color=always"]).run().out();
    insta::assert_snapshot!(insisted.replace('\u{1b}', "^"), @r#"
    ^[1mUNIT^[0m            ^[1mMACHINE^[0m          ^[1mACTIVE^[0m      ^[1mSUB^[0m
    db.service      m3...            ^[2minactive^[0m    ^[2m-^[0m
    web@10.service  m1.../10.0.0.10  active      running
    web@2.service   m1.../10.0.0.10  ^[31mfailed^[0m      ^[31mfailed^[0m
    web@2.service   m2.../10.0.0.9   ^[33mactivating^[0m  ^[33mstart-pre^[0m
    "#);
    let on_terminal =
        |words: &str| Fleetctl::on_terminal(&server, words, 80, 24).run().out().replace('\r', "");
    assert_eq!(on_terminal("list-units"), insisted);

    let plain = Fleetctl::at(&server, &["list-units"]).run().out();
    assert!(!plain.contains('\u{1b}'), "{plain}");
    assert_eq!(on_terminal("list-units --color=never"), plain);
    for (name, value) in [("NO_COLOR", "1"), ("CLICOLOR", "0"), ("TERM", "dumb")] {
        let ended = Fleetctl::on_terminal(&server, "list-units", 80, 24).env(name, value).run();
        assert_eq!(ended.out().replace('\r', ""), plain, "{name}");
    }
}

/// A server that knows why units are where they are.
fn explaining() -> Script {
    let each = r#"{"name":"each.service","global":true,"desiredState":"launched","machines":[
        {"machine":"c9de9451-6a6f-1d80-b7e6-46e996bfc4d1","address":"10.10.1.3","current":"launched",
         "load":"loaded","active":"active","sub":"running","job":"done","hash":"e32a2bc"},
        {"machine":"dead9451-6a6f-1d80-b7e6-46e996bfc4d1","current":"loaded","load":"loaded",
         "active":"failed","sub":"failed","job":"failed","problem":"systemd's job failed","leaving":true}],
        "obstacles":[{"machine":"148a18ff-6e95-4cd8-92da-c9de9bb90d5a","address":"10.10.1.1",
                      "reason":"lacks disk=ssd"}]}"#;
    let idle = r#"{"name":"idle.service","desiredState":"inactive","currentState":"inactive"}"#;
    Script::new()
        .on("GET /fleet/v1/machines", 200, MACHINES)
        .on("GET /fleet/v1/units", 200, UNITS)
        .on("GET /fleet/v1/state", 200, STATES)
        .on("GET /fleet/v2/units", 200, &format!(r#"{{"units":[{each},{idle}]}}"#))
}

#[test]
fn unit_files_tell_copies_and_what_keeps_a_global_unit_from_machines() {
    let server = explaining().serve();
    let run = |words: &[&str]| {
        let words = [&["list-unit-files"], words].concat();
        Fleetctl::at(&server, &words).run().to_string()
    };
    insta::assert_snapshot!(run(&["--fields=unit,copies,obstacles"]), @r#"
    UNIT          COPIES  OBSTACLES
    each.service  1/2     148a18ff.../10.10.1.1: lacks disk=ssd
    idle.service  -       -
    web.service   -       -
    exit 0
    "#);
    insta::assert_snapshot!(run(&["--json", "--filter=name=each"]), @r#"
    [
      {
        "copies": [
          {
            "absent": false,
            "active": "active",
            "hash": "e32a2bc",
            "ip": "10.10.1.3",
            "job": "done",
            "leaving": false,
            "load": "loaded",
            "machine": "c9de9451-6a6f-1d80-b7e6-46e996bfc4d1",
            "problem": null,
            "sub": "running"
          },
          {
            "absent": false,
            "active": "failed",
            "hash": null,
            "ip": null,
            "job": "failed",
            "leaving": true,
            "load": "loaded",
            "machine": "dead9451-6a6f-1d80-b7e6-46e996bfc4d1",
            "problem": "systemd's job failed",
            "sub": "failed"
          }
        ],
        "desc": null,
        "dstate": "launched",
        "global": true,
        "hash": "e32a2bc91e4d08e955db775b4cc032f45ba7685b",
        "obstacles": [
          {
            "ip": "10.10.1.1",
            "machine": "148a18ff-6e95-4cd8-92da-c9de9bb90d5a",
            "reason": "lacks disk=ssd"
          }
        ],
        "state": null,
        "target": null,
        "unit": "each.service"
      }
    ]
    exit 0
    "#);
    insta::assert_snapshot!(run(&["--filter=machine=dead", "--no-legend"]), @r#"
    each.service  e32a2bc  launched  -  global
    exit 0
    "#);
}
