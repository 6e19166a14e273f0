//! Metadata that is set while machines run: reads what is stored, works the changes in, and writes
//! it back if nobody was faster.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use fleet_units::api::{MetadataChange, MetadataOperation};
use fleet_units::{MachineId, Metadata};

use super::error::{ApiError, MAX_BODY};
use super::view::View;
use super::{Api, body};
use crate::backoff::{Backoff, random_jitter};
use crate::log::chain;
use crate::registry::document::{self, MetadataOverlay};
use crate::registry::key::{Key, KeyPrefix};
use crate::registry::mirror::Mirror;
use crate::store::{
    Commit, Compare, MAX_OPERATIONS, Revision, Selection, Store, StoreError, Transaction, Write,
};

/// One document holds all keys of a machine, so those who set different ones meet here. Each
/// attempt that fails lets somebody else's land.
const ATTEMPTS: u32 = 20;
const PAUSE: Backoff = Backoff { min: Duration::from_millis(2), max: Duration::from_millis(100) };

/// Machines in one transaction: two compares for each.
const GROUP: usize = MAX_OPERATIONS / 2;

/// Every fleetd that answers requests holds the metadata of all machines. A group of the largest
/// fits into one transaction.
const MAX_DOCUMENT: usize = 16 * 1024;

/// What an answer to a PATCH carries beside its status, as in 1.0.
type Answer = (StatusCode, [(HeaderName, &'static str); 1]);

/// Sets metadata of machines while they run
///
/// Operations on up to 60 machines take effect together or not at all.
#[utoipa::path(
    patch,
    path = "/machines",
    operation_id = "patchMachines",
    tag = "v1",
    request_body(
        content = Vec<MetadataOperation>,
        example = json!([{"op": "add", "path": "/8145ebb7/metadata/disk", "value": "ssd"}])
    ),
    responses(
        (status = 204, description = "It is set"),
        (status = 400, description = "An operation means nothing"),
        (status = 409, description = "Others change the same, or what is stored is garbage"),
        (status = 413, description = "A machine would have too much")
    )
)]
pub(super) async fn patch<S: Store>(
    State(api): State<Arc<Api<S>>>,
    body: Body,
) -> Result<Answer, ApiError> {
    // 1.0 asked for no content type here.
    let operations: Vec<MetadataOperation> = body::read_json(body, MAX_BODY).await?;
    let changes = operations.into_iter().map(MetadataChange::try_from);
    let changes = Edits::of(changes.collect::<Result<Vec<_>, _>>()?);
    let (store, prefix, view) = (api.store.clone(), api.prefix.clone(), api.view.clone());
    Patcher { store, prefix, view }.carry_out(changes).await?;
    Ok((StatusCode::NO_CONTENT, [(header::CONTENT_TYPE, "application/json")]))
}

/// Changes by machine, those of one machine in their order.
#[derive(Debug, Default)]
struct Edits(BTreeMap<MachineId, Vec<MetadataChange>>);

impl Edits {
    fn of(changes: Vec<MetadataChange>) -> Self {
        let mut by_machine = Self::default();
        for change in changes {
            by_machine.0.entry(change.machine.clone()).or_default().push(change);
        }
        by_machine
    }

    /// The changes of as many machines as fit into one transaction; none when all are taken.
    fn take_group(&mut self) -> Option<Vec<(MachineId, Vec<MetadataChange>)>> {
        let group: Vec<_> = std::iter::from_fn(|| self.0.pop_first()).take(GROUP).collect();
        (!group.is_empty()).then_some(group)
    }
}

struct Patcher<S> {
    store: S,
    prefix: KeyPrefix,
    view: View,
}

impl<S: Store> Patcher<S> {
    /// On return the view shows what was written.
    async fn carry_out(&self, mut changes: Edits) -> Result<(), ApiError> {
        while let Some(group) = changes.take_group() {
            let revision = self.land(&group).await?;
            self.view.catch_up(revision).await;
        }
        Ok(())
    }

    /// Writes the changes of some machines, all or none. Each attempt begins with what is stored,
    /// so one whose outcome is not known is simply made again.
    async fn land(&self, group: &[(MachineId, Vec<MetadataChange>)]) -> Result<Revision, ApiError> {
        let mut failure = ApiError::Contended;
        for attempt in 0..ATTEMPTS {
            let (transaction, stored) = self.decide(group).await?;
            if transaction.writes.is_empty() {
                return Ok(stored);
            }
            failure = match self.store.commit(transaction).await {
                Ok(Commit::Done(revision)) => return Ok(revision),
                Ok(Commit::Refused(_)) => ApiError::Contended,
                Err(error @ StoreError::OutcomeUnknown { .. }) => error.into(),
                Err(error) => return Err(error.into()),
            };
            tokio::time::sleep(PAUSE.delay(attempt, random_jitter())).await;
        }
        Err(failure)
    }

    /// What to write, and the newest revision that this looked at.
    async fn decide(
        &self,
        group: &[(MachineId, Vec<MetadataChange>)],
    ) -> Result<(Transaction, Revision), ApiError> {
        let mut transaction = Transaction::default();
        let mut newest = Revision::ABSENT;
        for (machine, changes) in group {
            let keys = [Key::Metadata(machine.clone()), Key::Machine(machine.clone())];
            let mirror = self.read(&keys).await?;
            let Some(write) = decide(&mirror, &self.prefix, machine, changes)? else {
                newest = newest.max(mirror.modified(&keys[0]));
                continue;
            };
            transaction.writes.push(write);
            // What a removal leaves depends on what the machine has configured.
            let is_read = [true, changes.iter().any(|change| change.value.is_none())];
            for (key, _) in keys.iter().zip(is_read).filter(|(_, is_read)| *is_read) {
                let compare = Compare::Modified(self.prefix.encode(key), mirror.modified(key));
                transaction.compares.push(compare);
            }
        }
        Ok((transaction, newest))
    }

    /// Asks the store and not the view: that nothing needs to be written must be true now.
    async fn read(&self, keys: &[Key; 2]) -> Result<Mirror, StoreError> {
        let select = |key: &Key| Selection::Key(self.prefix.encode(key));
        let mut snapshot = self.store.range(&select(&keys[0]), None).await?;
        snapshot.entries.extend(self.store.range(&select(&keys[1]), None).await?.entries);
        let mut mirror = Mirror::new(self.prefix.clone());
        mirror.reset(snapshot);
        Ok(mirror)
    }
}

/// The write that makes a machine's metadata what it was asked to be, if one is needed.
fn decide(
    mirror: &Mirror,
    prefix: &KeyPrefix,
    machine: &MachineId,
    changes: &[MetadataChange],
) -> Result<Option<Write>, ApiError> {
    let key = prefix.encode(&Key::Metadata(machine.clone()));
    if let Some(unreadable) = mirror.unreadable.get(&key) {
        return Err(ApiError::UnreadableMetadata { reason: chain(&unreadable.error), key });
    }
    let overlay = mirror.metadata.get(machine).map(|stored| &stored.document);
    let before = overlay.cloned().unwrap_or_default();
    let configured = mirror.machines.get(machine).map(|stored| &stored.document.metadata);
    let after = changed(before.clone(), configured, changes);
    if after == before {
        return Ok(None);
    }
    if after.values.is_empty() {
        return Ok(Some(Write::Delete(key)));
    }
    let value = document::encode(&after);
    if value.len() > MAX_DOCUMENT {
        return Err(ApiError::MetadataTooLarge(machine.clone()));
    }
    Ok(Some(Write::Put { key, value, lease: None }))
}

/// Works changes in. A key that is taken away leaves a mark if the machine has it configured, or
/// is away and may have.
fn changed(
    mut overlay: MetadataOverlay,
    configured: Option<&Metadata>,
    changes: &[MetadataChange],
) -> MetadataOverlay {
    for MetadataChange { key, value, .. } in changes {
        match value {
            Some(value) => drop(overlay.values.insert(key.clone(), value.clone())),
            None if configured.is_none_or(|configured| configured.contains_key(key)) => {
                drop(overlay.values.insert(key.clone(), String::new()));
            }
            None => drop(overlay.values.remove(key)),
        }
    }
    overlay
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::placement::testing::metadata;

    fn change(key: &str, value: Option<&str>) -> MetadataChange {
        let (machine, value) = ("m1".parse().unwrap(), value.map(str::to_owned));
        MetadataChange { machine, key: key.into(), value }
    }

    #[test]
    fn what_a_removal_leaves_depends_on_what_is_configured() {
        let configured = metadata("disk=ssd");
        let add = |key| change(key, Some("new"));
        let remove = |key| change(key, None);
        let cases = [
            ("", vec![add("disk")], Some(&configured), "disk=new"),
            ("", vec![remove("disk")], Some(&configured), "disk="),
            ("disk=new", vec![remove("disk")], Some(&configured), "disk="),
            ("disk=", vec![add("disk")], Some(&configured), "disk=new"),
            ("role=web", vec![remove("role")], Some(&configured), ""),
            ("role=", vec![remove("role")], Some(&configured), ""),
            ("", vec![remove("role")], Some(&configured), ""),
            ("role=web", vec![remove("role")], None, "role="),
            ("", vec![remove("role")], None, "role="),
            ("", vec![add("role"), remove("role")], Some(&configured), ""),
            ("", vec![remove("role"), add("role")], None, "role=new"),
        ];

        for (before, changes, configured, after) in cases {
            let before = MetadataOverlay { values: metadata(before) };
            let expected = MetadataOverlay { values: metadata(after) };
            assert_eq!(
                changed(before.clone(), configured, &changes),
                expected,
                "{before:?} {changes:?}"
            );
        }
    }
}
