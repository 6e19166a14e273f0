//! What is asked of units.
//!
//! Jobs are put into systemd's queue, and only then waited for: a unit that waits for cloud-config gets
//! its turn once that is done. systemctl waits for each, as nobody else tells how a job ended: of a
//! unit that ended, too, systemd keeps nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Applying;
use super::program::Waiting;
use crate::document::UnitCommand;
use crate::plan::{Action, Plan};
use crate::state::{Done, Outcome};

/// How often jobs are looked at.
const PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// What systemctl says when a job is in the queue.
const QUEUED: &str = "Enqueued anchor job";

/// A job in the queue.
#[derive(Debug)]
struct Job {
    unit: String,
    command: UnitCommand,
    /// Waits for it.
    systemctl: Waiting,
    /// The outcome that it belongs to.
    outcome: usize,
}

/// What systemctl says about a unit.
#[derive(Debug, Default)]
struct UnitStatus(BTreeMap<String, String>);

impl Applying<'_> {
    /// Asks units what the plan says, and waits until they did it or time is up.
    pub(super) fn command(&mut self, plan: &Plan) {
        let until = self.target.clock.now() + self.target.limits.units;
        let mut jobs: Vec<Job> = Vec::new();
        for action in &plan.actions {
            let Action::Command { unit, command } = action else { continue };
            // A second job for a unit would take the place of the first one.
            if jobs.iter().any(|job| job.unit == *unit) {
                self.extent.progress().asked();
                self.wait(&mut jobs, until);
            }
            jobs.extend(self.enqueue(action, unit, *command));
        }
        // Should this be stopped meanwhile, it is known what was asked.
        self.remember_asked().ok();
        self.extent.progress().asked();
        self.wait(&mut jobs, until);
    }

    fn enqueue(&mut self, action: &Action, unit: &str, command: UnitCommand) -> Option<Job> {
        let outcome = |done, reason| Outcome::new(action.to_string(), done, reason).about(unit);
        if !self.target.is_running {
            let reason = "no system runs from this directory".to_owned();
            self.push(outcome(Done::Skipped, Some(reason)));
            return None;
        }
        if self.broken.contains(unit) {
            let reason = "a file of the unit was not written".to_owned();
            self.push(outcome(Done::Skipped, Some(reason)));
            return None;
        }
        let words = ["--show-transaction", verb(command), unit];
        match self.programs.begin("systemctl", &words) {
            Ok(mut systemctl) => {
                self.await_queued(&mut systemctl);
                self.asked.insert(action.to_string());
                // What becomes of it is told later.
                self.outcomes.push(outcome(Done::Pending, None));
                let outcome = self.outcomes.len() - 1;
                Some(Job { unit: unit.to_owned(), command, systemctl, outcome })
            }
            Err(reason) => {
                self.push(outcome(Done::Failed, Some(reason)));
                None
            }
        }
    }

    /// Jobs come into the queue in the order of the document.
    fn await_queued(&self, systemctl: &mut Waiting) {
        let clock = self.target.clock;
        let until = clock.now() + self.target.limits.program;
        while !systemctl.printed().contains(QUEUED) && !systemctl.has_ended() && clock.now() < until
        {
            clock.sleep(PAUSE);
        }
    }

    /// Waits until no job is left, or time is up.
    fn wait(&mut self, jobs: &mut Vec<Job>, until: Duration) {
        let mut pause = PAUSE;
        loop {
            let (ended, left) = jobs.drain(..).partition(|job| job.systemctl.has_ended());
            *jobs = left;
            self.end(ended);
            let now = self.target.clock.now();
            if jobs.is_empty() || now >= until {
                break;
            }
            self.target.clock.sleep(pause.min(until.saturating_sub(now)));
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        for job in jobs.drain(..) {
            job.systemctl.abandon();
            self.set(job.outcome, Done::Pending, Some("it takes longer, and goes on".to_owned()));
        }
    }

    /// Notes how jobs ended.
    fn end(&mut self, jobs: Vec<Job>) {
        for job in jobs {
            let (done, reason) = match job.systemctl.end() {
                Ok(()) => self.status(&job.unit).end(job.command),
                Err(reason) => (Done::Failed, Some(reason)),
            };
            self.set(job.outcome, done, reason);
        }
    }

    fn set(&mut self, index: usize, done: Done, reason: Option<String>) {
        let Some(outcome) = self.outcomes.get_mut(index) else { return };
        outcome.result = done;
        outcome.reason = reason;
        if done == Done::Failed {
            // It is asked again at the next run.
            self.asked.remove(&outcome.action);
        }
        self.extent.progress().ended(outcome);
    }

    fn status(&self, unit: &str) -> UnitStatus {
        let words = ["show", "--property=ActiveState,Result", unit];
        let told = self.programs.output("systemctl", &words, None, self.target.limits.program);
        // The job is done in any case.
        told.map(|told| UnitStatus::read(&told)).unwrap_or_default()
    }
}

impl UnitStatus {
    fn read(text: &str) -> Self {
        let lines = text.lines().filter_map(|line| line.split_once('='));
        Self(lines.map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
    }

    fn property(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// What became of the unit of a job that was done.
    fn end(&self, command: UnitCommand) -> (Done, Option<String>) {
        if self.property("ActiveState") == "failed" && command != UnitCommand::Stop {
            let reason = format!("the unit failed ({})", self.property("Result"));
            return (Done::Failed, Some(reason));
        }
        (Done::Done, None)
    }
}

fn verb(command: UnitCommand) -> &'static str {
    match command {
        // systemctl has another word for it.
        UnitCommand::ReloadOrTryRestart => "try-reload-or-restart",
        _ => command.as_str(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_that_failed_after_its_job_was_done_has_failed() {
        let failed = UnitStatus::read("ActiveState=failed\nResult=exit-code\n");

        assert_eq!(
            failed.end(UnitCommand::Start),
            (Done::Failed, Some("the unit failed (exit-code)".to_owned()))
        );
        assert_eq!(failed.end(UnitCommand::Stop), (Done::Done, None));
        assert_eq!(UnitStatus::read("").end(UnitCommand::Start), (Done::Done, None));
    }
}
