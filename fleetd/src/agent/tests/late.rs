//! Answers that come when the assignment they are about is another one already.

use std::sync::Arc;
use std::time::Duration;

use fleet_units::UnitName;
use tokio::sync::watch;
use tokio::time::Instant;

use super::super::Registration;
use super::super::applied::Applied;
use super::super::apply::{Batch, BatchOutcome, Problem};
use super::super::core::event::Event;
use super::super::core::{Adopted, Ask, Core, Work};
use super::super::presence::Registered;
use super::super::writer::Writing;
use super::host::{Host, TEXT, launched, machine, name};
use super::{DB, WEB};
use crate::registry::document::{Assignment, Phase, encode};
use crate::registry::follow::Update;
use crate::registry::key::Key;
use crate::store::{self, ClusterId, Grant, KeyValue, LeaseId, Revision, Snapshot, Witness};
use crate::systemd::{JobResult, Signal, UnitStatus};

const CREATED: Revision = Revision(5);
const CHANGED: Revision = Revision(6);

/// An agent's decisions alone: the test says when anything ends.
struct Decisions {
    core: Core,
    key: String,
    machine_key: String,
    now: Instant,
}

impl Decisions {
    /// Of a machine that is registered and has one assignment.
    fn new(first: &Assignment) -> Self {
        Self::of(first, Adopted::default())
    }

    /// The same, with what an earlier agent left.
    fn of(first: &Assignment, adopted: Adopted) -> Self {
        let settings = Arc::new(Host::new().settings);
        let key = settings.prefix.encode(&Key::Schedule(machine(), name(WEB)));
        let machine_key = settings.machine_key();
        let (registration, _) = watch::channel(Registration::default());
        let directory = tempfile::tempdir().unwrap();
        let witness = Witness::open(directory.path().join("seen")).unwrap();
        let now = Instant::now();
        let core = Core::new(settings, witness, registration, adopted, now);
        let mut decisions = Self { core, key, machine_key, now };
        decisions.register(registered(1, 4));
        let entries = vec![decisions.entry(first, CREATED)];
        let snapshot = Snapshot { cluster: ClusterId(1), revision: CREATED, entries };
        decisions.handle(Event::Assignments(Update::Listed(snapshot)));
        decisions
    }

    fn entry(&self, assignment: &Assignment, modified: Revision) -> KeyValue {
        KeyValue {
            key: self.key.clone(),
            value: encode(assignment),
            create_revision: CREATED,
            mod_revision: modified,
            lease: None,
        }
    }

    fn handle(&mut self, event: Event) {
        self.core.handle(event, self.now);
    }

    fn register(&mut self, registered: Registered) {
        self.handle(Event::Registered {
            states: Vec::new(),
            outcome: Ok((registered, Vec::new())),
        });
    }

    /// The watch tells that the machine's document is gone.
    fn delete_presence(&mut self, revision: Revision) {
        let key = self.machine_key.clone();
        let events = vec![store::Event::Delete { key, revision }];
        self.handle(Event::Presence(Update::Changed { revision, events }));
    }

    fn change(&mut self, assignment: &Assignment) {
        let events = vec![store::Event::Put(self.entry(assignment, CHANGED))];
        self.handle(Event::Assignments(Update::Changed { revision: CHANGED, events }));
        assert_eq!(self.files(), None);
    }

    fn work(&mut self) -> Vec<Work> {
        self.core.decide(self.now);
        self.core.take_work()
    }

    fn files(&mut self) -> Option<Batch> {
        self.work().into_iter().find_map(|work| match work {
            Work::Files(batch) => Some(batch),
            _ => None,
        })
    }

    fn start(&mut self) -> (u64, Ask) {
        let asked = self.work().into_iter().find_map(|work| match work {
            Work::Ask { serial, ask, .. } => Some((serial, ask)),
            _ => None,
        });
        asked.unwrap()
    }

    fn filed(&mut self, outcome: Result<(), Problem>) {
        let installed = [(name(WEB), outcome)].into();
        self.handle(Event::Filed(BatchOutcome { installed, ..BatchOutcome::default() }));
    }
}

fn registered(lease: i64, revision: i64) -> Registered {
    let grant = Grant { id: LeaseId(lease), ttl: Duration::from_secs(5) };
    Registered { grant, revision: Revision(revision) }
}

fn refusal() -> Problem {
    Problem { sentence: "systemd refuses".to_owned(), transient: false }
}

fn released() -> Assignment {
    Assignment { phase: Phase::Released, ..launched() }
}

fn corrected() -> Assignment {
    let text = format!("{TEXT}Restart=always\n");
    let hash = fleet_units::UnitFile::parse(&text).unwrap().hash();
    Assignment { text, hash, generation: 2, ..launched() }
}

fn install(assignment: &Assignment) -> Batch {
    let installs = [(name(WEB), assignment.text.clone())].into();
    Batch { installs, starting: [name(WEB)].into(), ..Batch::default() }
}

fn forgotten(work: Vec<Work>) -> Vec<(UnitName, Revision)> {
    let forgets = work.into_iter().filter_map(|work| match work {
        Work::Write(Writing::Forget(units)) => Some(units),
        _ => None,
    });
    forgets.flatten().collect()
}

/// Everything that is said of the unit.
fn published(decisions: &mut Decisions) -> Vec<u64> {
    let states = decisions.core.writer().board.take_all();
    states.into_iter().map(|(_, state)| state.observed).collect()
}

#[tokio::test(start_paused = true)]
async fn a_unit_destroyed_while_its_files_are_refused_goes() {
    let mut decisions = Decisions::new(&launched());
    assert_eq!(decisions.files(), Some(install(&launched())));

    decisions.change(&released());
    decisions.filed(Err(refusal()));

    assert_eq!(forgotten(decisions.work()), [(name(WEB), CHANGED)]);
}

#[tokio::test(start_paused = true)]
async fn a_text_corrected_while_the_old_one_is_refused_is_tried() {
    let mut decisions = Decisions::new(&launched());
    assert_eq!(decisions.files(), Some(install(&launched())));

    decisions.change(&corrected());
    decisions.filed(Err(refusal()));

    assert_eq!(published(&mut decisions), Vec::<u64>::new());
    assert_eq!(decisions.files(), Some(install(&corrected())));
}

#[tokio::test(start_paused = true)]
async fn a_text_corrected_while_the_start_of_the_old_one_is_refused_is_tried() {
    let mut decisions = Decisions::new(&launched());
    assert_eq!(decisions.files(), Some(install(&launched())));
    decisions.filed(Ok(()));
    let (serial, ask) = decisions.start();

    decisions.change(&corrected());
    decisions.handle(Event::Answered { unit: name(WEB), serial, ask, outcome: Err(refusal()) });

    assert_eq!(published(&mut decisions), Vec::<u64>::new());
    assert_eq!(decisions.files(), Some(install(&corrected())));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_the_present_text_stands() {
    let mut decisions = Decisions::new(&launched());
    assert_eq!(decisions.files(), Some(install(&launched())));

    decisions.filed(Err(refusal()));

    assert_eq!(published(&mut decisions), [1]);
    assert_eq!(decisions.files(), None);
}

fn registers_in_place_of(work: Vec<Work>) -> Option<LeaseId> {
    work.into_iter().find_map(|work| match work {
        Work::Write(Writing::Register { previous, .. }) => previous,
        _ => None,
    })
}

#[tokio::test(start_paused = true)]
async fn a_presence_that_is_gone_before_its_registration_is_told_is_registered_again() {
    let mut decisions = Decisions::new(&launched());
    decisions.delete_presence(Revision(10));
    assert_eq!(registers_in_place_of(decisions.work()), Some(LeaseId(1)));

    decisions.delete_presence(Revision(12));
    decisions.register(registered(2, 11));
    assert_eq!(registers_in_place_of(decisions.work()), Some(LeaseId(2)));

    // The older loss does not count against the newer presence.
    decisions.register(registered(3, 13));
    assert_eq!(registers_in_place_of(decisions.work()), None);
}

#[tokio::test(start_paused = true)]
async fn a_unit_whose_start_is_refused_is_asked_about_as_no_signal_tells() {
    let mut decisions = Decisions::new(&launched());
    assert_eq!(decisions.files(), Some(install(&launched())));
    decisions.filed(Ok(()));
    let (serial, ask) = decisions.start();

    decisions.handle(Event::Answered { unit: name(WEB), serial, ask, outcome: Err(refusal()) });

    assert_eq!(asked_about(&decisions.work()), Some(vec![name(WEB)]));
}

#[tokio::test(start_paused = true)]
async fn a_start_that_changes_nothing_is_not_reported_before_systemd_has_told_the_state() {
    let mut decisions = Decisions::new(&launched());
    assert_eq!(decisions.files(), Some(install(&launched())));
    decisions.filed(Ok(()));
    let (serial, ask) = decisions.start();
    let unit = name(WEB);
    let outcome = Ok(());
    decisions.handle(Event::Answered { unit: unit.clone(), serial, ask: ask.clone(), outcome });

    let result = Some(JobResult::Done);
    decisions.handle(Event::Ended { unit: unit.clone(), serial, ask, result });

    let work = decisions.work();
    assert_eq!(told(&work), None);
    assert_eq!(asked_about(&work), Some(vec![unit.clone()]));
    let running =
        UnitStatus { active: "active".into(), sub: "running".into(), ..UnitStatus::dormant() };
    decisions.handle(Event::Statuses(Ok(vec![(unit, running)])));
    assert_eq!(told(&decisions.work()), Some("active".to_owned()));
}

/// What an earlier agent left of another unit.
fn left() -> Adopted {
    let records = [(name(DB), Applied::from(&launched()))].into();
    Adopted { records, ..Adopted::default() }
}

#[tokio::test(start_paused = true)]
async fn what_was_heard_before_signals_were_lost_does_not_outdo_the_answer_after() {
    let mut decisions = Decisions::of(&launched(), left());
    // The batch of files counts as a question for as long as it lasts.
    assert_eq!(decisions.files(), Some(install(&launched())));
    let (active, sub) = ("activating".to_owned(), "start".to_owned());
    decisions.handle(Event::Signal(Signal::Changed { unit: name(DB), active, sub }));
    decisions.handle(Event::Signal(Signal::Resync));
    assert_eq!(asked_about(&decisions.work()), Some(vec![name(DB)]));

    let running =
        UnitStatus { active: "active".into(), sub: "running".into(), ..UnitStatus::dormant() };
    decisions.handle(Event::Statuses(Ok(vec![(name(DB), running)])));

    let states = decisions.core.writer().board.take_all();
    assert_eq!(states.first().map(|(_, state)| state.active.as_str()), Some("active"));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_is_asked_for_places_less_and_less_often() {
    let mut decisions = Decisions::of(&launched(), left());
    let mut pauses = Vec::new();
    for _ in 0..8 {
        let asked = decisions.work().iter().any(|work| matches!(work, Work::AskPlaced(_)));
        assert!(asked, "after {pauses:?}");
        let outcome = Err(Problem { sentence: "the store is away".to_owned(), transient: true });
        decisions.handle(Event::Placed { unit: name(DB), outcome });
        decisions.core.decide(decisions.now);
        let wake = decisions.core.wake(decisions.now).unwrap();
        pauses.push(wake - decisions.now);
        decisions.now = wake;
    }

    assert!(pauses.last().is_some_and(|pause| *pause >= Duration::from_secs(15)), "{pauses:?}");
}

fn asked_about(work: &[Work]) -> Option<Vec<UnitName>> {
    work.iter().find_map(|work| match work {
        Work::AskStatuses(units) => Some(units.clone()),
        _ => None,
    })
}

/// The active state that is published of the first unit.
fn told(work: &[Work]) -> Option<String> {
    work.iter().find_map(|work| match work {
        Work::Write(Writing::Publish { states, .. }) => Some(states.first()?.1.active.clone()),
        _ => None,
    })
}
