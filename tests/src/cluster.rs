//! A cluster: its record on disk, and the way from nothing to running hosts and back.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::command::{self, command};
use crate::discovery::Discovery;
use crate::error::Error;
use crate::host::Host;
use crate::network::Network;
use crate::registry::Registry;
use crate::{cgroup, etcd, file, fleet, image, paths, process, suite, user_data};

/// The cluster that is meant if none is named.
pub const DEFAULT: &str = "fleet";

/// The name of a cluster: up to eight small letters, as names of links and hosts are made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterName(String);

/// A name that cannot be a cluster's.
#[derive(Debug, thiserror::Error)]
#[error("a cluster's name is one to eight small letters")]
pub struct ClusterNameError;

impl ClusterName {
    /// One of the names that are given: `fleet` and `test`.
    pub(crate) fn of(name: &'static str) -> Self {
        Self(name.to_owned())
    }

    /// The name of the single host that tests need beside this cluster.
    pub(crate) fn alone(&self) -> Self {
        Self(format!("{self}a"))
    }

    /// The name of the cluster whose hosts boot from a document of an example.
    pub(crate) fn documented(&self) -> Self {
        Self(format!("{self}d"))
    }
}

impl FromStr for ClusterName {
    type Err = ClusterNameError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let good = (1..=8).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_lowercase());
        if good { Ok(Self(name.to_owned())) } else { Err(ClusterNameError) }
    }
}

impl fmt::Display for ClusterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a cluster keeps what it knows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Store {
    /// In an etcd on its hosts.
    #[default]
    Etcd,
    /// In the fleetd of its only host.
    Embedded,
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Etcd => "etcd",
            Self::Embedded => "embedded",
        })
    }
}

/// What somebody wants of a cluster; whatever is not said stays, or is the default.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Size {
    pub(crate) hosts: Option<u8>,
    pub(crate) store: Option<Store>,
}

/// What is fixed when a cluster is made.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Record {
    /// The third number of its addresses.
    subnet: u8,
    hosts: u8,
    etcd_members: u8,
    #[serde(default)]
    store: Store,
    /// Whether user data say what runs on its hosts, as they did not at first.
    #[serde(default)]
    boots_from_user_data: bool,
}

impl Record {
    /// A new cluster: three hosts with etcd unless somebody says otherwise.
    fn new(size: Size, subnet: u8) -> Result<Self, Error> {
        let store = size.store.unwrap_or_default();
        let (hosts, etcd_members) = match (store, size.hosts) {
            (Store::Embedded, None | Some(1)) => (1, 0),
            (Store::Embedded, Some(hosts)) => return Err(Error::NotAlone { hosts }),
            (Store::Etcd, hosts) => {
                let hosts = hosts.unwrap_or(3);
                (hosts, if hosts < etcd::MEMBERS { 1 } else { etcd::MEMBERS })
            }
        };
        Ok(Self { subnet, hosts, etcd_members, store, boots_from_user_data: true })
    }

    /// The cluster grown to what somebody wants of it.
    fn grown(self, cluster: &ClusterName, size: Size) -> Result<Self, Error> {
        if !self.boots_from_user_data {
            return Err(Error::Made { cluster: cluster.to_string() });
        }
        if size.store.is_some_and(|store| store != self.store) {
            return Err(Error::OtherStore { cluster: cluster.to_string(), store: self.store });
        }
        let Some(wanted) = size.hosts else { return Ok(self) };
        if wanted < self.hosts {
            let (cluster, hosts) = (cluster.to_string(), self.hosts);
            return Err(Error::TooManyHosts { cluster, hosts, wanted });
        }
        if self.store == Store::Embedded && wanted > 1 {
            return Err(Error::NotAlone { hosts: wanted });
        }
        Ok(Self { hosts: wanted, ..self })
    }
}

/// A cluster that has been made, whether or not its hosts run.
#[derive(Debug, Clone)]
pub struct Cluster {
    name: ClusterName,
    directory: PathBuf,
    record: Record,
    network: Network,
}

impl Cluster {
    /// Finds a cluster that has been made.
    ///
    /// # Errors
    ///
    /// There is none of that name.
    pub fn open(name: &ClusterName) -> Result<Self, Error> {
        Self::find(name)?.ok_or_else(|| Error::NoCluster { cluster: name.to_string() })
    }

    fn find(name: &ClusterName) -> Result<Option<Self>, Error> {
        let path = directory(name).join("cluster.json");
        let Some(text) = file::read(&path)? else { return Ok(None) };
        let record =
            serde_json::from_str(&text).map_err(|source| Error::Record { path, source })?;
        Ok(Some(Self::new(name, record)))
    }

    fn new(name: &ClusterName, record: Record) -> Self {
        let directory = directory(name);
        let network = Network::new(&name.0, &directory, record.subnet);
        Self { name: name.clone(), directory, record, network }
    }

    /// Finds the cluster or makes its record; it may grow.
    ///
    /// # Errors
    ///
    /// It has more hosts than wanted, another store, or other user data.
    pub(crate) fn open_or_make(
        name: &ClusterName,
        size: Size,
        document: Option<&Path>,
    ) -> Result<Self, Error> {
        let (record, is_new) = match Self::find(name)? {
            Some(cluster) => (cluster.record.grown(name, size)?, false),
            None => (Record::new(size, free_subnet(name)?)?, true),
        };
        let cluster = Self::new(name, record);
        if let Some(document) = document {
            user_data::keep(&cluster, document, is_new)?;
        }
        let text = serde_json::json!(cluster.record).to_string();
        file::write(&cluster.directory.join("cluster.json"), text)?;
        Ok(cluster)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name.0
    }

    /// All its hosts.
    pub fn hosts(&self) -> Vec<Host> {
        (1..=self.record.hosts).map(|number| Host::new(self, number)).collect()
    }

    /// One host.
    ///
    /// # Errors
    ///
    /// There is no such host.
    pub fn host(&self, number: u8) -> Result<Host, Error> {
        let hosts = self.record.hosts;
        if (1..=hosts).contains(&number) {
            return Ok(Host::new(self, number));
        }
        Err(Error::NoHost { cluster: self.name.to_string(), number, hosts })
    }

    /// Its store.
    pub(crate) fn store(&self) -> Store {
        self.record.store
    }

    /// How many of its hosts, from the first, hold a member of etcd.
    pub fn etcd_members(&self) -> u8 {
        self.record.etcd_members
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn network(&self) -> &Network {
        &self.network
    }

    /// Where hosts see fleet's programs; a directory of the machine, so that new ones appear on
    /// running hosts.
    pub(crate) fn programs(&self) -> PathBuf {
        self.directory.join("programs")
    }

    /// Makes what is missing and starts what does not run: layer, network, hosts, etcd, images.
    ///
    /// # Errors
    ///
    /// A part of it fails; what was made until then stays, for another `up` or `down`.
    pub(crate) fn power_on(&self) -> Result<(), Error> {
        image::make()?;
        self.network.up()?;
        Registry::new(&self.directory, &self.network).up()?;
        let discovery = Discovery::new(self);
        if self.etcd_members() > 0 {
            discovery.up()?;
        }
        each(&self.hosts(), |host| self.make_or_bring_up(host))?;
        if self.etcd_members() == 0 || user_data::is_foreign(self) {
            return Ok(());
        }
        etcd::wait_until_healthy(self)?;
        discovery.retire()
    }

    fn make_or_bring_up(&self, host: &Host) -> Result<(), Error> {
        if host.exists() {
            return host.bring_up();
        }
        self.furnish(host)?;
        host.power_on()?;
        if user_data::is_foreign(self) {
            return host.wait_until_up().map(drop);
        }
        host.wait_until_running()
    }

    /// Writes the files that make a host this host.
    fn furnish(&self, host: &Host) -> Result<(), Error> {
        let upper = host.upper();
        let address = host.address();
        let others = (1..=99).map(|number| Host::new(self, number));
        let names: String = std::iter::once("127.0.0.1 localhost\n::1 localhost\n".to_owned())
            .chain(others.map(|other| format!("{} {}\n", other.address(), other.name())))
            .collect();
        let network = format!(
            "[Match]\nName=host0\n\n[Network]\nAddress={address}/24\nGateway={}\nLLMNR=no\n\
             ConfigureWithoutCarrier=yes\nIgnoreCarrierLoss=yes\n",
            self.network.bridge(),
        );
        let registries = format!(
            "unqualified-search-registries=[\"docker.io\"]\nshort-name-mode=\"permissive\"\n\
             [[registry]]\nprefix=\"docker.io\"\nlocation=\"{}\"\ninsecure=true\n",
            Registry::address(&self.network),
        );
        fleet::furnish(&upper)?;
        file::write(&upper.join("etc/hosts"), names)?;
        // Documents may ask for a public address, and a host has no other.
        let public = format!("COREOS_PUBLIC_IPV4={address}\n");
        file::write(&upper.join("etc/environment"), public)?;
        file::write(&upper.join("etc/systemd/network/10-host0.network"), network)?;
        file::write(&upper.join("etc/containers/registries.conf"), registries)?;
        let id = new_machine_id()?;
        user_data::seed(self, host, id.trim())?;
        // Last, as its presence says that the rest is there.
        file::write(&upper.join("etc/machine-id"), id)?;
        Ok(())
    }
}

/// Removes a cluster, whole or half made, and what all share with the last one.
///
/// # Errors
///
/// A process of it hangs in the kernel, or a file cannot be removed.
pub(crate) fn remove(name: &ClusterName) -> Result<(), Error> {
    let directory = directory(name);
    // A crash may have come before the record was written; only the subnet depends on it.
    let record = Record {
        subnet: 0,
        hosts: 0,
        etcd_members: 0,
        store: Store::Etcd,
        boots_from_user_data: true,
    };
    let cluster = Cluster::find(name)?.unwrap_or_else(|| Cluster::new(name, record));
    let numbers = file::entries(&directory).into_iter().filter_map(|entry| entry.parse().ok());
    let hosts: Vec<_> = numbers.map(|number| Host::new(&cluster, number)).collect();
    each(&hosts, Host::power_off)?;
    Registry::new(&directory, &cluster.network).down()?;
    Discovery::new(&cluster).down()?;
    cluster.network.down()?;
    for host in &hosts {
        let propagated = Path::new("/run/systemd/nspawn/propagate").join(host.name());
        file::remove_tree(&propagated)?;
    }
    command::read(command(["rm", "-rf", "--one-file-system"]).arg(&directory))?;
    if file::entries(&paths::clusters()).is_empty() {
        cgroup::remove_parent();
        command::read(&mut command(["rm", "-rf", "--one-file-system", paths::BASE]))?;
    }
    Ok(())
}

/// Does something to all hosts at once; the first failure is returned once all are done.
pub(crate) fn each(
    hosts: &[Host],
    action: impl Fn(&Host) -> Result<(), Error> + Sync,
) -> Result<(), Error> {
    std::thread::scope(|scope| {
        let workers: Vec<_> = hosts.iter().map(|host| scope.spawn(|| action(host))).collect();
        let results: Vec<_> = workers
            .into_iter()
            .map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect();
        results.into_iter().collect()
    })
}

/// Whether a host of any cluster runs, and with it the layer is in use.
pub(crate) fn any_host_runs() -> bool {
    let root = format!("--directory={}", paths::clusters().display());
    !process::find(|words| words.iter().any(|word| word.starts_with(&root))).is_empty()
}

fn directory(name: &ClusterName) -> PathBuf {
    paths::clusters().join(&name.0)
}

fn free_subnet(name: &ClusterName) -> Result<u8, Error> {
    match name.0.as_str() {
        DEFAULT => return Ok(77),
        suite::NAME => return Ok(78),
        _ => {}
    }
    let mut taken = Vec::new();
    for other in file::entries(&paths::clusters()) {
        if let Some(cluster) = other.parse().ok().map(|name| Cluster::find(&name)).transpose()? {
            taken.extend(cluster.map(|cluster| cluster.record.subnet));
        }
    }
    (79..=250).find(|subnet| !taken.contains(subnet)).ok_or(Error::NoSubnet)
}

fn new_machine_id() -> Result<String, Error> {
    let random = file::read(Path::new("/proc/sys/kernel/random/uuid"))?.unwrap_or_default();
    Ok(random.replace('-', ""))
}
