//! What the leader counts of its work.

use tokio::time::Instant;

use crate::metrics::{EngineMetrics, Failure, Task};
use crate::plan::decision::Decision;
use crate::plan::transaction::Packet;
use crate::store::Revision;

/// Counts plans and what became of them.
#[derive(Debug, Default)]
pub(super) struct Figures {
    metrics: EngineMetrics,
    /// Plans made.
    pub(super) plans: u64,
    /// The last write of ours that the watch has not shown, and when it landed.
    unseen: Option<(Revision, Instant)>,
}

impl Figures {
    pub(super) fn new(metrics: EngineMetrics) -> Self {
        Self { metrics, ..Self::default() }
    }

    /// Decisions landed at `revision`, when the view was at `seen`.
    pub(super) fn landed(&mut self, packet: &Packet, at: (Revision, Instant), seen: Revision) {
        tasks(packet).for_each(|task| self.metrics.carried_out(task));
        self.unseen = Some(at);
        self.saw(seen, at.1);
    }

    /// The registry had changed since these were decided.
    pub(super) fn refused(&self, packet: &Packet) {
        self.not_landed(packet, Failure::Schedule);
    }

    /// The store did not take these.
    pub(super) fn failed(&self, packet: &Packet) {
        self.not_landed(packet, Failure::Run);
    }

    fn not_landed(&self, packet: &Packet, failure: Failure) {
        tasks(packet).for_each(|task| self.metrics.not_carried_out(task));
        self.metrics.failed(failure);
    }

    /// A machine is lost.
    pub(super) fn lost(&self) {
        self.metrics.failed(Failure::MachineAway);
    }

    /// The view has come so far.
    pub(super) fn saw(&mut self, revision: Revision, now: Instant) {
        if let Some((_, landed)) = self.unseen.take_if(|(unseen, _)| *unseen <= revision) {
            self.metrics.seen(now.saturating_duration_since(landed));
        }
    }
}

fn tasks(packet: &Packet) -> impl Iterator<Item = Task> {
    packet.decisions.iter().filter_map(|decision| match decision {
        Decision::Place { .. } | Decision::Move { .. } | Decision::PlaceGlobal { .. } => {
            Some(Task::AttemptScheduleUnit)
        }
        Decision::Release { .. } => Some(Task::UnscheduleUnit),
        Decision::Update { .. } | Decision::Forget { .. } => None,
    })
}
