//! Makes units once for a cluster, whoever asks for it and how often: a mark beside the unit, written
//! with it and never removed, tells later ones that it was done.

use super::change::Request;
use super::error::ApiError;
use super::write::{ATTEMPTS, Decided, Found, Outcome, Writer, Written, put};
use crate::registry::document::{self, Seeded};
use crate::registry::key::Key;
use crate::store::{Commit, Compare, Revision, Selection, Store, StoreError, Transaction, Write};

impl<S: Store> Writer<S> {
    /// Makes a unit, and says so in its mark. Where there is a mark or a unit, both stay; a unit
    /// that has none gets one, as it may be destroyed.
    pub(super) async fn once(&self, request: &Request) -> Outcome {
        let key = self.prefix.encode(&Key::Unit(request.name.clone()));
        let mark = self.prefix.encode(&Key::Seeded(request.name.clone()));
        let mut doubtful: Option<Decided> = None;
        let mut failure = ApiError::Contended;
        for attempt in 0..=ATTEMPTS {
            // What becomes of either in between, the transaction notices.
            let (found, at) = self.find(&request.name).await?;
            if let Some(marked) = self.modified(&mark).await? {
                let landed = doubtful.and_then(|decided| decided.has_landed(&found, at));
                return Ok(landed.unwrap_or_else(|| kept(&found, marked)));
            }
            if attempt == ATTEMPTS {
                break;
            }
            let step = match found {
                Found::Unit { .. } => Step::Keep(found),
                Found::Nothing | Found::Unreadable { .. } => {
                    Step::Make(put(key.clone(), request, found)?)
                }
            };
            failure = match self.store.commit(step.transaction(&key, &mark, request)).await {
                Ok(Commit::Done(revision)) => return Ok(step.landed(revision)),
                Ok(Commit::Refused(_)) => ApiError::Contended,
                Err(error @ StoreError::OutcomeUnknown { .. }) => {
                    doubtful = step.made();
                    error.into()
                }
                Err(error) => return Err(error.into()),
            };
        }
        Err(failure)
    }

    async fn modified(&self, key: &str) -> Result<Option<Revision>, StoreError> {
        let found = self.store.range(&Selection::Key(key.to_owned()), None).await?;
        Ok(found.entries.first().map(|entry| entry.mod_revision))
    }
}

/// What is to be written where there is no mark.
enum Step {
    /// The unit and its mark.
    Make(Decided),
    /// The mark of a unit that is there.
    Keep(Found),
}

impl Step {
    fn transaction(&self, key: &str, mark: &str, request: &Request) -> Transaction {
        let hash = request.contents.as_ref().map(|contents| contents.file().hash());
        let value = document::encode(&Seeded { hash });
        let marking = Write::Put { key: mark.to_owned(), value, lease: None };
        let unmarked = Compare::Modified(mark.to_owned(), Revision::ABSENT);
        match self {
            Self::Make(decided) => Transaction {
                compares: vec![decided.compare.clone(), unmarked],
                writes: decided.write.iter().cloned().chain([marking]).collect(),
            },
            Self::Keep(found) => {
                let as_found = Compare::Modified(key.to_owned(), found.modified());
                Transaction { compares: vec![as_found, unmarked], writes: vec![marking] }
            }
        }
    }

    fn landed(&self, revision: Revision) -> Written {
        match self {
            Self::Make(decided) => decided.landed(revision),
            Self::Keep(found) => kept(found, revision),
        }
    }

    fn made(self) -> Option<Decided> {
        match self {
            Self::Make(decided) => Some(decided),
            Self::Keep(_) => None,
        }
    }
}

/// What is told of a unit, or of its absence, where the mark was written at `revision`.
fn kept(found: &Found, revision: Revision) -> Written {
    let (uid, generation) = match found {
        Found::Unit { unit, created, .. } => (created.0, unit.generation),
        Found::Nothing | Found::Unreadable { .. } => (0, 0),
    };
    Written { is_created: false, uid, generation, warnings: Vec::new(), is_kept: true, revision }
}
