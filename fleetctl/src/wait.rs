//! Waits until units are where a command wants them, or until that can't be expected any more.

use std::collections::BTreeMap;
use std::mem::discriminant;
use std::time::Duration;

use fleet_units::api::v2::{UnitDetail, Update};
use tokio::time::{Instant, timeout_at};

use crate::client::{ClientError, Watch};
use crate::error::CommandError;
use crate::judge::{Goal, Verdict, Why, Written, judge, judge_gone, obstacles};
use crate::ui::Ui;

/// How long a unit may stay without a place, or with a machine that is away. Other units may make
/// room meanwhile, and the machine may come back.
const PLACEMENT: Duration = Duration::from_secs(10);

/// How long all machines may keep silent while units wait for them. Longer than any lost machine's
/// lease, and than systemd's reload of some thousand units.
const SILENCE: Duration = Duration::from_secs(90);

/// One attempt of `--block-attempts`, as long as in 1.0.
const ATTEMPT: Duration = Duration::from_secs(2);

/// Whether and how long to wait.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct BlockArgs {
    /// Do not wait: return when the cluster has noted what is asked for
    #[arg(long)]
    no_block: bool,
    /// Wait for at most N times 2 seconds; 0 waits until the job has ended
    #[arg(long, value_name = "N", default_value_t = 0, allow_negative_numbers = true)]
    block_attempts: i32,
}

impl BlockArgs {
    /// Nothing is waited for.
    pub(crate) const fn off() -> Self {
        Self { no_block: true, block_attempts: 0 }
    }

    /// Whether the command returns at once.
    pub(crate) const fn is_off(&self) -> bool {
        self.no_block || self.block_attempts < 0
    }

    fn bound(&self) -> Option<Duration> {
        let attempts = u32::try_from(self.block_attempts).ok().filter(|attempts| *attempts > 0);
        attempts.map(|attempts| ATTEMPT.saturating_mul(attempts))
    }
}

/// A unit that is waited for.
#[derive(Clone, Debug)]
pub(crate) struct Awaited {
    /// Its name.
    pub(crate) name: String,
    /// Whether each machine that it suits is to run it.
    pub(crate) global: bool,
    /// What was written of it.
    pub(crate) written: Written,
    /// The latest that is known of it.
    pub(crate) known: Option<UnitDetail>,
}

/// Units that are waited for, and when to stop.
struct Waiting<'a> {
    goal: Goal,
    ui: &'a Ui,
    pending: BTreeMap<String, Pending>,
    total: usize,
    /// How many got there.
    reached: usize,
    begun: Instant,
    /// When a machine last said something of one of the units.
    heard: Instant,
    bound: Option<Duration>,
    failed: bool,
}

struct Pending {
    written: Written,
    why: Why,
    /// What was told last.
    told: Option<UnitDetail>,
    /// Since when it waits for this kind of thing.
    since: Instant,
}

/// Waits for all of them; lines go out in the order in which they get there.
///
/// # Errors
///
/// Fails if one of them does not get there, after having told why, or if fleet cannot be asked.
pub(crate) async fn wait(
    ui: &Ui,
    goal: Goal,
    watch: &mut Watch<'_>,
    awaited: Vec<Awaited>,
    block: &BlockArgs,
) -> Result<(), CommandError> {
    let all = reach(ui, goal, watch, awaited, block).await?;
    if all { Ok(()) } else { Err(CommandError::told()) }
}

/// Waits as [`wait`] does, and says whether all got there.
///
/// # Errors
///
/// Fails if fleet cannot be asked.
pub(crate) async fn reach(
    ui: &Ui,
    goal: Goal,
    watch: &mut Watch<'_>,
    awaited: Vec<Awaited>,
    block: &BlockArgs,
) -> Result<bool, CommandError> {
    let now = Instant::now();
    let mut waiting = Waiting {
        goal,
        ui,
        pending: BTreeMap::new(),
        total: awaited.len(),
        reached: 0,
        begun: now,
        heard: now,
        bound: block.bound(),
        failed: false,
    };
    for unit in awaited {
        waiting.begin(unit);
    }
    while let Some(deadline) = waiting.next_deadline() {
        waiting.show();
        match timeout_at(deadline, watch.next()).await {
            Ok(update) => waiting.take(update.map_err(|error| waiting.lost(error))?),
            Err(_) => waiting.expire(Instant::now()),
        }
    }
    ui.clear_progress();
    Ok(!waiting.failed)
}

impl Waiting<'_> {
    fn begin(&mut self, unit: Awaited) {
        let Awaited { name, written, known, .. } = unit;
        let judged = known.as_ref().map(|known| judge(self.goal, known, written));
        let pending = Pending { written, why: Why::News, told: known, since: self.begun };
        self.pending.insert(name.clone(), pending);
        self.settle(&name, judged.unwrap_or(Verdict::Waiting(Why::News)));
    }

    fn take(&mut self, update: Update) {
        for unit in update.units {
            let Some(pending) = self.pending.get_mut(&unit.name) else { continue };
            // 1.0 is asked again and again, and tells the same as long as nothing happens.
            if pending.told.as_ref() != Some(&unit) {
                self.heard = Instant::now();
                let verdict = judge(self.goal, &unit, pending.written);
                let name = unit.name.clone();
                pending.told = Some(unit);
                self.settle(&name, verdict);
            }
        }
        for name in &update.gone {
            // A view from before the unit was made cannot know that it is gone.
            let knows = |pending: &Pending| pending.written.uid <= update.revision;
            if self.pending.get(name).is_some_and(knows) {
                self.settle(name, judge_gone(self.goal, name));
            }
        }
    }

    fn settle(&mut self, name: &str, verdict: Verdict) {
        match verdict {
            Verdict::Waiting(why) => {
                if let Some(pending) = self.pending.get_mut(name) {
                    if discriminant(&pending.why) != discriminant(&why) {
                        pending.since = Instant::now();
                    }
                    pending.why = why;
                }
            }
            Verdict::Reached(line) => {
                self.pending.remove(name);
                self.reached += 1;
                self.ui.result(&line);
            }
            Verdict::Failed(sentence) => self.fail(name, &sentence),
            Verdict::Settled { reached, failed } => {
                self.pending.remove(name);
                self.reached += usize::from(failed.is_empty());
                for line in reached {
                    self.ui.result(&line);
                }
                for sentence in failed {
                    self.fail(name, &sentence);
                }
            }
        }
    }

    fn fail(&mut self, name: &str, sentence: &str) {
        self.pending.remove(name);
        self.failed = true;
        self.ui.note(&format!("Error waiting for units: {sentence}"));
    }

    /// Says when to look for units that have waited for too long; `None` when none is left.
    fn next_deadline(&self) -> Option<Instant> {
        // Nothing bounds systemd's job, so look again after a while.
        let later = Instant::now() + SILENCE;
        let deadline = |pending: &Pending| self.deadline(pending).unwrap_or(later);
        self.pending.values().map(deadline).min()
    }

    fn deadline(&self, pending: &Pending) -> Option<Instant> {
        let own = match pending.why {
            Why::Placement(_) | Why::Return(_) => Some(pending.since + PLACEMENT),
            Why::News | Why::Machine(..) => Some(self.heard + SILENCE),
            Why::Job(..) => None,
        };
        let bound = self.bound.map(|bound| self.begun + bound);
        own.into_iter().chain(bound).min()
    }

    fn expire(&mut self, now: Instant) {
        let expired: Vec<(String, String)> = self
            .pending
            .iter()
            .filter(|(_, pending)| self.deadline(pending).is_some_and(|end| end <= now))
            .map(|(name, pending)| (name.clone(), timed_out(self.goal, name, &pending.why)))
            .collect();
        for (name, sentence) in expired {
            self.fail(&name, &sentence);
        }
    }

    fn show(&self) {
        let Some((name, pending)) = self.pending.iter().next() else { return };
        let waiting = progress(name, &pending.why);
        self.ui.progress(&match (self.total, self.reached) {
            (1, _) => waiting,
            (total, reached) => format!("{reached}/{total} {}, {waiting}", done(self.goal)),
        });
    }

    fn lost(&self, error: ClientError) -> CommandError {
        let names: Vec<&str> = self.pending.keys().map(String::as_str).take(3).collect();
        let more = if self.pending.len() > names.len() { ", ..." } else { "" };
        CommandError::doing(
            format!("Error waiting for units, of which {}{more} stand out", names.join(", ")),
            error,
        )
    }
}

const fn done(goal: Goal) -> &'static str {
    match goal {
        Goal::Load => "loaded",
        Goal::Start => "launched",
        Goal::Stop => "stopped",
        Goal::Unload => "unloaded",
        Goal::Destroy => "destroyed",
    }
}

fn progress(name: &str, why: &Why) -> String {
    match why {
        Why::News => format!("waiting for fleet to act on {name}"),
        Why::Placement(_) => format!("waiting for a machine to take {name}"),
        Why::Machine(machine, None) => format!("waiting for {name} on {machine}"),
        Why::Machine(machine, Some(problem)) => {
            format!("waiting for {name} on {machine}: {problem}")
        }
        Why::Return(machine) => format!("waiting for {machine} to come back with {name}"),
        Why::Job(machine, words) => format!("waiting for {name} on {machine}: {words}"),
    }
}

fn timed_out(goal: Goal, name: &str, why: &Why) -> String {
    let what = match goal.state() {
        Some(state) => format!("timed out waiting for unit {name} to report state {state}"),
        None => format!("timed out waiting for unit {name} to be gone"),
    };
    match why {
        Why::News => format!("{what}: fleet has not acted on it; does an engine lead?"),
        Why::Placement(reasons) if reasons.is_empty() => {
            format!("{what}: it has been given to no machine, and no reason is known")
        }
        Why::Placement(reasons) => {
            format!("{what}: no machine can take it:{}", obstacles(reasons))
        }
        Why::Machine(machine, None) => format!("{what}: {machine} has not acted on it"),
        Why::Machine(machine, Some(problem)) => format!("{what}: {machine} says: {problem}"),
        Why::Return(machine) => {
            format!("{what}: {machine}, which has the unit, is away")
        }
        Why::Job(machine, words) => {
            format!("{what}: systemd's job on {machine} goes on, the unit is {words}")
        }
    }
}

#[cfg(test)]
mod tests {
    use fleet_units::TargetState;
    use fleet_units::api::v2::Copy;

    use super::*;

    fn waiting(ui: &Ui, bound: Option<Duration>) -> Waiting<'_> {
        let begun = Instant::now();
        Waiting {
            goal: Goal::Start,
            ui,
            pending: BTreeMap::new(),
            total: 1,
            reached: 0,
            begun,
            heard: begun + Duration::from_secs(100),
            bound,
            failed: false,
        }
    }

    fn limits(bound: Option<Duration>) -> [Option<u64>; 5] {
        let ui = Ui::new(Box::new(std::io::sink()), Box::new(std::io::sink()), false);
        let waiting = waiting(&ui, bound);
        let begun = waiting.begun;
        let (machine, words) = ("m".to_owned(), "activating".to_owned());
        let whys = [
            Why::Placement(Vec::new()),
            Why::News,
            Why::Machine(machine.clone(), None),
            Why::Return(machine.clone()),
            Why::Job(machine, words),
        ];
        whys.map(|why| {
            let since = begun + Duration::from_secs(30);
            let deadline =
                waiting.deadline(&Pending { written: Written::default(), why, told: None, since });
            deadline.map(|deadline| deadline.duration_since(begun).as_secs())
        })
    }

    #[test]
    fn a_place_and_a_return_have_10_seconds_a_silent_cluster_90_and_systemd_all_the_time() {
        assert_eq!(limits(None), [Some(40), Some(190), Some(190), Some(40), None]);
    }

    #[test]
    fn what_is_told_again_is_no_sign_of_life() {
        let ui = Ui::new(Box::new(std::io::sink()), Box::new(std::io::sink()), false);
        let mut waiting = waiting(&ui, None);
        waiting.heard = waiting.begun;
        let unit = |load: &str| {
            let copy = Copy { machine: "m".to_owned(), load: load.to_owned(), ..Copy::default() };
            let (name, desired_state) = ("a.service".to_owned(), TargetState::Launched);
            UnitDetail { name, desired_state, machines: vec![copy], ..UnitDetail::default() }
        };
        let known = Some(unit(""));
        let written = Written { uid: 1, generation: 1 };
        waiting.begin(Awaited { name: unit("").name, global: false, written, known });
        let mut heard = |load| {
            waiting.take(Update { units: vec![unit(load)], ..Update::default() });
            waiting.heard
        };
        let first = heard("");
        assert_eq!(heard(""), first);
        let second = heard("loaded");
        assert!(second > first);
        assert_eq!(heard("loaded"), second);
    }

    #[test]
    fn attempts_bound_everything_from_the_beginning() {
        let bound = Some(Duration::from_secs(60));
        assert_eq!(limits(bound), [Some(40), Some(60), Some(60), Some(40), Some(60)]);
    }
}
