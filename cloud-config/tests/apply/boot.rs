//! What systemd calls at boot.

use crate::host::{Host, Told};

const SEED: &str = "root/var/lib/cloud/seed/nocloud";

fn boot(host: &Host, words: &[&str]) -> Told {
    Told::of(host, &host.cloud_config(&[&["boot"], words].concat()))
}

#[test]
fn user_data_that_cannot_be_read_end_the_wait_for_a_result() {
    let host = Host::new();
    host.put(&format!("{SEED}/user-data"), "#cloud-config\n");
    host.put(&format!("{SEED}/meta-data"), "a: [\n");

    let told = boot(&host, &["late"]);
    let status = Told::of(&host, &host.cloud_config(&["status", "--wait"]));

    assert_eq!(told.code, Some(1), "{told:?}");
    assert_eq!(status.code, Some(1), "{status:?}");
    let reason = "status: failed\nsource: none\ndatasource nocloud: ";
    assert!(status.out.starts_with(reason), "{status:?}");
}

#[test]
fn a_host_without_a_datasource_is_done() {
    let host = Host::new();

    let told = boot(&host, &["late"]);
    let status = Told::of(&host, &host.cloud_config(&["status", "--wait"]));

    assert_eq!(told.code, Some(0), "{told:?}");
    assert_eq!((status.code, status.out.as_str()), (Some(0), "status: done\nsource: none\n"));
    assert_eq!(host.asked(), ["systemctl start --no-block cloud-config.target"]);
}

#[test]
fn keys_for_nobody_by_name_go_to_whom_the_host_names() {
    let host = Host::new();
    host.put(&format!("{SEED}/user-data"), "#cloud-config\nssh_authorized_keys: [ssh-rsa top]\n");
    host.put(&format!("{SEED}/meta-data"), "instance-id: i-1\n");

    for when in ["early", "late"] {
        let told = boot(&host, &[when, "--user", "joe"]);

        assert_eq!(told.code, Some(0), "{told:?}");
        assert!(host.read("home/joe/.ssh/authorized_keys").ends_with("\nssh-rsa top\n"));
        assert!(!host.root().join("home/core").exists());
    }
}

#[test]
fn what_was_done_is_told_while_a_script_runs() {
    let host = Host::new();
    host.put(
        &format!("{SEED}/user-data"),
        "#cloud-config\n\
         runcmd: ['cat $ROOT/run/cloud-config/result.json > $ROOT/seen; echo script > /proc/$PPID/fd/2']\n\
         coreos: {units: [{name: a.service, command: start}]}\n",
    );
    host.put(&format!("{SEED}/meta-data"), "instance-id: i-1\n");

    let told = boot(&host, &["late"]);

    assert_eq!(
        (told.code, told.err.as_str()),
        (Some(0), "start a.service: done\nscript\nrun runcmd: done\n"),
        "{told:?}"
    );
    let seen: serde_json::Value = serde_json::from_str(&host.read("seen")).unwrap();
    assert_eq!(seen["stage"], "running");
    assert_eq!(
        seen["actions"],
        serde_json::json!([{"action": "start a.service", "unit": "a.service", "result": "done"}])
    );
}
