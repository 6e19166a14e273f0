//! SIGUSR1: what this machine knows, as one line of JSON on stdout, which is the journal if systemd
//! started fleetd. `docs/operations.md` tells what stands in it.

use std::time::Duration;

use fleet_units::MachineId;
use serde::Serialize;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;
use tracing::warn;

use crate::agent::{self, Handle};
use crate::registry::document::{Leader, decode};
use crate::registry::key::{Key, KeyPrefix};
use crate::store::{Selection, Store};

/// Whoever does not answer by then is left out: a dump is wanted when something does not work.
const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Serialize)]
struct Dump {
    #[serde(flatten)]
    agent: Option<agent::Dump>,
    /// None if nobody leads, or the store does not tell.
    leader: Option<MachineId>,
    /// Where etcd is asked; none for the embedded store.
    endpoints: Vec<String>,
    /// Whether the store answered.
    store: bool,
    version: &'static str,
}

/// Asks everybody and prints the answers.
pub(super) async fn print<S: Store>(
    agent: Handle,
    store: S,
    prefix: KeyPrefix,
    endpoints: Vec<String>,
) {
    let key = Selection::Key(prefix.encode(&Key::Leader));
    let (agent, leader) =
        tokio::join!(timeout(PATIENCE, agent.dump()), timeout(PATIENCE, store.range(&key, None)));
    let leader = leader.map_err(|_| ()).and_then(|answer| answer.map_err(|_| ()));
    let dump = Dump {
        agent: agent.ok().flatten(),
        endpoints,
        store: leader.is_ok(),
        leader: leader.ok().and_then(|found| {
            let leader = decode::<Leader>(&found.entries.first()?.value).ok()?;
            Some(leader.machine)
        }),
        version: env!("CARGO_PKG_VERSION"),
    };
    let mut line = match serde_json::to_vec(&dump) {
        Ok(line) => line,
        Err(error) => return warn!(%error, "Cannot dump what is known"),
    };
    line.push(b'\n');
    let mut stdout = tokio::io::stdout();
    let printed = async {
        stdout.write_all(&line).await?;
        stdout.flush().await
    };
    if let Err(error) = printed.await {
        warn!(%error, "Cannot print what is known");
    }
}
