//! Debian packages that the machine itself needs: to build and test fleet and to boot hosts. No
//! daemon starts while they are installed.

use std::fs;
use std::path::Path;

use crate::command::{self, CommandError, command};
use crate::error::Error;
use crate::file;
use crate::ui;

const POLICY: &str = "/usr/sbin/policy-rc.d";
const POLICY_ASIDE: &str = "/usr/sbin/policy-rc.d.before-fleet-testbed";

/// Marks the file as ours, so that what a crash left behind is recognised.
const REFUSAL: &str = "#!/bin/sh\n# Written by fleet's testbed.\nexit 101\n";

/// A program that has to be there, and the package that brings it.
const NEEDED: [(&str, &str); 6] = [
    ("/usr/bin/protoc", "protobuf-compiler"),
    ("/usr/include/google/protobuf/empty.proto", "libprotobuf-dev"),
    ("/usr/bin/systemd-nspawn", "systemd-container"),
    ("/usr/sbin/ip", "iproute2"),
    ("/usr/share/doc/python3-venv", "python3-venv"),
    ("/usr/bin/nsenter", "util-linux"),
];

/// Shells that complete fleetctl's words, and programs that judge man pages and the Vagrantfile.
const NEEDED_BY_TESTS: [(&str, &str); 5] = [
    ("/usr/bin/zsh", "zsh"),
    ("/usr/bin/fish", "fish"),
    ("/usr/bin/groff", "groff-base"),
    ("/usr/bin/mandoc", "mandoc"),
    ("/usr/bin/vagrant", "vagrant"),
];

/// Packages that are missing on this machine, those that only tests need if they are to run.
fn missing(for_tests: bool) -> Vec<&'static str> {
    // Before the merge of /usr, `ip` was in /sbin.
    let is_there = |path: &str| {
        Path::new(path).exists() || Path::new(path.trim_start_matches("/usr")).exists()
    };
    let needed_by_tests = NEEDED_BY_TESTS.iter().filter(|_| for_tests);
    let needed = NEEDED.iter().chain(needed_by_tests);
    needed.filter(|(path, _)| !is_there(path)).map(|(_, package)| *package).collect()
}

/// Installs what is missing, and what only tests need if they are to run.
///
/// # Errors
///
/// apt fails, or there is none.
pub(crate) fn install(for_tests: bool) -> Result<(), Error> {
    restore_policy()?;
    let missing = missing(for_tests);
    if missing.is_empty() {
        return Ok(());
    }
    if !Path::new("/usr/bin/apt-get").exists() {
        return Err(Error::NoApt { packages: missing.join(" ") });
    }
    ui::say(format_args!("Installing on this machine: {}", missing.join(" ")));
    refuse_starts()?;
    let installed = apt(&missing).or_else(|_| {
        command::read(&mut command(["apt-get", "-q", "update"]))?;
        apt(&missing)
    });
    restore_policy()?;
    Ok(installed?)
}

fn apt(packages: &[&str]) -> Result<(), CommandError> {
    let pinned: Vec<_> = packages.iter().map(|package| at_systemd_version(package)).collect();
    let line = ["apt-get", "-qy", "--no-install-recommends", "install"];
    let line = line.into_iter().chain(pinned.iter().map(String::as_str));
    command::read(command(line).env("DEBIAN_FRONTEND", "noninteractive"))?;
    Ok(())
}

/// Names the version that goes with the installed systemd: a newer one would upgrade and restart
/// systemd on the machine.
fn at_systemd_version(package: &str) -> String {
    if package != "systemd-container" {
        return package.to_owned();
    }
    let installed =
        command::read(&mut command(["dpkg-query", "-f", "${Version}", "-W", "systemd"]));
    let Ok(version) = installed else { return package.to_owned() };
    let pinned = format!("{package}={version}");
    let found = command::read(&mut command(["apt-cache", "show", &pinned]));
    if found.is_ok_and(|text| !text.is_empty()) { pinned } else { package.to_owned() }
}

fn refuse_starts() -> Result<(), Error> {
    let policy = Path::new(POLICY);
    if policy.exists() {
        fs::rename(policy, POLICY_ASIDE).map_err(file::at("move aside", policy))?;
    }
    file::write(policy, REFUSAL)?;
    Ok(file::set_mode(policy, 0o755)?)
}

/// Puts back what was there, also what a crash left.
pub(crate) fn restore_policy() -> Result<(), Error> {
    let policy = Path::new(POLICY);
    if file::read(policy)?.as_deref() == Some(REFUSAL) {
        file::remove(policy)?;
    }
    let aside = Path::new(POLICY_ASIDE);
    if aside.exists() {
        fs::rename(aside, policy).map_err(file::at("move back", policy))?;
    }
    Ok(())
}
