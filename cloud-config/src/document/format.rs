//! What user data is: a cloud-config, a script, several of them, or what is not read here.

use fleet_units::nearest;

use super::multipart;

/// The first line of a cloud-config.
pub(super) const HEADER: &str = "#cloud-config";

/// What bytes are, by how they begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// Nothing but blanks.
    Empty,
    /// Packed.
    Gzip,
    /// YAML after `#cloud-config`.
    CloudConfig,
    /// A program after `#!`.
    Script,
    /// Several parts.
    Multipart,
    /// Any of these in base64.
    Base64,
    /// What is told to be something else; the sentence says what to do.
    Refused(&'static str),
    /// Anything else.
    Unknown,
}

/// Beginnings of what Canonical's cloud-init and others read, and what to do instead.
const REFUSED: [(&str, &str); 9] = [
    (
        "#include",
        "a list of URLs (#include), which fleet's cloud-config does not fetch: give the documents \
         themselves, as parts of a multipart message if there are several",
    ),
    (
        "#cloud-config-archive",
        "an archive of documents (#cloud-config-archive), which fleet's cloud-config does not \
         read: use a multipart message",
    ),
    (
        "#cloud-boothook",
        "a boothook, which fleet's cloud-config does not run: begin the script with `#!/bin/sh`",
    ),
    ("#part-handler", "a part handler, which fleet's cloud-config does not run"),
    ("#upstart-job", "a job for upstart: write a unit in `coreos.units`"),
    (
        "## template:",
        "a jinja template, which fleet's cloud-config does not fill in: use tokens such as \
         `$private_ipv4`",
    ),
    (
        "#template:",
        "a template, which fleet's cloud-config does not fill in: use tokens such as \
         `$private_ipv4`",
    ),
    ("<powershell>", "a script for Windows"),
    ("variant:", "a Butane config: write a cloud-config, which begins with `#cloud-config`"),
];

const IGNITION: &str = "an Ignition config, which is for the first boot of CoreOS's successors: \
    write a cloud-config, which begins with `#cloud-config`";

impl Format {
    /// Tells what bytes are.
    pub(super) fn of(bytes: &[u8]) -> Self {
        if bytes.starts_with(&[0x1f, 0x8b]) {
            return Self::Gzip;
        }
        if bytes.trim_ascii().is_empty() {
            return Self::Empty;
        }
        let line = first_line(bytes);
        if bytes.starts_with(b"#!") {
            return Self::Script;
        }
        if line.trim_end() == HEADER {
            return Self::CloudConfig;
        }
        if multipart::is_multipart(bytes) {
            return Self::Multipart;
        }
        if let Some((_, sentence)) = REFUSED.iter().find(|(start, _)| begins(&line, start)) {
            return Self::Refused(sentence);
        }
        if is_ignition(bytes) {
            return Self::Refused(IGNITION);
        }
        let decoded = multipart::decode_base64(bytes).map(|decoded| Self::of_plain(&decoded));
        if decoded == Some(true) { Self::Base64 } else { Self::Unknown }
    }

    fn of_plain(bytes: &[u8]) -> bool {
        bytes.starts_with(&[0x1f, 0x8b])
            || bytes.starts_with(b"#!")
            || first_line(bytes).trim_end() == HEADER
            || multipart::is_multipart(bytes)
    }
}

fn begins(line: &str, start: &str) -> bool {
    line.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start))
}

/// What to tell about a first line that is none of the known ones.
pub(super) fn explain_header(bytes: &[u8]) -> String {
    let wanted = "the first line must be `#cloud-config`, or begin with `#!` for a script";
    let text = String::from_utf8_lossy(bytes);
    if text.starts_with('\u{feff}') {
        return format!("{wanted}: remove the byte order mark before it");
    }
    let line = first_line(bytes);
    if line.trim().is_empty() {
        return format!("{wanted}: remove the empty line before it");
    }
    if line.trim() == HEADER {
        return format!("{wanted}: remove the blanks before it");
    }
    if line.trim_start().starts_with("#!") {
        return format!("{wanted}: remove the blanks before `#!`");
    }
    let word: String = line.split_whitespace().collect();
    if nearest(&word, [HEADER]).is_some() {
        return format!("{wanted}, without blanks or other words: it is almost that");
    }
    if text.lines().any(|line| line.trim_end() == HEADER) {
        return format!("{wanted}: remove the lines before it");
    }
    format!("{wanted}: write that above the text")
}

fn first_line(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len()).min(200);
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

fn is_ignition(bytes: &[u8]) -> bool {
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return false;
    }
    let document: Option<serde_json::Value> = serde_json::from_slice(bytes).ok();
    document.is_some_and(|document| {
        document.get("ignitionVersion").is_some() || document.get("ignition").is_some()
    })
}
