//! What is asked of units.
//!
//! Jobs are put into systemd's queue, and only then waited for: a unit that waits for cloud-config gets
//! its turn once that is done.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Applying;
use crate::document::UnitCommand;
use crate::plan::{Action, Plan};
use crate::state::{Done, Outcome};

/// How often systemd is asked about jobs.
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// A job that was put into the queue.
#[derive(Debug, Clone)]
struct Job {
    unit: String,
    command: UnitCommand,
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
                self.wait(&mut jobs, until);
            }
            jobs.extend(self.enqueue(action, unit, *command));
        }
        self.wait(&mut jobs, until);
    }

    fn enqueue(&mut self, action: &Action, unit: &str, command: UnitCommand) -> Option<Job> {
        let skip = |reason: &str| {
            Outcome::new(action.to_string(), Done::Skipped, Some(reason.to_owned())).about(unit)
        };
        if !self.target.is_running {
            self.push(skip("no system runs from this directory"));
            return None;
        }
        if self.broken.contains(unit) {
            self.push(skip("a file of the unit was not written"));
            return None;
        }
        let words = ["--no-block", verb(command), unit];
        let limit = self.target.limits.program;
        let (done, reason) = match self.programs.run("systemctl", &words, None, limit) {
            Ok(()) => (Done::Pending, None),
            Err(reason) => (Done::Failed, Some(reason)),
        };
        self.push(Outcome::new(action.to_string(), done, reason).about(unit));
        if done == Done::Pending {
            self.asked.insert(action.to_string());
        }
        let outcome = self.outcomes.len() - 1;
        (done == Done::Pending).then(|| Job { unit: unit.to_owned(), command, outcome })
    }

    /// Waits until no job is left in the queue, or time is up.
    fn wait(&mut self, jobs: &mut Vec<Job>, until: Duration) {
        let mut pause = PAUSE;
        while !jobs.is_empty() {
            self.look(jobs);
            let now = self.target.clock.now();
            if jobs.is_empty() || now >= until {
                break;
            }
            self.target.clock.sleep(pause.min(until.saturating_sub(now)));
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        for job in jobs.drain(..) {
            if let Some(outcome) = self.outcomes.get_mut(job.outcome) {
                outcome.reason = Some("it takes longer, and goes on".to_owned());
            }
        }
    }

    /// Notes which jobs are done.
    fn look(&mut self, jobs: &mut Vec<Job>) {
        let units: Vec<&str> = jobs.iter().map(|job| job.unit.as_str()).collect();
        let properties = "--property=Id,Names,Job,ActiveState,Result,ConditionResult,\
                          InactiveExitTimestampMonotonic";
        let words = [&["show", properties], units.as_slice()].concat();
        let limit = self.target.limits.program;
        // If it does not answer it is asked again; time is up some day.
        let Ok(told) = self.programs.output("systemctl", &words, None, limit) else { return };
        // systemctl answers in the order in which it was asked.
        let statuses: Vec<UnitStatus> = told.split("\n\n").map(UnitStatus::read).collect();
        let mut left = Vec::new();
        for (index, job) in jobs.drain(..).enumerate() {
            let status = statuses.get(index);
            if status.is_some_and(UnitStatus::has_job) {
                left.push(job);
                continue;
            }
            let (done, reason) =
                status.map_or((Done::Done, None), |status| status.end(job.command));
            if let Some(outcome) = self.outcomes.get_mut(job.outcome) {
                if done == Done::Failed {
                    self.asked.remove(&outcome.action);
                }
                outcome.result = done;
                outcome.reason = reason;
            }
        }
        *jobs = left;
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

    fn has_job(&self) -> bool {
        !matches!(self.property("Job"), "" | "0")
    }

    /// How a job ended.
    fn end(&self, command: UnitCommand) -> (Done, Option<String>) {
        let starts = match command {
            UnitCommand::Start | UnitCommand::Restart | UnitCommand::ReloadOrRestart => true,
            UnitCommand::Stop
            | UnitCommand::Reload
            | UnitCommand::TryRestart
            | UnitCommand::ReloadOrTryRestart => false,
        };
        match self.property("ActiveState") {
            "failed" if command != UnitCommand::Stop => {
                let why = format!("the unit failed ({})", self.property("Result"));
                (Done::Failed, Some(why))
            }
            "inactive" if starts && self.property("ConditionResult") == "no" => {
                (Done::Skipped, Some("a condition of the unit is not met".to_owned()))
            }
            "inactive" if starts && self.property("InactiveExitTimestampMonotonic") == "0" => {
                let why = "the unit did not start: what it requires failed";
                (Done::Failed, Some(why.to_owned()))
            }
            _ => (Done::Done, None),
        }
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
    fn the_state_of_a_unit_tells_how_its_job_ended() {
        for (text, command, expected) in [
            ("ActiveState=active", UnitCommand::Start, Done::Done),
            ("ActiveState=failed\nResult=exit-code", UnitCommand::Start, Done::Failed),
            ("ActiveState=failed\nResult=exit-code", UnitCommand::Stop, Done::Done),
            (
                "ActiveState=inactive\nInactiveExitTimestampMonotonic=7",
                UnitCommand::Start,
                Done::Done,
            ),
            (
                "ActiveState=inactive\nInactiveExitTimestampMonotonic=0",
                UnitCommand::Start,
                Done::Failed,
            ),
            (
                "ActiveState=inactive\nInactiveExitTimestampMonotonic=0",
                UnitCommand::Stop,
                Done::Done,
            ),
            (
                "ActiveState=inactive\nConditionResult=no\nInactiveExitTimestampMonotonic=0",
                UnitCommand::Start,
                Done::Skipped,
            ),
        ] {
            assert_eq!(UnitStatus::read(text).end(command).0, expected, "{text} {command:?}");
        }
        assert!(UnitStatus::read("Id=a\nJob=12").has_job());
    }
}
