//! Datasources that are files, volumes and variables of a host.

use super::super::{Name, Stage, find, read};
use super::server::{TestServer, body, status};
use super::{Found, KEY, OTHER_KEY, found, host, metadata, of_host, search};
use crate::clock::TestClock;
use crate::facts::Metadata;

#[test]
fn a_file_is_taken_from_the_first_place_that_is_not_empty() {
    let files = [
        ("etc/cloud-config/user-data", ""),
        ("var/lib/coreos-install/user_data", "one"),
        ("usr/share/oem/cloud-config.yml", "two"),
    ];
    assert_eq!(of_host(Name::File, &files), Ok(found(Name::File, "one", Metadata::default())));
    assert_eq!(
        of_host(Name::File, &[]),
        Err("no datasource is there: file has nothing".to_owned())
    );
}

#[test]
fn vagrants_file_is_taken() {
    let files = [("var/lib/coreos-vagrant/vagrantfile-user-data", "one")];

    let expected = found(Name::Vagrant, "one", Metadata::default());
    assert_eq!(of_host(Name::Vagrant, &files), Ok(expected));
}

#[test]
fn a_file_that_cannot_be_read_is_told() {
    let told = of_host(Name::File, &[("etc/cloud-config/user-data/x", "")]).unwrap_err();

    assert!(
        told.starts_with("datasource file: cannot read /etc/cloud-config/user-data: "),
        "{told}"
    );
}

#[test]
fn the_url_of_the_kernel_is_fetched_once_it_is_there() {
    let server = TestServer::start(&[], &[("GET /one", &[status(404), body("one")])]);
    let line = format!("quiet cloud-config-url={}one", server.url);

    assert_eq!(
        of_host(Name::Cmdline, &[("proc/cmdline", &line)]),
        Ok(found(Name::Cmdline, "one", Metadata::default()))
    );
    assert_eq!(
        of_host(Name::Cmdline, &[("proc/cmdline", "cloud-config-url=")]),
        Err("datasource cmdline: cloud-config-url= of the kernel: names no URL".to_owned())
    );
}

#[test]
fn a_config_drive_is_read_in_openstacks_layout() {
    let json = format!(
        r#"{{"uuid": "83679162", "hostname": "one.example", "public_keys": {{"a": "{KEY}"}},
            "keys": [{{"type": "ssh", "data": "{OTHER_KEY}\n"}}, {{"type": "x509", "data": "MII"}}]}}"#
    );
    let files = [
        ("media/configdrive/openstack/latest/user_data", "one"),
        ("media/configdrive/openstack/latest/meta_data.json", json.as_str()),
        (
            "media/configdrive/ec2/latest/meta-data.json",
            r#"{"local-ipv4": "10.0.0.5", "public-ipv4": ""}"#,
        ),
    ];

    let expected = metadata("83679162", "one.example", ["", "10.0.0.5"], ["", ""]);
    assert_eq!(of_host(Name::ConfigDrive, &files), Ok(found(Name::ConfigDrive, "one", expected)));
}

#[test]
fn a_config_drive_is_found_where_its_label_is_mounted() {
    let root = host(&[
        ("proc/mounts", "/dev/sr0 /mnt/a\\040b iso9660 ro 0 0\n"),
        ("mnt/a b/openstack/latest/user_data", "one"),
        ("dev/disk/by-label/x", ""),
    ]);
    let link = root.path().join("dev/disk/by-label/config-2");
    std::os::unix::fs::symlink("../../sr0", link).unwrap();
    let clock = TestClock::default();

    let got = read(Name::ConfigDrive, &search(root.path(), None, &clock)).unwrap();

    assert_eq!(got, found(Name::ConfigDrive, "one", Metadata::default()));
}

#[test]
fn an_empty_mount_point_is_no_config_drive() {
    assert_eq!(
        of_host(Name::ConfigDrive, &[("media/configdrive/x", "")]),
        Err("no datasource is there: configdrive has nothing".to_owned())
    );
}

#[test]
fn metadata_that_is_damaged_is_told() {
    let path = "media/configdrive/openstack/latest/meta_data.json";
    assert_eq!(
        of_host(Name::ConfigDrive, &[(path, "{\"hostname\": secret}")]),
        Err(format!("datasource configdrive: /{path}: is not JSON (line 1, column 14)"))
    );
}

const NOCLOUD: &str = "instance-id: i-1\nlocal-hostname: one\npublic-keys:\n  - ssh-ed25519 AAAA jane\n  - ssh-rsa BBBB john\n";

#[test]
fn a_seed_of_nocloud_is_read_from_a_directory() {
    let files = [
        ("var/lib/cloud/seed/nocloud/user-data", "one"),
        ("var/lib/cloud/seed/nocloud/meta-data", NOCLOUD),
    ];

    let expected = found(Name::NoCloud, "one", metadata("i-1", "one", ["", ""], ["", ""]));
    assert_eq!(of_host(Name::NoCloud, &files), Ok(expected));
}

#[test]
fn a_seed_of_nocloud_is_fetched_from_where_the_kernel_says() {
    let server = TestServer::of_bodies(&[("s/user-data", "one"), ("s/meta-data", NOCLOUD)]);
    let line = format!("quiet ds=nocloud;h=web;s={}s/", server.url);

    let expected = found(Name::NoCloud, "one", metadata("i-1", "web", ["", ""], ["", ""]));
    assert_eq!(of_host(Name::NoCloud, &[("proc/cmdline", &line)]), Ok(expected));
}

const SHARED: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<SharedConfig version="1.0.0.0">
  <Incarnation number="1" instance="two" />
  <Instances>
    <Instance id="one" address="10.0.0.4"/>
    <Instance id="two" address="10.0.0.5">
      <InputEndpoints>
        <Endpoint name="SSH" address="10.0.0.5:22" loadBalancedPublicAddress="198.51.100.5:22"/>
      </InputEndpoints>
    </Instance>
  </Instances>
</SharedConfig>"#;

const OVF: &str = r#"<ns0:Environment xmlns:ns0="http://schemas.dmtf.org/ovf/environment/1"
  xmlns:ns1="http://schemas.microsoft.com/windowsazure"><ns1:ProvisioningSection>
  <ns1:LinuxProvisioningConfigurationSet><ns1:HostName>one</ns1:HostName>
  <ns1:UserPassword>REDACTED</ns1:UserPassword><ns1:SSH><ns1:PublicKeys><ns1:PublicKey>
  <ns1:Path>/home/jane/.ssh/authorized_keys</ns1:Path><ns1:Value>ssh-ed25519 AAAA jane</ns1:Value>
  </ns1:PublicKey></ns1:PublicKeys></ns1:SSH><ns1:CustomData>b25l</ns1:CustomData>
  </ns1:LinuxProvisioningConfigurationSet></ns1:ProvisioningSection></ns0:Environment>"#;

#[test]
fn the_directory_of_azures_agent_is_read() {
    let files = [
        ("var/lib/waagent/ovf-env.xml", OVF),
        ("var/lib/waagent/SharedConfig.xml", SHARED),
        ("var/lib/waagent/provisioned", ""),
    ];

    let expected = Metadata {
        hostname: Some("one".to_owned()),
        ssh_authorized_keys: vec![KEY.to_owned()],
        public_ipv4: "198.51.100.5".parse().ok(),
        private_ipv4: "10.0.0.5".parse().ok(),
        ..Metadata::default()
    };
    assert_eq!(of_host(Name::Azure, &files), Ok(found(Name::Azure, "one", expected.clone())));

    let files = [&files[..], &[("var/lib/waagent/CustomData", "two")]].concat();
    assert_eq!(of_host(Name::Azure, &files), Ok(found(Name::Azure, "two", expected)));
}

#[test]
fn the_ovf_environment_of_vmware_is_read() {
    let property = |name: &str, value: &str| {
        format!(r#"<Property oe:key="guestinfo.{name}" oe:value="{value}"/>"#)
    };
    let properties = [
        property("coreos.config.data", "H4sIAAAAAAACA8vPSwUA8YZsegMAAAA="),
        property("coreos.config.data.encoding", "gzip+base64"),
        property("hostname", "one"),
        property("interface.0.role", "private"),
        property("interface.0.ip.0.address", "10.0.0.5/24"),
        property("interface.1.role", "public"),
        property("interface.1.ip.0.address", "198.51.100.5/24"),
        property("interface.1.ip.1.address", "2001:db8::5/64"),
        property("interface.2.role", "other"),
        property("interface.2.ip.0.address", "10.9.9.9/24"),
    ];
    let text = format!(
        r#"<Environment xmlns="http://schemas.dmtf.org/ovf/environment/1"
           xmlns:oe="http://schemas.dmtf.org/ovf/environment/1"><PropertySection>{}</PropertySection></Environment>"#,
        properties.concat()
    );

    let expected = Found {
        metadata: Metadata {
            hostname: Some("one".to_owned()),
            public_ipv4: "198.51.100.5".parse().ok(),
            private_ipv4: "10.0.0.5".parse().ok(),
            public_ipv6: "2001:db8::5".parse().ok(),
            ..Metadata::default()
        },
        warnings: vec![
            "vmware: the role of interface 2 is neither public nor private: passed over".to_owned(),
        ],
        ..found(Name::VMware, "one", Metadata::default())
    };
    assert_eq!(of_host(Name::VMware, &[("media/ovfenv/ovf-env.xml", &text)]), Ok(expected));
}

#[test]
fn what_a_variable_of_vmware_holds_is_never_told() {
    for encoding in ["base64", "gzip", "gzip+base64", "rot13"] {
        let text = format!(
            r#"<E><Property key="guestinfo.coreos.config.data" value="se cret?"/>
               <Property key="guestinfo.coreos.config.data.encoding" value="{encoding}"/></E>"#
        );

        let told = of_host(Name::VMware, &[("media/ovfenv/ovf-env.xml", &text)]).unwrap_err();

        assert!(told.starts_with("datasource vmware: guestinfo.coreos.config.data: "), "{told}");
        assert!(!told.contains("cret"), "{told}");
    }
}

#[test]
fn a_datasource_that_is_damaged_stops_the_search() {
    let root = host(&[
        ("media/configdrive/openstack/latest/meta_data.json", "[]"),
        ("var/lib/cloud/seed/nocloud/user-data", "one"),
    ]);
    let clock = TestClock::default();

    let told = find(&search(root.path(), None, &clock), Stage::Network).unwrap_err().to_string();

    assert!(told.starts_with("datasource configdrive: "), "{told}");
    assert!(told.ends_with("meta_data.json: is JSON, but not an object"), "{told}");
}

#[test]
fn user_data_is_not_in_what_is_told_for_debugging() {
    let told = format!("{:?}", found(Name::File, "secret", Metadata::default()));

    assert!(told.contains("Some(6)") && !told.contains("secret"), "{told}");
}
