//! fleet on the hosts, put there as a package would put it.

use std::fs;
use std::path::Path;

use crate::cluster::{Cluster, each};
use crate::command::{self, command};
use crate::error::Error;
use crate::host::Host;
use crate::{file, layer, lists, source, user_data, wait};

/// The programs that hosts run, each of a package of the same name.
pub(crate) const PROGRAMS: [&str; 3] = ["fleetd", "fleetctl", "cloud-config"];

/// Where hosts see the machine's directory of programs.
pub(crate) const PROGRAMS_ON_HOST: &str = "/usr/lib/fleet";

/// Settings of fleetd that tests add to those of the user data.
pub(crate) const SETTINGS: &str = "/etc/fleet/fleet.conf";

/// Where units of packages are.
const UNITS: &str = "usr/lib/systemd/system";

/// The units that a package enables, by the targets that want them. fleet is none of them: that a
/// host runs it, its user data say.
const ENABLED: [(&str, &str); 2] = [
    ("sysinit.target", "cloud-config-early.service"),
    ("multi-user.target", "cloud-config.service"),
];

/// A user of the hosts may use the socket.
const MEMBER: &str = "m core fleet\n";

/// Brings programs of `binaries` to where hosts see them; tells whether there are new ones.
///
/// # Errors
///
/// A file cannot be copied.
pub(crate) fn bring(cluster: &Cluster, binaries: &Path) -> Result<bool, Error> {
    let programs = cluster.programs();
    file::make_dir(&programs)?;
    let mut is_new = false;
    for program in PROGRAMS {
        is_new |= update(&binaries.join(program), &programs.join(program))?;
    }
    Ok(is_new)
}

/// Installs fleet and cloud-config on a host that is off.
///
/// # Errors
///
/// A file cannot be written, or the group of the socket cannot be made.
pub(crate) fn furnish(upper: &Path) -> Result<(), Error> {
    for program in PROGRAMS {
        let target = format!("{PROGRAMS_ON_HOST}/{program}");
        file::link(&target, &upper.join("usr/bin").join(program))?;
    }
    for (path, contents) in packaged_files()? {
        file::write(&upper.join(path), contents)?;
    }
    for (target, unit) in ENABLED {
        let wanted = format!("etc/systemd/system/{target}.wants/{unit}");
        file::link(&format!("/{UNITS}/{unit}"), &upper.join(wanted))?;
    }
    file::make_dir(&upper.join("etc/fleet"))?;
    file::write(&upper.join("etc/sysusers.d/testbed.conf"), MEMBER)?;
    for accounts in ["passwd", "group", "shadow", "gshadow"] {
        let (from, to) = (format!("/etc/{accounts}"), upper.join("etc").join(accounts));
        command::read(command(["cp", "--preserve=all"]).arg(layer::program(&from)).arg(to))?;
    }
    let root = format!("--root={}", upper.display());
    command::read(&mut command(["systemd-sysusers", &root, "fleet.conf", "testbed.conf"]))?;
    Ok(())
}

/// Brings new files to hosts that ran before, and new programs into use there.
///
/// # Errors
///
/// A file cannot be written, or fleetd does not start.
pub(crate) fn refresh(cluster: &Cluster, ran: &[Host], new_programs: bool) -> Result<(), Error> {
    let files = packaged_files()?;
    each(ran, |host| {
        let mut changed = new_programs;
        for (path, contents) in &files {
            changed |= write_if_changed(host, &format!("/{path}"), contents)?;
        }
        let restart =
            if changed { "systemctl daemon-reload; systemctl try-restart fleet; " } else { "" };
        let start = if user_data::is_foreign(cluster) { "" } else { "systemctl start fleet" };
        host.read(["sh", "-c", &format!("{restart}{start}")]).map(drop)
    })
}

/// Returns once every host is a machine of the cluster.
///
/// # Errors
///
/// One of them is not within a minute.
pub(crate) fn wait_until_joined(cluster: &Cluster) -> Result<(), Error> {
    let (host, expected) = (cluster.host(1)?, cluster.hosts().len());
    wait::attempt(wait::PATIENCE, "all machines to join", || {
        let list = host.read(["fleetctl", "list-machines", "--no-legend", "--fields=machine"]);
        let list = list.map_err(|error| error.to_string())?;
        let found = list.lines().count();
        if found == expected { Ok(()) } else { Err(format!("{found} of {expected} machines")) }
    })?;
    Ok(())
}

/// Removes settings that a test has added on a host, and restarts fleetd if there were any.
pub(crate) fn restore_settings(host: &Host) -> Result<(), Error> {
    if host.output(["test", "-e", SETTINGS], b"")?.status.success() {
        host.read(["rm", SETTINGS])?;
        host.read(["systemctl", "try-restart", "fleet.service"])?;
    }
    Ok(())
}

/// Copies a program if it is another than before. Renaming leaves the one that runs untouched.
fn update(from: &Path, to: &Path) -> Result<bool, Error> {
    if is_same(from, to) {
        return Ok(false);
    }
    let new = to.with_extension("new");
    command::read(command(["cp", "--preserve=timestamps"]).arg(from).arg(&new))?;
    fs::rename(&new, to).map_err(file::at("replace", to))?;
    Ok(true)
}

fn is_same(from: &Path, to: &Path) -> bool {
    let stamp = |path: &Path| {
        let found = fs::metadata(path).ok()?;
        Some((found.len(), found.modified().ok()?))
    };
    stamp(to).is_some_and(|old| stamp(from) == Some(old))
}

/// Path on a host, without its first slash, and contents.
fn packaged_files() -> Result<Vec<(String, String)>, Error> {
    lists::files()
        .map(|(path, directory)| {
            let from = source::root().join(path);
            let text = fs::read_to_string(&from).map_err(file::at("read", &from))?;
            let name = path.rsplit('/').next().unwrap_or(path);
            Ok((format!("{}/{name}", directory.trim_start_matches('/')), text))
        })
        .collect()
}

fn write_if_changed(host: &Host, path: &str, contents: &str) -> Result<bool, Error> {
    let found = host.output(["cat", path], b"")?;
    if found.status.success() && found.stdout == contents.as_bytes() {
        return Ok(false);
    }
    host.write(path, contents.as_bytes())?;
    Ok(true)
}
