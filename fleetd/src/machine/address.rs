//! The address that the machine publishes.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};

use if_addrs::{IfAddr, Interface};
use tracing::debug;

const ROUTES: &str = "/proc/net/route";

const ROUTE_UP: u32 = 0x1;
const ROUTE_REJECT: u32 = 0x200;

/// The configured address, or else the first IPv4 address of the interface that the default route
/// leaves by which others can reach. `None` if there is none (yet): ask again later.
#[must_use]
pub fn published_address(configured: Option<IpAddr>) -> Option<IpAddr> {
    configured.or_else(|| {
        let routes = fs::read_to_string(ROUTES)
            .inspect_err(|error| debug!(%error, "Cannot read the routes"))
            .ok()?;
        let interfaces = if_addrs::get_if_addrs()
            .inspect_err(|error| debug!(%error, "Cannot list the interfaces"))
            .ok()?;
        let interface = default_interface(&routes)?;
        first_usable(interface, &interfaces).map(IpAddr::V4)
    })
}

/// The interface of the default route with the lowest metric, from the kernel's table.
fn default_interface(routes: &str) -> Option<&str> {
    let default = |line: &'_ str| -> Option<u32> {
        let mut columns = line.split_ascii_whitespace().skip(1);
        let destination = u32::from_str_radix(columns.next()?, 16).ok()?;
        let flags = u32::from_str_radix(columns.nth(1)?, 16).ok()?;
        let metric = columns.nth(2)?.parse().ok()?;
        let mask = u32::from_str_radix(columns.next()?, 16).ok()?;
        let usable = flags & ROUTE_UP != 0 && flags & ROUTE_REJECT == 0;
        (destination == 0 && mask == 0 && usable).then_some(metric)
    };
    let (_, line) = routes
        .lines()
        .skip(1)
        .filter_map(|line| Some((default(line)?, line)))
        .min_by_key(|(metric, _)| *metric)?;
    line.split_ascii_whitespace().next()
}

fn first_usable(name: &str, interfaces: &[Interface]) -> Option<Ipv4Addr> {
    interfaces.iter().filter(|interface| interface.name == name).find_map(|interface| {
        match &interface.addr {
            IfAddr::V4(v4) if is_usable(v4.ip) => Some(v4.ip),
            IfAddr::V4(_) | IfAddr::V6(_) => None,
        }
    })
}

/// Whether other machines can reach the address; private networks count.
const fn is_usable(ip: Ipv4Addr) -> bool {
    !(ip.is_unspecified()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_multicast()
        || ip.is_broadcast())
}

#[cfg(test)]
mod tests {
    use if_addrs::Ifv4Addr;

    use super::*;

    const HEAD: &str =
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";

    fn interface(name: &str, ip: [u8; 4]) -> Interface {
        Interface {
            name: name.to_owned(),
            addr: IfAddr::V4(Ifv4Addr {
                ip: ip.into(),
                netmask: [255, 255, 255, 0].into(),
                prefixlen: 24,
                broadcast: None,
            }),
            index: None,
            oper_status: if_addrs::IfOperStatus::Up,
            is_p2p: false,
        }
    }

    #[test]
    fn the_default_route_with_the_lowest_metric_names_the_interface() {
        let routes = format!(
            "{HEAD}lan0\t0000A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n\
             wlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n\
             eth0\t00000000\tFE004D0A\t0003\t0\t0\t100\t00000000\t0\t0\t0\n\
             lo\t00000000\t00000000\t0200\t0\t0\t0\t00000000\t0\t0\t0\n\
             tun0\t00000000\t00000000\t0001\t0\t0\t0\t00000080\t0\t0\t0\n"
        );

        assert_eq!(default_interface(&routes), Some("eth0"));
        assert_eq!(default_interface(HEAD), None);
        assert_eq!(default_interface("Iface\ngarbage\neth0 0 0\n"), None);
    }

    #[test]
    fn the_first_usable_address_of_that_interface_counts() {
        let interfaces = [
            interface("lo", [127, 0, 0, 1]),
            interface("eth1", [10, 0, 0, 1]),
            interface("eth0", [169, 254, 3, 4]),
            interface("eth0", [192, 168, 1, 5]),
            interface("eth0", [192, 168, 1, 6]),
        ];

        assert_eq!(first_usable("eth0", &interfaces), Some([192, 168, 1, 5].into()));
        assert_eq!(first_usable("lo", &interfaces), None);
        assert_eq!(first_usable("eth7", &interfaces), None);
    }

    #[test]
    fn addresses_that_nobody_else_can_reach_are_not_usable() {
        let usable = [
            [192, 168, 1, 1],
            [8, 8, 8, 8],
            [0, 0, 0, 0],
            [127, 0, 0, 1],
            [169, 254, 1, 1],
            [224, 0, 0, 1],
            [255, 255, 255, 255],
        ]
        .map(|ip| is_usable(ip.into()));

        assert_eq!(usable, [true, true, false, false, false, false, false]);
    }

    #[test]
    fn a_configured_address_is_published_as_it_is() {
        let address = "2001:db8::1".parse().ok();

        assert_eq!(published_address(address), address);
    }
}
