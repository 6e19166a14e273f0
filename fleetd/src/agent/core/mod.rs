//! The state of the agent and what follows from it. No I/O: events come in, work goes out.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use fleet_units::{UnitFile, UnitName};
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{debug, warn};

use self::failure::Failure;
use super::applied::Applied;
use super::apply::Batch;
use super::assignments::Assignments;
use super::plan::{Activity, Plan, Version, View, plan};
use super::report::Report;
use super::writer::{Writer, Writing};
use super::{AgentSettings, Registration};
use crate::backoff::Backoff;
use crate::metrics::AgentMetrics;
use crate::registry::document::Machine;
use crate::store::{Grant, LeaseId, Revision, Witness};
use crate::systemd::UnitStatus;

pub(super) mod dump;
mod ended;
pub(crate) mod event;
mod failure;
mod learned;
mod steps;
mod written;

/// Steps that failed for a reason that may pass, and questions that the store did not answer.
const RETRY: Backoff = Backoff { min: Duration::from_secs(1), max: Duration::from_secs(30) };

/// How often units are counted while jobs are under way.
const COUNTING: Duration = Duration::from_secs(1);

/// How long a machine that leaves waits for its units: fleetd gives up after 90 s, systemd
/// after 100 s.
const LEAVE_DEADLINE: Duration = Duration::from_secs(80);

/// What an earlier fleetd of this boot left.
#[derive(Debug, Default)]
pub(crate) struct Adopted {
    /// Its records.
    pub(crate) records: BTreeMap<UnitName, Applied>,
    /// Its unit files.
    pub(crate) files: BTreeMap<UnitName, String>,
    /// What systemd says of these units.
    pub(crate) statuses: Vec<(UnitName, UnitStatus)>,
}

/// Something to do; its end comes back as an [`Event`](event::Event), if it has one.
#[derive(Debug)]
pub(crate) enum Work {
    Remember(UnitName, Applied),
    DropRecord(UnitName),
    Files(Batch),
    Ask {
        unit: UnitName,
        serial: u64,
        ask: Ask,
    },
    AskStatuses(Vec<UnitName>),
    AskPlaced(UnitName),
    Write(Writing),
    KeepAlive(Grant),
    EndLeases(Vec<LeaseId>),
    AskOwnJob,
    Announce,
    /// These settings hold for the writes to come.
    Adopt(Arc<AgentSettings>),
}

/// A job to ask systemd for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Stop the unit; that alone may bring it where this is its record.
    Stop {
        /// The record that is reached.
        reached: Option<Applied>,
    },
    /// Start the unit, which makes this its record.
    Start(Applied),
}

/// How the agent goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Departure {
    /// It does not.
    Staying,
    /// It was told to, and asks systemd whether to leave the cluster.
    Asking,
    /// It tells the cluster that it leaves.
    Announcing,
    /// It stops its units, until this time at most.
    Leaving(Instant),
    /// It can go: in order, or leaving everything as it is.
    Gone(super::Shutdown),
}

/// The agent's state.
#[derive(Debug)]
pub(crate) struct Core {
    settings: Arc<AgentSettings>,
    witness: Witness,
    registration: watch::Sender<Registration>,
    work: Vec<Work>,

    assignments: Assignments,
    listed: bool,

    applied: BTreeMap<UnitName, Applied>,
    installed: BTreeMap<UnitName, Version>,
    jobs: BTreeMap<UnitName, Activity>,
    /// The newest job of each unit: ends of older ones tell nothing.
    serials: BTreeMap<UnitName, u64>,
    last_serial: u64,
    /// Units whose files are worked on, and what those to be written will hold.
    filing: BTreeSet<UnitName>,
    writing: BTreeMap<UnitName, Version>,
    /// Revision of the assignment that each unit's last step is for: it may be another one by the
    /// time the step ends.
    steps: BTreeMap<UnitName, Revision>,
    failures: BTreeMap<UnitName, Failure>,
    forgetting: BTreeMap<UnitName, Revision>,
    displaced: BTreeSet<UnitName>,
    /// Units without an assignment whose place was asked for.
    asked: BTreeSet<UnitName>,
    /// Those of them that the store has told nothing of, how often it did not answer in a row, and
    /// when it is asked again.
    untold: BTreeSet<UnitName>,
    silences: u32,
    places_not_before: Option<Instant>,

    reports: BTreeMap<UnitName, Report>,
    writer: Writer,
    /// The newest revision at which our presence was seen missing while we knew of none: the
    /// watch may be ahead of the answer to a registration.
    presence_gone: Revision,
    /// Whether all statuses have to be asked for.
    resync: bool,
    resync_not_before: Option<Instant>,
    /// Questions for statuses on their way, and the units that signals told of meanwhile: the
    /// answer may be older than the signal.
    questions: u32,
    signalled: BTreeSet<UnitName>,

    departure: Departure,
    /// Whether anything that the plan is made of has changed since it was made.
    changed: bool,
    metrics: AgentMetrics,
    /// When units were last counted for them.
    counted: Option<Instant>,
}

impl Core {
    /// The agent at its start: everything that was left is kept.
    pub(crate) fn new(
        settings: Arc<AgentSettings>,
        witness: Witness,
        registration: watch::Sender<Registration>,
        adopted: Adopted,
        now: Instant,
    ) -> Self {
        let Adopted { records, files, statuses } = adopted;
        let installed = files
            .iter()
            .filter_map(|(unit, text)| Some((unit, UnitFile::parse(text).ok()?.hash())))
            .map(|(unit, hash)| (unit.clone(), version_on_disk(records.get(unit), hash)))
            .collect();
        let mut reports: BTreeMap<UnitName, Report> =
            records.iter().map(|(unit, record)| (unit.clone(), Report::adopted(record))).collect();
        for (unit, status) in statuses {
            reports.entry(unit).or_default().set_status(status);
        }
        let mut core = Self {
            witness,
            assignments: Assignments::new(settings.machine.clone(), settings.prefix.clone()),
            settings,
            registration,
            work: Vec::new(),
            listed: false,
            applied: records,
            installed,
            jobs: BTreeMap::new(),
            serials: BTreeMap::new(),
            last_serial: 0,
            filing: BTreeSet::new(),
            writing: BTreeMap::new(),
            steps: BTreeMap::new(),
            failures: BTreeMap::new(),
            forgetting: BTreeMap::new(),
            displaced: BTreeSet::new(),
            asked: BTreeSet::new(),
            untold: BTreeSet::new(),
            silences: 0,
            places_not_before: None,
            reports,
            writer: Writer::default(),
            presence_gone: Revision::ABSENT,
            resync: false,
            resync_not_before: None,
            questions: 0,
            signalled: BTreeSet::new(),
            departure: Departure::Staying,
            changed: true,
            metrics: AgentMetrics::default(),
            counted: None,
        };
        // The first registration brings them along: the lease that holds them ends with it.
        for unit in core.applied.keys().cloned().collect::<Vec<_>>() {
            core.post(&unit, now);
        }
        core
    }

    /// Counts for these figures.
    pub(crate) fn observed_by(self, metrics: AgentMetrics) -> Self {
        Self { metrics, ..self }
    }

    /// Decides what to do now. To be called after events, and at [`Core::wake`].
    pub(crate) fn decide(&mut self, now: Instant) {
        self.heed_doubt();
        let changed = self.changed;
        let settled = self.may_act() && self.act(now);
        if let Departure::Leaving(deadline) = self.departure
            && ((settled && self.is_done_writing()) || now >= deadline)
        {
            self.departed();
            return;
        }
        self.ask_for_places(changed, now);
        self.writer.expect(!self.jobs.is_empty() || !self.filing.is_empty());
        if self.may_write()
            && let Some(writing) = self.writer.next(now)
        {
            self.work.push(Work::Write(writing));
        }
        if self.resync && self.resync_not_before.is_none_or(|not_before| not_before <= now) {
            self.resync = false;
            self.question();
            self.work.push(Work::AskStatuses(self.reports.keys().cloned().collect()));
        }
        // The end of the last job comes by here.
        if self.jobs.is_empty() || self.counted.is_none_or(|counted| now >= counted + COUNTING) {
            self.counted = Some(now);
            self.count();
        }
    }

    fn count(&self) {
        self.metrics.units(self.reports.values().map(Report::active));
        self.metrics.work(self.jobs.len(), self.failures.len());
        self.metrics.registered(self.writer.presence().is_some());
    }

    /// A machine that goes does not join any more, and a store in doubt takes no writes.
    fn may_write(&self) -> bool {
        let joins = self.departure == Departure::Staying || self.writer.presence().is_some();
        joins && self.witness.doubt().is_none()
    }

    /// Whether a machine that goes has told the store what it can be told.
    fn is_done_writing(&self) -> bool {
        !self.may_write() || self.writer.is_done_forgetting()
    }

    /// A store in doubt counts as one that this machine has not joined.
    fn heed_doubt(&self) {
        let Some(doubt) = self.witness.doubt() else { return };
        let refused = Registration::Refused(doubt);
        self.registration.send_if_modified(|now| {
            let is_news = *now != refused;
            *now = refused;
            is_news
        });
    }

    /// When to decide again if nothing happens.
    pub(crate) fn wake(&self, now: Instant) -> Option<Instant> {
        let retries = self.failures.values().filter_map(|failure| failure.retry_at);
        let retry = retries.filter(|retry_at| *retry_at > now).min();
        let places = self.places_not_before.filter(|not_before| *not_before > now);
        let deadline = match self.departure {
            Departure::Leaving(deadline) => Some(deadline),
            Departure::Staying | Departure::Asking | Departure::Announcing | Departure::Gone(_) => {
                None
            }
        };
        let resync = if self.resync { self.resync_not_before } else { None };
        let write = if self.may_write() { self.writer.wake() } else { None };
        [retry, places, deadline, resync, write].into_iter().flatten().min()
    }

    /// Takes the work that has come up.
    pub(crate) fn take_work(&mut self) -> Vec<Work> {
        mem::take(&mut self.work)
    }

    /// How the agent goes.
    pub(crate) const fn departure(&self) -> Departure {
        self.departure
    }

    /// The writer, to end the presence with.
    pub(crate) const fn writer(&mut self) -> &mut Writer {
        &mut self.writer
    }

    fn is_leaving(&self) -> bool {
        matches!(self.departure, Departure::Leaving(_))
    }

    /// Whether the registry's word counts: not before this machine is surely the one that is
    /// meant, and not on the word of a store that is not the one it was.
    fn may_act(&self) -> bool {
        let registered = *self.registration.borrow() == Registration::Registered;
        self.is_leaving() || (registered && self.listed && self.witness.doubt().is_none())
    }

    /// Does what may be done now; tells whether nothing is left to do with the units.
    fn act(&mut self, now: Instant) -> bool {
        let due = |failure: &Failure| failure.retry_at.is_some_and(|retry_at| retry_at <= now);
        if !self.changed && !self.is_leaving() && !self.failures.values().any(due) {
            return false;
        }
        let blocked = self.blocked(now);
        let plan = plan(&View {
            assigned: self.assignments.assigned(),
            applied: &self.applied,
            installed: &self.installed,
            jobs: &self.jobs,
            filing: &self.filing,
            blocked: &blocked,
            displaced: &self.displaced,
            forgetting: &self.forgetting,
            leaving: self.is_leaving(),
        });
        let retrying = self.failures.values().any(|failure| failure.retry_at > Some(now));
        let is_idle = self.jobs.is_empty() && self.filing.is_empty() && !retrying;
        let settled = is_idle && plan.leaves_units_alone();
        // What is carried out now is noted, and may make room for more.
        self.changed = plan != Plan::default();
        if self.changed {
            debug!(?plan, "Planned");
        }
        self.carry_out(plan, now);
        settled
    }

    /// Units that nothing assigns may have been placed elsewhere while we did not look. Where nothing
    /// has `changed`, there are no others than before.
    fn ask_for_places(&mut self, changed: bool, now: Instant) {
        if !self.may_act() || !self.listed || self.is_leaving() {
            return;
        }
        if changed {
            let assigned = self.assignments.assigned();
            let ours = self.applied.keys().chain(self.installed.keys());
            for unit in ours.filter(|unit| !assigned.contains_key(*unit)) {
                if self.asked.insert(unit.clone()) {
                    warn!(%unit, "Unit has no assignment and is left as it is");
                    self.untold.insert(unit.clone());
                }
            }
        }
        if self.places_not_before.is_none_or(|not_before| not_before <= now) {
            let untold = mem::take(&mut self.untold).into_iter();
            let untold = untold.filter(|unit| self.asked.contains(unit));
            self.work.extend(untold.map(Work::AskPlaced));
        }
    }

    /// Publishes what is known of a unit.
    fn post(&mut self, unit: &UnitName, now: Instant) {
        let Some(report) = self.reports.get(unit) else { return };
        let Some(state) = report.document() else { return };
        self.writer.board.set(unit, state, report.busy(), now);
    }

    /// The machine says other things of itself: its document is written anew, under its lease.
    fn describe(&mut self, presence: Machine) {
        if presence != self.settings.presence {
            self.settings = Arc::new(AgentSettings { presence, ..(*self.settings).clone() });
            self.work.push(Work::Adopt(Arc::clone(&self.settings)));
            self.writer.describe();
        }
    }

    fn question(&mut self) {
        if self.questions == 0 {
            self.signalled.clear();
        }
        self.questions += 1;
    }
}

/// Which version a file holds as far as it can be trusted: one that is not its record's may have
/// been written and not linked.
fn version_on_disk(record: Option<&Applied>, hash: fleet_units::UnitHash) -> Version {
    let uid = record.filter(|record| record.hash == hash).map_or(0, |record| record.uid);
    Version { uid, hash }
}
