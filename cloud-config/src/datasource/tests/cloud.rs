//! Datasources that are servers of a cloud.

use super::super::{Name, Stage, find, find_or_kept, keep};
use super::server::{Reply, TestServer, body, status};
use super::{Found, KEY, OTHER_KEY, found, host, metadata, of_server, search};
use crate::clock::TestClock;
use crate::facts::Metadata;

const TOKEN_HEADERS: &[&str] =
    &["X-aws-ec2-metadata-token", "X-aws-ec2-metadata-token-ttl-seconds"];

#[test]
fn ec2_is_asked_with_a_token() {
    let put = "PUT /latest/api/token X-aws-ec2-metadata-token-ttl-seconds: 21600";
    let bodies = [
        ("2009-04-04/", "meta-data\nuser-data"),
        ("2009-04-04/user-data", "one"),
        ("2009-04-04/meta-data/instance-id", "i-1"),
        ("2009-04-04/meta-data/hostname", "one.internal one.example"),
        ("2009-04-04/meta-data/local-ipv4", "10.0.0.5"),
        ("2009-04-04/meta-data/public-ipv4", "198.51.100.5"),
        ("2009-04-04/meta-data/public-keys", "0=jane\n1=john\nmalformed"),
        ("2009-04-04/meta-data/public-keys/0/openssh-key", KEY),
        ("2009-04-04/meta-data/public-keys/1/openssh-key", OTHER_KEY),
        ("latest/meta-data/ipv6", "2001:db8::5"),
    ];
    let script: Vec<(String, Vec<Reply>)> = bodies
        .iter()
        .map(|(path, text)| (format!("GET /{path} X-aws-ec2-metadata-token: t0"), vec![body(text)]))
        .chain([(put.to_owned(), vec![status(503), body("t0\n")])])
        .collect();
    let script: Vec<(&str, &[Reply])> =
        script.iter().map(|(key, replies)| (key.as_str(), replies.as_slice())).collect();
    let server = TestServer::start(TOKEN_HEADERS, &script);

    let addresses = (["198.51.100.5", "10.0.0.5"], ["2001:db8::5", ""]);
    let expected = Found {
        warnings: vec!["ec2: 1 lines of public-keys name no key".to_owned()],
        ..found(Name::Ec2, "one", metadata("i-1", "one.internal", addresses.0, addresses.1))
    };
    assert_eq!(of_server(Name::Ec2, &server), Ok(expected));
    assert_eq!(server.asked()[..2], [put, put]);
}

#[test]
fn ec2_without_tokens_is_asked_without() {
    for refusal in [status(403), status(404), status(405), status(501)] {
        let server = TestServer::start(
            TOKEN_HEADERS,
            &[
                ("PUT /latest/api/token X-aws-ec2-metadata-token-ttl-seconds: 21600", &[refusal]),
                ("GET /latest/meta-data/", &[body("hostname")]),
                ("GET /latest/user-data", &[body("one")]),
            ],
        );

        let expected = found(Name::Ec2, "one", Metadata::default());
        assert_eq!(of_server(Name::Ec2, &server), Ok(expected));
    }
}

#[test]
fn an_instance_without_user_data_still_has_metadata() {
    let server = TestServer::of_bodies(&[
        ("2009-04-04/", "meta-data"),
        ("2009-04-04/meta-data/hostname", "one"),
        ("2009-04-04/meta-data/local-ipv4", "nowhere"),
    ]);

    let expected = Found {
        user_data: None,
        metadata: Metadata { hostname: Some("one".to_owned()), ..Metadata::default() },
        source: Name::Ec2,
        warnings: vec!["ec2: local-ipv4 is not an address: passed over".to_owned()],
    };
    assert_eq!(of_server(Name::Ec2, &server), Ok(expected));
}

#[test]
fn digitalocean_is_read() {
    let json = format!(
        r#"{{"droplet_id": 2756294, "hostname": "one", "public_keys": ["{KEY}", "{OTHER_KEY}"],
            "interfaces": {{
                "public": [{{"ipv4": {{"ip_address": "198.51.100.5", "netmask": "255.255.240.0"}},
                            "ipv6": {{"ip_address": "2001:db8::5", "cidr": 64}}}}],
                "private": [{{"ipv4": {{"ip_address": "10.0.0.5"}}, "type": "private"}}]}}}}"#
    );
    let server =
        TestServer::of_bodies(&[("metadata/v1.json", &json), ("metadata/v1/user-data", "one")]);

    let expected = metadata("2756294", "one", ["198.51.100.5", "10.0.0.5"], ["2001:db8::5", ""]);
    assert_eq!(
        of_server(Name::DigitalOcean, &server),
        Ok(found(Name::DigitalOcean, "one", expected))
    );
}

#[test]
fn the_router_of_cloudstack_is_read() {
    let server = TestServer::of_bodies(&[
        ("latest/user-data", "one"),
        ("latest/meta-data/instance-id", "i-2-3-VM"),
        ("latest/meta-data/local-hostname", "one"),
        ("latest/meta-data/local-ipv4", "10.1.1.7"),
        ("latest/meta-data/public-ipv4", "198.51.100.5"),
        ("latest/meta-data/public-keys", &format!("{KEY}\n{OTHER_KEY}\n")),
    ]);

    let expected = metadata("i-2-3-VM", "one", ["198.51.100.5", "10.1.1.7"], ["", ""]);
    assert_eq!(of_server(Name::CloudStack, &server), Ok(found(Name::CloudStack, "one", expected)));
}

#[test]
fn gce_is_asked_with_its_header() {
    let bodies = [
        ("", "instance/"),
        ("instance/attributes/user-data", "one"),
        ("instance/id", "4711"),
        ("instance/hostname", "one.c.project.internal"),
        ("instance/attributes/ssh-keys", "jane:ssh-ed25519 AAAA jane\n"),
        ("project/attributes/ssh-keys", "john:ssh-rsa BBBB john"),
        ("instance/network-interfaces/0/ip", "10.0.0.5"),
        ("instance/network-interfaces/0/access-configs/0/external-ip", "198.51.100.5"),
    ];
    let script: Vec<(String, [Reply; 1])> = bodies
        .iter()
        .map(|(path, text)| {
            (format!("GET /computeMetadata/v1/{path} Metadata-Flavor: Google"), [body(text)])
        })
        .collect();
    let script: Vec<(&str, &[Reply])> =
        script.iter().map(|(key, replies)| (key.as_str(), replies.as_slice())).collect();
    let server = TestServer::start(&["Metadata-Flavor"], &script);

    let expected =
        metadata("4711", "one.c.project.internal", ["198.51.100.5", "10.0.0.5"], ["", ""]);
    assert_eq!(of_server(Name::Gce, &server), Ok(found(Name::Gce, "one", expected)));
}

#[test]
fn openstacks_service_is_read_with_addresses_of_its_other_half() {
    let json = format!(
        r#"{{"uuid": "83679162", "name": "one", "public_keys": {{"a": "{KEY}", "b": "{OTHER_KEY}"}}}}"#
    );
    let server = TestServer::start(
        &[],
        &[
            ("GET /openstack/latest/meta_data.json", &[status(404), body(&json)]),
            ("GET /openstack/latest/user_data", &[body("one")]),
            ("GET /latest/meta-data/local-ipv4", &[body("10.0.0.5\n10.0.1.5")]),
            ("GET /latest/meta-data/public-ipv4", &[status(500)]),
        ],
    );

    let expected = metadata("83679162", "one", ["", "10.0.0.5"], ["", ""]);
    let warning =
        format!("openstack: {}latest/meta-data/public-ipv4 answers with status 500", server.url);
    let expected = Found { warnings: vec![warning], ..found(Name::OpenStack, "one", expected) };
    assert_eq!(of_server(Name::OpenStack, &server), Ok(expected));
}

#[test]
fn packet_is_read() {
    let json = format!(
        r#"{{"id": "83679162", "hostname": "one", "ssh_keys": ["{KEY}", "{OTHER_KEY}"],
            "network": {{"addresses": [
                {{"address_family": 4, "public": true, "address": "198.51.100.5"}},
                {{"address_family": 6, "public": true, "address": "2001:db8::5"}},
                {{"address_family": 4, "public": false, "address": "10.0.0.5"}}]}}}}"#
    );
    let server = TestServer::of_bodies(&[("metadata", &json), ("userdata", "one")]);

    let expected = metadata("83679162", "one", ["198.51.100.5", "10.0.0.5"], ["2001:db8::5", ""]);
    assert_eq!(of_server(Name::Packet, &server), Ok(found(Name::Packet, "one", expected)));
}

#[test]
fn azures_service_is_read() {
    let json = format!(
        r#"{{"compute": {{"vmId": "02aab8a4", "name": "vm", "osProfile": {{"computerName": "one"}},
            "userData": "b25l", "publicKeys": [{{"keyData": "{KEY}", "path": "x"}}, {{"keyData": "{OTHER_KEY}\r\n"}}]}},
            "network": {{"interface": [{{"ipv4": {{"ipAddress": [
                {{"privateIpAddress": "10.0.0.5", "publicIpAddress": "198.51.100.5"}}]}},
                "ipv6": {{"ipAddress": []}}}}]}}}}"#
    );
    let server = TestServer::start(
        &["Metadata"],
        &[("GET /metadata/instance?api-version=2021-01-01 Metadata: true", &[body(&json)])],
    );

    let expected = metadata("02aab8a4", "one", ["198.51.100.5", "10.0.0.5"], ["", ""]);
    assert_eq!(of_server(Name::Azure, &server), Ok(found(Name::Azure, "one", expected)));
}

#[test]
fn the_cloud_that_the_firmware_names_is_waited_for_after_files() {
    let root = host(&[("sys/class/dmi/id/sys_vendor", "DigitalOcean\n")]);
    let server = TestServer::start(
        &[],
        &[("GET /metadata/v1.json", &[status(404), status(503), body(r#"{"hostname": "one"}"#)])],
    );
    let clock = TestClock::default();
    let search = search(root.path(), Some(&server.url), &clock);

    assert_eq!(
        find(&search, Stage::Local).unwrap_err().to_string(),
        "no datasource is there: file has nothing, configdrive has nothing, nocloud has nothing, \
         vagrant has nothing"
    );
    assert_eq!(find(&search, Stage::Network).unwrap().metadata.hostname.as_deref(), Some("one"));
    assert_eq!(clock.slept().len(), 2);
}

#[test]
fn what_was_kept_is_taken_only_while_its_cloud_cannot_be_read() {
    let root = host(&[("sys/class/dmi/id/sys_vendor", "DigitalOcean\n")]);
    let earlier = found(Name::DigitalOcean, "one", Metadata::default());
    keep(root.path(), &earlier).unwrap();
    let ask = |reply: Reply| {
        let server = TestServer::start(&[], &[("GET /metadata/v1.json", &[reply])]);
        let clock = TestClock::default();
        let found = find_or_kept(&search(root.path(), Some(&server.url), &clock));
        found.map_err(|error| error.to_string()).map(|found| (found.user_data, found.warnings))
    };

    let (user_data, warnings) = ask(status(401)).unwrap();
    assert_eq!(user_data, earlier.user_data);
    assert_eq!(warnings[0], "no datasource answers: took what digitalocean had at an earlier boot");
    assert!(warnings[1].ends_with("metadata/v1.json answers with status 401"), "{warnings:?}");

    assert_eq!(ask(body("{}")), Ok((None, Vec::new())));
    assert!(ask(status(404)).unwrap_err().ends_with("digitalocean has nothing"));
}

#[test]
fn azures_user_data_is_asked_for_if_the_document_lacks_it() {
    let server = TestServer::of_bodies(&[
        ("metadata/instance?api-version=2021-01-01", "{}"),
        ("metadata/instance/compute/userData?api-version=2021-01-01&format=text", "b25l"),
    ]);

    let expected = found(Name::Azure, "one", Metadata::default());
    assert_eq!(of_server(Name::Azure, &server), Ok(expected));
}
