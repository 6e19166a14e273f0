//! What is known of a host before its document is read.

use std::net::{Ipv4Addr, Ipv6Addr};

/// A value and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact<T> {
    /// The value.
    pub value: T,
    /// Such as `the metadata of EC2`, `COREOS_PRIVATE_IPV4 in /etc/environment`, `interface eth0`.
    pub origin: String,
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
        let origin = || "an address for documentation".to_owned();
        Self {
            public_ipv4: Some(Fact { value: Ipv4Addr::new(198, 51, 100, 1), origin: origin() }),
            private_ipv4: Some(Fact { value: Ipv4Addr::new(192, 0, 2, 1), origin: origin() }),
            public_ipv6: Some(Fact {
                value: Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1),
                origin: origin(),
            }),
            private_ipv6: Some(Fact {
                value: Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 1),
                origin: origin(),
            }),
            tried: Vec::new(),
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
