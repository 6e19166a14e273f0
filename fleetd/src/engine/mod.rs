//! The engine decides which machine holds which unit. Every machine runs one; one of them leads.
//!
//! What to do is decided by pure functions ([`plan`](crate::plan), [`presence`]);
//! the leader only feeds them and carries out what they say, fenced by its leadership.

mod election;
mod leading;
mod note;
pub mod presence;
#[cfg(test)]
mod spy;
#[cfg(test)]
mod tests;

use std::pin::Pin;
use std::time::{Duration, SystemTime};

use fleet_units::MachineId;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use self::election::Term;
use self::leading::{Event, Leading, Reaction};
use crate::metrics::EngineMetrics;
use crate::registry::follow::Follower;
use crate::registry::key::{Key, KeyPrefix};
use crate::store::{Commit, Selection, Store, StoreError};

/// How long an engine that met a newer document leaves the lead to others.
const DEFERENCE: Duration = Duration::from_secs(60);

/// What an engine has to be told.
#[derive(Clone, Debug)]
pub struct EngineSettings {
    /// The machine that it runs on.
    pub machine: MachineId,
    /// Time to live of a machine's presence.
    pub agent_ttl: Duration,
    /// How long an absent machine keeps its units, after its absence is certain.
    pub reschedule_grace: Duration,
    /// Where the cluster's keys are.
    pub prefix: KeyPrefix,
}

/// One machine's engine.
#[derive(Debug)]
pub struct Engine<S> {
    store: S,
    settings: EngineSettings,
    metrics: EngineMetrics,
}

/// How a leadership ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Stopped,
    Deposed,
    Outdated,
    Doubted,
}

type InFlight = Pin<Box<dyn Future<Output = Result<Commit, StoreError>> + Send>>;

impl<S: Store> Engine<S> {
    /// An engine on a store.
    pub fn new(store: S, settings: EngineSettings) -> Self {
        Self { store, settings, metrics: EngineMetrics::default() }
    }

    /// The same engine, which counts for these figures.
    #[must_use]
    pub fn observed_by(self, metrics: EngineMetrics) -> Self {
        Self { metrics, ..self }
    }

    /// Takes part in the election, and leads whenever it is elected, until it is told to stop.
    pub async fn run(self, stop: CancellationToken) {
        while let Some((term, vouched)) = election::win(&self.store, &self.settings, &stop).await {
            info!(machine = %self.settings.machine, "Took the lead");
            self.metrics.leads(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok());
            let end = self.serve(term, vouched, &stop).await;
            self.metrics.leads(None);
            let pause = match end {
                End::Stopped => return,
                End::Deposed => Duration::ZERO,
                End::Outdated => DEFERENCE,
                End::Doubted => break,
            };
            if timeout(pause, stop.cancelled()).await.is_ok() {
                return;
            }
        }
    }

    /// Leads for one term.
    async fn serve(&self, term: Term, vouched: Option<MachineId>, stop: &CancellationToken) -> End {
        let (pulse, pulse_receiver) = watch::channel(Instant::now());
        let over = CancellationToken::new();
        let tasks = TaskTracker::new();
        let keeping = election::keep(self.store.clone(), term, pulse_receiver, over.clone());
        tasks.spawn(keeping);
        tasks.close();
        let end = self.lead(term, vouched, &pulse, stop, &over).await;
        let is_seat_ours = end != End::Deposed;
        let key = is_seat_ours.then(|| self.settings.prefix.encode(&Key::Leader));
        if !over.is_cancelled() {
            election::resign(&self.store, key, term).await;
        }
        over.cancel();
        tasks.wait().await;
        end
    }

    async fn lead(
        &self,
        term: Term,
        vouched: Option<MachineId>,
        pulse: &watch::Sender<Instant>,
        stop: &CancellationToken,
        over: &CancellationToken,
    ) -> End {
        let everything = || {
            let prefix = self.settings.prefix.as_str().to_owned();
            Follower::new(self.store.clone(), Selection::Prefix(prefix))
        };
        let mut follower = everything();
        let mut leading =
            Leading::new(self.settings.clone(), term.created, vouched, Instant::now())
                .observed_by(self.metrics.clone());
        let mut in_flight: Option<InFlight> = None;
        let mut beat = interval(term.ttl / 6);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let wake = leading.deadline();
            let event = tokio::select! {
                () = stop.cancelled() => return End::Stopped,
                () = over.cancelled() => return End::Deposed,
                outcome = landing(&mut in_flight) => {
                    in_flight = None;
                    Event::Committed(outcome)
                }
                update = follower.next() => Event::Update(update),
                () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => Event::Tick,
                _ = beat.tick() => Event::Tick,
            };
            pulse.send_replace(Instant::now());
            let (begun, plans) = (Instant::now(), leading.plans());
            let reaction = leading.handle(event, begun);
            if leading.plans() > plans {
                self.metrics.planned(begun.elapsed());
            }
            match reaction {
                Reaction::Wait => {}
                Reaction::Commit(transaction) => {
                    let store = self.store.clone();
                    in_flight = Some(Box::pin(async move { store.commit(transaction).await }));
                }
                Reaction::Relist => follower = everything(),
                Reaction::Deposed => {
                    warn!("Another engine leads");
                    return End::Deposed;
                }
                Reaction::Doubted => return End::Doubted,
                Reaction::Outdated(key) => {
                    warn!(key, "A newer fleet is at work: leaving the lead to it");
                    return End::Outdated;
                }
            }
        }
    }
}

/// Waits for the transaction under way; for ever if there is none.
async fn landing(in_flight: &mut Option<InFlight>) -> Result<Commit, StoreError> {
    match in_flight {
        Some(commit) => commit.await,
        None => std::future::pending().await,
    }
}
