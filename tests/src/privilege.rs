//! Root is needed for hosts, and only for them: a person builds as themselves.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cluster::ClusterName;
use crate::command::{self, CommandError, command};
use crate::error::Error;

/// Whether we are root.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A program as root: itself if we are, else through sudo.
///
/// # Errors
///
/// We are not root, and there is no sudo.
pub(crate) fn as_root(program: &Path) -> Result<Command, Error> {
    if is_root() {
        return Ok(command([program]));
    }
    let sudo = ["/usr/bin/sudo", "/bin/sudo", "/usr/local/bin/sudo"];
    let sudo = sudo.into_iter().find(|path| Path::new(path).exists()).ok_or(Error::NoRoot)?;
    let mut line = command([sudo, "--"]);
    line.arg(program);
    Ok(line)
}

/// Becomes this program as root with the same arguments; returns at once if we are root.
///
/// # Errors
///
/// There is no way to become root.
pub(crate) fn become_root() -> Result<(), Error> {
    if is_root() {
        return Ok(());
    }
    let mut line = as_root(&this_program()?)?;
    line.args(std::env::args_os().skip(1));
    let source = line.exec();
    Err(CommandError::Start { line: command::line(&line), source }.into())
}

/// Runs another command of this program as root.
///
/// # Errors
///
/// It failed and has said why.
pub(crate) fn run_as_root<S: AsRef<OsStr>>(
    cluster: &ClusterName,
    task: impl IntoIterator<Item = S>,
) -> Result<(), Error> {
    match command::show(&mut this_as_root(cluster, task)?) {
        Err(CommandError::Failed { .. }) => Err(Error::Told),
        other => Ok(other?),
    }
}

/// Another command of this program as root.
///
/// # Errors
///
/// There is no way to become root.
pub(crate) fn this_as_root<S: AsRef<OsStr>>(
    cluster: &ClusterName,
    task: impl IntoIterator<Item = S>,
) -> Result<Command, Error> {
    let mut line = as_root(&this_program()?)?;
    line.arg(format!("--cluster={cluster}")).args(task);
    Ok(line)
}

/// The path of this program, or of the one that cargo has put in its place since.
pub(crate) fn this_program() -> Result<PathBuf, Error> {
    let found = std::env::current_exe();
    let path = found.map_err(|source| CommandError::Start { line: "testbed".into(), source })?;
    Ok(undeleted(&path))
}

/// Without what the kernel adds to the path of a program whose file was replaced.
fn undeleted(path: &Path) -> PathBuf {
    let path = path.as_os_str().as_bytes();
    OsStr::from_bytes(path.strip_suffix(b" (deleted)").unwrap_or(path)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_was_replaced_is_found_where_it_was() {
        let found = ["/target/testbed (deleted)", "/target/testbed"].map(|p| undeleted(p.as_ref()));

        assert_eq!(found, [Path::new("/target/testbed"); 2]);
    }
}
