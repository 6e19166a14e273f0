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

/// Writes all pages, and removes those of commands that are gone.
fn write(directory: &Path) -> io::Result<()> {
    let pages = fleet_pages::pages()?;
    fs::create_dir_all(directory)?;
    for file in fs::read_dir(directory)? {
        let file = file?;
        if !file.file_name().to_str().is_some_and(|name| pages.contains_key(name)) {
            fs::remove_file(file.path())?;
        }
    }
    pages.iter().try_for_each(|(name, text)| fs::write(directory.join(name), text))
}
