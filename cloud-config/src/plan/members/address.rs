//! Addresses of etcd 0.4, `host:port`, as the URLs of today.

use std::net::{IpAddr, Ipv4Addr};

/// Where etcd always listens, whatever a document says: fleetd and etcdctl look there.
pub(super) const CLIENT_PORT: u16 = 2379;

/// A host and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    host: String,
    port: u16,
}

impl Address {
    /// Reads `host:port`, or a URL; without a port it is the given one.
    pub(super) fn read(text: &str, port: u16) -> Self {
        let text = text.split_once("://").map_or(text, |(_, rest)| rest);
        let text = text.split('/').next().unwrap_or(text);
        let split =
            text.rsplit_once(':').filter(|(host, _)| !host.contains(':') || host.ends_with(']'));
        let parsed = split.and_then(|(host, port)| Some((host, port.parse().ok()?)));
        let (host, port) = parsed.unwrap_or((text, port));
        let bracketed = host.contains(':') && !host.starts_with('[');
        Self { host: if bracketed { format!("[{host}]") } else { host.to_owned() }, port }
    }

    pub(super) fn loopback(port: u16) -> Self {
        Self { host: Ipv4Addr::LOCALHOST.to_string(), port }
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}:{}", self.host, self.port)
    }

    /// Where to listen for it: etcd binds only to addresses, not to names.
    pub(super) fn listening(self) -> Self {
        if self.ip().is_some() || self.host == "localhost" {
            return self;
        }
        Self { host: Ipv4Addr::UNSPECIFIED.to_string(), ..self }
    }

    /// Whether who listens here is reached at an address of the loopback, too.
    pub(super) fn covers(&self, loopback: &Self) -> bool {
        let everywhere = self.ip().is_some_and(|ip| ip.is_unspecified());
        self.port == loopback.port
            && (everywhere || self.host == loopback.host || self.host == "localhost")
    }

    /// A word for the name of a member.
    pub(super) fn word(&self) -> String {
        let fine = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
        format!("{}-{}", self.host.chars().map(fine).collect::<String>(), self.port)
    }

    fn ip(&self) -> Option<IpAddr> {
        self.host.trim_start_matches('[').trim_end_matches(']').parse().ok()
    }
}

/// URLs between commas.
pub(super) fn split(urls: &str) -> impl Iterator<Item = &str> {
    urls.split(',').map(str::trim).filter(|url| !url.is_empty())
}

/// The given URLs, and those of the loopback that they do not cover.
pub(super) fn with_loopback(urls: &str, ports: &[u16], scheme: &str) -> String {
    let mut urls: Vec<String> = split(urls).map(str::to_owned).collect();
    for port in ports {
        let loopback = Address::loopback(*port);
        if !urls.iter().any(|url| Address::read(url, CLIENT_PORT).covers(&loopback)) {
            urls.push(loopback.url(scheme));
        }
    }
    urls.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_become_urls() {
        for (text, url) in [
            ("10.0.0.5:4001", "http://10.0.0.5:4001"),
            ("10.0.0.5", "http://10.0.0.5:4001"),
            ("http://10.0.0.5:1/", "http://10.0.0.5:1"),
            ("one.example:7001", "http://one.example:7001"),
            ("[2001:db8::1]:7001", "http://[2001:db8::1]:7001"),
            ("2001:db8::1", "http://[2001:db8::1]:4001"),
        ] {
            assert_eq!(Address::read(text, 4001).url("http"), url, "{text}");
        }
    }

    #[test]
    fn names_are_not_bound_to() {
        let url = |text| Address::read(text, 1).listening().url("http");

        assert_eq!(url("one.example:7001"), "http://0.0.0.0:7001");
        assert_eq!(url("[2001:db8::1]:7001"), "http://[2001:db8::1]:7001");
    }

    #[test]
    fn the_loopback_is_added_once() {
        for (urls, expected) in [
            ("http://10.0.0.5:2379", "http://10.0.0.5:2379,http://127.0.0.1:2379"),
            ("http://0.0.0.0:2379, http://0.0.0.0:4001", "http://0.0.0.0:2379,http://0.0.0.0:4001"),
            ("http://[::]:2379", "http://[::]:2379"),
            ("http://localhost:2379", "http://localhost:2379"),
            ("http://127.0.0.1:4001", "http://127.0.0.1:4001,http://127.0.0.1:2379"),
        ] {
            assert_eq!(with_loopback(urls, &[CLIENT_PORT], "http"), expected);
        }
    }
}
