//! The store of a cluster: etcd on up to three of its hosts, as a service of theirs.

use crate::cluster::Cluster;
use crate::error::Error;
use crate::host::Host;
use crate::wait;

/// More members than this make writes slower and nothing safer.
pub(crate) const MEMBERS: u8 = 3;

/// The architecture that etcd is to run on although it is not supported; empty for others.
pub(crate) fn architecture() -> &'static str {
    if cfg!(target_arch = "aarch64") { "arm64" } else { "" }
}

/// URLs of all members, as clients want them.
pub(crate) fn endpoints(cluster: &Cluster) -> Vec<String> {
    members(cluster).map(|member| format!("http://{}:2379", member.address())).collect()
}

/// Returns once every member answers with a leader elected; at once if there are none.
///
/// # Errors
///
/// They do not within a minute.
pub(crate) fn wait_until_healthy(cluster: &Cluster) -> Result<(), Error> {
    if cluster.etcd_members() == 0 {
        return Ok(());
    }
    let endpoints = format!("--endpoints={}", endpoints(cluster).join(","));
    let host = cluster.host(1)?;
    wait::attempt(wait::PATIENCE, "etcd", || {
        host.read(["etcdctl", &endpoints, "endpoint", "health"])
    })?;
    Ok(())
}

fn members(cluster: &Cluster) -> impl Iterator<Item = Host> {
    cluster.hosts().into_iter().take(usize::from(cluster.etcd_members()))
}
