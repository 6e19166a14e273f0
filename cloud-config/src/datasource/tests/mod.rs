//! Datasources on hosts and against servers that tests make.

mod cloud;
mod host;
mod http;
mod server;

use std::path::Path;

use super::{Found, Limits, Name, Search, read};
use crate::clock::TestClock;
use crate::facts::Metadata;
use server::TestServer;

const KEY: &str = "ssh-ed25519 AAAA jane";
const OTHER_KEY: &str = "ssh-rsa BBBB john";

/// A root directory with files.
fn host(files: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = root.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    root
}

fn search<'a>(root: &'a Path, url: Option<&'a str>, clock: &'a TestClock) -> Search<'a> {
    Search { root, path: None, url, clock, limits: Limits::default() }
}

fn of_host(name: Name, files: &[(&str, &str)]) -> Result<Found, String> {
    let root = host(files);
    let clock = TestClock::default();
    let found = read(name, &search(root.path(), None, &clock));
    found.map_err(|error| error.to_string().replace(&root.path().display().to_string(), ""))
}

fn of_server(name: Name, server: &TestServer) -> Result<Found, String> {
    let root = host(&[]);
    let clock = TestClock::default();
    let found = read(name, &search(root.path(), Some(&server.url), &clock));
    found.map_err(|error| error.to_string().replace(&server.url, "/"))
}

fn found(source: Name, user_data: &str, metadata: Metadata) -> Found {
    Found { user_data: Some(user_data.as_bytes().to_vec()), metadata, source, warnings: Vec::new() }
}

fn keys() -> Vec<String> {
    vec![KEY.to_owned(), OTHER_KEY.to_owned()]
}

/// An instance with a name, two keys and addresses; empty addresses are none.
fn metadata(instance: &str, hostname: &str, ipv4: [&str; 2], ipv6: [&str; 2]) -> Metadata {
    Metadata {
        instance_id: Some(instance.to_owned()),
        hostname: Some(hostname.to_owned()),
        ssh_authorized_keys: keys(),
        public_ipv4: ipv4[0].parse().ok(),
        private_ipv4: ipv4[1].parse().ok(),
        public_ipv6: ipv6[0].parse().ok(),
        private_ipv6: ipv6[1].parse().ok(),
    }
}
