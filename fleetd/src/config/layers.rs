//! Layers merged into one value per setting: built-in < file < environment < flags.

use std::collections::BTreeMap;

use super::fragment::{Fragment, Written};
use super::key::Key;
use super::problem::Problem;

/// One value for each setting, with the place that it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    values: BTreeMap<Key, Written>,
    /// Whether any layer but the built-in one was written.
    pub(super) is_configured: bool,
    /// What was wrong in any layer.
    pub(super) problems: Vec<Problem>,
}

impl Merged {
    /// Lays fragments over the built-in values, later ones over earlier ones.
    #[must_use]
    pub fn of_layers(layers: impl IntoIterator<Item = Fragment>) -> Self {
        let Fragment { is_written, values, problems } = Fragment::defaults();
        let mut merged = Self { values, is_configured: is_written, problems };
        for layer in layers {
            merged.is_configured |= layer.is_written;
            merged.values.extend(layer.values);
            merged.problems.extend(layer.problems);
        }
        merged
    }

    /// Takes over the values of some settings from another configuration.
    pub fn follow(&mut self, new: &Self, keys: &[Key]) {
        for key in keys {
            self.values.insert(*key, new.of(*key).clone());
        }
    }

    /// The value that counts.
    ///
    /// # Panics
    ///
    /// Never: the built-in layer has all settings.
    #[must_use]
    pub fn of(&self, key: Key) -> &Written {
        self.values.get(&key).expect("the built-in layer has all settings")
    }
}
