//! What a leader writes down for the one after it: which machines are missing, and that most of
//! them vanished at once. Pure.

use std::collections::BTreeSet;

use fleet_units::MachineId;
use tokio::time::Instant;

use super::presence::Presence;
use crate::registry::document::{Hold, Member, encode};
use crate::registry::key::{Key, KeyPrefix};
use crate::registry::mirror::Mirror;
use crate::store::{Compare, Revision, Transaction, Write};

/// Members noted in one transaction, well below etcd's limit of operations.
const BATCH: usize = 30;

/// What is to be written, fenced by the leadership; `None` if all is written.
pub(super) fn note(
    prefix: &KeyPrefix,
    mirror: &Mirror,
    leadership: Revision,
    presence: &mut Presence,
    now: Instant,
) -> Option<Transaction> {
    let mut noting = Noting { prefix, mirror, transaction: Transaction::default() };
    noting.hold(presence);
    noting.missing(presence.missing(now));
    let Transaction { mut compares, writes } = noting.transaction;
    if writes.is_empty() {
        return None;
    }
    compares.insert(0, Compare::Created(prefix.encode(&Key::Leader), leadership));
    Some(Transaction { compares, writes })
}

struct Noting<'a> {
    prefix: &'a KeyPrefix,
    mirror: &'a Mirror,
    transaction: Transaction,
}

impl Noting<'_> {
    /// Makes `engine/hold` say what the storm is; one that cannot be read stays as it is.
    fn hold(&mut self, presence: &mut Presence) {
        let key = self.prefix.encode(&Key::Hold);
        if self.mirror.unreadable.contains_key(&key) {
            return;
        }
        let shown = self.mirror.hold.as_ref().map(|hold| &hold.document.machines);
        let machines = presence.storm();
        if machines == shown.unwrap_or(&BTreeSet::new()) {
            // One that was to be taken back, and was not: whoever deletes it now is an operator.
            presence.uphold();
            return;
        }
        self.expect(&Key::Hold);
        self.transaction.writes.push(if machines.is_empty() {
            presence.withdraw();
            Write::Delete(key)
        } else {
            let machines = machines.clone();
            Write::Put { key, value: encode(&Hold { machines }), lease: None }
        });
    }

    fn missing<'m>(&mut self, missing: impl Iterator<Item = &'m MachineId>) {
        let unnoted = missing.filter_map(|id| {
            let member = &self.mirror.members.get(id)?.document;
            (!member.missing).then(|| (id, Member { missing: true, ..member.clone() }))
        });
        for (id, member) in unnoted.take(BATCH).collect::<Vec<_>>() {
            let key = Key::Member(id.clone());
            self.expect(&key);
            self.expect(&Key::Machine(id.clone()));
            let key = self.prefix.encode(&key);
            self.transaction.writes.push(Write::Put { key, value: encode(&member), lease: None });
        }
    }

    fn expect(&mut self, key: &Key) {
        let compare = Compare::Modified(self.prefix.encode(key), self.mirror.modified(key));
        self.transaction.compares.push(compare);
    }
}
