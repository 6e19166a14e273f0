//! Addresses by what the interfaces of the host have.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use super::{Fact, Facts};

/// Beginnings of names of interfaces that containers and virtual machines inside of the host have.
const INNER: [&str; 9] =
    ["br-", "cali", "cni", "docker", "flannel", "lxcbr", "podman", "veth", "virbr"];

/// An address of an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Such as `eth0`.
    pub name: String,
    /// One of its addresses.
    pub address: IpAddr,
}

/// The interfaces of a host, and which addresses it talks to the world from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Interfaces {
    /// All addresses, in the order of the interfaces.
    pub all: Vec<Interface>,
    /// The source address of the default route of IPv4.
    pub default_ipv4: Option<Ipv4Addr>,
    /// The source address of the default route of IPv6.
    pub default_ipv6: Option<Ipv6Addr>,
}

impl Interfaces {
    /// The interfaces of this host.
    #[must_use]
    pub fn of_this_host() -> Self {
        // A host without interfaces has no addresses to tell; the error names that.
        let found = if_addrs::get_if_addrs().unwrap_or_default();
        let all = found
            .into_iter()
            .map(|interface| Interface { address: interface.ip(), name: interface.name });
        let default_ipv4 = match source("0.0.0.0:0", "198.51.100.1:9") {
            Some(IpAddr::V4(address)) => Some(address),
            Some(IpAddr::V6(_)) | None => None,
        };
        let default_ipv6 = match source("[::]:0", "[2001:db8::1]:9") {
            Some(IpAddr::V6(address)) => Some(address),
            Some(IpAddr::V4(_)) | None => None,
        };
        Self { all: all.collect(), default_ipv4, default_ipv6 }
    }

    /// The addresses that tokens stand for: that of the default route, which is private or public
    /// by its range, and for the other one the first address of that range.
    #[must_use]
    pub fn facts(&self) -> Facts {
        let outer: Vec<&Interface> = self.all.iter().filter(|one| is_outer(one)).collect();
        let ipv4: Vec<(&str, Ipv4Addr)> = outer
            .iter()
            .filter_map(|one| match one.address {
                IpAddr::V4(address) => Some((one.name.as_str(), address)),
                IpAddr::V6(_) => None,
            })
            .collect();
        let ipv6: Vec<(&str, Ipv6Addr)> = outer
            .iter()
            .filter_map(|one| match one.address {
                IpAddr::V6(address) => Some((one.name.as_str(), address)),
                IpAddr::V4(_) => None,
            })
            .collect();
        Facts {
            private_ipv4: choose(&ipv4, self.default_ipv4, Ipv4Addr::is_private),
            public_ipv4: choose(&ipv4, self.default_ipv4, |address| !address.is_private()),
            private_ipv6: choose(&ipv6, self.default_ipv6, Ipv6Addr::is_unique_local),
            public_ipv6: choose(&ipv6, self.default_ipv6, |address| !address.is_unique_local()),
            tried: vec![describe(&outer)],
        }
    }
}

/// The address of the default route if it is of the kind, or else the first one that is.
fn choose<T: Copy + PartialEq>(
    addresses: &[(&str, T)],
    default: Option<T>,
    is_of_kind: impl Fn(&T) -> bool,
) -> Option<Fact<T>> {
    let of_kind = || addresses.iter().filter(|(_, address)| is_of_kind(address));
    let found =
        of_kind().find(|(_, address)| default == Some(*address)).or_else(|| of_kind().next());
    found.map(|(name, address)| Fact { value: *address, origin: format!("interface {name}") })
}

fn is_outer(interface: &Interface) -> bool {
    let is_inner = INNER.iter().any(|start| interface.name.starts_with(start));
    let is_local = match interface.address {
        IpAddr::V4(address) => {
            address.is_loopback() || address.is_link_local() || address.is_unspecified()
        }
        IpAddr::V6(address) => {
            address.is_loopback() || address.is_unicast_link_local() || address.is_unspecified()
        }
    };
    !is_inner && !is_local
}

fn describe(outer: &[&Interface]) -> String {
    if outer.is_empty() {
        return "the interfaces, which have no address".to_owned();
    }
    let all: Vec<String> =
        outer.iter().map(|one| format!("{} {}", one.name, one.address)).collect();
    format!("the interfaces ({})", all.join(", "))
}

/// The address that a packet would be sent from; none is.
fn source(from: &str, to: &str) -> Option<IpAddr> {
    let socket = UdpSocket::bind(from).ok()?;
    socket.connect(to).ok()?;
    socket.local_addr().ok().map(|address: SocketAddr| address.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interfaces(all: &[(&str, &str)], default: Option<&str>) -> Interfaces {
        Interfaces {
            all: all
                .iter()
                .map(|(name, address)| Interface {
                    name: (*name).to_owned(),
                    address: address.parse().unwrap(),
                })
                .collect(),
            default_ipv4: default.map(|address| address.parse().unwrap()),
            default_ipv6: None,
        }
    }

    fn found(all: &[(&str, &str)], default: Option<&str>) -> [Option<String>; 2] {
        let facts = interfaces(all, default).facts();
        [facts.private_ipv4, facts.public_ipv4]
            .map(|fact| fact.map(|fact| format!("{} of {}", fact.value, fact.origin)))
    }

    fn pair(private: Option<&str>, public: Option<&str>) -> [Option<String>; 2] {
        [private.map(str::to_owned), public.map(str::to_owned)]
    }

    #[test]
    fn the_default_routes_address_is_private_or_public_by_its_range() {
        let private = [("lo", "127.0.0.1"), ("eth0", "10.0.0.5")];
        assert_eq!(
            found(&private, Some("10.0.0.5")),
            pair(Some("10.0.0.5 of interface eth0"), None)
        );
        let public = [("lo", "127.0.0.1"), ("eth0", "203.0.113.5")];
        assert_eq!(
            found(&public, Some("203.0.113.5")),
            pair(None, Some("203.0.113.5 of interface eth0"))
        );
    }

    #[test]
    fn the_default_routes_address_goes_before_others_of_its_range() {
        let all = [("eth0", "192.168.1.2"), ("eth1", "10.0.0.5")];

        assert_eq!(found(&all, Some("10.0.0.5")), pair(Some("10.0.0.5 of interface eth1"), None));
        assert_eq!(found(&all, None), pair(Some("192.168.1.2 of interface eth0"), None));
    }

    #[test]
    fn the_other_range_is_taken_from_another_interface() {
        let all = [("eth0", "203.0.113.5"), ("eth1", "172.16.0.9")];

        assert_eq!(
            found(&all, Some("203.0.113.5")),
            pair(Some("172.16.0.9 of interface eth1"), Some("203.0.113.5 of interface eth0"))
        );
    }

    #[test]
    fn containers_and_links_have_no_say() {
        let all = [
            ("docker0", "172.17.0.1"),
            ("br-0a1b", "172.18.0.1"),
            ("veth12", "10.1.1.1"),
            ("lo", "127.0.0.1"),
            ("eth0", "169.254.3.4"),
        ];

        assert_eq!(found(&all, None), [None, None]);
        assert_eq!(
            interfaces(&all, None).facts().tried,
            ["the interfaces, which have no address".to_owned()]
        );
    }

    #[test]
    fn addresses_of_ipv6_have_ranges_too() {
        let all = [("eth0", "fe80::1"), ("eth0", "fd00::5"), ("eth0", "2001:db8::5")];
        let facts = interfaces(&all, None).facts();

        let origin = "interface eth0".to_owned();
        assert_eq!(
            (facts.private_ipv6, facts.public_ipv6),
            (
                Some(Fact { value: "fd00::5".parse().unwrap(), origin: origin.clone() }),
                Some(Fact { value: "2001:db8::5".parse().unwrap(), origin }),
            )
        );
        assert_eq!(facts.tried, ["the interfaces (eth0 fd00::5, eth0 2001:db8::5)".to_owned()]);
    }
}
