//! Which datasources are asked, in which order.
//!
//! Nothing is asked in parallel, so the same host finds the same user data on each boot. Files and
//! volumes go before servers. Servers are asked if the command line of the kernel names them, or
//! the cloud is known; only virtual machines guess, as on other networks anybody may answer.

use std::fmt;
use std::time::Duration;

use super::attempt::Patience;
use super::cmdline::Parameters;
use super::http::Http;
use super::{
    Asking, Found, Name, Reading, Search, SourceError, azure, cloudstack, cmdline, configdrive,
    digitalocean, ec2, file, gce, identify, kept, nocloud, openstack, packet, vmware,
};

/// How long a guess may take: a server on the host's own link answers at once.
const GUESS: Duration = Duration::from_secs(3);

/// How far the host has booted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Before the network is up: what goes before the first server.
    Local,
    /// With a network: all.
    Network,
}

/// Why there is no user data.
#[derive(Debug, thiserror::Error)]
pub enum NotFound {
    /// A datasource is there, and cannot be read. Those after it are not asked, as they are not
    /// what the host was meant to be.
    #[error("datasource {name}: {error}")]
    Failed {
        /// Which one.
        name: Name,
        /// Why.
        error: SourceError,
    },
    /// No datasource is there.
    #[error("no datasource is there: {}", Told(.0))]
    Nothing(Vec<Tried>),
}

impl NotFound {
    /// Whether a datasource may have something that could not be read.
    fn is_failure_of(&self, source: Name) -> bool {
        match self {
            Self::Failed { .. } => true,
            Self::Nothing(tried) => {
                tried.iter().any(|tried| tried.name == source && tried.error.is_some())
            }
        }
    }
}

/// A datasource that is not there.
#[derive(Debug)]
pub struct Tried {
    /// Which one.
    pub name: Name,
    /// What went wrong, if it was a guess.
    pub error: Option<SourceError>,
}

/// What the host says of its datasources.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Hints {
    cloud: Option<Name>,
    has_url: bool,
    has_seed_url: bool,
    has_dhcp_server: bool,
    is_virtual: bool,
}

/// A datasource that is worth asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Candidate {
    name: Name,
    online: bool,
    patience: Patience,
}

/// Asks datasources in their order for user data, or metadata alone.
pub fn find(search: &Search<'_>, stage: Stage) -> Result<Found, NotFound> {
    let root = search.root;
    let hints = Hints {
        cloud: identify::cloud(root),
        has_url: Parameters::of(root).url().is_some(),
        has_seed_url: nocloud::Seed::of(root).is_some_and(|seed| seed.url().is_some()),
        has_dhcp_server: cloudstack::dhcp_server(root).is_some(),
        is_virtual: identify::is_virtual(root),
    };
    ask(search, &candidates(&hints, stage))
}

/// Asks all datasources; takes what was kept at an earlier boot if the one that had it cannot be
/// read now. One that is there no more, or empty, is believed.
pub fn find_or_kept(search: &Search<'_>) -> Result<Found, NotFound> {
    let error = match find(search, Stage::Network) {
        Err(error) => error,
        found => return found,
    };
    match kept(search.root) {
        Ok(Some(mut found)) if error.is_failure_of(found.source) => {
            found.warnings.push(error.to_string());
            Ok(found)
        }
        // The damage of what was kept is not what is to be repaired.
        Ok(_) | Err(_) => Err(error),
    }
}

/// Asks one datasource, which has all the time.
pub fn read(name: Name, search: &Search<'_>) -> Result<Found, NotFound> {
    ask(search, &[Candidate { name, online: true, patience: Patience::Wait }])
}

fn candidates(hints: &Hints, stage: Stage) -> Vec<Candidate> {
    let local = |name| Candidate { name, online: false, patience: Patience::Wait };
    let known = |name| Candidate { name, online: true, patience: Patience::Wait };
    let guess = |name| Candidate { name, online: true, patience: Patience::Once };
    let mut all = vec![local(Name::File)];
    all.extend(hints.has_url.then(|| known(Name::Cmdline)));
    all.push(local(Name::ConfigDrive));
    all.push(Candidate { online: hints.has_seed_url, ..local(Name::NoCloud) });
    all.push(local(Name::Vagrant));
    match hints.cloud {
        Some(Name::File | Name::Cmdline | Name::ConfigDrive | Name::NoCloud | Name::Vagrant) => {}
        Some(name) => all.push(known(name)),
        None => {
            all.push(local(Name::Azure));
            all.push(known(Name::VMware));
            if hints.is_virtual {
                all.extend([guess(Name::OpenStack), guess(Name::Ec2)]);
                all.extend(hints.has_dhcp_server.then(|| guess(Name::CloudStack)));
            }
        }
    }
    match stage {
        Stage::Local => all.into_iter().take_while(|candidate| !candidate.online).collect(),
        Stage::Network => all,
    }
}

fn ask(search: &Search<'_>, candidates: &[Candidate]) -> Result<Found, NotFound> {
    let until = search.clock.now() + search.limits.total;
    let mut tried = Vec::new();
    for Candidate { name, online, patience } in candidates.iter().copied() {
        let until = match patience {
            Patience::Wait => until,
            Patience::Once => until.min(search.clock.now() + GUESS),
        };
        let request = search.limits.request;
        let http = Http::new(search.clock, until, request, patience);
        match read_one(name, &Asking { search: *search, http, online }) {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => tried.push(Tried { name, error: None }),
            Err(error) if patience == Patience::Once => {
                tried.push(Tried { name, error: Some(error) });
            }
            Err(error) => return Err(NotFound::Failed { name, error }),
        }
    }
    Err(NotFound::Nothing(tried))
}

fn read_one(name: Name, asking: &Asking<'_>) -> Reading {
    match name {
        Name::File => file::read(asking),
        Name::Cmdline => cmdline::read(asking),
        Name::ConfigDrive => configdrive::read(asking),
        Name::NoCloud => nocloud::read(asking),
        Name::Ec2 => ec2::read(asking),
        Name::DigitalOcean => digitalocean::read(asking),
        Name::CloudStack => cloudstack::read(asking),
        Name::Gce => gce::read(asking),
        Name::OpenStack => openstack::read(asking),
        Name::Azure => azure::read(asking),
        Name::Packet => packet::read(asking),
        Name::VMware => vmware::read(asking),
        Name::Vagrant => file::vagrant(asking),
    }
}

/// What was tried, in words.
struct Told<'a>(&'a [Tried]);

impl fmt::Display for Told<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, Tried { name, error }) in self.0.iter().enumerate() {
            let comma = if number == 0 { "" } else { ", " };
            write!(formatter, "{comma}{name}")?;
            match error {
                Some(error) => write!(formatter, " ({error})")?,
                None => write!(formatter, " has nothing")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(hints: &Hints, stage: Stage) -> Vec<String> {
        let told = |Candidate { name, online, patience }: Candidate| match (online, patience) {
            (false, _) => name.to_string(),
            (true, Patience::Wait) => format!("{name}+"),
            (true, Patience::Once) => format!("{name}?"),
        };
        candidates(hints, stage).into_iter().map(told).collect()
    }

    #[test]
    fn a_known_cloud_is_the_only_server_that_is_asked() {
        let hints = Hints { cloud: Some(Name::Gce), is_virtual: true, ..Hints::default() };

        let all = ["file", "configdrive", "nocloud", "vagrant", "gce+"];
        assert_eq!(names(&hints, Stage::Network), all);
        assert_eq!(names(&hints, Stage::Local), all[..4]);
    }

    #[test]
    fn only_virtual_machines_guess() {
        let bare = ["file", "configdrive", "nocloud", "vagrant", "azure", "vmware+"];
        assert_eq!(names(&Hints::default(), Stage::Network), bare);

        let hints = Hints { is_virtual: true, has_dhcp_server: true, ..Hints::default() };
        let guesses = ["openstack?", "ec2?", "cloudstack?"];
        assert_eq!(names(&hints, Stage::Network), [&bare[..], &guesses].concat());
    }

    #[test]
    fn nothing_that_comes_after_a_server_is_taken_before_the_network_is_up() {
        let hints = Hints { has_url: true, has_seed_url: true, ..Hints::default() };

        assert_eq!(names(&hints, Stage::Local), ["file"]);
        assert_eq!(
            names(&hints, Stage::Network),
            ["file", "cmdline+", "configdrive", "nocloud+", "vagrant", "azure", "vmware+"]
        );
    }
}
