//! Paths on the host.

use std::path::PathBuf;

use super::fields::{At, Reader, quote};

/// The longest path that the kernel takes.
const MAX_PATH: usize = 4095;

/// Reads an absolute path without `..`, and drops what says nothing: `.` and doubled slashes.
pub(super) fn read(reader: &mut Reader<'_>, at: &At<'_>) -> Option<PathBuf> {
    let path = reader.line(at)?;
    match clean(&path) {
        Ok(clean) => Some(clean),
        Err(fault) => {
            reader.error(at, format!("path {} {fault}", quote(&path)));
            None
        }
    }
}

/// Reads a path that becomes a field of /etc/passwd.
pub(super) fn read_field(reader: &mut Reader<'_>, at: &At<'_>) -> Option<PathBuf> {
    let path = read(reader, at)?;
    if path.to_string_lossy().contains(':') {
        reader.error(at, "cannot hold `:`, which ends a field of /etc/passwd");
        return None;
    }
    Some(path)
}

fn clean(path: &str) -> Result<PathBuf, &'static str> {
    if !path.starts_with('/') {
        return Err("must begin with `/`");
    }
    if path.split('/').any(|part| part == "..") {
        return Err("holds `..`: write where it leads");
    }
    if path.len() > MAX_PATH || path.split('/').any(|part| part.len() > 255) {
        return Err("is too long");
    }
    let parts = path.split('/').filter(|part| !matches!(*part, "" | "."));
    Ok(std::iter::once("/").chain(parts).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_absolute_and_lead_only_down() {
        for (path, expected) in [
            ("/etc/motd", Ok("/etc/motd")),
            ("//etc/./motd/", Ok("/etc/motd")),
            ("/a..b/..c", Ok("/a..b/..c")),
            ("/", Ok("/")),
            ("etc/motd", Err("must begin with `/`")),
            ("", Err("must begin with `/`")),
            ("/tmp/../usr/x", Err("holds `..`: write where it leads")),
            ("/..", Err("holds `..`: write where it leads")),
        ] {
            assert_eq!(clean(path), expected.map(PathBuf::from), "{path}");
        }
    }
}
