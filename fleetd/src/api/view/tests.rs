use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_util::task::TaskTracker;

use super::*;
use crate::store::ClusterId;
use crate::store::embedded::EmbeddedStore;

/// What a question is told: the revision of what it looked at.
type Told = oneshot::Receiver<Result<i64, Unavailable>>;

fn ask(fresh: bool) -> (Event, Told) {
    let (reply, told) = oneshot::channel();
    let look = |scene: &mut Scene| scene.mirror.revision.0;
    let answer: Answer = Box::new(move |scene| drop(reply.send(scene.map(look))));
    (Event::Asked(Question::Read { fresh, answer }), told)
}

fn listed(revision: i64) -> Event {
    let (cluster, revision) = (ClusterId(1), Revision(revision));
    Event::Learned(Update::Listed(Snapshot { cluster, revision, entries: vec![] }))
}

fn changed(revision: i64) -> Event {
    Event::Learned(Update::Changed { revision: Revision(revision), events: vec![] })
}

fn unreachable() -> StoreError {
    StoreError::Unavailable { endpoints: "here".to_owned(), source: "away".into() }
}

fn probed() -> Event {
    Event::Probed(Ok(Snapshot { cluster: ClusterId(1), revision: Revision(9), entries: vec![] }))
}

/// A session that hears of things one after the other.
struct Stage {
    session: Session,
    now: Instant,
}

impl Stage {
    fn new() -> Self {
        let now = Instant::now();
        Self { session: Session::new(KeyPrefix::new("/fleet"), now), now }
    }

    fn listed() -> Self {
        let mut stage = Self::new();
        stage.hear(listed(1));
        stage
    }

    fn hear(&mut self, event: Event) -> Reaction {
        self.session.handle(event, self.now)
    }

    fn ask(&mut self, fresh: bool) -> (Told, Reaction) {
        let (question, told) = ask(fresh);
        (told, self.hear(question))
    }
}

fn is_open(told: &mut Told) -> bool {
    told.try_recv() == Err(oneshot::error::TryRecvError::Empty)
}

#[test]
fn a_question_before_the_list_is_answered_by_it() {
    let mut stage = Stage::new();

    let (mut told, reaction) = stage.ask(true);

    assert_eq!((reaction, is_open(&mut told)), (Reaction::Nothing, true));
    stage.hear(listed(5));
    assert_eq!(told.try_recv(), Ok(Ok(5)));
}

#[test]
fn a_store_that_was_heard_of_lately_need_not_be_asked() {
    let mut stage = Stage::listed();

    stage.now += FRESH / 2;
    assert_eq!(stage.ask(true).0.try_recv(), Ok(Ok(1)));
    stage.now += FRESH;
    let (mut told, reaction) = stage.ask(true);
    assert_eq!((reaction, is_open(&mut told)), (Reaction::Probe, true));
    assert_eq!(stage.ask(false).0.try_recv(), Ok(Ok(1)));
    stage.hear(probed());
    assert_eq!(told.try_recv(), Ok(Ok(1)));
}

#[test]
fn what_was_true_before_an_outage_is_not_told_until_the_store_is_listed_anew() {
    let mut stage = Stage::listed();
    stage.hear(Event::Learned(Update::Unreachable(unreachable())));

    let (mut told, reaction) = stage.ask(true);
    assert_eq!(reaction, Reaction::Probe);
    stage.hear(probed());

    let (mut later, _) = stage.ask(true);
    assert!(is_open(&mut told) && is_open(&mut later));
    // Who follows goes on from what was told before.
    assert_eq!(stage.ask(false).0.try_recv(), Ok(Ok(1)));
    stage.hear(listed(7));
    assert_eq!([told.try_recv(), later.try_recv()], [Ok(Ok(7)), Ok(Ok(7))]);
}

#[test]
fn who_asks_in_an_outage_is_told_the_reason() {
    let reason = Unavailable::Unreachable(chain(&unreachable()));
    let mut stage = Stage::new();
    let (mut first, _) = stage.ask(true);

    stage.hear(Event::Learned(Update::Unreachable(unreachable())));
    let (mut second, reaction) = stage.ask(true);
    stage.hear(Event::Probed(Err(unreachable())));

    assert_eq!(reaction, Reaction::Probe);
    assert_eq!(first.try_recv(), Ok(Err(reason.clone())));
    assert_eq!(second.try_recv(), Ok(Err(reason)));
}

#[test]
fn a_view_that_nobody_uses_is_closed() {
    let mut stage = Stage::listed();
    stage.now += IDLE;
    assert_eq!(stage.hear(Event::Due), Reaction::Close);

    let mut followed = Stage::listed();
    let (_, woken) = followed.session.scene.follow(None);
    followed.now += IDLE;
    assert_eq!(followed.hear(Event::Due), Reaction::Nothing);
    drop(woken);
    followed.now += IDLE;
    assert_eq!(followed.hear(Event::Due), Reaction::Close);

    let mut asked = Stage::listed();
    asked.now += IDLE / 2;
    asked.ask(true);
    asked.now += IDLE / 2;
    assert_eq!(asked.hear(Event::Due), Reaction::Nothing);
}

#[test]
fn who_waits_for_a_revision_waits_until_the_view_has_it() {
    let mut stage = Stage::listed();
    let (reply, mut waiting) = oneshot::channel();

    stage.hear(Event::Asked(Question::Wait { revision: Revision(3), reply }));
    stage.hear(changed(2));
    assert_eq!(waiting.try_recv(), Err(oneshot::error::TryRecvError::Empty));

    stage.hear(changed(3));
    assert_eq!(waiting.try_recv(), Ok(()));
}

#[tokio::test]
async fn nothing_is_looked_up_for_those_who_went_away() {
    let (view, viewer) = View::new(EmbeddedStore::in_memory().unwrap(), KeyPrefix::new("/fleet"));
    let looked = Arc::new(AtomicBool::new(false));
    let noting = Arc::clone(&looked);

    let asking = view.read(move |_| noting.store(true, Ordering::Relaxed));
    let gone = timeout(Duration::ZERO, asking).await;
    TaskTracker::new().spawn(viewer.run(CancellationToken::new()));
    view.read(|_| ()).await.unwrap();

    assert!(gone.is_err() && !looked.load(Ordering::Relaxed));
}
