//! Changes that wait together: decided one after the other, each on top of those before it, written
//! with one sync of the disk, and answered only then.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;
use uuid::Uuid;

use super::super::{Commit, Grant, LeaseId, StoreError, Transaction};
use super::model::{Made, Model, Step, Verdict};

/// Where an answer goes. Nobody minds if it is not wanted any more.
pub(super) type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// A change that somebody asks for.
#[derive(Debug)]
pub(super) enum Change {
    Commit(Transaction, Reply<Commit>),
    Grant(Duration, Reply<Grant>),
    Revoke(LeaseId, Reply<()>),
    /// A lease has run out.
    Expire(LeaseId),
}

/// An answer that is held back until it is true for good.
#[derive(Debug)]
enum Answer {
    Commit(Result<Commit, StoreError>, Reply<Commit>),
    Grant(Grant, Reply<Grant>),
    Revoke(Reply<()>),
}

impl Answer {
    fn give(self) {
        match self {
            Self::Commit(outcome, reply) => drop(reply.send(outcome)),
            Self::Grant(grant, reply) => drop(reply.send(Ok(grant))),
            Self::Revoke(reply) => drop(reply.send(Ok(()))),
        }
    }

    fn refuse(self, error: StoreError) {
        match self {
            Self::Commit(_, reply) => drop(reply.send(Err(error))),
            Self::Grant(_, reply) => drop(reply.send(Err(error))),
            Self::Revoke(reply) => drop(reply.send(Err(error))),
        }
    }
}

/// Changes that are made in memory and not yet on the disk.
#[derive(Debug, Default)]
pub(super) struct Group {
    /// What is to be written.
    pub(super) steps: Vec<Step>,
    made: Vec<Made>,
    answers: Vec<Answer>,
}

impl Group {
    /// Decides a change on top of those before it.
    pub(super) fn add(&mut self, model: &mut Model, change: Change, now: Instant) {
        match change {
            Change::Commit(transaction, reply) => {
                let outcome = model.decide(transaction, now).map(|verdict| match verdict {
                    Verdict::Settled(commit) => commit,
                    Verdict::Write(step) => {
                        let revision = step.revision;
                        self.make(model, step, now);
                        Commit::Done(revision)
                    }
                });
                self.answers.push(Answer::Commit(outcome, reply));
            }
            Change::Grant(ttl, reply) => {
                let mut id = random_lease();
                while model.has_lease(id) {
                    id = random_lease();
                }
                let step = model.grant(id, ttl);
                self.make(model, step, now);
                self.answers.push(Answer::Grant(Grant { id, ttl }, reply));
            }
            Change::Revoke(lease, reply) => {
                self.end(model, lease, now);
                self.answers.push(Answer::Revoke(reply));
            }
            Change::Expire(lease) => self.end(model, lease, now),
        }
    }

    /// All of it is on the disk.
    pub(super) fn accept(self, model: &mut Model) {
        self.made.into_iter().for_each(|made| model.remember(made));
        self.answers.into_iter().for_each(Answer::give);
    }

    /// None of it may be seen: takes it back. The answers remain to be given.
    pub(super) fn take_back(&mut self, model: &mut Model) {
        self.steps.clear();
        self.made.drain(..).rev().for_each(|made| model.unmake(made));
    }

    /// Tells everybody why it is not done.
    pub(super) fn refuse(self, error: impl Fn() -> StoreError) {
        self.answers.into_iter().for_each(|answer| answer.refuse(error()));
    }

    fn end(&mut self, model: &mut Model, lease: LeaseId, now: Instant) {
        if let Some(step) = model.revoke(lease) {
            self.make(model, step, now);
        }
    }

    fn make(&mut self, model: &mut Model, step: Step, now: Instant) {
        self.made.push(model.make(step.clone(), now));
        self.steps.push(step);
    }
}

fn random_lease() -> LeaseId {
    let (random, _) = Uuid::new_v4().as_u64_pair();
    // Positive, as etcd's are.
    LeaseId((random >> 1).cast_signed().max(1))
}
