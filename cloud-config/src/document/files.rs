//! `write_files`.

use std::path::{Path, PathBuf};

use super::fields::{At, Fields, Known, Reader, quote};
use super::gzip;
use super::multipart::decode_base64;
use super::{File, groups, paths};

const KEYS: Known<'_> =
    Known::only(&["path", "content", "encoding", "permissions", "owner", "append", "defer"]);

/// What a file has that says nothing of its mode.
const DEFAULT_MODE: u32 = 0o644;

/// The most that a file may hold once it is unpacked.
const MAX_FILE: usize = 32 << 20;

/// The most that all files may hold together.
const MAX_FILES: usize = 128 << 20;

/// How content is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Encoding {
    base64: bool,
    gzip: bool,
}

const ENCODINGS: [(&str, Encoding); 10] = {
    const PLAIN: Encoding = Encoding { base64: false, gzip: false };
    const BASE64: Encoding = Encoding { base64: true, gzip: false };
    const GZIP: Encoding = Encoding { base64: false, gzip: true };
    const BOTH: Encoding = Encoding { base64: true, gzip: true };
    [
        ("base64", BASE64),
        ("b64", BASE64),
        ("gz", GZIP),
        ("gzip", GZIP),
        ("gz+base64", BOTH),
        ("gzip+base64", BOTH),
        ("gz+b64", BOTH),
        ("gzip+b64", BOTH),
        ("text/plain", PLAIN),
        ("", PLAIN),
    ]
};

/// Reads the files of a list.
pub(super) fn read(reader: &mut Reader<'_>, at: &At<'_>) -> Vec<File> {
    let mut files: Vec<File> = Vec::new();
    let mut total = 0;
    for item in reader.list(at) {
        let Some(fields) = reader.fields(&item, KEYS) else { continue };
        let file = file(reader, &item, &fields);
        let Some(file) = file else { continue };
        total += file.content.len();
        if total > MAX_FILES {
            reader.error(&item, format!("files hold more than {} MiB together", MAX_FILES >> 20));
            break;
        }
        let earlier = files.iter().find(|earlier| earlier.path == file.path && !file.append);
        if let Some(earlier) = earlier {
            let text = format!(
                "the file of line {} has this path too: this one is written over it",
                earlier.position.line
            );
            reader.warning(&item, text);
        }
        files.push(file);
    }
    files
}

fn file<'a>(reader: &mut Reader<'_>, item: &At<'a>, fields: &Fields<'a>) -> Option<File> {
    let path = match fields.get("path") {
        Some(at) => paths::read(reader, at).filter(|path| is_file(reader, at, path)),
        None => {
            reader.error(item, "a file without `path`");
            None
        }
    };
    let content = content(reader, item, fields);
    let permissions = fields.get("permissions").map_or(Some(DEFAULT_MODE), |at| mode(reader, at));
    let owner = fields.get("owner").and_then(|at| owner(reader, at));
    let append = fields.get("append").and_then(|at| reader.truth(at)).unwrap_or_default();
    fields.get("defer").and_then(|at| reader.truth(at));
    Some(File {
        position: item.position(),
        path: path?,
        content: content?,
        permissions: permissions?,
        owner,
        append,
    })
}

fn is_file(reader: &mut Reader<'_>, at: &At<'_>, path: &PathBuf) -> bool {
    if path == Path::new("/") {
        reader.error(at, "`/` is not a file");
        return false;
    }
    let is_shipped = path.starts_with("/usr") && !path.starts_with("/usr/local");
    if is_shipped {
        let text = format!(
            "{} belongs to packages, and is read-only on some systems: prefer /etc, /opt or \
             /usr/local",
            quote(&path.display().to_string())
        );
        reader.warning(at, text);
    }
    true
}

fn content<'a>(reader: &mut Reader<'_>, item: &At<'a>, fields: &Fields<'a>) -> Option<Vec<u8>> {
    let encoding = match fields.get("encoding") {
        Some(at) => reader.word(at, &ENCODINGS)?,
        None => Encoding { base64: false, gzip: false },
    };
    let at = fields.get("content").unwrap_or(item);
    let mut bytes = match fields.get("content") {
        Some(at) => reader.bytes(at)?,
        None => Vec::new(),
    };
    if encoding.base64 {
        let Some(decoded) = decode_base64(&bytes) else {
            reader.error(at, "content is not base64, which `encoding` says");
            return None;
        };
        bytes = decoded;
    }
    if encoding.gzip {
        bytes = match gzip::unpack(&bytes, MAX_FILE) {
            Ok(unpacked) => unpacked,
            Err(error) => {
                reader.error(at, unpacking_fault(error, encoding));
                return None;
            }
        };
    }
    Some(bytes)
}

fn unpacking_fault(error: gzip::GzipError, encoding: Encoding) -> String {
    let hint = match error {
        gzip::GzipError::Damaged if !encoding.base64 => {
            ": for gzip in base64 write `encoding: gzip+base64`"
        }
        gzip::GzipError::Damaged | gzip::GzipError::Truncated | gzip::GzipError::TooLarge(_) => "",
    };
    format!("content {error}{hint}")
}

/// Reads three or four octal digits, after a `0` or not.
fn mode(reader: &mut Reader<'_>, at: &At<'_>) -> Option<u32> {
    let text = reader.line(at)?;
    let digits = if text.len() == 5 { text.strip_prefix('0') } else { Some(text.as_str()) };
    let digits = digits.filter(|digits| (3..=4).contains(&digits.len()));
    let mode = digits.and_then(|digits| {
        digits.bytes().try_fold(0, |mode, digit| match digit {
            b'0'..=b'7' => Some(mode * 8 + u32::from(digit - b'0')),
            _ => None,
        })
    });
    if mode.is_none() {
        let text =
            format!("invalid mode {}: write octal digits, such as `0644` or `0755`", quote(&text));
        reader.error(at, text);
    }
    if text == "420" {
        reader.warning(
            at,
            "is read as octal digits: if it stands for 0644 as a decimal number, write `0644`",
        );
    }
    mode
}

/// Reads a user, or a user and a group after `:`, by name or number. As chown has it, `:group` is about
/// the group alone, and `user:` means the first one of the user.
fn owner(reader: &mut Reader<'_>, at: &At<'_>) -> Option<String> {
    let owner = reader.line(at)?;
    let is_number = |part: &str| part.parse::<u32>().is_ok() && !part.starts_with('+');
    let is_part = |part: &str| is_number(part) || groups::is_name(part);
    let is_owner = match owner.split_once(':') {
        Some(("", group)) => is_part(group),
        Some((user, group)) => is_part(user) && (group.is_empty() || is_part(group)),
        None => is_part(&owner),
    };
    if is_owner {
        return Some(owner);
    }
    let text = format!("{} is not an owner: write `user`, `user:group` or numbers", quote(&owner));
    reader.error(at, text);
    None
}
