//! A typed copy of the registry, kept true by a list and the watch that follows it. Pure: whoever
//! owns it feeds it snapshots and events, and is told which keys changed.

use std::collections::BTreeMap;

use fleet_units::{MachineId, UnitName};

use super::document::{
    Assignment, DocumentError, Hold, Leader, Machine, Member, MetadataOverlay, Placed, State, Unit,
    check_version, decode,
};
use super::key::{Key, KeyPrefix};
use crate::store::{Event, KeyValue, LeaseId, Revision, Snapshot};

/// A document with the revisions that transactions compare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored<T> {
    /// The document.
    pub document: T,
    /// Revision that created the key: for a unit, its `uid`.
    pub created: Revision,
    /// Revision of the last write.
    pub modified: Revision,
    /// Lease that it dies with.
    pub lease: Option<LeaseId>,
}

/// All documents of a cluster, as of one revision.
#[derive(Debug)]
pub struct Mirror {
    prefix: KeyPrefix,
    /// Revision up to which events are applied.
    pub revision: Revision,
    /// `members/`.
    pub members: BTreeMap<MachineId, Stored<Member>>,
    /// `machines/`.
    pub machines: BTreeMap<MachineId, Stored<Machine>>,
    /// `metadata/`.
    pub metadata: BTreeMap<MachineId, Stored<MetadataOverlay>>,
    /// `units/`.
    pub units: BTreeMap<UnitName, Stored<Unit>>,
    /// `placed/`.
    pub placed: BTreeMap<UnitName, Stored<Placed>>,
    /// `schedule/`, by unit and machine.
    pub schedule: BTreeMap<UnitName, BTreeMap<MachineId, Stored<Assignment>>>,
    /// `states/`, by unit and machine.
    pub states: BTreeMap<UnitName, BTreeMap<MachineId, Stored<State>>>,
    /// `engine/leader`.
    pub leader: Option<Stored<Leader>>,
    /// `engine/hold`.
    pub hold: Option<Stored<Hold>>,
    /// Documents that cannot be read, by their full key; whatever they speak of stays as it is.
    pub unreadable: BTreeMap<String, Unreadable>,
}

/// A document that cannot be read.
#[derive(Debug)]
pub struct Unreadable {
    /// The key, if at least that is one of ours.
    pub key: Option<Key>,
    /// Revision of the last write.
    pub modified: Revision,
    /// What is wrong with it.
    pub error: UnreadableError,
}

/// Why a key of the store means nothing to us.
#[derive(Debug, thiserror::Error)]
pub enum UnreadableError {
    /// The key is not in the layout.
    #[error("no key of fleet: remove it, or use another etcd_key_prefix")]
    UnknownKey,
    /// The value is not a document.
    #[error(transparent)]
    Document(#[from] DocumentError),
}

impl Mirror {
    /// An empty mirror, before the first list.
    #[must_use]
    pub const fn new(prefix: KeyPrefix) -> Self {
        Self {
            prefix,
            revision: Revision::ABSENT,
            members: BTreeMap::new(),
            machines: BTreeMap::new(),
            metadata: BTreeMap::new(),
            units: BTreeMap::new(),
            placed: BTreeMap::new(),
            schedule: BTreeMap::new(),
            states: BTreeMap::new(),
            leader: None,
            hold: None,
            unreadable: BTreeMap::new(),
        }
    }

    /// Replaces everything by a list. Whoever plans on the mirror plans everything anew.
    pub fn reset(&mut self, snapshot: Snapshot) {
        *self = Self::new(self.prefix.clone());
        for entry in snapshot.entries {
            self.put(entry);
        }
        self.revision = snapshot.revision;
    }

    /// Applies a batch of a watch; returns the keys that it touched.
    pub fn apply(&mut self, revision: Revision, events: Vec<Event>) -> Vec<Key> {
        let touched = events
            .into_iter()
            .filter_map(|event| match event {
                Event::Put(entry) => self.put(entry),
                Event::Delete { key, .. } => self.delete(&key),
            })
            .collect();
        self.revision = self.revision.max(revision);
        touched
    }

    /// Revision of the last write of a key, readable or not; absent for keys that are not kept.
    #[must_use]
    pub fn modified(&self, key: &Key) -> Revision {
        let modified = match key {
            Key::Member(id) => self.members.get(id).map(|stored| stored.modified),
            Key::Machine(id) => self.machines.get(id).map(|stored| stored.modified),
            Key::Metadata(id) => self.metadata.get(id).map(|stored| stored.modified),
            Key::Unit(name) => self.units.get(name).map(|stored| stored.modified),
            Key::Placed(name) => self.placed.get(name).map(|stored| stored.modified),
            Key::Schedule(id, name) => {
                self.schedule.get(name).and_then(|by| by.get(id)).map(|stored| stored.modified)
            }
            Key::State(id, name) => {
                self.states.get(name).and_then(|by| by.get(id)).map(|stored| stored.modified)
            }
            Key::Leader => self.leader.as_ref().map(|stored| stored.modified),
            Key::Hold => self.hold.as_ref().map(|stored| stored.modified),
            Key::Settings | Key::Seeded(_) => None,
        };
        let unreadable = || self.unreadable.get(&self.prefix.encode(key)).map(|bad| bad.modified);
        modified.or_else(unreadable).unwrap_or(Revision::ABSENT)
    }

    /// Whether the document of a key is there and cannot be read.
    #[must_use]
    pub fn is_unreadable(&self, key: &Key) -> bool {
        !self.unreadable.is_empty() && self.unreadable.contains_key(&self.prefix.encode(key))
    }

    fn put(&mut self, entry: KeyValue) -> Option<Key> {
        let KeyValue { key: text, value, create_revision, mod_revision, lease } = entry;
        let key = self.prefix.decode(&text);
        let stored = Raw { value, created: create_revision, modified: mod_revision, lease };
        let outcome = match key.clone() {
            // A newer fleet has keys that this one does not know.
            None => Err(newer(&stored).err().map_or(UnreadableError::UnknownKey, Into::into)),
            Some(key) => self.put_decoded(key, &stored).map_err(UnreadableError::Document),
        };
        match outcome {
            Ok(()) => {
                self.unreadable.remove(&text);
            }
            Err(error) => {
                if let Some(key) = &key {
                    self.remove(key);
                }
                let unreadable = Unreadable { key: key.clone(), modified: mod_revision, error };
                self.unreadable.insert(text, unreadable);
            }
        }
        key
    }

    fn put_decoded(&mut self, key: Key, raw: &Raw) -> Result<(), DocumentError> {
        match key {
            Key::Member(id) => drop(self.members.insert(id, raw.decode()?)),
            Key::Machine(id) => drop(self.machines.insert(id, raw.decode()?)),
            Key::Metadata(id) => drop(self.metadata.insert(id, raw.decode()?)),
            Key::Unit(name) => drop(self.units.insert(name, raw.decode()?)),
            Key::Placed(name) => drop(self.placed.insert(name, raw.decode()?)),
            Key::Schedule(id, name) => {
                drop(self.schedule.entry(name).or_default().insert(id, raw.decode()?));
            }
            Key::State(id, name) => {
                drop(self.states.entry(name).or_default().insert(id, raw.decode()?));
            }
            Key::Leader => self.leader = Some(raw.decode()?),
            Key::Hold => self.hold = Some(raw.decode()?),
            Key::Settings | Key::Seeded(_) => newer(raw)?,
        }
        Ok(())
    }

    fn delete(&mut self, text: &str) -> Option<Key> {
        self.unreadable.remove(text);
        let key = self.prefix.decode(text)?;
        self.remove(&key);
        Some(key)
    }

    fn remove(&mut self, key: &Key) {
        match key {
            Key::Member(id) => drop(self.members.remove(id)),
            Key::Machine(id) => drop(self.machines.remove(id)),
            Key::Metadata(id) => drop(self.metadata.remove(id)),
            Key::Unit(name) => drop(self.units.remove(name)),
            Key::Placed(name) => drop(self.placed.remove(name)),
            Key::Schedule(id, name) => remove_nested(&mut self.schedule, name, id),
            Key::State(id, name) => remove_nested(&mut self.states, name, id),
            Key::Leader => self.leader = None,
            Key::Hold => self.hold = None,
            Key::Settings | Key::Seeded(_) => {}
        }
    }
}

struct Raw {
    value: Vec<u8>,
    created: Revision,
    modified: Revision,
    lease: Option<LeaseId>,
}

impl Raw {
    fn decode<T: serde::de::DeserializeOwned>(&self) -> Result<Stored<T>, DocumentError> {
        Ok(Stored {
            document: decode(&self.value)?,
            created: self.created,
            modified: self.modified,
            lease: self.lease,
        })
    }
}

/// Fails for the document of a newer fleet, and for nothing else.
fn newer(raw: &Raw) -> Result<(), DocumentError> {
    match check_version(&raw.value) {
        Err(error @ DocumentError::Newer(_)) => Err(error),
        Ok(()) | Err(DocumentError::Garbage(_)) => Ok(()),
    }
}

fn remove_nested<T>(
    map: &mut BTreeMap<UnitName, BTreeMap<MachineId, T>>,
    name: &UnitName,
    id: &MachineId,
) {
    if let Some(inner) = map.get_mut(name) {
        inner.remove(id);
        if inner.is_empty() {
            map.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::document::encode;
    use crate::store::ClusterId;

    const PREFIX: &str = "/fleet";

    fn entry(key: &str, value: &[u8], revision: i64) -> KeyValue {
        KeyValue {
            key: format!("{PREFIX}/{key}"),
            value: value.to_vec(),
            create_revision: Revision(revision),
            mod_revision: Revision(revision),
            lease: None,
        }
    }

    fn placed(machine: &str) -> Vec<u8> {
        encode(&Placed { machine: machine.parse().unwrap(), uid: 3, generation: 4 })
    }

    fn mirror(entries: Vec<KeyValue>) -> Mirror {
        let mut mirror = Mirror::new(KeyPrefix::new(PREFIX));
        let cluster = ClusterId(1);
        mirror.reset(Snapshot { cluster, revision: Revision(10), entries });
        mirror
    }

    fn key(text: &str) -> Key {
        KeyPrefix::new(PREFIX).decode(&format!("{PREFIX}/{text}")).unwrap()
    }

    #[test]
    fn events_tell_the_keys_that_they_touched() {
        let mut mirror = mirror(vec![entry("placed/a.service", &placed("m1"), 5)]);

        let touched = mirror.apply(
            Revision(12),
            vec![
                Event::Put(entry("placed/b.service", &placed("m2"), 11)),
                Event::Delete { key: format!("{PREFIX}/placed/a.service"), revision: Revision(12) },
                Event::Delete { key: "/other".into(), revision: Revision(12) },
            ],
        );

        assert_eq!(touched, [key("placed/b.service"), key("placed/a.service")]);
        assert_eq!(mirror.placed.keys().map(UnitName::as_str).collect::<Vec<_>>(), ["b.service"]);
        assert_eq!(mirror.revision, Revision(12));
    }

    #[test]
    fn garbage_over_a_good_document_hides_it_until_a_good_one_is_back() {
        let mut mirror = mirror(vec![entry("placed/a.service", &placed("m1"), 5)]);
        let full = format!("{PREFIX}/placed/a.service");

        mirror.apply(Revision(11), vec![Event::Put(entry("placed/a.service", b"junk", 11))]);

        assert!(mirror.placed.is_empty());
        assert_eq!(mirror.unreadable[&full].key, Some(key("placed/a.service")));

        mirror.apply(Revision(12), vec![Event::Put(entry("placed/a.service", &placed("m1"), 12))]);

        assert!(mirror.unreadable.is_empty());
        assert_eq!(mirror.placed.len(), 1);
    }

    #[test]
    fn a_key_outside_the_layout_is_unreadable_and_speaks_of_nothing() {
        let mirror = mirror(vec![entry("what/is/this", b"{}", 5)]);

        let unreadable = &mirror.unreadable[&format!("{PREFIX}/what/is/this")];

        assert_eq!(unreadable.key, None);
        assert_eq!(
            unreadable.error.to_string(),
            "no key of fleet: remove it, or use another etcd_key_prefix"
        );
    }

    #[test]
    fn what_a_newer_fleet_wrote_is_told_as_that_under_any_key() {
        let keys = ["engine/next", "engine/settings", "seeded/a.service", "units/a.service"];
        let entries = keys.map(|key| entry(key, br#"{"version":2}"#, 5));

        let mirror = mirror(entries.to_vec());

        let found = mirror.unreadable.iter();
        let found: Vec<_> = found.map(|(key, it)| (key.as_str(), it.error.to_string())).collect();
        let newer = "document version 2 is newer than this fleetd reads (version 1): upgrade it";
        let full = keys.map(|key| format!("{PREFIX}/{key}"));
        assert_eq!(found, full.each_ref().map(|key| (key.as_str(), newer.to_owned())));
    }
}
