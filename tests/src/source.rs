//! The source tree that this program was built from, and cargo, which builds the rest.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{self, command};
use crate::error::Error;
use crate::{fleet, privilege};

/// The root of the workspace.
pub(crate) fn root() -> &'static Path {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests)
}

/// Cargo on the workspace.
pub(crate) fn cargo<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut line = command([cargo]);
    line.current_dir(root()).args(arguments);
    line
}

/// Builds the programs of the hosts and returns the directory that holds them.
///
/// # Errors
///
/// They do not compile.
pub(crate) fn build() -> Result<PathBuf, Error> {
    build_with(&[])?;
    // Built by the same cargo for the same target, they lie beside this program.
    let mut directory = privilege::this_program()?;
    directory.pop();
    Ok(directory)
}

/// The same, optimised as a release is.
///
/// # Errors
///
/// They do not compile.
pub(crate) fn build_release() -> Result<PathBuf, Error> {
    build_with(&["--release"])?;
    release()
}

/// Builds hollow machines for release; see [`hollow`].
///
/// # Errors
///
/// They do not compile.
pub(crate) fn build_hollow() -> Result<(), Error> {
    let program = ["--package", "fleet-tests", "--features", "hollow", "--bin", "hollow"];
    // Apart from the programs of the hosts, which are to be built without what only these need.
    Ok(command::show(&mut cargo(["build", "--quiet", "--release"].into_iter().chain(program)))?)
}

/// The program that is a crowd of hollow machines.
///
/// # Errors
///
/// It is not known where this program is.
pub(crate) fn hollow() -> Result<PathBuf, Error> {
    Ok(release()?.join("hollow"))
}

/// The directory of what is built for release.
fn release() -> Result<PathBuf, Error> {
    let mut directory = privilege::this_program()?;
    directory.pop();
    // Every profile has a directory beside the others.
    directory.set_file_name("release");
    Ok(directory)
}

fn build_with(profile: &[&str]) -> Result<(), Error> {
    let packages = fleet::PROGRAMS.into_iter().flat_map(|program| ["--package", program]);
    let line = ["build", "--quiet", "--bins"].into_iter().chain(profile.iter().copied());
    Ok(command::show(&mut cargo(line.chain(packages)))?)
}
