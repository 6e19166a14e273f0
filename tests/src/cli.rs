//! The testbed's commands.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::bench::BenchArgs;
use crate::cluster::{self, Cluster, ClusterName, Size, Store};
use crate::command::{self, CommandError};
use crate::error::Error;
use crate::fuzz::FuzzArgs;
use crate::host::{Host, Power};
use crate::{
    bench, conform, fleet, fuzz, layer, lock, packages, privilege, source, status, suite, ui,
    user_data, vagrant, welcome,
};

/// Boot real hosts on this machine and run fleet on them
#[derive(Debug, Parser)]
#[command(name = "testbed", bin_name = "cargo testbed")]
pub struct Arguments {
    /// Cluster to work on: up to eight small letters
    ///
    /// The default is `fleet`, and `test` and `bench` for the commands of these names, which
    /// remove the cluster in the end.
    #[arg(long, global = true, value_name = "NAME", verbatim_doc_comment)]
    cluster: Option<ClusterName>,
    #[command(subcommand)]
    command: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Boot a cluster with fleet on it, or repair one
    Up(UpArgs),
    /// Run a command on a host, as root
    Exec(ExecArgs),
    /// Power a host off without warning
    Kill(HostArgs),
    /// Power a host on
    Boot(HostArgs),
    /// Cut a host off from the network
    Cut(HostArgs),
    /// Connect a host to the network again
    Heal(HostArgs),
    /// Show what every host is doing
    Status,
    /// Remove the cluster, running or half made
    Down,
    /// Check format and lints, run all unit tests, then all functional tests on hosts
    Test(TestArgs),
    /// Look for input that breaks what fleet claims of its parsers (part of `test`)
    Fuzz(FuzzArgs),
    /// Compare what the API answers with its OpenAPI document (part of `test`)
    Conform,
    /// Check the Vagrantfile and the user data that it makes (part of `test`)
    Vagrant,
    /// Measure how fast fleet is, beside bare systemd (see docs/performance.md)
    Bench(BenchArgs),
    /// Install what this machine and its hosts need (part of `up` that needs root)
    #[command(hide = true)]
    Install {
        /// And what only the tests need
        #[arg(long)]
        for_tests: bool,
    },
    /// Boot hosts and put programs on them (part of `up` that needs root)
    #[command(hide = true)]
    Assemble(AssembleArgs),
    /// Measure on a cluster that runs (part of `bench` that needs root)
    #[command(hide = true)]
    Measure(BenchArgs),
}

#[derive(Debug, Args)]
struct UpArgs {
    /// How many hosts the cluster has (3 unless it is there already)
    ///
    /// With `--store embedded` it is always one.
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u8).range(1..=99),
        verbatim_doc_comment
    )]
    hosts: Option<u8>,
    /// Store of the cluster: etcd on its hosts, or for one host with nothing configured the one
    /// that is embedded in fleetd (etcd unless it is there already)
    #[arg(long, value_name = "STORE", verbatim_doc_comment)]
    store: Option<Store>,
    /// User data of all hosts, instead of the testbed's own; a discovery URL of discovery.etcd.io
    /// becomes that of the cluster (only for a new cluster)
    #[arg(long, value_name = "FILE", verbatim_doc_comment, conflicts_with = "store")]
    user_data: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct AssembleArgs {
    #[arg(long)]
    hosts: Option<u8>,
    #[arg(long)]
    store: Option<Store>,
    #[arg(long)]
    user_data: Option<PathBuf>,
    /// Directory with the programs of the hosts
    #[arg(long)]
    binaries: PathBuf,
    /// Start an example and say what to try next
    #[arg(long)]
    welcome: bool,
}

#[derive(Debug, Args)]
struct TestArgs {
    /// Run only the functional tests whose name contains this
    filter: Option<String>,
}

#[derive(Debug, Args)]
struct HostArgs {
    /// Number of the host, from 1
    host: u8,
}

#[derive(Debug, Args)]
struct ExecArgs {
    /// Number of the host, from 1
    host: u8,
    /// Command and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<OsString>,
}

/// Does what the command line says.
///
/// # Errors
///
/// Whatever went wrong, as a sentence for the person who typed it.
pub fn run(arguments: &Arguments) -> Result<ExitCode, Error> {
    let default = match arguments.command {
        Task::Test(_) => suite::NAME,
        Task::Bench(_) | Task::Measure(_) => bench::NAME,
        _ => cluster::DEFAULT,
    };
    let name = &arguments.cluster.clone().unwrap_or_else(|| ClusterName::of(default));
    match &arguments.command {
        Task::Up(up) => self::up(name, up)?,
        Task::Test(test) => suite::run(name, test.filter.as_deref())?,
        Task::Fuzz(arguments) => fuzz::run(arguments)?,
        Task::Conform => conform::run()?,
        Task::Vagrant => vagrant(name)?,
        Task::Bench(bench) => bench::run(name, bench)?,
        Task::Measure(bench) => bench::measure(name, bench)?,
        Task::Install { for_tests } => install(*for_tests)?,
        Task::Assemble(part) => assemble(name, part)?,
        Task::Exec(line) => return exec(name, line),
        Task::Kill(target) => kill(name, target.host)?,
        Task::Boot(target) => boot(name, target.host)?,
        Task::Cut(target) => connect(name, target.host, false)?,
        Task::Heal(target) => connect(name, target.host, true)?,
        Task::Status => {
            privilege::become_root()?;
            ui::say(status::table(&Cluster::open(name)?).trim_end());
        }
        Task::Down => {
            privilege::become_root()?;
            let _lock = lock::machine()?;
            packages::restore_policy()?;
            cluster::remove(name)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Builds as the person who called and does the rest as root.
fn up(name: &ClusterName, arguments: &UpArgs) -> Result<(), Error> {
    privilege::run_as_root(name, ["install"])?;
    let binaries = source::build()?;
    let hosts = arguments.hosts.map(|hosts| format!("--hosts={hosts}"));
    let assemble = ["assemble".into(), "--welcome".into(), "--binaries".into(), binaries.into()];
    let store = arguments.store.map(|store| format!("--store={store}"));
    let size = hosts.into_iter().chain(store).map(OsString::from);
    let document = arguments.user_data.iter().map(|path| ["--user-data".into(), path.into()]);
    privilege::run_as_root(name, assemble.into_iter().chain(size).chain(document.flatten()))
}

fn vagrant(name: &ClusterName) -> Result<(), Error> {
    privilege::run_as_root(name, ["install", "--for-tests"])?;
    vagrant::run(&source::build()?)
}

fn install(for_tests: bool) -> Result<(), Error> {
    privilege::become_root()?;
    let _lock = lock::machine()?;
    packages::install(for_tests)?;
    layer::install(cluster::any_host_runs())
}

fn assemble(name: &ClusterName, arguments: &AssembleArgs) -> Result<(), Error> {
    privilege::become_root()?;
    let _lock = lock::machine()?;
    let size = Size { hosts: arguments.hosts, store: arguments.store };
    let cluster = Cluster::open_or_make(name, size, arguments.user_data.as_deref())?;
    let new_programs = fleet::bring(&cluster, &arguments.binaries)?;
    let mut ran = cluster.hosts();
    ran.retain(Host::exists);
    cluster.power_on()?;
    fleet::refresh(&cluster, &ran, new_programs)?;
    if user_data::is_foreign(&cluster) {
        return user_data::await_all(&cluster);
    }
    fleet::wait_until_joined(&cluster)?;
    if arguments.welcome { welcome::show(&cluster) } else { Ok(()) }
}

/// Becomes the command, so that signals, terminal and exit code are its own.
fn exec(name: &ClusterName, arguments: &ExecArgs) -> Result<ExitCode, Error> {
    privilege::become_root()?;
    let host = Cluster::open(name)?.host(arguments.host)?;
    let mut line = host.command(&arguments.command)?;
    let source = line.exec();
    Err(CommandError::Start { line: command::line(&line), source }.into())
}

fn kill(name: &ClusterName, number: u8) -> Result<(), Error> {
    privilege::become_root()?;
    Cluster::open(name)?.host(number)?.power_off()
}

fn boot(name: &ClusterName, number: u8) -> Result<(), Error> {
    privilege::become_root()?;
    let host = Cluster::open(name)?.host(number)?;
    if host.power() == Power::Off {
        host.power_on()?;
    }
    host.wait_until_up().map(drop)
}

fn connect(name: &ClusterName, number: u8, connected: bool) -> Result<(), Error> {
    privilege::become_root()?;
    Cluster::open(name)?.host(number)?.connect(connected)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn everything_after_the_host_belongs_to_the_command() {
        let line = ["testbed", "exec", "2", "--", "ls", "-l", "--cluster", "x"];
        let arguments = Arguments::try_parse_from(line).unwrap();

        let Task::Exec(exec) = arguments.command else { panic!("not exec") };
        assert_eq!((exec.host, arguments.cluster), (2, None));
        assert_eq!(exec.command, ["ls", "-l", "--cluster", "x"]);
    }
}
