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

use crate::plan::Outlook;
use crate::registry::document::{Member, Standing};
use crate::registry::key::Key;
use crate::registry::mirror::Mirror;
use crate::store::Revision;

/// Long enough for a healthy machine to register again after the store dropped its lease.
const CONFIRMATION: Duration = Duration::from_millis(500);

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
    /// The hold that the registry shows, by its last write.
    shown: Option<Revision>,
    /// The hold that this judge has taken back itself.
    withdrawn: Option<Revision>,
    /// Whether the hold that the registry shows cannot be read.
    is_hold_unreadable: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sight {
    Present,
    Absent {
        since: Instant,
        evidence: Evidence,
        /// Whether it counts when machines vanish together.
        counts: bool,
    },
}

/// What is known of how a machine vanished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Evidence {
    /// It was there before, under the eyes of this judge.
    Seen,
    /// It vanished together with others, under the eyes of an earlier one.
    Storm,
    /// It was away when this judge began.
    Unknown,
    /// An operator does not wait for it any more.
    GivenUp,
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
            shown: None,
            withdrawn: None,
            is_hold_unreadable: false,
        }
    }

    /// Takes note of who is there.
    pub fn observe(&mut self, mirror: &Mirror, now: Instant) {
        self.heed_hold(mirror);
        let mut sights = BTreeMap::new();
        for id in expected(mirror) {
            let sight =
                if is_present(mirror, id) { Sight::Present } else { self.absent(mirror, id, now) };
            sights.insert(id.clone(), sight);
        }
        self.sights = sights;
        self.weather(now);
    }

    /// Takes over the storm of an earlier leader, and hears of an operator who ends one.
    fn heed_hold(&mut self, mirror: &Mirror) {
        let shown = Some(mirror.modified(&Key::Hold)).filter(|shown| *shown != Revision::ABSENT);
        self.is_hold_unreadable = shown.is_some() && mirror.hold.is_none();
        if self.sights.is_empty()
            && let Some(hold) = &mirror.hold
        {
            self.storm.clone_from(&hold.document.machines);
        }
        let was_deleted = self.shown.is_some() && shown.is_none();
        if was_deleted && self.shown != self.withdrawn {
            for id in std::mem::take(&mut self.storm) {
                if let Some(Sight::Absent { evidence, .. }) = self.sights.get_mut(&id) {
                    *evidence = Evidence::GivenUp;
                }
            }
        }
        self.shown = shown;
    }

    fn absent(&self, mirror: &Mirror, id: &MachineId, now: Instant) -> Sight {
        let (since, evidence) = match self.sights.get(id) {
            Some(Sight::Absent { since, evidence, .. }) => (*since, *evidence),
            Some(Sight::Present) => (now, Evidence::Seen),
            None if self.vouched.as_ref() == Some(id) => (now, Evidence::Seen),
            None if self.storm.contains(id) => (now, Evidence::Storm),
            None => (now, Evidence::Unknown),
        };
        let member = mirror.members.get(id).map(|member| &member.document);
        let went = |member: &&Member| matches!(member.standing, Standing::Leaving | Standing::Left);
        let member = member.filter(|member| !went(member));
        let counts = member.is_some_and(|member| match evidence {
            Evidence::Seen | Evidence::Storm => true,
            // A member that was away before anybody looked, and has nothing to lose, may be long
            // dead.
            Evidence::Unknown => !member.missing && holds_units(mirror, id),
            Evidence::GivenUp => false,
        });
        Sight::Absent { since, evidence, counts }
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
        Outlook { lost, is_on_hold: !self.storm.is_empty() || self.is_hold_unreadable }
    }

    /// Whether any machine is away that ought to be there, or that holds something.
    #[must_use]
    pub fn misses_anyone(&self) -> bool {
        self.sights.values().any(|sight| *sight != Sight::Present)
    }

    /// When, after a time, the next machine will be missing or lost unless it returns.
    #[must_use]
    pub fn next_deadline(&self, after: Instant) -> Option<Instant> {
        let deadlines = self.sights.values().flat_map(|sight| {
            let confirmed = self.confirmed_at(sight);
            [confirmed, confirmed.map(|at| at + self.grace)]
        });
        deadlines.flatten().filter(|at| *at > after).min()
    }

    /// Machines that vanished together and are still away.
    #[must_use]
    pub const fn storm(&self) -> &BTreeSet<MachineId> {
        &self.storm
    }

    /// Machines whose absence is certain, and no matter of a storm.
    pub fn missing(&self, now: Instant) -> impl Iterator<Item = &MachineId> {
        let sights = self.sights.iter().filter(|(id, _)| !self.storm.contains(*id));
        let missing =
            sights.filter(move |(_, sight)| self.confirmed_at(sight).is_some_and(|at| at <= now));
        missing.map(|(id, _)| id)
    }

    /// Takes note that the hold which the registry shows is being taken back.
    pub const fn withdraw(&mut self) {
        self.withdrawn = self.shown;
    }

    /// Takes note that the hold which the registry shows is to stay.
    pub const fn uphold(&mut self) {
        self.withdrawn = None;
    }

    fn lost_at(&self, sight: &Sight) -> Option<Instant> {
        self.confirmed_at(sight).map(|confirmed| confirmed + self.grace)
    }

    fn confirmed_at(&self, sight: &Sight) -> Option<Instant> {
        let Sight::Absent { since, evidence, .. } = sight else { return None };
        let confirmed = *since + CONFIRMATION;
        Some(match evidence {
            Evidence::Seen | Evidence::GivenUp => confirmed,
            Evidence::Storm | Evidence::Unknown => confirmed.max(self.began + self.agent_ttl),
        })
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
    mirror.machines.contains_key(id) || mirror.is_unreadable(&Key::Machine(id.clone()))
}

fn holds_units(mirror: &Mirror, id: &MachineId) -> bool {
    mirror.placed.values().any(|placed| placed.document.machine == *id)
}
