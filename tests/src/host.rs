//! One host: its files, its power switch, and programs that run on it.
//!
//! A host is a container of systemd-nspawn whose root is an overlay. The overlay is mounted in a
//! mount namespace that only the host has: however it ends, no mount is left on the machine.

use std::ffi::OsStr;
use std::fs::File;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use crate::command::{self, CommandError, command};
use crate::error::Error;
use crate::fleet::PROGRAMS_ON_HOST;
use crate::network::{BRIDGE, Network};
use crate::{cgroup, file, layer, process, wait};

/// Long enough for a machine that boots several hosts while it compiles.
const BOOT: Duration = Duration::from_secs(90);

/// Whatever a program does on a host for a test, it does in less.
const LIMIT: Duration = Duration::from_secs(300);

/// systemd that takes longer to say how it is has not booted.
const ANSWER: Duration = Duration::from_secs(10);

/// A process that becomes another program has no command line for a moment, and its host seems off.
const OFF_FOR_GOOD: u32 = 5;

/// Enters the cgroups named up to `--`, mounts layer and root, and becomes the rest.
const POWER_ON: &str = r#"
set -eu
layer=$1 layer_root=$2 options=$3 root=$4; shift 4
while [ "$1" != -- ]; do
    mkdir -p "${1%/*}"
    echo $$ >"$1"
    shift
done
shift
mount -t overlay overlay -o "$layer" "$layer_root"
mount -t overlay overlay -o "$options" "$root"
exec "$@"
"#;

/// What a host is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Power {
    /// Powered off.
    Off,
    /// Powered on but not yet, or no longer, able to run programs.
    Booting,
    /// Up, in systemd's word for it: `running`, `starting`, `degraded`.
    On(String),
}

/// One host of a cluster.
#[derive(Debug, Clone)]
pub struct Host {
    cluster: String,
    number: u8,
    name: String,
    directory: PathBuf,
    programs: PathBuf,
    network: Network,
    limit: Duration,
}

impl Host {
    pub(crate) fn new(cluster: &crate::cluster::Cluster, number: u8) -> Self {
        Self {
            cluster: cluster.name().to_owned(),
            number,
            name: format!("{}{number}", cluster.name()),
            directory: cluster.directory().join(number.to_string()),
            programs: cluster.programs(),
            network: cluster.network().clone(),
            limit: LIMIT,
        }
    }

    /// The same host, with so much time for each program.
    pub(crate) fn with_limit(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// Its number, from 1.
    pub fn number(&self) -> u8 {
        self.number
    }

    /// Its hostname.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its address.
    pub fn address(&self) -> Ipv4Addr {
        self.network.host(self.number)
    }

    /// Its machine-id, as systemd writes it: 32 digits.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    pub fn machine_id(&self) -> Result<String, Error> {
        let id = file::read(&self.upper().join("etc/machine-id"))?;
        Ok(id.unwrap_or_default().trim().to_owned())
    }

    /// The directory of the host's own changes; while it runs it must be left alone.
    pub(crate) fn upper(&self) -> PathBuf {
        self.directory.join("upper")
    }

    /// Whether it has been made.
    pub(crate) fn exists(&self) -> bool {
        self.upper().join("etc/machine-id").exists()
    }

    /// The end of what it printed while booting.
    pub(crate) fn console(&self) -> String {
        let console = file::read(&self.directory.join("console.log")).ok().flatten();
        let console = console.unwrap_or_default();
        let lines: Vec<_> = console.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }

    /// Powers it on; returns before it is up.
    ///
    /// # Errors
    ///
    /// Its root cannot be mounted, or the machine refuses a container.
    pub fn power_on(&self) -> Result<(), Error> {
        self.network.forget(&self.name);
        for part in ["upper", "work", "layer-work", "root", "containers"] {
            file::make_dir(&self.directory.join(part))?;
        }
        let log = self.directory.join("console.log");
        let console = File::create(&log).map_err(file::at("create", &log))?;
        let errors = console.try_clone().map_err(file::at("open", &log))?;
        // A parent that ends at once leaves the host to the machine's init.
        let mut line = command(["setsid", "--fork", "unshare", "--mount", "--propagation"]);
        line.args(["slave", "sh", "-c", POWER_ON, "sh"]);
        let lower = layer::root();
        line.arg(layer::root_options(&self.directory.join("layer-work"))).arg(&lower);
        line.arg(layer::options(&lower.display().to_string(), &self.directory)).arg(self.root());
        line.args(cgroup::entrances(&self.name).iter().map(|path| path.join("cgroup.procs")));
        line.arg("--");
        let nspawn = self.nspawn();
        line.arg(nspawn.get_program()).args(nspawn.get_args());
        // Containers on the host need a cgroup v2 tree, whatever the machine has.
        line.env("SYSTEMD_NSPAWN_UNIFIED_HIERARCHY", "1");
        // A lock would stay behind after a power cut; the testbed has its own.
        line.env("SYSTEMD_NSPAWN_LOCK", "0");
        command::show(line.stdin(Stdio::null()).stdout(console).stderr(errors))?;
        Ok(())
    }

    /// Returns once systemd on it says that it is up, in systemd's word: `running`, or `degraded`
    /// if a service has failed.
    ///
    /// # Errors
    ///
    /// It ended, or time is up.
    pub fn wait_until_up(&self) -> Result<String, Error> {
        let mut seen_on = false;
        let mut seen_off = 0;
        let booted = wait::attempt(BOOT, format_args!("host {}", self.number), || {
            let power = self.power();
            seen_on |= power != Power::Off;
            seen_off = if power == Power::Off { seen_off + 1 } else { 0 };
            match power {
                Power::On(state) if state == "running" || state == "degraded" => Ok(Some(state)),
                Power::Off if seen_on && seen_off >= OFF_FOR_GOOD => Ok(None),
                power => Err(format!("{power:?}")),
            }
        });
        match booted {
            Ok(Some(state)) => Ok(state),
            Ok(None) => Err(self.boot_error("it switched itself off".to_owned())),
            Err(timed_out) => Err(self.boot_error(timed_out.to_string())),
        }
    }

    /// As [`Self::wait_until_up`], for a host on which nothing runs yet that might fail.
    pub(crate) fn wait_until_running(&self) -> Result<(), Error> {
        if self.wait_until_up()? == "running" {
            return Ok(());
        }
        let script = "systemctl list-units --failed --plain --no-legend; \
                      journalctl --boot --priority=err --output=cat --lines=20 --no-pager";
        let failed = self.read(["sh", "-c", script]).unwrap_or_else(|error| error.to_string());
        Err(self.boot_error(format!("failed units: {}", failed.trim())))
    }

    /// Powers it on and heals its link, if need be, and returns once it is up.
    ///
    /// # Errors
    ///
    /// It does not come up.
    pub fn bring_up(&self) -> Result<(), Error> {
        match self.power() {
            Power::Off => self.power_on()?,
            Power::Booting => {}
            Power::On(_) => self.connect(true)?,
        }
        self.wait_until_up().map(drop)
    }

    /// Powers it off without warning, as a power cut does.
    ///
    /// # Errors
    ///
    /// A process of it hangs in the kernel.
    pub fn power_off(&self) -> Result<(), Error> {
        let supervisors = self.supervisors();
        let mut processes = supervisors.clone();
        processes.extend(supervisors.iter().filter_map(|pid| process::leader_under(*pid)));
        process::kill(&processes)?;
        cgroup::remove(&self.name);
        Ok(())
    }

    /// Cuts its link (`false`) or heals it.
    ///
    /// # Errors
    ///
    /// The host is off, and so has no link.
    pub fn connect(&self, connected: bool) -> Result<(), Error> {
        self.leader()?;
        self.network.connect(&self.name, connected)
    }

    /// Whether its link is up.
    ///
    /// # Errors
    ///
    /// The host is off, and so has no link.
    pub fn is_connected(&self) -> Result<bool, Error> {
        self.network.is_connected(&self.name)
    }

    /// What it is doing.
    pub fn power(&self) -> Power {
        if self.supervisors().is_empty() {
            return Power::Off;
        }
        // Fails while systemd on it does not listen yet.
        let answer = self.run(ANSWER, ["systemctl", "is-system-running"], b"");
        let printed = answer.map(|(_, output)| output.stdout).unwrap_or_default();
        match String::from_utf8_lossy(&printed).trim() {
            "" | "unknown" | "offline" => Power::Booting,
            state => Power::On(state.to_owned()),
        }
    }

    /// A program on the host, as root with a clean environment.
    ///
    /// # Errors
    ///
    /// The host is off.
    pub fn command<S: AsRef<OsStr>>(
        &self,
        line: impl IntoIterator<Item = S>,
    ) -> Result<Command, Error> {
        let leader = self.leader()?.to_string();
        let mut command = command(["nsenter", "--target", &leader, "--all", "--"]);
        command.args(["/usr/bin/env", "--ignore-environment", "--chdir=/root", "HOME=/root"]);
        command.args(["USER=root", "LOGNAME=root", "SHELL=/bin/bash", "LANG=C.UTF-8"]);
        command.arg("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        let terminal = std::env::var("TERM").unwrap_or_else(|_| "dumb".to_owned());
        command.arg(format!("TERM={terminal}")).args(line);
        Ok(command)
    }

    /// Runs a program on the host to its end; the exit code is for the caller to judge.
    ///
    /// # Errors
    ///
    /// The host is off, or the program does not end.
    pub fn output<S: AsRef<OsStr>>(
        &self,
        line: impl IntoIterator<Item = S>,
        input: &[u8],
    ) -> Result<Output, Error> {
        Ok(self.run(self.limit, line, input)?.1)
    }

    /// Runs a program on the host and returns what it prints.
    ///
    /// # Errors
    ///
    /// The host is off, or the program does not exit with 0.
    pub fn read<S: AsRef<OsStr>>(
        &self,
        line: impl IntoIterator<Item = S>,
    ) -> Result<String, Error> {
        let (command, output) = self.run(self.limit, line, b"")?;
        Ok(command::printed(&command, &output)?)
    }

    /// A program that is ended in time, and what became of it.
    fn run<S: AsRef<OsStr>>(
        &self,
        limit: Duration,
        line: impl IntoIterator<Item = S>,
        input: &[u8],
    ) -> Result<(Command, Output), Error> {
        let seconds = limit.as_secs().to_string();
        let mut command = self.command(["timeout", "--kill-after=5", &seconds])?;
        let output = command::output(command.args(line).stdin(Stdio::null()), input)?;
        // What `timeout` says of a program that it has ended, or had to kill.
        if matches!(output.status.code(), Some(124 | 137)) {
            let printed = [output.stdout, output.stderr].concat();
            let output = String::from_utf8_lossy(&printed).into_owned();
            return Err(CommandError::Late { line: command::line(&command), limit, output }.into());
        }
        Ok((command, output))
    }

    /// Writes a file on the running host, with the directories above it.
    ///
    /// # Errors
    ///
    /// The host is off, or its disk is full.
    pub fn write(&self, path: &str, contents: &[u8]) -> Result<(), Error> {
        let script = "mkdir -p \"${1%/*}\" && cat >\"$1.new\" && mv \"$1.new\" \"$1\"";
        let (line, output) = self.run(self.limit, ["sh", "-c", script, "sh", path], contents)?;
        Ok(command::printed(&line, &output).map(drop)?)
    }

    /// Process id, on the machine, of systemd on the host.
    fn leader(&self) -> Result<i32, Error> {
        let leader = self.supervisors().into_iter().find_map(process::leader_under);
        leader.ok_or_else(|| Error::Off { cluster: self.cluster.clone(), number: self.number })
    }

    fn supervisors(&self) -> Vec<i32> {
        let root = format!("--directory={}", self.root().display());
        process::find(|words| words.contains(&"systemd-nspawn") && words.contains(&root.as_str()))
    }

    fn root(&self) -> PathBuf {
        self.directory.join("root")
    }

    fn boot_error(&self, reason: String) -> Error {
        Error::Boot { number: self.number, reason, console: self.console() }
    }

    fn nspawn(&self) -> Command {
        let mut line = self.network.command(["systemd-nspawn", "--quiet", "--boot"]);
        line.args(["--register=no", "--settings=no", "--resolv-conf=off", "--timezone=off"]);
        line.args(["--link-journal=no", "--console=pipe", "--capability=all"]);
        line.args(["--system-call-filter=@keyring bpf @mount", "--bind=/dev/fuse"]);
        line.arg(format!("--network-bridge={BRIDGE}"));
        line.arg(format!("--machine={}", self.name));
        line.arg(format!("--directory={}", self.root().display()));
        // podman cannot put an overlay of its own on ours.
        let containers = self.directory.join("containers");
        line.arg(format!("--bind={}:/var/lib/containers", containers.display()));
        line.arg(format!("--bind-ro={}:{PROGRAMS_ON_HOST}", self.programs.display()));
        if cgroup::has_systemd() {
            line.arg("--property=Delegate=yes");
        } else {
            line.arg("--keep-unit");
        }
        line
    }
}
