//! Units for the cluster.

use std::path::Path;
use std::time::Duration;

use super::Applying;
use crate::plan::{Action, Plan};
use crate::state::{Done, Outcome};

/// How long to wait before fleetd is asked again.
const PAUSE: Duration = Duration::from_millis(500);

/// How long one may take, however late it is: those before it may have been refused.
const ONE: Duration = Duration::from_secs(10);

impl Applying<'_> {
    /// Gives units to the cluster. fleetd may take a while until it answers.
    pub(super) fn submit(&mut self, plan: &Plan) {
        let until = self.target.clock.now() + self.target.limits.cluster;
        for action in &plan.actions {
            let Action::Submit { unit, path, start } = action else { continue };
            let outcome = if self.target.is_running {
                self.submit_until(action, path, *start, until)
            } else {
                let reason = "no system runs from this directory".to_owned();
                Outcome::new(action.to_string(), Done::Skipped, Some(reason))
            };
            if outcome.result == Done::Done {
                self.asked.insert(action.to_string());
            }
            self.push(outcome.about(unit));
        }
    }

    fn submit_until(&self, action: &Action, path: &Path, start: bool, until: Duration) -> Outcome {
        let place = self.target.root.place(path).unwrap_or_else(|_| path.to_owned());
        let place = place.to_string_lossy();
        let words: &[&str] = match start {
            true => &["start", "--once", "--no-block", &place],
            false => &["submit", "--once", &place],
        };
        loop {
            let now = self.target.clock.now();
            let limit = until.saturating_sub(now).max(ONE);
            let result = self.programs.run("fleetctl", words, None, limit);
            match result {
                Ok(()) => return Outcome::new(action.to_string(), Done::Done, None),
                Err(reason) if self.target.clock.now() + PAUSE >= until => {
                    return Outcome::new(action.to_string(), Done::Failed, Some(reason));
                }
                Err(_) => self.target.clock.sleep(PAUSE),
            }
        }
    }
}
