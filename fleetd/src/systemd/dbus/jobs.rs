//! The jobs that somebody waits for, by object path.

use std::collections::{HashMap, VecDeque};

use tokio::sync::oneshot;

use super::super::{Job, JobResult};

/// Ends of jobs kept while a call is in flight that may turn out to have made one of them. Such a
/// call is answered within milliseconds, so this is far more than systemd ends meanwhile.
const UNCLAIMED: usize = 4096;

/// Matches accepted jobs with their ends, whichever comes first.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    waiting: HashMap<String, Vec<oneshot::Sender<JobResult>>>,
    unclaimed: VecDeque<(String, JobResult)>,
}

impl Jobs {
    /// A call was answered with this job. systemd gives the same job to everybody who asks for
    /// the same thing.
    pub(super) fn accept(&mut self, path: String) -> Job {
        if let Some((_, result)) = self.unclaimed.iter().rev().find(|(ended, _)| *ended == path) {
            return Job::finished(*result);
        }
        let (sender, ended) = oneshot::channel();
        self.waiting.entry(path).or_default().push(sender);
        Job { ended }
    }

    /// systemd removed a job; `claimable` tells whether a call is in flight that may have made it.
    pub(super) fn end(&mut self, path: &str, result: JobResult, claimable: bool) {
        for waiter in self.waiting.remove(path).unwrap_or_default() {
            // Nobody waits any more: the job went on without its asker.
            let (Ok(()) | Err(_)) = waiter.send(result);
        }
        if claimable {
            if self.unclaimed.len() == UNCLAIMED {
                self.unclaimed.pop_front();
            }
            self.unclaimed.push_back((path.to_owned(), result));
        }
    }

    /// No call is in flight: nobody can ask for an end that is kept.
    pub(super) fn settle(&mut self) {
        self.unclaimed.clear();
    }
}

/// systemd's word for the end of a job.
pub(super) fn result(word: &str) -> JobResult {
    match word {
        "done" => JobResult::Done,
        "failed" | "assert" | "unsupported" => JobResult::Failed,
        "timeout" => JobResult::Timeout,
        "canceled" => JobResult::Canceled,
        "dependency" => JobResult::Dependency,
        _ => JobResult::Skipped,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "/org/freedesktop/systemd1/job/7";

    #[tokio::test]
    async fn an_end_after_the_answer_reaches_everybody_who_waits() {
        let mut jobs = Jobs::default();
        let first = jobs.accept(PATH.to_owned());
        let second = jobs.accept(PATH.to_owned());

        jobs.end(PATH, JobResult::Failed, false);

        assert_eq!(first.ended().await, Some(JobResult::Failed));
        assert_eq!(second.ended().await, Some(JobResult::Failed));
    }

    #[tokio::test]
    async fn an_end_before_the_answer_is_kept_for_it() {
        let mut jobs = Jobs::default();
        jobs.end("/org/freedesktop/systemd1/job/6", JobResult::Done, true);
        jobs.end(PATH, JobResult::Timeout, true);

        assert_eq!(jobs.accept(PATH.to_owned()).ended().await, Some(JobResult::Timeout));
    }

    #[test]
    fn ends_are_kept_only_while_a_call_is_in_flight() {
        let mut jobs = Jobs::default();
        jobs.end(PATH, JobResult::Done, false);
        assert_eq!(jobs.unclaimed, []);

        jobs.end(PATH, JobResult::Done, true);
        jobs.settle();
        assert_eq!(jobs.unclaimed, []);
    }

    #[test]
    fn kept_ends_are_bounded_and_the_oldest_goes_first() {
        let mut jobs = Jobs::default();
        for job in 0..=UNCLAIMED {
            jobs.end(&job.to_string(), JobResult::Done, true);
        }

        assert_eq!(jobs.unclaimed.len(), UNCLAIMED);
        assert_eq!(jobs.unclaimed[0], ("1".to_owned(), JobResult::Done));
    }

    #[tokio::test]
    async fn a_lost_connection_ends_jobs_without_a_result() {
        let mut jobs = Jobs::default();
        let job = jobs.accept(PATH.to_owned());

        drop(jobs);

        assert_eq!(job.ended().await, None);
    }
}
