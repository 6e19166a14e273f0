mod host;
mod model;
mod properties;

use std::path::{Path, PathBuf};

use super::{Input, Plan, Scope, plan};
use crate::document::{Read, read};
use crate::facts::{Facts, Metadata};
use crate::host::{Account, FileState, Host, Regular, UnitFileOnHost};
use crate::state::Digest;
use model::{after, bare};

fn document(text: &str) -> Read {
    let read = read(format!("#cloud-config\n{text}").as_bytes(), &Facts::sample());
    assert!(!read.has_errors(), "{:?}", read.problems);
    read
}

fn planned(read: &Read, metadata: Option<&Metadata>, host: &Host) -> Plan {
    let (config, scripts) = (&read.config, &read.scripts);
    plan(&Input { config, scripts, metadata, default_user: "core", scope: Scope::Whole }, host)
}

fn of(text: &str, host: &Host) -> Plan {
    planned(&document(text), None, host)
}

fn words(plan: &Plan) -> Vec<String> {
    plan.actions.iter().map(ToString::to_string).collect()
}

fn content(host: &Host, path: &str) -> String {
    let content = host.content(Path::new(path)).unwrap_or_default();
    String::from_utf8_lossy(content).into_owned()
}

fn regular(content: &str, mode: u32) -> FileState {
    FileState::Regular(Regular { content: content.into(), mode, owner: (0, 0) })
}

#[test]
fn actions_come_in_their_order() {
    let text = "
runcmd: [true]
coreos:
  etcd: {addr: 10.0.0.5}
  units:
    - {name: a.service, content: \"[Service]\\nExecStart=/a\\n\", command: start}
    - {name: b.service, mask: true, command: stop}
    - {name: c.service, cluster: true, command: start, content: \"[Service]\\nExecStart=/c\\n\"}
    - {name: d.network, content: \"[Match]\\n\"}
manage_etc_hosts: true
write_files: [{path: /etc/motd, owner: jane:web, content: x}]
ssh_authorized_keys: [ssh-rsa k]
users: [{name: jane, groups: sudo, passwd: $6$x}]
groups: {web: [jane]}
hostname: one
";
    let metadata = Metadata { private_ipv4: Some([10, 0, 0, 5].into()), ..Metadata::default() };

    let plan = planned(&document(text), Some(&metadata), &bare());

    assert_eq!(
        words(&plan),
        [
            "hostname one",
            "group web",
            "user jane",
            "user core",
            "password of jane",
            "password of core",
            "user jane in group web",
            "write /etc/sudoers.d/cloud-config",
            "write /home/core/.ssh/authorized_keys.d/cloud-config",
            "write /home/core/.ssh/authorized_keys",
            "write /etc/motd",
            "write /etc/environment",
            "write /etc/hosts",
            "write /etc/systemd/system/a.service",
            "write /var/lib/cloud-config/cluster/c.service",
            "write /etc/systemd/network/d.network",
            "write /run/systemd/system/etcd.service.d/20-cloudinit.conf",
            "write /run/systemd/system/fleet.service.d/20-cloudinit.conf",
            "link /etc/systemd/system/b.service to /dev/null",
            "reload systemd",
            "reload systemd-networkd",
            "start a.service",
            "stop b.service",
            "start c.service in the cluster",
            "run runcmd",
        ]
    );
}

#[test]
fn the_default_user_is_made_only_if_keys_go_to_it() {
    let mut host = bare();
    assert_eq!(words(&of("hostname: one\n", &host)), ["hostname one"]);
    let core = Account { uid: 500, gid: 500, home: "/srv/core".into() };
    host.accounts.users.insert("core".to_owned(), core);

    let plan = of("ssh_authorized_keys: [ssh-rsa k]\n", &host);

    assert_eq!(
        words(&plan),
        [
            "write /srv/core/.ssh/authorized_keys.d/cloud-config",
            "write /srv/core/.ssh/authorized_keys"
        ]
    );
}

#[test]
fn who_says_that_core_has_no_sudo_is_heeded() {
    let text = "ssh_authorized_keys: [ssh-rsa k]\nusers: [{name: core, sudo: false}]\n";

    assert!(!words(&of(text, &bare())).contains(&"write /etc/sudoers.d/cloud-config".to_owned()));
}

#[test]
fn keys_of_all_sources_are_united_and_removed_with_their_source() {
    let metadata =
        Metadata { ssh_authorized_keys: vec!["ssh-rsa cloud".to_owned()], ..Metadata::default() };
    let mut host = bare();
    let core = Account { uid: 500, gid: 500, home: "/home/core".into() };
    host.accounts.users.insert("core".to_owned(), core);
    let file = PathBuf::from("/home/core/.ssh/authorized_keys");
    host.files.insert(file.clone(), regular("ssh-rsa hand\n", 0o600));
    let text = "ssh_authorized_keys: [ssh-rsa top]\nusers: [{name: core, ssh_authorized_keys: [ssh-rsa own]}]\n";
    let header = "# made by cloud-config of the sets in authorized_keys.d\n";
    let keys = |host: &Host| content(host, "/home/core/.ssh/authorized_keys");

    host = after(&host, &planned(&document(text), Some(&metadata), &host));
    assert_eq!(
        keys(&host),
        format!("{header}ssh-rsa top\nssh-rsa own\nssh-rsa cloud\nssh-rsa hand\n")
    );

    // What the cloud said stays as long as nobody asks it.
    host = after(&host, &of("ssh_authorized_keys: [ssh-rsa top]\n", &host));
    assert_eq!(keys(&host), format!("{header}ssh-rsa top\nssh-rsa cloud\nssh-rsa hand\n"));

    let edited = format!("{}ssh-rsa late\n", keys(&host));
    host.files.insert(file, regular(&edited, 0o600));
    host = after(&host, &planned(&document("hostname: one\n"), Some(&Metadata::default()), &host));
    assert_eq!(keys(&host), format!("{header}ssh-rsa hand\nssh-rsa late\n"));
}

#[test]
fn what_vanishes_from_the_document_vanishes_from_the_host() {
    let text = "
hostname: one
write_files: [{path: /etc/kept, content: x}]
coreos:
  etcd: {addr: 10.0.0.5}
  units:
    - {name: a.service, enable: true, content: \"[Install]\\nWantedBy=multi-user.target\\n\"}
    - {name: b.service, drop_ins: [{name: 10.conf, content: \"[Unit]\\n\"}]}
    - {name: c.service, mask: true}
    - {name: etcd2.service, command: start}
    - {name: e.service, content: \"[Unit]\\n\"}
";
    let mut host = bare();
    host = after(&host, &of(text, &host));
    let path = PathBuf::from("/etc/systemd/system/e.service");
    host.files.insert(path, regular("changed\n", 0o644));

    let plan = of("hostname: one\n", &host);

    assert_eq!(
        words(&plan),
        [
            "disable a.service",
            "remove /etc/systemd/system/a.service",
            "remove /etc/systemd/system/b.service.d/10.conf",
            "remove /run/systemd/system/etcd.service.d/20-cloudinit.conf",
            "remove /run/systemd/system/fleet.service.d/20-cloudinit.conf",
            "remove /etc/systemd/system/c.service",
            "remove /run/systemd/system/etcd2.service",
            "reload systemd",
        ]
    );
    assert_eq!(plan.problems.len(), 1);
    assert!(plan.problems[0].text.contains("e.service is not in the document any more"));
    assert_eq!(words(&of("hostname: one\n", &after(&host, &plan))), [""; 0]);
}

#[test]
fn masks_go_when_the_document_says_false() {
    let mut host = bare();
    let path = PathBuf::from("/run/systemd/system/a.service");
    host.files.insert(path, FileState::Link("/dev/null".into()));

    let plan = of("coreos: {units: [{name: a.service, mask: false}]}\n", &host);

    assert_eq!(words(&plan), ["remove /run/systemd/system/a.service", "reload systemd"]);
}

#[test]
fn a_unit_is_asked_again_only_if_a_file_of_it_changes() {
    let text = |exec: &str| {
        format!(
            "coreos: {{units: [{{name: a.service, command: restart, content: \"[Service]\\nExecStart={exec}\\n\"}}]}}\n"
        )
    };
    let mut host = bare();
    host = after(&host, &of(&text("/a"), &host));

    assert_eq!(words(&of(&text("/a"), &host)), [""; 0]);
    assert_eq!(
        words(&of(&text("/b"), &host)),
        ["write /etc/systemd/system/a.service", "reload systemd", "restart a.service"]
    );
    host.asked.clear();
    assert_eq!(words(&of(&text("/a"), &host)), ["restart a.service"]);
}

#[test]
fn scripts_run_once_for_each_instance() {
    let told = |id: &str| Metadata { instance_id: Some(id.to_owned()), ..Metadata::default() };
    let read = document("runcmd: [date]\n");
    let mut host = bare();

    let first = planned(&read, Some(&told("i-1")), &host);
    host = after(&host, &first);

    assert_eq!(words(&first), ["run runcmd"]);
    assert_eq!(words(&planned(&read, Some(&told("i-1")), &host)), [""; 0]);
    assert_eq!(words(&planned(&read, None, &host)), [""; 0]);
    assert_eq!(words(&planned(&read, Some(&told("i-2")), &host)), ["run runcmd"]);
}

#[test]
fn an_append_is_made_once_and_keeps_the_mode() {
    let mut host = bare();
    host.files.insert("/etc/a".into(), regular("one\n", 0o600));
    let text = "write_files:\n  - {path: /etc/a, append: true, content: \"two\\n\"}\n  - {path: /etc/a, append: true, content: \"three\\n\"}\n";

    let plan = of(text, &host);
    host = after(&host, &plan);

    assert_eq!(host.files[Path::new("/etc/a")], regular("one\ntwo\nthree\n", 0o600));
    assert_eq!(words(&of(text, &host)), [""; 0]);
}

#[test]
fn an_owner_that_will_not_be_there_is_an_error() {
    let text =
        "write_files: [{path: /etc/a, owner: nobody-here}, {path: /etc/b, owner: 'root:none'}]\n";

    let plan = of(text, &bare());

    let told: Vec<String> = plan.problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "2:15: error: write_files[0]: user `nobody-here` is neither on this host nor in the \
             document: /etc/a cannot belong to it",
            "2:51: error: write_files[1]: group `none` is neither on this host nor in the document: \
             /etc/b cannot belong to it",
        ]
    );
}

#[test]
fn updates_are_told_to_the_programs_that_the_host_has() {
    let text = "coreos: {update: {reboot-strategy: off, group: beta}}\n";
    let mut host = bare();
    let plan = of(text, &host);
    assert_eq!(words(&plan), ["write /etc/coreos/update.conf"]);
    assert_eq!(plan.problems[0].path, "coreos.update.group");
    for unit in ["locksmithd.service", "update-engine.service"] {
        let path = Path::new("/usr/lib/systemd/system").join(unit);
        host.units.insert(unit.to_owned(), UnitFileOnHost { path, has_install: true });
    }

    assert_eq!(
        words(&of(text, &host)),
        [
            "write /etc/coreos/update.conf",
            "link /run/systemd/system/locksmithd.service to /dev/null",
            "reload systemd",
            "stop locksmithd.service",
            "restart update-engine.service",
        ]
    );
}

#[test]
fn a_locked_password_keeps_its_hash() {
    let mut host = bare();
    let jane = Account { uid: 1, gid: 1, home: "/home/jane".into() };
    host.accounts.users.insert("jane".to_owned(), jane);
    let password = |host: &Host, text: &str| {
        let plan = of(&format!("users: [{{name: jane, {text}}}]\n"), host);
        after(host, &plan).accounts.passwords["jane"].clone()
    };
    host.accounts.passwords.insert("jane".to_owned(), "$6$x".to_owned());

    assert_eq!(password(&host, "lock_passwd: true"), "!$6$x");
    assert_eq!(password(&host, "gecos: a"), "$6$x");
    assert_eq!(password(&host, "passwd: $6$y"), "$6$y");
    host.accounts.passwords.insert("jane".to_owned(), "!$6$x".to_owned());
    assert_eq!(password(&host, "lock_passwd: false"), "$6$x");
}

#[test]
fn the_floor_keeps_what_earlier_documents_did() {
    let mut host = bare();
    let text = "ssh_authorized_keys: [ssh-rsa top]\ncoreos: {etcd: {addr: 10.0.0.5}}\n";
    host = after(&host, &of(text, &host));
    let metadata = Metadata {
        hostname: Some("two.example".to_owned()),
        ssh_authorized_keys: vec!["ssh-rsa cloud".to_owned()],
        ..Metadata::default()
    };
    let nothing = Read::default();
    let input = Input {
        config: &nothing.config,
        scripts: &[],
        metadata: Some(&metadata),
        default_user: "core",
        scope: Scope::Floor,
    };

    let plan = plan(&input, &host);

    assert_eq!(
        words(&plan),
        [
            "hostname two",
            "write /home/core/.ssh/authorized_keys.d/metadata",
            "write /home/core/.ssh/authorized_keys",
        ]
    );
    let drop_in = Path::new("/run/systemd/system/etcd.service.d/20-cloudinit.conf");
    let digest = Digest::of(content(&host, &drop_in.display().to_string()).as_bytes());
    assert_eq!(plan.manifest.files.get(drop_in), Some(&digest));
}

#[test]
fn secrets_are_in_no_plan_that_is_printed() {
    let text = "
users: [{name: jane, passwd: $6$canary}]
write_files: [{path: /etc/a, permissions: 0600, content: canary}]
runcmd: [echo canary]
coreos: {fleet: {etcd_password: canary}}
";
    let mut host = bare();
    host.files.insert("/etc/a".into(), regular("canary of old\n", 0o644));
    let plan = of(text, &host);

    assert!(!plan.actions.is_empty());
    for told in [plan.text(), plan.json().to_string(), format!("{plan:?}{host:?}")] {
        assert!(!told.contains("canary"), "{told}");
    }
    host.files.insert("/etc/a".into(), regular("canary of old\n", 0o600));
    let opened = of("write_files: [{path: /etc/a, content: x}]\n", &host);
    assert!(!opened.text().contains("canary"), "{}", opened.text());
}

#[test]
fn a_plan_shows_what_changes_in_a_file() {
    let mut host = bare();
    host.files.insert("/etc/a".into(), regular("one\ntwo\n", 0o644));
    let text = "write_files: [{path: /etc/a, content: \"one\\nthree\\n\", owner: root, permissions: 0755}]\n";

    assert_eq!(
        of(text, &host).text(),
        "--- /etc/a\tmode 0644, owner 0:0\n+++ /etc/a\tmode 0755, owner root\n\
         @@ -1,2 +1,2 @@\n one\n-two\n+three\n"
    );
}

#[test]
fn a_copy_of_a_disk_is_another_instance_unless_a_cloud_says_which() {
    let read = document("runcmd: [date]\n");
    let told = Metadata { instance_id: Some("i-1".to_owned()), ..Metadata::default() };

    for (metadata, expected) in [(None, vec!["run runcmd"]), (Some(&told), vec![])] {
        let first = bare();
        let mut copy = after(&first, &planned(&read, metadata, &first));
        copy.machine_id = Some("4567".to_owned());

        assert_eq!(words(&planned(&read, metadata, &copy)), expected);
        // By hand, without asking the cloud.
        assert_eq!(words(&planned(&read, None, &copy)), expected);
    }
}
