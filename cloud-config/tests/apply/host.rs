//! A host in a temporary directory, whose programs only note what they are asked.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Each program notes its words, and does as little as the next run needs.
const PROGRAMS: [(&str, &str); 9] = [
    ("hostnamectl", ""),
    ("networkctl", ""),
    ("visudo", ""),
    ("fleetctl", ""),
    ("groupadd", "for name; do :; done; echo \"$name:x:$(id -g):\" >> \"$ROOT/etc/group\""),
    (
        "useradd",
        "while [ $# -gt 1 ]; do test \"$1\" = --groups && groups=$2; shift; done; name=$1\n\
         for group in $groups; do sed -i \"s/^\\($group:.*\\)$/\\1$name/\" \"$ROOT/etc/group\"; done\n\
         echo \"$name:x:$(id -u):$(id -g)::/home/$name:/bin/bash\" >> \"$ROOT/etc/passwd\"\n\
         grep -q \"^$name:\" \"$ROOT/etc/group\" || echo \"$name:x:$(id -g):\" >> \"$ROOT/etc/group\"",
    ),
    ("usermod", "sed -i \"s/^\\($5:.*\\)$/\\1$6/\" \"$ROOT/etc/group\""),
    ("chpasswd", "cat >> \"$ROOT/etc/shadow\""),
    (
        "systemctl",
        "case \"$1 $2\" in\n\
         *' enable'*) for unit; do :; done; mkdir -p \"$ROOT/etc/systemd/system/a.target.wants\"\n\
         ln -s \"../$unit\" \"$ROOT/etc/systemd/system/a.target.wants/$unit\" ;;\n\
         show*) shift 2; for unit; do echo \"Id=$unit\"; cat \"$ROOT/states/$unit\" 2>/dev/null || \
         echo ActiveState=active; echo; done ;;\n\
         *transaction*start*) for unit; do :; done; test ! -e \"$ROOT/broken/$unit\" || \
         { echo \"Unit $unit not found.\" >&2; exit 5; }\n\
         echo \"Enqueued anchor job 7 $unit/start.\"\n\
         test ! -e \"$ROOT/slow/$unit\" || exec sleep 600 ;;\n\
         esac",
    ),
];

/// A host.
#[derive(Debug)]
pub(crate) struct Host {
    directory: tempfile::TempDir,
}

impl Host {
    pub(crate) fn new() -> Self {
        let host = Self { directory: tempfile::tempdir().unwrap() };
        host.put("root/etc/passwd", "root:x:0:0:root:/root:/bin/bash\n");
        host.put("root/etc/group", "root:x:0:\nsudo:x:27:\n");
        host.put("root/etc/shadow", "root:*:19000:0:99999:7:::\n");
        host.put("root/etc/machine-id", "0123456789abcdef0123456789abcdef\n");
        for (name, script) in PROGRAMS {
            let note = format!("#!/bin/sh\necho \"{name} $*\" >> \"$ROOT/../log\"\n{script}\n");
            let path = host.put(&format!("bin/{name}"), &note);
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        host
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.directory.path().join("root")
    }

    /// Writes a file beside or below the root.
    pub(crate) fn put(&self, path: &str, text: &str) -> PathBuf {
        let path = self.directory.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.root().join(path)).unwrap_or_default()
    }

    /// What programs were asked since the last time.
    pub(crate) fn asked(&self) -> Vec<String> {
        let log = self.directory.path().join("log");
        let text = fs::read_to_string(&log).unwrap_or_default();
        fs::write(log, "").unwrap();
        let root = self.root().display().to_string();
        text.lines().map(|line| line.replace(&root, "ROOT")).collect()
    }

    /// Runs the program under test on this host.
    pub(crate) fn cloud_config(&self, words: &[&str]) -> Output {
        let path = format!("{}:/usr/bin:/bin", self.directory.path().join("bin").display());
        let mut command = Command::new(env!("CARGO_BIN_EXE_cloud-config"));
        command.env_clear().env("PATH", path).env("ROOT", self.root());
        command.args(words).arg("--root").arg(self.root()).output().unwrap()
    }

    /// Applies a document; what it prints.
    pub(crate) fn apply(&self, text: &str, words: &[&str]) -> Told {
        let file = self.put("document.yml", text).display().to_string();
        Told::of(self, &self.cloud_config(&[&["apply", &file, "--booted"], words].concat()))
    }

    /// All that is below the root, but for what /run/cloud-config holds about the run itself.
    pub(crate) fn tree(&self) -> BTreeMap<PathBuf, Entry> {
        let mut tree = BTreeMap::new();
        walk(&self.root(), &mut tree);
        tree.retain(|path, _| !path.starts_with(self.root().join("run/cloud-config")));
        tree.remove(&self.root().join("run"));
        tree.into_iter()
            .map(|(path, entry)| (path.strip_prefix(self.root()).unwrap().to_owned(), entry))
            .collect()
    }
}

/// What cloud-config printed, paths made the same for each run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Told {
    pub(crate) fn of(host: &Host, output: &Output) -> Self {
        let directory = host.directory.path().display().to_string();
        let text = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes);
            text.replace(&format!("{directory}/document.yml"), "FILE").replace(&directory, "DIR")
        };
        Self { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }
}

/// What there is of a file or folder.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    inode: u64,
    mode: u32,
    changed: (i64, i64),
    content: Vec<u8>,
}

fn walk(path: &Path, tree: &mut BTreeMap<PathBuf, Entry>) {
    let metadata = path.symlink_metadata().unwrap();
    let is_folder = metadata.is_dir();
    let content = if metadata.is_file() { fs::read(path).unwrap() } else { Vec::new() };
    // Lists of names say whether a folder changed.
    let changed = if is_folder { (0, 0) } else { (metadata.mtime(), metadata.mtime_nsec()) };
    let entry = Entry { inode: metadata.ino(), mode: metadata.mode(), changed, content };
    tree.insert(path.to_owned(), entry);
    if is_folder {
        for child in fs::read_dir(path).unwrap() {
            walk(&child.unwrap().path(), tree);
        }
    }
}
