//! `write_files`.

use super::drafts::Draft;
use super::{Action, Owner, OwnerGroup, Planner};
use crate::document::File;
use crate::host::FileState;
use crate::problem::Problem;

pub(super) fn plan(planner: &mut Planner<'_>) {
    let files = &planner.input.config.write_files;
    for (index, file) in files.iter().enumerate() {
        let path = format!("write_files[{index}]");
        if let Some(fault) = fault(planner, file) {
            planner.problems.push(Problem::error(file.position, path, fault));
            continue;
        }
        let draft = Draft {
            mode: file.permissions,
            owner: file.owner.as_deref().map(Owner::read),
            ..Draft::new(file.content.clone())
        };
        if file.append {
            append(planner, file, draft);
        } else {
            planner.drafts.write(file.path.clone(), draft);
        }
    }
}

/// Adds to what will be there by then, unless it says so already.
fn append(planner: &mut Planner<'_>, file: &File, draft: Draft) {
    let known = planner.drafts.content(&file.path);
    let mut content = known.unwrap_or_default().to_vec();
    let is_there = known.is_some();
    if !has_lines(&content, &file.content) {
        if content.last().is_some_and(|last| *last != b'\n') {
            content.push(b'\n');
        }
        content.extend_from_slice(&file.content);
    } else if is_there && !planner.drafts.has(&file.path) {
        return;
    }
    planner.drafts.edit(file.path.clone(), content, draft);
}

/// Whether a text holds the lines of another one.
fn has_lines(text: &[u8], part: &[u8]) -> bool {
    let part = part.strip_suffix(b"\n").unwrap_or(part);
    part.is_empty()
        || text.windows(part.len()).enumerate().any(|(index, window)| {
            let starts_line = index == 0 || text.get(index - 1) == Some(&b'\n');
            let ends_line = text.get(index + part.len()).is_none_or(|next| *next == b'\n');
            starts_line && ends_line && window == part
        })
}

/// Why a file cannot be written on this host.
fn fault(planner: &Planner<'_>, file: &File) -> Option<String> {
    let path = file.path.display();
    if matches!(planner.host.files.get(&file.path), Some(FileState::Other)) {
        return Some(format!("{path} is a folder or a device on this host"));
    }
    let owner = Owner::read(file.owner.as_deref()?);
    let accounts = &planner.host.accounts;
    let makes = |wanted: &str, group: bool| {
        planner.first.iter().any(|action| match action {
            Action::User(user) => user.name == wanted && !(group && user.no_user_group),
            Action::Group(name) => group && name == wanted,
            _ => false,
        })
    };
    if accounts.uid(&owner.user).is_none() && !makes(&owner.user, false) {
        return Some(format!(
            "user `{}` is neither on this host nor in the document: {path} cannot belong to it",
            owner.user
        ));
    }
    let OwnerGroup::Named(group) = owner.group else { return None };
    if accounts.gid(&group).is_none() && !makes(&group, true) {
        return Some(format!(
            "group `{group}` is neither on this host nor in the document: {path} cannot belong to it"
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_found_only_as_lines() {
        for (text, part, expected) in [
            ("a\nb\n", "b\n", true),
            ("a\nb\n", "a\nb\n", true),
            ("#b\n", "b\n", false),
            ("", "b\n", false),
            ("a", "", true),
            ("a\nb", "a", true),
            ("a\nb", "b\n", true),
            ("ab\n", "a", false),
        ] {
            assert_eq!(has_lines(text.as_bytes(), part.as_bytes()), expected, "{text:?} {part:?}");
        }
    }
}
