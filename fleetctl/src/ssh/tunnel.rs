//! One connection to a machine that leads to fleet's API and to all other machines.
//!
//! ssh keeps it and shares it (`ControlMaster`): whatever goes through needs no login of its own.
//! It ends with us, or by itself soon after, should we be killed.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use tokio::io::AsyncReadExt;
use tokio::process::{ChildStderr, Command};
use tokio::time::timeout;

use super::line::{self, Login, TARGET};
use super::{Address, cannot_run};
use crate::client::{Endpoint, Pipe};
use crate::error::CommandError;
use crate::settings::{Environment, SshSettings};
use crate::ui::Ui;

/// How long ssh keeps a connection that nobody uses and nobody has ended.
const IDLE: Duration = Duration::from_secs(10);

/// How long the last words of a program that has ended may take: they are in the pipe already.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// An open connection.
#[derive(Debug)]
pub(super) struct Tunnel {
    address: Address,
    /// The socket through which other ssh processes share it.
    control: String,
    /// The words that end it.
    end: Vec<String>,
}

impl Tunnel {
    /// Connects, and lets ssh ask a person on the terminal what it has to.
    pub(super) async fn open(
        settings: &SshSettings,
        environment: Environment<'_>,
        address: &Address,
        ui: &Ui,
    ) -> Result<Self, CommandError> {
        let control = control(environment)?;
        let idle = format!("ControlPersist={}", IDLE.as_secs());
        let flags = ["-M", "-S", &control, "-o", &idle, "-f", "-N", "-T"];
        let line = Login { settings, address, proxy: None, flags: &flags }.line(&[]);
        ui.debug(format_args!("opening a tunnel: {}", line.join(" ")));
        let Ended { good, said } = run(&line).await.map_err(|error| cannot_run(&line, error))?;
        if !good {
            let (before, last) = said.rsplit_once('\n').unwrap_or(("", &said));
            if !before.is_empty() {
                ui.note(before);
            }
            let last = if last.is_empty() { "ssh failed and gave no reason" } else { last };
            let sentence = format!("Unable to initialize client: no tunnel to {address}: {last}");
            return Err(CommandError::failed(sentence));
        }
        let flags = ["-S", &control, "-O", "exit"];
        let end = Login { settings, address, proxy: None, flags: &flags }.line(&[]);
        Ok(Self { address: address.clone(), control, end })
    }

    /// Leads to an endpoint as the machine at the far end sees it.
    pub(super) fn endpoint(&self, settings: &SshSettings, endpoint: &Endpoint) -> Endpoint {
        let line = match endpoint {
            Endpoint::Unix(path) => {
                let path = line::quoted(&path.to_string_lossy());
                let forward = ["fleetctl", "fd-forward", &path].map(str::to_owned);
                self.shared(settings, &["-T"], &forward)
            }
            Endpoint::Tcp { .. } | Endpoint::Tls { .. } => {
                let target = endpoint.authority();
                self.shared(settings, &["-W", &target], &[])
            }
            Endpoint::Piped(pipe) => return Endpoint::Piped(pipe.clone()),
        };
        let far = Box::new(endpoint.clone());
        Endpoint::Piped(Pipe { line, far, through: self.address.to_string() })
    }

    /// Gives the command by which ssh reaches another machine.
    pub(super) fn proxy(&self, settings: &SshSettings) -> String {
        line::proxy_command(&self.shared(settings, &["-W", TARGET], &[]))
    }

    /// Gives the words that use the connection; all options are there, as ssh connects anew if the
    /// far end takes no more sessions.
    fn shared(&self, settings: &SshSettings, flags: &[&str], remote: &[String]) -> Vec<String> {
        let flags = [&["-S", &self.control], flags].concat();
        Login { settings, address: &self.address, proxy: None, flags: &flags }.line(remote)
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        if let Some((program, arguments)) = self.end.split_first() {
            let mut command = std::process::Command::new(program);
            command.args(arguments);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            // Should it fail, the connection ends once it is idle.
            command.status().ok();
        }
    }
}

/// How a program ended, and what it said.
struct Ended {
    good: bool,
    said: String,
}

/// Runs ssh up to the moment when it goes on in the background.
async fn run(line: &[String]) -> std::io::Result<Ended> {
    let Some((program, arguments)) = line.split_first() else {
        return Ok(Ended { good: false, said: String::new() });
    };
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let mut said = Vec::new();
    let mut stderr = child.stderr.take();
    let status = tokio::select! {
        status = child.wait() => status?,
        // What goes on in the background may keep standard error open, so this may never end.
        () = read(&mut stderr, &mut said) => child.wait().await?,
    };
    if !status.success() {
        timeout(LAST_WORDS, read(&mut stderr, &mut said)).await.ok();
    }
    let said = String::from_utf8_lossy(&said).replace('\r', "").trim().to_owned();
    Ok(Ended { good: status.success(), said })
}

async fn read(stderr: &mut Option<ChildStderr>, said: &mut Vec<u8>) {
    if let Some(stderr) = stderr {
        // An error is an end as well.
        while stderr.read_buf(said).await.is_ok_and(|read| read > 0) {}
    }
}

/// Names a socket in a directory that is the user's own.
fn control(environment: Environment<'_>) -> Result<String, CommandError> {
    let home = environment("HOME").filter(|home| !home.is_empty());
    let home = home.map(|home| Path::new(&home).join(".fleetctl"));
    let runtime = || environment("XDG_RUNTIME_DIR").map(Into::into);
    let Some(directory) = home.or_else(runtime) else {
        return Err(CommandError::failed(
            "Unable to initialize client: a tunnel needs a directory of its user's own: set HOME",
        ));
    };
    DirBuilder::new().recursive(true).mode(0o700).create(&directory).ok();
    // Machines that share a home may have processes of the same number.
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let name = format!("tunnel-{}-{}", std::process::id(), now.subsec_nanos());
    Ok(directory.join(name).to_string_lossy().replace('%', "%%"))
}
