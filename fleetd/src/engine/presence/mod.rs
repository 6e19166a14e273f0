//! Which machines are lost: a judgement over time, with the time as an argument.
//!
//! A machine that is not there is not lost yet. The store drops a healthy lease now and then, so
//! absence has to last; a leader that never saw a machine cannot tell since when it is away; and
//! when most machines vanish at once, it is rather the network that is ill.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fleet_units::MachineId;
use tokio::time::Instant;

use crate::registry::document::Standing;
use crate::registry::key::Key;
use crate::registry::mirror::Mirror;

/// Long enough for a healthy machine to register again after the store dropped its lease.
const CONFIRMATION: Duration = Duration::from_millis(500);

/// What the planner has to know of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outlook {
    /// Machines that are away for so long that their units are to run elsewhere.
    pub lost: BTreeSet<MachineId>,
    /// Whether nothing moves off them all the same, as too many vanished at once.
    pub is_on_hold: bool,
}

/// Remembers since when machines are away.
#[derive(Debug)]
pub struct Presence {
    agent_ttl: Duration,
    grace: Duration,
    began: Instant,
    /// A machine that was alive when the judge began, whoever else may not have been.
    vouched: Option<MachineId>,
    sights: BTreeMap<MachineId, Sight>,
    /// Machines of a storm that have not returned; empty when there is none.
    storm: BTreeSet<MachineId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sight {
    Present,
    Absent {
        since: Instant,
        /// Whether it was there before, under the eyes of this judge.
        was_seen: bool,
        /// Whether it counts when machines vanish together.
        counts: bool,
    },
}

impl Presence {
    /// A judge that has seen nothing yet.
    ///
    /// `vouched` was alive when the judge began: the machine of the leader before, if this process
    /// followed that leader closely.
    #[must_use]
    pub const fn new(
        agent_ttl: Duration,
        grace: Duration,
        vouched: Option<MachineId>,
        now: Instant,
    ) -> Self {
        Self {
            agent_ttl,
            grace,
            began: now,
            vouched,
            sights: BTreeMap::new(),
            storm: BTreeSet::new(),
        }
    }

    /// Takes note of who is there.
    pub fn observe(&mut self, mirror: &Mirror, now: Instant) {
        let mut sights = BTreeMap::new();
        for id in expected(mirror) {
            let sight =
                if is_present(mirror, id) { Sight::Present } else { self.absent(mirror, id, now) };
            sights.insert(id.clone(), sight);
        }
        self.sights = sights;
        self.weather(now);
    }

    fn absent(&self, mirror: &Mirror, id: &MachineId, now: Instant) -> Sight {
        let (since, was_seen) = match self.sights.get(id) {
            Some(Sight::Absent { since, was_seen, .. }) => (*since, *was_seen),
            Some(Sight::Present) => (now, true),
            None => (now, self.vouched.as_ref() == Some(id)),
        };
        let standing = mirror.members.get(id).map(|member| member.document.standing);
        let is_member = standing.is_some_and(|standing| standing != Standing::Leaving);
        // A member that was away before anybody looked, and has nothing to lose, may be long dead.
        let counts = is_member && (was_seen || holds_units(mirror, id));
        Sight::Absent { since, was_seen, counts }
    }

    /// Begins and ends storms.
    fn weather(&mut self, now: Instant) {
        // An operator who knows that a machine will not return strikes it from the members.
        let is_missed = |id: &MachineId| {
            matches!(self.sights.get(id), Some(Sight::Absent { counts: true, .. }))
        };
        let mut storm = self.storm.clone();
        storm.retain(is_missed);
        for (id, sight) in &self.sights {
            if let Sight::Absent { since, counts: true, .. } = sight
                && now <= *since + self.agent_ttl
            {
                storm.insert(id.clone());
            }
        }
        let present = self.sights.values().filter(|sight| **sight == Sight::Present).count();
        // Over half of those that were there. One machine that dies is everyday life.
        let is_storm = storm.len() >= 2 && storm.len() > present;
        self.storm = if is_storm { storm } else { BTreeSet::new() };
    }

    /// What to plan with at a time.
    #[must_use]
    pub fn outlook(&self, now: Instant) -> Outlook {
        let lost = self
            .sights
            .iter()
            .filter(|(_, sight)| self.lost_at(sight).is_some_and(|at| at <= now))
            .map(|(id, _)| id.clone())
            .collect();
        Outlook { lost, is_on_hold: !self.storm.is_empty() }
    }

    /// When, after a time, the next machine will count as lost unless it returns.
    #[must_use]
    pub fn next_deadline(&self, after: Instant) -> Option<Instant> {
        self.sights.values().filter_map(|sight| self.lost_at(sight)).filter(|at| *at > after).min()
    }

    /// Machines that vanished together and are still away.
    #[must_use]
    pub const fn storm(&self) -> &BTreeSet<MachineId> {
        &self.storm
    }

    fn lost_at(&self, sight: &Sight) -> Option<Instant> {
        let Sight::Absent { since, was_seen, .. } = sight else { return None };
        let confirmed = *since + CONFIRMATION;
        let confirmed =
            if *was_seen { confirmed } else { confirmed.max(self.began + self.agent_ttl) };
        Some(confirmed + self.grace)
    }
}

/// Machines that ought to be there, or that hold something.
fn expected(mirror: &Mirror) -> BTreeSet<&MachineId> {
    let members = mirror.members.iter();
    let members = members.filter(|(_, member)| member.document.standing != Standing::Left);
    let holders = mirror.schedule.values().flat_map(|machines| machines.keys());
    let places = mirror.placed.values().map(|placed| &placed.document.machine);
    members.map(|(id, _)| id).chain(mirror.machines.keys()).chain(holders).chain(places).collect()
}

/// A presence that cannot be read is one.
fn is_present(mirror: &Mirror, id: &MachineId) -> bool {
    mirror.machines.contains_key(id)
        || mirror
            .unreadable
            .values()
            .any(|unreadable| unreadable.key.as_ref() == Some(&Key::Machine(id.clone())))
}

fn holds_units(mirror: &Mirror, id: &MachineId) -> bool {
    mirror.placed.values().any(|placed| placed.document.machine == *id)
}
