//! Figures for Prometheus, at `/metrics` of the API; `docs/metrics.md` tells what they mean. Each part
//! keeps its own and changes them when something happens; what only the kernel knows is read when
//! somebody asks. At rest nothing is done.

use std::fmt;

use prometheus_client::encoding::text;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

mod agent;
mod engine;
mod process;
mod store;

pub use agent::AgentMetrics;
pub use engine::{EngineMetrics, Failure, Task};
pub use store::{Request, StoreMetrics};

/// What the text is, for the header of an answer.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The figures of all parts.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// The agent's.
    pub agent: AgentMetrics,
    /// The engine's.
    pub engine: EngineMetrics,
    /// The store's.
    pub store: StoreMetrics,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::default();
        let (agent, engine) = (AgentMetrics::default(), EngineMetrics::default());
        let store = StoreMetrics::default();
        agent.register(registry.sub_registry_with_prefix("fleet_agent"));
        engine.register(registry.sub_registry_with_prefix("fleet_engine"));
        store.register(registry.sub_registry_with_prefix("fleet_store"));
        registry.register_collector(Box::new(process::Process));
        Self { registry, agent, engine, store }
    }
}

impl Metrics {
    /// All figures as they are now.
    ///
    /// # Errors
    ///
    /// Never, as a string takes all that is written to it.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// Durations from half a millisecond to 16 seconds.
fn durations() -> Histogram {
    Histogram::new(exponential_buckets(0.0005, 2.0, 16))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn figures_have_the_names_that_the_page_on_metrics_explains() {
        let metrics = Metrics::default();
        metrics.engine.carried_out(Task::AttemptScheduleUnit);
        metrics.engine.failed(Failure::Schedule);
        metrics.store.answered(Request::Commit, Duration::from_millis(3), true);
        metrics.agent.units(["active", "active", "failed", "new-word"]);

        let text = metrics.text().unwrap();

        for line in [
            "fleet_engine_task_count_total{type=\"attemptscheduleunit\"} 1",
            "fleet_engine_task_count_total{type=\"unscheduleunit\"} 0",
            "fleet_engine_reconcile_failure_count_total{type=\"schedule\"} 1",
            "fleet_store_request_duration_seconds_count{request=\"commit\"} 1",
            "fleet_store_request_failures_total{request=\"commit\"} 0",
            "fleet_agent_units{active=\"active\"} 2",
            "fleet_agent_units{active=\"failed\"} 1",
            "fleet_agent_units{active=\"other\"} 1",
            "fleet_agent_units{active=\"inactive\"} 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
        let page = include_str!("../../../docs/metrics.md");
        let names = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        for name in names.filter_map(|line| line.split(' ').next()) {
            assert!(page.contains(name), "docs/metrics.md does not explain {name}");
        }
    }

    #[test]
    fn the_process_tells_what_the_kernel_knows_of_it() {
        let text = Metrics::default().text().unwrap();
        let value = |name: &str| -> f64 {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
        };

        assert!(value("process_resident_memory_bytes") > 100_000.0);
        assert!(value("process_open_fds") >= 3.0);
        assert!(value("process_max_fds") >= value("process_open_fds"));
        assert!(value("process_start_time_seconds") > 1_700_000_000.0);
        assert!(value("process_cpu_seconds_total") >= 0.0);
    }
}
