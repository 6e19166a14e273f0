//! `bench rest`: what fleet costs while nothing happens.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use serde::Serialize;
use serde_json::json;

use crate::bench::clock::time;
use crate::bench::error::BenchError;
use crate::bench::figures::Verdict;
use crate::bench::ground::{Ground, names};
use crate::bench::report::{Load, Report};
use crate::bench::usage::{self, Memory};
use crate::error::Error;
use crate::host::Host;
use crate::{ui, wait};

/// How long nothing happens.
const PERIOD: Duration = Duration::from_secs(60);

/// Of one processor, in percent.
const CPU_BUDGET: f64 = 0.1;

/// In MB.
const MEMORY_BUDGET: f64 = 20.0;

/// Shows what the kernel counts for fleetd on a host.
const PROCESS: &str = "\
    pid=$(systemctl show --property=MainPID --value fleet.service) && \
    cat \"/proc/$pid/stat\" \"/proc/$pid/status\"";

/// One fleetd over the period.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Process {
    host: String,
    /// In percent of one processor.
    pub(super) cpu: f64,
    pub(super) memory: Memory,
}

/// The store over the period.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Writes {
    /// Revisions that were made.
    revisions: u64,
    /// Puts, deletes and transactions that one member of etcd counted.
    counted: f64,
}

pub(crate) fn run(ground: &Ground, units: u32) -> Result<Report, Error> {
    let names = names(1..=units);
    ui::note(format_args!("starting {units} units"));
    ground.fleetctl_units("start", &names)?;
    ground.expect_active(names.len())?;
    ground.settle()?;
    ui::note(format_args!("watching for {} s", PERIOD.as_secs()));
    let load = Load::now();
    let (counted, revision) = (counted(ground)?, ground.revision()?);
    let before = measure_all(ground)?;
    let (period, ()) = time(|| wait::throughout(PERIOD, || {}));
    let after = measure_all(ground)?;
    let writes = Writes {
        revisions: ground.revision()?.saturating_sub(revision),
        counted: self::counted(ground)? - counted,
    };
    let processes = before.into_iter().zip(after).map(|(before, after)| Process {
        host: after.host,
        cpu: (after.cpu - before.cpu) / period.as_secs_f64() * 100.0,
        memory: after.memory,
    });
    let processes: Vec<_> = processes.collect();
    ground.fleetctl_units("destroy", &names)?;
    ground.expect_gone()?;
    Ok(report(units, &load, &writes, &processes)?)
}

fn measure_all(ground: &Ground) -> Result<Vec<Process>, Error> {
    ground.hosts().iter().map(measure).collect()
}

/// What the kernel has counted so far; the time is that since the start of fleetd, in seconds.
pub(super) fn measure(host: &Host) -> Result<Process, Error> {
    let shown = host.read(["sh", "-c", PROCESS])?;
    let found = usage::cpu_seconds(shown.lines().next().unwrap_or_default());
    let found = found.zip(usage::memory(&shown));
    let (cpu, memory) = found.ok_or_else(|| {
        BenchError::unreadable(format!("the process of fleetd on {}", host.name()), &shown)
    })?;
    Ok(Process { host: host.name().to_owned(), cpu, memory })
}

fn counted(ground: &Ground) -> Result<f64, Error> {
    let metrics = metrics(ground.cluster().host(1)?.address())
        .map_err(|error| BenchError::unreadable("the metrics of etcd", &error.to_string()))?;
    let found = usage::writes(&metrics);
    Ok(found.ok_or_else(|| BenchError::unreadable("the metrics of etcd", &metrics))?)
}

/// All that a member of etcd tells about itself.
fn metrics(address: Ipv4Addr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect((address, 2379))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    // The older protocol ends an answer by closing the connection.
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn report(
    units: u32,
    load: &Load,
    writes: &Writes,
    processes: &[Process],
) -> Result<Report, BenchError> {
    let most = |of: fn(&Process) -> f64| processes.iter().map(of).max_by(f64::total_cmp);
    let cpu = most(|process| process.cpu).ok_or(BenchError::NoSamples)?;
    let memory = most(|process| megabytes(process.memory.resident)).ok_or(BenchError::NoSamples)?;
    #[expect(clippy::cast_precision_loss, reason = "a count of writes in a minute")]
    let written = (writes.revisions as f64).max(writes.counted);
    let (written, cpu, memory) = (
        Verdict::at_most(written, 0.0, 0, ""),
        Verdict::at_most(cpu, CPU_BUDGET, 3, " %"),
        Verdict::at_most(memory, MEMORY_BUDGET, 1, " MB"),
    );
    let titles = ["FLEETD ON", "CPU", "RESIDENT", "ANONYMOUS", "LOAD"].map(str::to_owned).to_vec();
    let rows = processes.iter().map(|process| {
        vec![
            process.host.clone(),
            format!("{:.3} %", process.cpu),
            format!("{:.1} MB", megabytes(process.memory.resident)),
            format!("{:.1} MB", megabytes(process.memory.anonymous)),
            load.text(),
        ]
    });
    let line = format!(
        "rest: {units} units on {} hosts for {} s: {} store writes, {}; \
         at most {} CPU per fleetd, {}; at most {} resident, {}",
        processes.len(),
        PERIOD.as_secs(),
        written.figure,
        written.budget(),
        cpu.figure,
        cpu.budget(),
        memory.figure,
        memory.budget()
    );
    Ok(Report {
        bench: "rest",
        rows: std::iter::once(titles).chain(rows).collect(),
        lines: vec![line],
        verdicts: vec![written, cpu, memory],
        data: json!({
            "units": units,
            "seconds": PERIOD.as_secs(),
            "load": load,
            "writes": writes,
            "processes": processes,
        }),
    })
}

#[expect(clippy::cast_precision_loss, reason = "told with one decimal")]
pub(super) fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(host: &str, cpu: f64, resident: u64) -> Process {
        let memory = Memory { resident, anonymous: resident / 2 };
        Process { host: host.to_owned(), cpu, memory }
    }

    #[test]
    fn the_hungriest_fleetd_is_held_against_the_budget() {
        let processes =
            [process("bench1", 0.05, 12_000_000), process("bench2", 0.1167, 11_900_000)];
        let writes = Writes { revisions: 0, counted: 0.0 };

        let report = report(500, &Load::now(), &writes, &processes).unwrap();

        assert_eq!(
            report.lines,
            ["rest: 500 units on 2 hosts for 60 s: 0 store writes, budget 0; \
              at most 0.117 % CPU per fleetd, budget 0.1 % missed; \
              at most 12.0 MB resident, budget 20 MB"]
        );
    }

    #[test]
    fn a_transaction_that_makes_no_revision_is_a_write_too() {
        let writes = Writes { revisions: 0, counted: 2.0 };

        let report = report(1, &Load::now(), &writes, &[process("bench1", 0.0, 1)]).unwrap();

        assert_eq!(
            report.verdicts[0],
            Verdict { figure: "2".to_owned(), budget: "0".to_owned(), met: false }
        );
    }
}
