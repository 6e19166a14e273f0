//! What functional tests need of a cluster beside its hosts: it whole again after the test before,
//! and the journals of a test that failed.

use std::path::{Path, PathBuf};

use crate::cluster::{Cluster, Store, each};
use crate::error::Error;
use crate::host::{Host, Power};
use crate::{etcd, file, fleet, source, suite};

/// Removes what no unit takes with it: metadata set at run time, a hold, and marks of units that were
/// given once.
const FORGET: &str = "\
    set -e
    for prefix in metadata/ seeded/ engine/hold; do
        etcdctl del --prefix \"/_coreos.com/fleet/$prefix\"
    done";

/// Removes what is known of machines other than `$@`.
const FORGET_OTHERS: &str = "\
    set -e; fleet=/_coreos.com/fleet
    for kind in members schedule states; do
        for key in $(etcdctl get --prefix --keys-only \"$fleet/$kind/\"); do
            id=${key#$fleet/$kind/}
            case \" $* \" in
                *\" ${id%%/*} \"*) ;;
                *) etcdctl del \"$key\" ;;
            esac
        done
    done";

/// Stops and removes the units that fleet wrote and nobody knows any more.
const REMOVE_STRAYS: &str = "\
    cd /run/fleet/units 2>/dev/null || exit 0
    for unit in *; do
        [ -e \"$unit\" ] || continue
        systemctl stop -- \"$unit\"
        rm -f -- \"$unit\"
    done
    systemctl daemon-reload";

impl Cluster {
    /// The cluster that `testbed test` booted for the functional tests.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn of_tests() -> Result<Self, Error> {
        Self::open(&suite::named(suite::CLUSTER).unwrap_or_else(suite::default))
    }

    /// The host with an embedded store that `testbed test` booted beside them.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn of_tests_alone() -> Result<Self, Error> {
        let alone = suite::named(suite::ALONE);
        Self::open(&alone.unwrap_or_else(|| suite::default().alone()))
    }

    /// The cluster that `testbed test` booted from a document that is not the testbed's.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn of_tests_documented() -> Result<Self, Error> {
        let documented = suite::named(suite::DOCUMENTED);
        Self::open(&documented.unwrap_or_else(|| suite::default().documented()))
    }

    /// Makes the cluster whole: every host up, connected and without settings of a test, etcd
    /// healthy and without what tests left there beside units, no unit marked as failed.
    ///
    /// # Errors
    ///
    /// A host does not come up, or etcd does not.
    pub fn restore(&self) -> Result<(), Error> {
        each(&self.hosts(), |host| {
            host.bring_up()?;
            host.read(["systemctl", "reset-failed"])?;
            if host.number() <= self.etcd_members() {
                host.read(["systemctl", "start", "etcd.service"])?;
            }
            fleet::restore_settings(host)
        })?;
        if self.store() == Store::Embedded {
            return Ok(());
        }
        etcd::wait_until_healthy(self)?;
        self.host(1)?.read(["sh", "-c", FORGET]).map(drop)
    }

    /// Lets the cluster forget all machines but those of its first hosts: for one whose id nobody has
    /// any more, what it held would stand there for good.
    ///
    /// # Errors
    ///
    /// A file cannot be read, or etcd does not answer.
    pub fn forget_others(&self, members: u8) -> Result<(), Error> {
        if self.store() == Store::Embedded {
            return Ok(());
        }
        let hosts = self.hosts().into_iter().filter(|host| host.number() <= members);
        let ids = hosts.map(|host| host.machine_id()).collect::<Result<Vec<_>, _>>()?;
        let line = ["sh", "-c", FORGET_OTHERS, "sh"].into_iter();
        self.host(1)?.read(line.chain(ids.iter().map(String::as_str))).map(drop)
    }

    /// Stops and removes units of fleet on all hosts; the cluster must know of none.
    ///
    /// # Errors
    ///
    /// A host is off.
    pub fn remove_strays(&self) -> Result<(), Error> {
        each(&self.hosts(), |host| host.read(["sh", "-c", REMOVE_STRAYS]).map(drop))
    }

    /// Saves the journals of all hosts that run below `artifacts/` and returns the directory.
    ///
    /// # Errors
    ///
    /// A host fails to show its journal, or the disk is full.
    pub fn save_journals(&self, test: &str) -> Result<PathBuf, Error> {
        let directory = source::root().join("artifacts").join(test.replace("::", "."));
        // Journals of an earlier failure would pass for those of hosts that are off now.
        file::remove_tree(&directory)?;
        let save = |host: &Host| -> Result<(), Error> {
            let journal = host.read(["journalctl", "--no-pager", "--output=short-precise"])?;
            Ok(file::write(&directory.join(format!("{}.journal", host.name())), journal)?)
        };
        let hosts = self.hosts().into_iter().filter(|host| host.power() != Power::Off);
        // Each of them, and then the first that failed.
        let saved: Vec<_> = hosts.map(|host| save(&host)).collect();
        saved.into_iter().collect::<Result<(), Error>>()?;
        give_to_caller(&directory)?;
        give_to_caller(&source::root().join("artifacts"))?;
        Ok(directory)
    }
}

/// Root writes the journals; the person who called through sudo owns them.
fn give_to_caller(directory: &Path) -> Result<(), Error> {
    let id = |name| std::env::var(name).ok()?.parse().ok();
    let (Some(user), Some(group)) = (id("SUDO_UID"), id("SUDO_GID")) else { return Ok(()) };
    let files = file::entries(directory).into_iter().map(|name| directory.join(name));
    for path in files.chain([directory.to_owned()]) {
        std::os::unix::fs::chown(&path, Some(user), Some(group)).map_err(file::at("own", &path))?;
    }
    Ok(())
}
