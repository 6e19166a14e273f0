//! Vagrant: a file that its provisioner puts there.

use serde_json::{Value, json};

use crate::host::Host;

const PLACE: &str = "var/lib/coreos-vagrant/vagrantfile-user-data";

pub(crate) fn user_data_alone(source: &str, user_data: &str) -> Value {
    json!({
        "source": source,
        "userData": user_data,
        "metadata": {
            "instanceId": null,
            "hostname": null,
            "sshAuthorizedKeys": [],
            "publicIpv4": null,
            "privateIpv4": null,
            "publicIpv6": null,
            "privateIpv6": null,
        },
    })
}

#[test]
fn the_file_is_user_data() {
    let host = Host::new().with(PLACE, "#cloud-config\nhostname: from-vagrant\n");
    let expected = user_data_alone("vagrant", "#cloud-config\nhostname: from-vagrant\n");

    assert_eq!(host.fetch("vagrant"), Ok(expected));
}

#[test]
fn a_host_without_the_file_has_nothing() {
    assert_eq!(
        Host::new().fetch("vagrant"),
        Err("Error: no datasource is there: vagrant has nothing\n".to_owned())
    );
}
