//! What the leader tells in the journal.

use std::collections::BTreeSet;

use fleet_units::MachineId;
use tracing::{info, warn};

use super::Leading;
use crate::log::chain;
use crate::plan::decision::Decision;

impl Leading {
    pub(super) fn log_unreadable(&mut self) {
        for (key, document) in &self.mirror.unreadable {
            if self.reported.insert((key.clone(), document.modified)) {
                let reason = chain(&document.error);
                warn!(key, reason, "Ignoring what cannot be read; all that it speaks of stays");
            }
        }
    }

    pub(super) fn log_storm(&self, before: &BTreeSet<MachineId>) {
        let storm = self.presence.storm();
        if before.is_empty() && !storm.is_empty() {
            let machines: Vec<_> = storm.iter().map(MachineId::as_str).collect();
            warn!(
                reason = machines.join(" "),
                "Most machines vanished at once: units stay where they are until they return"
            );
        } else if !before.is_empty() && storm.is_empty() {
            info!("No storm any more: units of lost machines move again");
        }
    }

    /// Once for each reason, as it is tried again and again.
    pub(super) fn log_refused_note(&mut self, reason: String) {
        if self.refused_note.as_ref() != Some(&reason) {
            warn!(error = reason, "The store refuses to note who is missing; trying again");
            self.refused_note = Some(reason);
        }
    }
}

pub(super) fn log_landed(decision: &Decision) {
    match decision {
        Decision::Place { unit, machine } => info!(%unit, %machine, "Scheduled unit"),
        Decision::Move { unit, from, to } => {
            info!(%unit, machine = %to, reason = %format_args!("machine {from} is lost"), "Moved unit");
        }
        Decision::PlaceGlobal { unit, machine } => {
            info!(%unit, %machine, "Scheduled global unit");
        }
        Decision::Update { unit, machine } => info!(%unit, %machine, "Updated unit"),
        Decision::Release { unit, machine, reason } => {
            info!(%unit, %machine, %reason, "Released unit");
        }
        Decision::Forget { unit } => info!(%unit, "Forgot the place of a unit"),
    }
}
