//! fleet's man pages, made of what the programs know of themselves: help texts, settings and
//! directives. They stand in `docs/man`, for those who make packages.

mod conf;
mod daemon;
mod fleetctl;
mod page;
#[cfg(test)]
mod tests;
mod unit;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// Where the pages are.
#[must_use]
pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/man")
}

/// All pages, by the name of their file.
///
/// # Errors
///
/// What a page is written to takes everything, so that this is left to the callers of writers.
pub fn pages() -> io::Result<BTreeMap<String, String>> {
    let mut pages = fleetctl::pages()?;
    pages.insert("fleetd.8".to_owned(), daemon::page()?);
    pages.insert("fleet.conf.5".to_owned(), conf::page());
    pages.insert("fleet.unit.5".to_owned(), unit::page());
    Ok(pages)
}
