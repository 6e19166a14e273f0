//! VMware: properties of an OVF environment.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::fixture::file;
use crate::host::{Host, assert_names};
use crate::server::{Answer, Server};

const USER_DATA: &str = "#cloud-config\nhostname: from-vmware\n";
const PLACE: &str = "media/ovfenv/ovf-env.xml";

/// A host with the environment, and more properties in it.
fn host(properties: &[(&str, &str)]) -> Host {
    let lines = properties.iter().map(|(name, value)| {
        format!("<Property oe:key=\"guestinfo.{name}\" oe:value=\"{value}\"/>\n")
    });
    let text = file("vmware/ovf-env.xml").replace("<!-- DATA -->", &lines.collect::<String>());
    Host::new().with(PLACE, text)
}

fn with_data(name: &str, data: &str, encoding: Option<&str>) -> Result<Value, String> {
    let key = format!("{name}.encoding");
    let encoding = encoding.map(|encoding| (key.as_str(), encoding));
    let properties: Vec<_> = [(name, data)].into_iter().chain(encoding).collect();
    host(&properties).fetch("vmware")
}

fn whole(user_data: impl Into<Value>) -> Value {
    json!({
        "source": "vmware",
        "userData": user_data.into(),
        "metadata": {
            "instanceId": null,
            "hostname": "web-1",
            "sshAuthorizedKeys": [],
            "publicIpv4": "203.0.113.100",
            "privateIpv4": "10.0.0.100",
            "publicIpv6": "2001:db8::64",
            "privateIpv6": "fd00::64",
        },
    })
}

fn packed() -> String {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(USER_DATA.as_bytes()).unwrap();
    STANDARD.encode(encoder.finish().unwrap())
}

#[test]
fn an_environment_without_user_data_has_the_rest() {
    assert_eq!(host(&[]).fetch("vmware"), Ok(whole(Value::Null)));
}

#[test]
fn an_environment_is_known_by_the_label_of_its_volume() {
    let host = Host::new()
        .with("srv/elsewhere/ovf-env.xml", file("vmware/ovf-env.xml"))
        .with_volume("OVF\\x20ENV", "srv/elsewhere");

    assert_eq!(host.fetch("vmware"), Ok(whole(Value::Null)));
}

#[test]
fn user_data_is_decoded_as_the_environment_says() {
    let plain = STANDARD.encode(USER_DATA);
    let packed = packed();
    for name in ["coreos.config.data", "userdata"] {
        for (data, encoding) in [
            (USER_DATA.replace('\n', "&#10;").as_str(), None),
            (USER_DATA.replace('\n', "&#10;").as_str(), Some("")),
            (&plain, Some("base64")),
            (&plain, Some("b64")),
            (&packed, Some("gzip+base64")),
            (&packed, Some("gz+b64")),
        ] {
            assert_eq!(
                with_data(name, data, encoding),
                Ok(whole(USER_DATA)),
                "{name} {encoding:?}"
            );
        }
    }
}

#[test]
fn an_encoding_that_nobody_knows_is_an_error() {
    let result = with_data("coreos.config.data", "x", Some("rot13"));

    assert_names(result, &["guestinfo.coreos.config.data", "encoding"]);
}

#[test]
fn data_that_are_not_in_their_encoding_are_an_error_that_does_not_tell_them() {
    let error = with_data("coreos.config.data", "s3cret!", Some("base64")).unwrap_err();

    assert!(error.contains("coreos.config.data"), "{error}");
    assert!(!error.contains("s3cret"), "{error}");
}

#[test]
fn a_url_is_asked_if_there_are_no_data() {
    let server = Server::start(|request| match request.path.as_str() {
        "/user-data" => Answer::text(USER_DATA),
        _ => Answer::page(404, "Not Found"),
    });
    let url = format!("{}user-data", server.url());
    let (data, empty) = ("coreos.config.data", ("coreos.config.data", ""));
    let at = ("coreos.config.url", url.as_str());

    assert_eq!(host(&[at]).fetch("vmware"), Ok(whole(USER_DATA)));
    assert_eq!(host(&[empty, at]).fetch("vmware"), Ok(whole(USER_DATA)));
    assert_eq!(server.asked(), ["GET /user-data 200", "GET /user-data 200"]);
    assert_eq!(host(&[(data, "#cloud-config"), at]).fetch("vmware"), Ok(whole("#cloud-config")));
    assert_eq!(server.asked().len(), 2);
}

#[test]
fn a_url_that_may_not_be_read_is_an_error() {
    let server = Server::start(|_| Answer::page(403, "Forbidden"));
    let url = format!("{}user-data", server.url());

    assert_names(host(&[("coreos.config.url", &url)]).fetch("vmware"), &[&url, "403"]);
}

#[test]
fn the_last_address_of_a_role_counts() {
    let mut expected = whole(Value::Null);
    expected["metadata"]["privateIpv4"] = "10.0.0.102".into();
    let properties = [
        ("interface.0.ip.2.address", "10.0.0.101/24"),
        ("interface.2.role", "private"),
        ("interface.2.ip.0.address", "10.0.0.102/24"),
    ];

    assert_eq!(host(&properties).fetch("vmware"), Ok(expected));
}

#[test]
fn a_role_that_nobody_knows_is_passed_over_and_told() {
    let properties = [("interface.2.role", "s3cret"), ("interface.2.ip.0.address", "10.0.0.9/8")];

    let (found, told) = host(&properties).warned(&["--datasource", "vmware"]);
    assert_eq!(found, whole(Value::Null));
    assert!(told.contains("the role of interface 2"), "{told}");
    assert!(!told.contains("s3cret"), "{told}");
}

#[test]
fn an_address_that_is_none_is_passed_over_and_told() {
    let properties = [("interface.2.role", "public"), ("interface.2.ip.0.address", "203.0.113/24")];

    let (found, told) = host(&properties).warned(&["--datasource", "vmware"]);
    assert_eq!(found, whole(Value::Null));
    assert!(told.contains("interface.2.ip.0.address"), "{told}");
}

#[test]
fn an_environment_that_is_cut_off_is_an_error() {
    let whole = file("vmware/ovf-env.xml");

    assert_names(Host::new().with(PLACE, &whole[..600]).fetch("vmware"), &[PLACE]);
}
