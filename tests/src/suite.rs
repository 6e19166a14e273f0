//! `testbed test`: all that must be right before a change lands.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::cluster::ClusterName;
use crate::command;
use crate::error::Error;
use crate::interrupt::Interrupts;
use crate::source::cargo;
use crate::{conform, fuzz, layer, lock, privilege, remains, source, ui, vagrant};

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
const CONTRACT: &str = "FLEET_TESTBED_CONTRACT";

/// Names those tests of it that do.
const CONTRACT_TESTS: &str = "FLEET_TESTBED_CONTRACT_TESTS";

/// The test target that runs on hosts, and the feature that it needs.
const FUNCTIONAL: &str = "functional";

/// Builds all unit tests, those that need a real systemd included.
const UNIT_TESTS: [&str; 5] =
    ["test", "--workspace", "--quiet", "--features", "fleetd/real-systemd"];

/// The ones that are left to the hosts.
const ON_HOSTS: [&str; 2] = ["systemd::contract::dbus::", "systemd::dbus::real::"];

/// Checks format and lints, runs unit tests, then the functional tests whose name contains
/// `filter` on clusters of their own, which are gone afterwards, also after Ctrl-C.
///
/// # Errors
///
/// A step failed and has said why, or no functional test has such a name.
pub(crate) fn run(cluster: &ClusterName, filter: Option<&str>) -> Result<(), Error> {
    let clusters = [cluster.clone(), cluster.alone(), cluster.documented()];
    let _lock = lock::tests(cluster)?;
    remove(&clusters)?;
    privilege::run_as_root(cluster, ["install", "--for-tests"])?;
    check("formatting", cargo(["fmt", "--all", "--check"]))?;
    let build = ["test", "--quiet", "--package", "fleet-tests", "--features", FUNCTIONAL];
    let tests = executable(FUNCTIONAL, build.into_iter().chain(["--test", FUNCTIONAL]))?;
    if let Some(filter) = filter {
        check_filter(&tests, filter)?;
    }
    let features = "fleet-tests/functional,fleet-tests/hollow,fleetd/real-systemd";
    let lint = ["clippy", "--workspace", "--all-targets", "--quiet", "--features", features];
    check("clippy", cargo(lint.into_iter().chain(["--", "-D", "warnings"])))?;
    check("the unit tests", unit_tests())?;
    fuzz::run(&fuzz::FuzzArgs::default())?;
    conform::run()?;
    let binaries = source::build()?;
    vagrant::run(&binaries)?;
    let contract = executable("fleetd", UNIT_TESTS.into_iter().chain(["--lib"]))?;
    let passed = on_hosts(&clusters, &binaries, |line| {
        line.arg(format!("{CONTRACT}={}", contract.display()));
        line.arg(format!("{CONTRACT_TESTS}={}", ON_HOSTS.join(" ")));
        line.arg(&tests).arg("--test-threads=1").args(filter);
    });
    // Whatever happened, and first of all what happened first.
    let removed = remove(&clusters).and_then(|()| remains::expect_none(&clusters));
    passed.and(removed)
}

/// Boots the clusters, and runs there what `tests` puts on the command line. Ctrl-C ends it early.
fn on_hosts(
    [cluster, alone, documented]: &[ClusterName; 3],
    binaries: &Path,
    tests: impl FnOnce(&mut Command),
) -> Result<(), Error> {
    let interrupts = Interrupts::catch()?;
    ui::say(format_args!("Booting {HOSTS} hosts and four others for the functional tests"));
    let document = source::root().join(DOCUMENT);
    let sizes = [
        (cluster, format!("--hosts={HOSTS}")),
        (alone, "--store=embedded".to_owned()),
        (documented, format!("--user-data={}", document.display())),
    ];
    for (name, size) in sizes {
        let task = ["assemble".into(), size.into(), "--binaries".into()];
        let task = task.into_iter().chain([binaries.as_os_str().to_owned()]);
        interrupts.show(&mut privilege::this_as_root(name, task)?)?;
    }
    let mut line = privilege::as_root(Path::new("/usr/bin/env"))?;
    line.arg(format!("{CLUSTER}={cluster}")).arg(format!("{ALONE}={alone}"));
    line.arg(format!("{DOCUMENTED}={documented}"));
    tests(&mut line);
    interrupts.show(&mut line)
}

fn remove(clusters: &[ClusterName]) -> Result<(), Error> {
    let removed = clusters.iter().map(|name| privilege::run_as_root(name, ["down"]));
    // Each of them, and then the first that failed.
    removed.collect::<Vec<_>>().into_iter().collect()
}

/// A filter that matches nothing would boot hosts for no test, and pass.
fn check_filter(tests: &Path, filter: &str) -> Result<(), Error> {
    let listed = command::read(command::command([tests]).args(["--list", filter]))?;
    if listed.lines().any(|line| line.ends_with(": test")) {
        return Ok(());
    }
    Err(Error::NoTest { filter: filter.to_owned() })
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
    // Without it they leave out shells and judges of man pages that are not there.
    line.env("FLEET_TEST_PROGRAMS", "all");
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_no_test_has_in_its_name_is_refused() {
        let tests = std::env::current_exe().unwrap();

        assert!(check_filter(&tests, "refused").is_ok());
        let refused = check_filter(&tests, "rfused").unwrap_err();
        assert_eq!(refused.to_string(), "no functional test has `rfused` in its name");
    }

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
