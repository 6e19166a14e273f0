//! Units whose documents the store refuses to take: they are set aside for a while, so that they
//! hold up nobody else.

use std::collections::BTreeMap;
use std::time::Duration;

use fleet_units::UnitName;
use tokio::time::Instant;

/// Long enough to be no load on the store, short enough for an operator who mends it.
const PAUSE: Duration = Duration::from_secs(60);

/// Units that are set aside, and until when.
#[derive(Debug, Default)]
pub(super) struct Aside {
    until: BTreeMap<UnitName, Instant>,
}

impl Aside {
    pub(super) fn put(&mut self, unit: &UnitName, now: Instant) {
        self.until.insert(unit.clone(), now + PAUSE);
    }

    /// Units whose time is over.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<UnitName> {
        let due = self.until.iter().filter(|(_, until)| **until <= now);
        let due: Vec<_> = due.map(|(unit, _)| unit.clone()).collect();
        self.until.retain(|_, until| *until > now);
        due
    }

    pub(super) fn units(&self) -> impl Iterator<Item = &UnitName> {
        self.until.keys()
    }

    pub(super) fn next_due(&self) -> Option<Instant> {
        self.until.values().min().copied()
    }
}
