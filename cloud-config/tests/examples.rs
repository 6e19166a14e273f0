//! The documents that people know are read as they are.

use cloud_config::document::{Read, UnitCommand, read};
use cloud_config::facts::Facts;

fn example(text: &str) -> Read {
    read(text.as_bytes(), &Facts::sample())
}

fn commands(read: &Read) -> Vec<(&str, Option<UnitCommand>, bool)> {
    let units = read.config.coreos.units.iter();
    units.map(|unit| (unit.name.as_str(), unit.command, unit.content.is_some())).collect()
}

#[test]
fn the_announcer_is_read_without_a_problem() {
    let read = example(include_str!("../examples/etcd-fleet-announcer.yml"));

    assert_eq!(read.problems, []);
    assert_eq!(
        read.config.coreos.etcd.options,
        [
            ("addr", "192.0.2.1:4001".to_owned()),
            ("discovery", "https://discovery.etcd.io/aac54adeea788d0aa2a9c529f0856c43".to_owned()),
            ("peer_addr", "192.0.2.1:7001".to_owned()),
        ]
    );
    let start = Some(UnitCommand::Start);
    assert_eq!(
        commands(&read),
        [
            ("etcd.service", start, false),
            ("fleet.service", start, false),
            ("host.service", start, true)
        ]
    );
    let host = read.config.coreos.units[2].content.as_deref().unwrap_or_default();
    assert!(host.contains("Environment=COREOS_PRIVATE_IPV4=192.0.2.1\n"), "{host}");
    assert!(host.contains("echo setting host %b to $COREOS_PRIVATE_IPV4;"), "{host}");
}

#[test]
fn elasticsearch_is_read_without_a_problem() {
    let read = example(include_str!("../examples/docker-elasticsearch.yml"));

    assert_eq!(read.problems, []);
    let start = Some(UnitCommand::Start);
    assert_eq!(commands(&read), [("docker.service", start, false), ("es.service", start, true)]);
}

#[test]
fn three_nodes_of_vagrant_are_read_without_a_problem() {
    let read = example(include_str!("../examples/three-node-vagrant.yml"));

    assert_eq!(read.problems, []);
    let public = "http://198.51.100.1:2379".to_owned();
    assert_eq!(read.config.coreos.etcd2.options[0], ("advertise_client_urls", public));
    assert_eq!(read.config.coreos.flannel.options, [("interface", "198.51.100.1".to_owned())]);
    assert_eq!(read.config.coreos.units[2].drop_ins[0].name, "50-network-config.conf");
    assert_eq!(read.config.coreos.units[3].enable, Some(true));
}

#[test]
fn lines_may_end_as_on_windows() {
    for text in [
        include_str!("../examples/etcd-fleet-announcer.yml"),
        include_str!("../examples/docker-elasticsearch.yml"),
        include_str!("../examples/three-node-vagrant.yml"),
    ] {
        assert_eq!(example(&text.replace('\n', "\r\n")), example(text));
    }
}

#[test]
fn a_host_without_addresses_is_told_each_token() {
    let text = include_str!("../examples/etcd-fleet-announcer.yml");
    let tried = vec!["/etc/environment".to_owned(), "the interfaces".to_owned()];
    let read = read(text.as_bytes(), &Facts { tried, ..Facts::default() });

    let told: Vec<String> = read.problems.iter().map(ToString::to_string).collect();

    let unknown = "the address for `$private_ipv4` is not known (looked in /etc/environment, the \
                   interfaces): set COREOS_PRIVATE_IPV4 in /etc/environment, or write \
                   `\\$private_ipv4` for these very characters";
    assert_eq!(
        told,
        [
            format!("6:11: error: coreos.etcd.addr: {unknown}"),
            format!("7:16: error: coreos.etcd.peer_addr: {unknown}"),
            format!("23:41: error: coreos.units[2].content: {unknown}"),
        ]
    );
}
