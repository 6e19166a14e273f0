//! The agent's loop: waits for events, hands them to [`Core`], and carries out the work that comes
//! of them. Nothing here decides anything.

use std::future::{Future, pending};
use std::sync::Arc;
use std::time::Duration;

use fleet_units::UnitName;
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use tracing::{error, warn};

use super::adopt::Hands;
use super::apply::Problem;
use super::core::event::Event;
use super::core::{Ask, Core, Departure, Work};
use super::leave;
use super::presence::{Registrar, keep_alive, put_states};
use super::writer::Writing;
use super::{AgentSettings, Inbox, Shutdown};
use crate::backoff::{Backoff, random_jitter};
use crate::log::chain;
use crate::registry::document::{Placed, decode};
use crate::registry::follow::{Follower, Update};
use crate::registry::key::Key;
use crate::store::{Grant, Selection, Store};
use crate::systemd::{Job, JobResult, Signal, Systemd};

/// systemd is asked again soon: at boot it may be a moment behind.
pub(super) const RETRY: Backoff =
    Backoff { min: Duration::from_millis(100), max: Duration::from_secs(5) };

/// Events handled before the next decision, if that many are there: one plan for all of them.
const BURST: usize = 256;

/// What a future in flight came to.
enum Ended<S> {
    Event(Event),
    Followed(Feed, Box<Follower<S>>, Update),
    Accepted { unit: UnitName, serial: u64, ask: Ask, job: Job },
    Signals(mpsc::Receiver<Signal>),
    Nothing,
}

#[derive(Clone, Copy, Debug)]
enum Feed {
    Assignments,
    Presence,
}

type InFlight<S> = FuturesUnordered<BoxFuture<'static, Ended<S>>>;

/// The loop and everything that it has in flight.
pub(crate) struct Shell<S, M> {
    registrar: Registrar<S>,
    hands: Hands<M>,
    inbox: Inbox,
    doubts: watch::Receiver<Option<String>>,
    in_flight: InFlight<S>,
    tasks: TaskTracker,
    /// Ends the keep-alive of the lease that is no longer wanted, or of a loop that is gone.
    keeping_alive: Option<DropGuard>,
}

impl<S: Store, M: Systemd> Shell<S, M> {
    pub(crate) fn new(
        settings: Arc<AgentSettings>,
        store: S,
        hands: Hands<M>,
        inbox: Inbox,
        doubts: watch::Receiver<Option<String>>,
    ) -> Self {
        let schedule = Selection::Prefix(settings.prefix.schedule_of(&settings.machine));
        let presence = Selection::Key(settings.machine_key());
        let shell = Self {
            doubts,
            registrar: Registrar { store: store.clone(), settings },
            hands,
            inbox,
            in_flight: FuturesUnordered::new(),
            tasks: TaskTracker::new(),
            keeping_alive: None,
        };
        shell.follow(Feed::Assignments, Box::new(Follower::new(store.clone(), schedule)));
        shell.follow(Feed::Presence, Box::new(Follower::new(store, presence)));
        shell
    }

    /// Runs the agent to its end.
    pub(crate) async fn run(mut self, mut core: Core, stop: CancellationToken) -> Shutdown {
        loop {
            let now = Instant::now();
            core.decide(now);
            self.carry_out(core.take_work());
            if let Departure::Gone(shutdown) = core.departure() {
                // What is in flight must not write after the documents have moved or gone.
                drop(self.in_flight);
                if let Some(presence) = core.writer().presence() {
                    leave::end(&self.registrar, core.writer(), presence, shutdown).await;
                }
                drop(self.keeping_alive);
                self.tasks.close();
                self.tasks.wait().await;
                return shutdown;
            }
            let wake = core.wake(now);
            let told = core.departure() != Departure::Staying;
            if let Some(event) = self.wait(wake, (!told).then_some(&stop)).await {
                self.hand_over(&mut core, event);
            }
            for _ in 0..BURST {
                let Some(event) = self.ready() else { break };
                self.hand_over(&mut core, event);
            }
        }
    }

    fn hand_over(&mut self, core: &mut Core, event: Event) {
        core.handle(event, Instant::now());
        self.carry_out(core.take_work());
    }

    /// Waits for the next event; `None` at the time to wake.
    async fn wait(
        &mut self,
        wake: Option<Instant>,
        stop: Option<&CancellationToken>,
    ) -> Option<Event> {
        let asleep = async {
            match wake {
                Some(wake) => sleep_until(wake).await,
                None => pending().await,
            }
        };
        let told = async {
            match stop {
                Some(stop) => stop.cancelled().await,
                None => pending().await,
            }
        };
        // systemd tells the states of a unit before the end of its job: so does this order.
        let ended = tokio::select! {
            biased;
            signal = next_signal(&mut self.hands.signals) => {
                if signal.is_none() {
                    self.subscribe();
                }
                return signal.map(Event::Signal);
            }
            () = told => return Some(Event::Stop),
            // Without handles nobody asks any more.
            Ok(()) = self.inbox.presence.changed() => {
                let presence = self.inbox.presence.borrow_and_update().clone();
                return Some(Event::Describe(presence));
            }
            Some(asker) = self.inbox.dumps.recv() => return Some(Event::Dump(asker)),
            ended = self.in_flight.next() => ended,
            // The core looks by itself. The sender lives as long as the core.
            Ok(()) = self.doubts.changed() => return None,
            () = asleep => return None,
        };
        self.take(ended?)
    }

    /// The next event, if it is there already.
    fn ready(&mut self) -> Option<Event> {
        loop {
            let signals = self.hands.signals.as_mut();
            if let Some(Ok(signal)) = signals.map(mpsc::Receiver::try_recv) {
                return Some(Event::Signal(signal));
            }
            let ended = self.in_flight.next().now_or_never()??;
            if let Some(event) = self.take(ended) {
                return Some(event);
            }
        }
    }

    fn take(&mut self, ended: Ended<S>) -> Option<Event> {
        match ended {
            Ended::Event(event) => Some(event),
            Ended::Nothing => None,
            Ended::Followed(feed, follower, update) => {
                self.follow(feed, follower);
                Some(match feed {
                    Feed::Assignments => Event::Assignments(update),
                    Feed::Presence => Event::Presence(update),
                })
            }
            Ended::Accepted { unit, serial, ask, job } => {
                let (ended_unit, ended_ask) = (unit.clone(), ask.clone());
                self.in_flight.push(Box::pin(async move {
                    let result = job.ended().await;
                    let (unit, ask) = (ended_unit, ended_ask);
                    Ended::Event(Event::Ended { unit, serial, ask, result })
                }));
                Some(Event::Answered { unit, serial, ask, outcome: Ok(()) })
            }
            Ended::Signals(signals) => {
                self.hands.signals = Some(signals);
                Some(Event::Signal(Signal::Resync))
            }
        }
    }

    /// The signals have ended: asks for others, which take their place.
    fn subscribe(&mut self) {
        self.hands.signals = None;
        let systemd = self.hands.files.systemd.clone();
        self.in_flight.push(Box::pin(async move {
            let mut attempt = 0;
            loop {
                match systemd.signals().await {
                    Ok(signals) => return Ended::Signals(signals),
                    Err(error) => {
                        warn!(error = %chain(&error), attempt, "No signals from systemd");
                        sleep(RETRY.delay(attempt, random_jitter())).await;
                        attempt = attempt.saturating_add(1);
                    }
                }
            }
        }));
    }

    fn follow(&self, feed: Feed, mut follower: Box<Follower<S>>) {
        // Never cancelled: a busy loop would begin lists over and over.
        self.in_flight.push(Box::pin(async move {
            let update = follower.next().await;
            Ended::Followed(feed, follower, update)
        }));
    }

    fn carry_out(&mut self, work: Vec<Work>) {
        for work in work {
            match work {
                Work::Remember(unit, record) => {
                    if let Err(error) = self.hands.records.write(&unit, &record) {
                        let error = chain(&error);
                        error!(%unit, error, "Applied record is not kept: a restart of fleet may start the unit again");
                    }
                }
                Work::DropRecord(unit) => {
                    if let Err(error) = self.hands.records.remove(&unit) {
                        let error = chain(&error);
                        error!(%unit, error, "Applied record is left: a restart of fleet takes the unit for one that nothing assigns");
                    }
                }
                Work::Files(batch) => {
                    let files = self.hands.files.clone();
                    self.push(async move { Event::Filed(files.apply(batch).await) });
                }
                Work::Ask { unit, serial, ask } => self.ask(unit, serial, ask),
                Work::AskStatuses(units) => {
                    let systemd = self.hands.files.systemd.clone();
                    self.push(async move { Event::Statuses(systemd.statuses(&units).await) });
                }
                Work::AskPlaced(unit) => self.ask_placed(unit),
                Work::Write(writing) => self.write(writing),
                Work::KeepAlive(grant) => self.keep_alive(grant),
                Work::EndLeases(leases) => {
                    let registrar = self.registrar.clone();
                    self.in_flight.push(Box::pin(async move {
                        registrar.end_old(leases).await;
                        Ended::Nothing
                    }));
                }
                Work::AskOwnJob => {
                    let systemd = self.hands.files.systemd.clone();
                    self.push(async move { Event::OwnJob(leave::own_job(&systemd).await) });
                }
                Work::Adopt(settings) => self.registrar.settings = settings,
                Work::Announce => {
                    let registrar = self.registrar.clone();
                    self.push(async move {
                        leave::announce(&registrar).await;
                        Event::Announced
                    });
                }
            }
        }
    }

    fn push(&self, event: impl Future<Output = Event> + Send + 'static) {
        self.in_flight.push(Box::pin(event.map(Ended::Event)));
    }

    fn ask(&self, unit: UnitName, serial: u64, ask: Ask) {
        let systemd = self.hands.files.systemd.clone();
        self.in_flight.push(Box::pin(async move {
            let answer = match &ask {
                Ask::Start(_) => systemd.start(&unit).await,
                // Nothing runs of a template.
                Ask::Stop { .. } if unit.is_template() => Ok(Job::finished(JobResult::Done)),
                Ask::Stop { .. } => systemd.stop(&unit).await,
            };
            match answer {
                Ok(job) => Ended::Accepted { unit, serial, ask, job },
                Err(error) => {
                    let outcome = Err(Problem::from(&error));
                    Ended::Event(Event::Answered { unit, serial, ask, outcome })
                }
            }
        }));
    }

    fn ask_placed(&self, unit: UnitName) {
        let Registrar { store, settings } = self.registrar.clone();
        self.push(async move {
            let key = settings.prefix.encode(&Key::Placed(unit.clone()));
            let outcome = match store.range(&Selection::Key(key), None).await {
                Ok(snapshot) => Ok(snapshot.entries.first().and_then(|entry| {
                    // What cannot be read names no machine: the unit stays.
                    decode::<Placed>(&entry.value).ok()
                })),
                Err(error) => Err(Problem { sentence: chain(&error), transient: true }),
            };
            Event::Placed { unit, outcome }
        });
    }

    fn write(&self, writing: Writing) {
        let registrar = self.registrar.clone();
        match writing {
            Writing::Register { states, previous } => self.push(async move {
                let outcome = registrar.register(&states, previous).await;
                Event::Registered { states, outcome }
            }),
            Writing::Publish { states, lease } => self.push(async move {
                let transaction = put_states(&registrar.settings, &states, lease);
                let outcome = registrar.store.commit(transaction).await;
                Event::Published { states, outcome }
            }),
            Writing::Describe { lease } => {
                self.push(async move { Event::Described(registrar.describe(lease).await) });
            }
            Writing::Forget(units) => {
                self.push(async move { Event::Forgotten(registrar.forget(units).await) });
            }
        }
    }

    fn keep_alive(&mut self, grant: Grant) {
        let stop = CancellationToken::new();
        self.keeping_alive = Some(stop.clone().drop_guard());
        // A task of its own: however busy the loop is, the lease lives.
        let task = keep_alive(self.registrar.store.clone(), grant, stop);
        let task = self.tasks.spawn(task);
        self.in_flight.push(Box::pin(async move {
            match task.await {
                Ok(Some(lease)) => Ended::Event(Event::LeaseLost(lease)),
                Ok(None) => Ended::Nothing,
                Err(error) => {
                    error!(%error, "Keep-alive ended");
                    Ended::Event(Event::LeaseLost(grant.id))
                }
            }
        }));
    }
}

async fn next_signal(signals: &mut Option<mpsc::Receiver<Signal>>) -> Option<Signal> {
    match signals {
        Some(signals) => signals.recv().await,
        None => pending().await,
    }
}
