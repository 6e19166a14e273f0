//! The command `fetch` as scripts use it.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// What `fetch` prints, its errors and exit code, for a root with programs in `bin`.
fn fetch(root: &Path, args: &[&str]) -> (String, String, i32) {
    let path = format!("{}:{}", root.join("bin").display(), std::env::var("PATH").unwrap());
    let Output { stdout, stderr, status } = Command::new(env!("CARGO_BIN_EXE_cloud-config"))
        .arg("fetch")
        .arg("--root")
        .arg(root)
        .args(args)
        .env("PATH", path)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(stdout), text(stderr), status.code().unwrap())
}

const SEED: &str = "var/lib/cloud/seed/nocloud";

#[test]
fn json_has_all_that_was_found() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), &format!("{SEED}/user-data"), "#cloud-config\n");
    write(
        root.path(),
        &format!("{SEED}/meta-data"),
        "instance-id: i-1\npublic-keys: [ssh-rsa A]\n",
    );

    let (stdout, stderr, code) = fetch(root.path(), &["--json"]);

    let printed: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    let expected = serde_json::json!({
        "source": "nocloud",
        "userData": "I2Nsb3VkLWNvbmZpZwo=",
        "metadata": {
            "instanceId": "i-1",
            "hostname": null,
            "sshAuthorizedKeys": ["ssh-rsa A"],
            "publicIpv4": null,
            "privateIpv4": null,
            "publicIpv6": null,
            "privateIpv6": null,
        },
    });
    assert_eq!((printed, stderr.as_str(), code), (expected, "", 0));
}

#[test]
fn people_see_no_user_data() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), &format!("{SEED}/user-data"), "secret");
    write(root.path(), &format!("{SEED}/meta-data"), "local-hostname: \"one\\e[31m\"\n");

    let (stdout, stderr, code) = fetch(root.path(), &[]);

    let expected = "source:       nocloud\nuser data:    6 bytes\ninstance-id:  -\n\
                    hostname:     one\\u{1b}[31m\nssh keys:     0\npublic IPv4:  -\n\
                    private IPv4: -\npublic IPv6:  -\nprivate IPv6: -\n";
    assert_eq!((stdout.as_str(), stderr.as_str(), code), (expected, "", 0));
}

#[test]
fn vmware_is_asked_through_its_program() {
    let root = tempfile::tempdir().unwrap();
    let script = "#!/bin/sh\ncase \"$1\" in\n\
                  'info-get guestinfo.coreos.config.data') echo c2VjcmV0;;\n\
                  'info-get guestinfo.coreos.config.data.encoding') echo base64;;\n\
                  'info-get guestinfo.hostname') echo one;;\n\
                  *) echo 'No value found' >&2; exit 1;;\nesac\n";
    write(root.path(), "bin/vmware-rpctool", script);
    let program = root.path().join("bin/vmware-rpctool");
    std::fs::set_permissions(program, std::fs::Permissions::from_mode(0o755)).unwrap();

    let (stdout, stderr, code) = fetch(root.path(), &["--datasource", "vmware", "--json"]);

    let printed: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(
        (&printed["userData"], &printed["metadata"]["hostname"]),
        (&"c2VjcmV0".into(), &"one".into())
    );
    assert_eq!((stderr.as_str(), code), ("", 0));
}

#[test]
fn what_fails_is_one_sentence_and_exit_code_1() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "proc/cmdline", "cloud-config-url=ftp://jane:secret@x/y?z\n");

    let expected = "Error: datasource cmdline: ftp://x/y is no URL: write http:// or https://, a host and a path\n";
    assert_eq!(fetch(root.path(), &[]), (String::new(), expected.to_owned(), 1));
}

#[test]
fn a_command_line_without_sense_is_exit_code_2() {
    let root = tempfile::tempdir().unwrap();
    for args in [["--datasource", "moon"], ["--metadata-url", "http://x/"]] {
        let (stdout, stderr, code) = fetch(root.path(), &args);

        assert_eq!((stdout.as_str(), code), ("", 2), "{args:?}");
        assert!(stderr.starts_with("error: "), "{stderr}");
    }
}
