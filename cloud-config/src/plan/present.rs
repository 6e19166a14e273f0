//! A plan for people and for programs, without what must not be printed.

use std::fmt::Write as _;

use serde_json::{Value, json};
use similar::TextDiff;

use super::{Action, FileChange, Plan};
use crate::host::FileState;

impl Plan {
    /// What would change: files as a unified diff, all else a line each.
    #[must_use]
    pub fn text(&self) -> String {
        self.actions.iter().map(action_text).collect()
    }

    /// The same for programs.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "instanceId": self.instance_id,
            "problems": self.problems,
            "actions": self.actions.iter().map(action_json).collect::<Vec<_>>(),
        })
    }
}

fn action_text(action: &Action) -> String {
    match action {
        Action::File(file) => file_text(file),
        Action::Remove(path) | Action::RemoveKeys { path, .. } => format!("- {}\n", path.display()),
        Action::Disable(_) => format!("- {action}\n"),
        Action::Hostname(_) | Action::Password { .. } | Action::Reload | Action::ReloadNetwork => {
            format!("~ {action}\n")
        }
        Action::Group(_)
        | Action::User(_)
        | Action::Member { .. }
        | Action::Link { .. }
        | Action::Enable { .. }
        | Action::Command { .. }
        | Action::Submit { .. }
        | Action::Run(_) => format!("+ {action}\n"),
    }
}

fn file_text(file: &FileChange) -> String {
    let path = file.path.display();
    let mut attributes = format!("mode {:04o}", file.mode);
    if let Some(owner) = &file.owner {
        // Writing to a string cannot fail.
        write!(attributes, ", owner {owner}").ok();
    }
    let (old, was) = match &file.before {
        Some(FileState::Regular(old)) => (
            Some(old),
            format!("{path}\tmode {:04o}, owner {}:{}", old.mode, old.owner.0, old.owner.1),
        ),
        Some(FileState::Link(target)) => (None, format!("{path}\tlink to {}", target.display())),
        Some(FileState::Other) => (None, format!("{path}\tno file")),
        None => (None, "/dev/null".to_owned()),
    };
    let old = old.map(|old| old.content.as_slice());
    let header = format!("--- {was}\n+++ {path}\t{attributes}\n");
    let body = diff(file, old).unwrap_or_else(|| {
        let why = if file.hidden { "content hidden" } else { "not text" };
        let was = old.map_or_else(String::new, |old| format!("{} -> ", old.len()));
        format!("~ {was}{} bytes ({why})\n", file.content.len())
    });
    header + &body
}

/// The lines that change; `None` if they must not be printed, or are none.
fn diff(file: &FileChange, old: Option<&[u8]>) -> Option<String> {
    let new = std::str::from_utf8(&file.content).ok()?;
    let old = std::str::from_utf8(old.unwrap_or_default()).ok()?;
    let is_binary = |text: &str| text.contains('\0');
    if file.hidden || is_binary(new) || is_binary(old) {
        return None;
    }
    let mut lines = TextDiff::from_lines(old, new).unified_diff().context_radius(3).to_string();
    if !lines.is_empty() && !lines.ends_with('\n') {
        lines.push('\n');
    }
    Some(lines)
}

fn action_json(action: &Action) -> Value {
    let kind = |kind: &str| json!({ "action": kind, "text": action.to_string() });
    let with = |mut value: Value, more: Value| {
        if let (Value::Object(value), Value::Object(more)) = (&mut value, more) {
            value.extend(more);
        }
        value
    };
    match action {
        Action::Hostname(name) => with(kind("hostname"), json!({ "name": name })),
        Action::Group(name) => with(kind("group"), json!({ "name": name })),
        Action::User(user) => with(kind("user"), json!({ "name": user.name })),
        Action::Password { user, .. } => with(kind("password"), json!({ "user": user })),
        Action::Member { user, group } => {
            with(kind("member"), json!({ "user": user, "group": group }))
        }
        Action::File(file) => with(kind("write"), file_json(file)),
        Action::Link { path, target } => {
            with(kind("link"), json!({ "path": path, "target": target }))
        }
        Action::Remove(path) | Action::RemoveKeys { path, .. } => {
            with(kind("remove"), json!({ "path": path }))
        }
        Action::Enable { unit, runtime } => {
            with(kind("enable"), json!({ "unit": unit, "runtime": runtime }))
        }
        Action::Disable(unit) => with(kind("disable"), json!({ "unit": unit })),
        Action::Reload => kind("reload"),
        Action::ReloadNetwork => kind("reload-network"),
        Action::Command { unit, command } => {
            with(kind("command"), json!({ "unit": unit, "command": command.as_str() }))
        }
        Action::Submit { unit, start, .. } => {
            with(kind("submit"), json!({ "unit": unit, "start": start }))
        }
        Action::Run(task) => with(kind("run"), json!({ "name": task.name })),
    }
}

fn file_json(file: &FileChange) -> Value {
    let old = match &file.before {
        Some(FileState::Regular(old)) => Some(old),
        Some(FileState::Link(_) | FileState::Other) | None => None,
    };
    json!({
        "path": file.path,
        "mode": format!("{:04o}", file.mode),
        "owner": file.owner.as_ref().map(ToString::to_string),
        "size": file.content.len(),
        "sizeBefore": old.map(|old| old.content.len()),
        "hidden": file.hidden,
        "diff": diff(file, old.map(|old| old.content.as_slice())),
    })
}
