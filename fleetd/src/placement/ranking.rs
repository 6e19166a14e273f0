//! Machines that take units by their load, also by what their metadata says.

use std::collections::{BTreeMap, BTreeSet};
use std::iter::Peekable;
use std::ops::Bound;

use fleet_units::{MachineId, Metadata};

/// A machine with its load: the lighter first, ties by id.
pub type Ranked = (usize, MachineId);

/// What a unit asks of metadata: for each key one of the values.
pub type Wanted = BTreeMap<String, BTreeSet<String>>;

/// Machines in the order in which they are offered.
#[derive(Clone, Debug, Default)]
pub(super) struct Ranking {
    machines: BTreeMap<MachineId, Metadata>,
    all: BTreeSet<Ranked>,
    by_metadata: BTreeMap<String, BTreeMap<String, BTreeSet<Ranked>>>,
}

impl Ranking {
    /// Offers a machine.
    pub(super) fn insert(&mut self, id: &MachineId, metadata: &Metadata, load: usize) {
        for (key, value) in metadata {
            let values = self.by_metadata.entry(key.clone()).or_default();
            values.entry(value.clone()).or_default().insert((load, id.clone()));
        }
        self.all.insert((load, id.clone()));
        self.machines.insert(id.clone(), metadata.clone());
    }

    /// Offers a machine no more.
    pub(super) fn remove(&mut self, id: &MachineId, load: usize) {
        let Some(metadata) = self.machines.remove(id) else { return };
        let ranked = (load, id.clone());
        for (key, value) in &metadata {
            let Some(values) = self.by_metadata.get_mut(key) else { continue };
            if let Some(machines) = values.get_mut(value) {
                machines.remove(&ranked);
                if machines.is_empty() {
                    values.remove(value);
                }
            }
            if values.is_empty() {
                self.by_metadata.remove(key);
            }
        }
        self.all.remove(&ranked);
    }

    /// Puts a machine where its load belongs.
    pub(super) fn change(&mut self, id: &MachineId, before: usize, after: usize) {
        let Some(metadata) = self.machines.get(id) else { return };
        let (before, after) = ((before, id.clone()), (after, id.clone()));
        for (key, value) in metadata {
            let values = self.by_metadata.get_mut(key);
            if let Some(machines) = values.and_then(|values| values.get_mut(value)) {
                machines.remove(&before);
                machines.insert(after.clone());
            }
        }
        self.all.remove(&before);
        self.all.insert(after);
    }

    /// Machines beyond a rank that may have the metadata that is wanted: they have one of the
    /// values of the rarest key.
    pub(super) fn beyond<'a>(
        &'a self,
        wanted: &Wanted,
        rank: Option<&Ranked>,
    ) -> impl Iterator<Item = &'a Ranked> + use<'a> {
        let choices = wanted.iter().map(|(key, values)| {
            let known = self.by_metadata.get(key);
            let sets = values.iter().filter_map(|value| known?.get(value));
            sets.collect::<Vec<_>>()
        });
        let rarest = choices.min_by_key(|sets| sets.iter().map(|set| set.len()).sum::<usize>());
        let sets = rarest.unwrap_or_else(|| vec![&self.all]);
        let start = rank.map_or(Bound::Unbounded, Bound::Excluded);
        let range = |set: &'a BTreeSet<Ranked>| set.range((start, Bound::Unbounded)).peekable();
        Merged { ranges: sets.into_iter().map(range).collect() }
    }
}

/// Several ordered sequences as one.
struct Merged<I: Iterator> {
    ranges: Vec<Peekable<I>>,
}

impl<I: Iterator<Item: Ord + Copy>> Iterator for Merged<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        if let [range] = self.ranges.as_mut_slice() {
            return range.next();
        }
        let least = self.ranges.iter_mut().filter_map(|range| Some((*range.peek()?, range)));
        least.min_by_key(|(first, _)| *first)?.1.next()
    }
}
