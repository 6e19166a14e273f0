//! What is wrong is refused with a sentence; nothing that runs is touched.

use fleet_tests::wait::attempt;

use crate::fixture::{Fleet, PATIENCE, Systemd, Undo, sleeper};

#[test]
fn text_that_is_not_a_unit_and_names_that_are_none_are_refused() {
    let fleet = Fleet::of(1);
    let prose = fleet.write("prose.service", "This is no unit file.\n");
    let broken = fleet.write("broken.service", "[Service\nExecStart=/bin/true\n");

    for (path, what) in [(prose.as_str(), "[Section]"), (broken.as_str(), "line 1")] {
        let refused = fleet.fleetctl(&["submit", path]);
        assert_eq!(refused.code, 1, "{refused:?}");
        assert!(refused.stderr.contains(what), "{refused:?}");
    }
    let refused = fleet.fleetctl(&["submit", "no%good.service"]);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("invalid character '%'"), "{refused:?}");
    assert_eq!(fleet.unit_files(), Vec::<String>::new());
}

#[test]
fn bodies_that_are_no_json_or_too_large_are_refused() {
    let fleet = Fleet::of(1);
    let put = |script: &str| {
        let url = "http://fleet/fleet/v1/units/a.service";
        let curl = "curl -s -o /tmp/body -w '%{http_code} ' --unix-socket /run/fleet.sock -X PUT";
        let line = format!(
            "{script} | {curl} -H 'Content-Type: application/json' --data-binary @- {url}; cat /tmp/body"
        );
        fleet.host(1).read(["sh", "-c", &line]).unwrap()
    };

    let garbage = put("echo '{nonsense'");
    let huge = put("head -c 700000 /dev/zero | tr '\\0' a");

    assert!(garbage.starts_with("400 {\"error\":"), "{garbage}");
    assert!(huge.starts_with("413 {\"error\":"), "{huge}");
}

#[test]
fn garbage_in_the_store_is_told_and_leaves_running_units_alone() {
    let fleet = Fleet::of(3);
    let path = fleet.write("hello.service", &sleeper(""));
    fleet.fleetctl(&["start", &path]).good();
    let machine = fleet.await_active(1)["hello.service"].clone();
    let holder = Systemd(fleet.host_of(&machine));
    let pid = holder.main_pid("hello.service");
    let key = format!("/_coreos.com/fleet/schedule/{machine}/hello.service");
    let etcdctl = |words: &str| {
        let script = format!("ETCDCTL_API=3 etcdctl {words}");
        fleet.host(1).read(["sh", "-c", &script]).unwrap()
    };
    let good = etcdctl(&format!("get --print-value-only {key}")).trim().to_owned();

    let junk = "/_coreos.com/fleet/units/junk.service";
    let script = format!("export ETCDCTL_API=3; etcdctl del {junk}; etcdctl put {key} '{good}'");
    let cleared = Undo::new(&fleet.host(1), script);
    etcdctl(&format!("put {key} garbage"));
    etcdctl(&format!("put {junk} junk"));

    let listed = attempt(PATIENCE, "the lists tell of it", || {
        let listed = fleet.fleetctl(&["list-units"]);
        let told = listed.stderr.contains(&key) && listed.stderr.contains("junk.service");
        if told { Ok(()) } else { Err(format!("{listed:?}")) }
    });
    let kept = holder.main_pid("hello.service");
    // Before any claim: the next test shall find no garbage.
    drop(cleared);
    listed.unwrap();
    assert_eq!(kept, pid);
    holder.sync_journal();
    let journal = holder.read(["journalctl", "--unit=fleet", "--output=cat", "--boot"]).unwrap();
    assert!(journal.contains(&key), "the log names the key: {journal}");
    fleet.await_active(1);
    assert_eq!(holder.main_pid("hello.service"), pid);
}

#[test]
fn a_misspelt_option_is_refused_with_the_nearest_one() {
    let fleet = Fleet::of(1);
    let host = fleet.host(1);
    host.write("/root/bad.conf", b"agent_tll=5s\n").unwrap();

    let refused = host.output(["/usr/bin/fleetd", "--config=/root/bad.conf"], b"").unwrap();

    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(
        said.contains("bad.conf") && said.contains("agent_tll") && said.contains("agent_ttl"),
        "{said}"
    );
}

#[test]
fn a_unit_named_like_one_of_the_host_is_never_touched() {
    let fleet = Fleet::of(1);
    let host = Systemd(fleet.host(1));
    let before = (host.main_pid("ssh.service"), host.show("ssh.service", "FragmentPath"));
    let path = fleet.write("ssh.service", &sleeper(""));

    let refused = fleet.fleetctl(&["start", &path]);

    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stderr.contains("ssh.service"), "{refused:?}");
    assert!(refused.stderr.contains("host"), "{refused:?}");
    fleet.fleetctl(&["destroy", "ssh.service"]).good();
    let after = (host.main_pid("ssh.service"), host.show("ssh.service", "FragmentPath"));
    assert_eq!(after, before);
}
