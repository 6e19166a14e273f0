//! The steps of a plan, turned into work.

use std::collections::{BTreeMap, BTreeSet};

use fleet_units::{TargetState, UnitName};
use tokio::time::Instant;
use tracing::info;

use super::super::applied::Applied;
use super::super::apply::Batch;
use super::super::plan::{Activity, Order, Plan, StopReason, Version};
use super::{Ask, Core, Work};
use crate::systemd::JobResult;

impl Core {
    pub(super) fn carry_out(&mut self, plan: Plan, now: Instant) {
        for (unit, reason) in plan.stops {
            info!(%unit, %reason, "Stopping unit");
            let reached = self.reached_by_stop(&unit, reason);
            self.jobs.insert(unit.clone(), Activity::Stopping);
            self.ask(unit, Ask::Stop { reached });
        }
        for unit in plan.notes {
            if let Some(record) = self.wanted(&unit) {
                self.note(&unit, record, now);
            }
        }
        for unit in plan.starts {
            if let Some(record) = self.wanted(&unit) {
                info!(%unit, "Starting unit");
                self.jobs.insert(unit.clone(), Activity::Asking);
                self.ask(unit, Ask::Start(record));
            }
        }
        for (unit, other) in plan.waiting {
            self.wait(&unit, &other, now);
        }
        self.file(plan.installs, plan.removals);
        for (unit, modified) in plan.forgets {
            self.forgetting.insert(unit.clone(), modified);
            self.writer.forget(&unit, modified);
        }
    }

    fn file(&mut self, installs: BTreeSet<UnitName>, removals: BTreeSet<UnitName>) {
        let texts = installs.into_iter().filter_map(|unit| {
            let text = self.assignments.document(&unit)?.text.clone();
            Some((unit, text))
        });
        let installs: BTreeMap<_, _> = texts.collect();
        let starts = |unit: &&UnitName| {
            let status = self.reports.get(*unit).and_then(|report| report.status());
            let runs = status.is_some_and(|status| status.active != "inactive");
            let wanted = self.wanted(unit);
            !runs && wanted.is_some_and(|wanted| wanted.target == TargetState::Launched)
        };
        let starting = installs.keys().filter(starts).cloned().collect();
        let batch = Batch { installs, starting, removals };
        if batch == Batch::default() {
            return;
        }
        self.filing = batch.installs.keys().chain(&batch.removals).cloned().collect();
        let versions = batch.installs.keys().filter_map(|unit| {
            let Applied { uid, hash, .. } = self.wanted(unit)?;
            Some((unit.clone(), Version { uid, hash }))
        });
        self.writing = versions.collect();
        let steps = self.filing.iter();
        self.steps.extend(steps.map(|unit| (unit.clone(), self.assignments.modified(unit))));
        self.question();
        self.work.push(Work::Files(batch));
    }

    fn reached_by_stop(&self, unit: &UnitName, reason: StopReason) -> Option<Applied> {
        match reason {
            StopReason::Target | StopReason::Restarted => {
                self.wanted(unit).filter(|wanted| wanted.target == TargetState::Loaded)
            }
            StopReason::Released
            | StopReason::Displaced
            | StopReason::Leaving
            | StopReason::Changed => None,
        }
    }

    fn note(&mut self, unit: &UnitName, record: Applied, now: Instant) {
        let idle = !self.jobs.contains_key(unit);
        let report = self.reports.entry(unit.clone()).or_default();
        report.reached(&record);
        if idle && report.busy() {
            report.ended(Some(JobResult::Done));
        }
        self.remember(unit, record);
        self.failures.remove(unit);
        self.ask_if_untold(unit);
        self.post(unit, now);
    }

    fn ask(&mut self, unit: UnitName, ask: Ask) {
        self.last_serial += 1;
        let serial = self.last_serial;
        self.serials.insert(unit.clone(), serial);
        self.steps.insert(unit.clone(), self.assignments.modified(&unit));
        self.work.push(Work::Ask { unit, serial, ask });
    }

    pub(super) fn remember(&mut self, unit: &UnitName, record: Applied) {
        self.work.push(Work::Remember(unit.clone(), record.clone()));
        self.applied.insert(unit.clone(), record);
    }

    pub(super) fn wanted(&self, unit: &UnitName) -> Option<Applied> {
        match &self.assignments.assigned().get(unit)?.order {
            Order::Hold(wanted) => Some(wanted.clone()),
            Order::Release | Order::Keep | Order::Unreadable => None,
        }
    }
}
