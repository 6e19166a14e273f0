//! Which cloud a host is on, by what its firmware and image say.

use std::path::Path;

use super::cmdline::Parameters;
use super::{Name, local};

/// Parameters of the kernel by which images for a cloud say which one.
const PARAMETERS: [&str; 4] =
    ["cloud-config-datasource", "ignition.platform.id", "flatcar.oem.id", "coreos.oem.id"];

/// The asset tag that all hosts on Azure have.
const AZURE: &str = "7783-7084-3265-9085-8269-3286-77";

/// Makers of virtual machines that are on no cloud that they name.
const VIRTUAL: [&str; 7] =
    ["QEMU", "Red Hat", "Xen", "KVM", "oVirt", "Nutanix", "Apache Software Foundation"];

/// What the firmware says of the machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Firmware {
    pub(super) vendor: String,
    pub(super) product: String,
    pub(super) asset: String,
    pub(super) bios: String,
    pub(super) uuid: String,
    pub(super) version: String,
}

impl Firmware {
    fn of(root: &Path) -> Self {
        let field = |name: &str| local::hint(&root.join("sys/class/dmi/id").join(name));
        Self {
            vendor: field("sys_vendor"),
            product: field("product_name"),
            asset: field("chassis_asset_tag"),
            bios: field("bios_vendor"),
            uuid: field("product_uuid").to_ascii_lowercase(),
            version: field("bios_version"),
        }
    }
}

/// The datasource of the cloud that the host is on, if anything tells.
pub(super) fn cloud(root: &Path) -> Option<Name> {
    let parameters = Parameters::of(root);
    let said = PARAMETERS.iter().find_map(|name| parameters.value(name)).and_then(of_word);
    said.or_else(|| of_firmware(&Firmware::of(root)))
}

/// Whether the host is a virtual machine whose cloud may be any.
pub(super) fn is_virtual(root: &Path) -> bool {
    let vendor = Firmware::of(root).vendor;
    VIRTUAL.iter().any(|maker| vendor.starts_with(maker))
}

/// The datasource by the word that an image has for its cloud.
fn of_word(word: &str) -> Option<Name> {
    match word {
        "aws" | "ec2-compat" => Some(Name::Ec2),
        "gcp" => Some(Name::Gce),
        "virtualbox" => Some(Name::Vagrant),
        word => word.parse().ok(),
    }
}

fn of_firmware(firmware: &Firmware) -> Option<Name> {
    let Firmware { vendor, product, asset, bios, uuid, version } = firmware;
    let is_xen_of_ec2 = uuid.starts_with("ec2") && version.ends_with(".amazon");
    if vendor == "Amazon EC2" || bios == "Amazon EC2" || is_xen_of_ec2 {
        return Some(Name::Ec2);
    }
    if vendor == "DigitalOcean" {
        return Some(Name::DigitalOcean);
    }
    if product.starts_with("CloudStack") {
        return Some(Name::CloudStack);
    }
    if product == "Google Compute Engine" || (vendor == "Google" && product == "Google") {
        return Some(Name::Gce);
    }
    if product.starts_with("OpenStack") || asset.starts_with("OpenStack") {
        return Some(Name::OpenStack);
    }
    if asset == AZURE {
        return Some(Name::Azure);
    }
    if vendor.starts_with("VMware") {
        return Some(Name::VMware);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(fields: &[(&str, &str)]) -> Option<Name> {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in fields {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, format!("{text}\n")).unwrap();
        }
        cloud(root.path())
    }

    #[test]
    fn firmware_tells_the_cloud() {
        for (field, text, name) in [
            ("sys_vendor", "Amazon EC2", Name::Ec2),
            ("sys_vendor", "DigitalOcean", Name::DigitalOcean),
            ("product_name", "CloudStack KVM Hypervisor", Name::CloudStack),
            ("product_name", "Google Compute Engine", Name::Gce),
            ("product_name", "OpenStack Nova", Name::OpenStack),
            ("chassis_asset_tag", AZURE, Name::Azure),
            ("sys_vendor", "VMware, Inc.", Name::VMware),
        ] {
            assert_eq!(told(&[(&format!("sys/class/dmi/id/{field}"), text)]), Some(name), "{text}");
        }
        let uuid = ("sys/class/dmi/id/product_uuid", "EC2F1E3A-0000-0000-0000-000000000000");
        let version = ("sys/class/dmi/id/bios_version", "4.11.amazon");
        assert_eq!(told(&[uuid, version]), Some(Name::Ec2));
        assert_eq!(told(&[uuid]), None);
    }

    #[test]
    fn the_kernel_has_the_first_word() {
        let firmware = ("sys/class/dmi/id/sys_vendor", "Amazon EC2");
        for (line, name) in [
            ("quiet coreos.oem.id=packet", Name::Packet),
            ("cloud-config-datasource=nocloud", Name::NoCloud),
            ("ignition.platform.id=gcp", Name::Gce),
            ("ignition.platform.id=metal", Name::Ec2),
        ] {
            assert_eq!(told(&[("proc/cmdline", line), firmware]), Some(name), "{line}");
        }
    }

    #[test]
    fn other_machines_are_on_no_cloud() {
        assert_eq!(told(&[]), None);
        let vendor = ("sys/class/dmi/id/sys_vendor", "Google");
        assert_eq!(told(&[vendor, ("sys/class/dmi/id/product_name", "Eve")]), None);
        assert_eq!(told(&[("sys/class/dmi/id/sys_vendor", "QEMU")]), None);
    }
}
