//! What is known of a host before its document is read.

mod environment;
mod interfaces;

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;

pub use interfaces::{Interface, Interfaces};

/// A value and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact<T> {
    /// The value.
    pub value: T,
    /// Such as `the metadata of EC2`, `COREOS_PRIVATE_IPV4 in /etc/environment`, `interface eth0`.
    pub origin: String,
}

impl<T> Fact<T> {
    /// A value from a place, if that has one.
    pub fn of(value: Option<T>, origin: &str) -> Option<Self> {
        value.map(|value| Self { value, origin: origin.to_owned() })
    }
}

/// Addresses of the host, which tokens such as `$private_ipv4` stand for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// `$public_ipv4`.
    pub public_ipv4: Option<Fact<Ipv4Addr>>,
    /// `$private_ipv4`.
    pub private_ipv4: Option<Fact<Ipv4Addr>>,
    /// `$public_ipv6`.
    pub public_ipv6: Option<Fact<Ipv6Addr>>,
    /// `$private_ipv6`.
    pub private_ipv6: Option<Fact<Ipv6Addr>>,
    /// Where addresses were looked for, in order, for an error about one that is missing.
    pub tried: Vec<String>,
}

impl Facts {
    /// Addresses of the ranges that are reserved for documentation.
    #[must_use]
    pub fn sample() -> Self {
        let origin = "an address for documentation";
        let ipv6 = |net| Ipv6Addr::new(0x2001, 0xdb8, net, 0, 0, 0, 0, 1);
        Self {
            public_ipv4: Fact::of(Some(Ipv4Addr::new(198, 51, 100, 1)), origin),
            private_ipv4: Fact::of(Some(Ipv4Addr::new(192, 0, 2, 1)), origin),
            public_ipv6: Fact::of(Some(ipv6(0)), origin),
            private_ipv6: Fact::of(Some(ipv6(1)), origin),
            tried: Vec::new(),
        }
    }

    /// The addresses of a host, from the first place that knows each: the metadata of `cloud`, the
    /// environment of this program, /etc/environment below `root`, and the interfaces, if `root` is
    /// that of this host.
    #[must_use]
    pub fn of_host(root: &Path, metadata: &Metadata, cloud: Option<&str>) -> Self {
        let text = std::fs::read(root.join("etc/environment")).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let interfaces = match root == Path::new("/") {
            true => Interfaces::of_this_host().facts(),
            false => Self::default(),
        };
        Self::of_metadata(metadata, cloud)
            .or(environment::facts(&|name| std::env::var(name).ok(), "the environment"))
            .or(environment::facts(&|name| environment::variable(&text, name), "/etc/environment"))
            .or(interfaces)
    }

    /// The addresses that a cloud tells; `cloud` is its name for people.
    #[must_use]
    pub fn of_metadata(metadata: &Metadata, cloud: Option<&str>) -> Self {
        let place = cloud
            .map_or_else(|| "the metadata".to_owned(), |cloud| format!("the metadata of {cloud}"));
        Self {
            public_ipv4: Fact::of(metadata.public_ipv4, &place),
            private_ipv4: Fact::of(metadata.private_ipv4, &place),
            public_ipv6: Fact::of(metadata.public_ipv6, &place),
            private_ipv6: Fact::of(metadata.private_ipv6, &place),
            tried: cloud.map(|_| place).into_iter().collect(),
        }
    }

    /// These addresses, with those of another place where one is not known.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        let mut tried = self.tried;
        tried.extend(other.tried);
        Self {
            public_ipv4: self.public_ipv4.or(other.public_ipv4),
            private_ipv4: self.private_ipv4.or(other.private_ipv4),
            public_ipv6: self.public_ipv6.or(other.public_ipv6),
            private_ipv6: self.private_ipv6.or(other.private_ipv6),
            tried,
        }
    }

    /// These addresses, with samples where one is not known: for checking a document away from its
    /// host.
    #[must_use]
    pub fn or_sample(self) -> Self {
        self.or(Self::sample())
    }
}

/// What a cloud says of a host beside the user data.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata {
    /// Names this instance of the machine: scripts run once for each.
    pub instance_id: Option<String>,
    /// Used when the document names none.
    pub hostname: Option<String>,
    /// Keys added to those of the document.
    pub ssh_authorized_keys: Vec<String>,
    /// Addresses that the cloud gave the host.
    pub public_ipv4: Option<Ipv4Addr>,
    /// See `public_ipv4`.
    pub private_ipv4: Option<Ipv4Addr>,
    /// See `public_ipv4`.
    pub public_ipv6: Option<Ipv6Addr>,
    /// See `public_ipv4`.
    pub private_ipv6: Option<Ipv6Addr>,
}
