//! Effects: does what a plan says, and tells how each part of it ended.
//!
//! What fails is told, and holds up only what needs it: a user that cannot be made takes no keys from
//! others, and a unit whose file was not written is not started.

mod account;
mod commands;
mod files;
mod program;
mod script;
mod session;
mod submit;
pub(crate) mod write;

use std::collections::BTreeSet;
use std::time::Duration;

pub use session::{
    ApplyError, Document, Extent, Progress, Run, apply, apply_document, read_status,
};

use crate::clock::Clock;
use crate::host::Root;
use crate::plan::{Action, Plan};
use crate::state::{self, Done, Outcome};
use program::Programs;

/// How long things may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// A program that changes the host, such as useradd.
    pub program: Duration,
    /// All units together until they run, from when they are asked.
    pub units: Duration,
    /// The cluster to take a unit.
    pub cluster: Duration,
    /// A script.
    pub script: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            program: Duration::from_secs(60),
            units: Duration::from_secs(300),
            cluster: Duration::from_secs(120),
            script: Duration::from_secs(1800),
        }
    }
}

/// The host that is changed.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// Its root directory.
    pub root: &'a Root,
    /// Whether a system runs from it: else nothing is started or run, and its programs are told the
    /// directory.
    pub is_running: bool,
    /// Tells the time.
    pub clock: &'a dyn Clock,
    /// How long things may take.
    pub limits: Limits,
}

/// A plan that is being carried out.
struct Applying<'a> {
    target: Target<'a>,
    programs: Programs<'a>,
    outcomes: Vec<Outcome>,
    /// Units whose files were not written.
    broken: BTreeSet<String>,
    asked: BTreeSet<String>,
    extent: Extent<'a>,
}

impl<'a> Applying<'a> {
    fn new(target: Target<'a>, asked: BTreeSet<String>, extent: Extent<'a>) -> Self {
        let programs = Programs { root: target.root };
        Self { target, programs, outcomes: Vec::new(), broken: BTreeSet::new(), asked, extent }
    }

    fn note(&mut self, action: &Action, result: Result<(), String>) {
        let (done, reason) = match result {
            Ok(()) => (Done::Done, None),
            Err(reason) => (Done::Failed, Some(reason)),
        };
        self.push(Outcome::new(action.to_string(), done, reason));
    }

    fn push(&mut self, outcome: Outcome) {
        self.extent.progress().ended(&outcome);
        self.outcomes.push(outcome);
    }

    /// Everything but what is asked of units and scripts.
    fn change(&mut self, plan: &Plan) {
        for action in &plan.actions {
            match action {
                Action::Command { .. } | Action::Submit { .. } | Action::Run(_) => {}
                Action::Reload | Action::ReloadNetwork if !self.target.is_running => {}
                _ => {
                    let result = self.carry_out(action);
                    if result.is_err() {
                        self.broken.extend(files::unit(action));
                    }
                    self.note(action, result);
                }
            }
        }
    }

    fn carry_out(&self, action: &Action) -> Result<(), String> {
        let limit = self.target.limits.program;
        match action {
            Action::Hostname(name) => account::hostname(self.target, &self.programs, name),
            Action::Group(name) => self.programs.account("groupadd", &[name], None, limit),
            Action::User(user) => account::user(&self.programs, user, limit),
            Action::Password { user, hash } => {
                account::password(self.target, &self.programs, user, hash)
            }
            Action::Member { user, group } => {
                let words = ["--append", "--groups", group, user];
                self.programs.account("usermod", &words, None, limit)
            }
            Action::File(file) => files::write_file(self.target, &self.programs, file),
            Action::Link { path, target } => files::link(self.target.root, path, target),
            Action::Remove(path) => files::remove(self.target.root, path),
            Action::RemoveKeys { home, path } => files::remove_keys(self.target.root, home, path),
            Action::Enable { unit, runtime } => {
                let runtime: &[&str] = if *runtime { &["--runtime"] } else { &[] };
                self.programs
                    .enabling(&[&["enable", "--no-reload"], runtime, &[unit]].concat(), limit)
            }
            Action::Disable(unit) => {
                self.programs.enabling(&["disable", "--no-reload", unit], limit)
            }
            Action::Reload => self.programs.run("systemctl", &["daemon-reload"], None, limit),
            Action::ReloadNetwork => self.reload_network(),
            Action::Command { .. } | Action::Submit { .. } | Action::Run(_) => Ok(()),
        }
    }

    /// Only if it runs: else it reads its files when it starts.
    fn reload_network(&self) -> Result<(), String> {
        let limit = self.target.limits.program;
        let active = ["is-active", "--quiet", "systemd-networkd.service"];
        match self.programs.run("systemctl", &active, None, limit) {
            Ok(()) => self.programs.run("networkctl", &["reload"], None, limit),
            Err(_) => Ok(()),
        }
    }

    fn remember_asked(&self) -> std::io::Result<()> {
        if self.asked.is_empty() {
            return Ok(());
        }
        state::save(self.target.root, state::ASKED, &self.asked)
    }
}
