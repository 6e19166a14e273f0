//! Why the testbed could not do what it was asked to.

use std::path::PathBuf;

use crate::bench::BenchError;
use crate::command::CommandError;
use crate::file::FileError;
use crate::wait::TimedOut;

/// Why the testbed could not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A program failed.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// Something did not happen in time.
    #[error(transparent)]
    TimedOut(#[from] TimedOut),
    /// A benchmark has no figure to tell.
    #[error(transparent)]
    Bench(#[from] BenchError),
    /// Another process of ours failed and has said why.
    #[error("failed, as told above")]
    Told,
    /// Ctrl-C, or what stands for it.
    #[error("interrupted")]
    Interrupted,
    /// The kernel refuses what every program gets.
    #[error("cannot wait for signals")]
    Signals(#[source] std::io::Error),
    /// Neither root nor a way to become root.
    #[error("the hosts of the testbed need root: run it as root, or install sudo")]
    NoRoot,
    /// Packages are missing, and this is not Debian.
    #[error("install {packages}: without apt-get the testbed cannot do it")]
    NoApt {
        /// Names of the missing packages.
        packages: String,
    },
    /// The root file system lacks parts that hosts need.
    #[error("`{path}` is a file system of its own: hosts see only the root file system", path = path.display())]
    SplitRoot {
        /// Where the other file system is mounted.
        path: PathBuf,
    },
    /// There is no such cluster.
    #[error("there is no cluster `{cluster}`: `cargo testbed{} up` makes one", flag(cluster))]
    NoCluster {
        /// The name that was asked for.
        cluster: String,
    },
    /// The cluster has fewer hosts.
    #[error("cluster `{cluster}` has no host {number}: its hosts are 1 to {hosts}")]
    NoHost {
        /// The cluster.
        cluster: String,
        /// The number that was asked for.
        number: u8,
        /// How many hosts there are.
        hosts: u8,
    },
    /// A cluster does not shrink.
    #[error("cluster `{cluster}` has {hosts} hosts: `down` comes before `up --hosts {wanted}`")]
    TooManyHosts {
        /// The cluster.
        cluster: String,
        /// How many hosts there are.
        hosts: u8,
        /// How many were asked for.
        wanted: u8,
    },
    /// Only one machine can use an embedded store.
    #[error("an embedded store serves one host, not {hosts}: leave --hosts out, or --store")]
    NotAlone {
        /// How many hosts were asked for.
        hosts: u8,
    },
    /// A cluster keeps its store.
    #[error("cluster `{cluster}` has its store in {store}: `down` comes before another `up`")]
    OtherStore {
        /// The cluster.
        cluster: String,
        /// The store that it has.
        store: crate::cluster::Store,
    },
    /// The hosts of the cluster were told in another way what to run.
    #[error(
        "cluster `{cluster}` was made by an older testbed, or from other user data: `cargo testbed{} \
         down` comes before another `up`",
        flag(cluster)
    )]
    Made {
        /// The cluster.
        cluster: String,
    },
    /// No address range is left for one more cluster.
    #[error("no address range is left for one more cluster")]
    NoSubnet,
    /// The host is powered off.
    #[error("host {number} is off: `cargo testbed{} boot {number}` powers it on", flag(cluster))]
    Off {
        /// The cluster.
        cluster: String,
        /// The host.
        number: u8,
    },
    /// The host did not boot.
    #[error("host {number} did not come up ({reason}); the end of its console:\n{console}")]
    Boot {
        /// The host.
        number: u8,
        /// What went wrong.
        reason: String,
        /// The last lines of its console.
        console: String,
    },
    /// A step of the checks failed; it has said why.
    #[error("{step} failed")]
    Check {
        /// What failed.
        step: &'static str,
    },
    /// Names of two more clusters are made of this one.
    #[error("`test` needs a name of seven letters at most")]
    LongName,
    /// The tests would remove the hosts of other tests.
    #[error(
        "another `cargo testbed test` has cluster `{cluster}`: wait, or name one with --cluster"
    )]
    Tested {
        /// The cluster.
        cluster: String,
    },
    /// Clusters were removed, and not all of them is gone.
    #[error("`down` has left {found}")]
    Remains {
        /// What there is of them.
        found: String,
    },
    /// A filter that would run nothing.
    #[error("no functional test has `{filter}` in its name")]
    NoTest {
        /// The filter.
        filter: String,
    },
    /// There is no such fuzz target.
    #[error("there is no fuzz target `{target}`: choose one of {targets}")]
    NoTarget {
        /// The target that was asked for.
        target: String,
        /// Those that there are.
        targets: String,
    },
    /// A fuzz target found an input that breaks what it claims.
    #[error("fuzz target `{target}` failed on {input}:\n{reason}")]
    Fuzz {
        /// The target.
        target: String,
        /// What it said.
        reason: String,
        /// The file that holds the input.
        input: String,
    },
    /// Cargo built nothing that could be run.
    #[error("cargo named no executable for `{target}`")]
    NoExecutable {
        /// What should have been built.
        target: &'static str,
    },
    /// The record of a cluster cannot be understood.
    #[error("`{path}` is not a record of a cluster", path = path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

fn flag(cluster: &str) -> String {
    if cluster == crate::cluster::DEFAULT { String::new() } else { format!(" --cluster {cluster}") }
}
