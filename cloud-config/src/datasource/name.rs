//! Names of datasources.

use std::fmt;
use std::str::FromStr;

/// A kind of place that has user data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Name {
    /// A file of the image, or that an installer left.
    File,
    /// A URL in the command line of the kernel.
    Cmdline,
    /// A volume in the layout of OpenStack.
    ConfigDrive,
    /// A volume, directory or server in the layout of NoCloud.
    NoCloud,
    /// The metadata service of EC2.
    Ec2,
    /// The metadata service of DigitalOcean.
    DigitalOcean,
    /// The virtual router of CloudStack.
    CloudStack,
    /// The metadata service of Google Compute Engine.
    Gce,
    /// The metadata service of OpenStack.
    OpenStack,
    /// The directory of Azure's agent, and the metadata service.
    Azure,
    /// The metadata service of Packet.
    Packet,
    /// Variables that VMware gives a guest.
    VMware,
    /// The file that Vagrant drops.
    Vagrant,
}

/// A word that names no datasource.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no datasource has that name: take one of {}", names())]
pub struct UnknownName;

impl Name {
    /// All of them, in the order in which they are documented.
    pub const ALL: [Self; 13] = [
        Self::File,
        Self::Cmdline,
        Self::ConfigDrive,
        Self::NoCloud,
        Self::Ec2,
        Self::DigitalOcean,
        Self::CloudStack,
        Self::Gce,
        Self::OpenStack,
        Self::Azure,
        Self::Packet,
        Self::VMware,
        Self::Vagrant,
    ];

    /// Whose metadata it has, for people; `None` if it never has addresses.
    #[must_use]
    pub const fn cloud(self) -> Option<&'static str> {
        match self {
            Self::File | Self::Cmdline | Self::NoCloud | Self::Vagrant => None,
            Self::ConfigDrive => Some("the config drive"),
            Self::Ec2 => Some("EC2"),
            Self::DigitalOcean => Some("DigitalOcean"),
            Self::CloudStack => Some("CloudStack"),
            Self::Gce => Some("Google Compute Engine"),
            Self::OpenStack => Some("OpenStack"),
            Self::Azure => Some("Azure"),
            Self::Packet => Some("Packet"),
            Self::VMware => Some("VMware"),
        }
    }

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Cmdline => "cmdline",
            Self::ConfigDrive => "configdrive",
            Self::NoCloud => "nocloud",
            Self::Ec2 => "ec2",
            Self::DigitalOcean => "digitalocean",
            Self::CloudStack => "cloudstack",
            Self::Gce => "gce",
            Self::OpenStack => "openstack",
            Self::Azure => "azure",
            Self::Packet => "packet",
            Self::VMware => "vmware",
            Self::Vagrant => "vagrant",
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for Name {
    type Err = UnknownName;

    fn from_str(word: &str) -> Result<Self, UnknownName> {
        Self::ALL.into_iter().find(|name| name.as_str() == word).ok_or(UnknownName)
    }
}

fn names() -> String {
    Name::ALL.map(Name::as_str).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_read_as_it_is_written() {
        for name in Name::ALL {
            assert_eq!(name.to_string().parse(), Ok(name));
        }
        assert_eq!("Ec2".parse::<Name>(), Err(UnknownName));
    }
}
