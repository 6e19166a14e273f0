//! `testbed test`: all that must be right before a change lands.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use crate::cluster::ClusterName;
use crate::command;
use crate::error::Error;
use crate::source::cargo;
use crate::{conform, fuzz, layer, privilege, source, ui};

/// The cluster of the functional tests.
pub(crate) const NAME: &str = "test";

/// Tells the functional tests which cluster is theirs.
pub(crate) const CLUSTER: &str = "FLEET_TESTBED_CLUSTER";

/// Tells them which one has a single host with an embedded store.
pub(crate) const ALONE: &str = "FLEET_TESTBED_ALONE";

/// Tells them which one has three hosts that booted from a document of an example.
pub(crate) const DOCUMENTED: &str = "FLEET_TESTBED_DOCUMENTED";

/// That document.
const DOCUMENT: &str = "cloud-config/examples/etcd-fleet-announcer.yml";

/// Hosts of the functional tests: a member may be lost with three left.
pub(crate) const HOSTS: u8 = 4;

/// Names the test program of fleetd's library, part of which needs the systemd of a host.
pub(crate) const CONTRACT: &str = "FLEET_TESTBED_CONTRACT";

/// The test target that runs on hosts, and the feature that it needs.
const FUNCTIONAL: &str = "functional";

/// Builds all unit tests, those that need a real systemd included.
const UNIT_TESTS: [&str; 5] =
    ["test", "--workspace", "--quiet", "--features", "fleetd/real-systemd"];

/// The ones that are left to the hosts.
const ON_HOSTS: [&str; 2] = ["systemd::contract::dbus::", "systemd::dbus::real::"];

/// Checks format and lints, runs unit tests, then the functional tests whose name contains
/// `filter` on a cluster of their own, which is gone afterwards. The exit code is the tests'.
///
/// # Errors
///
/// A step before the functional tests failed.
pub(crate) fn run(cluster: &ClusterName, filter: Option<&str>) -> Result<ExitCode, Error> {
    let (alone, documented) = (&cluster.alone(), &cluster.documented());
    privilege::run_as_root(cluster, ["down"])?;
    privilege::run_as_root(alone, ["down"])?;
    privilege::run_as_root(documented, ["down"])?;
    privilege::run_as_root(cluster, ["install"])?;
    check("formatting", cargo(["fmt", "--all", "--check"]))?;
    let features = "fleet-tests/functional,fleet-tests/hollow,fleetd/real-systemd";
    let lint = ["clippy", "--workspace", "--all-targets", "--quiet", "--features", features];
    check("clippy", cargo(lint.into_iter().chain(["--", "-D", "warnings"])))?;
    check("the unit tests", unit_tests())?;
    fuzz::run(&fuzz::FuzzArgs::default())?;
    conform::run()?;
    let binaries = source::build()?;
    let contract = executable("fleetd", UNIT_TESTS.into_iter().chain(["--lib"]))?;
    let build = ["test", "--quiet", "--package", "fleet-tests", "--features", FUNCTIONAL];
    let tests = executable(FUNCTIONAL, build.into_iter().chain(["--test", FUNCTIONAL]))?;
    ui::say(format_args!("Booting {HOSTS} hosts and a single one for the functional tests"));
    let booted = assemble(cluster, &binaries, format!("--hosts={HOSTS}"))
        .and_then(|()| assemble(alone, &binaries, "--store=embedded".to_owned()))
        .and_then(|()| {
            let document = source::root().join(DOCUMENT);
            assemble(documented, &binaries, format!("--user-data={}", document.display()))
        });
    let status = booted.and_then(|()| {
        let mut line = privilege::as_root(Path::new("/usr/bin/env"))?;
        line.arg(format!("{CLUSTER}={cluster}")).arg(format!("{CONTRACT}={}", contract.display()));
        line.arg(format!("{ALONE}={alone}")).arg(format!("{DOCUMENTED}={documented}"));
        line.arg(tests).arg("--test-threads=1").args(filter);
        line.status().map_err(|source| {
            command::CommandError::Start { line: command::line(&line), source }.into()
        })
    });
    let removed = [cluster, alone, documented].map(|name| privilege::run_as_root(name, ["down"]));
    let passed = status?.success();
    removed.into_iter().collect::<Result<(), _>>()?;
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn check(step: &'static str, mut line: Command) -> Result<(), Error> {
    ui::say(format_args!("Checking {step}"));
    command::show(&mut line).map_err(|_| Error::Check { step })
}

/// The unit tests that need no host. Stores are tested with the etcd of the hosts' layer, as the
/// machine may have none.
fn unit_tests() -> Command {
    let mut line = cargo(UNIT_TESTS);
    line.arg("--").args(ON_HOSTS.into_iter().flat_map(|tests| ["--skip", tests]));
    line.env("FLEET_TEST_ETCD", layer::program("/usr/bin/etcd"));
    line
}

/// Builds tests as the person who called, and finds the program; only running it needs root.
fn executable<'a>(
    target: &'static str,
    build: impl IntoIterator<Item = &'a str>,
) -> Result<PathBuf, Error> {
    let mut line = cargo(build.into_iter().chain(["--no-run", "--message-format=json"]));
    let output = line
        .stderr(Stdio::inherit())
        .output()
        .map_err(|source| command::CommandError::Start { line: command::line(&line), source })?;
    let messages = String::from_utf8_lossy(&output.stdout);
    find_executable(&messages, target).ok_or(Error::NoExecutable { target })
}

fn find_executable(messages: &str, target: &str) -> Option<PathBuf> {
    messages.lines().filter_map(|line| serde_json::from_str(line).ok()).find_map(
        |message: serde_json::Value| {
            let is_ours = message["target"]["name"] == target && message["profile"]["test"] == true;
            let path = message["executable"].as_str().filter(|_| is_ours)?;
            Some(PathBuf::from(path))
        },
    )
}

/// The cluster that an environment variable names.
pub(crate) fn named(variable: &str) -> Option<ClusterName> {
    std::env::var(variable).ok().and_then(|name| name.parse().ok())
}

/// The cluster that tests have if nobody names another.
pub(crate) fn default() -> ClusterName {
    ClusterName::of(NAME)
}

fn assemble(cluster: &ClusterName, binaries: &Path, size: String) -> Result<(), Error> {
    let task = ["assemble".into(), size.into(), "--binaries".into()];
    privilege::run_as_root(cluster, task.into_iter().chain([binaries.as_os_str().to_owned()]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_executable_is_the_test_of_that_target() {
        let line = |name: &str, test: bool, path: &str| {
            let target = format!(r#""target":{{"name":"{name}"}}"#);
            format!(r#"{{{target},"profile":{{"test":{test}}},"executable":"{path}"}}"#)
        };
        let messages = [
            line("testbed", true, "/a"),
            "not json".to_owned(),
            line("functional", false, "/b"),
            line("functional", true, "/c"),
            r#"{"reason":"build-finished","success":true}"#.to_owned(),
        ];

        let found = find_executable(&messages.join("\n"), FUNCTIONAL);

        assert_eq!(found, Some(PathBuf::from("/c")));
    }
}
