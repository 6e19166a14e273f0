//! The process as the kernel sees it, under the names that Prometheus' own clients use. Read when
//! somebody asks.

use std::fmt;
use std::fs;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use rustix::process::{Resource, getrlimit};

/// `USER_HZ`: what the kernel's figures for programs are in, on all machines of today.
const TICKS: f64 = 100.0;

/// Reads `/proc/self`.
#[derive(Debug)]
pub(super) struct Process;

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        if let Some(ticks) = cpu_ticks(&stat) {
            let counter = ConstCounter::new(ticks / TICKS);
            let help = "Time spent on a processor";
            let name = "process_cpu_seconds";
            counter.encode(encoder.encode_descriptor(
                name,
                help,
                None,
                counter.metric_type(),
            )?)?;
        }
        for (name, help, value) in gauges(&stat) {
            if let Some(value) = value {
                let gauge = ConstGauge::new(value);
                gauge.encode(encoder.encode_descriptor(
                    name,
                    help,
                    None,
                    gauge.metric_type(),
                )?)?;
            }
        }
        Ok(())
    }
}

type Told = (&'static str, &'static str, Option<f64>);

fn gauges(stat: &str) -> [Told; 5] {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let boot = fs::read_to_string("/proc/stat").unwrap_or_default();
    let descriptors = fs::read_dir("/proc/self/fd").ok().map(Iterator::count);
    let limit = getrlimit(Resource::Nofile).current;
    let started = boot_time(&boot).zip(field(stat, 22));
    [
        ("process_resident_memory_bytes", "Memory in use", bytes(&status, "VmRSS:")),
        ("process_virtual_memory_bytes", "Memory mapped", bytes(&status, "VmSize:")),
        ("process_open_fds", "Open files and sockets", descriptors.map(|count| count as f64)),
        ("process_max_fds", "Files and sockets that may be open", limit.map(|limit| limit as f64)),
        (
            "process_start_time_seconds",
            "Start of the process, in seconds since 1970",
            started.map(|(boot, ticks)| boot + ticks / TICKS),
        ),
    ]
}

/// A field of proc_pid_stat(5) by its number. The second is a name in brackets, with whatever in it.
fn field(stat: &str, number: usize) -> Option<f64> {
    let (_, after) = stat.rsplit_once(") ")?;
    after.split(' ').nth(number.checked_sub(3)?)?.trim().parse().ok()
}

fn cpu_ticks(stat: &str) -> Option<f64> {
    Some(field(stat, 14)? + field(stat, 15)?)
}

fn boot_time(stat: &str) -> Option<f64> {
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

fn bytes(status: &str, name: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_counted_after_the_name_whatever_that_is() {
        let stat = "7 (a b) c) S 1 7 7 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 3 0 1234 9 9";

        assert_eq!((cpu_ticks(stat), field(stat, 22)), (Some(300.0), Some(1234.0)));
        assert_eq!((cpu_ticks(""), cpu_ticks("7 (x) S 1")), (None, None));
        assert_eq!(bytes("VmRSS:\t  12 kB\n", "VmRSS:"), Some(12288.0));
    }
}
