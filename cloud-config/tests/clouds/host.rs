//! A host below a temporary root, and what `cloud-config fetch` finds there.

use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::{fs, str};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tempfile::TempDir;

use crate::server::Server;

/// Long enough for each test, short enough to see an endless search fail.
const DEADLINE: &str = "10";

/// The files of a host.
pub(crate) struct Host(TempDir);

impl Host {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    pub(crate) fn with(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    /// With a volume that has this label, mounted at a place.
    pub(crate) fn with_volume(self, label: &str, place: &str) -> Self {
        let link = self.path("dev/disk/by-label").join(label);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink("../../sr0", link).unwrap();
        let mounts = format!("/dev/sda9 / ext4 rw 0 0\n/dev/sr0 /{place} iso9660 ro 0 0\n");
        self.with("proc/mounts", mounts)
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    /// What the datasource has, user data as text; what went wrong
    /// otherwise. Bytes that are no text stay in base64.
    pub(crate) fn fetch(&self, datasource: &str) -> Result<Value, String> {
        self.run(&["--datasource", datasource])
    }

    /// As [`Self::fetch`], from a server.
    pub(crate) fn ask(&self, datasource: &str, server: &Server) -> Result<Value, String> {
        self.run(&["--datasource", datasource, "--metadata-url", &server.url()])
    }

    pub(crate) fn run(&self, args: &[&str]) -> Result<Value, String> {
        self.within(DEADLINE, args)
    }

    /// What was found, and what people are told of what was passed over.
    pub(crate) fn warned(&self, args: &[&str]) -> (Value, String) {
        let output = self.output(DEADLINE, args);
        (found(&output).unwrap(), text(&output.stderr))
    }

    /// As [`Self::run`], with a deadline in seconds.
    pub(crate) fn within(&self, deadline: &str, args: &[&str]) -> Result<Value, String> {
        found(&self.output(deadline, args))
    }

    fn output(&self, deadline: &str, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_cloud-config"))
            .args(["fetch", "--json", "--deadline", deadline, "--root"])
            .arg(self.0.path())
            .args(args)
            .output()
            .unwrap()
    }
}

/// What a server says to a host that has no files.
pub(crate) fn ask(datasource: &str, server: &Server) -> Result<Value, String> {
    Host::new().ask(datasource, server)
}

fn found(output: &Output) -> Result<Value, String> {
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    match output.status.code() {
        Some(0) => Ok(decoded(serde_json::from_str(&out).unwrap())),
        Some(1) if out.is_empty() => Err(err),
        code => panic!("ended with {code:?}: {out}{err}"),
    }
}

fn decoded(mut found: Value) -> Value {
    let user_data = &mut found["userData"];
    if let Some(encoded) = user_data.as_str() {
        let bytes = STANDARD.decode(encoded).unwrap();
        if let Ok(text) = str::from_utf8(&bytes) {
            *user_data = text.into();
        }
    }
    found
}

fn text(bytes: &[u8]) -> String {
    str::from_utf8(bytes).unwrap().to_owned()
}

/// Asserts that an error names what a person needs to find the place.
#[track_caller]
pub(crate) fn assert_names(result: Result<Value, String>, names: &[&str]) {
    let told = result.unwrap_err();
    for name in names {
        assert!(told.contains(name), "`{name}` is not in: {told}");
    }
}
