//! `bench list`: how long a list of a large cluster takes, whose machines are hollow.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use serde_json::json;

use crate::bench::clock::time;
use crate::bench::error::BenchError;
use crate::bench::figures::{Verdict, median, thousands};
use crate::bench::ground::Ground;
use crate::bench::hollow::Hollow;
use crate::bench::report::{Load, Report};
use crate::bench::rest::{self, megabytes};
use crate::bench::usage::Memory;
use crate::error::Error;
use crate::{etcd, ui, wait};

/// Machines, each with a connection to the store.
const MACHINES: u32 = 1000;

/// Lists by each side.
const RUNS: usize = 9;

/// A list may take so many milliseconds.
const BUDGET: f64 = 100.0;

/// fleetd forgets what it knows of the cluster a minute after the last question.
const FORGOTTEN: Duration = Duration::from_secs(65);

/// Where every machine but the hosts can take it.
const TEMPLATE: &str = "/root/bench/hollow@.service";
const TEXT: &str = "[Unit]\nDescription=Benchmark %i\n\n[Service]\nExecStart=/bin/sleep infinity\n\n\
                    [X-Fleet]\nMachineMetadata=hollow=true\n";

/// The states as they lie in the store, and nothing made of them.
const FLOOR: &str = "ETCDCTL_API=3 etcdctl get --prefix /_coreos.com/fleet/states/ | wc -c";

const LIST: [&str; 3] = ["fleetctl", "list-units", "--no-legend"];

/// `fleetctl list-units`, then etcdctl on the keys of the states, in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Sample {
    fleet: f64,
    floor: f64,
}

/// The fleetd of the only host that can lead, from before the machines joined to the last report.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Leader {
    /// Seconds of one processor.
    cpu: f64,
    memory: Memory,
}

/// All that was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Measured {
    units: u32,
    machines: u32,
    load: Load,
    /// Seconds until the cluster knows all machines.
    joined: f64,
    /// Seconds from the first unit asked for to the last one reported.
    settled: f64,
    /// What the leader had to do for that.
    leader: Leader,
    /// Milliseconds of the first list after a minute in which nobody asked.
    first: f64,
    samples: Vec<Sample>,
}

pub(crate) fn run(ground: &Ground, program: PathBuf, units: u32) -> Result<Report, Error> {
    ui::note(format_args!("joining {MACHINES} hollow machines"));
    let host = ground.cluster().host(1)?;
    let before = rest::measure(&host)?;
    let endpoints = etcd::endpoints(ground.cluster());
    let (joined, hollow) = time(|| Hollow::start(program, &endpoints, MACHINES));
    let hollow = hollow?;
    host.write(TEMPLATE, TEXT.as_bytes())?;
    ui::note(format_args!("starting {units} units on them"));
    let (settled, filled) = time(|| fill(ground, units));
    filled?;
    ground.settle()?;
    let after = rest::measure(&host)?;
    let leader = Leader { cpu: after.cpu - before.cpu, memory: after.memory };
    ui::note(format_args!("waiting {} s, until fleetd has forgotten them", FORGOTTEN.as_secs()));
    wait::throughout(FORGOTTEN, || {});
    let list = || {
        let (taken, listed) = time(|| host.read(LIST));
        check(&listed?, units)?;
        Ok::<_, Error>(milliseconds(taken))
    };
    let (load, first) = (Load::now(), list()?);
    let mut samples = Vec::new();
    for _ in 0..RUNS {
        let fleet = list()?;
        let (floor, read) = time(|| host.read(["sh", "-c", FLOOR]));
        read?;
        samples.push(Sample { fleet, floor: milliseconds(floor) });
    }
    hollow.leave()?;
    let (joined, settled) = (joined.as_secs_f64(), settled.as_secs_f64());
    let machines = MACHINES;
    Ok(report(&Measured { units, machines, load, joined, settled, leader, first, samples })?)
}

/// Starts units, and returns once each of them is reported by a machine.
fn fill(ground: &Ground, units: u32) -> Result<(), Error> {
    let names: Vec<_> =
        (1..=units).map(|number| format!("/root/bench/hollow@{number}.service")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    ground.fleetctl(&[&["start", "--no-block"], names.as_slice()].concat())?;
    wait::attempt(Duration::from_secs(600), "all units to be reported", || {
        let listed = ground.fleetctl(&["list-units", "--no-legend"]);
        let listed = listed.map_err(|error| error.to_string())?;
        check(&listed, units).map_err(|error| error.to_string())
    })?;
    Ok(())
}

/// Each unit is there, once, and runs.
fn check(listed: &str, units: u32) -> Result<(), BenchError> {
    let mut running: Vec<_> = listed
        .lines()
        .filter(|line| line.ends_with("running"))
        .filter_map(|line| line.split(' ').next())
        .collect();
    let lines = listed.lines().count();
    running.sort_unstable();
    running.dedup();
    let wanted = usize::try_from(units).unwrap_or(usize::MAX);
    let found = if lines == wanted { running.len() } else { lines };
    if found == wanted {
        return Ok(());
    }
    Err(BenchError::Units { host: "hollow machines".to_owned(), state: "running", found, wanted })
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn report(measured: &Measured) -> Result<Report, BenchError> {
    let Measured { units, machines, load, joined, settled, leader, first, samples } = measured;
    let middle = |of: fn(&Sample) -> f64| {
        median(&samples.iter().map(of).collect::<Vec<_>>()).ok_or(BenchError::NoSamples)
    };
    let (fleet, floor) = (middle(|sample| sample.fleet)?, middle(|sample| sample.floor)?);
    let verdict = Verdict::at_most(fleet, BUDGET, 0, " ms");
    let titles = ["RUN", "FLEETCTL", "ETCDCTL", "LOAD"].map(str::to_owned).to_vec();
    let row = |(number, sample): (usize, &Sample)| {
        let cell = |figure: f64| format!("{figure:.0} ms");
        vec![(number + 1).to_string(), cell(sample.fleet), cell(sample.floor), load.text()]
    };
    let (states, machines) = (thousands(f64::from(*units)), thousands(f64::from(*machines)));
    let lines = vec![
        format!("list: {machines} hollow machines joined in {joined:.1} s"),
        format!(
            "list: {states} units settled on them in {settled:.1} s; \
             fleetd of host 1 computed {:.1} s for both and has {:.0} MB resident",
            leader.cpu,
            megabytes(leader.memory.resident)
        ),
        format!("list: the first one after a minute without any takes {first:.0} ms"),
        format!(
            "list: {states} unit states on {machines} machines in {}, etcdctl {floor:.0} ms, \
             ratio {:.2}, {}",
            verdict.figure,
            fleet / floor,
            verdict.budget()
        ),
    ];
    Ok(Report {
        bench: "list",
        rows: std::iter::once(titles).chain(samples.iter().enumerate().map(row)).collect(),
        lines,
        verdicts: vec![verdict],
        data: json!({
            "order": "fleetctl, etcdctl, alternating",
            "measured": measured,
            "median": { "fleetctl": fleet, "etcdctl": floor },
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_the_lists_is_held_against_the_budget() {
        let sample = |fleet, floor| Sample { fleet, floor };
        let measured = Measured {
            units: 10_000,
            machines: 1000,
            load: Load::now(),
            joined: 9.96,
            settled: 41.04,
            leader: Leader { cpu: 12.34, memory: Memory { resident: 85_400_000, anonymous: 0 } },
            first: 812.4,
            samples: vec![sample(130.0, 40.0), sample(60.4, 39.0), sample(48.0, 45.0)],
        };

        let report = report(&measured).unwrap();

        assert_eq!(
            report.lines,
            [
                "list: 1,000 hollow machines joined in 10.0 s",
                "list: 10,000 units settled on them in 41.0 s; \
                 fleetd of host 1 computed 12.3 s for both and has 85 MB resident",
                "list: the first one after a minute without any takes 812 ms",
                "list: 10,000 unit states on 1,000 machines in 60 ms, etcdctl 40 ms, ratio 1.51, \
                 budget 100 ms",
            ]
        );
    }

    #[test]
    fn a_unit_that_is_listed_twice_does_not_stand_for_another() {
        let line = |unit: &str| format!("{unit}  00000001...  active  running\n");
        let error = |listed: String| check(&listed, 2).map_err(|error| error.to_string());

        assert_eq!(error(line("a.service") + &line("b.service")), Ok(()));
        assert_eq!(
            error(line("a.service") + &line("a.service")),
            Err("1 units of the benchmark are running on hollow machines, 2 were expected".into())
        );
        assert!(error(line("a.service") + &line("b.service") + &line("b.service")).is_err());
        assert!(error(line("a.service") + "b.service  -  inactive  dead\n").is_err());
    }
}
