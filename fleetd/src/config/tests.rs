use std::net::IpAddr;
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::*;
use crate::registry::key::KeyPrefix;
use crate::store::etcd::{Credentials, EtcdOptions, TlsFiles};

fn of(file: &str, environment: &[(&str, &str)], flags: &[(Key, &str)]) -> Result<Settings, String> {
    Settings::check(&merged(file, environment, flags)).map_err(|error| error.to_string())
}

fn merged(file: &str, environment: &[(&str, &str)], flags: &[(Key, &str)]) -> Merged {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Merged::of_layers([
        Fragment::of_file(Path::new("fleet.conf"), file),
        Fragment::of_environment(environment.iter().map(owned)),
        Fragment::of_flags(flags.iter().map(|(key, value)| (*key, (*value).to_owned()))),
    ])
}

fn defaults() -> Settings {
    Settings {
        agent_ttl: Duration::from_secs(30),
        api_tls: None,
        disable_engine: false,
        prefix: KeyPrefix::new("/_coreos.com/fleet"),
        insecure_tcp: false,
        metadata: [].into(),
        public_ip: None,
        reschedule_grace: Duration::ZERO,
        store: StoreChoice::Etcd(EtcdOptions {
            endpoints: vec!["http://127.0.0.1:2379".into(), "http://127.0.0.1:4001".into()],
            request_timeout: Duration::from_secs(1),
            credentials: None,
            tls: None,
        }),
        store_reason: StoreReason::NothingSaid,
        systemd_user: false,
        token_limit: NonZeroU16::new(100).unwrap(),
        units_directory: PathBuf::from("/run/fleet/units/"),
        debug: false,
    }
}

fn in_line(line: usize) -> Place {
    Place::File { path: PathBuf::from("fleet.conf"), line }
}

#[test]
fn a_file_that_says_nothing_means_the_defaults_of_1_0() {
    assert_eq!(of("", &[], &[]), Ok(defaults()));
}

#[test]
fn every_setting_of_a_file_counts() {
    let file = r#"
        verbosity=1
        etcd_servers=["https://10.0.0.1:2379", "https://10.0.0.2:2379"]
        etcd_username=fleet
        etcd_password="se#cret"
        etcd_cafile=/etc/ca.pem
        etcd_certfile=/etc/cert.pem
        etcd_keyfile=/etc/key.pem
        etcd_key_prefix=/custom//
        etcd_request_timeout=2.5
        engine_reconcile_interval=7
        public_ip=192.168.1.1
        metadata="region=us-west,role=db"
        agent_ttl=1m
        reschedule_grace=90s
        units_directory=/var/units
        systemd_user=True
        token_limit=50
        enable_grpc=false
        disable_engine=1
        disable_watches=false
        insecure_tcp=no
        api_cafile=/etc/api-ca.pem
        api_certfile=/etc/api.pem
        api_keyfile=/etc/api-key.pem
    "#;

    let expected = Settings {
        agent_ttl: Duration::from_secs(60),
        api_tls: Some(ApiTls {
            ca: "/etc/api-ca.pem".into(),
            cert: "/etc/api.pem".into(),
            key: "/etc/api-key.pem".into(),
        }),
        disable_engine: true,
        store: StoreChoice::Etcd(EtcdOptions {
            endpoints: vec!["https://10.0.0.1:2379".into(), "https://10.0.0.2:2379".into()],
            request_timeout: Duration::from_millis(2500),
            credentials: Some(Credentials { username: "fleet".into(), password: "se#cret".into() }),
            tls: Some(TlsFiles {
                ca: Some("/etc/ca.pem".into()),
                cert: Some("/etc/cert.pem".into()),
                key: Some("/etc/key.pem".into()),
            }),
        }),
        store_reason: StoreReason::EndpointsNamed(in_line(3)),
        prefix: KeyPrefix::new("/custom"),
        insecure_tcp: false,
        metadata: [("region".to_owned(), "us-west".to_owned()), ("role".into(), "db".into())]
            .into(),
        public_ip: Some(IpAddr::from([192, 168, 1, 1])),
        reschedule_grace: Duration::from_secs(90),
        systemd_user: true,
        token_limit: NonZeroU16::new(50).unwrap(),
        units_directory: PathBuf::from("/var/units"),
        debug: true,
    };
    assert_eq!(of(file, &[], &[]), Ok(expected));
}

#[test]
fn environment_beats_the_file_and_flags_beat_both() {
    let file = "agent_ttl=10s\npublic_ip=10.0.0.1\ntoken_limit=7\n";
    let environment = [
        ("FLEET_AGENT_TTL", "20s"),
        ("FLEET_PUBLIC_IP", ""),
        ("FLEET_LOG", "trace"),
        ("HOME", "/"),
    ];

    let settings = of(file, &environment, &[(Key::AgentTtl, "40s")]);

    let expected = Settings {
        agent_ttl: Duration::from_secs(40),
        token_limit: NonZeroU16::new(7).unwrap(),
        ..defaults()
    };
    assert_eq!(settings, Ok(expected));
}

#[test]
fn the_layer_of_a_value_is_known() {
    let merged = merged("\nverbosity=1\n", &[("FLEET_TOKEN_LIMIT", "5")], &[(Key::AgentTtl, "9s")]);

    let places: Vec<_> = [Key::Metadata, Key::Verbosity, Key::TokenLimit, Key::AgentTtl]
        .map(|key| merged.of(key).place.to_string())
        .into();
    assert_eq!(places, ["default", "fleet.conf line 2", "FLEET_TOKEN_LIMIT", "--agent_ttl"]);
}

#[test]
fn all_problems_are_reported_at_once_with_their_places() {
    let file = "agent_tll=5s\nagent_ttl=soon\nno setting\n";

    let text = of(file, &[("FLEET_TOKEN_LIMIT", "0"), ("FLEET_ETCD_SERVER", "x")], &[]);

    let expected = [
        "fleet.conf line 3: \"no\" is no setting: write key=value",
        "fleet.conf line 1: unknown setting \"agent_tll\", did you mean \"agent_ttl\"?",
        "FLEET_ETCD_SERVER: unknown setting \"etcd_server\", did you mean \"etcd_servers\"?",
        "fleet.conf line 2: agent_ttl=\"soon\": write a duration such as 30s or 1m30s",
        "FLEET_TOKEN_LIMIT: token_limit=\"0\": write a whole number from 1 to 65535",
    ];
    assert_eq!(text, Err(expected.join("\n")));
}

#[test]
fn each_wrong_value_has_its_sentence() {
    let cases = [
        ("agent_ttl=100ms", "agent_ttl=\"100ms\": it must be at least 1s"),
        ("reschedule_grace=-1s", "reschedule_grace=\"-1s\": write a duration such as 30s or 1m30s"),
        ("disable_engine=maybe", "disable_engine=\"maybe\": write true or false"),
        (
            "public_ip=host.example",
            "public_ip=\"host.example\": write an IP address such as 10.0.0.1",
        ),
        (
            "etcd_key_prefix=/",
            "etcd_key_prefix=\"/\": write a prefix with a name, such as /_coreos.com/fleet",
        ),
        ("units_directory=units", "units_directory=\"units\": write a path that begins with /"),
        ("verbosity=loud", "verbosity=\"loud\": write a whole number"),
        (
            "etcd_request_timeout=0",
            "etcd_request_timeout=\"0\": write seconds above 0, such as 1.0",
        ),
        (
            "etcd_servers=",
            "etcd_servers=\"\": name at least one endpoint, such as http://127.0.0.1:2379",
        ),
        (
            "etcd_servers=10.0.0.1:2379",
            "etcd_servers=\"10.0.0.1:2379\": \"10.0.0.1:2379\" is no URL; write http://HOST:PORT \
             or https://",
        ),
        ("etcd_certfile=/c.pem", "etcd_certfile is set and etcd_keyfile is not: set both or none"),
        ("etcd_keyfile=/k.pem", "etcd_keyfile is set and etcd_certfile is not: set both or none"),
        ("etcd_password=x", "etcd_password is set and etcd_username is not: set both or none"),
        ("api_cafile=/c.pem", "set all of api_cafile, api_certfile and api_keyfile, or none"),
        ("api_keyfile=k.pem", "api_keyfile=\"k.pem\": write a path that begins with /"),
        ("store=consul", "store=\"consul\": write etcd or embedded"),
        ("zebra=1", "unknown setting \"zebra\"; fleetd --help lists all settings"),
    ];

    for (file, sentence) in cases {
        assert_eq!(of(file, &[], &[]), Err(format!("fleet.conf line 1: {sentence}")), "{file}");
    }
}

#[test]
fn certificates_beside_a_permission_to_do_without_are_refused() {
    let file = "api_cafile=/a\napi_certfile=/b\napi_keyfile=/c\ninsecure_tcp=true\n";

    let sentence =
        "fleet.conf line 4: insecure_tcp and the certificates of the API are set: remove one";
    assert_eq!(of(file, &[], &[]), Err(sentence.to_owned()));
}

#[test]
fn the_store_is_embedded_if_nothing_is_configured_or_if_it_is_asked_for() {
    let chosen = |layers: Vec<Fragment>| {
        let settings = Settings::check(&Merged::of_layers(layers)).unwrap();
        (matches!(settings.store, StoreChoice::Embedded), settings.store_reason)
    };
    let file = |text: &str| Fragment::of_file(Path::new("fleet.conf"), text);
    let variable =
        |name: &str, value: &str| Fragment::of_environment([(name.to_owned(), value.to_owned())]);
    let flag = |key, value: &str| Fragment::of_flags([(key, value.to_owned())]);
    let named = Place::Environment("FLEET_STORE".to_owned());
    let unconfigured = (true, StoreReason::Unconfigured);
    let nothing_said = (false, StoreReason::NothingSaid);

    let cases = [
        (vec![], unconfigured.clone()),
        // Looking closer must not change what is looked at.
        (vec![variable("FLEET_LOG", "debug"), variable("HOME", "/")], unconfigured),
        (vec![file("")], nothing_said.clone()),
        (vec![file("agent_ttl=5s")], nothing_said.clone()),
        (vec![variable("FLEET_METADATA", "")], nothing_said.clone()),
        (vec![flag(Key::Verbosity, "1")], nothing_said.clone()),
        (vec![file("store=embedded")], (true, StoreReason::Said(in_line(1)))),
        (vec![file("store=")], nothing_said),
        (vec![variable("FLEET_STORE", "embedded")], (true, StoreReason::Said(named))),
        (vec![flag(Key::Store, "embedded")], (true, StoreReason::Said(Place::Flag(Key::Store)))),
        (vec![file("store=etcd")], (false, StoreReason::Said(in_line(1)))),
        (vec![file("\netcd_servers=http://a:1")], (false, StoreReason::EndpointsNamed(in_line(2)))),
        (vec![file("store=etcd\netcd_servers=http://a:1")], (false, StoreReason::Said(in_line(1)))),
    ];

    for (layers, expected) in cases {
        assert_eq!(chosen(layers.clone()), expected, "{layers:?}");
    }
}

#[test]
fn an_embedded_store_beside_settings_of_etcd_is_refused_with_both_names() {
    let file = "store=embedded\netcd_servers=http://a:1\netcd_username=u\n\
                etcd_key_prefix=/mine\ndisable_engine=true\netcd_cafile=\n";

    let text = of(file, &[], &[]);

    let expected = [
        "fleet.conf line 2: etcd_servers is set and store=embedded uses no etcd: remove one",
        "fleet.conf line 3: etcd_username is set and store=embedded uses no etcd: remove one",
        "fleet.conf line 5: disable_engine is set and with store=embedded no other machine can \
         lead: remove one",
    ];
    assert_eq!(text, Err(expected.join("\n")));
    assert!(of("etcd_servers=http://a:1", &[("FLEET_STORE", "embedded")], &[]).is_err());
    let taken_back = [("FLEET_STORE", "embedded"), ("FLEET_ETCD_SERVERS", "")];
    assert!(of("etcd_servers=http://a:1", &taken_back, &[]).is_ok());
}

#[test]
fn settings_without_effect_are_named_if_somebody_set_them() {
    let merged =
        merged("enable_grpc=true\nengine_reconcile_interval=5\ndisable_watches=false", &[], &[]);

    let notices: Vec<_> = Settings::notices(&merged)
        .into_iter()
        .map(|notice| (notice.warning, notice.problem.to_string()))
        .collect();

    let expected = [
        (
            true,
            "fleet.conf line 1: enable_grpc has no effect: machines talk through etcd v3, which \
             is fast enough for it",
        ),
        (
            false,
            "fleet.conf line 2: engine_reconcile_interval has no effect: the engine acts on \
             changes, when they happen",
        ),
    ];
    assert_eq!(notices, expected.map(|(warning, text)| (warning, text.to_owned())));
}

#[test]
fn a_named_file_must_exist_and_the_default_one_may() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("none.conf");

    let error = load(&Sources { file: Some(missing.clone()), ..Sources::default() }).unwrap_err();

    let expected = format!("cannot read the configuration file {}", missing.display());
    assert_eq!(error.to_string(), expected);
    assert!(matches!(read_default(&missing), Ok(None)));
}

#[test]
fn passwords_are_not_shown() {
    let settings = of("etcd_username=u\netcd_password=hidden", &[], &[]).unwrap();

    assert!(!format!("{settings:?}").contains("hidden"));
    for file in [
        "etcd_servers=https://me:hidden@10.0.0.1:2379",
        "etcd_servers=https://me:hid,hidden@10.0.0.1:2379",
        "etcd_servers=me:hidden@10.0.0.1",
        "etcd_password hidden",
        "etcd_password: hidden",
    ] {
        let error = of(file, &[], &[]).unwrap_err();
        assert!(!error.contains("hid"), "{error}");
    }
}

#[test]
fn the_sample_says_what_counts_without_it() {
    let sample = include_str!("../../dist/fleet.conf.sample");
    let settings = sample.lines().filter_map(|line| line.strip_prefix("# "));
    let written: Vec<_> = settings.filter(|line| Key::of(name(line)).is_some()).collect();
    let named: std::collections::BTreeSet<_> = written.iter().map(|line| name(line)).collect();

    let expected = Key::ALL.into_iter().filter(|key| !key.is_obsolete()).map(Key::name);
    assert_eq!(named, expected.collect());
    let values: Vec<_> = written.into_iter().filter(|line| name(line) != "metadata").collect();
    assert_eq!(of(sample, &[], &[]), Ok(defaults()));
    let store_reason = StoreReason::EndpointsNamed(in_line(2));
    assert_eq!(of(&values.join("\n"), &[], &[]), Ok(Settings { store_reason, ..defaults() }));
}

fn name(line: &str) -> &str {
    line.split_once('=').map_or("", |(name, _)| name)
}
