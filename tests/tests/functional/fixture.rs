//! A clean cluster for each test, and the words in which tests speak of it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::process::Output;
use std::time::Duration;

use fleet_tests::wait::until;
use fleet_tests::{Cluster, Host};
use serde::Deserialize;

pub(crate) use fleet_tests::wait::PATIENCE;

/// `agent_ttl` of the testbed's fleetd.
pub(crate) const TTL: Duration = Duration::from_secs(5);

/// `agent_ttl` of the host that is alone, on which nothing is configured.
pub(crate) const TTL_OF_ALONE: Duration = Duration::from_secs(30);

/// What 1.0 says, and what old tools look for.
pub(crate) const PHRASE: &str = "fleet server unable to communicate with etcd";

/// Who starts without waiting for this one's end is seen to be too early.
pub(crate) const SLOW_TO_STOP: &str =
    "[Service]\nExecStart=/bin/sleep infinity\nExecStop=/bin/sleep 0.5\n";

/// Where tests put unit files on host 1.
const UNITS: &str = "/root/units";

/// A line of `list-units --json`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(crate) struct UnitRow {
    pub(crate) unit: String,
    pub(crate) machine: String,
    pub(crate) load: String,
    pub(crate) active: String,
    pub(crate) sub: String,
}

/// A cluster whose first hosts run fleet and hold no unit.
pub(crate) struct Fleet {
    cluster: Cluster,
    members: u8,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Finished {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Finished {
    /// The command ended well.
    #[track_caller]
    pub(crate) fn good(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }
}

impl Fleet {
    /// Brings the cluster to its clean state: the first `members` hosts run fleet, nothing else.
    pub(crate) fn of(members: u8) -> Self {
        let fleet = Self { cluster: Cluster::of_tests().unwrap(), members };
        fleet.clean();
        fleet
    }

    /// Brings the host that is alone to its clean state: fleet with nothing configured, no unit.
    pub(crate) fn alone() -> Self {
        let fleet = Self { cluster: Cluster::of_tests_alone().unwrap(), members: 1 };
        fleet.clean();
        fleet
    }

    fn clean(&self) {
        self.cluster.restore().unwrap();
        for host in self.cluster.hosts() {
            let wanted = if host.number() <= self.members { "start" } else { "stop" };
            host.read(["systemctl", wanted, "fleet.socket", "fleet.service"]).unwrap();
        }
        self.cluster.forget_others(self.members).unwrap();
        self.await_machines(usize::from(self.members));
        until(PATIENCE, "no unit is left", || {
            // The store may be electing a leader after what the last test has done to it.
            let listed = self.fleetctl(&["list-unit-files", "--no-legend", "--fields=unit"]);
            if listed.code != 0 {
                return Err(listed.stderr);
            }
            let names: Vec<&str> = listed.stdout.split_whitespace().collect();
            if names.is_empty() && self.units().is_empty() {
                return Ok(());
            }
            self.fleetctl(&[&["destroy"], names.as_slice()].concat());
            Err(format!("{names:?}"))
        });
        self.cluster.remove_strays().unwrap();
        let script = "rm -rf /root/units";
        self.host(1).read(["sh", "-c", script]).unwrap();
    }

    /// A host by its number.
    pub(crate) fn host(&self, number: u8) -> Host {
        self.cluster.host(number).unwrap()
    }

    /// The hosts that run fleet at the start of the test.
    pub(crate) fn hosts(&self) -> Vec<Host> {
        (1..=self.members).map(|number| self.host(number)).collect()
    }

    /// The host with that machine-id.
    #[track_caller]
    pub(crate) fn host_of(&self, machine: &str) -> Host {
        let mut hosts = self.cluster.hosts().into_iter();
        let found = hosts.find(|host| host.machine_id().unwrap() == machine);
        found.unwrap_or_else(|| panic!("no host has machine-id {machine}"))
    }

    /// Powers a host on and waits until it is up.
    pub(crate) fn boot(&self, host: &Host) {
        host.bring_up().unwrap();
    }

    /// Adds a line to the `fleet.conf` of a host, for as long as the test lasts, and restarts fleetd
    /// there.
    pub(crate) fn configure(&self, host: &Host, line: &str) {
        let script = "echo \"$1\" >>/etc/fleet/fleet.conf && systemctl restart fleet.service";
        host.read(["sh", "-c", script, "sh", line]).unwrap();
    }

    /// Gives each machine the metadata `hostname=`, with the host's name.
    pub(crate) fn tell_hostnames(&self) {
        for host in self.hosts() {
            self.configure(&host, &format!("metadata=\"hostname={}\"", host.name()));
        }
        until(PATIENCE, "each machine tells its hostname", || {
            let arguments = ["list-machines", "--no-legend", "--fields=metadata"];
            let printed = self.fleetctl(&arguments).stdout;
            let count = printed.lines().filter(|line| line.contains("hostname=")).count();
            if count == usize::from(self.members) { Ok(()) } else { Err(printed) }
        });
    }

    /// Writes a unit file on host 1 and returns its path.
    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        let path = format!("{UNITS}/{name}");
        self.host(1).write(&path, text.as_bytes()).unwrap();
        path
    }

    /// Runs `fleetctl` on host 1.
    pub(crate) fn fleetctl(&self, arguments: &[&str]) -> Finished {
        self.fleetctl_on(&self.host(1), arguments)
    }

    /// Runs `fleetctl` on a host, in the directory of the unit files.
    #[expect(clippy::unused_self, reason = "reads as what the fleet answers")]
    pub(crate) fn fleetctl_on(&self, host: &Host, arguments: &[&str]) -> Finished {
        let line = [&["fleetctl"], arguments].concat();
        host.output(line, b"").unwrap().into()
    }

    /// The units with their states, sorted by unit and machine.
    pub(crate) fn units(&self) -> Vec<UnitRow> {
        self.units_from(&self.host(1))
    }

    /// The same, asked of a host of choice.
    pub(crate) fn units_from(&self, host: &Host) -> Vec<UnitRow> {
        // The store may be electing a leader after what the test has just done to it.
        until(PATIENCE, "list-units answers", || {
            let printed = self.fleetctl_on(host, &["list-units", "--json"]);
            serde_json::from_str(&printed.stdout).map_err(|error| format!("{error}: {printed:?}"))
        })
    }

    /// Names of all units that the cluster knows.
    pub(crate) fn unit_files(&self) -> Vec<String> {
        let printed = self.fleetctl(&["list-unit-files", "--no-legend", "--fields=unit"]).good();
        printed.stdout.lines().map(|line| line.trim().to_owned()).collect()
    }

    /// Machine-ids of the machines that are present.
    pub(crate) fn machines_from(&self, host: &Host) -> Vec<String> {
        let arguments = ["list-machines", "--no-legend", "--full", "--fields=machine"];
        let printed = self.fleetctl_on(host, &arguments);
        printed.stdout.lines().map(|line| line.trim().to_owned()).collect()
    }

    /// Waits until so many machines are present.
    pub(crate) fn await_machines(&self, count: usize) {
        until(PATIENCE, format!("{count} machines are present"), || {
            let machines = self.machines_from(&self.host(1));
            if machines.len() == count { Ok(()) } else { Err(format!("{machines:?}")) }
        });
    }

    /// Waits until `count` units are active, and tells where each of them is.
    #[track_caller]
    pub(crate) fn await_active(&self, count: usize) -> BTreeMap<String, String> {
        self.await_active_from(&self.host(1), count)
    }

    /// The same, asked of a host of choice.
    #[track_caller]
    pub(crate) fn await_active_from(&self, host: &Host, count: usize) -> BTreeMap<String, String> {
        until(PATIENCE, format!("{count} units are active"), || {
            let units = self.units_from(host);
            let places = places(&units);
            if places.len() == count { Ok(places) } else { Err(format!("{units:?}")) }
        })
    }

    /// The machines on which a unit is active.
    pub(crate) fn machines_of(&self, unit: &str) -> BTreeSet<String> {
        let rows = self.units().into_iter();
        let active = rows.filter(|row| row.unit == unit && row.active == "active");
        active.map(|row| row.machine).collect()
    }

    /// Waits until a unit is active on each machine.
    #[track_caller]
    pub(crate) fn await_everywhere(&self, unit: &str) {
        let ids = self.hosts().into_iter().map(|host| host.machine_id().unwrap());
        let all: BTreeSet<String> = ids.collect();
        until(PATIENCE, format!("{unit} runs everywhere"), || {
            let found = self.machines_of(unit);
            if found == all { Ok(()) } else { Err(format!("{found:?}")) }
        });
    }

    /// Main process of each unit, asked of the machine that it is on.
    pub(crate) fn processes(&self, places: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let process = |(unit, machine): (&String, &String)| {
            (unit.clone(), Systemd(self.host_of(machine)).main_pid(unit))
        };
        places.iter().map(process).collect()
    }

    /// Waits until that unit is active on another machine than `from`; tells which.
    #[track_caller]
    pub(crate) fn await_moved(&self, asked: &Host, unit: &str, from: &str) -> String {
        until(PATIENCE, format!("{unit} is active elsewhere than on {from}"), || {
            let units = self.units_from(asked);
            let place = places(&units).remove(unit);
            place.filter(|machine| machine != from).ok_or_else(|| format!("{units:?}"))
        })
    }
}

/// Unit to machine, for those that are active.
pub(crate) fn places(units: &[UnitRow]) -> BTreeMap<String, String> {
    let active = units.iter().filter(|unit| unit.active == "active");
    active.map(|unit| (unit.unit.clone(), unit.machine.clone())).collect()
}

impl Drop for Fleet {
    /// Keeps what the hosts have to say about a failure.
    #[expect(clippy::print_stderr, reason = "the test runner shows it with the failure")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            let test = std::thread::current().name().unwrap_or("test").to_owned();
            match self.cluster.save_journals(&test) {
                Ok(directory) => eprintln!("journals of all hosts: {}", directory.display()),
                Err(error) => eprintln!("the journals could not be saved: {error}"),
            }
        }
    }
}

/// A script that makes a host what it was, also after a failure.
pub(crate) struct Undo {
    host: Host,
    script: String,
}

impl Undo {
    /// The script runs when this is dropped.
    pub(crate) fn new(host: &Host, script: impl Into<String>) -> Self {
        Self { host: host.clone(), script: script.into() }
    }
}

impl Drop for Undo {
    /// A test may have failed because the host did.
    #[expect(clippy::print_stderr, reason = "the test runner shows it with the failure")]
    fn drop(&mut self) {
        let script = ["sh", "-c", &self.script];
        let undone = self.host.bring_up().and_then(|()| self.host.read(script));
        match undone {
            // A second panic would end all tests, and with them what the first one has to say.
            Err(error) if std::thread::panicking() => eprintln!("{error}"),
            undone => drop(undone.unwrap()),
        }
    }
}

/// A host of which a test speaks in systemd's terms.
pub(crate) struct Systemd(pub(crate) Host);

impl Deref for Systemd {
    type Target = Host;

    fn deref(&self) -> &Host {
        &self.0
    }
}

impl Systemd {
    /// One property of a unit, in systemd's words.
    pub(crate) fn show(&self, unit: &str, property: &str) -> String {
        let property = format!("--property={property}");
        self.read(["systemctl", "show", "--value", &property, unit]).unwrap().trim().to_owned()
    }

    /// Main process of a unit; 0 if there is none.
    pub(crate) fn main_pid(&self, unit: &str) -> String {
        self.show(unit, "MainPID")
    }

    /// Where the journal ends, as an argument for [`Self::jobs_since`].
    pub(crate) fn journal_cursor(&self) -> String {
        self.sync_journal();
        let line = ["journalctl", "--lines=1", "--output=cat", "--show-cursor"];
        let shown = self.read(line).unwrap();
        let cursor = shown.lines().find_map(|line| line.strip_prefix("-- cursor: "));
        format!("--after-cursor={}", cursor.unwrap())
    }

    /// What has happened may be on its way into the journal still.
    pub(crate) fn sync_journal(&self) {
        self.read(["journalctl", "--sync"]).unwrap();
    }

    /// What systemd has said of jobs since, such as `Stopping hello.service`.
    pub(crate) fn jobs_since(&self, cursor: &str) -> Vec<String> {
        let job = |(_, message): &(f64, String)| {
            let mut words = message.split_whitespace();
            let verb =
                words.next().filter(|verb| ["Started", "Stopping", "Stopped"].contains(verb))?;
            let unit = words.next()?.trim_end_matches('.');
            Some(format!("{verb} {unit}"))
        };
        self.said_by_systemd(cursor).iter().filter_map(job).collect()
    }

    /// What systemd has written into the journal since, and when in seconds since 1970.
    pub(crate) fn said_by_systemd(&self, cursor: &str) -> Vec<(f64, String)> {
        self.sync_journal();
        // Not filtered by journalctl, which of systemd 252 skips the first match after a cursor.
        let journal = self.read(["journalctl", "--output=short-unix", cursor]).unwrap();
        let said = |line: &str| {
            let (origin, message) = line.split_once(" systemd[1]: ")?;
            let (time, _host) = origin.split_once(' ')?;
            Some((time.parse().ok()?, message.to_owned()))
        };
        journal.lines().filter_map(said).collect()
    }

    /// Whether systemd shows the unit active.
    pub(crate) fn is_active(&self, unit: &str) -> bool {
        self.show(unit, "ActiveState") == "active"
    }
}

/// A service that runs until it is stopped, with these lines in `[X-Fleet]`.
pub(crate) fn sleeper(directives: &str) -> String {
    format!("[Service]\nExecStart=/bin/sleep infinity\n\n[X-Fleet]\n{directives}\n")
}

/// Names as the arguments that they become.
pub(crate) fn strings(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}
