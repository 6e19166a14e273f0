//! A cluster to measure on: units for fleet, the same units for bare systemd, and proof on the hosts
//! that a command did what it was timed for.

use std::time::Duration;

use serde_json::Value;

use crate::bench::error::BenchError;
use crate::cluster::{Cluster, each};
use crate::error::Error;
use crate::host::Host;
use crate::{fleet, wait};

/// What every unit of the benchmarks says.
const TEXT: &str = "[Unit]\nDescription=Benchmark %i\n\n[Service]\nExecStart=/bin/sleep infinity\n";

/// Where hosts keep the template.
const TEMPLATE: &str = "/root/bench/bench@.service";

/// All units of the benchmarks, in the language of systemctl.
const PATTERN: &str = "bench@*";

/// Writes a unit file for bare systemd per name.
const WRITE: &str =
    "for unit; do cp /root/bench/bench@.service \"/run/systemd/system/$unit\"; done";

/// Stops units and removes their files.
const STOP: &str = "systemctl stop -- \"$@\" && cd /run/systemd/system && rm -- \"$@\"";

/// Removes what an interrupted benchmark has left behind.
const REMOVE: &str = "systemctl stop 'bench@*'; rm -f /run/systemd/system/bench@*; \
                      systemctl daemon-reload; systemctl reset-failed";

/// Readings of the revision in a row that say that nothing writes any more; a state of a unit may
/// wait for a second before it is written, and a reading takes over 50 ms.
const STILL: u32 = 30;

/// Thousands of units take their time.
const LIMIT: Duration = Duration::from_secs(3600);

/// A cluster that runs nothing but the benchmark.
#[derive(Debug)]
pub(crate) struct Ground {
    cluster: Cluster,
}

impl Ground {
    /// Takes the cluster with everything removed that ran there.
    pub(crate) fn prepare(cluster: Cluster) -> Result<Self, Error> {
        let ground = Self { cluster };
        // An interrupted benchmark may have left it stopped.
        ground.start_fleet()?;
        let known = ground.fleetctl(&["list-unit-files", "--no-legend", "--fields=unit"])?;
        let known: Vec<&str> = known.lines().map(str::trim).collect();
        if !known.is_empty() {
            ground.fleetctl(&[&["destroy"], known.as_slice()].concat())?;
        }
        ground.cluster.remove_strays()?;
        each(&ground.hosts(), |host| {
            host.read(["sh", "-c", REMOVE])?;
            host.write(TEMPLATE, TEXT.as_bytes())
        })?;
        ground.settle()?;
        Ok(ground)
    }

    /// All hosts.
    pub(crate) fn hosts(&self) -> Vec<Host> {
        self.cluster.hosts().into_iter().map(|host| host.with_limit(LIMIT)).collect()
    }

    /// The cluster.
    pub(crate) fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Runs `fleetctl` on the first host.
    pub(crate) fn fleetctl(&self, arguments: &[&str]) -> Result<String, Error> {
        self.cluster.host(1)?.with_limit(LIMIT).read([&["fleetctl"], arguments].concat())
    }

    /// Runs `fleetctl VERB` with all these units in one command.
    pub(crate) fn fleetctl_units(&self, verb: &str, names: &[String]) -> Result<(), Error> {
        let files: Vec<_> = names.iter().map(|name| format!("/root/bench/{name}")).collect();
        let files: Vec<_> = files.iter().map(String::as_str).collect();
        self.fleetctl(&[&[verb], files.as_slice()].concat()).map(drop)
    }

    /// Stops fleet on all hosts: it follows what systemd does, and bare systemd has no follower.
    pub(crate) fn stop_fleet(&self) -> Result<(), Error> {
        each(&self.hosts(), |host| {
            host.read(["systemctl", "stop", "fleet.socket", "fleet.service"]).map(drop)
        })?;
        self.settle()
    }

    /// Starts fleet again; returns once every host is a machine of the cluster.
    pub(crate) fn start_fleet(&self) -> Result<(), Error> {
        each(&self.hosts(), |host| {
            host.read(["systemctl", "start", "fleet.socket", "fleet.service"]).map(drop)
        })?;
        fleet::wait_until_joined(&self.cluster)?;
        self.settle()
    }

    /// Puts files for bare systemd on the hosts.
    pub(crate) fn write_bare(&self, names: &[String]) -> Result<(), Error> {
        self.on_shares(names, |host, share| host.read(script(WRITE, share)).map(drop))
    }

    /// One `systemctl start` on each host, all at once.
    pub(crate) fn start_bare(&self, names: &[String]) -> Result<(), Error> {
        self.on_shares(names, |host, share| {
            let line = ["systemctl", "start", "--"].into_iter();
            host.read(line.chain(share.iter().map(String::as_str))).map(drop)
        })
    }

    /// One `systemctl start` of one unit, on the host that has its file.
    pub(crate) fn start_bare_on(&self, index: usize, name: &str) -> Result<(), Error> {
        let hosts = self.hosts();
        let host = hosts.get(index % hosts.len()).ok_or(BenchError::NoSamples)?;
        host.read(["systemctl", "start", "--", name]).map(drop)
    }

    /// One `systemctl stop` on each host, all at once; then the files go.
    pub(crate) fn stop_bare(&self, names: &[String]) -> Result<(), Error> {
        self.on_shares(names, |host, share| host.read(script(STOP, share)).map(drop))
    }

    fn on_shares(
        &self,
        names: &[String],
        action: impl Fn(&Host, &[String]) -> Result<(), Error> + Sync,
    ) -> Result<(), Error> {
        let hosts = self.hosts();
        let shares = shares(names, hosts.len());
        each(&hosts, |host| {
            let share = shares.get(usize::from(host.number()) - 1);
            share.map_or(Ok(()), |share| action(host, share))
        })
    }

    /// So many units are active, spread evenly, and no others of the benchmark are there.
    pub(crate) fn expect_active(&self, units: usize) -> Result<(), Error> {
        let mut total = 0;
        for host in self.hosts() {
            let all = units_on(&host, &["--all"])?;
            let active = units_on(&host, &["--state=active"])?;
            expect(&host, "active", active, all)?;
            total += active;
        }
        expect(&self.cluster.host(1)?, "active", total, units)
    }

    /// Neither systemd nor a directory of unit files has any of the units left.
    pub(crate) fn expect_gone(&self) -> Result<(), Error> {
        for host in self.hosts() {
            expect(&host, "loaded", units_on(&host, &["--all"])?, 0)?;
            let find = "find /run/fleet /run/systemd/system -name 'bench@*'";
            let files = host.read(["sh", "-c", find])?;
            if !files.is_empty() {
                let files = files.trim().replace('\n', " ");
                return Err(BenchError::Files { host: host.name().to_owned(), files }.into());
            }
        }
        Ok(())
    }

    /// Returns once the store has not been written to for two seconds.
    pub(crate) fn settle(&self) -> Result<(), Error> {
        let (mut last, mut still) = (None, 0);
        wait::attempt(Duration::from_secs(60), "nothing to write to the store", || {
            let now = self.revision().map_err(|error| error.to_string())?;
            still = if last == Some(now) { still + 1 } else { 0 };
            last = Some(now);
            if still >= STILL { Ok(()) } else { Err(format!("revision {now}")) }
        })?;
        Ok(())
    }

    /// The revision of the store.
    pub(crate) fn revision(&self) -> Result<u64, Error> {
        let get = "ETCDCTL_API=3 etcdctl get nothing --write-out=json";
        let printed = self.cluster.host(1)?.read(["sh", "-c", get])?;
        let answer: Option<Value> = serde_json::from_str(&printed).ok();
        let revision = answer.and_then(|answer| answer["header"]["revision"].as_u64());
        Ok(revision.ok_or_else(|| BenchError::unreadable("the answer of etcd", &printed))?)
    }
}

/// Names of units, numbered.
pub(crate) fn names(numbers: impl Iterator<Item = u32>) -> Vec<String> {
    numbers.map(|number| format!("bench@{number}.service")).collect()
}

/// The names that each host takes: every host as many as every other, or one more.
fn shares(names: &[String], hosts: usize) -> Vec<Vec<String>> {
    let mut shares = vec![Vec::new(); hosts];
    for (index, name) in names.iter().enumerate() {
        if let Some(share) = shares.get_mut(index % hosts) {
            share.push(name.clone());
        }
    }
    shares
}

fn script<'a>(script: &'a str, share: &'a [String]) -> impl Iterator<Item = &'a str> {
    ["sh", "-c", script, "sh"].into_iter().chain(share.iter().map(String::as_str))
}

fn units_on(host: &Host, which: &[&str]) -> Result<usize, Error> {
    let line = ["systemctl", "list-units", "--plain", "--no-legend", PATTERN];
    Ok(host.read(line.iter().chain(which))?.lines().count())
}

fn expect(host: &Host, state: &'static str, found: usize, wanted: usize) -> Result<(), Error> {
    if found == wanted {
        return Ok(());
    }
    Err(BenchError::Units { host: host.name().to_owned(), state, found, wanted }.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bare_systemd_gets_the_same_number_per_host_as_fleet() {
        let shares = shares(&names(1..=500), 3);

        let counts: Vec<_> = shares.iter().map(Vec::len).collect();
        assert_eq!(counts, [167, 167, 166]);
        assert_eq!(shares.concat().len(), 500);
        assert_eq!(shares[1][0], "bench@2.service");
    }
}
