//! The program on a host in a temporary directory.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod boot;
mod damage;
mod host;
mod units;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use host::{Host, Told};

const DOCUMENT: &str = "#cloud-config
hostname: one
manage_etc_hosts: true
timezone: Europe/Vienna
ssh_authorized_keys: [ssh-rsa top]
groups: {web: [core]}
users:
  - {name: jane, passwd: $6$canary, groups: sudo, shell: /bin/zsh, ssh_authorized_keys: [ssh-rsa own]}
write_files:
  - {path: /etc/motd, content: hello}
  - {path: /srv/deep/secret, permissions: 04600, owner: jane, content: canary of file}
  - {path: /etc/list, append: true, content: \"more\\n\"}
runcmd:
  - echo canary of script; date > $ROOT/ran
coreos:
  etcd2: {name: x, listen-client-urls: 'http://10.0.0.5:2379'}
  fleet: {etcd-password: canary}
  flannel: {interface: eth1}
  oem: {id: test}
  update: {reboot-strategy: etcd-lock}
  units:
    - {name: etcd2.service, command: start}
    - name: a.service
      enable: true
      command: restart
      content: \"[Service]\\nExecStart=/a\\n[Install]\\nWantedBy=a.target\\n\"
      drop_ins: [{name: 10.conf, content: \"[Unit]\\n\"}]
    - {name: b.service, mask: true, command: stop}
    - {name: n.network, content: \"[Match]\\n\"}
    - {name: c.service, cluster: true, command: start, content: \"[Service]\\nExecStart=/c\\n\"}
";

fn host() -> Host {
    let host = Host::new();
    host.put("root/usr/share/zoneinfo/Europe/Vienna", "");
    host.put("root/usr/lib/systemd/system/etcd.service", "[Install]\nWantedBy=multi-user.target\n");
    host.put("root/etc/list", "one\n");
    host
}

#[test]
fn a_document_is_applied_once_and_a_second_time_changes_nothing() {
    let host = host();

    let first = host.apply(DOCUMENT, &[]);

    assert_eq!((first.code, first.out.lines().last()), (Some(0), Some("37 changes")), "{first:?}");
    // How jobs ended is asked as they end, in any order.
    let (mut ends, asked): (Vec<_>, Vec<_>) =
        host.asked().into_iter().partition(|line| line.starts_with("systemctl show"));
    ends.sort();
    let show = |unit: &str| format!("systemctl show --property=ActiveState,Result {unit}.service");
    assert_eq!(ends, ["a", "b", "etcd2"].map(show));
    assert_eq!(
        asked,
        [
            "hostnamectl set-hostname one",
            "groupadd --prefix ROOT web",
            "useradd --prefix ROOT --password * --groups sudo --shell /bin/zsh --create-home --user-group jane",
            "useradd --prefix ROOT --password * --shell /bin/bash --create-home --user-group core",
            "chpasswd --root ROOT --encrypted",
            "chpasswd --root ROOT --encrypted",
            "usermod --prefix ROOT --append --groups web core",
            "visudo -c -q -f ROOT/etc/sudoers.d/.cloud-config.cloud-config",
            "systemctl --root=ROOT enable --no-reload a.service",
            "systemctl daemon-reload",
            "systemctl is-active --quiet systemd-networkd.service",
            "networkctl reload",
            "systemctl --show-transaction start etcd2.service",
            "systemctl --show-transaction restart a.service",
            "systemctl --show-transaction stop b.service",
            "fleetctl start --once --no-block ROOT/var/lib/cloud-config/cluster/c.service",
        ]
    );
    let mode = |path: &str| {
        let metadata = host.root().join(path).symlink_metadata().unwrap();
        format!("{:04o}", metadata.permissions().mode() & 0o7777)
    };
    assert_eq!(host.read("etc/list"), "one\nmore\n");
    assert_eq!(mode("srv/deep/secret"), "4600");
    assert_eq!(mode("etc/sudoers.d/cloud-config"), "0440");
    assert_eq!(mode("home/core/.ssh/authorized_keys"), "0600");
    assert_eq!(mode("var/lib/cloud-config"), "0700");
    assert_eq!(mode("run/systemd/system/fleet.service.d/20-cloudinit.conf"), "0600");
    assert!(!host.read("ran").is_empty());

    let before = host.tree();
    let second = host.apply(DOCUMENT, &[]);

    assert_eq!((second.code, second.out.as_str()), (Some(0), "0 changes\n"), "{second:?}");
    assert_eq!(host.tree(), before);
    assert_eq!(host.asked(), [""; 0]);
}

#[test]
fn secrets_are_told_nowhere() {
    let host = host();
    let file = host.put("document.yml", DOCUMENT).display().to_string();
    let words: [&[&str]; 9] = [
        &["validate", &file],
        &["validate", &file, "--json"],
        &["plan", &file],
        &["plan", &file, "--json"],
        &["apply", &file, "--booted"],
        &["status"],
        &["status", "--json"],
        &["apply", &file, "--booted", "--json"],
        &["plan", &file, "--user", "joe"],
    ];
    for words in words {
        let told = if words.first() == Some(&"validate") {
            let binary = env!("CARGO_BIN_EXE_cloud-config");
            Told::of(&host, &std::process::Command::new(binary).args(words).output().unwrap())
        } else {
            Told::of(&host, &host.cloud_config(words))
        };
        assert_eq!(told.code, Some(0), "{told:?}");
        assert!(!format!("{told:?}").contains("canary"), "{words:?}: {told:?}");
    }
    for file in ["run/cloud-config/result.json", "run/cloud-config/asked.json"] {
        let text = host.read(file);
        assert!(!text.is_empty() && !text.contains("canary"), "{text}");
    }
    assert!(!host.asked().iter().any(|line| line.contains("canary")));
}

/// Documents with an error, the last one of them in its last item.
fn faulty() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/validate");
    let mut documents: Vec<(String, Vec<u8>)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|suffix| suffix == "yml"))
        .filter(|path| {
            std::fs::read_to_string(path.with_extension("txt")).unwrap().contains(": error: ")
        })
        .map(|path| (path.display().to_string(), std::fs::read(&path).unwrap()))
        .collect();
    let texts = [
        "",
        "\t",
        "a:\na\n",
        "hostname: one\nusers: [a: b\n",
        "- a\n",
        "hostname: {a: b}\n",
        "hostname: one\ncoreos: {unts: []}\n",
        "hostname: one\nwrite_files: [{path: /etc/a, content: x}, {path: ../b}]\n",
        "hostname: one\nwrite_files: [{path: /etc/a, content: x}, {path: /etc/b, owner: nobody-here}]\n",
        "hostname: one\nwrite_files: [{path: /etc/a, content: x}, {path: /etc/b, encoding: b64, content: '?'}]\n",
        "hostname: one\ncoreos: {units: [{name: a.service, content: \"[Unit]\\n\"}, {name: a/b.service}]}\n",
        "hostname: one\ncoreos: {update: {reboot-strategy: never}}\n",
        "hostname: one\nusers: [{name: jane}, {name: joe, system: \"yes\"}]\n",
        "hostname: one\nwrite_files: [{path: /etc/a, content: x}]\ncoreos: {units: [{name: a.service, command: start, content: \"[Service]\\nExecStart=/a $public_ipv6\\n\"}]}\n",
    ];
    documents.extend(
        texts
            .iter()
            .skip(1)
            .map(|text| ((*text).to_owned(), format!("#cloud-config\n{text}").into_bytes())),
    );
    documents.push(("Ignition".to_owned(), b"{\"ignition\": {\"version\": \"3.4.0\"}}".to_vec()));
    documents.push(("truncated gzip".to_owned(), b"\x1f\x8b\x08\0\0\0\0\0".to_vec()));
    documents.push(("not UTF-8".to_owned(), b"#cloud-config\nhostname: \xff\n".to_vec()));
    documents
}

#[test]
fn an_error_anywhere_leaves_the_host_as_it_is() {
    let host = host();
    let before = host.tree();
    for (name, bytes) in faulty() {
        let file = host.root().parent().unwrap().join("document.yml");
        std::fs::write(&file, bytes).unwrap();
        let file = file.display().to_string();

        let told = Told::of(&host, &host.cloud_config(&["apply", &file, "--booted"]));

        assert_eq!((told.code, told.out.as_str()), (Some(1), "0 changes\n"), "{name}: {told:?}");
        assert!(told.err.contains(": error: "), "{name}: {told:?}");
        assert_eq!(host.tree(), before, "{name}");
        assert_eq!(host.asked(), [""; 0], "{name}");
        let status = Told::of(&host, &host.cloud_config(&["status"]));
        assert_eq!(status.code, Some(1), "{status:?}");
        assert!(status.out.starts_with("status: failed\n"), "{status:?}");
    }
}

#[test]
fn with_an_error_the_clouds_name_and_keys_still_count() {
    let host = host();
    host.put("root/var/lib/cloud/seed/nocloud/user-data", "#cloud-config\nhostname: [\n");
    host.put(
        "root/var/lib/cloud/seed/nocloud/meta-data",
        "instance-id: i-1\nlocal-hostname: two.example\npublic-keys: [ssh-rsa cloud]\n",
    );

    let told = Told::of(&host, &host.cloud_config(&["apply", "--booted"]));

    assert_eq!(told.code, Some(1), "{told:?}");
    assert_eq!(
        told.out,
        "hostname two: done\nuser core: done\npassword of core: done\n\
         write /etc/sudoers.d/cloud-config: done\n\
         write /home/core/.ssh/authorized_keys.d/metadata: done\n\
         write /home/core/.ssh/authorized_keys: done\n6 changes\n"
    );
    assert_eq!(host.read("etc/hostname"), "two\n");
    assert!(host.read("home/core/.ssh/authorized_keys").ends_with("\nssh-rsa cloud\n"));
}

#[test]
fn in_a_directory_from_which_nothing_runs_nothing_is_started() {
    let host = host();
    let file = host.put("document.yml", DOCUMENT).display().to_string();

    let told = Told::of(&host, &host.cloud_config(&["apply", &file]));

    assert_eq!(told.code, Some(0), "{told:?}");
    let tail: Vec<&str> = told.out.lines().rev().take(6).collect();
    assert_eq!(tail[1], "run runcmd: skipped: no system runs from this directory");
    assert_eq!(tail[5], "start etcd2.service: skipped: no system runs from this directory");
    let asked = host.asked();
    assert!(
        !asked
            .iter()
            .any(|line| line.contains("daemon-reload") || line.contains("--show-transaction")),
        "{asked:?}"
    );
    assert_eq!(host.read("etc/hostname"), "one\n");
}

#[test]
fn a_script_runs_by_its_own_interpreter() {
    let host = host();

    let told = host.apply(
        "#!/usr/bin/awk -f\nBEGIN { print \"from awk\" > ENVIRON[\"ROOT\"] \"/ran\" }\n",
        &[],
    );

    assert_eq!(told.out, "run user-data: done\n1 change\n", "{told:?}");
    assert_eq!(host.read("ran"), "from awk\n");
    assert_eq!(host.apply("#!/bin/sh\n", &[]).out, "0 changes\n");
}

#[test]
fn status_tells_that_nothing_was_applied() {
    let host = host();
    let status =
        |words: &[&str]| Told::of(&host, &host.cloud_config(&[&["status"], words].concat()));

    assert_eq!(status(&[]).code, Some(1));
    assert_eq!(status(&["--json"]).out, "{\"stage\":\"none\"}\n");
    assert_eq!(status(&["--wait", "--deadline", "0"]).code, Some(1));

    host.apply("#cloud-config\nhostname: one\n", &[]);

    let told = status(&["--wait"]);
    assert_eq!(
        (told.code, told.out.as_str()),
        (Some(0), "status: done\nsource: FILE\ninstance: 0123456789abcdef0123456789abcdef\n")
    );
}

#[test]
fn a_run_that_was_cut_off_has_failed() {
    let host = host();
    let summary = "{\"stage\":\"running\",\"source\":\"x\",\"instanceId\":null,\"floor\":false,\"error\":null,\"warnings\":[],\"problems\":[],\"actions\":[]}";
    host.put("root/run/cloud-config/result.json", summary);

    let told = Told::of(&host, &host.cloud_config(&["status", "--wait"]));

    assert_eq!(
        (told.code, told.out.as_str()),
        (Some(1), "status: failed\nsource: x\ncloud-config was stopped before it was done\n")
    );
}

#[test]
fn the_command_line_that_makes_no_sense_is_told_apart() {
    let host = Host::new();
    let code = |words: &[&str]| host.cloud_config(words).status.code();

    assert_eq!(code(&["plan"]), Some(2));
    assert_eq!(code(&["plan", "/dev/null", "--private-ipv4", "x"]), Some(2));
    assert_eq!(code(&["plan", "/does/not/exist"]), Some(1));
    assert_eq!(code(&["plan", "/dev/null"]), Some(0));
}

#[test]
fn a_plan_for_another_host_takes_its_addresses_from_the_command_line() {
    let host = Host::new();
    let file = host.put(
        "document.yml",
        "#cloud-config\nwrite_files: [{path: /etc/a, content: $private_ipv4}]\n",
    );
    let file = file.display().to_string();

    let unknown = Told::of(&host, &host.cloud_config(&["plan", &file]));
    let known = Told::of(&host, &host.cloud_config(&["plan", &file, "--private-ipv4", "10.0.0.5"]));

    assert_eq!(unknown.code, Some(1));
    assert!(
        unknown.err.starts_with("FILE:2:39: error: write_files[0].content: the address for"),
        "{unknown:?}"
    );
    assert_eq!(
        (known.code, known.out.as_str()),
        (
            Some(0),
            "--- /dev/null\n+++ /etc/a\tmode 0644\n@@ -0,0 +1 @@\n+10.0.0.5\n\\ No newline at end of file\n"
        )
    );
}
