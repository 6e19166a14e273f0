//! `coreos.etcd` and `coreos.etcd2`: the etcd of today is told what was meant.
//!
//! All variables of old are told, too: etcd passes over those that it does not know, and units of
//! users may read them. What is about the first start (`discovery`, `initial_cluster`) stays: a member
//! with data does not look at it.

use super::address::{Address, CLIENT_PORT, split, with_loopback};
use super::environment::{Variables, escape};
use super::fate::Fate;
use crate::document::Section;
use crate::problem::{Position, Problem};

/// Ports of etcd 0.4.
const OLD_CLIENT_PORT: u16 = 4001;
const OLD_PEER_PORT: u16 = 7001;

/// What etcd takes if nobody says anything, in milliseconds.
const HEARTBEAT: u64 = 100;
const ELECTION: u64 = 1000;

/// A section and what it is turned into.
pub(super) struct Etcd<'a> {
    section: &'a Section,
    name: &'static str,
    variables: Variables,
    warnings: Vec<Problem>,
}

/// The drop-in of a section, and what is to be said about it.
pub(super) fn translate(
    section: &Section,
    name: &'static str,
    fates: &[(&str, Fate)],
) -> (Variables, Vec<Problem>) {
    let variables = Variables::of_section("ETCD", section);
    let mut etcd = Etcd { section, name, variables, warnings: Vec::new() };
    etcd.warn_of_ignored(fates);
    // etcd 0.4 spelled this one without an underscore.
    if name == "etcd" {
        etcd.variables.rename("ETCD_SNAPSHOT_COUNT", "ETCD_SNAPSHOTCOUNT");
    }
    etcd.variables.remove("ETCD_FORCE_NEW_CLUSTER");
    etcd.name();
    etcd.clients();
    etcd.peers();
    etcd.certificates();
    etcd.timing();
    etcd.rest();
    (etcd.variables, etcd.warnings)
}

/// Whether a section makes etcd a member, which fleetd can use.
pub(super) fn is_member(section: &Section) -> bool {
    !matches!(option(section, "proxy"), Some("on" | "readonly"))
}

/// The URL at which etcd is reached on its own host.
pub(super) fn local_url(section: &Section) -> String {
    let loopback = Address::loopback(CLIENT_PORT);
    let urls = listening(section).unwrap_or_default();
    let local = split(&urls).find(|url| Address::read(url, CLIENT_PORT).covers(&loopback));
    let scheme = local.and_then(|url| url.split_once("://")).map_or("http", |(scheme, _)| scheme);
    loopback.url(scheme)
}

/// The authorities by which clients of etcd know each other, and whether clients need a certificate.
pub(super) fn authorities(section: &Section) -> (Option<&str>, bool) {
    let old = option(section, "ca_file");
    let told = option(section, "client_cert_auth");
    (option(section, "trusted_ca_file").or(old), told.map_or(old.is_some(), |told| told == "true"))
}

/// The URLs at which etcd listens for clients, that of the loopback among them; `None` if nothing is
/// said of them.
fn listening(section: &Section) -> Option<String> {
    let scheme = scheme(section, "cert_file");
    let (urls, ports) = match option(section, "listen_client_urls") {
        Some(urls) => (urls.to_owned(), vec![CLIENT_PORT]),
        None => match (option(section, "addr"), option(section, "bind_addr")) {
            // etcd itself would listen without the certificate.
            (None, None) if scheme == "https" => (String::new(), vec![CLIENT_PORT]),
            (None, None) => return None,
            (_, bound) => {
                let advertised = advertised(section);
                let port = advertised.port();
                let bound = bound.map_or(advertised, |bound| Address::read(bound, port));
                let bound = bound.listening();
                (bound.url(scheme), vec![bound.port(), CLIENT_PORT])
            }
        },
    };
    Some(with_loopback(&urls, &ports, scheme))
}

/// The address of etcd 0.4 that clients are told.
fn advertised(section: &Section) -> Address {
    Address::read(option(section, "addr").unwrap_or("127.0.0.1"), OLD_CLIENT_PORT)
}

fn option<'a>(section: &'a Section, name: &str) -> Option<&'a str> {
    let found = section.options.iter().find(|(option, _)| *option == name);
    found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
}

fn scheme(section: &Section, certificate: &str) -> &'static str {
    if option(section, certificate).is_some() { "https" } else { "http" }
}

impl<'a> Etcd<'a> {
    fn option(&self, name: &str) -> Option<&'a str> {
        option(self.section, name)
    }

    fn warn(&mut self, option: &str, text: String) {
        let position = self.section.position.unwrap_or(Position::START);
        let path = format!("coreos.{}.{option}", self.name);
        self.warnings.push(Problem::warning(position, path, text));
    }

    fn warn_of_ignored(&mut self, fates: &[(&str, Fate)]) {
        for (option, fate) in fates {
            if let Fate::Ignored(why) = fate
                && self.section.options.iter().any(|(known, _)| known == option)
            {
                self.warn(option, format!("is ignored: {why}"));
            }
        }
    }

    fn name(&mut self) {
        if self.option("name").is_none() {
            self.variables.set_specified("ETCD_NAME", "%m".to_owned());
        }
    }

    fn clients(&mut self) {
        let Some(urls) = listening(self.section) else { return };
        let scheme = scheme(self.section, "cert_file");
        let is_old = self.option("addr").is_some() || self.option("bind_addr").is_some();
        let is_listed = self.option("listen_client_urls").is_some();
        if self.option("advertise_client_urls").is_none() && (is_old || !is_listed) {
            let address =
                if is_old { advertised(self.section) } else { Address::loopback(CLIENT_PORT) };
            self.variables.set("ETCD_ADVERTISE_CLIENT_URLS", &address.url(scheme));
        }
        self.variables.set("ETCD_LISTEN_CLIENT_URLS", &urls);
    }

    fn peers(&mut self) {
        let scheme = scheme(self.section, "peer_cert_file");
        let addr = self.option("peer_addr");
        let bound = self.option("peer_bind_addr");
        let advertised = addr.map(|addr| Address::read(addr, OLD_PEER_PORT));
        if let Some(advertised) = &advertised
            && self.option("initial_advertise_peer_urls").is_none()
        {
            self.variables.set("ETCD_INITIAL_ADVERTISE_PEER_URLS", &advertised.url(scheme));
        }
        let port = advertised.as_ref().map_or(OLD_PEER_PORT, Address::port);
        let bound = bound.map(|bound| Address::read(bound, port)).or(advertised.clone());
        if let Some(bound) = bound
            && self.option("listen_peer_urls").is_none()
        {
            self.variables.set("ETCD_LISTEN_PEER_URLS", &bound.listening().url(scheme));
        }
        if let Some(peers) = self.option("peers") {
            self.static_members(peers, advertised.as_ref(), scheme);
        }
    }

    /// Members are known by their URLs, so each host may call the others as it likes.
    fn static_members(&mut self, peers: &str, own: Option<&Address>, scheme: &str) {
        if self.option("discovery").is_some() || self.option("initial_cluster").is_some() {
            return self.warn(
                "peers",
                "is ignored, as `discovery` or `initial_cluster` says which members there are"
                    .to_owned(),
            );
        }
        let Some(own) = own else {
            return self.warn("peers", "is ignored without `peer_addr`".to_owned());
        };
        let name = self.option("name").map_or_else(|| "%m".to_owned(), escape);
        let mut members = vec![format!("{name}={}", escape(&own.url(scheme)))];
        for peer in split(peers).map(|peer| Address::read(peer, OLD_PEER_PORT)) {
            if peer != *own {
                members.push(format!("peer-{}={}", peer.word(), escape(&peer.url(scheme))));
            }
        }
        self.variables.set_specified("ETCD_INITIAL_CLUSTER", members.join(","));
        self.warn(
            "peers",
            "must name the same members on all hosts: etcd takes it for the whole cluster"
                .to_owned(),
        );
    }

    fn certificates(&mut self) {
        for (old, file, auth) in [
            ("ca_file", "trusted_ca_file", "client_cert_auth"),
            ("peer_ca_file", "peer_trusted_ca_file", "peer_client_cert_auth"),
        ] {
            let Some(authorities) = self.option(old) else { continue };
            if self.option(file).is_none() {
                self.variables.set(&format!("ETCD_{}", file.to_uppercase()), authorities);
            }
            if self.option(auth).is_none() {
                self.variables.set(&format!("ETCD_{}", auth.to_uppercase()), "true");
            }
        }
    }

    /// etcd does not start unless an election takes five heartbeats at least.
    fn timing(&mut self) {
        let number = |new: &str, old: &str| {
            let value = self.option(new).or(self.option(old));
            value.and_then(|value| value.parse::<u64>().ok())
        };
        let heartbeat = number("heartbeat_interval", "peer_heartbeat_interval");
        let election = number("election_timeout", "peer_election_timeout");
        let too_short =
            heartbeat.unwrap_or(HEARTBEAT).saturating_mul(5) > election.unwrap_or(ELECTION);
        let (heartbeat, election) = match (heartbeat, election) {
            (Some(heartbeat), _) if too_short => {
                (Some(heartbeat), Some(heartbeat.saturating_mul(5)))
            }
            (None, Some(election)) if too_short => (Some(election / 5), Some(election)),
            told => told,
        };
        if too_short {
            let option =
                if self.name == "etcd" { "peer_election_timeout" } else { "election_timeout" };
            self.warn(
                option,
                "an election takes five heartbeats at least: that is used".to_owned(),
            );
        }
        for (name, value) in
            [("ETCD_HEARTBEAT_INTERVAL", heartbeat), ("ETCD_ELECTION_TIMEOUT", election)]
        {
            if let Some(value) = value {
                self.variables.set(name, &value.to_string());
            }
        }
    }

    fn rest(&mut self) {
        if let Some(count) = self.option("snapshot_count") {
            self.variables.set("ETCD_SNAPSHOT_COUNT", count);
        }
        let loud = ["verbose", "very_verbose", "very_very_verbose", "debug"];
        if loud.iter().any(|option| self.option(option) == Some("true")) {
            self.variables.set("ETCD_LOG_LEVEL", "debug");
        }
        // Units of old use the old interface, and nobody else would compact for fleet.
        self.variables.set("ETCD_ENABLE_V2", "true");
        self.variables.set("ETCD_AUTO_COMPACTION_RETENTION", "1");
        if !is_member(self.section) {
            let text = "a proxy serves only etcd's old interface: fleetd needs members, name them in \
                        `coreos.fleet.etcd_servers`";
            self.warn("proxy", text.to_owned());
        }
    }
}
