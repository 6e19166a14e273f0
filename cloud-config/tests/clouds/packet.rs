//! Packet: one document about the machine, user data beside it.

use serde_json::{Value, json};

use crate::fixture::{ED25519, RSA, file};
use crate::host::ask;
use crate::server::{Answer, Request, Server};

pub(crate) fn machine() -> Value {
    serde_json::from_str(&file("packet/metadata")).unwrap()
}

/// The service of one machine; `None` if nobody gave it user data.
pub(crate) fn cloud(
    machine: &Value,
    user_data: Option<String>,
) -> impl FnMut(&Request) -> Answer + Send + 'static {
    let document = machine.to_string();
    move |request| match request.path.as_str() {
        "/" => Answer::text("metadata\nuserdata\n"),
        "/metadata" => Answer::json(document.clone()),
        "/userdata" => user_data.clone().map_or_else(missing, Answer::text),
        _ => missing(),
    }
}

fn missing() -> Answer {
    Answer::new(404, "404 page not found\n").with("Content-Type", "text/plain; charset=utf-8")
}

pub(crate) fn user_data() -> Option<String> {
    Some(file("packet/userdata"))
}

pub(crate) fn whole() -> Value {
    json!({
        "source": "packet",
        "userData": "#cloud-config\nhostname: from-packet",
        "metadata": {
            "instanceId": "5d5d3b9f-4e07-4a0c-8e1c-0b9a3b1f2c11",
            "hostname": "web-1.packet.net",
            "sshAuthorizedKeys": [format!("{RSA} operations"), format!("{ED25519} deploy")],
            "publicIpv4": "147.75.65.31",
            "privateIpv4": "10.99.200.129",
            "publicIpv6": "2604:1380:0:ce00::1",
            "privateIpv6": null,
        },
    })
}

fn asked(machine: &Value, user_data: Option<String>) -> Result<Value, String> {
    ask("packet", &Server::start(cloud(machine, user_data)))
}

#[test]
fn a_machine_is_read() {
    assert_eq!(asked(&machine(), user_data()), Ok(whole()));
}

#[test]
fn a_machine_without_user_data_has_the_rest() {
    let mut expected = whole();
    expected["userData"] = Value::Null;

    for user_data in [None, Some(String::new())] {
        assert_eq!(asked(&machine(), user_data.clone()), Ok(expected.clone()), "{user_data:?}");
    }
}

#[test]
fn a_machine_with_private_addresses_alone_has_no_public_ones() {
    let mut machine = machine();
    let addresses = machine["network"]["addresses"].as_array_mut().unwrap();
    addresses.retain(|address| address["public"] == false);
    let mut expected = whole();
    expected["metadata"]["publicIpv4"] = Value::Null;
    expected["metadata"]["publicIpv6"] = Value::Null;

    assert_eq!(asked(&machine, user_data()), Ok(expected));
}
