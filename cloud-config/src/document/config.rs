//! One cloud-config.

use super::fields::{At, Fields, Known, Reader};
use super::{CloudConfig, commands, coreos_reader, files, groups, identity, keys, tokens, users};
use crate::facts::Facts;
use crate::problem::{Position, Problem};
use crate::yaml::{self, Node, Value};

/// The keys of a document.
const TOP: Known<'_> = Known {
    keys: &[
        "coreos",
        "fqdn",
        "groups",
        "hostname",
        "manage_etc_hosts",
        "runcmd",
        "ssh_authorized_keys",
        "timezone",
        "users",
        "write_files",
    ],
    foreign: super::canonical::TOP,
    elsewhere: &[
        ("units", "under `coreos`"),
        ("etcd", "under `coreos`"),
        ("etcd2", "under `coreos`"),
        ("fleet", "under `coreos`"),
        ("flannel", "under `coreos`"),
        ("locksmith", "under `coreos`"),
        ("update", "under `coreos`"),
        ("oem", "under `coreos`"),
    ],
    renamed: &[],
};

/// Reads a cloud-config that is preceded by some lines of something else.
pub(super) fn read(
    bytes: &[u8],
    lines_before: usize,
    facts: &Facts,
) -> (CloudConfig, Vec<Problem>) {
    let mut problems = Vec::new();
    let Some(root) = root(bytes, lines_before, facts, &mut problems) else {
        return (CloudConfig::default(), problems);
    };
    let mut reader = Reader { facts, problems };
    let config = read_tree(&mut reader, &root);
    (config, reader.problems)
}

/// What is wrong with bytes that are not text.
pub(super) fn not_text(bytes: &[u8], lines_before: usize) -> Option<Problem> {
    let control =
        |byte: &u8| (*byte < 0x20 && !matches!(*byte, b'\t' | b'\n' | b'\r')) || *byte == 0x7f;
    let (index, text) = match std::str::from_utf8(bytes) {
        Err(error) if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) => {
            (error.valid_up_to(), "is UTF-16, not UTF-8: save the document as UTF-8".to_owned())
        }
        Err(error) => {
            let index = error.valid_up_to();
            let byte = bytes.get(index).copied().unwrap_or_default();
            (index, format!("byte {byte:#04x} is not UTF-8: save the document as UTF-8"))
        }
        Ok(_) => {
            let index = bytes.iter().position(control)?;
            let byte = bytes.get(index).copied().unwrap_or_default();
            (
                index,
                format!("a control character ({byte:#04x}): remove it, or use `encoding: base64`"),
            )
        }
    };
    Some(Problem::error(tokens::position_of(bytes, index).below(lines_before), "", text))
}

/// The tree of the document, without duplicate keys.
fn root(
    bytes: &[u8],
    lines_before: usize,
    facts: &Facts,
    problems: &mut Vec<Problem>,
) -> Option<Node> {
    problems.extend(not_text(bytes, lines_before));
    let text = std::str::from_utf8(bytes).ok().filter(|_| problems.is_empty())?;
    let loaded = tokens::hide(text, lines_before).and_then(|hidden| {
        let reveal = |part: &str, range| hidden.reveal(part, &range, facts);
        yaml::load(&hidden.text, lines_before, reveal)
            .map_err(|error| Problem::error(error.position, "", error.text))
    });
    match loaded {
        Ok(loaded) => {
            problems.extend(loaded.rest.map(|position| {
                Problem::warning(position, "", "a second document begins here: it is ignored")
            }));
            let mut root = loaded.root.filter(|root| !root.is_null())?;
            yaml::unite_duplicates(&mut root, "", problems);
            Some(root)
        }
        Err(problem) => {
            problems.push(problem);
            None
        }
    }
}

fn read_tree(reader: &mut Reader<'_>, root: &Node) -> CloudConfig {
    let at = At { node: root, key: Position::START, path: String::new() };
    if !matches!(root.value, Value::Map(_)) {
        reader.error(&at, "a document must be a map of keys and values, such as `hostname: one`");
        return CloudConfig::default();
    }
    let fields = reader.fields(&at, TOP);
    fields.map(|fields| read_fields(reader, &fields)).unwrap_or_default()
}

fn read_fields(reader: &mut Reader<'_>, fields: &Fields<'_>) -> CloudConfig {
    let mut config = CloudConfig::default();
    identity::read(reader, fields, &mut config);
    if let Some(at) = fields.get("ssh_authorized_keys") {
        config.ssh_authorized_keys = keys::read(reader, at);
    }
    if let Some(at) = fields.get("groups") {
        config.groups = groups::read(reader, at);
    }
    if let Some(at) = fields.get("users") {
        config.users = users::read(reader, at);
    }
    if let Some(at) = fields.get("write_files") {
        config.write_files = files::read(reader, at);
    }
    if let Some(at) = fields.get("runcmd") {
        config.runcmd = commands::read(reader, at);
    }
    if let Some(at) = fields.get("coreos") {
        config.coreos = coreos_reader::read(reader, at);
    }
    config
}
