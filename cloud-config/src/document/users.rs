//! `users`.

use std::path::PathBuf;

use super::fields::{At, Fields, Known, Reader};
use super::{User, canonical, groups, keys, paths};
use crate::yaml::{Style, Value};

const KEYS: Known<'_> = Known {
    keys: &[
        "name",
        "passwd",
        "gecos",
        "homedir",
        "no_create_home",
        "primary_group",
        "groups",
        "no_user_group",
        "ssh_authorized_keys",
        "sudo",
        "system",
        "no_log_init",
        "shell",
        "lock_passwd",
    ],
    foreign: canonical::USER,
    elsewhere: &[],
    renamed: &[],
};

/// Reads the users of a list.
pub(super) fn read(reader: &mut Reader<'_>, at: &At<'_>) -> Vec<User> {
    let mut users: Vec<User> = Vec::new();
    for item in reader.list(at) {
        // Canonical's word for the user that is there anyway.
        if matches!(&item.node.value, Value::Scalar(scalar) if scalar.text == "default") {
            continue;
        }
        let Some(fields) = reader.fields(&item, KEYS) else { continue };
        let Some(user) = user(reader, &item, &fields) else { continue };
        let earlier = users.iter().find(|earlier| earlier.name == user.name);
        if let Some(earlier) = earlier {
            let line = earlier.position.line;
            reader.warning(&item, format!("user `{}` is in line {line} too", user.name));
        }
        users.push(user);
    }
    users
}

fn user<'a>(reader: &mut Reader<'_>, item: &At<'a>, fields: &Fields<'a>) -> Option<User> {
    let name = match fields.get("name") {
        Some(at) => groups::name(reader, at),
        None => {
            reader.error(item, "a user without `name`");
            None
        }
    };
    let user = User {
        position: item.position(),
        name: name.clone().unwrap_or_default(),
        passwd: fields.get("passwd").and_then(|at| hash(reader, at)),
        gecos: fields.get("gecos").and_then(|at| field(reader, at)),
        homedir: path(reader, fields, "homedir"),
        no_create_home: truth(reader, fields, "no_create_home").unwrap_or_default(),
        primary_group: fields.get("primary_group").and_then(|at| group(reader, at)),
        groups: fields.get("groups").map(|at| groups::names(reader, at)).unwrap_or_default(),
        no_user_group: truth(reader, fields, "no_user_group").unwrap_or_default(),
        system: truth(reader, fields, "system").unwrap_or_default(),
        no_log_init: truth(reader, fields, "no_log_init").unwrap_or_default(),
        shell: path(reader, fields, "shell"),
        sudo: fields.get("sudo").map(|at| sudo(reader, at)),
        lock_passwd: truth(reader, fields, "lock_passwd"),
        ssh_authorized_keys: fields
            .get("ssh_authorized_keys")
            .map(|at| keys::read(reader, at))
            .unwrap_or_default(),
    };
    name.map(|_| user)
}

fn truth(reader: &mut Reader<'_>, fields: &Fields<'_>, key: &str) -> Option<bool> {
    fields.get(key).and_then(|at| reader.truth(at))
}

fn path(reader: &mut Reader<'_>, fields: &Fields<'_>, key: &str) -> Option<PathBuf> {
    fields.get(key).and_then(|at| paths::read_field(reader, at))
}

/// Reads what becomes a field of /etc/passwd or /etc/shadow. Its text is never told: it may be a
/// password.
fn field(reader: &mut Reader<'_>, at: &At<'_>) -> Option<String> {
    let text = reader.line(at)?;
    if text.contains(':') {
        reader.error(at, "cannot hold `:`, which ends a field of /etc/passwd");
        return None;
    }
    Some(text)
}

fn hash(reader: &mut Reader<'_>, at: &At<'_>) -> Option<String> {
    let hash = field(reader, at)?;
    // Hashes of crypt(3), and the words for an account without one.
    let is_hash = hash.starts_with(['$', '!', '*', '_']) || hash.len() == 13;
    if hash.is_empty() {
        reader.warning(at, "is ignored: it would let everybody in without a password");
    } else if !is_hash {
        let text =
            "is ignored, as it is not the hash of a password: make one with `openssl passwd -6`";
        reader.warning(at, text);
    }
    // A password must not stand in /etc/shadow as it is typed.
    is_hash.then_some(hash)
}

fn group(reader: &mut Reader<'_>, at: &At<'_>) -> Option<String> {
    let text = reader.line(at)?;
    if text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u32>().is_ok() {
        return Some(text);
    }
    groups::name(reader, at)
}

/// Reads rules for sudo: one, a list of them, or `false` for none.
fn sudo(reader: &mut Reader<'_>, at: &At<'_>) -> Vec<String> {
    match &at.node.value {
        Value::List(_) => {
            let items = reader.list(at);
            items.iter().filter_map(|item| rule(reader, item)).collect()
        }
        Value::Scalar(scalar) if scalar.style == Style::Plain && scalar.truth() == Some(false) => {
            Vec::new()
        }
        Value::Scalar(_) | Value::Map(_) => rule(reader, at).into_iter().collect(),
    }
}

fn rule(reader: &mut Reader<'_>, at: &At<'_>) -> Option<String> {
    let rule = reader.line(at)?;
    if rule.contains('=') {
        return Some(rule);
    }
    reader.error(at, "is not a rule for sudo, such as `ALL=(ALL) NOPASSWD:ALL`");
    None
}
