//! Several units in one command, of which one is bad.

use std::fs;
use std::os::unix::fs::symlink;

use crate::program::Fleetctl;
use crate::server::Script;

/// A unit in a stream: what is asked for, and what has come of it.
fn unit(name: &str, generation: u64, target: &str, active: &str) -> String {
    format!(
        r#"{{"name":"{name}.service","uid":4,"generation":{generation},"desiredState":"{target}","currentState":"{target}","machines":[{{"machine":"8145ebb7d1f0","current":"{target}","observed":{generation},"uid":4,"load":"loaded","active":"{active}","sub":"x","job":"done"}}]}}"#
    )
}

#[test]
fn a_unit_that_fleet_refuses_is_named_and_the_other_is_done() {
    let outcomes = r#"{"units":[{"name":"bad.service","status":503,"message":"etcd is away"},{"name":"good.service","status":204,"uid":4,"generation":2}]}"#;
    let cases = [
        ("submit", "inactive", "inactive"),
        ("load", "loaded", "inactive"),
        ("start", "launched", "active"),
        ("restart", "launched", "active"),
        ("stop", "loaded", "inactive"),
        ("unload", "inactive", ""),
        ("destroy", "gone", ""),
    ];
    let ended = cases.map(|(verb, target, active)| {
        let before = match verb {
            "submit" | "load" | "start" => {
                r#"{"revision":1,"gone":["bad.service","good.service"]}"#.to_owned()
            }
            _ => {
                let units = ["bad", "good"].map(|name| unit(name, 1, "launched", "active"));
                format!(r#"{{"revision":1,"units":[{}]}}"#, units.join(","))
            }
        };
        let after = match target {
            "gone" => r#"{"revision":4,"gone":["good.service"]}"#.to_owned(),
            "inactive" => r#"{"revision":4,"units":[{"name":"good.service","uid":4,"generation":2,"desiredState":"inactive","currentState":"inactive"}]}"#.to_owned(),
            _ => format!(r#"{{"revision":4,"units":[{}]}}"#, unit("good", 2, target, active)),
        };
        let script = Script::new().events(&[&before], &[&after]);
        let server = script.on("POST /fleet/v2/units", 200, outcomes).serve();
        let directory = tempfile::tempdir().unwrap();
        for name in ["bad", "good"] {
            let path = directory.path().join(format!("{name}.service"));
            fs::write(path, "[Service]\nExecStart=/bin/true\n").unwrap();
        }
        let words = [verb, "bad", "good"];
        Fleetctl::at(&server, &words).in_directory(directory.path()).run().to_string()
    });
    insta::assert_snapshot!(ended.join("\n---\n"), @r#"
    Unit good.service inactive
    ! Error creating units: failed creating unit bad.service: etcd is away
    exit 1
    ---
    Unit good.service loaded on 8145ebb7...
    ! Error creating units: failed creating unit bad.service: etcd is away
    exit 1
    ---
    Unit good.service launched on 8145ebb7...
    ! Error creating units: failed creating unit bad.service: etcd is away
    exit 1
    ---
    Unit good.service launched on 8145ebb7...
    ! Error restarting units: unit bad.service: etcd is away
    exit 1
    ---
    Unit good.service loaded on 8145ebb7...
    ! Error stopping units: unit bad.service: etcd is away
    exit 1
    ---
    Unit good.service inactive
    ! Error unloading units: unit bad.service: etcd is away
    exit 1
    ---
    Destroyed good.service
    ! Error destroying units: unit bad.service: etcd is away
    exit 1
    "#);
}

#[test]
fn a_file_that_cannot_be_read_is_named_and_the_other_unit_is_made() {
    let before = r#"{"revision":1,"gone":["good.service","loop.service"]}"#;
    let outcome = r#"{"units":[{"name":"good.service","status":201,"uid":4,"generation":1}]}"#;
    let script = Script::new().events(&[before], &[]).on("POST /fleet/v2/units", 200, outcome);
    let directory = tempfile::tempdir().unwrap();
    symlink("loop.service", directory.path().join("loop.service")).unwrap();
    fs::write(directory.path().join("good.service"), "[Service]\nExecStart=/bin/true\n").unwrap();
    let words = ["submit", "loop", "good"];
    let ended = Fleetctl::at(&script.serve(), &words).in_directory(directory.path()).run();
    insta::assert_snapshot!(ended.to_string(), @r#"
    Unit good.service inactive
    ! Error creating units: failed getting Unit(loop.service) from file: cannot read it: Too many levels of symbolic links (os error 40)
    exit 1
    "#);
}
