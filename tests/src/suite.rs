//! `testbed test`: all that must be right before a change lands.

use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};

use crate::cluster::ClusterName;
use crate::command;
use crate::error::Error;
use crate::source::cargo;
use crate::{privilege, source, ui};

/// The cluster of the functional tests.
pub(crate) const NAME: &str = "test";

/// Tells the functional tests which cluster is theirs.
pub(crate) const CLUSTER: &str = "FLEET_TESTBED_CLUSTER";

/// Hosts of the functional tests: a member may be lost with three left.
pub(crate) const HOSTS: u8 = 4;

/// The test target that runs on hosts, and the feature that it needs.
const FUNCTIONAL: &str = "functional";

/// Checks format and lints, runs unit tests, then the functional tests whose name contains
/// `filter` on a cluster of their own, which is gone afterwards. The exit code is the tests'.
///
/// # Errors
///
/// A step before the functional tests failed.
pub(crate) fn run(cluster: &ClusterName, filter: Option<&str>) -> Result<ExitCode, Error> {
    check("formatting", &["fmt", "--all", "--check"])?;
    let all = ["clippy", "--workspace", "--all-targets", "--features", "fleet-tests/functional"];
    check("clippy", &[&all[..], &["--quiet", "--", "-D", "warnings"]].concat())?;
    check("the unit tests", &["test", "--workspace", "--quiet"])?;
    let binaries = source::build()?;
    let tests = functional_tests()?;
    privilege::run_as_root(cluster, ["down"])?;
    ui::say(format_args!("Booting {HOSTS} hosts for the functional tests"));
    let status = assemble(cluster, &binaries).and_then(|()| {
        let mut line = privilege::as_root(Path::new("/usr/bin/env"))?;
        line.arg(format!("{CLUSTER}={cluster}")).arg(tests).arg("--test-threads=1").args(filter);
        line.status().map_err(|source| {
            command::CommandError::Start { line: command::line(&line), source }.into()
        })
    });
    let removed = privilege::run_as_root(cluster, ["down"]);
    let passed = status?.success();
    removed?;
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn check(step: &'static str, arguments: &[&str]) -> Result<(), Error> {
    ui::say(format_args!("Checking {step}"));
    command::show(&mut cargo(arguments)).map_err(|_| Error::Check { step })
}

/// Builds the functional tests as the person who called; only running them needs root.
fn functional_tests() -> Result<PathBuf, Error> {
    let build = ["test", "--quiet", "--package", "fleet-tests", "--features", FUNCTIONAL];
    let select = ["--test", FUNCTIONAL, "--no-run", "--message-format=json"];
    let mut line = cargo(build.into_iter().chain(select));
    let output = line
        .stderr(Stdio::inherit())
        .output()
        .map_err(|source| command::CommandError::Start { line: command::line(&line), source })?;
    let messages = String::from_utf8_lossy(&output.stdout);
    executable(&messages).ok_or(Error::NoExecutable { target: FUNCTIONAL })
}

fn executable(messages: &str) -> Option<PathBuf> {
    messages.lines().filter_map(|line| serde_json::from_str(line).ok()).find_map(
        |message: serde_json::Value| {
            let is_ours = message["target"]["name"] == FUNCTIONAL;
            let path = message["executable"].as_str().filter(|_| is_ours)?;
            Some(PathBuf::from(path))
        },
    )
}

fn assemble(cluster: &ClusterName, binaries: &Path) -> Result<(), Error> {
    let task = ["assemble".into(), format!("--hosts={HOSTS}").into(), "--binaries".into()];
    privilege::run_as_root(cluster, task.into_iter().chain([binaries.as_os_str().to_owned()]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_executable_is_the_one_of_the_functional_tests() {
        let messages = "\
            {\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"testbed\"},\"executable\":\"/a\"}\n\
            not json\n\
            {\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"functional\"},\"executable\":\"/b\"}\n\
            {\"reason\":\"build-finished\",\"success\":true}\n";

        assert_eq!(executable(messages), Some(PathBuf::from("/b")));
    }
}
