//! Hosts that become what their user data say, and nothing else.

use fleet_tests::wait::until;
use fleet_tests::{Cluster, Host};

use crate::fixture::{PATIENCE, Systemd, Undo};

const SEED: &str = "/var/lib/cloud/seed/nocloud/user-data";
const EXAMPLE: &str = include_str!("../../../cloud-config/examples/docker-elasticsearch.yml");

/// Removes units that another test gave the cluster, and the marks that they were given once.
const FORGET: &str = "\
    fleetctl list-unit-files --no-legend --fields=unit | xargs --no-run-if-empty fleetctl destroy && \
    etcdctl del --prefix /_coreos.com/fleet/seeded/";

/// Three hosts that booted from the example with etcd, fleet and an announcer, and are as that says.
struct Documented(Cluster);

impl Documented {
    fn new() -> Self {
        let documented = Self(Cluster::of_tests_documented().unwrap());
        for host in documented.hosts() {
            host.bring_up().unwrap();
            host.read(["sh", "-c", "rm -rf /root/*.yml /run/cloud-config/asked.json"]).unwrap();
            cloud_config(&host, &["apply"]);
        }
        documented.await_members();
        documented.0.hosts()[0].read(["sh", "-c", FORGET]).unwrap();
        documented
    }

    fn hosts(&self) -> Vec<Systemd> {
        self.0.hosts().into_iter().map(Systemd).collect()
    }

    fn await_members(&self) {
        let hosts = self.hosts();
        let mut expected: Vec<_> = hosts.iter().map(|host| host.machine_id().unwrap()).collect();
        expected.sort();
        for host in &hosts {
            until(PATIENCE, "all hosts are machines", || {
                let line =
                    ["fleetctl", "list-machines", "--full", "--no-legend", "--fields=machine"];
                let printed = host.read(line).map_err(|error| error.to_string())?;
                let machines: Vec<_> = printed.lines().map(|line| line.trim().to_owned()).collect();
                if machines == expected { Ok(()) } else { Err(format!("{machines:?}")) }
            });
        }
    }
}

impl Drop for Documented {
    /// Keeps what the hosts have to say about a failure.
    fn drop(&mut self) {
        if std::thread::panicking() {
            let test = std::thread::current().name().unwrap_or("test").to_owned();
            // The failure of the test is what counts.
            self.0.save_journals(&test).ok();
        }
    }
}

fn cloud_config(host: &Host, words: &[&str]) -> String {
    host.read([&["cloud-config"], words].concat()).unwrap()
}

fn inodes(host: &Host) -> String {
    let files = "/etc/systemd/system/host.service /run/systemd/system/*/20-cloudinit.conf \
                 /etc/hostname /var/lib/cloud-config/*";
    host.read(["sh", "-c", &format!("stat --format='%n %i %y' {files}")]).unwrap()
}

/// Acceptance: `etcd-fleet-announcer.yml`, unchanged but for the discovery URL.
#[test]
fn a_document_alone_makes_three_hosts_members_of_etcd_and_machines_of_fleet() {
    let documented = Documented::new();
    let hosts = documented.hosts();

    for host in &hosts {
        let members = host.read(["etcdctl", "member", "list", "--write-out=simple"]).unwrap();
        assert_eq!(members.lines().count(), 3, "{members}");
        for other in &hosts {
            let id = other.machine_id().unwrap();
            assert!(members.contains(&format!("started, {id}")), "{members}");
            let key = format!("/hosts/{id}");
            let announced = until(PATIENCE, format!("{key} is in etcd"), || {
                host.read(["env", "ETCDCTL_API=2", "etcdctl", "get", &key])
            });
            assert_eq!(announced.trim(), other.address().to_string());
        }
        assert_eq!(host.show("cloud-config.target", "ActiveState"), "active");
        let status = cloud_config(host, &["status", "--wait"]);
        assert!(status.contains("status: done\nsource: nocloud\n"), "{status}");
    }
}

#[test]
fn a_document_that_is_applied_again_changes_nothing() {
    let documented = Documented::new();
    let host = &documented.hosts()[0];
    let units = ["etcd", "fleet", "host"];
    let before = (inodes(host), units.map(|unit| host.main_pid(unit)));
    let cursor = host.journal_cursor();

    assert_eq!(cloud_config(host, &["apply"]), "0 changes\n");

    assert_eq!((inodes(host), units.map(|unit| host.main_pid(unit))), before);
    let said = host.said_by_systemd(&cursor);
    assert!(!said.iter().any(|(_, message)| message.contains("Reloading")), "{said:?}");
}

#[test]
fn a_host_that_loses_power_becomes_again_what_it_was() {
    let documented = Documented::new();
    let host = &documented.hosts()[2];

    host.power_off().unwrap();
    host.bring_up().unwrap();

    documented.await_members();
    let status = cloud_config(host, &["status", "--wait"]);
    assert!(status.contains("start etcd.service: done\n"), "{status}");
    assert!(status.contains("start host.service: done\n"), "{status}");
    let members = host.read(["etcdctl", "member", "list", "--write-out=simple"]).unwrap();
    assert_eq!(members.lines().count(), 3, "{members}");
}

#[test]
fn a_unit_for_the_cluster_runs_once_and_stays_away_when_it_was_destroyed() {
    let documented = Documented::new();
    let hosts = documented.hosts();
    let document = "#cloud-config\ncoreos:\n  etcd: {discovery: URL, addr: '$private_ipv4:4001', \
                    peer-addr: '$private_ipv4:7001'}\n  units:\n    - name: once.service\n      \
                    command: start\n      cluster: true\n      content: |\n        [Service]\n        \
                    ExecStart=/bin/sleep infinity\n";
    let active = || hosts.iter().filter(|host| host.is_active("once.service")).count();

    for host in &hosts {
        // The section of etcd stays as it is.
        let seed = host.read(["cat", SEED]).unwrap();
        let url = seed.lines().find_map(|line| line.trim().strip_prefix("discovery: ")).unwrap();
        host.write("/root/once.yml", document.replace("URL", url).as_bytes()).unwrap();
        let applied = cloud_config(host, &["apply", "/root/once.yml"]);
        assert!(applied.contains("start once.service in the cluster: done\n"), "{applied}");
    }
    until(PATIENCE, "the unit runs on one machine", || match active() {
        1 => Ok(()),
        count => Err(count),
    });
    hosts[1].read(["fleetctl", "destroy", "once.service"]).unwrap();

    // As after a boot: nothing was asked yet.
    hosts[2].read(["rm", "/run/cloud-config/asked.json"]).unwrap();
    let applied = cloud_config(&hosts[2], &["apply", "/root/once.yml"]);

    assert!(applied.contains("start once.service in the cluster: done\n"), "{applied}");
    let units = hosts[2].read(["fleetctl", "list-unit-files", "--no-legend"]).unwrap();
    assert_eq!((units.as_str(), active()), ("", 0));
}

#[test]
fn the_example_with_elasticsearch_pulls_its_image_and_runs_it() {
    let documented = Documented::new();
    let host = &documented.hosts()[1];
    host.write("/root/es.yml", EXAMPLE.as_bytes()).unwrap();

    let applied = cloud_config(host, &["apply", "/root/es.yml"]);

    assert!(applied.contains("start es.service: done\n"), "{applied}");
    let images = host.read(["docker", "images", "--format={{.Repository}}"]).unwrap();
    assert!(images.contains("dockerfile/elasticsearch"), "{images}");
    assert_eq!(host.show("es.service", "Result"), "success");
}

#[test]
fn a_user_whose_group_is_there_first_is_made() {
    let documented = Documented::new();
    let host = &documented.hosts()[1];
    let document = "#cloud-config\nusers: [{name: joe}, {name: ann, groups: [joe]}]\n";
    host.write("/root/users.yml", document.as_bytes()).unwrap();

    cloud_config(host, &["apply", "/root/users.yml"]);

    assert_eq!(host.read(["id", "--group", "--name", "joe"]).unwrap(), "joe\n");
    assert_eq!(host.read(["id", "--groups", "--name", "ann"]).unwrap(), "ann joe\n");
}

/// A unit may be ordered after us, and after all that is ordered after us.
#[test]
fn units_that_wait_for_the_boot_and_for_cloud_config_hold_up_neither() {
    let documented = Documented::new();
    let host = &documented.hosts()[2];
    let document = host.read(["cat", SEED]).unwrap();
    let waiting = "    - name: waiting.service\n      command: start\n      content: |\n        \
                   [Unit]\n        After=cloud-config.service multi-user.target\n        \
                   Requires=cloud-config.service\n        [Service]\n        \
                   ExecStart=/bin/sleep infinity\nruncmd:\n  - systemctl start second.service\n\
                   write_files:\n  - path: /etc/systemd/system/second.service\n    content: |\n      \
                   [Unit]\n      After=cloud-config.service\n      [Service]\n      \
                   ExecStart=/bin/sleep infinity\n";
    let kept = kept_seed(host);
    host.write(SEED, format!("{document}{waiting}").as_bytes()).unwrap();
    // Another instance, so that the script runs again.
    let script = "sed -i \"s/^instance-id: .*/instance-id: $(cat /proc/sys/kernel/random/uuid)/\" \
                  /var/lib/cloud/seed/nocloud/meta-data";
    host.read(["sh", "-c", script]).unwrap();

    host.power_off().unwrap();
    host.bring_up().unwrap();

    let status = cloud_config(host, &["status", "--wait"]);
    assert!(status.contains("start waiting.service: done\n"), "{status}");
    assert!(host.is_active("waiting.service") && host.is_active("second.service"), "{status}");
    drop(kept);
}

/// Debian's package enables etcd, which would come up with its settings, and alone.
#[test]
fn an_etcd_that_is_enabled_starts_with_the_settings_of_the_document() {
    let documented = Documented::new();
    let host = &documented.hosts()[2];
    let wanted = "rm /etc/systemd/system/multi-user.target.wants/etcd.service";
    let enabled = Undo::new(host, wanted);
    host.read(["systemctl", "add-wants", "multi-user.target", "etcd.service"]).unwrap();

    host.power_off().unwrap();
    host.bring_up().unwrap();

    documented.await_members();
    let at = |unit: &str, property: &str| -> u64 { host.show(unit, property).parse().unwrap() };
    let active = at("cloud-config.service", "ActiveEnterTimestampMonotonic");
    let started = at("etcd.service", "ExecMainStartTimestampMonotonic");
    assert!(active > 0 && started >= active, "{started} {active}");
    assert_eq!(host.show("etcd.service", "NRestarts"), "0");
    drop(enabled);
}

/// Nothing of the rest is done, early or late, although it comes first.
#[test]
fn a_host_that_boots_from_a_document_with_an_error_is_reachable_and_says_where_it_is() {
    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIqaAYbJ7cPBQd3oZkXbQnUgAhxBGYxVCwRLgZ0p9bUT me";
    let documented = Documented::new();
    let host = &documented.hosts()[2];
    let name = host.read(["cat", "/etc/hostname"]).unwrap();
    let kept = kept_seed(host);
    let bad = "hostname: never\nwrite_files:\n  - path: /etc/never\n    content: never\n";
    let document = host.read(["cat", SEED]).unwrap();
    let last = "    - name: last.service\n      comand: start\n";
    host.write(SEED, format!("{document}{last}{bad}").as_bytes()).unwrap();
    let script = "printf 'public-keys:\n  - %s\n' \"$1\" >>/var/lib/cloud/seed/nocloud/meta-data";
    host.read(["sh", "-c", script, "sh", KEY]).unwrap();

    host.power_off().unwrap();
    assert_eq!(host.power_on().and_then(|()| host.wait_until_up()).unwrap(), "degraded");

    let status = host.output(["cloud-config", "status", "--wait"], b"").unwrap();
    let told = String::from_utf8_lossy(&status.stdout).into_owned();
    assert_eq!(status.status.code(), Some(1), "{told}");
    assert!(told.contains("did you mean `command`?"), "{told}");
    assert_eq!(host.show("cloud-config", "Result"), "exit-code");
    assert_eq!(host.read(["cat", "/etc/hostname"]).unwrap(), name);
    assert_eq!(host.read(["hostname"]).unwrap(), name);
    let keys = host.read(["cat", "/home/core/.ssh/authorized_keys"]).unwrap();
    assert!(keys.contains(KEY), "{keys}");
    assert!(!host.output(["test", "-e", "/etc/never"], b"").unwrap().status.success());
    assert!(!["etcd", "fleet", "host"].iter().any(|unit| host.is_active(unit)), "{told}");

    drop(kept);
    host.read(["systemctl", "restart", "cloud-config"]).unwrap();
    documented.await_members();
}

/// A host's user data and metadata are put back when this is dropped.
fn kept_seed(host: &Host) -> Undo {
    host.read(["cp", "-a", "/var/lib/cloud/seed/nocloud", "/root/seed"]).unwrap();
    Undo::new(
        host,
        "rm -rf /var/lib/cloud/seed/nocloud && mv /root/seed /var/lib/cloud/seed/nocloud",
    )
}
