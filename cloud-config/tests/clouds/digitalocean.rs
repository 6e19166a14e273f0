//! DigitalOcean: a droplet is one document, user data beside it.

use serde_json::{Value, json};

use crate::fixture::{ED25519, RSA, file};
use crate::host::{Host, ask};
use crate::server::{Answer, Request, Server};

pub(crate) fn droplet() -> Value {
    serde_json::from_str(&file("digitalocean/v1.json")).unwrap()
}

/// The service of one droplet; `None` if nobody gave it user data.
pub(crate) fn cloud(
    droplet: &Value,
    user_data: Option<String>,
) -> impl FnMut(&Request) -> Answer + Send + 'static {
    let document = serde_json::to_string_pretty(droplet).unwrap();
    move |request| match request.path.as_str() {
        "/metadata/v1" | "/metadata/v1/" => {
            Answer::text("id\nhostname\nuser-data\nvendor-data\npublic-keys\nregion\ninterfaces/")
        }
        "/metadata/v1.json" => Answer::json(document.clone()),
        "/metadata/v1/user-data" => user_data.clone().map_or_else(missing, Answer::text),
        _ => missing(),
    }
}

fn missing() -> Answer {
    Answer::new(404, "not found").with("Content-Type", "text/plain")
}

pub(crate) fn user_data() -> Option<String> {
    Some(file("digitalocean/user-data"))
}

pub(crate) fn whole() -> Value {
    json!({
        "source": "digitalocean",
        "userData": "#cloud-config\nhostname: from-digitalocean",
        "metadata": {
            "instanceId": "2756294",
            "hostname": "sample-droplet",
            "sshAuthorizedKeys": [
                format!("{RSA} sammy@digitalocean.com"),
                format!("{ED25519} deploy"),
            ],
            "publicIpv4": "104.131.20.105",
            "privateIpv4": "10.132.255.113",
            "publicIpv6": "2604:a880:800:10::17d:2001",
            "privateIpv6": null,
        },
    })
}

fn asked(droplet: &Value, user_data: Option<String>) -> Result<Value, String> {
    ask("digitalocean", &Server::start(cloud(droplet, user_data)))
}

#[test]
fn a_droplet_is_read() {
    assert_eq!(asked(&droplet(), user_data()), Ok(whole()));
}

#[test]
fn a_droplet_without_user_data_has_the_rest() {
    let mut expected = whole();
    expected["userData"] = Value::Null;

    for user_data in [None, Some(String::new())] {
        assert_eq!(asked(&droplet(), user_data.clone()), Ok(expected.clone()), "{user_data:?}");
    }
}

#[test]
fn a_droplet_without_private_network_and_keys_has_neither() {
    let mut droplet = droplet();
    droplet["interfaces"].as_object_mut().unwrap().remove("private");
    droplet["interfaces"]["public"][0].as_object_mut().unwrap().remove("ipv6");
    droplet["public_keys"] = json!([]);
    let mut expected = whole();
    expected["metadata"]["privateIpv4"] = Value::Null;
    expected["metadata"]["publicIpv6"] = Value::Null;
    expected["metadata"]["sshAuthorizedKeys"] = json!([]);

    assert_eq!(asked(&droplet, user_data()), Ok(expected));
}

#[test]
fn the_first_interface_of_a_kind_counts() {
    let mut droplet = droplet();
    let mut second = droplet["interfaces"]["public"][0].clone();
    second["ipv4"]["ip_address"] = "203.0.113.9".into();
    second["ipv6"]["ip_address"] = "2001:db8::9".into();
    droplet["interfaces"]["public"].as_array_mut().unwrap().push(second);

    assert_eq!(asked(&droplet, user_data()), Ok(whole()));
}

#[test]
fn an_address_that_is_none_is_passed_over_and_told() {
    let mut droplet = droplet();
    droplet["interfaces"]["public"][0]["ipv4"]["ip_address"] = "104.131.20".into();

    let mut expected = whole();
    expected["metadata"]["publicIpv4"] = Value::Null;
    let server = Server::start(cloud(&droplet, user_data()));
    let url = server.url();

    let args = ["--datasource", "digitalocean", "--metadata-url", &url];
    let (found, told) = Host::new().warned(&args);
    assert_eq!(found, expected);
    assert!(told.contains("is not an address: passed over"), "{told}");
}
