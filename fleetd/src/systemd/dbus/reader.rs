//! The task that reads systemd's signals. It owns the tables of jobs and followers, makes the
//! calls that jobs come from, and makes the connection anew when it is lost. It never waits for an
//! answer: signals and answers share the connection's queue, so it would wait for itself.

use std::time::Duration;

use fleet_units::UnitName;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{mpsc, oneshot, watch};
use tracing::{debug, info, warn};
use zbus::MessageStream;

use super::super::{Job, JobResult, Signal, SystemdError};
use super::call::{DEADLINE, Disconnected, Question, unreachable};
use super::followers::Followers;
use super::jobs::Jobs;
use super::session::Session;
use super::signal::{self, Heard};
use super::{Bus, IN_FLIGHT};
use crate::backoff::Backoff;

/// systemd is back on a restarted bus within a fraction of a second.
const RECONNECT: Backoff = Backoff { min: Duration::from_millis(50), max: Duration::from_secs(5) };

/// systemd's name for the error about a unit that it does not have in memory.
pub(super) const NO_SUCH_UNIT: &str = "org.freedesktop.systemd1.NoSuchUnit";

/// What a handle asks of the reader.
#[derive(Debug)]
pub(super) enum Request {
    /// Start or stop a unit.
    Job { verb: Verb, unit: UnitName, answer: Answer },
    /// Follow the signals.
    Follow(oneshot::Sender<mpsc::Receiver<Signal>>),
}

type Answer = oneshot::Sender<Result<Job, SystemdError>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Start,
    Stop,
}

/// An answered call: the job's path, or `None` if there was nothing to do.
struct Answered {
    answer: Answer,
    job: Result<Option<String>, SystemdError>,
}

#[derive(Debug)]
pub(super) struct Reader {
    pub(super) bus: Bus,
    pub(super) requests: mpsc::Receiver<Request>,
    pub(super) current: watch::Sender<Option<Session>>,
    pub(super) jobs: Jobs,
    pub(super) followers: Followers,
}

enum End {
    /// The last handle is gone.
    NoHandles,
    /// The connection broke, or systemd left the bus.
    Lost,
}

impl Reader {
    pub(super) async fn run(mut self, mut session: Session, mut messages: MessageStream) {
        while let End::Lost = self.serve(&session, messages).await {
            warn!("Connection to systemd is lost; making it anew");
            self.jobs = Jobs::default();
            self.current.send_replace(None);
            let Some(made) = self.reconnect().await else { return };
            (session, messages) = made;
            self.current.send_replace(Some(session.clone()));
            self.followers.tell(&Signal::Resync);
            info!("Connected to systemd again");
        }
    }

    async fn serve(&mut self, session: &Session, mut messages: MessageStream) -> End {
        let mut calls: FuturesUnordered<BoxFuture<'static, Answered>> = FuturesUnordered::new();
        loop {
            tokio::select! {
                Some(answered) = calls.next() => {
                    self.settle(answered);
                    if calls.is_empty() {
                        self.jobs.settle();
                    }
                }
                message = messages.next() => {
                    let Some(Ok(message)) = message else { return End::Lost };
                    match signal::read(&message, &session.owner) {
                        Some(Heard::JobEnded { path, result }) => {
                            self.jobs.end(&path, result, !calls.is_empty());
                        }
                        Some(Heard::Signal(signal)) => self.followers.tell(&signal),
                        Some(Heard::OwnerChanged) => return End::Lost,
                        None => {}
                    }
                }
                request = self.requests.recv(), if calls.len() < IN_FLIGHT => match request {
                    Some(Request::Job { verb, unit, answer }) => {
                        calls.push(Box::pin(call(session.clone(), verb, unit, answer)));
                    }
                    Some(Request::Follow(answer)) => self.follow(answer),
                    None => return End::NoHandles,
                },
                () = self.followers.catch_up() => debug!("A follower has caught up"),
            }
        }
    }

    fn settle(&mut self, Answered { answer, job }: Answered) {
        let job = job.map(|path| match path {
            Some(path) => self.jobs.accept(path),
            None => Job::finished(JobResult::Done),
        });
        // The asker may have gone; systemd does the job all the same.
        let (Ok(()) | Err(_)) = answer.send(job);
    }

    fn follow(&mut self, answer: oneshot::Sender<mpsc::Receiver<Signal>>) {
        // An asker that has gone drops the receiver, which ends the following.
        let (Ok(()) | Err(_)) = answer.send(self.followers.follow());
    }

    /// Connects, however long it takes; answers requests meanwhile. `None` if no handle is left.
    async fn reconnect(&mut self) -> Option<(Session, MessageStream)> {
        let bus = self.bus;
        let connected = async move {
            let mut attempt = 0;
            loop {
                tokio::time::sleep(RECONNECT.delay(attempt, 0.0)).await;
                match Session::open(bus).await {
                    Ok(made) => return made,
                    Err(error) => debug!(%error, attempt, "Cannot connect to systemd yet"),
                }
                attempt = attempt.saturating_add(1);
            }
        };
        tokio::pin!(connected);
        loop {
            tokio::select! {
                made = &mut connected => return Some(made),
                request = self.requests.recv() => match request? {
                    Request::Job { answer, .. } => {
                        // The asker may have gone.
                        let (Ok(()) | Err(_)) = answer.send(Err(unreachable(Disconnected)));
                    }
                    Request::Follow(answer) => self.follow(answer),
                },
            }
        }
    }
}

async fn call(session: Session, verb: Verb, unit: UnitName, answer: Answer) -> Answered {
    let manager = &session.manager;
    let made = match verb {
        Verb::Start => {
            Question::new("start", &unit)
                .answered_within(DEADLINE, manager.start_unit(unit.as_str(), "replace"))
                .await
        }
        Verb::Stop => {
            Question::new("stop", &unit)
                .answered_within(DEADLINE, manager.stop_unit(unit.as_str(), "replace"))
                .await
        }
    };
    let job = match made {
        Ok(path) => Ok(Some(path.to_string())),
        Err(SystemdError::Refused { name, .. }) if verb == Verb::Stop && name == NO_SUCH_UNIT => {
            Ok(None)
        }
        Err(error) => Err(error),
    };
    Answered { answer, job }
}
