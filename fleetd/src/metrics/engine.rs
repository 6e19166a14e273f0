//! What the engine has done. Names are fleet 1.0's where they mean the same.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::durations;

type ByType = Family<[(&'static str, &'static str); 1], Counter>;

/// What the engine does to units, in 1.0's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Take a unit from a machine.
    UnscheduleUnit,
    /// Give a unit to a machine.
    AttemptScheduleUnit,
}

/// Why a plan was not carried out as it was, in 1.0's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// A machine is lost.
    MachineAway,
    /// The store did not take it.
    Run,
    /// The registry had changed meanwhile.
    Schedule,
}

impl Task {
    const fn labels(self) -> [(&'static str, &'static str); 1] {
        match self {
            Self::UnscheduleUnit => [("type", "unscheduleunit")],
            Self::AttemptScheduleUnit => [("type", "attemptscheduleunit")],
        }
    }
}

impl Failure {
    const fn labels(self) -> [(&'static str, &'static str); 1] {
        match self {
            Self::MachineAway => [("type", "machine_away")],
            Self::Run => [("type", "run")],
            Self::Schedule => [("type", "schedule")],
        }
    }
}

/// The engine's figures; clones count together.
#[derive(Clone, Debug)]
pub struct EngineMetrics {
    leader_start_time: Gauge,
    tasks: ByType,
    task_failures: ByType,
    plans: Counter,
    plan_failures: ByType,
    plan_duration: Histogram,
    watch_lag: Histogram,
}

impl Default for EngineMetrics {
    fn default() -> Self {
        let metrics = Self {
            leader_start_time: Gauge::default(),
            tasks: Family::default(),
            task_failures: Family::default(),
            plans: Counter::default(),
            plan_failures: Family::default(),
            plan_duration: durations(),
            watch_lag: durations(),
        };
        // What has never happened is 0, not missing.
        for task in [Task::UnscheduleUnit, Task::AttemptScheduleUnit] {
            drop(metrics.tasks.get_or_create(&task.labels()));
            drop(metrics.task_failures.get_or_create(&task.labels()));
        }
        for failure in [Failure::MachineAway, Failure::Run, Failure::Schedule] {
            drop(metrics.plan_failures.get_or_create(&failure.labels()));
        }
        metrics
    }
}

impl EngineMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        let since = "When this machine took the lead, in seconds since 1970; 0 if it does not lead";
        registry.register("leader_start_time", since, self.leader_start_time.clone());
        registry.register("task_count", "Tasks carried out", self.tasks.clone());
        let failures = "Tasks that the store did not take";
        registry.register("task_failure_count", failures, self.task_failures.clone());
        registry.register("reconcile_count", "Plans made", self.plans.clone());
        let failures = "Why plans were made again, or came to nothing";
        registry.register("reconcile_failure_count", failures, self.plan_failures.clone());
        let duration = "Time that making a plan took";
        registry.register("reconcile_duration_seconds", duration, self.plan_duration.clone());
        let lag = "Time from a write of the leader to its sight of it in the watch";
        registry.register("watch_lag_seconds", lag, self.watch_lag.clone());
    }

    /// This machine leads since then, or does not.
    pub fn leads(&self, since: Option<Duration>) {
        let seconds = since.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX));
        self.leader_start_time.set(seconds);
    }

    /// A task landed in the store.
    pub fn carried_out(&self, task: Task) {
        self.tasks.get_or_create(&task.labels()).inc();
    }

    /// A task did not.
    pub fn not_carried_out(&self, task: Task) {
        self.task_failures.get_or_create(&task.labels()).inc();
    }

    /// Something stood against a plan.
    pub fn failed(&self, failure: Failure) {
        self.plan_failures.get_or_create(&failure.labels()).inc();
    }

    /// A plan was made, which took so long.
    pub fn planned(&self, duration: Duration) {
        self.plans.inc();
        self.plan_duration.observe(duration.as_secs_f64());
    }

    /// A write was seen in the watch so long after it landed.
    pub fn seen(&self, lag: Duration) {
        self.watch_lag.observe(lag.as_secs_f64());
    }
}
