//! The discovery service of a cluster: an etcd of the testbed with the interface of its version 2, at
//! which the members of the cluster's etcd find each other, once.

use std::path::PathBuf;
use std::process::Stdio;

use crate::cluster::Cluster;
use crate::command;
use crate::error::Error;
use crate::{etcd, file, layer, process, wait};

/// A port beside those of etcd's members, which listen on other addresses.
const PORT: u16 = 2389;

/// The discovery service of one cluster.
#[derive(Debug)]
pub(crate) struct Discovery<'a> {
    cluster: &'a Cluster,
}

impl<'a> Discovery<'a> {
    pub(crate) fn new(cluster: &'a Cluster) -> Self {
        Self { cluster }
    }

    /// The URL that members of the cluster's etcd are given.
    pub(crate) fn url(&self) -> String {
        format!("{}/v2/keys/discovery/{}", self.server(), self.cluster.name())
    }

    /// Starts it unless it runs or is needed no more, and tells it how many members to expect.
    ///
    /// # Errors
    ///
    /// It does not answer in time.
    pub(crate) fn up(&self) -> Result<(), Error> {
        if self.formed().exists() {
            return Ok(());
        }
        if self.processes().is_empty() {
            self.start()?;
        }
        // Also of one that runs: who started it may have come no further.
        let size = self.cluster.etcd_members().to_string();
        wait::attempt(wait::PATIENCE, "the discovery service", || {
            self.etcdctl(&["set", &self.key("_config/size"), &size])
        })?;
        Ok(())
    }

    fn start(&self) -> Result<(), Error> {
        file::make_dir(&self.directory())?;
        let log = self.directory().join("log");
        let log = std::fs::File::create(&log).map_err(file::at("create", &log))?;
        let errors = log.try_clone().map_err(file::at("open", &self.directory()))?;
        let server = self.server();
        let peer = "http://127.0.0.1:2390";
        // A parent that ends at once leaves it to the machine's init.
        let mut line = self.cluster.network().command(["setsid", "--fork"]);
        line.arg(layer::program("/usr/bin/etcd"));
        line.arg("--data-dir").arg(self.data());
        line.args(["--name=discovery", "--enable-v2", "--unsafe-no-fsync"]);
        line.args(["--heartbeat-interval=10", "--election-timeout=50"]);
        for option in ["listen-client-urls", "advertise-client-urls"] {
            line.arg(format!("--{option}={server}"));
        }
        for option in ["listen-peer-urls", "initial-advertise-peer-urls"] {
            line.arg(format!("--{option}={peer}"));
        }
        line.arg(format!("--initial-cluster=discovery={peer}"));
        line.env("ETCD_UNSUPPORTED_ARCH", etcd::architecture());
        Ok(command::show(line.stdin(Stdio::null()).stdout(log).stderr(errors))?)
    }

    /// Ends it for good, once the members know each other.
    pub(crate) fn retire(&self) -> Result<(), Error> {
        if self.formed().exists() {
            return Ok(());
        }
        self.down()?;
        Ok(file::write(&self.formed(), "")?)
    }

    /// Kills it.
    pub(crate) fn down(&self) -> Result<(), Error> {
        Ok(process::kill(&self.processes())?)
    }

    fn etcdctl(&self, arguments: &[&str]) -> Result<String, command::CommandError> {
        let mut line = self.cluster.network().command([layer::program("/usr/bin/etcdctl")]);
        line.arg("--endpoints").arg(self.server()).args(arguments).env("ETCDCTL_API", "2");
        command::read(&mut line)
    }

    fn key(&self, name: &str) -> String {
        format!("/discovery/{}/{name}", self.cluster.name())
    }

    fn server(&self) -> String {
        format!("http://{}:{PORT}", self.cluster.network().bridge())
    }

    fn directory(&self) -> PathBuf {
        self.cluster.directory().join("discovery")
    }

    fn data(&self) -> PathBuf {
        self.directory().join("data")
    }

    /// Says that it is needed no more.
    fn formed(&self) -> PathBuf {
        self.directory().join("formed")
    }

    fn processes(&self) -> Vec<i32> {
        let data = self.data().display().to_string();
        process::find(|words| {
            words.first().is_some_and(|program| program.ends_with("/etcd"))
                && words.contains(&data.as_str())
        })
    }
}

/// A document for whose discovery URL stands that of this cluster.
pub(crate) fn redirected(document: &str, url: &str) -> String {
    const PUBLIC: &str = "https://discovery.etcd.io/";
    let mut parts = document.split(PUBLIC);
    let mut redirected = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let token = part.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(part.len());
        if token == 0 {
            redirected.push_str(PUBLIC);
        } else {
            redirected.push_str(url);
        }
        redirected.push_str(part.get(token..).unwrap_or_default());
    }
    redirected
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_discovery_service_gives_way_to_that_of_the_cluster() {
        let document = "a: https://discovery.etcd.io/0af\n#see https://discovery.etcd.io/<token>\n";

        assert_eq!(
            redirected(document, "http://10.77.77.254:2389/v2/keys/discovery/fleet"),
            "a: http://10.77.77.254:2389/v2/keys/discovery/fleet\n\
             #see https://discovery.etcd.io/<token>\n"
        );
    }
}
