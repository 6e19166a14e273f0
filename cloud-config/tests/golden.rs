//! What the documents that people know make of a host: files with their modes, and what is asked of units.
//! With `UPDATE=1` in the environment the text is written anew, for a person to read.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fmt::Write as _;
use std::path::Path;

use cloud_config::document::read;
use cloud_config::facts::{Fact, Facts};
use cloud_config::host::{Host, UnitFileOnHost};
use cloud_config::plan::{Action, DEFAULT_USER, Input, Plan, Scope, plan};

/// A host with the etcd of today.
fn host() -> Host {
    let mut host = Host::default();
    let etcd =
        UnitFileOnHost { path: "/lib/systemd/system/etcd.service".into(), has_install: true };
    host.units.insert("etcd.service".to_owned(), etcd);
    host
}

fn planned(text: &str) -> Plan {
    let origin = "a test".to_owned();
    let facts = Facts {
        private_ipv4: Some(Fact { value: [10, 0, 0, 5].into(), origin: origin.clone() }),
        public_ipv4: Some(Fact { value: [198, 51, 100, 5].into(), origin }),
        ..Facts::default()
    };
    let read = read(text.as_bytes(), &facts);
    assert_eq!(read.problems, []);
    let input = Input {
        config: &read.config,
        scripts: &read.scripts,
        metadata: None,
        default_user: DEFAULT_USER,
        scope: Scope::Whole,
    };
    plan(&input, &host())
}

fn present(plan: &Plan) -> String {
    let mut text = String::new();
    for action in &plan.actions {
        if let Action::File(file) = action {
            let path = file.path.display();
            writeln!(text, "== {path} {:04o}, {} bytes", file.mode, file.content.len()).unwrap();
            writeln!(text, "{}", String::from_utf8_lossy(&file.content).trim_end_matches('\n'))
                .unwrap();
        } else {
            writeln!(text, "== {action}").unwrap();
        }
    }
    text
}

fn check(name: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(folder.join(format!("examples/{name}.yml"))).unwrap();
    let plan = planned(&text);
    assert_eq!(plan.problems, []);
    let present = present(&plan);
    let golden = folder.join(format!("tests/golden/{name}.txt"));
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&golden, &present).unwrap();
    }

    assert_eq!(present, std::fs::read_to_string(golden).unwrap(), "{name}");
    assert_eq!(planned(&text.replace('\n', "\r\n")), plan, "{name} with lines as on Windows");
}

#[test]
fn the_announcer_becomes_a_member_that_announces_itself() {
    check("etcd-fleet-announcer");
}

#[test]
fn elasticsearch_becomes_a_unit_after_docker() {
    check("docker-elasticsearch");
}

#[test]
fn a_node_of_vagrant_becomes_a_member_by_todays_etcd() {
    check("three-node-vagrant");
}
