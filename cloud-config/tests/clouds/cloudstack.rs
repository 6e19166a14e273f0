//! CloudStack: the virtual router tells one value at each path.

use serde_json::{Value, json};

use crate::fixture::{RSA, Tree};
use crate::host::ask;
use crate::server::{Answer, Request, Server};

pub(crate) fn tree() -> Tree {
    Tree::read("cloudstack")
}

pub(crate) fn cloud(tree: Tree) -> impl FnMut(&Request) -> Answer + Send + 'static {
    move |request| match request.method.as_str() {
        "GET" => tree.answer(&request.path),
        _ => Answer::page(405, "Method Not Allowed"),
    }
}

pub(crate) fn whole() -> Value {
    json!({
        "source": "cloudstack",
        "userData": "#cloud-config\nhostname: from-cloudstack",
        "metadata": {
            "instanceId": "5b6a1f5c-1f5e-4a5c-9d2b-1d6e6a3a9b10",
            "hostname": "web-1",
            "sshAuthorizedKeys": [format!("{RSA} operations")],
            "publicIpv4": "203.0.113.170",
            "privateIpv4": "10.1.1.170",
            "publicIpv6": null,
            "privateIpv6": null,
        },
    })
}

fn asked(tree: Tree) -> Result<Value, String> {
    ask("cloudstack", &Server::start(cloud(tree)))
}

#[test]
fn a_machine_is_read() {
    assert_eq!(asked(tree()), Ok(whole()));
}

#[test]
fn a_machine_without_user_data_and_key_has_the_rest() {
    let mut expected = whole();
    expected["userData"] = Value::Null;
    expected["metadata"]["sshAuthorizedKeys"] = json!([]);
    let key = "latest/meta-data/public-keys";
    let (empty, missing) = (
        tree().with("latest/user-data", "").with(key, ""),
        tree().without("latest/user-data").without(key),
    );

    assert_eq!(asked(empty), Ok(expected.clone()));
    assert_eq!(asked(missing), Ok(expected));
}
