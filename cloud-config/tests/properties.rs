//! Claims that hold for all documents.

use cloud_config::document::{CloudConfig, Read, read};
use cloud_config::facts::Facts;
use cloud_config::host::Host;
use cloud_config::plan::{DEFAULT_USER, Input, Scope, plan};
use proptest::prelude::*;

/// A document of almost all keys; those with two words are in `<>`.
const KEYS: &str = "#cloud-config
hostname: one
<manage_etc_hosts>: localhost
<ssh_authorized_keys>: []
<write_files>:
  - path: /etc/<kept_name>
    content: <kept_name>: one
users:
  - name: jane
    <no_create_home>: yes
    <primary_group>: staff
    <lock_passwd>: true
coreos:
  etcd:
    <peer_addr>: 10.0.0.5:7001
    <snapshot_count>: 10
  etcd2:
    <initial_advertise_peer_urls>: http://10.0.0.5:2380
  fleet:
    <public_ip>: 10.0.0.5
    <etcd_request_timeout>: 3
  flannel:
    <etcd_prefix>: /coreos.com/network
  locksmith:
    <window_start>: Thu 04:00
  update:
    <reboot_strategy>: off
  oem:
    <bug_report_url>: http://example.org
  units:
    - name: a.service
      <drop_ins>:
        - name: 10-a.conf
          content: \"[Service]\"
  <unknown_key>: 1
";

const EXAMPLES: [&str; 4] = [
    KEYS,
    include_str!("../examples/etcd-fleet-announcer.yml"),
    include_str!("../examples/docker-elasticsearch.yml"),
    include_str!("../examples/three-node-vagrant.yml"),
];

const TOKENS: [(&str, &str); 4] = [
    ("$public_ipv4", "198.51.100.1"),
    ("$private_ipv4", "192.0.2.1"),
    ("$public_ipv6", "2001:db8::1"),
    ("$private_ipv6", "2001:db8:1::1"),
];

fn sample(text: &str) -> Read {
    read(text.as_bytes(), &Facts::sample())
}

/// Writes the underscores of names in `<>` as the bits say.
fn with_dashes(bits: &[bool]) -> String {
    let mut bits = bits.iter().cycle();
    let mut in_name = false;
    let written = KEYS.chars().filter_map(|c| match c {
        '<' | '>' => {
            in_name = c == '<';
            None
        }
        '_' if in_name && bits.next() == Some(&true) => Some('-'),
        _ => Some(c),
    });
    written.collect()
}

/// What CoreOS did: it replaced tokens in the text, whatever was around them.
fn textually(text: &str) -> String {
    let mut replaced = text.to_owned();
    for (token, value) in TOKENS {
        let kept = replaced.replace(&format!("\\{token}"), "\u{1}");
        replaced = kept.replace(token, value).replace('\u{1}', token);
    }
    replaced
}

fn without_places(mut config: CloudConfig) -> CloudConfig {
    for file in &mut config.write_files {
        file.position = cloud_config::problem::Position::START;
    }
    config
}

fn piece() -> impl Strategy<Value = String> {
    let token = proptest::sample::select(vec![
        "$public_ipv4",
        "$private_ipv4",
        "$public_ipv6",
        "$private_ipv6",
        "\\$private_ipv4",
        "\\\\$public_ipv4",
        "$private_ipv",
        "\\$other",
        "$$private_ipv4",
    ]);
    let around = proptest::sample::select(vec![
        "", " ", "a", "é", ":", "http://", "/", "#", "'", "\"", "-", "{", ",",
    ]);
    (around.clone(), token, around)
        .prop_map(|(before, token, after)| format!("{before}{token}{after}"))
}

fn scalar() -> impl Strategy<Value = String> {
    let text = proptest::collection::vec(piece(), 1..4).prop_map(|pieces| pieces.concat());
    (0..5, text).prop_map(|(style, text)| match style {
        0 => text,
        1 => format!("'{}'", text.replace('\'', "''")),
        2 => format!("\"{}\"", text.replace('"', "\\\"")),
        3 => format!("|\n      {text}\n      {text}"),
        _ => format!(">\n      {text}\n      {text}"),
    })
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200), header in any::<bool>()) {
        let header: &[u8] = if header { b"#cloud-config\n" } else { b"" };
        let read = read(&[header, &bytes].concat(), &Facts::sample());

        prop_assert!(read.problems.iter().all(|problem| problem.position.line >= 1 && problem.position.column >= 1));
    }

    #[test]
    fn any_yaml_is_read_or_refused(text in "([a-z]{1,3}|[-:?|>&*!%@`\"'{}\\[\\],#~<0-9$\\\\]|[ \n\t]|: |- |\n  |&a |\\*a |<<: )*") {
        let read = sample(&format!("#cloud-config\n{text}"));

        let lines = text.lines().count() + 2;
        prop_assert!(read.problems.iter().all(|problem| problem.position.line <= lines), "{:?}", read.problems);
    }

    #[test]
    fn a_damaged_example_is_read_or_refused(
        example in 0..EXAMPLES.len(),
        at in any::<proptest::sample::Index>(),
        length in 0_usize..12,
        instead in "[ -~\n\t]{0,6}",
    ) {
        let text: Vec<char> = EXAMPLES[example].chars().collect();
        let start = at.index(text.len());
        let end = (start + length).min(text.len());
        let damaged: String = text[..start].iter().copied().chain(instead.chars()).chain(text[end..].iter().copied()).collect();

        let once = sample(&damaged);

        prop_assert_eq!(&once, &sample(&damaged));
        let lost = read(damaged.as_bytes(), &Facts::default());
        prop_assert!(lost.problems.iter().all(|problem| problem.position.line >= 1));
        let input = Input {
            config: &once.config,
            scripts: &once.scripts,
            metadata: None,
            default_user: DEFAULT_USER,
            scope: Scope::Whole,
        };
        prop_assert_eq!(plan(&input, &Host::default()), plan(&input, &Host::default()));
    }

    #[test]
    fn dashes_and_underscores_in_keys_are_the_same(bits in proptest::collection::vec(any::<bool>(), 1..40)) {
        let [plain, dashed] = [with_dashes(&[false]), with_dashes(&bits)].map(|text| sample(&text));

        // Only what is within values differs, as it should.
        let content = |read: &Read| read.config.coreos.clone();
        prop_assert_eq!(content(&plain), content(&dashed));
        prop_assert_eq!(plain.config.users, dashed.config.users);
        prop_assert_eq!(plain.config.hostname, dashed.config.hostname);
        let places = |problems: &[cloud_config::problem::Problem]| -> Vec<_> {
            problems.iter().map(|problem| (problem.position, problem.path.clone())).collect()
        };
        prop_assert_eq!(places(&plain.problems), places(&dashed.problems));
    }

    #[test]
    fn tokens_mean_what_their_text_meant(scalars in proptest::collection::vec(scalar(), 1..4)) {
        let files = scalars.iter().map(|scalar| format!("  - path: /etc/a\n    content: {scalar}\n    append: true\n"));
        let text = format!("#cloud-config\nwrite_files:\n{}", files.collect::<String>());
        // Tokens that are left were escaped, and are to stay.
        let replaced = TOKENS.iter().fold(textually(&text), |text, (token, _)| {
            text.replace(token, &format!("\\{token}"))
        });
        let by_text = sample(&replaced);
        prop_assume!(!by_text.has_errors());

        let by_scalar = sample(&text);

        prop_assert_eq!(by_scalar.problems, by_text.problems);
        prop_assert_eq!(without_places(by_scalar.config), without_places(by_text.config));
    }
}
