//! OpenStack: its own documents, and addresses of the service that is like EC2.

use serde_json::{Value, json};

use crate::fixture::{RSA, Tree};
use crate::host::{ask, assert_names};
use crate::server::{Answer, Request, Server};

pub(crate) const DOCUMENT: &str = "openstack/latest/meta_data.json";

pub(crate) fn tree() -> Tree {
    Tree::read("openstack")
}

pub(crate) fn cloud(tree: Tree) -> impl FnMut(&Request) -> Answer + Send + 'static {
    move |request| match (request.method.as_str(), request.path.trim_end_matches('/')) {
        ("GET", "/openstack") => Answer::text("2012-08-10\n2015-10-15\n2018-08-27\nlatest"),
        ("GET", "/latest/meta-data/public-keys") => Answer::text("0=operations"),
        ("GET", path) => tree.answer(path),
        _ => Answer::page(405, "Method Not Allowed"),
    }
}

pub(crate) fn whole() -> Value {
    json!({
        "source": "openstack",
        "userData": "#cloud-config\nhostname: from-openstack",
        "metadata": {
            "instanceId": "83679162-1378-4288-a2d4-70e13ec132aa",
            "hostname": "web-1.novalocal",
            "sshAuthorizedKeys": [format!("{RSA} operations")],
            "publicIpv4": "203.0.113.7",
            "privateIpv4": "10.0.0.7",
            "publicIpv6": null,
            "privateIpv6": null,
        },
    })
}

fn asked(tree: Tree) -> Result<Value, String> {
    ask("openstack", &Server::start(cloud(tree)))
}

#[test]
fn an_instance_is_read() {
    assert_eq!(asked(tree()), Ok(whole()));
}

#[test]
fn an_instance_without_user_data_has_the_rest() {
    let mut expected = whole();
    expected["userData"] = Value::Null;

    assert_eq!(asked(tree().without("openstack/latest/user_data")), Ok(expected));
}

#[test]
fn an_instance_without_floating_address_has_no_public_one() {
    let mut expected = whole();
    expected["metadata"]["publicIpv4"] = Value::Null;

    assert_eq!(asked(tree().with("latest/meta-data/public-ipv4", "")), Ok(expected));
}

#[test]
fn an_instance_without_a_key_has_none() {
    let mut document: Value = serde_json::from_str(&tree().get(DOCUMENT).unwrap()).unwrap();
    document.as_object_mut().unwrap().remove("public_keys");
    document["keys"] = json!([]);
    let mut expected = whole();
    expected["metadata"]["sshAuthorizedKeys"] = json!([]);

    assert_eq!(asked(tree().with(DOCUMENT, &document.to_string())), Ok(expected));
}

#[test]
fn a_cloud_without_the_service_like_ec2_tells_no_addresses() {
    let mut expected = whole();
    expected["metadata"]["publicIpv4"] = Value::Null;
    expected["metadata"]["privateIpv4"] = Value::Null;

    assert_eq!(asked(tree().without("latest/")), Ok(expected));
}

#[test]
fn a_document_that_is_cut_off_is_an_error() {
    let tree = tree().with(DOCUMENT, "{\"uuid\": \"83679162-1378");

    assert_names(asked(tree), &[DOCUMENT]);
}
