//! The drive that OpenStack gives to an instance.

use serde_json::{Value, json};

use crate::fixture::{RSA, file};
use crate::host::{Host, assert_names};

const FILES: [&str; 3] =
    ["openstack/latest/user_data", "openstack/latest/meta_data.json", "ec2/latest/meta-data.json"];

/// The drive, mounted at a directory; without the files that are named.
fn mounted(at: &str, without: &[&str]) -> Host {
    let files = FILES.iter().filter(|name| !without.contains(name));
    files.fold(Host::new(), |host, name| {
        host.with(&format!("{at}/{name}"), file(&format!("configdrive/{name}")))
    })
}

fn whole() -> Value {
    json!({
        "source": "configdrive",
        "userData": "#cloud-config\nhostname: from-configdrive",
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

#[test]
fn a_drive_is_read_wherever_it_is_mounted() {
    let places = [
        "media/configdrive",
        "media/configvirtfs",
        "media/config-2",
        "mnt/configdrive",
        "mnt/config",
        "var/lib/cloud/seed/config_drive",
    ];
    for place in places {
        assert_eq!(mounted(place, &[]).fetch("configdrive"), Ok(whole()), "{place}");
    }
}

#[test]
fn a_drive_is_read_at_a_path_that_is_given() {
    let host = mounted("elsewhere", &[]);
    let path = host.path("elsewhere");
    let args = ["--datasource", "configdrive", "--path", path.to_str().unwrap()];

    assert_eq!(host.run(&args), Ok(whole()));
}

#[test]
fn a_drive_is_known_by_its_label() {
    for label in ["config-2", "CONFIG-2"] {
        let host = mounted("srv/elsewhere", &[]).with_volume(label, "srv/elsewhere");

        assert_eq!(host.fetch("configdrive"), Ok(whole()), "{label}");
    }
}

#[test]
fn a_drive_without_user_data_has_the_rest() {
    let mut expected = whole();
    expected["userData"] = Value::Null;

    assert_eq!(mounted("media/configdrive", &FILES[..1]).fetch("configdrive"), Ok(expected));
}

#[test]
fn a_drive_without_the_part_of_ec2_has_no_addresses() {
    let mut expected = whole();
    expected["metadata"]["publicIpv4"] = Value::Null;
    expected["metadata"]["privateIpv4"] = Value::Null;

    assert_eq!(mounted("media/configdrive", &FILES[2..]).fetch("configdrive"), Ok(expected));
}

#[test]
fn an_instance_without_floating_address_has_no_public_one() {
    let mut expected = whole();
    expected["metadata"]["publicIpv4"] = Value::Null;
    for address in [json!(""), Value::Null] {
        let document = json!({ "local-ipv4": "10.0.0.7", "public-ipv4": address });
        let host = mounted("media/configdrive", &[])
            .with(&format!("media/configdrive/{}", FILES[2]), document.to_string());

        assert_eq!(host.fetch("configdrive"), Ok(expected.clone()), "{document}");
    }
}

#[test]
fn a_drive_with_user_data_alone_has_that() {
    let expected = json!({
        "source": "configdrive",
        "userData": "#cloud-config\nhostname: from-configdrive",
        "metadata": {
            "instanceId": null,
            "hostname": null,
            "sshAuthorizedKeys": [],
            "publicIpv4": null,
            "privateIpv4": null,
            "publicIpv6": null,
            "privateIpv6": null,
        },
    });

    assert_eq!(mounted("media/configdrive", &FILES[1..]).fetch("configdrive"), Ok(expected));
}

#[test]
fn an_empty_mount_point_is_no_drive() {
    let host = Host::new().with("media/configdrive/.keep", "");

    assert_names(host.fetch("configdrive"), &["configdrive has nothing"]);
}

#[test]
fn a_document_that_is_damaged_is_an_error() {
    for (name, text) in [(FILES[1], "{\"uuid\": "), (FILES[1], "[]"), (FILES[2], "{\"local-ipv4\"")]
    {
        let host =
            mounted("media/configdrive", &[]).with(&format!("media/configdrive/{name}"), text);

        assert_names(host.fetch("configdrive"), &[&format!("media/configdrive/{name}")]);
    }
}
