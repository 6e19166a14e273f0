//! What a test does to systemd, and what it sees of it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use fleet_units::UnitName;

use super::{Action, Call, Kind, MemorySystemd};
use crate::systemd::{JobResult, OwnJob, Signal};

impl MemorySystemd {
    /// The calls so far, which are forgotten.
    pub fn take_calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.state().calls)
    }

    /// Refuses what is asked about a unit, until [`Self::allow`].
    pub fn refuse(&self, action: Action, unit: &UnitName) {
        self.state().refused.insert((action, unit.clone()));
    }

    /// Takes a refusal back.
    pub fn allow(&self, action: Action, unit: &UnitName) {
        self.state().refused.remove(&(action, unit.clone()));
    }

    /// Does not answer in time what is asked about a unit.
    pub fn leave_unanswered(&self, action: Action, unit: &UnitName) {
        self.state().unanswered.insert((action, unit.clone()));
    }

    /// Start jobs of this unit end so from now on.
    pub fn end_starts(&self, unit: &UnitName, result: JobResult) {
        self.state().ends.insert((Kind::Start, unit.clone()), result);
    }

    /// Stop jobs of this unit end so from now on; it stops if they are done or skipped.
    pub fn end_stops(&self, unit: &UnitName, result: JobResult) {
        self.state().ends.insert((Kind::Stop, unit.clone()), result);
    }

    /// Start jobs of this unit stay open from now on, until [`Self::release`].
    pub fn hold_starts(&self, unit: &UnitName) {
        self.state().held.insert((Kind::Start, unit.clone()));
    }

    /// Stop jobs of this unit stay open from now on, until [`Self::release`].
    pub fn hold_stops(&self, unit: &UnitName) {
        self.state().held.insert((Kind::Stop, unit.clone()));
    }

    /// Ends the open job of a unit, and holds no further ones.
    pub fn release(&self, unit: &UnitName) {
        let mut state = self.state();
        state.held.retain(|(_, held)| held != unit);
        if let Some(job) = state.jobs.remove(unit) {
            state.finish(unit, job);
        }
    }

    /// The unit comes into this state by itself: its timer, an operator, a crash.
    pub fn become_state(&self, unit: &UnitName, active: &str, sub: &str) {
        self.state().change(unit, active, sub);
    }

    /// systemd drops the unit from memory.
    pub fn forget(&self, unit: &UnitName) {
        self.state().forget(unit);
    }

    /// The state of a unit in memory: ActiveState and SubState.
    pub fn loaded(&self, unit: &UnitName) -> Option<(String, String)> {
        self.state().loaded.get(unit).map(|unit| (unit.active.clone(), unit.sub.clone()))
    }

    /// The linked units.
    pub fn linked(&self) -> BTreeSet<UnitName> {
        self.state().links.keys().cloned().collect()
    }

    /// The enabled units.
    pub fn enabled(&self) -> BTreeSet<UnitName> {
        self.state().enabled.clone()
    }

    /// The bus goes away: calls fail, jobs end without result. Units go on.
    pub fn disconnect(&self) {
        let mut state = self.state();
        state.disconnected = true;
        state.jobs.clear();
    }

    /// The bus comes back.
    pub fn reconnect(&self) {
        let mut state = self.state();
        state.disconnected = false;
        state.tell(&Signal::Resync);
    }

    /// systemd runs this job for fleetd.
    pub fn set_own_job(&self, job: OwnJob) {
        self.state().own_job = Some(job);
    }

    /// systemd reads units from here.
    pub fn set_unit_path(&self, path: Vec<PathBuf>) {
        self.state().unit_path = path;
    }
}
