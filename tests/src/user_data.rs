//! What hosts are told at boot: user data, and metadata as a cloud has them. Nothing else says what
//! runs on them.

use std::path::{Path, PathBuf};

use crate::cluster::{Cluster, Store, each};
use crate::discovery::{self, Discovery};
use crate::error::Error;
use crate::host::Host;
use crate::{etcd, file, ui};

/// Where a host finds both.
const SEED: &str = "var/lib/cloud/seed/nocloud";

/// Keeps the document that all hosts of a cluster boot from, instead of those of the testbed.
///
/// # Errors
///
/// It cannot be read, or hosts of the cluster have booted from something else.
pub(crate) fn keep(cluster: &Cluster, document: &Path, is_new: bool) -> Result<(), Error> {
    let text = std::fs::read_to_string(document).map_err(file::at("read", document))?;
    let kept = kept(cluster);
    if !is_new && file::read(&kept)?.as_ref() != Some(&text) {
        return Err(Error::Made { cluster: cluster.name().to_owned() });
    }
    Ok(file::write(&kept, text)?)
}

/// Waits until all hosts have done what their user data say, and shows what became of it.
///
/// # Errors
///
/// Something of it failed on a host.
pub(crate) fn await_all(cluster: &Cluster) -> Result<(), Error> {
    each(&cluster.hosts(), |host| {
        let status = host.read(["cloud-config", "status", "--wait"])?;
        ui::say(format_args!("{}\n{}", host.name(), status.trim_end()));
        Ok(())
    })
}

/// Whether hosts boot from a document that is not the testbed's: nobody knows what runs on them.
pub(crate) fn is_foreign(cluster: &Cluster) -> bool {
    kept(cluster).exists()
}

/// Gives a host that is off its user data and metadata; `id` names this instance of it.
pub(crate) fn seed(cluster: &Cluster, host: &Host, id: &str) -> Result<(), Error> {
    let directory = host.upper().join(SEED);
    let document = match file::read(&kept(cluster))? {
        Some(text) => discovery::redirected(&text, &Discovery::new(cluster).url()),
        None => document(cluster, host),
    };
    let path = directory.join("user-data");
    file::write(&path, document)?;
    // Passwords may be in it.
    file::set_mode(&path, 0o600)?;
    let metadata = format!("instance-id: {id}\nlocal-hostname: {}\n", host.name());
    Ok(file::write(&directory.join("meta-data"), metadata)?)
}

fn kept(cluster: &Cluster) -> PathBuf {
    cluster.directory().join("user-data")
}

/// The document of a host: a machine of fleet, and one of the first is a member of etcd as well,
/// which is the only one that its fleet is told of.
fn document(cluster: &Cluster, host: &Host) -> String {
    let start = |unit: &str| format!("    - name: {unit}.service\n      command: start\n");
    let fleet = format!("  units:\n{}", start("fleet"));
    if cluster.store() == Store::Embedded {
        return format!("#cloud-config\n\ncoreos:\n{fleet}");
    }
    let settings = "  fleet:\n    agent-ttl: 5s\n";
    if host.number() > cluster.etcd_members() {
        let servers = format!("    etcd-servers: {}\n", etcd::endpoints(cluster).join(","));
        return format!("#cloud-config\n\ncoreos:\n{settings}{servers}{fleet}");
    }
    let url = Discovery::new(cluster).url();
    let member = format!(
        "  etcd:\n    discovery: {url}\n    addr: $private_ipv4:2379\n    \
         peer-addr: $private_ipv4:2380\n"
    );
    let units = format!("  units:\n{}{}", start("etcd"), start("fleet"));
    format!("#cloud-config\n\ncoreos:\n{member}{settings}{units}")
}
