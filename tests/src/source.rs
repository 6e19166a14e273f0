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
    let packages = fleet::PROGRAMS.into_iter().flat_map(|program| ["--package", program]);
    command::show(&mut cargo(["build", "--quiet", "--bins"].into_iter().chain(packages)))?;
    // Built by the same cargo for the same target, they lie beside this program.
    let mut directory = privilege::this_program()?;
    directory.pop();
    Ok(directory)
}
