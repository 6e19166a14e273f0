//! Values of settings: text in, a checked value or a sentence on what it should be out.

use std::net::IpAddr;
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;

use fleet_units::Metadata;

use super::duration;
use super::store::StoreKind;
use crate::registry::key::KeyPrefix;

type Checked<T> = Result<T, String>;

/// etcd grants leases in whole seconds, and renewing needs room for several attempts.
const SHORTEST_TTL: Duration = Duration::from_secs(1);

pub(super) fn duration(text: &str) -> Checked<Duration> {
    duration::parse(text).ok_or_else(|| "write a duration such as 30s or 1m30s".to_owned())
}

pub(super) fn ttl(text: &str) -> Checked<Duration> {
    let ttl = duration(text)?;
    if ttl < SHORTEST_TTL { Err("it must be at least 1s".to_owned()) } else { Ok(ttl) }
}

/// Seconds with a fraction, above zero.
pub(super) fn seconds(text: &str) -> Checked<Duration> {
    text.parse()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| "write seconds above 0, such as 1.0".to_owned())
}

/// What Go and systemd call true and false.
pub(super) fn boolean(text: &str) -> Checked<bool> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "t" | "true" | "y" | "yes" | "on" => Ok(true),
        "0" | "f" | "false" | "n" | "no" | "off" => Ok(false),
        _ => Err("write true or false".to_owned()),
    }
}

pub(super) fn integer(text: &str) -> Checked<i64> {
    text.parse().map_err(|_| "write a whole number".to_owned())
}

pub(super) fn count(text: &str) -> Checked<NonZeroU16> {
    text.parse().map_err(|_| "write a whole number from 1 to 65535".to_owned())
}

pub(super) fn address(text: &str) -> Checked<Option<IpAddr>> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| "write an IP address such as 10.0.0.1".to_owned())
}

pub(super) fn directory(text: &str) -> Checked<PathBuf> {
    let path = PathBuf::from(text);
    if path.is_absolute() { Ok(path) } else { Err("write a path that begins with /".to_owned()) }
}

pub(super) fn optional_file(text: &str) -> Checked<Option<PathBuf>> {
    Ok(if text.is_empty() { None } else { Some(PathBuf::from(text)) })
}

/// A file that is read again later, when nobody knows where somebody stood at the start.
pub(super) fn optional_absolute(text: &str) -> Checked<Option<PathBuf>> {
    if text.is_empty() { Ok(None) } else { directory(text).map(Some) }
}

pub(super) fn prefix(text: &str) -> Checked<KeyPrefix> {
    // Without a name the ranges of this cluster would cover everything else in the store.
    if text.trim_matches('/').is_empty() {
        return Err("write a prefix with a name, such as /_coreos.com/fleet".to_owned());
    }
    Ok(KeyPrefix::new(text))
}

/// `k=v,k2=v2`; as in 1.0 a later one wins, an entry without a key or `=` is dropped.
pub(super) fn metadata(text: &str) -> Checked<Metadata> {
    let pairs = list(text).into_iter();
    Ok(pairs
        .filter_map(|entry| {
            let (key, value) = entry.split_once('=')?;
            let (key, value) = (key.trim(), value.trim());
            if key.is_empty() { None } else { Some((key.to_owned(), value.to_owned())) }
        })
        .collect())
}

/// `None` leaves it to the rest of the configuration.
pub(super) fn store(text: &str) -> Checked<Option<StoreKind>> {
    match text {
        "" => Ok(None),
        "etcd" => Ok(Some(StoreKind::Etcd)),
        "embedded" => Ok(Some(StoreKind::Embedded)),
        _ => Err("write etcd or embedded".to_owned()),
    }
}

pub(super) fn endpoints(text: &str) -> Checked<Vec<String>> {
    let servers = list(text);
    if servers.is_empty() {
        return Err("name at least one endpoint, such as http://127.0.0.1:2379".to_owned());
    }
    // Whatever stands around it may be a password.
    if text.contains('@') {
        return Err(
            "no user name belongs into a URL: set etcd_username and etcd_password".to_owned()
        );
    }
    let is_url = |server: &&String| {
        ["http://", "https://"]
            .into_iter()
            .filter_map(|scheme| server.strip_prefix(scheme))
            .any(|host| !host.trim_matches('/').is_empty())
    };
    match servers.iter().find(|server| !is_url(server)) {
        Some(other) => Err(format!("{other:?} is no URL; write http://HOST:PORT or https://")),
        None => Ok(servers),
    }
}

/// Both spellings of a list: `["a","b"]` and `a,b`. Blanks, quotes and brackets are no part of it.
fn list(text: &str) -> Vec<String> {
    let around = |letter: char| letter.is_whitespace() || "[]\"'".contains(letter);
    let entries = text.split(',').map(|entry| entry.trim_matches(around));
    entries.filter(|entry| !entry.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_have_two_spellings() {
        for text in [
            "http://a:1,http://b:2",
            "[\"http://a:1\", \"http://b:2\"]",
            "'http://a:1', http://b:2,",
        ] {
            assert_eq!(list(text), ["http://a:1", "http://b:2"], "{text}");
        }
    }

    #[test]
    fn metadata_drops_what_is_no_pair_and_keeps_later_values() {
        let pairs = metadata("foo=bar, ping=pong,oops,=x, foo=baz,eq=a=b").expect("never refused");

        let expected = [("eq", "a=b"), ("foo", "baz"), ("ping", "pong")];
        assert_eq!(pairs, expected.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
    }
}
