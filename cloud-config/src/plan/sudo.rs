//! Who may be root: /etc/sudoers.d/cloud-config.

use std::path::PathBuf;

use super::accounts::users_once;
use super::drafts::Draft;
use super::{Check, Planner, Scope};
use crate::state::Digest;

/// Where the rules are.
pub(super) const PATH: &str = "/etc/sudoers.d/cloud-config";

/// What the user gets who is made because keys have to go somewhere.
const ALL: &str = "ALL=(ALL) NOPASSWD:ALL";

pub(super) fn plan(planner: &mut Planner<'_>) {
    let path = PathBuf::from(PATH);
    let mut lines = lines(planner);
    if planner.input.scope == Scope::Floor {
        let known = planner.host.content(&path).map(String::from_utf8_lossy).unwrap_or_default();
        let known: Vec<String> = known.lines().map(str::to_owned).collect();
        lines.retain(|line| !known.contains(line));
        if lines.is_empty() {
            return;
        }
        lines = known.into_iter().chain(lines).collect();
    }
    if lines.is_empty() {
        return;
    }
    let content = lines.join("\n") + "\n";
    planner.manifest.files.insert(path.clone(), Digest::of(content.as_bytes()));
    let check = Some(Check::Sudoers);
    planner.drafts.write(path, Draft { mode: 0o440, shown: true, check, ..Draft::new(content) });
}

fn lines(planner: &Planner<'_>) -> Vec<String> {
    let default = planner.input.default_user;
    let users = users_once(&planner.input.config.users);
    let mut lines = Vec::new();
    let is_ours = planner.manifest.default_user.as_deref() == Some(default);
    let says = users.iter().any(|user| user.name == default && user.sudo.is_some());
    if is_ours && !says {
        lines.push(format!("{default} {ALL}"));
    }
    for user in &users {
        let rules = user.sudo.iter().flatten();
        lines.extend(rules.map(|rule| format!("{} {rule}", user.name)));
    }
    lines
}
