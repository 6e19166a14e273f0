//! Hosts on which something cannot be read, or is not to be.

use std::fs;
use std::os::unix::fs::symlink;

use crate::host::{Host, Told};

const SECRET: &str = "root:$6$canary:19000:0:99999:7:::\n";
const KEYS: &str = "#cloud-config\nusers: [{name: jane, ssh_authorized_keys: [ssh-rsa own]}]\n";

/// A host with a home directory of jane's.
fn with_jane() -> Host {
    let host = Host::new();
    host.apply(KEYS, &[]);
    assert!(host.read("home/jane/.ssh/authorized_keys").ends_with("\nssh-rsa own\n"));
    host
}

#[test]
fn links_in_a_home_do_not_show_its_user_what_is_roots() {
    let host = with_jane();
    host.put("root/etc/shadow", SECRET);
    let sets = host.root().join("home/jane/.ssh/authorized_keys.d");
    fs::remove_dir_all(&sets).unwrap();
    symlink("/etc", &sets).unwrap();

    let told = host.apply(KEYS, &[]);

    assert!(!host.read("home/jane/.ssh/authorized_keys").contains("canary"));
    assert!(
        told.err.contains("keys in /home/jane/.ssh/authorized_keys.d are passed over: Not a dir"),
        "{told:?}"
    );

    fs::remove_file(&sets).unwrap();
    fs::create_dir(&sets).unwrap();
    for name in ["shadow", "authorized_keys"] {
        symlink("/etc/shadow", sets.join(name)).unwrap();
    }
    fs::remove_file(sets.with_file_name("authorized_keys")).unwrap();
    symlink("/etc/shadow", sets.with_file_name("authorized_keys")).unwrap();

    let told = host.apply(KEYS, &[]);

    assert_eq!(told.code, Some(0), "{told:?}");
    assert!(host.read("home/jane/.ssh/authorized_keys").ends_with("\nssh-rsa own\n"));
    assert_eq!(host.read("etc/shadow"), SECRET);
}

#[test]
fn a_set_of_keys_is_not_removed_through_a_link() {
    let host = with_jane();
    host.put("root/etc/sudoers.d/cloud-config", "kept");
    let sets = host.root().join("home/jane/.ssh/authorized_keys.d");
    fs::remove_dir_all(&sets).unwrap();
    symlink("/etc/sudoers.d", &sets).unwrap();

    host.apply("#cloud-config\nusers: [{name: jane}]\nhostname: one\n", &[]);

    assert_eq!(host.read("etc/sudoers.d/cloud-config"), "kept");
    assert_eq!(host.read("etc/hostname"), "one\n");
}

#[test]
fn a_home_that_is_a_link_gets_keys() {
    let host = Host::new();
    fs::create_dir_all(host.root().join("data/jane")).unwrap();
    fs::create_dir_all(host.root().join("home")).unwrap();
    symlink("/data/jane", host.root().join("home/jane")).unwrap();

    let told = host.apply(KEYS, &[]);

    assert_eq!(told.code, Some(0), "{told:?}");
    assert!(host.read("data/jane/.ssh/authorized_keys").ends_with("\nssh-rsa own\n"));
    assert_eq!(host.apply(KEYS, &[]).out, "0 changes\n");
}

#[test]
fn a_folder_that_is_no_drop_ins_stays_when_it_is_empty() {
    let host = Host::new();
    let sudoers = "#cloud-config\nusers: [{name: jane, sudo: 'ALL=(ALL) ALL'}]\n";
    host.apply(sudoers, &[]);
    assert!(!host.read("etc/sudoers.d/cloud-config").is_empty());

    host.apply("#cloud-config\nusers: [{name: jane}]\n", &[]);

    let folder = host.root().join("etc/sudoers.d");
    assert_eq!(fs::read_dir(folder).unwrap().count(), 0);
}

/// What a user can do to a host must not keep it from being what its document says.
#[test]
fn a_circle_in_a_home_holds_up_keys_of_its_user_alone() {
    let host = with_jane();
    let ssh = host.root().join("home/jane/.ssh");
    fs::remove_dir_all(&ssh).unwrap();
    symlink(".ssh", &ssh).unwrap();

    let told = host.apply(
        &format!("{KEYS}hostname: one\ncoreos: {{units: [{{name: a.service, command: start}}]}}\n"),
        &[],
    );

    assert_eq!(host.read("etc/hostname"), "one\n", "{told:?}");
    assert!(told.out.contains("start a.service: done\n"), "{told:?}");
    assert!(told.out.contains("write /home/jane/.ssh/authorized_keys: failed: "), "{told:?}");
}

/// Applies a document with an instance's name and key beside it, and expects these.
#[track_caller]
fn expect_floor(host: &Host, user_data: &str) -> Told {
    host.put("root/var/lib/cloud/seed/nocloud/user-data", user_data);
    host.put(
        "root/var/lib/cloud/seed/nocloud/meta-data",
        "instance-id: i-1\nlocal-hostname: two.example\npublic-keys: [ssh-rsa cloud]\n",
    );

    let told = Told::of(host, &host.cloud_config(&["apply", "--booted"]));

    assert_eq!(told.code, Some(1), "{told:?}");
    assert_eq!(host.read("etc/hostname"), "two\n", "{told:?}");
    let keys = host.read("home/core/.ssh/authorized_keys");
    assert!(keys.ends_with("\nssh-rsa cloud\n"), "{told:?}");
    told
}

#[test]
fn a_file_below_a_file_fails_alone() {
    let host = Host::new();

    let told = expect_floor(
        &host,
        "#cloud-config\nwrite_files: [{path: /etc/passwd/a/b, content: x}, {path: /etc/b, content: x}]\n",
    );

    assert!(told.out.contains("write /etc/passwd/a/b: failed: "), "{told:?}");
    assert_eq!(host.read("etc/b"), "x");
}

#[test]
fn a_memory_that_is_damaged_leaves_the_host_reachable() {
    let host = Host::new();
    host.put("root/var/lib/cloud-config/state.json", "{");

    let told = expect_floor(&host, "#cloud-config\nwrite_files: [{path: /etc/b, content: x}]\n");

    assert!(told.err.contains("error: cannot read /var/lib/cloud-config/state.json: "), "{told:?}");
    assert!(told.err.contains("and is now /var/lib/cloud-config/state.json.damaged"), "{told:?}");
    assert_eq!(host.read("var/lib/cloud-config/state.json.damaged"), "{");
    assert_eq!(host.read("etc/b"), "");

    let told = Told::of(&host, &host.cloud_config(&["apply", "--booted"]));
    assert_eq!((told.code, host.read("etc/b").as_str()), (Some(0), "x"), "{told:?}");
}

#[test]
fn links_in_a_circle_leave_the_host_reachable() {
    let host = Host::new();
    fs::create_dir_all(host.root().join("etc")).unwrap();
    symlink("circle", host.root().join("etc/circle")).unwrap();

    let told =
        expect_floor(&host, "#cloud-config\nwrite_files: [{path: /etc/circle/a, content: x}]\n");

    assert!(
        told.err.contains("error: cannot read /etc/circle/a: Too many levels of symbolic links"),
        "{told:?}"
    );
}
