//! NoCloud: a seed in a directory, or at the URL that the kernel was given.

use serde_json::{Value, json};

use crate::fixture::{ED25519, RSA, Tree, file};
use crate::host::{Host, assert_names};
use crate::server::Server;

fn seeded(at: &str) -> Host {
    ["user-data", "meta-data"].iter().fold(Host::new(), |host, name| {
        host.with(&format!("{at}/{name}"), file(&format!("nocloud/{name}")))
    })
}

fn whole() -> Value {
    json!({
        "source": "nocloud",
        "userData": "#cloud-config\nhostname: from-nocloud",
        "metadata": {
            "instanceId": "iid-local01",
            "hostname": "web-1",
            "sshAuthorizedKeys": [format!("{RSA} operations"), format!("{ED25519} deploy")],
            "publicIpv4": null,
            "privateIpv4": null,
            "publicIpv6": null,
            "privateIpv6": null,
        },
    })
}

#[test]
fn a_seed_is_read_from_each_place() {
    let places = [
        "var/lib/cloud-config/seed",
        "var/lib/cloud/seed/nocloud",
        "var/lib/cloud/seed/nocloud-net",
        "media/cidata",
        "mnt/cidata",
    ];
    for place in places {
        assert_eq!(seeded(place).fetch("nocloud"), Ok(whole()), "{place}");
    }
}

#[test]
fn a_seed_is_read_from_the_url_of_the_kernel() {
    let tree = Tree::read("nocloud");
    let server = Server::start(move |request| {
        let path = request.path.strip_prefix("/seed/").unwrap_or("nothing");
        tree.answer(path)
    });
    for name in ["nocloud", "nocloud-net"] {
        let line = format!("root=/dev/sda1 ds={name};s={}seed/ quiet\n", server.url());

        assert_eq!(Host::new().with("proc/cmdline", line).fetch("nocloud"), Ok(whole()), "{name}");
    }
}

#[test]
fn a_seed_is_read_from_the_url_of_the_serial_number() {
    let tree = Tree::read("nocloud");
    let server = Server::start(move |request| tree.answer(&request.path));
    let serial = format!("ds=nocloud;s={}\n", server.url());

    let host = Host::new().with("sys/class/dmi/id/product_serial", serial);
    assert_eq!(host.fetch("nocloud"), Ok(whole()));
}

#[test]
fn a_seed_is_known_by_the_label_of_its_volume() {
    for label in ["cidata", "CIDATA"] {
        let host = seeded("srv/elsewhere").with_volume(label, "srv/elsewhere");

        assert_eq!(host.fetch("nocloud"), Ok(whole()), "{label}");
    }
}

#[test]
fn instance_id_and_hostname_of_the_kernel_go_first() {
    let mut expected = whole();
    expected["metadata"]["instanceId"] = "iid-kernel".into();
    expected["metadata"]["hostname"] = "web-9".into();
    let host = seeded("var/lib/cloud/seed/nocloud")
        .with("proc/cmdline", "quiet ds=nocloud;i=iid-kernel;h=web-9\n");

    assert_eq!(host.fetch("nocloud"), Ok(expected));
}

#[test]
fn keys_are_taken_as_a_list_a_text_and_a_map() {
    let keys = [
        format!("public-keys: {RSA} operations\n"),
        format!("public-keys:\n  operations: {RSA} operations\n"),
        format!("public-keys:\n  operations: [{RSA} operations]\n"),
    ];
    let mut expected = whole();
    expected["metadata"]["sshAuthorizedKeys"] = json!([format!("{RSA} operations")]);
    for keys in keys {
        let metadata = format!("instance-id: iid-local01\nlocal-hostname: web-1\n{keys}");
        let host = seeded("media/cidata").with("media/cidata/meta-data", metadata);

        assert_eq!(host.fetch("nocloud"), Ok(expected.clone()), "{keys}");
    }
}

#[test]
fn empty_metadata_is_none() {
    let mut expected = whole();
    expected["metadata"]["instanceId"] = Value::Null;
    expected["metadata"]["hostname"] = Value::Null;
    expected["metadata"]["sshAuthorizedKeys"] = json!([]);
    let host = seeded("media/cidata").with("media/cidata/meta-data", "");

    assert_eq!(host.fetch("nocloud"), Ok(expected));
}

#[test]
fn metadata_as_json_is_metadata() {
    let metadata = json!({
        "instance-id": "iid-local01",
        "local-hostname": "web-1",
        "public-keys": [format!("{RSA} operations"), format!("{ED25519} deploy")],
    });
    let host = seeded("media/cidata").with("media/cidata/meta-data", metadata.to_string());

    assert_eq!(host.fetch("nocloud"), Ok(whole()));
}

#[test]
fn metadata_that_is_damaged_is_an_error() {
    let host = seeded("media/cidata").with("media/cidata/meta-data", "instance-id: [iid-local01\n");

    assert_names(host.fetch("nocloud"), &["media/cidata/meta-data"]);
}

#[test]
fn a_url_that_has_no_seed_is_an_error() {
    let tree = Tree::read("nocloud").without("");
    let server = Server::start(move |request| tree.answer(&request.path));
    let line = format!("ds=nocloud;s={}\n", server.url());
    let args = ["--datasource", "nocloud"];

    assert!(Host::new().with("proc/cmdline", line).within("1", &args).is_err());
}
