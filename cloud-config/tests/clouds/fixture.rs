//! What is below `fixtures/`: one directory for each cloud.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::server::Answer;

fn place(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clouds/fixtures").join(name)
}

/// One file, without the newline that an editor leaves at the end.
pub(crate) fn file(name: &str) -> String {
    let text = fs::read_to_string(place(name)).unwrap();
    text.strip_suffix('\n').unwrap_or(&text).to_owned()
}

/// The files below one directory, by path, as a service with lists has them.
#[derive(Clone)]
pub(crate) struct Tree(BTreeMap<String, String>);

impl Tree {
    pub(crate) fn read(name: &str) -> Self {
        let mut files = BTreeMap::new();
        collect(name, "", &mut files);
        Self(files)
    }

    pub(crate) fn with(mut self, path: &str, content: &str) -> Self {
        self.0.insert(path.to_owned(), content.to_owned());
        self
    }

    pub(crate) fn without(mut self, path: &str) -> Self {
        self.0.retain(|name, _| !name.starts_with(path));
        self
    }

    /// The file, or names of what is in the directory; those end in `/` if they are directories.
    pub(crate) fn get(&self, path: &str) -> Option<String> {
        let path = path.trim_matches('/');
        self.0.get(path).cloned().or_else(|| self.list(path))
    }

    pub(crate) fn answer(&self, path: &str) -> Answer {
        self.get(path).map_or_else(|| Answer::page(404, "Not Found"), Answer::text)
    }

    fn list(&self, path: &str) -> Option<String> {
        let prefix = if path.is_empty() { String::new() } else { format!("{path}/") };
        let below = self.0.keys().filter_map(|name| name.strip_prefix(&prefix));
        let mut names: Vec<&str> = below.map(first).collect();
        names.dedup();
        (!names.is_empty()).then(|| names.join("\n"))
    }
}

fn first(path: &str) -> &str {
    path.split_inclusive('/').next().unwrap_or(path)
}

fn collect(directory: &str, prefix: &str, files: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(place(directory)).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let (below, path) = (format!("{directory}/{name}"), format!("{prefix}{name}"));
        if entry.file_type().unwrap().is_dir() {
            collect(&below, &format!("{path}/"), files);
        } else {
            files.insert(path, file(&below));
        }
    }
}

/// The body of the key that all fixtures call `operations`.
pub(crate) const RSA: &str =
    "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQC0g0CWoy6Hnt0aZcAqH4Yz1Zx9y0W0xq4HqZ2o7C1r";

/// The body of the second key, if there is one.
pub(crate) const ED25519: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKdDs0wZbZtEFqkYwKsg9oiOzWrcDkmJDnG8iJvHvV1c";
