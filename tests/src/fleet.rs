//! fleet on the hosts, put there as a package would put it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cluster::{Cluster, Store, each};
use crate::command::{self, command};
use crate::error::Error;
use crate::host::Host;
use crate::{etcd, file, source, wait};

/// The programs that hosts run.
pub(crate) const PROGRAMS: [&str; 2] = ["fleetd", "fleetctl"];

/// Where hosts see the machine's directory of programs.
pub(crate) const PROGRAMS_ON_HOST: &str = "/usr/lib/fleet";

/// The file that says how fleetd on a host finds its cluster.
pub(crate) const SETTINGS: &str = "/etc/fleet/fleet.conf";

/// Files of `fleetd/dist` and where a package installs them.
const INSTALLED: [(&str, &str); 3] = [
    ("fleet.service", "/usr/lib/systemd/system/fleet.service"),
    ("fleet.socket", "/usr/lib/systemd/system/fleet.socket"),
    ("sysusers.d/fleet.conf", "/usr/lib/sysusers.d/fleet.conf"),
];

/// Enables and starts what a package enables and starts. A user of the hosts may use the socket.
const ENABLE: &str = "\
    systemd-sysusers fleet.conf && usermod --append --groups fleet core && \
    systemctl daemon-reload && systemctl --quiet enable fleet.socket fleet.service && \
    systemctl start fleet.socket && systemctl restart fleet.service";

/// Brings programs and files of `binaries` to all hosts; where something changed, fleetd restarts.
/// Returns once every host is a machine of the cluster.
///
/// # Errors
///
/// fleetd does not start on a host, or does not join.
pub(crate) fn install(cluster: &Cluster, binaries: &Path) -> Result<(), Error> {
    let mut new_programs = false;
    for program in PROGRAMS {
        new_programs |= update(&binaries.join(program), &cluster.programs().join(program))?;
    }
    let files = packaged_files()?;
    each(&cluster.hosts(), |host| {
        let mut changed = new_programs;
        for (path, contents) in &files {
            changed |= write_if_changed(host, path, contents)?;
        }
        changed |= configure(cluster, host)?;
        let start = if changed { ENABLE } else { "systemctl start fleet.socket fleet.service" };
        host.read(["sh", "-c", start]).map(drop)
    })?;
    wait_until_joined(cluster)
}

/// Returns once every host is a machine of the cluster.
///
/// # Errors
///
/// One of them is not within half a minute.
pub(crate) fn wait_until_joined(cluster: &Cluster) -> Result<(), Error> {
    let (host, expected) = (cluster.host(1)?, cluster.hosts().len());
    wait::attempt(Duration::from_secs(30), "all machines to join", || {
        let list = host.read(["fleetctl", "list-machines", "--no-legend", "--fields=machine"]);
        let list = list.map_err(|error| error.to_string())?;
        let found = list.lines().count();
        if found == expected { Ok(()) } else { Err(format!("{found} of {expected} machines")) }
    })?;
    Ok(())
}

/// The `fleet.conf` of a host; with an embedded store it has none.
fn settings(cluster: &Cluster, host: &Host) -> Option<String> {
    if cluster.store() == Store::Embedded {
        return None;
    }
    let servers: Vec<_> =
        etcd::endpoints(cluster).into_iter().map(|server| format!("{server:?}")).collect();
    Some(format!(
        "etcd_servers=[{}]\nagent_ttl=\"5s\"\npublic_ip=\"{}\"\n",
        servers.join(","),
        host.address()
    ))
}

/// Sees to it that a host has its `fleet.conf`, or none; tells whether that changed anything.
fn configure(cluster: &Cluster, host: &Host) -> Result<bool, Error> {
    if let Some(settings) = settings(cluster, host) {
        return write_if_changed(host, SETTINGS, &settings);
    }
    let is_there = host.output(["test", "-e", SETTINGS], b"")?.status.success();
    if is_there {
        host.read(["rm", SETTINGS])?;
    }
    Ok(is_there)
}

/// Restores the `fleet.conf` of a host and restarts fleetd, unless it is as it was.
pub(crate) fn restore_settings(cluster: &Cluster, host: &Host) -> Result<(), Error> {
    if configure(cluster, host)? {
        host.read(["systemctl", "try-restart", "fleet.service"])?;
    }
    Ok(())
}

/// Copies a program if it is another than before. Renaming leaves the one that runs untouched.
fn update(from: &Path, to: &Path) -> Result<bool, Error> {
    if is_same(from, to) {
        return Ok(false);
    }
    let new = to.with_extension("new");
    command::read(command(["cp", "--preserve=timestamps"]).arg(from).arg(&new))?;
    fs::rename(&new, to).map_err(file::at("replace", to))?;
    Ok(true)
}

fn is_same(from: &Path, to: &Path) -> bool {
    let stamp = |path: &Path| {
        let found = fs::metadata(path).ok()?;
        Some((found.len(), found.modified().ok()?))
    };
    stamp(to).is_some_and(|old| stamp(from) == Some(old))
}

fn packaged_files() -> Result<Vec<(&'static str, String)>, Error> {
    let dist: PathBuf = source::root().join("fleetd/dist");
    INSTALLED
        .into_iter()
        .map(|(name, path)| {
            let from = dist.join(name);
            let text = fs::read_to_string(&from).map_err(file::at("read", &from))?;
            Ok((path, text))
        })
        .collect()
}

fn write_if_changed(host: &Host, path: &str, contents: &str) -> Result<bool, Error> {
    let found = host.output(["cat", path], b"")?;
    if found.status.success() && found.stdout == contents.as_bytes() {
        return Ok(false);
    }
    host.write(path, contents.as_bytes())?;
    Ok(true)
}
