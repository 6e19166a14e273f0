//! `cargo testbed bench`: how fast fleet is, beside what nothing can beat.
//!
//! Every benchmark runs release builds on a cluster of its own. Where there is a floor, fleet and
//! floor alternate within one run, so that other work on the machine slows both.

mod clock;
mod error;
mod figures;
mod ground;
mod hollow;
mod list;
mod many;
mod one;
mod plan;
mod report;
mod rest;
mod usage;

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use clap::{Args, ValueEnum};

use crate::cluster::{Cluster, ClusterName};
use crate::command;
use crate::error::Error;
use crate::interrupt::Interrupts;
use crate::{privilege, source, ui};

pub use error::BenchError;
use ground::Ground;
use many::Half;
use report::Report;

/// The cluster of the benchmarks.
pub(crate) const NAME: &str = "bench";

/// Hosts, unless the command line says otherwise.
const HOSTS: u8 = 3;

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Bench {
    /// One `fleetctl start` of many units, over one `systemctl start` on each host
    Start,
    /// One `fleetctl destroy` of many units, over one `systemctl stop` on each host
    Destroy,
    /// `fleetctl start` of one new unit, over `systemctl start` of one
    One,
    /// `fleetctl list-units` of 10,000 units on 1,000 hollow machines, over etcdctl on their keys
    List,
    /// Writes to the store, processor and memory while many units run and nothing happens
    Rest,
    /// The planner alone, with thousands of machines and units
    Plan,
}

impl Bench {
    fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Destroy => "destroy",
            Self::One => "one",
            Self::List => "list",
            Self::Rest => "rest",
            Self::Plan => "plan",
        }
    }

    /// Units, unless the command line says otherwise.
    fn units(self) -> u32 {
        match self {
            Self::Start | Self::Destroy | Self::Rest => 500,
            Self::One => 50,
            Self::List | Self::Plan => 10_000,
        }
    }

    /// Hosts, unless the command line says otherwise.
    fn hosts(self) -> u8 {
        match self {
            Self::Start | Self::Destroy | Self::One | Self::Rest => HOSTS,
            // All other machines are hollow; the budget is for one member of etcd.
            Self::List => 1,
            // It runs on none.
            Self::Plan => 0,
        }
    }
}

#[derive(Debug, Clone, Args)]
pub(crate) struct BenchArgs {
    /// What to measure
    bench: Bench,
    /// How many units (500, or 50 for `one`, or 10,000 for `list` and `plan`)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=20_000))]
    units: Option<u32>,
    /// How many hosts (3, or 1 for `list`, unless the cluster is there already)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=99))]
    hosts: Option<u8>,
    /// Print one JSON object with all samples
    #[arg(long)]
    json: bool,
    /// Leave the cluster running; the next benchmark uses it
    #[arg(long)]
    keep: bool,
}

impl BenchArgs {
    /// What can be said before anything is built.
    fn check(&self) -> Result<(), BenchError> {
        if self.bench == Bench::Plan {
            return self.check_plan();
        }
        let (units, hosts) = (self.units(), self.hosts());
        if units < u32::from(hosts) {
            return Err(BenchError::FewUnits { bench: self.bench.name(), units, hosts });
        }
        Ok(())
    }

    fn check_plan(&self) -> Result<(), BenchError> {
        let given = [
            ("hosts", self.hosts.is_some(), "it runs on none"),
            ("keep", self.keep, "it makes no cluster"),
        ];
        match given.into_iter().find(|(_, given, _)| *given) {
            Some((option, _, reason)) => {
                Err(BenchError::Option { bench: self.bench.name(), option, reason })
            }
            None => Ok(()),
        }
    }

    fn units(&self) -> u32 {
        self.units.unwrap_or(self.bench.units())
    }

    fn hosts(&self) -> u8 {
        self.hosts.unwrap_or(self.bench.hosts())
    }

    /// The same as a command line for [`measure`].
    fn line(&self) -> Vec<OsString> {
        let json = self.json.then(|| "--json".to_owned());
        let line = ["measure".to_owned(), self.bench.name().to_owned()];
        let line = line.into_iter().chain([format!("--units={}", self.units())]).chain(json);
        line.map(OsString::from).collect()
    }
}

/// Builds as the person who called, measures as root on a cluster that is removed afterwards.
///
/// # Errors
///
/// The arguments make no sense, something does not build or boot, or fleet did not do what it was
/// asked to. A budget that is missed is no error.
pub(crate) fn run(name: &ClusterName, arguments: &BenchArgs) -> Result<(), Error> {
    arguments.check()?;
    if arguments.bench == Bench::Plan {
        show(&plan::run(arguments.units())?, arguments.json);
        return Ok(());
    }
    ui::note("Building for release");
    let binaries = source::build_release()?;
    if arguments.bench == Bench::List {
        source::build_hollow()?;
    }
    let measured = Interrupts::catch().and_then(|interrupts| {
        let run = |task, is_result| interrupts.show(&mut aside(name, task, is_result)?);
        run(vec!["install".into()], false)?;
        ui::note(format_args!("Booting the hosts of cluster `{name}`"));
        let hosts = Cluster::open(name).is_err().then(|| arguments.bench.hosts());
        run(assemble(&binaries, arguments.hosts.or(hosts)), false)?;
        run(arguments.line(), true)
    });
    if arguments.keep {
        ui::note(format_args!("Cluster `{name}` is kept: `cargo testbed --cluster {name} down`"));
        return measured;
    }
    let removed = command::show(&mut aside(name, vec!["down".into()], false)?);
    measured.and(removed.map_err(|_| Error::Told))
}

/// The part of [`run`] that needs root and hosts.
///
/// # Errors
///
/// fleet did not do what it was asked to.
pub(crate) fn measure(name: &ClusterName, arguments: &BenchArgs) -> Result<(), Error> {
    privilege::become_root()?;
    let units = arguments.units();
    let ground = Ground::prepare(Cluster::open(name)?)?;
    let report = match arguments.bench {
        Bench::Start => many::run(&ground, Half::Start, units)?,
        Bench::Destroy => many::run(&ground, Half::Destroy, units)?,
        Bench::One => one::run(&ground, units)?,
        Bench::List => list::run(&ground, source::hollow()?, units)?,
        Bench::Rest => rest::run(&ground, units)?,
        Bench::Plan => plan::run(units)?,
    };
    show(&report, arguments.json);
    Ok(())
}

fn show(report: &Report, json: bool) {
    if json { ui::say(report.json()) } else { ui::say(report.text().trim_end()) }
}

fn assemble(binaries: &Path, hosts: Option<u8>) -> Vec<OsString> {
    let hosts = hosts.map(|hosts| format!("--hosts={hosts}").into());
    let line = ["assemble".into(), "--binaries".into(), binaries.into()];
    line.into_iter().chain(hosts).collect()
}

/// Another command of this program, as root; standard output is for results alone.
fn aside(cluster: &ClusterName, task: Vec<OsString>, is_result: bool) -> Result<Command, Error> {
    let mut line = privilege::this_as_root(cluster, task)?;
    if !is_result {
        line.stdout(std::io::stderr());
    }
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        bench: BenchArgs,
    }

    fn parse(line: &str) -> BenchArgs {
        Line::try_parse_from(std::iter::once("bench").chain(line.split(' '))).unwrap().bench
    }

    #[test]
    fn units_that_do_not_reach_every_host_are_refused_with_a_sentence() {
        let refused = parse("start --units 2").check().unwrap_err();

        assert_eq!(
            refused.to_string(),
            "`bench start` needs a unit for every host at least: 2 are fewer than 3"
        );
        assert!(parse("start --units 2 --hosts 2").check().is_ok());
    }

    #[test]
    fn the_planner_alone_takes_no_hosts() {
        let refused = |line| parse(line).check().map_err(|error| error.to_string());

        assert_eq!(
            refused("plan --hosts 3"),
            Err("`bench plan` takes no `--hosts`: it runs on none".to_owned())
        );
        assert!(refused("plan --keep").is_err());
        assert_eq!(refused("plan --json --units 1000"), Ok(()));
    }

    #[test]
    fn root_is_asked_for_the_same_measurement() {
        assert_eq!(
            parse("destroy --json --hosts 2 --keep").line(),
            ["measure", "destroy", "--units=500", "--json"]
        );
    }
}
