//! What the host is called and where it is: `hostname`, `fqdn`, `manage_etc_hosts`, `timezone`.

use super::CloudConfig;
use super::fields::{At, Fields, Reader, quote};

/// The longest name that the kernel keeps.
const MAX_HOSTNAME: usize = 64;

/// The longest name between two dots.
const MAX_LABEL: usize = 63;

pub(super) fn read(reader: &mut Reader<'_>, fields: &Fields<'_>, config: &mut CloudConfig) {
    config.fqdn = fields.get("fqdn").and_then(|at| name(reader, at, 253));
    config.hostname = match fields.get("hostname") {
        Some(at) => name(reader, at, MAX_HOSTNAME),
        None => config.fqdn.as_deref().and_then(|name| name.split('.').next()).map(str::to_owned),
    };
    config.timezone = fields.get("timezone").and_then(|at| timezone(reader, at));
    config.manage_etc_hosts = fields.get("manage_etc_hosts").is_some_and(|at| hosts(reader, at));
}

fn name(reader: &mut Reader<'_>, at: &At<'_>, longest: usize) -> Option<String> {
    let name = reader.line(at)?;
    match name_fault(&name, longest) {
        None => {
            if name.contains('_') {
                reader.warning(at, "holds `_`, which no name in DNS does: write `-`");
            }
            Some(name)
        }
        Some(fault) => {
            reader.error(at, format!("{} is not a host name: {fault}", quote(&name)));
            None
        }
    }
}

fn name_fault(name: &str, longest: usize) -> Option<String> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    if name.is_empty() {
        return Some("it is empty".to_owned());
    }
    if name.len() > longest {
        return Some(format!("it has more than {longest} characters"));
    }
    if let Some(c) = name.chars().find(|c| !is_allowed(*c)) {
        return Some(format!("it holds {c:?}: use letters, digits, `-` and `.`"));
    }
    name.split('.').find_map(|label| match label {
        "" => Some("two dots have nothing between them, or a dot is at an end".to_owned()),
        _ if label.len() > MAX_LABEL => {
            Some(format!("more than {MAX_LABEL} characters are between two dots"))
        }
        _ if label.starts_with('-') || label.ends_with('-') => {
            Some("`-` cannot be at the end of a part".to_owned())
        }
        _ => None,
    })
}

fn timezone(reader: &mut Reader<'_>, at: &At<'_>) -> Option<String> {
    let zone = reader.line(at)?;
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+');
    let is_part = |part: &str| !part.is_empty() && part.chars().all(is_allowed);
    if zone.split('/').all(is_part) {
        return Some(zone);
    }
    let text = format!("{} is not a time zone, such as `Europe/Vienna` or `UTC`", quote(&zone));
    reader.error(at, text);
    None
}

fn hosts(reader: &mut Reader<'_>, at: &At<'_>) -> bool {
    if let crate::yaml::Value::Scalar(scalar) = &at.node.value
        && let Some(truth) = scalar.truth()
    {
        return truth;
    }
    let words = [("true", true), ("localhost", true), ("false", false)];
    reader.word(at, &words).unwrap_or_default()
}
