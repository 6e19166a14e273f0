//! How a host knows its cloud: what firmware says there, and names that images are started with.

use std::time::Duration;

use cloud_config::clock::SystemClock;
use cloud_config::datasource::{Found, Limits, NotFound, Search, Stage, find};

use crate::host::Host;
use crate::server::{Answer, Server};
use crate::trouble::clouds;

/// What /sys/class/dmi/id has on a host of each cloud.
const FIRMWARE: [(&str, &[(&str, &str)]); 10] = [
    ("ec2", &[("sys_vendor", "Amazon EC2"), ("product_name", "t3.micro")]),
    (
        "ec2",
        &[
            ("sys_vendor", "Xen"),
            ("product_name", "HVM domU"),
            ("bios_version", "4.11.amazon"),
            ("product_uuid", "ec2a1b2c-3d4e-5f60-7182-93a4b5c6d7e8"),
        ],
    ),
    ("gce", &[("sys_vendor", "Google"), ("product_name", "Google Compute Engine")]),
    ("digitalocean", &[("sys_vendor", "DigitalOcean"), ("product_name", "Droplet")]),
    ("openstack", &[("sys_vendor", "OpenStack Foundation"), ("product_name", "OpenStack Nova")]),
    ("openstack", &[("sys_vendor", "Red Hat"), ("product_name", "OpenStack Compute")]),
    ("openstack", &[("sys_vendor", "QEMU"), ("chassis_asset_tag", "OpenTelekomCloud")]),
    (
        "cloudstack",
        &[
            ("sys_vendor", "Apache Software Foundation"),
            ("product_name", "CloudStack KVM Hypervisor"),
        ],
    ),
    (
        "azure",
        &[
            ("sys_vendor", "Microsoft Corporation"),
            ("product_name", "Virtual Machine"),
            ("chassis_asset_tag", "7783-7084-3265-9085-8269-3286-77"),
        ],
    ),
    ("azure", &[("chassis_asset_tag", "7783-7084-3265-9085-8269-3286-77")]),
];

/// What images have in the command line of the kernel.
const LINES: [(&str, &str); 10] = [
    ("ec2", "ignition.platform.id=aws"),
    ("ec2", "coreos.oem.id=ec2"),
    ("gce", "ignition.platform.id=gcp"),
    ("gce", "flatcar.oem.id=gce"),
    ("digitalocean", "flatcar.oem.id=digitalocean"),
    ("openstack", "flatcar.oem.id=openstack"),
    ("cloudstack", "coreos.oem.id=cloudstack"),
    ("azure", "flatcar.oem.id=azure"),
    ("packet", "flatcar.oem.id=packet"),
    ("packet", "cloud-config-datasource=packet"),
];

/// Asks all that this host would ask, with one server in place of those of the clouds.
fn search(host: &Host, server: &Server) -> Result<Found, NotFound> {
    let (root, url, clock) = (host.path(""), server.url(), SystemClock::start());
    let second = Duration::from_secs(1);
    let limits = Limits { total: 5 * second, request: second };
    let search = Search { root: &root, path: None, url: Some(&url), clock: &clock, limits };
    find(&search, Stage::Network)
}

/// Asserts that the host finds what the service of a cloud has.
#[track_caller]
fn assert_found(host: &Host, name: &str, why: &str) {
    let cloud = clouds().into_iter().find(|cloud| cloud.name == name).unwrap();
    let found = search(host, &Server::start(cloud.service)).unwrap();
    let user_data = String::from_utf8(found.user_data.unwrap()).unwrap();

    let expected = (name.to_owned(), cloud.whole["userData"].as_str().unwrap().to_owned());
    assert_eq!((found.source.to_string(), user_data), expected, "{why}");
}

#[test]
fn a_host_knows_its_cloud_by_its_firmware() {
    for (cloud, files) in FIRMWARE {
        let host = files.iter().fold(Host::new(), |host, (name, text)| {
            host.with(&format!("sys/class/dmi/id/{name}"), format!("{text}\n"))
        });

        assert_found(&host, cloud, &format!("{files:?}"));
    }
}

#[test]
fn a_host_knows_its_cloud_by_the_command_line_of_its_kernel() {
    for (cloud, line) in LINES {
        let host = Host::new().with("proc/cmdline", format!("root=LABEL=ROOT {line} quiet\n"));

        assert_found(&host, cloud, line);
    }
}

#[test]
fn a_virtual_machine_that_nothing_tells_of_its_cloud_guesses() {
    for vendor in ["QEMU", "Red Hat", "Xen"] {
        let host = Host::new().with("sys/class/dmi/id/sys_vendor", format!("{vendor}\n"));
        // That of CloudStack has an address of its own, and here would be taken for one like EC2.
        for cloud in ["openstack", "ec2"] {
            assert_found(&host, cloud, vendor);
        }
    }
}

#[test]
fn a_machine_of_metal_asks_nobody() {
    let server = Server::start(|_| Answer::text("#cloud-config\n"));
    let host = Host::new()
        .with("sys/class/dmi/id/sys_vendor", "Dell Inc.\n")
        .with("sys/class/dmi/id/product_name", "PowerEdge R740\n");

    assert!(search(&host, &server).is_err());
    assert_eq!(server.asked(), Vec::<String>::new());
}
