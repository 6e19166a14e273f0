//! What the agent holds.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// systemd's words for what a unit is, and one for those that it may have later.
const ACTIVE: [&str; 7] =
    ["active", "reloading", "inactive", "failed", "activating", "deactivating", "other"];

/// The agent's figures; clones count together.
#[derive(Clone, Debug)]
pub struct AgentMetrics {
    units: Family<[(&'static str, &'static str); 1], Gauge>,
    /// In the order of [`ACTIVE`].
    by_state: [Gauge; ACTIVE.len()],
    jobs: Gauge,
    failed_steps: Gauge,
    registered: Gauge,
    registrations: Counter,
}

impl Default for AgentMetrics {
    fn default() -> Self {
        let units = Family::<_, Gauge>::default();
        let by_state = ACTIVE.map(|state| units.get_or_create(&[("active", state)]).clone());
        Self {
            units,
            by_state,
            jobs: Gauge::default(),
            failed_steps: Gauge::default(),
            registered: Gauge::default(),
            registrations: Counter::default(),
        }
    }
}

impl AgentMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        let units = "Units that this machine reports, by systemd's ActiveState";
        registry.register("units", units, self.units.clone());
        registry.register("jobs", "Jobs of systemd that are under way", self.jobs.clone());
        let steps = "Units that are not what they should be, as a step has failed";
        registry.register("failed_steps", steps, self.failed_steps.clone());
        let registered = "Whether the cluster knows this machine";
        registry.register("registered", registered, self.registered.clone());
        let count = "Registrations; more than one means that the presence was lost";
        registry.register("registrations", count, self.registrations.clone());
    }

    /// The units that are reported, each by its ActiveState.
    pub fn units<'a>(&self, states: impl IntoIterator<Item = &'a str>) {
        let mut counts = [0; ACTIVE.len()];
        for state in states {
            let known = ACTIVE.iter().position(|known| *known == state);
            counts[known.unwrap_or(ACTIVE.len() - 1)] += 1;
        }
        for (gauge, count) in self.by_state.iter().zip(counts) {
            gauge.set(count);
        }
    }

    /// Jobs under way, and units whose last step has failed.
    pub fn work(&self, jobs: usize, failed_steps: usize) {
        self.jobs.set(i64::try_from(jobs).unwrap_or(i64::MAX));
        self.failed_steps.set(i64::try_from(failed_steps).unwrap_or(i64::MAX));
    }

    /// The machine is registered anew.
    pub fn registration(&self) {
        self.registrations.inc();
    }

    /// Whether the cluster knows this machine.
    pub fn registered(&self, registered: bool) {
        self.registered.set(registered.into());
    }
}
