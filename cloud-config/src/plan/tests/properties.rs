//! Whatever a document says: done once, there is nothing to do.

use proptest::prelude::*;

use super::*;
use crate::plan::Action;

fn name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["core", "jane", "joe"])
}

fn unit() -> impl Strategy<Value = String> {
    let names = vec!["a.service", "etcd2.service", "b.network", "locksmithd.service", "c.timer"];
    let content = prop::sample::select(vec![
        "",
        "content: \"[Unit]\\n\", ",
        "content: \"[Install]\\nWantedBy=a.target\\n\", ",
    ]);
    let more = prop::sample::subsequence(
        vec![
            "runtime: yes",
            "mask: true",
            "mask: no",
            "enable: true",
            "enable: false",
            "command: start",
            "command: restart",
            "drop_ins: [{name: 1.conf, content: \"[Unit]\\n\"}]",
        ],
        0..4,
    );
    (prop::sample::select(names), content, more)
        .prop_map(|(name, content, more)| format!("{{{content}{}name: {name}}}", join(&more)))
}

fn user() -> impl Strategy<Value = String> {
    let more = prop::sample::subsequence(
        vec![
            "groups: [sudo, web, core, jane]",
            "passwd: $6$x",
            "lock_passwd: true",
            "no_user_group: true",
            "primary_group: staff",
            "sudo: 'ALL=(ALL) ALL'",
            "ssh_authorized_keys: [ssh-rsa own]",
        ],
        0..6,
    );
    (name(), more).prop_map(|(name, more)| format!("{{{}name: {name}}}", join(&more)))
}

fn file() -> impl Strategy<Value = String> {
    let paths = vec!["/etc/a", "/etc/hosts", "/etc/environment", "/etc/systemd/system/a.service"];
    let more = prop::sample::subsequence(
        vec!["permissions: 0600", "owner: root:sudo", "append: true"],
        0..3,
    );
    let content = prop::sample::select(vec!["", "x", "y", "x\\n", "y\\nx", "x\\ny\\n", "\\n"]);
    (prop::sample::select(paths), more, content).prop_map(|(path, more, content)| {
        format!("{{{}content: \"{content}\", path: {path}}}", join(&more))
    })
}

fn join(parts: &[&str]) -> String {
    parts.iter().map(|part| format!("{part}, ")).collect()
}

fn any_document() -> impl Strategy<Value = String> {
    let lists = (
        prop::collection::vec(unit(), 0..4),
        prop::collection::vec(user(), 0..3),
        prop::collection::vec(file(), 0..4),
    );
    let top = prop::sample::subsequence(
        vec![
            "hostname: one",
            "fqdn: two.example",
            "manage_etc_hosts: true",
            "ssh_authorized_keys: [ssh-rsa top]",
            "groups: {web: [root], joe: [root]}",
            "runcmd: [date]",
        ],
        0..6,
    );
    let sections = prop::sample::subsequence(
        vec![
            "etcd: {addr: 10.0.0.5, peers: 10.0.0.6, peer_addr: 10.0.0.5}",
            "etcd2: {name: x}",
            "fleet: {metadata: a=b, etcd_password: x}",
            "flannel: {interface: x}",
            "update: {reboot-strategy: off, group: x}",
            "oem: {id: x}",
        ],
        0..4,
    );
    (top, lists, sections).prop_map(|(top, (units, users, files), sections)| {
        let sections = join(&sections);
        format!(
            "{}\nusers: [{}]\nwrite_files: [{}]\ncoreos: {{{sections}units: [{}]}}\n",
            top.join("\n"),
            users.join(", "),
            files.join(", "),
            units.join(", "),
        )
    })
}

fn any_metadata() -> impl Strategy<Value = Option<Metadata>> {
    let told =
        (any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(id, keys, address)| Metadata {
            instance_id: id.then(|| "i-1".to_owned()),
            hostname: id.then(|| "cloud.example".to_owned()),
            ssh_authorized_keys: keys.then(|| "ssh-rsa cloud".to_owned()).into_iter().collect(),
            private_ipv4: address.then(|| [10, 0, 0, 5].into()),
            ..Metadata::default()
        });
    prop::option::of(told)
}

/// The place of an action among all actions.
fn rank(action: &Action) -> u8 {
    match action {
        Action::Hostname(_) => 0,
        Action::Group(_) => 1,
        Action::User(_) => 2,
        Action::Password { .. } => 3,
        Action::Member { .. } => 4,
        Action::File(_) => 5,
        Action::Link { .. }
        | Action::Remove(_)
        | Action::RemoveKeys { .. }
        | Action::Enable { .. }
        | Action::Disable(_) => 6,
        Action::Reload => 7,
        Action::ReloadNetwork => 8,
        Action::Command { .. } => 9,
        Action::Submit { .. } => 10,
        Action::Run(_) => 11,
    }
}

proptest! {
    #[test]
    fn what_is_done_is_not_done_again(
        first in any_document(),
        second in any_document(),
        metadata in any_metadata(),
    ) {
        let mut host = bare();
        for text in [first, second] {
            let read = document(&text);
            let made = planned(&read, metadata.as_ref(), &host);
            prop_assert!(!made.has_errors(), "{:?}", made.problems);
            host = after(&host, &made);

            let again = planned(&read, metadata.as_ref(), &host);

            prop_assert_eq!(words(&again), Vec::<String>::new(), "{}", text);
            prop_assert_eq!(again.manifest, made.manifest, "{}", text);
        }
    }

    #[test]
    fn the_order_of_actions_is_fixed(text in any_document(), metadata in any_metadata()) {
        let made = planned(&document(&text), metadata.as_ref(), &bare());

        let ranks: Vec<u8> = made.actions.iter().map(rank).collect();
        prop_assert!(ranks.is_sorted(), "{:?}", words(&made));
        prop_assert_eq!(planned(&document(&text), metadata.as_ref(), &bare()), made);
    }
}
