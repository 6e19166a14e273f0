//! How the agent goes: to come back, or for good.

use std::future::Future;
use std::time::Duration;

use tokio::time::timeout;
use tracing::warn;

use super::Shutdown;
use super::presence::{RegisterError, Registered, Registrar};
use super::writer::Writer;
use crate::log::chain;
use crate::store::Store;
use crate::systemd::{OwnJob, Systemd};

/// fleetd is restarted within this time, or the machine counts as lost.
const PARKING_TTL: Duration = Duration::from_secs(60);

/// A restart must not wait for a store that is away.
const PARKING_DEADLINE: Duration = Duration::from_millis(900);

/// Units stop even if the cluster cannot be told.
const ANNOUNCING_DEADLINE: Duration = Duration::from_secs(2);

/// Short of what systemd still gives after the units' own deadline.
const LEAVING_DEADLINE: Duration = Duration::from_secs(5);

/// Longer than this nobody who is being stopped can wait for an answer.
const OWN_JOB_DEADLINE: Duration = Duration::from_secs(1);

/// An operator may cordon the machine in the same moment; that seldom happens twice.
const ATTEMPTS: u32 = 3;

/// Asks systemd whether fleetd is to stop or comes back; without an answer it comes back: a silent
/// systemd must not make it give its units away.
pub(super) async fn own_job<M: Systemd>(systemd: &M) -> OwnJob {
    match timeout(OWN_JOB_DEADLINE, systemd.own_job()).await {
        Ok(Ok(job)) => job,
        Ok(Err(_)) | Err(_) => OwnJob::Other,
    }
}

/// Tells the cluster that the machine leaves, if the cluster can be told.
pub(super) async fn announce<S: Store>(registrar: &Registrar<S>) {
    let announcing = repeated(|| registrar.announce_leave());
    log_failure(
        timeout(ANNOUNCING_DEADLINE, announcing).await,
        "The cluster is not told of the leave",
    );
}

/// Ends the presence, or moves it to where the next fleetd finds it.
pub(super) async fn end<S: Store>(
    registrar: &Registrar<S>,
    writer: &mut Writer,
    presence: Registered,
    shutdown: Shutdown,
) {
    let outcome = match shutdown {
        Shutdown::StayRunning => {
            let states = writer.board.take_all();
            timeout(PARKING_DEADLINE, repeated(|| registrar.park(&states, PARKING_TTL))).await
        }
        Shutdown::Leave => {
            timeout(LEAVING_DEADLINE, repeated(|| registrar.leave(presence.grant.id))).await
        }
    };
    log_failure(outcome, "Presence has to run out");
}

async fn repeated<F>(attempt: impl Fn() -> F) -> Result<(), RegisterError>
where
    F: Future<Output = Result<(), RegisterError>>,
{
    for _ in 1..ATTEMPTS {
        match attempt().await {
            Err(RegisterError::Raced) => {}
            outcome => return outcome,
        }
    }
    attempt().await
}

fn log_failure(
    outcome: Result<Result<(), RegisterError>, tokio::time::error::Elapsed>,
    message: &'static str,
) {
    match outcome {
        Ok(Ok(())) => {}
        Ok(Err(error)) => warn!(error = %chain(&error), "{message}"),
        Err(_) => warn!(error = "no answer in time", "{message}"),
    }
}
