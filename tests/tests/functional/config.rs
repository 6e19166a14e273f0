//! fleetd's settings, and what can be done to a fleetd that runs.

use fleet_tests::wait::until;
use serde_json::{Value, json};

use crate::fixture::{Fleet, PATIENCE, Systemd, Undo, sleeper};
use crate::http::get;

/// Follows events on one connection, for as long as that lasts.
const FOLLOW: &str = "systemd-run --quiet --unit=follower sh -c 'exec curl --silent --no-buffer \
    --unix-socket /run/fleet.sock http://fleet/fleet/v2/events >/root/followed'";

/// Acceptance row 27.
#[test]
fn a_reload_follows_metadata_and_verbosity_and_touches_neither_units_nor_listeners() {
    let fleet = Fleet::of(1);
    let path = fleet.write("hello.service", &sleeper(""));
    fleet.fleetctl(&["start", &path]).good();
    let host = Systemd(fleet.host(1));
    let before = [host.main_pid("fleet"), host.main_pid("hello.service")];
    let socket = || host.read(["stat", "--format=%i", "/run/fleet.sock"]).unwrap();
    let listener = socket();
    let followed = || host.read(["cat", "/root/followed"]).unwrap_or_default();
    let _gone = Undo::new(&host, "systemctl stop follower; rm -f /root/followed");
    host.read(["sh", "-c", FOLLOW]).unwrap();
    until(PATIENCE, "events are followed", || match followed() {
        said if said.contains("hello.service") => Ok(()),
        said => Err(said),
    });
    let cursor = host.journal_cursor();

    append(&host, "metadata=\"disk=ssd\"\nverbosity=1\ntoken_limit=7\n");
    host.read(["systemctl", "reload", "fleet"]).unwrap();

    await_metadata(&fleet, "disk=ssd");
    let said = journal(&host, &cursor);
    let reloading = "Reloading configuration configuration=\"/etc/fleet/fleet.conf\"";
    assert!(said.contains(reloading), "{said}");
    assert!(said.contains("need a restart of fleet, which leaves units running"), "{said}");
    assert!(said.contains("token_limit"), "{said}");
    let second = fleet.write("second.service", &sleeper(""));
    fleet.fleetctl(&["start", &second]).good();
    until(PATIENCE, "a stream that was open goes on", || match followed() {
        said if said.contains("second.service") => Ok(()),
        said => Err(said),
    });
    assert_eq!(socket(), listener);
    // At level debug.
    await_journal(&host, &cursor, "Planned");

    let cursor = host.journal_cursor();
    append(&host, "metadata=\"disk=none\"\nagent_tll=5s\n");
    host.read(["systemctl", "reload", "fleet"]).unwrap();

    await_journal(&host, &cursor, "did you mean \\\"agent_ttl\\\"?");
    await_journal(&host, &cursor, "all settings stay as they are");
    await_metadata(&fleet, "disk=ssd");
    assert_eq!([host.main_pid("fleet"), host.main_pid("hello.service")], before);
    let how = ["ActiveState", "Result", "NRestarts"].map(|property| host.show("fleet", property));
    assert_eq!(how, ["active", "success", "0"]);
    assert_eq!(get(&host, "/fleet/v1/machines").status, 200);
}

/// Where fleetd asks etcd that was told of nothing but the member on its own host.
fn endpoints(fleet: &Fleet) -> Vec<String> {
    let members = (1..=3).map(|number| fleet.host(number).address().to_string());
    let addresses = ["127.0.0.1".to_owned()].into_iter().chain(members);
    addresses.map(|address| format!("http://{address}:2379")).collect()
}

#[test]
fn a_dump_tells_on_one_line_what_the_machine_holds() {
    let fleet = Fleet::of(1);
    let path = fleet.write("hello.service", &sleeper(""));
    fleet.fleetctl(&["start", &path]).good();
    let host = Systemd(fleet.host(1));
    let id = host.machine_id().unwrap();
    let cursor = host.journal_cursor();

    host.read(["systemctl", "kill", "--signal=USR1", "--kill-who=main", "fleet"]).unwrap();

    let dump = until(PATIENCE, "the journal has the dump", || {
        let said = journal(&host, &cursor);
        let line = said.lines().find(|line| line.starts_with('{')).map(str::to_owned);
        line.ok_or(said)
    });
    let dump: Value = serde_json::from_str(&dump).unwrap();
    assert_eq!(dump["Agent"], json!({"Cache": {"TargetStates": {"hello.service": "launched"}}}));
    assert_eq!(dump["UnitStateGenerator"], json!({"Subscribed": ["hello.service"]}));
    let state = &dump["UnitStatePublisher"]["Cache"]["hello.service"];
    assert_eq!([&state["ActiveState"], &state["MachineID"]], ["active", &*id]);
    assert_eq!(dump["assignments"]["hello.service"]["phase"], "held");
    assert_eq!(dump["applied"]["hello.service"]["target"], "launched");
    assert_eq!(dump["registration"], "registered");
    assert_eq!([&dump["leader"], &dump["machine"]["hostname"]], [&*id, host.name()]);
    assert_eq!(dump["store"], true);
    assert_eq!(dump["endpoints"], json!(endpoints(&fleet)));
}

#[test]
fn metrics_tell_who_leads_and_what_runs() {
    let fleet = Fleet::of(2);
    let path = fleet.write("hello.service", &sleeper("Global=true"));
    fleet.fleetctl(&["start", &path]).good();
    let value = |host: &fleet_tests::Host, name: &str| -> f64 {
        let answer = get(host, "/metrics");
        assert_eq!(answer.status, 200, "{answer:?}");
        let line = answer.body.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in {}", answer.body)).trim().parse().unwrap()
    };

    until(PATIENCE, "both run their copy", || {
        let running = fleet
            .hosts()
            .iter()
            .all(|host| value(host, "fleet_agent_units{active=\"active\"}") == 1.0);
        if running { Ok(()) } else { Err("not yet") }
    });
    let leads = |host: &fleet_tests::Host| value(host, "fleet_engine_leader_start_time") > 0.0;
    assert_eq!(fleet.hosts().iter().filter(|host| leads(host)).count(), 1);
    for host in fleet.hosts() {
        assert!(value(&host, "fleet_agent_registered") > 0.0);
        assert!(
            value(&host, "fleet_store_request_duration_seconds_count{request=\"commit\"}") > 0.0
        );
        assert!(value(&host, "process_resident_memory_bytes") > 0.0);
        let scheduled = "fleet_engine_task_count_total{type=\"attemptscheduleunit\"}";
        assert!(value(&host, scheduled) >= 2.0 || !leads(&host));
    }
}

#[test]
fn each_setting_is_printed_with_the_place_that_it_comes_from() {
    let fleet = Fleet::of(1);
    let host = fleet.host(1);
    append(&host, "agent_ttl=5s\netcd_username=me\netcd_password=hidden\n");

    let line = ["env", "FLEET_METADATA=a=b", "fleetd", "--print-config", "--token-limit=9"];
    let printed = host.read(line).unwrap();

    let line_of = |start: &str| {
        let line = printed.lines().find(|line| line.starts_with(start));
        line.unwrap_or_else(|| panic!("no {start} in {printed}")).to_owned()
    };
    assert!(line_of("agent_ttl=5s").ends_with("# /etc/fleet/fleet.conf line 1"), "{printed}");
    assert!(line_of("metadata=a=b").ends_with("# FLEET_METADATA"), "{printed}");
    assert!(line_of("token_limit=9").ends_with("# --token_limit"), "{printed}");
    assert!(line_of("reschedule_grace=0s").ends_with("# default"), "{printed}");
    assert!(line_of("etcd_password=****").ends_with("fleet.conf line 3"), "{printed}");
    assert!(!printed.contains("hidden"), "{printed}");
}

#[test]
fn the_published_address_follows_the_default_route() {
    let fleet = Fleet::of(1);
    let host = Systemd(fleet.host(1));
    let _gone = Undo::new(
        &host,
        "ip link show other0 && ip link del other0; systemctl restart systemd-networkd",
    );
    await_address(&fleet, &host.address().to_string());
    let before = host.main_pid("fleet");
    let route = host.read(["ip", "route", "show", "default"]).unwrap();

    let script = "ip link add other0 type veth peer name other1 && ip link set other1 up && \
                  ip addr add 192.0.2.7/24 dev other0 && ip link set other0 up && \
                  ip route replace default via 192.0.2.1 dev other0 proto static";
    host.read(["sh", "-c", script]).unwrap();
    await_address(&fleet, "192.0.2.7");
    let script = format!("ip link del other0; ip route replace {}", route.trim());
    host.read(["sh", "-c", &script]).unwrap();

    await_address(&fleet, &host.address().to_string());
    assert_eq!(host.main_pid("fleet"), before);
}

/// Acceptance row 29.
#[test]
fn a_fleetd_whose_store_answers_nothing_is_stopped_in_order() {
    let fleet = Fleet::of(3);
    let path = fleet.write("hello.service", &sleeper("Global=true"));
    fleet.fleetctl(&["start", &path]).good();
    let hosts: Vec<_> = fleet.hosts().into_iter().map(Systemd).collect();
    let host = &hosts[0];
    fleet.await_everywhere("hello.service");
    let cursor = host.journal_cursor();
    // Connections are taken, and nothing ever comes back.
    let silenced: Vec<_> =
        hosts.iter().map(|host| Undo::new(host, "systemctl kill -s CONT etcd")).collect();
    for host in &hosts {
        host.read(["systemctl", "kill", "--signal=STOP", "etcd"]).unwrap();
    }

    await_journal(host, &cursor, "Presence is not renewed");
    host.read(["systemctl", "stop", "fleet.socket", "fleet"]).unwrap();

    let how = ["ActiveState", "SubState", "Result", "ExecMainStatus"];
    let how = how.map(|property| host.show("fleet.service", property));
    assert_eq!(how, ["inactive", "dead", "success", "0"]);
    assert!(!host.is_active("hello.service"));
    drop(silenced);
}

/// An authority, the certificate of a machine, and those of two clients of which one is a stranger's.
const CERTIFICATES: &str = "\
    set -e; mkdir -p /root/tls; cd /root/tls
    authority() {
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
            -subj /CN=$1 -keyout $1-key.pem -out $1.pem
    }
    certificate() {
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=$2 \
            -keyout $2-key.pem -out $2.csr
        echo subjectAltName=IP:$3 >$2.ext
        openssl x509 -req -days 2 -in $2.csr -CA $1.pem -CAkey $1-key.pem -CAcreateserial \
            -extfile $2.ext -out $2.pem
    }
    authority ca; authority strangers
    certificate ca machine $1; certificate ca renewed $1
    certificate ca me 127.0.0.1; certificate strangers stranger 127.0.0.1";

#[test]
fn the_api_on_tcp_answers_who_shows_a_certificate_and_follows_new_ones() {
    let fleet = Fleet::of(2);
    let host = Systemd(fleet.host(1));
    let address = host.address().to_string();
    let output = host.output(["sh", "-c", CERTIFICATES, "sh", &address], b"").unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let drop_in = "/run/systemd/system/fleet.socket.d/tcp.conf";
    let again = "systemctl stop fleet.socket fleet && systemctl daemon-reload && \
                 systemctl start fleet.socket fleet";
    let _gone = Undo::new(
        &host,
        format!("rm -rf /root/tls {drop_in}; sed -i /api_/d /etc/fleet/fleet.conf; {again}"),
    );
    host.write(drop_in, b"[Socket]\nListenStream=49153\n").unwrap();
    append(
        &host,
        "api_cafile=/root/tls/ca.pem\napi_certfile=/root/tls/machine.pem\n\
         api_keyfile=/root/tls/machine-key.pem\n",
    );
    host.read(["sh", "-c", again]).unwrap();
    fleet.await_machines(2);
    let list = |endpoint: &str, ca: &str, client: Option<&str>| {
        let endpoint = format!("--endpoint={endpoint}");
        let ca = format!("--ca-file=/root/tls/{ca}.pem");
        let mut line = vec![&*endpoint, &ca, "list-machines", "--no-legend", "--fields=ip"];
        let shown = client.map(|name| {
            [
                format!("--cert-file=/root/tls/{name}.pem"),
                format!("--key-file=/root/tls/{name}-key.pem"),
            ]
        });
        line.extend(shown.iter().flatten().map(String::as_str));
        fleet.fleetctl(&line)
    };
    let https = format!("https://{address}:49153");

    assert_eq!(list(&https, "ca", Some("me")).good().stdout.lines().count(), 2);
    let cases = [
        (&*https, "ca", None, "it asks for a certificate; --cert-file and --key-file name one"),
        (&https, "ca", Some("stranger"), "it does not accept the certificate"),
        (&https, "strangers", Some("me"), "--ca-file names an authority"),
        (&https.replace("https", "http"), "ca", None, "fleet"),
    ];
    for (endpoint, ca, client, sentence) in cases {
        let refused = list(endpoint, ca, client);
        assert_eq!(refused.code, 1, "{refused:?}");
        assert!(refused.stderr.contains(sentence), "{sentence}: {refused:?}");
    }

    let pid = host.main_pid("fleet");
    let serial = || {
        let script = "openssl s_client -connect $1 -cert me.pem -key me-key.pem </dev/null 2>&1 | \
                      openssl x509 -noout -subject";
        let script = format!("cd /root/tls && {script}");
        host.read(["sh", "-c", &script, "sh", &format!("{address}:49153")]).unwrap()
    };
    assert!(serial().contains("CN = machine"), "{}", serial());
    append(&host, "api_certfile=/root/tls/renewed.pem\napi_keyfile=/root/tls/renewed-key.pem\n");
    host.read(["systemctl", "reload", "fleet"]).unwrap();
    until(PATIENCE, "new connections see the new certificate", || {
        let shown = serial();
        if shown.contains("CN = renewed") { Ok(()) } else { Err(shown) }
    });
    list(&https, "ca", Some("me")).good();
    assert_eq!(host.main_pid("fleet"), pid);
}

/// Adds lines to the `fleet.conf` of a host, for as long as the test lasts.
fn append(host: &fleet_tests::Host, lines: &str) {
    let script = "printf %s \"$1\" >>/etc/fleet/fleet.conf";
    host.read(["sh", "-c", script, "sh", lines]).unwrap();
}

/// What was said since. With a filter journalctl would leave out the first line that passes it.
fn journal(host: &Systemd, cursor: &str) -> String {
    host.sync_journal();
    host.read(["journalctl", "--output=cat", cursor]).unwrap()
}

#[track_caller]
fn await_journal(host: &Systemd, cursor: &str, words: &str) {
    until(PATIENCE, format!("fleetd says {words:?}"), || {
        let said = journal(host, cursor);
        if said.contains(words) { Ok(()) } else { Err(said) }
    });
}

#[track_caller]
fn await_metadata(fleet: &Fleet, pair: &str) {
    await_field(fleet, "metadata", pair);
}

#[track_caller]
fn await_address(fleet: &Fleet, address: &str) {
    await_field(fleet, "ip", address);
}

#[track_caller]
fn await_field(fleet: &Fleet, field: &str, value: &str) {
    until(PATIENCE, format!("the machine has {field} {value}"), || {
        let fields = format!("--fields={field}");
        let printed = fleet.fleetctl(&["list-machines", "--no-legend", "--full", &fields]);
        if printed.stdout.trim() == value { Ok(()) } else { Err(format!("{printed:?}")) }
    });
}
