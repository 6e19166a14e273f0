//! Deleting the documents of units that are gone: assignment and state together, and only if the
//! assignment is still the one that was carried out.

use fleet_units::UnitName;

use super::AgentSettings;
use super::presence::Registrar;
use crate::registry::key::Key;
use crate::store::{Commit, Compare, Revision, Store, StoreError, Transaction, Write};

/// What became of deletions.
#[derive(Debug, Default)]
pub(crate) struct Forgotten {
    /// Those that the store decided on.
    pub(crate) decided: Vec<(UnitName, Revision, Commit)>,
    /// Those that are to be made again, as the store failed.
    pub(crate) left: Vec<(UnitName, Revision)>,
    /// How it failed.
    pub(crate) error: Option<StoreError>,
}

impl<S: Store> Registrar<S> {
    /// Deletes in one transaction, and one by one if some assignment has changed.
    pub(crate) async fn forget(&self, units: Vec<(UnitName, Revision)>) -> Forgotten {
        match self.store.commit(deletion(&self.settings, &units)).await {
            Ok(Commit::Done(revision)) => {
                let done = |(unit, modified)| (unit, modified, Commit::Done(revision));
                Forgotten { decided: units.into_iter().map(done).collect(), ..Forgotten::default() }
            }
            Ok(Commit::Refused(_)) => self.forget_singly(units).await,
            Err(error) => Forgotten { left: units, error: Some(error), ..Forgotten::default() },
        }
    }

    async fn forget_singly(&self, units: Vec<(UnitName, Revision)>) -> Forgotten {
        let mut forgotten = Forgotten::default();
        let mut units = units.into_iter();
        for (unit, modified) in units.by_ref() {
            let one = [(unit, modified)];
            let outcome = self.store.commit(deletion(&self.settings, &one)).await;
            let [(unit, modified)] = one;
            match outcome {
                Ok(commit) => forgotten.decided.push((unit, modified, commit)),
                Err(error) => {
                    forgotten.left.push((unit, modified));
                    forgotten.error = Some(error);
                    break;
                }
            }
        }
        forgotten.left.extend(units);
        forgotten
    }
}

fn deletion(settings: &AgentSettings, units: &[(UnitName, Revision)]) -> Transaction {
    let mut transaction = Transaction::default();
    for (unit, modified) in units {
        let machine = &settings.machine;
        let schedule = settings.prefix.encode(&Key::Schedule(machine.clone(), unit.clone()));
        let state = settings.prefix.encode(&Key::State(machine.clone(), unit.clone()));
        transaction.compares.push(Compare::Modified(schedule.clone(), *modified));
        if *modified != Revision::ABSENT {
            transaction.writes.push(Write::Delete(schedule));
        }
        transaction.writes.push(Write::Delete(state));
    }
    transaction
}
