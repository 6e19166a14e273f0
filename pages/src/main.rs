//! Writes fleet's man pages into `docs/man`, or into the directory that is named.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    let directory = std::env::args_os().nth(1).map_or_else(fleet_pages::directory, PathBuf::from);
    match write(&directory) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // With standard error gone nobody is left who could be told about it.
            let _gone = writeln!(io::stderr(), "cannot write {}: {error}", directory.display());
            ExitCode::FAILURE
        }
    }
}

/// Writes all pages. Files of others may be there: nothing is removed.
fn write(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    let pages = fleet_pages::pages()?;
    pages.iter().try_for_each(|(name, text)| fs::write(directory.join(name), text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_have_beside_the_pages_stays() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("other.1"), "theirs").unwrap();
        fs::create_dir(directory.path().join("de")).unwrap();
        write(directory.path()).unwrap();
        assert_eq!(fs::read_to_string(directory.path().join("other.1")).unwrap(), "theirs");
        assert!(directory.path().join("de").is_dir());
        assert!(directory.path().join("fleetctl.1").is_file());
    }
}
