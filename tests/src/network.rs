//! The network of a cluster: a network namespace of its own with a bridge in it, so that neither
//! the machine's firewall nor its network manager meddles, and nothing of it outlives the
//! namespace. One link leads to the machine, so that a person can reach the hosts from there.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{self, CommandError, command};
use crate::error::Error;
use crate::file;

/// The bridge, in the cluster's namespace.
pub(crate) const BRIDGE: &str = "br0";

/// The network of one cluster.
#[derive(Debug, Clone)]
pub(crate) struct Network {
    /// The file that holds the namespace.
    namespace: PathBuf,
    /// Name of the link in the machine's namespace.
    link: String,
    subnet: u8,
}

impl Network {
    pub(crate) fn new(cluster: &str, directory: &Path, subnet: u8) -> Self {
        Self { namespace: directory.join("network"), link: format!("ft-{cluster}"), subnet }
    }

    /// Address of host `number`.
    pub(crate) fn host(&self, number: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 77, self.subnet, number)
    }

    /// Address of the bridge, where the registry listens.
    pub(crate) fn bridge(&self) -> Ipv4Addr {
        self.host(254)
    }

    /// Makes the namespace with bridge and link unless they are there.
    pub(crate) fn up(&self) -> Result<(), Error> {
        if self.is_held() && self.is_complete() {
            return Ok(());
        }
        // What a crash left half made.
        self.down()?;
        file::write(&self.namespace, "")?;
        let holder = format!("--net={}", self.namespace.display());
        command::read(&mut command(["unshare", &holder, "true"]))?;
        let ours = format!("{}/24", self.bridge());
        let machine = format!("{}/24", self.host(253));
        self.ip("link set lo up")?;
        self.ip(&format!("link add {BRIDGE} type bridge"))?;
        self.ip(&format!("addr add {ours} dev {BRIDGE}"))?;
        self.ip(&format!("link set {BRIDGE} up"))?;
        // Made inside and handed out, so that a failure in between leaves nothing on the machine.
        self.ip(&format!("link add machine type veth peer name {} netns 1", self.link))?;
        self.ip(&format!("link set machine master {BRIDGE} up"))?;
        ip(&mut command(["ip"]), &format!("addr add {machine} dev {}", self.link))?;
        ip(&mut command(["ip"]), &format!("link set {} up", self.link))?;
        Ok(())
    }

    /// Removes everything; processes in the namespace must have ended.
    pub(crate) fn down(&self) -> Result<(), Error> {
        // The link goes with the namespace too, but only some time after.
        command::output(&mut command(["ip", "link", "del", &self.link]), b"")?;
        while self.is_held() {
            command::read(command(["umount", "--lazy"]).arg(&self.namespace))?;
        }
        Ok(file::remove(&self.namespace)?)
    }

    /// Cuts the link of a host or heals it.
    pub(crate) fn connect(&self, host: &str, connected: bool) -> Result<(), Error> {
        let state = if connected { "up" } else { "down" };
        self.ip(&format!("link set {} {state}", port(host)))?;
        Ok(())
    }

    /// Whether the link of a running host is up.
    pub(crate) fn is_connected(&self, host: &str) -> Result<bool, Error> {
        let shown = self.ip(&format!("-oneline link show {}", port(host)))?;
        Ok(is_up(&shown))
    }

    /// Removes the link that a host left behind whose end the kernel has not yet noticed.
    pub(crate) fn forget(&self, host: &str) {
        // Usually there is none.
        self.ip(&format!("link del {}", port(host))).ok();
    }

    /// Runs a program in the namespace.
    pub(crate) fn command<S: AsRef<std::ffi::OsStr>>(
        &self,
        line: impl IntoIterator<Item = S>,
    ) -> Command {
        let mut command = command(["nsenter"]);
        command.arg(format!("--net={}", self.namespace.display())).arg("--").args(line);
        command
    }

    /// Whether the last step of [`Self::up`] was done.
    fn is_complete(&self) -> bool {
        let shown = ip(&mut command(["ip"]), &format!("-oneline link show {}", self.link));
        shown.is_ok_and(|shown| is_up(&shown))
    }

    fn is_held(&self) -> bool {
        let mounts = file::read(Path::new("/proc/self/mounts")).ok().flatten().unwrap_or_default();
        let namespace = self.namespace.display().to_string();
        mounts.lines().any(|line| line.split(' ').nth(1) == Some(&namespace))
    }

    fn ip(&self, arguments: &str) -> Result<String, CommandError> {
        ip(&mut self.command(["ip"]), arguments)
    }
}

fn ip(ip: &mut Command, arguments: &str) -> Result<String, CommandError> {
    command::read(ip.args(arguments.split(' ')))
}

/// The end of a host's link on the bridge, as systemd-nspawn names it.
fn port(host: &str) -> String {
    format!("vb-{host}")
}

fn is_up(link: &str) -> bool {
    let flags = link.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    flags.is_some_and(|(flags, _)| flags.split(',').any(|flag| flag == "UP"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_up_if_its_flags_say_so() {
        let up = "5: vb-fleet1@if2: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 state UP mode X";
        let down = "5: vb-fleet1@if2: <BROADCAST,MULTICAST> mtu 1500 state DOWN mode X";

        assert_eq!([up, down].map(is_up), [true, false]);
    }
}
