//! What the kernel and etcd count: time and memory of a process, writes to a store.

use serde::Serialize;

/// Ticks of a second in `/proc`, on all architectures that systemd runs on.
const TICKS: f64 = 100.0;

/// Counters of etcd that grow with every write; a release has some of them.
const WRITES: [&str; 6] = [
    "etcd_debugging_mvcc_put_total",
    "etcd_debugging_mvcc_delete_total",
    "etcd_debugging_mvcc_txn_total",
    "etcd_mvcc_put_total",
    "etcd_mvcc_delete_total",
    "etcd_mvcc_txn_total",
];

/// Memory of a process, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Memory {
    /// All that is resident: its program and libraries too.
    pub(crate) resident: u64,
    /// What is its own and comes from no file.
    pub(crate) anonymous: u64,
}

/// Seconds that a process has computed, of its `/proc/PID/stat`.
pub(crate) fn cpu_seconds(stat: &str) -> Option<f64> {
    // The name of the program may contain anything, so the fields are counted from behind it.
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(11).map(str::parse::<u32>);
    let (user, system) = (fields.next()?.ok()?, fields.next()?.ok()?);
    Some((f64::from(user) + f64::from(system)) / TICKS)
}

/// Memory of a process, of its `/proc/PID/status`.
pub(crate) fn memory(status: &str) -> Option<Memory> {
    let bytes = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
        let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
        kibibytes.checked_mul(1024)
    };
    Some(Memory { resident: bytes("VmRSS")?, anonymous: bytes("RssAnon")? })
}

/// Writes that etcd has counted, of its `/metrics`; `None` if it counts none that we know.
pub(crate) fn writes(metrics: &str) -> Option<f64> {
    let counters: Vec<f64> = metrics
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter(|(name, _)| WRITES.contains(name))
        .filter_map(|(_, count)| count.trim().parse().ok())
        .collect();
    if counters.is_empty() { None } else { Some(counters.iter().sum()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_cannot_hide_its_time_behind_its_name() {
        let stat = "4711 (fleet) 9 (d) S 1 4711 4711 0 -1 4194560 9 8 7 6 150 25 3 4 20 0 9 0 77";

        assert_eq!(cpu_seconds(stat), Some(1.75));
        assert_eq!(cpu_seconds("4711 (fleetd) S 1"), None);
    }

    #[test]
    fn memory_is_told_in_bytes() {
        let status =
            "Name:\tfleetd\nVmRSS:\t   11264 kB\nRssAnon:\t    3072 kB\nRssFile:\t 8192 kB\n";

        let expected = Memory { resident: 11_534_336, anonymous: 3_145_728 };
        assert_eq!(memory(status), Some(expected));
        assert_eq!(memory("Name:\tzombie\n"), None);
    }

    #[test]
    fn puts_deletes_and_transactions_are_writes() {
        let metrics = "# TYPE etcd_debugging_mvcc_put_total counter\n\
                       etcd_debugging_mvcc_put_total 12\n\
                       etcd_debugging_mvcc_delete_total 3\n\
                       etcd_debugging_mvcc_txn_total 1.5e+01\n\
                       etcd_debugging_mvcc_range_total 900\n";

        assert_eq!(writes(metrics), Some(30.0));
        assert_eq!(writes("go_goroutines 80\n"), None);
    }
}
