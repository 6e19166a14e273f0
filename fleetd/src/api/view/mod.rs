//! The API's view of the cluster: one task that owns a copy of the registry, opened at the first
//! request and closed a minute after the last, so that a machine nobody asks carries none.
//!
//! Requests are questions sent to the task. A question is answered once the store was heard of
//! lately: with the store out of reach nobody is told what may be true no more.

#[cfg(test)]
mod tests;

use std::future::{Future, pending};
use std::pin::Pin;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::error::Unavailable;
use super::scene::Scene;
use crate::log::chain;
use crate::registry::follow::{Follower, Update};
use crate::registry::key::{Key, KeyPrefix};
use crate::store::{Revision, Selection, Snapshot, Store, StoreError};

/// People wait this long for an answer. fleetctl waits for 3 s, and is to hear why there is none.
const PATIENCE: Duration = Duration::from_millis(2500);
/// A write that is done is told even if its own view lags.
const CATCH_UP: Duration = Duration::from_secs(2);
/// How long nobody asks before the view is closed.
const IDLE: Duration = Duration::from_secs(60);
/// A store that was heard of so lately need not be asked whether it is there. Short enough that
/// nobody takes an old answer for a new one, long enough for all pages of a list.
const FRESH: Duration = Duration::from_millis(500);
/// Questions that wait for the task; more than that wait to be sent.
const QUEUE: usize = 64;

/// Asks the view. Clones ask the same one.
#[derive(Clone, Debug)]
pub(super) struct View {
    questions: mpsc::Sender<Question>,
}

enum Question {
    Read {
        /// Whether the store must have been heard of lately.
        fresh: bool,
        answer: Answer,
    },
    Wait {
        revision: Revision,
        reply: oneshot::Sender<()>,
    },
}

type Answer = Box<dyn FnOnce(Result<&mut Scene, Unavailable>) + Send>;

impl View {
    /// A view with the task that has to run for it.
    pub(super) fn new<S: Store>(store: S, prefix: KeyPrefix) -> (Self, Viewer<S>) {
        let (questions, asked) = mpsc::channel(QUEUE);
        (Self { questions }, Viewer { store, prefix, asked })
    }

    /// Looks at the registry as it is now.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(&mut Scene) -> T + Send + 'static,
    ) -> Result<T, Unavailable> {
        self.ask(true, look).await
    }

    /// Looks at the registry as it was last heard of.
    pub(super) async fn peek<T: Send + 'static>(
        &self,
        look: impl FnOnce(&mut Scene) -> T + Send + 'static,
    ) -> Result<T, Unavailable> {
        self.ask(false, look).await
    }

    async fn ask<T: Send + 'static>(
        &self,
        fresh: bool,
        look: impl FnOnce(&mut Scene) -> T + Send + 'static,
    ) -> Result<T, Unavailable> {
        let (reply, answered) = oneshot::channel();
        // Who went away needs no answer, and nobody waits until it is found.
        let answer: Answer = Box::new(move |scene| {
            if !reply.is_closed() {
                drop(reply.send(scene.map(look)));
            }
        });
        let asking = async {
            let question = Question::Read { fresh, answer };
            self.questions.send(question).await.map_err(|_| Unavailable::Stopping)?;
            answered.await.map_err(|_| Unavailable::Stopping)?
        };
        timeout(PATIENCE, asking).await.unwrap_or(Err(Unavailable::Silent))
    }

    /// Waits until the view holds what was written at a revision, or until that takes too long.
    pub(super) async fn catch_up(&self, revision: Revision) {
        let (reply, caught_up) = oneshot::channel();
        let waiting = async {
            if self.questions.send(Question::Wait { revision, reply }).await.is_ok() {
                // A view that stops has nobody to disappoint.
                drop(caught_up.await);
            }
        };
        let _late = timeout(CATCH_UP, waiting).await;
    }
}

/// The task behind a [`View`].
pub(super) struct Viewer<S> {
    store: S,
    prefix: KeyPrefix,
    asked: mpsc::Receiver<Question>,
}

type Probe = Pin<Box<dyn Future<Output = Result<Snapshot, StoreError>> + Send>>;

enum Event {
    Asked(Question),
    Learned(Update),
    Probed(Result<Snapshot, StoreError>),
    Due,
}

#[derive(Debug, PartialEq, Eq)]
enum Reaction {
    Nothing,
    Probe,
    Close,
}

impl<S: Store> Viewer<S> {
    /// Answers until it is told to stop or nobody can ask any more.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let serving = async {
            while let Some(question) = self.asked.recv().await {
                self.session(question).await;
            }
        };
        // Questions that are dropped are answered by that.
        let _stopped = stop.run_until_cancelled(serving).await;
    }

    async fn session(&mut self, first: Question) {
        let everything = Selection::Prefix(self.prefix.as_str().to_owned());
        let mut follower = Follower::new(self.store.clone(), everything);
        let mut session = Session::new(self.prefix.clone(), Instant::now());
        let mut probe: Option<Probe> = None;
        let mut event = Event::Asked(first);
        loop {
            if matches!(event, Event::Probed(_)) {
                probe = None;
            }
            session.is_current &= follower.is_current();
            match session.handle(event, Instant::now()) {
                Reaction::Nothing => {}
                Reaction::Probe if probe.is_some() => {}
                Reaction::Probe => probe = Some(self.probe()),
                Reaction::Close => return,
            }
            event = tokio::select! {
                question = self.asked.recv() => match question {
                    Some(question) => Event::Asked(question),
                    None => return,
                },
                update = follower.next() => Event::Learned(update),
                outcome = running(&mut probe) => Event::Probed(outcome),
                () = sleep_until(session.due()) => Event::Due,
            };
        }
    }

    /// The smallest question that only a store with a quorum answers.
    fn probe(&self) -> Probe {
        let store = self.store.clone();
        let key = Selection::Key(self.prefix.encode(&Key::Leader));
        Box::pin(async move { store.range(&key, None).await })
    }
}

async fn running(probe: &mut Option<Probe>) -> Result<Snapshot, StoreError> {
    match probe {
        Some(probe) => probe.await,
        None => pending().await,
    }
}

/// A view while it is open.
struct Session {
    scene: Scene,
    /// Whether there is anything to look at.
    is_listed: bool,
    /// Whether that is followed. While the store is listed anew it is what was true before.
    is_current: bool,
    /// When the store last answered.
    heard: Option<Instant>,
    last_use: Instant,
    unproven: Vec<Answer>,
    /// The last list failed: nothing comes by itself for a while.
    failed: bool,
    waiting: Vec<(Revision, oneshot::Sender<()>)>,
}

impl Session {
    fn new(prefix: KeyPrefix, now: Instant) -> Self {
        Self {
            scene: Scene::new(prefix),
            is_listed: false,
            is_current: false,
            heard: None,
            last_use: now,
            unproven: Vec::new(),
            failed: false,
            waiting: Vec::new(),
        }
    }

    fn due(&self) -> Instant {
        let idle = self.last_use + IDLE;
        self.scene.next_explanation().map_or(idle, |due| due.min(idle))
    }

    fn handle(&mut self, event: Event, now: Instant) -> Reaction {
        match event {
            Event::Asked(Question::Read { fresh, answer }) => self.read(fresh, answer, now),
            Event::Asked(Question::Wait { revision, reply }) => {
                self.last_use = now;
                self.waiting.push((revision, reply));
                self.release();
                Reaction::Nothing
            }
            Event::Learned(update) => {
                self.learn(update, now);
                Reaction::Nothing
            }
            Event::Probed(Ok(_)) => {
                self.heard = Some(now);
                self.answer_all();
                Reaction::Nothing
            }
            Event::Probed(Err(error)) => {
                self.fail_all(&error);
                Reaction::Nothing
            }
            Event::Due => self.tick(now),
        }
    }

    fn read(&mut self, fresh: bool, answer: Answer, now: Instant) -> Reaction {
        self.last_use = now;
        let is_fresh = self.heard.is_some_and(|heard| now.duration_since(heard) < FRESH);
        if self.is_listed && !fresh || self.is_current && is_fresh {
            answer(Ok(&mut self.scene));
            return Reaction::Nothing;
        }
        self.unproven.push(answer);
        // A list proves as much.
        if self.is_current || self.failed { Reaction::Probe } else { Reaction::Nothing }
    }

    fn learn(&mut self, update: Update, now: Instant) {
        match update {
            Update::Listed(snapshot) => {
                self.scene.reset(snapshot);
                self.is_listed = true;
                self.is_current = true;
                self.failed = false;
                self.heard = Some(now);
                self.answer_all();
            }
            Update::Changed { revision, events } => {
                self.scene.apply(revision, events);
                self.heard = Some(now);
                self.answer_all();
            }
            Update::Unreachable(error) => {
                self.heard = None;
                self.is_current = false;
                self.failed = true;
                self.fail_all(&error);
            }
        }
        self.release();
    }

    fn tick(&mut self, now: Instant) -> Reaction {
        self.scene.wake_due(now);
        if self.last_use + IDLE > now {
            return Reaction::Nothing;
        }
        if self.scene.is_followed() || !self.unproven.is_empty() {
            self.last_use = now;
            return Reaction::Nothing;
        }
        Reaction::Close
    }

    fn answer_all(&mut self) {
        if self.is_current {
            for answer in self.unproven.drain(..) {
                answer(Ok(&mut self.scene));
            }
        }
    }

    fn fail_all(&mut self, error: &StoreError) {
        let reason = chain(error);
        for answer in self.unproven.drain(..) {
            answer(Err(Unavailable::Unreachable(reason.clone())));
        }
    }

    fn release(&mut self) {
        let held = self.scene.mirror.revision;
        let is_listed = self.is_listed;
        for (_, reply) in
            self.waiting.extract_if(.., |(revision, _)| is_listed && *revision <= held)
        {
            // Who went away needs no answer.
            let _gone = reply.send(());
        }
    }
}
