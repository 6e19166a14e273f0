//! Scalars mean what they meant for CoreOS, by the type that is wanted.

use cloud_config::document::{CloudConfig, Command, User, read};
use cloud_config::facts::Facts;

/// Reads a document that must be without fault.
fn config(text: &str) -> CloudConfig {
    let read = read(format!("#cloud-config\n{text}").as_bytes(), &Facts::sample());
    let told: Vec<String> = read.problems.iter().map(ToString::to_string).collect();
    assert_eq!(told, [""; 0], "{text}");
    read.config
}

/// What is told about a document.
fn told(text: &str) -> Vec<String> {
    let read = read(format!("#cloud-config\n{text}").as_bytes(), &Facts::sample());
    read.problems.iter().map(ToString::to_string).collect()
}

fn option(section: &str, text: &str) -> Vec<(&'static str, String)> {
    let coreos = config(&format!("coreos: {{{section}: {{{text}}}}}\n")).coreos;
    [
        coreos.etcd,
        coreos.etcd2,
        coreos.fleet,
        coreos.flannel,
        coreos.locksmith,
        coreos.update,
        coreos.oem,
    ]
    .into_iter()
    .flat_map(|section| section.options)
    .collect()
}

#[test]
fn text_is_what_is_written() {
    for (written, expected) in [
        ("0x10", "0x10"),
        ("0644", "0644"),
        ("no", "no"),
        ("on", "on"),
        ("1.10", "1.10"),
        ("4", "4"),
        ("true", "true"),
        ("'it''s'", "it's"),
        ("!!str 12", "12"),
        ("!!binary b25l", "one"),
        ("\"a\\tb\"", "a\tb"),
    ] {
        let runcmd = config(&format!("runcmd:\n  - {written}\n")).runcmd;
        assert_eq!(runcmd, [Command::Shell(expected.to_owned())], "{written}");
    }
}

#[test]
fn options_come_as_programs_take_them() {
    for (section, written, name, value) in [
        ("update", "reboot-strategy: off", "reboot_strategy", "off"),
        ("etcd2", "proxy: on", "proxy", "on"),
        ("etcd2", "snapshot_count: 010", "snapshot_count", "8"),
        ("etcd2", "snapshot_count: 1_000", "snapshot_count", "1000"),
        ("etcd2", "snapshot_count: 1e4", "snapshot_count", "10000"),
        ("etcd2", "strict-reconfig-check: no", "strict_reconfig_check", "false"),
        ("fleet", "verbosity: 2.0", "verbosity", "2"),
        ("fleet", "verify-units: Yes", "verify_units", "true"),
        ("fleet", "etcd-request-timeout: .5", "etcd_request_timeout", "0.5"),
        ("fleet", "etcd-request-timeout: 3", "etcd_request_timeout", "3"),
        ("fleet", "metadata: 'region=us-west,disk=ssd'", "metadata", "region=us-west,disk=ssd"),
        ("fleet", "public-ip: ''", "public_ip", ""),
        ("fleet", "store: embedded", "store", "embedded"),
        ("oem", "version-id: 607.0", "version_id", "607.0"),
        ("locksmith", "window-start: Thu 04:00", "window_start", "Thu 04:00"),
        ("locksmith", "window-length: 1h", "window_length", "1h"),
        ("etcd", "peer-addr: $private_ipv4:7001", "peer_addr", "192.0.2.1:7001"),
        ("flannel", "ip_masq: true", "ip_masq", "true"),
    ] {
        assert_eq!(option(section, written), [(name, value.to_owned())], "{written}");
    }
}

#[test]
fn options_come_in_the_order_of_the_program() {
    let names: Vec<&str> =
        option("etcd", "peer-addr: a, name: b, addr: c").iter().map(|(name, _)| *name).collect();

    assert_eq!(names, ["addr", "name", "peer_addr"]);
}

#[test]
fn modes_are_octal_digits() {
    for (written, mode) in [
        ("0744", 0o744),
        ("744", 0o744),
        ("'0744'", 0o744),
        ("'744'", 0o744),
        ("1744", 0o1744),
        ("01744", 0o1744),
        ("04755", 0o4755),
        ("0000", 0),
    ] {
        let files =
            config(&format!("write_files: [{{path: /a, permissions: {written}}}]\n")).write_files;
        assert_eq!(files[0].permissions, mode, "{written}");
    }
}

#[test]
fn content_is_decoded_in_all_spellings() {
    const GZIP: &str = "H4sIAAAAAAACA8vIBACsKpPYAgAAAA==";
    for (encoding, content) in [
        ("base64", "aGk=".to_owned()),
        ("b64", "'aG\n\n      k='".to_owned()),
        ("b64", "|\n      aG\n      k=\n".to_owned()),
        ("base64", "!!binary YUdrPQ==".to_owned()),
        ("gz", format!("!!binary {GZIP}")),
        ("gzip", format!("!!binary {GZIP}")),
        ("gz+base64", GZIP.to_owned()),
        ("gzip+base64", GZIP.to_owned()),
        ("gz+b64", GZIP.to_owned()),
        ("gzip+b64", GZIP.to_owned()),
        ("text/plain", "hi".to_owned()),
        ("''", "hi".to_owned()),
    ] {
        let text = format!(
            "write_files:\n  - path: /a\n    encoding: {encoding}\n    content: {content}\n"
        );
        assert_eq!(config(&text).write_files[0].content, b"hi", "{text}");
    }
}

#[test]
fn a_file_of_path_alone_is_empty_and_readable() {
    let files = config("write_files: [{path: //etc/./a/}]\n").write_files;

    assert_eq!(files[0].path.to_str(), Some("/etc/a"));
    assert_eq!((files[0].content.as_slice(), files[0].permissions), (b"".as_slice(), 0o644));
    assert_eq!((files[0].owner.as_deref(), files[0].append), (None, false));
}

#[test]
fn truth_has_many_words() {
    let user = |text: &str| -> User {
        config(&format!("users: [{{name: jane, {text}}}]\n")).users[0].clone()
    };

    assert!(user("no_create_home: yes").no_create_home);
    assert!(user("system: y").system);
    assert!(user("no_log_init: True").no_log_init);
    assert!(user("no-user-group: true").no_user_group);
    assert!(!user("system: Off").system);
    assert_eq!(user("lock-passwd: no").lock_passwd, Some(false));
}

#[test]
fn what_is_no_hash_of_a_password_is_none() {
    for (text, expected) in [
        ("\"\"", None),
        ("hunter2", None),
        ("$6$salt$hash", Some("$6$salt$hash")),
        ("\"*\"", Some("*")),
        ("\"!\"", Some("!")),
    ] {
        let text = format!("#cloud-config\nusers: [{{name: jane, passwd: {text}}}]\n");
        let read = read(text.as_bytes(), &Facts::sample());

        assert_eq!(read.config.users[0].passwd.as_deref(), expected, "{text}");
        assert_eq!(
            (read.problems.len(), read.has_errors()),
            (usize::from(expected.is_none()), false)
        );
    }
}

#[test]
fn groups_are_written_in_four_ways() {
    for text in [
        "groups: sudo, docker",
        "groups: [sudo, docker]",
        "groups: {sudo: , docker: }",
        "groups:\n  - sudo\n  - docker: []",
    ] {
        let groups = config(&format!("{text}\n")).groups;
        let names: Vec<&str> = groups.iter().map(|group| group.name.as_str()).collect();
        assert_eq!(names, ["sudo", "docker"], "{text}");
    }
    let groups = config("groups:\n  - web-team: [jane, joe]\n  - db: jim\n").groups;
    assert_eq!(
        (groups[0].name.as_str(), &groups[0].members),
        ("web-team", &vec!["jane".to_owned(), "joe".to_owned()])
    );
    assert_eq!((groups[1].name.as_str(), &groups[1].members), ("db", &vec!["jim".to_owned()]));
}

#[test]
fn sudo_is_a_rule_or_several_or_none() {
    let sudo = |text: &str| {
        config(&format!("users: [{{name: jane, sudo: {text}}}]\n")).users[0].sudo.clone()
    };

    let rules = |rules: &[&str]| Some(rules.iter().map(|rule| (*rule).to_owned()).collect());
    assert_eq!(sudo("'ALL=(ALL) ALL'"), rules(&["ALL=(ALL) ALL"]));
    assert_eq!(sudo("['ALL=(ALL) ALL', 'ALL=/bin/ls']"), rules(&["ALL=(ALL) ALL", "ALL=/bin/ls"]));
    assert_eq!(sudo("false"), rules(&[]));
    assert_eq!(config("users: [{name: jane}]\n").users[0].sudo, None);
}

#[test]
fn an_fqdn_begins_with_the_hostname() {
    let config = config("fqdn: one.example.org\n");

    assert_eq!(
        (config.hostname.as_deref(), config.fqdn.as_deref()),
        (Some("one"), Some("one.example.org"))
    );
}

#[test]
fn a_hostname_may_look_like_anything() {
    for name in ["true", "4", "0x10", "one.example.org", "off"] {
        assert_eq!(config(&format!("hostname: {name}\n")).hostname.as_deref(), Some(name));
    }
}

#[test]
fn hosts_are_managed_for_true_and_localhost() {
    for (word, expected) in
        [("true", true), ("yes", true), ("localhost", true), ("'true'", true), ("false", false)]
    {
        assert_eq!(
            config(&format!("manage_etc_hosts: {word}\n")).manage_etc_hosts,
            expected,
            "{word}"
        );
    }
}

#[test]
fn anchors_and_merges_are_followed() {
    let config = config(
        "write_files:\n  - &motd\n    path: /etc/motd\n    owner: jane\n    permissions: 0600\n  \
         - <<: *motd\n    path: /etc/issue\n  - <<: [{owner: joe}, *motd]\n    path: /etc/a\n",
    );

    let files: Vec<(&str, u32, &str)> = config
        .write_files
        .iter()
        .map(|file| (file.path.to_str().unwrap(), file.permissions, file.owner.as_deref().unwrap()))
        .collect();
    assert_eq!(
        files,
        [("/etc/motd", 0o600, "jane"), ("/etc/issue", 0o600, "jane"), ("/etc/a", 0o600, "joe")]
    );
}

#[test]
fn the_user_that_is_there_anyway_needs_no_item() {
    assert_eq!(config("users: [default, {name: jane}]\n").users.len(), 1);
}

#[test]
fn keys_may_be_several_in_one_item() {
    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFPzG1lN8CrC3UyDAbDzi7/wZvNFb3JvPzmpsqCR1u3W";

    let config = config(&format!(
        "ssh-authorized-keys:\n  - \" {KEY} one \"\n  - |\n    {KEY} two\n\n    {KEY} three\n"
    ));

    assert_eq!(
        config.ssh_authorized_keys,
        ["one", "two", "three"].map(|name| format!("{KEY} {name}"))
    );
}

#[test]
fn what_nothing_comes_of_is_told_once() {
    for (text, expected) in [
        ("test:\n", "2:1: warning: test: unknown key `test`, which is ignored"),
        ("hostname: ~\n", "2:1: warning: hostname: has no value, and is ignored"),
        ("coreos: 4\n", "2:9: error: coreos: must be a map of keys and values, is a single value"),
        ("coreos: [hello]\n", "2:9: error: coreos: must be a map of keys and values, is a list"),
        (
            "- a\n",
            "2:1: error: a document must be a map of keys and values, such as `hostname: one`",
        ),
        (
            "hello\n",
            "2:1: error: a document must be a map of keys and values, such as `hostname: one`",
        ),
        (
            "ssh_authorized_keys:\n  - foo: bar\n",
            "3:5: error: ssh_authorized_keys[0]: must be text, is a map",
        ),
        (
            "coreos: {units: [{name: a.service, enable: 'true'}]}\n",
            "2:44: error: coreos.units[0].enable: must be true or false, is text: remove the quotes",
        ),
        (
            "hostname: one\n---\nhostname: two\n",
            "3:1: warning: a second document begins here: it is ignored",
        ),
        ("a: &a {<<: 4}\n", "2:12: error: `<<` takes a map, or a list of maps"),
    ] {
        assert_eq!(told(text), [expected]);
    }
}
