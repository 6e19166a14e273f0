//! User data of several parts, as mail has them.

use base64::Engine as _;

use super::fields::quote;

/// Parts of parts, and so on.
const MAX_DEPTH: usize = 4;

/// More than any tool makes.
const MAX_PARTS: usize = 200;

/// A part that has no parts itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    /// From 1.
    pub(super) number: usize,
    /// Name of the file that it was.
    pub(super) name: Option<String>,
    /// Such as `text/cloud-config`; empty if it has none.
    pub(super) kind: String,
    /// What is in it, decoded.
    pub(super) body: Vec<u8>,
    /// Lines of the whole before it; `None` if it was encoded, so that its lines are its own.
    pub(super) lines_before: Option<usize>,
}

/// Why a text is not one of several parts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum MultipartError {
    #[error("a multipart message without a boundary: write `boundary=\"...\"` in Content-Type")]
    NoBoundary,
    #[error("no line {}, which begins a part", quote(&format!("--{}", .0)))]
    NoParts(String),
    #[error(
        "a multipart message without its last line {}: it may be cut off",
        quote(&format!("--{}--", .0))
    )]
    CutOff(String),
    #[error("parts are nested more than {MAX_DEPTH} deep")]
    TooDeep,
    #[error("more than {MAX_PARTS} parts")]
    TooMany,
    #[error("part {0} is not what its Content-Transfer-Encoding says: {1}")]
    Encoding(usize, &'static str),
}

/// Whether a text is one of several parts.
pub(super) fn is_multipart(bytes: &[u8]) -> bool {
    let (headers, _) = Headers::split(bytes);
    headers.kind().starts_with("multipart/")
}

/// The parts of a text, and of its parts.
pub(super) fn parts(bytes: &[u8]) -> Result<Vec<Part>, MultipartError> {
    let mut found = Vec::new();
    collect(bytes, Some(0), 0, &mut found)?;
    Ok(found)
}

fn collect(
    bytes: &[u8],
    lines_before: Option<usize>,
    depth: usize,
    found: &mut Vec<Part>,
) -> Result<(), MultipartError> {
    if depth > MAX_DEPTH {
        return Err(MultipartError::TooDeep);
    }
    if found.len() >= MAX_PARTS {
        return Err(MultipartError::TooMany);
    }
    let (headers, start) = Headers::split(bytes);
    let kind = headers.kind();
    if kind.starts_with("multipart/") {
        let boundary = headers.parameter("content-type", "boundary");
        let boundary = boundary.filter(|boundary| !boundary.is_empty());
        let boundary = boundary.ok_or(MultipartError::NoBoundary)?;
        return split(bytes, start, &boundary)?.into_iter().try_for_each(|range| {
            let before = lines_before.map(|lines| lines + lines_in(&bytes[..range.start]));
            collect(&bytes[range], before, depth + 1, found)
        });
    }
    let number = found.len() + 1;
    let encoding = headers.value("content-transfer-encoding").trim().to_ascii_lowercase();
    let mut body = decode(&bytes[start..], &encoding)
        .map_err(|problem| MultipartError::Encoding(number, problem))?;
    let is_plain = matches!(encoding.as_str(), "" | "7bit" | "8bit" | "binary");
    // Mail ends its lines so; the text that was sent did not.
    if is_plain && encoding != "binary" && bytes[..start].ends_with(b"\r\n") {
        body = without_returns(&body);
    }
    let name = headers.parameter("content-disposition", "filename");
    found.push(Part {
        number,
        name: name.or_else(|| headers.parameter("content-type", "name")),
        kind,
        body,
        lines_before: lines_before
            .filter(|_| is_plain)
            .map(|lines| lines + lines_in(&bytes[..start])),
    });
    Ok(())
}

/// Where the parts between lines of the boundary are.
fn split(
    bytes: &[u8],
    start: usize,
    boundary: &str,
) -> Result<Vec<std::ops::Range<usize>>, MultipartError> {
    let mut ranges = Vec::new();
    let mut open: Option<usize> = None;
    let mut at = start;
    for line in bytes[start..].split_inclusive(|byte| *byte == b'\n') {
        let text = line.trim_ascii_end();
        let after =
            text.strip_prefix(b"--").and_then(|text| text.strip_prefix(boundary.as_bytes()));
        if let Some(after @ (b"" | b"--")) = after {
            // The line break before a boundary belongs to the boundary.
            ranges.extend(open.map(|open| open..without_break(bytes, open, at)));
            if after == b"--" {
                return Ok(ranges);
            }
            if ranges.len() >= MAX_PARTS {
                return Err(MultipartError::TooMany);
            }
            open = Some(at + line.len());
        }
        at += line.len();
    }
    let boundary = boundary.to_owned();
    Err(open
        .map_or(MultipartError::NoParts(boundary.clone()), |_| MultipartError::CutOff(boundary)))
}

fn without_break(bytes: &[u8], start: usize, end: usize) -> usize {
    let text = &bytes[start..end];
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    start + text.strip_suffix(b"\r").unwrap_or(text).len()
}

fn without_returns(text: &[u8]) -> Vec<u8> {
    let lines = text.split_inclusive(|byte| *byte == b'\n');
    let bare = lines.flat_map(|line| match line.strip_suffix(b"\r\n") {
        Some(line) => [line, b"\n"],
        None => [line, b""],
    });
    bare.flatten().copied().collect()
}

fn lines_in(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte == b'\n').count()
}

fn decode(body: &[u8], encoding: &str) -> Result<Vec<u8>, &'static str> {
    match encoding {
        "" | "7bit" | "8bit" | "binary" => Ok(body.to_vec()),
        "base64" => decode_base64(body).ok_or("it is not base64"),
        "quoted-printable" => decode_quoted(body).ok_or("a `=` without two hexadecimal digits"),
        _ => Err("use 7bit, 8bit, binary, base64 or quoted-printable"),
    }
}

/// Decodes base64 in lines of any length, with or without padding.
pub(crate) fn decode_base64(text: &[u8]) -> Option<Vec<u8>> {
    use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
    const ENGINE: GeneralPurpose = GeneralPurpose::new(
        &base64::alphabet::STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let digits: Vec<u8> = text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    ENGINE.decode(digits).ok()
}

fn decode_quoted(text: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'=' {
            decoded.push(*byte);
        } else if let Some(after) = rest.strip_prefix(b"\r\n").or_else(|| rest.strip_prefix(b"\n"))
        {
            rest = after;
        } else {
            let (digits, after) = rest.split_at_checked(2)?;
            let digits = std::str::from_utf8(digits).ok()?;
            decoded.push(u8::from_str_radix(digits, 16).ok()?);
            rest = after;
        }
    }
    Some(decoded)
}

/// Lines `Name: value` before an empty line.
struct Headers(Vec<(String, String)>);

impl Headers {
    /// Headers, and where the body starts. A text that does not begin with one has none.
    fn split(bytes: &[u8]) -> (Self, usize) {
        let mut headers: Vec<(String, String)> = Vec::new();
        let mut at = 0;
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let text = String::from_utf8_lossy(line.trim_ascii_end());
            let is_continued = text.starts_with([' ', '\t']);
            if text.is_empty() {
                return (Self(headers), at + line.len());
            }
            match (text.split_once(':'), headers.last_mut()) {
                (_, Some((_, value))) if is_continued => {
                    value.push(' ');
                    value.push_str(text.trim());
                }
                (Some((name, value)), _) if is_name(name) => {
                    headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
                }
                // The line that mailboxes begin a message with.
                (_, None) if at == 0 && text.starts_with("From ") => {}
                _ => return (Self(Vec::new()), 0),
            }
            at += line.len();
        }
        (Self(headers), at)
    }

    fn value(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }

    fn kind(&self) -> String {
        let kind = self.value("content-type").split(';').next().unwrap_or_default();
        kind.trim().to_ascii_lowercase()
    }

    /// What follows `name=` in a header, with or without quotes.
    fn parameter(&self, header: &str, name: &str) -> Option<String> {
        self.value(header).split(';').skip(1).find_map(|parameter| {
            let (key, value) = parameter.split_once('=')?;
            let is_it = key.trim().eq_ignore_ascii_case(name);
            is_it.then(|| value.trim().trim_matches('"').to_owned())
        })
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}
