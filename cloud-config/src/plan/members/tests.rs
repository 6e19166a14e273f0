use super::*;
use crate::problem::Position;

fn section(options: &[(&'static str, &str)]) -> Section {
    let options = options.iter().map(|(option, value)| (*option, (*value).to_owned())).collect();
    Section { position: Some(Position::START), options }
}

fn content(generated: &[Generated], unit: &str) -> String {
    let found = generated.iter().find(|generated| generated.unit == unit);
    found.map(|generated| generated.content.clone()).unwrap_or_default()
}

fn told(warnings: &[Problem]) -> Vec<String> {
    warnings.iter().map(|problem| format!("{}: {}", problem.path, problem.text)).collect()
}

/// A value that an option can have, and other options that it needs.
fn sample(option: &'static str) -> Vec<(&'static str, &'static str)> {
    match option {
        "peers" => vec![("peer_addr", "10.0.0.5:7001"), (option, "10.0.0.6:7001")],
        "verbose" | "very_verbose" | "very_very_verbose" | "debug" => vec![(option, "true")],
        "election_timeout" | "peer_election_timeout" => vec![(option, "3000")],
        "listen_client_urls" => vec![(option, "http://127.0.0.1:2379")],
        _ => vec![(option, "100")],
    }
}

fn check_fates(name: &'static str, fates: &[(&'static str, Fate)]) {
    for (option, fate) in fates {
        let section = section(&sample(option));
        let value = section.options.last().map(|(_, value)| value.clone()).unwrap_or_default();
        let (variables, warnings) = etcd::translate(&section, name, fates);
        let lines = variables.drop_in().unwrap_or_default();
        let path = format!("coreos.{name}.{option}");
        match fate {
            Fate::Used => {
                let line = format!("\"ETCD_{}={value}\"", option.to_uppercase());
                assert!(lines.contains(&line), "{option}: {lines}");
            }
            Fate::Translated(names) => {
                for name in names.split(", ") {
                    let line = format!("\nEnvironment=\"{name}=");
                    assert_eq!(lines.matches(&line).count(), 1, "{option}: {lines}");
                }
            }
            Fate::Ignored(why) => {
                assert_eq!(told(&warnings), [format!("{path}: is ignored: {why}")]);
            }
        }
        assert!(warnings.iter().all(|warning| warning.path == path), "{warnings:?}");
    }
}

#[test]
fn each_option_of_etcd_0_4_has_its_fate() {
    check_fates("etcd", &ETCD);
}

#[test]
fn each_option_of_etcd_2_has_its_fate() {
    check_fates("etcd2", &ETCD2);
}

#[test]
fn the_manual_tells_the_fate_of_each_option() {
    let manual = include_str!("../../../../docs/applying.md");
    for (section, fates) in [("etcd", ETCD.as_slice()), ("etcd2", ETCD2.as_slice())] {
        let rows = fates.iter().map(|(option, fate)| match fate {
            Fate::Used => format!("| `{option}` | as it is |\n"),
            Fate::Translated(names) => {
                format!("| `{option}` | told as `{}` |\n", names.replace(", ", "`, `"))
            }
            Fate::Ignored(why) => format!("| `{option}` | ignored: {why} |\n"),
        });
        let table = format!(
            "### Options of `coreos.{section}`\n\n| option | |\n|---|---|\n{}\n",
            rows.collect::<String>()
        );
        assert!(manual.contains(&table), "{table}");
    }
}

#[test]
fn the_announcers_etcd_is_told_old_and_new_names() {
    let options = [
        ("addr", "10.0.0.5:4001"),
        ("discovery", "https://discovery.example/token"),
        ("peer_addr", "10.0.0.5:7001"),
    ];
    let coreos = CoreOs { etcd: section(&options), ..CoreOs::default() };

    let (generated, warnings) = drop_ins(&coreos);

    assert_eq!(told(&warnings), [""; 0]);
    assert_eq!(
        content(&generated, "etcd.service"),
        "[Service]\n\
         Environment=\"ETCD_ADDR=10.0.0.5:4001\"\n\
         Environment=\"ETCD_DISCOVERY=https://discovery.example/token\"\n\
         Environment=\"ETCD_PEER_ADDR=10.0.0.5:7001\"\n\
         Environment=\"ETCD_NAME=%m\"\n\
         Environment=\"ETCD_ADVERTISE_CLIENT_URLS=http://10.0.0.5:4001\"\n\
         Environment=\"ETCD_LISTEN_CLIENT_URLS=http://10.0.0.5:4001,http://127.0.0.1:4001,http://127.0.0.1:2379\"\n\
         Environment=\"ETCD_INITIAL_ADVERTISE_PEER_URLS=http://10.0.0.5:7001\"\n\
         Environment=\"ETCD_LISTEN_PEER_URLS=http://10.0.0.5:7001\"\n\
         Environment=\"ETCD_ENABLE_V2=true\"\n\
         Environment=\"ETCD_AUTO_COMPACTION_RETENTION=1\"\n"
    );
    assert_eq!(
        content(&generated, "fleet.service"),
        "[Service]\nEnvironment=\"FLEET_ETCD_SERVERS=http://127.0.0.1:2379\"\n"
    );
}

#[test]
fn peers_of_0_4_become_a_static_cluster_by_urls() {
    let options = [
        ("name", "50%"),
        ("peer_addr", "10.0.0.5:7001"),
        ("peers", "10.0.0.5:7001,10.0.0.6:7001, 10.0.0.7"),
    ];
    let (variables, _) = etcd::translate(&section(&options), "etcd", &ETCD);

    let lines = variables.drop_in().unwrap_or_default();
    let expected = "\"ETCD_INITIAL_CLUSTER=50%%=http://10.0.0.5:7001,\
                    peer-10.0.0.6-7001=http://10.0.0.6:7001,\
                    peer-10.0.0.7-7001=http://10.0.0.7:7001\"";
    assert!(lines.contains(expected), "{lines}");
}

#[test]
fn certificates_make_urls_secure() {
    let options = [("addr", "10.0.0.5"), ("cert_file", "/c"), ("ca_file", "/ca")];
    let coreos = CoreOs { etcd: section(&options), ..CoreOs::default() };

    let (generated, _) = drop_ins(&coreos);

    let etcd = content(&generated, "etcd.service");
    assert!(etcd.contains("LISTEN_CLIENT_URLS=https://10.0.0.5:4001,https://127.0.0.1:4001"));
    let fleet = content(&generated, "fleet.service");
    assert!(fleet.contains("FLEET_ETCD_SERVERS=https://127.0.0.1:2379"), "{fleet}");
}

#[test]
fn fleet_speaks_to_etcd_as_it_listens_on_the_loopback() {
    let (insecure, secure) = ("http://127.0.0.1:2379", "https://127.0.0.1:2379");
    for (options, url, listening) in [
        (
            vec![
                ("cert_file", "/c"),
                ("listen_client_urls", "https://10.0.0.1:2379,http://127.0.0.1:2379"),
            ],
            insecure,
            "https://10.0.0.1:2379,http://127.0.0.1:2379",
        ),
        (
            vec![("cert_file", "/c"), ("listen_client_urls", "https://10.0.0.1:2379")],
            secure,
            "https://10.0.0.1:2379,https://127.0.0.1:2379",
        ),
        (vec![("listen_client_urls", "https://0.0.0.0:2379")], secure, "https://0.0.0.0:2379"),
        (vec![("cert_file", "/c"), ("peer_addr", "10.0.0.1")], secure, secure),
        (vec![("name", "x")], insecure, ""),
    ] {
        let coreos = CoreOs { etcd2: section(&options), ..CoreOs::default() };

        let (generated, warnings) = drop_ins(&coreos);

        let etcd = content(&generated, "etcd2.service");
        let line = format!("\"ETCD_LISTEN_CLIENT_URLS={listening}\"");
        assert_eq!(etcd.contains(&line), !listening.is_empty(), "{etcd}");
        assert_eq!(
            content(&generated, "fleet.service"),
            format!("[Service]\nEnvironment=\"FLEET_ETCD_SERVERS={url}\"\n")
        );
        assert_eq!(told(&warnings), [""; 0]);
    }
}

#[test]
fn fleet_knows_etcds_authorities_and_is_asked_for_a_certificate() {
    let options = [("cert_file", "/c"), ("trusted_ca_file", "/ca"), ("client_cert_auth", "true")];
    let etcd2 = section(&options);

    let (generated, warnings) = drop_ins(&CoreOs { etcd2: etcd2.clone(), ..CoreOs::default() });

    let fleet = content(&generated, "fleet.service");
    assert!(fleet.contains("FLEET_ETCD_CAFILE=/ca\""), "{fleet}");
    assert_eq!(warnings[0].path, "coreos.fleet.etcd_certfile");
    let fleet = section(&[("etcd_certfile", "/f"), ("etcd_keyfile", "/k")]);
    assert_eq!(told(&drop_ins(&CoreOs { etcd2, fleet, ..CoreOs::default() }).1), [""; 0]);
}

#[test]
fn an_election_takes_five_heartbeats() {
    for (options, heartbeat, election, warns) in [
        (vec![("peer_heartbeat_interval", "50")], Some("50"), None, false),
        (vec![("peer_heartbeat_interval", "300")], Some("300"), Some("1500"), true),
        (vec![("peer_election_timeout", "200")], Some("40"), Some("200"), true),
        (
            vec![("peer_election_timeout", "200"), ("peer_heartbeat_interval", "50")],
            Some("50"),
            Some("250"),
            true,
        ),
    ] {
        let (variables, warnings) = etcd::translate(&section(&options), "etcd", &ETCD);

        let lines = variables.drop_in().unwrap_or_default();
        for (name, value) in [("HEARTBEAT_INTERVAL", heartbeat), ("ELECTION_TIMEOUT", election)] {
            let line = value.map(|value| format!("\"ETCD_{name}={value}\""));
            match line {
                Some(line) => assert!(lines.contains(&line), "{lines}"),
                None => assert!(!lines.contains(&format!("\"ETCD_{name}=")), "{lines}"),
            }
        }
        assert_eq!(!warnings.is_empty(), warns, "{options:?}");
    }
}

#[test]
fn fleet_is_told_all_options_and_what_is_said_of_the_store_stays() {
    let etcd2 = section(&[]);
    let servers = [("etcd_servers", "http://10.0.0.9:2379"), ("verify_units", "false")];
    for (fleet, expected) in [
        (
            section(&servers),
            "FLEET_ETCD_SERVERS=http://10.0.0.9:2379\"\nEnvironment=\"FLEET_VERIFY_UNITS=false",
        ),
        (section(&[("store", "embedded")]), "FLEET_STORE=embedded"),
        (
            section(&[("metadata", "a=b")]),
            "FLEET_METADATA=a=b\"\nEnvironment=\"FLEET_ETCD_SERVERS=http://127.0.0.1:2379",
        ),
    ] {
        let coreos = CoreOs { etcd2: etcd2.clone(), fleet, ..CoreOs::default() };

        let (generated, _) = drop_ins(&coreos);

        let lines = content(&generated, "fleet.service");
        assert_eq!(lines, format!("[Service]\nEnvironment=\"{expected}\"\n"));
    }
}

#[test]
fn a_proxy_is_no_member_for_fleet() {
    let coreos = CoreOs { etcd2: section(&[("proxy", "on")]), ..CoreOs::default() };

    let (generated, warnings) = drop_ins(&coreos);

    assert_eq!(content(&generated, "fleet.service"), "");
    assert_eq!(warnings[0].path, "coreos.etcd2.proxy");
}

#[test]
fn a_drop_in_with_a_password_is_a_secret() {
    let coreos = CoreOs { fleet: section(&[("etcd_password", "x")]), ..CoreOs::default() };

    assert!(drop_ins(&coreos).0[0].secret);
}

#[test]
fn locksmiths_window_has_names_of_its_own() {
    let options = [("endpoint", "http://a"), ("window_start", "Sun 1:00"), ("window_length", "1h")];
    let coreos = CoreOs { locksmith: section(&options), ..CoreOs::default() };

    assert_eq!(
        content(&drop_ins(&coreos).0, "locksmithd.service"),
        "[Service]\nEnvironment=\"LOCKSMITHD_ENDPOINT=http://a\"\n\
         Environment=\"REBOOT_WINDOW_START=Sun 1:00\"\nEnvironment=\"REBOOT_WINDOW_LENGTH=1h\"\n"
    );
}

#[test]
fn flannel_reads_a_file_without_quotes_or_a_last_newline() {
    let options = [("etcd_prefix", "/a"), ("interface", "10.0.0.5"), ("public_ip", "1.2.3.4")];

    assert_eq!(
        flannel_options(&section(&options)).as_deref(),
        Some("FLANNELD_ETCD_PREFIX=/a\nFLANNELD_IFACE=10.0.0.5\nFLANNELD_PUBLIC_IP=1.2.3.4")
    );
    assert_eq!(flannel_options(&section(&[])), None);
}

#[test]
fn updates_keep_what_is_not_about_them() {
    let options = [("reboot_strategy", "off"), ("group", "beta"), ("server", "s")];

    assert_eq!(
        update_conf(&section(&options), "# a\nGROUPX=1\nREBOOT_STRATEGY=awesome\nFOO=2").as_deref(),
        Some("# a\nGROUPX=1\nREBOOT_STRATEGY=off\nFOO=2\nGROUP=beta\nSERVER=s\n")
    );
    assert_eq!(update_conf(&section(&[]), "A=1"), None);
}

#[test]
fn an_image_is_named_only_with_an_id() {
    let options = [("id", "rackspace"), ("name", "Rack \"1\""), ("home_url", "https://a")];

    assert_eq!(
        oem_release(&section(&options)).as_deref(),
        Some(
            "ID=rackspace\nVERSION_ID=\nNAME=\"Rack \\\"1\\\"\"\nHOME_URL=\"https://a\"\n\
             BUG_REPORT_URL=\"\"\n"
        )
    );
    assert_eq!(oem_release(&section(&[("name", "a")])), None);
}
