//! The store of a cluster: etcd on up to three of its hosts, as a service of theirs.

use crate::cluster::Cluster;
use crate::error::Error;
use crate::host::Host;
use crate::wait;

use std::time::Duration;

/// More members than this make writes slower and nothing safer.
pub(crate) const MEMBERS: u8 = 3;

/// The service of the member on `host`. It counts as started at once: a member without its peers
/// must not hold up the boot of its host.
pub(crate) fn service(cluster: &Cluster, host: &Host) -> String {
    let address = host.address();
    let peers: Vec<_> = members(cluster)
        .map(|member| format!("{}=http://{}:2380", member.name(), member.address()))
        .collect();
    let unsupported = if cfg!(target_arch = "aarch64") {
        "Environment=ETCD_UNSUPPORTED_ARCH=arm64\n"
    } else {
        ""
    };
    format!(
        "[Unit]\n\
         Description=etcd, the store of the testbed's cluster\n\
         After=systemd-networkd.service\n\
         \n\
         [Service]\n\
         User=etcd\n\
         StateDirectory=etcd\n\
         StateDirectoryMode=0700\n\
         {unsupported}\
         ExecStart=/usr/bin/etcd --name={name} --data-dir=/var/lib/etcd --enable-v2 \
         --listen-client-urls=http://0.0.0.0:2379 --advertise-client-urls=http://{address}:2379 \
         --listen-peer-urls=http://0.0.0.0:2380 \
         --initial-advertise-peer-urls=http://{address}:2380 \
         --initial-cluster={peers} --initial-cluster-token={token} --initial-cluster-state=new\n\
         Restart=on-failure\n\
         RestartSec=1\n\
         LimitNOFILE=65536\n",
        name = host.name(),
        peers = peers.join(","),
        token = cluster.name(),
    )
}

/// URLs of all members, as clients want them.
pub(crate) fn endpoints(cluster: &Cluster) -> Vec<String> {
    members(cluster).map(|member| format!("http://{}:2379", member.address())).collect()
}

/// Returns once every member answers with a leader elected; at once if there are none.
///
/// # Errors
///
/// They do not within half a minute.
pub(crate) fn wait_until_healthy(cluster: &Cluster) -> Result<(), Error> {
    if cluster.etcd_members() == 0 {
        return Ok(());
    }
    let endpoints = format!("--endpoints={}", endpoints(cluster).join(","));
    let host = cluster.host(1)?;
    wait::attempt(Duration::from_secs(30), "etcd", || {
        host.read(["etcdctl", &endpoints, "endpoint", "health"])
    })?;
    Ok(())
}

fn members(cluster: &Cluster) -> impl Iterator<Item = Host> {
    cluster.hosts().into_iter().take(usize::from(cluster.etcd_members()))
}
