//! The leader's mind: takes events, says what to do next. No I/O and no clock of its own.

mod aside;
mod figures;
mod log;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use fleet_units::MachineId;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use self::aside::Aside;
use self::figures::Figures;
use self::log::log_landed;
use super::EngineSettings;
use super::note::note;
use super::presence::Presence;
use crate::backoff::Backoff;
use crate::log::chain;
use crate::metrics::EngineMetrics;
use crate::placement::{Changes, Cluster, RulesCache};
use crate::plan::decision::Decision;
use crate::plan::transaction::{Basis, Packet, landed, pack, rebase};
use crate::plan::{Outlook, replan};
use crate::registry::document::DocumentError;
use crate::registry::follow::Update;
use crate::registry::key::Key;
use crate::registry::mirror::{Mirror, UnreadableError};
use crate::store::{Commit, Revision, StoreError, Transaction};

/// How long the view may lag behind a refusal. The store's revision also counts the writes of
/// others, which the watch never shows, so the view need not get there at all.
const REFUSAL_LAG: Duration = Duration::from_millis(100);

/// How long the view may lag behind our own writes.
const COMMIT_LAG: Duration = Duration::from_secs(2);

/// Between plans that came to nothing.
const RETRY: Backoff = Backoff { min: Duration::from_millis(10), max: Duration::from_secs(2) };

/// Something that the leader has to know.
#[derive(Debug)]
pub(super) enum Event {
    /// The registry was listed or changed.
    Update(Update),
    /// A transaction ended.
    Committed(Result<Commit, StoreError>),
    /// Time has passed.
    Tick,
}

/// What the leader does next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reaction {
    /// Nothing until something happens.
    Wait,
    /// Carries out this transaction.
    Commit(Transaction),
    /// Lists the registry anew.
    Relist,
    /// Leads no longer, as the seat is another's.
    Deposed,
    /// Leads no longer, as the store is not the one that it was.
    Doubted,
    /// Gives up the lead to a newer fleet, whose document this is.
    Outdated(String),
}

/// What is known of the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum View {
    /// A list is under way.
    Listing,
    /// It follows the registry.
    Current,
    /// Nobody knows what landed: it has to be listed anew before the next plan.
    Stale,
    /// It is not the one that was followed.
    Doubted,
}

/// Everything that a leader keeps in mind.
#[derive(Debug)]
pub(super) struct Leading {
    settings: EngineSettings,
    leadership: Revision,
    mirror: Mirror,
    view: View,
    cache: RulesCache,
    presence: Presence,
    /// The view of the registry that is planned on.
    cluster: Cluster,
    /// What changed since the last plan.
    changes: Changes,
    /// What the last plan took into account; it counts as changed if that plan comes to nothing.
    planned: Changes,
    /// What the last plan knew of time.
    outlook: Outlook,
    /// Units whose writes the store refuses.
    aside: Aside,
    /// Whether each group goes into a transaction of its own, to see which one is refused.
    is_careful: bool,
    queue: VecDeque<Packet>,
    in_flight: Option<Packet>,
    /// What this plan has written already.
    written: BTreeMap<String, Revision>,
    /// Revision that the view has to reach before the next plan, and how long that may take.
    awaited: Option<(Revision, Instant)>,
    failures: u32,
    not_before: Option<Instant>,
    /// When the last event was handled.
    handled: Instant,
    figures: Figures,
    /// Unreadable keys that were logged, with their revisions.
    reported: BTreeSet<(String, Revision)>,
    /// Why the store refuses a note, as it was logged.
    refused_note: Option<String>,
}

impl Leading {
    pub(super) fn new(
        settings: EngineSettings,
        leadership: Revision,
        vouched: Option<MachineId>,
        now: Instant,
    ) -> Self {
        let EngineSettings { agent_ttl, reschedule_grace, .. } = settings;
        Self {
            mirror: Mirror::new(settings.prefix.clone()),
            presence: Presence::new(agent_ttl, reschedule_grace, vouched, now),
            settings,
            leadership,
            view: View::Listing,
            cache: RulesCache::default(),
            cluster: Cluster::default(),
            changes: Changes::default(),
            planned: Changes::default(),
            outlook: Outlook::default(),
            aside: Aside::default(),
            is_careful: false,
            queue: VecDeque::new(),
            in_flight: None,
            written: BTreeMap::new(),
            awaited: None,
            failures: 0,
            not_before: None,
            handled: now,
            figures: Figures::default(),
            reported: BTreeSet::new(),
            refused_note: None,
        }
    }

    /// Counts for these figures.
    pub(super) fn observed_by(self, metrics: EngineMetrics) -> Self {
        Self { figures: Figures::new(metrics), ..self }
    }

    /// How many plans were made.
    pub(super) const fn plans(&self) -> u64 {
        self.figures.plans
    }

    /// Takes note of an event and decides what to do next.
    pub(super) fn handle(&mut self, event: Event, now: Instant) -> Reaction {
        match event {
            Event::Update(update) => self.learn(update, now),
            Event::Committed(outcome) => self.conclude(outcome, now),
            Event::Tick => {}
        }
        self.handled = now;
        self.next(now)
    }

    /// When to be woken although nothing happens. A time that has passed since the last event was
    /// handled counts, as nobody has looked at it yet.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let is_ahead = |at: &Instant| *at > self.handled;
        // Whatever else is due has to wait for these.
        if self.in_flight.is_some() {
            return None;
        }
        if let Some(retry) = self.not_before.filter(is_ahead) {
            return Some(retry);
        }
        let lag = self.awaited.map(|(_, until)| until).filter(is_ahead);
        let aside = self.aside.next_due().filter(is_ahead);
        [self.presence.next_deadline(self.handled), lag, aside].into_iter().flatten().min()
    }

    fn learn(&mut self, update: Update, now: Instant) {
        match update {
            Update::Listed(snapshot) => {
                self.mirror.reset(snapshot);
                self.cluster = Cluster::of(&self.mirror, &mut self.cache);
                self.view = View::Current;
                self.drop_plan();
                self.changes = Changes::everything();
                for unit in self.aside.units() {
                    self.cluster.set_aside(unit, &mut self.changes);
                }
                self.awaited = None;
            }
            Update::Changed { revision, events } => {
                let touched = self.mirror.apply(revision, events);
                self.figures.saw(self.mirror.revision, now);
                let Self { mirror, cache, cluster, changes, .. } = self;
                cluster.refresh(mirror, cache, &touched, changes);
                if !touched.iter().any(|key| self.concerns_presence(key)) {
                    return;
                }
            }
            Update::Unreachable(error) => {
                warn!(error = %chain(&error), "Cannot read the registry; trying again");
                return;
            }
        }
        let storm = self.presence.storm().clone();
        self.presence.observe(&self.mirror, now);
        self.log_storm(&storm);
        self.log_unreadable();
    }

    /// Whether a change may have to do with who is there: a unit on a machine that is has not.
    fn concerns_presence(&self, key: &Key) -> bool {
        match key {
            Key::State(..) | Key::Unit(_) => self.mirror.is_unreadable(key),
            Key::Placed(name) => {
                let placed = self.mirror.placed.get(name);
                match placed {
                    Some(placed) => !self.is_there(&placed.document.machine),
                    None => self.presence.misses_anyone(),
                }
            }
            Key::Schedule(machine, _) => !self.is_there(machine),
            Key::Member(_) | Key::Machine(_) | Key::Metadata(_) | Key::Leader => true,
            Key::Hold | Key::Settings | Key::Seeded(_) => true,
        }
    }

    fn is_there(&self, machine: &MachineId) -> bool {
        self.mirror.machines.contains_key(machine)
    }

    fn conclude(&mut self, outcome: Result<Commit, StoreError>, now: Instant) {
        let Some(packet) = self.in_flight.take() else { return };
        match outcome {
            Ok(Commit::Done(revision)) => {
                packet.decisions.iter().for_each(log_landed);
                self.figures.landed(&packet, (revision, now), self.mirror.revision);
                self.written.extend(landed(&packet.transaction, revision));
                self.awaited = Some((revision, now + COMMIT_LAG));
                self.failures = 0;
                self.refused_note = None;
            }
            Ok(Commit::Refused(revision)) => {
                debug!(%revision, "The registry has changed; planning again");
                self.figures.refused(&packet);
                self.drop_plan();
                self.awaited = Some((revision, now + REFUSAL_LAG));
                self.fail(now);
            }
            Err(error @ StoreError::Refused(_)) => {
                self.figures.failed(&packet);
                self.drop_plan();
                self.suspect(&packet, &error, now);
                self.fail(now);
            }
            Err(StoreError::Doubted(_)) => {
                self.drop_plan();
                self.view = View::Doubted;
            }
            Err(error) => {
                self.figures.failed(&packet);
                warn!(error = %chain(&error), "Cannot write to the registry; trying again");
                self.drop_plan();
                self.view = View::Stale;
                self.fail(now);
            }
        }
    }

    /// Finds out which decisions the store refuses, so that they hold up no others.
    fn suspect(&mut self, packet: &Packet, error: &StoreError, now: Instant) {
        if !self.is_careful {
            self.is_careful = true;
            warn!(error = %chain(error), "The store refuses a transaction; trying smaller ones");
            return;
        }
        if packet.decisions.is_empty() {
            self.log_refused_note(chain(error));
        }
        for unit in packet.decisions.iter().map(Decision::unit) {
            warn!(%unit, error = %chain(error), "The store refuses what concerns the unit; setting it aside for a minute");
            self.aside.put(unit, now);
            self.cluster.set_aside(unit, &mut self.changes);
        }
    }

    fn drop_plan(&mut self) {
        self.queue.clear();
        self.written.clear();
        self.changes.merge(std::mem::take(&mut self.planned));
    }

    /// The first failure is no reason to wait: somebody else wrote, as people do.
    fn fail(&mut self, now: Instant) {
        if self.failures > 0 {
            self.not_before = Some(now + RETRY.delay(self.failures - 1, 0.0));
        }
        self.failures = self.failures.saturating_add(1);
    }

    fn next(&mut self, now: Instant) -> Reaction {
        if self.in_flight.is_some() || self.not_before.is_some_and(|at| at > now) {
            return Reaction::Wait;
        }
        match self.view {
            View::Listing => return Reaction::Wait,
            View::Stale => return self.relist(),
            View::Doubted => return Reaction::Doubted,
            View::Current => {}
        }
        let leader = self.mirror.leader.as_ref().map(|leader| leader.created);
        if leader != Some(self.leadership) {
            return Reaction::Deposed;
        }
        if let Some(key) = self.newer() {
            return Reaction::Outdated(key);
        }
        if self.queue.is_empty() {
            match self.awaited {
                Some((revision, until)) if self.mirror.revision < revision => {
                    return if now < until { Reaction::Wait } else { self.relist() };
                }
                _ => self.awaited = None,
            }
            self.replan(now);
        }
        match self.queue.pop_front() {
            None => self.write_down(now),
            Some(mut packet) => {
                rebase(&mut packet.transaction, &self.written);
                let transaction = packet.transaction.clone();
                self.in_flight = Some(packet);
                Reaction::Commit(transaction)
            }
        }
    }

    /// Leaves to the next leader what it could not know. Units come first.
    fn write_down(&mut self, now: Instant) -> Reaction {
        let Self { settings, mirror, leadership, presence, .. } = self;
        let Some(transaction) = note(&settings.prefix, mirror, *leadership, presence, now) else {
            return Reaction::Wait;
        };
        self.in_flight = Some(Packet { decisions: Vec::new(), transaction: transaction.clone() });
        Reaction::Commit(transaction)
    }

    fn relist(&mut self) -> Reaction {
        self.view = View::Listing;
        self.awaited = None;
        Reaction::Relist
    }

    fn replan(&mut self, now: Instant) {
        let outlook = self.presence.outlook(now);
        for machine in outlook.lost.difference(&self.outlook.lost) {
            info!(%machine, "Lost the machine");
            self.figures.lost();
        }
        self.changes.machines.extend(self.outlook.difference(&outlook));
        self.outlook = outlook;
        for unit in self.aside.take_due(now) {
            let Self { mirror, cache, cluster, changes, .. } = self;
            cluster.take_back(mirror, cache, &unit, changes);
        }
        self.is_careful &= self.failures > 0;
        if self.changes.is_empty() {
            return;
        }
        self.figures.plans += 1;
        self.planned = std::mem::take(&mut self.changes);
        self.written.clear();
        let groups = replan(&mut self.cluster, &self.outlook, &self.planned);
        let basis = Basis {
            prefix: &self.settings.prefix,
            mirror: &self.mirror,
            cluster: &self.cluster,
            leadership: self.leadership,
        };
        self.queue = if self.is_careful {
            groups.iter().flat_map(|group| pack(&basis, std::slice::from_ref(group))).collect()
        } else {
            pack(&basis, &groups).into()
        };
    }

    /// A document that only a newer fleet reads.
    fn newer(&self) -> Option<String> {
        let newer = |error: &UnreadableError| {
            matches!(error, UnreadableError::Document(DocumentError::Newer(_)))
        };
        let mut unreadable = self.mirror.unreadable.iter();
        unreadable.find(|(_, document)| newer(&document.error)).map(|(key, _)| key.clone())
    }
}
