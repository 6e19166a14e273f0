//! What clusters have left behind although they were removed: nothing, or the testbed is wrong.

use std::path::Path;

use crate::cluster::ClusterName;
use crate::error::Error;
use crate::{cgroup, file, paths, process};

/// Finds that nothing is left of these clusters.
///
/// # Errors
///
/// Something is, and here is what.
pub(crate) fn expect_none(clusters: &[ClusterName]) -> Result<(), Error> {
    let found: Vec<_> = clusters.iter().flat_map(of).collect();
    if found.is_empty() { Ok(()) } else { Err(Error::Remains { found: found.join(", ") }) }
}

fn of(cluster: &ClusterName) -> Vec<String> {
    let directory = format!("{}/", paths::clusters().join(cluster.to_string()).display());
    let processes = process::find(|words| words.iter().any(|word| word.contains(&directory)));
    let mut found: Vec<_> = processes.iter().map(|pid| format!("process {pid}")).collect();
    let link = Path::new("/sys/class/net").join(format!("ft-{cluster}"));
    let hosts = (1..=99).flat_map(|number| cgroup::of(&format!("{cluster}{number}")));
    let paths = hosts.chain([link, directory.clone().into()]);
    found.extend(paths.filter(|path| path.exists()).map(|path| path.display().to_string()));
    let mounts = file::read(Path::new("/proc/self/mounts")).ok().flatten().unwrap_or_default();
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(1));
    found.extend(points.filter(|at| at.starts_with(&directory)).map(|at| format!("mount {at}")));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_a_cluster_is_named() {
        let gone = "never".parse().unwrap();
        assert!(expect_none(std::slice::from_ref(&gone)).is_ok());
        let path = paths::clusters().join("never/1");
        let mut script = crate::command::command(["sh", "-c", "read word", "sh"]);
        let mut running = script.arg(path).stdin(std::process::Stdio::piped()).spawn().unwrap();

        let found = expect_none(&[gone]).unwrap_err().to_string();

        drop(running.stdin.take());
        running.wait().unwrap();
        assert_eq!(found, format!("`down` has left process {}", running.id()));
    }
}
