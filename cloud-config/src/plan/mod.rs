//! What is to be done: a pure function of a document and of what is on the host.

mod accounts;
mod action;
mod commands;
mod drafts;
mod environment;
mod hosts;
mod identity;
mod image;
mod keys;
pub mod members;
mod once;
mod paths;
mod present;
mod sudo;
#[cfg(test)]
mod tests;
mod units;
mod vanished;
pub mod wanted;
mod written;

pub(crate) use accounts::NO_PASSWORD;
pub use action::{Action, Check, FileChange, Hash, NewUser, Owner, OwnerGroup, Parents, Task};
pub(crate) use keys::file as authorized_keys;
pub(crate) use paths::unit_of;

use std::path::Path;

use crate::document::{CloudConfig, Script};
use crate::facts::Metadata;
use crate::host::Host;
use crate::problem::{Position, Problem};
use crate::state::Manifest;
use drafts::Drafts;

/// Who gets keys that are for nobody by name.
pub const DEFAULT_USER: &str = "core";

/// How much of the input counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// All of it.
    Whole,
    /// What keeps the host reachable: its name and the keys of the metadata. The document has errors.
    Floor,
}

/// What a host is to be.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// What the document says.
    pub config: &'a CloudConfig,
    /// Scripts of the user data.
    pub scripts: &'a [Script],
    /// What the cloud says; `None` if it was not asked, so that what it said earlier stays.
    pub metadata: Option<&'a Metadata>,
    /// Who gets keys that are for nobody by name.
    pub default_user: &'a str,
    /// How much counts.
    pub scope: Scope,
}

/// What is to be done, in this order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// What differs from what the document says.
    pub actions: Vec<Action>,
    /// What is wrong with the document on this host.
    pub problems: Vec<Problem>,
    /// What will be there because of the document.
    pub manifest: Manifest,
    /// Which instance this is.
    pub instance_id: Option<String>,
}

impl Plan {
    /// Whether the document must not be applied to this host.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.problems.iter().any(Problem::is_error)
    }
}

/// Decides what is to be done. After that is done, there is nothing to do.
#[must_use]
pub fn plan(input: &Input<'_>, host: &Host) -> Plan {
    let mut planner = Planner::new(input, host);
    identity::plan(&mut planner);
    accounts::plan(&mut planner);
    sudo::plan(&mut planner);
    keys::plan(&mut planner);
    if input.scope == Scope::Whole {
        written::plan(&mut planner);
        environment::plan(&mut planner);
        hosts::plan(&mut planner);
        image::plan(&mut planner);
        units::plan(&mut planner);
        vanished::plan(&mut planner);
        units::enabling(&mut planner);
    }
    planner.finish()
}

/// A plan that is being made.
struct Planner<'a> {
    input: &'a Input<'a>,
    host: &'a Host,
    drafts: Drafts<'a>,
    /// What comes before files: names, groups, users.
    first: Vec<Action>,
    /// What comes after files, and before systemd reads them: links, removals.
    links: Vec<Action>,
    problems: Vec<Problem>,
    manifest: Manifest,
}

impl<'a> Planner<'a> {
    fn new(input: &'a Input<'a>, host: &'a Host) -> Self {
        let manifest = match input.scope {
            Scope::Whole => Manifest::default(),
            Scope::Floor => host.memory.manifest.clone(),
        };
        let mut planner = Self {
            input,
            host,
            drafts: Drafts::new(host),
            first: Vec::new(),
            links: Vec::new(),
            problems: Vec::new(),
            manifest,
        };
        for warning in &host.warnings {
            planner.warn(Position::START, "", warning);
        }
        planner
    }

    fn warn(&mut self, position: Position, path: impl Into<String>, text: impl Into<String>) {
        self.problems.push(Problem::warning(position, path, text));
    }

    /// Takes back links and removals at a path: what is said later counts.
    fn forget_link(&mut self, path: &Path) {
        self.links.retain(|action| match action {
            Action::Link { path: known, .. } | Action::Remove(known) => known != path,
            _ => true,
        });
    }

    fn finish(mut self) -> Plan {
        let mut actions = self.first;
        actions.extend(self.drafts.into_actions());
        actions.append(&mut self.links);
        units::reload(&mut actions);
        if self.input.scope == Scope::Whole {
            commands::plan(self.input, self.host, &mut actions, &mut self.problems);
        }
        // With an error nothing runs, so it is noted for nothing that it ran.
        let mut instance_id = self.host.memory.instance_id.clone();
        if self.input.scope == Scope::Whole {
            instance_id = once::instance_id(self.input, self.host);
            once::plan(self.input, self.host, instance_id.as_deref(), &mut actions);
        }
        self.problems.sort_by_key(|problem| problem.position);
        Plan { actions, problems: self.problems, manifest: self.manifest, instance_id }
    }
}
