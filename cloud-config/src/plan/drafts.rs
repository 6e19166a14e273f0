//! Files as they will be. Several parts of a document may speak of one file: it is written once, as the
//! last of them leaves it, and only if it is not so already.

use std::path::{Path, PathBuf};

use super::action::{Action, Check, FileChange, Owner, OwnerGroup, Parents};
use crate::host::{FileState, Host};

/// Others may read it.
const READABLE: u32 = 0o004;

/// A file as it will be.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub(super) content: Vec<u8>,
    pub(super) mode: u32,
    pub(super) owner: Option<Owner>,
    /// Shown even if others may not read it.
    pub(super) shown: bool,
    pub(super) parents: Parents,
    pub(super) check: Option<Check>,
}

impl Draft {
    /// A file for all to read.
    pub(super) fn new(content: impl Into<Vec<u8>>) -> Self {
        Self {
            content: content.into(),
            mode: 0o644,
            owner: None,
            shown: false,
            parents: Parents::Open,
            check: None,
        }
    }
}

/// Files as they will be, in the order in which they are spoken of.
#[derive(Debug)]
pub(super) struct Drafts<'a> {
    host: &'a Host,
    drafts: Vec<(PathBuf, Draft)>,
}

impl<'a> Drafts<'a> {
    pub(super) fn new(host: &'a Host) -> Self {
        Self { host, drafts: Vec::new() }
    }

    /// What a file will hold, or holds if nobody spoke of it.
    pub(super) fn content(&self, path: &Path) -> Option<&[u8]> {
        let draft = self.drafts.iter().find(|(known, _)| known == path);
        draft.map(|(_, draft)| draft.content.as_slice()).or_else(|| self.host.content(path))
    }

    /// Whether a part of the document spoke of a file.
    pub(super) fn has(&self, path: &Path) -> bool {
        self.drafts.iter().any(|(known, _)| known == path)
    }

    /// The whole of a file.
    pub(super) fn write(&mut self, path: PathBuf, draft: Draft) {
        match self.drafts.iter_mut().find(|(known, _)| *known == path) {
            Some((_, known)) => *known = draft,
            None => self.drafts.push((path, draft)),
        }
    }

    /// Takes back what was said of a file.
    pub(super) fn discard(&mut self, path: &Path) {
        self.drafts.retain(|(known, _)| known != path);
    }

    /// Another content for a file that keeps its mode and owner; `otherwise` says what they are if
    /// it is not there.
    pub(super) fn edit(&mut self, path: PathBuf, content: Vec<u8>, otherwise: Draft) {
        if let Some((_, known)) = self.drafts.iter_mut().find(|(known, _)| *known == path) {
            known.content = content;
            return;
        }
        let draft = match self.host.files.get(&path) {
            Some(FileState::Regular(file)) => {
                let (user, group) = file.owner;
                let group = OwnerGroup::Named(group.to_string());
                let owner = Owner { user: user.to_string(), group };
                Draft { content, mode: file.mode, owner: Some(owner), ..otherwise }
            }
            Some(FileState::Link(_) | FileState::Other) | None => Draft { content, ..otherwise },
        };
        self.drafts.push((path, draft));
    }

    /// The files that are not as they will be.
    pub(super) fn into_actions(self) -> Vec<Action> {
        let host = self.host;
        let changed = self.drafts.into_iter().filter(|(path, draft)| differs(host, path, draft));
        let change = changed.map(|(path, draft)| {
            let before = host.files.get(&path).cloned();
            let was_readable = match &before {
                Some(FileState::Regular(file)) => file.mode & READABLE != 0,
                Some(FileState::Link(_) | FileState::Other) | None => true,
            };
            let readable = was_readable && draft.mode & READABLE != 0;
            Action::File(FileChange {
                hidden: !draft.shown && (!readable || path == Path::new("/etc/shadow")),
                path,
                before,
                content: draft.content,
                mode: draft.mode,
                owner: draft.owner,
                parents: draft.parents,
                check: draft.check,
            })
        });
        change.collect()
    }
}

fn differs(host: &Host, path: &Path, draft: &Draft) -> bool {
    let Some(FileState::Regular(file)) = host.files.get(path) else { return true };
    let expected = match &draft.owner {
        None => Some(host.writer),
        // A user or group that is not there yet owns nothing.
        Some(owner) => {
            let numbers = owner.numbers(&host.accounts).ok();
            numbers.map(|(uid, gid)| (uid, gid.unwrap_or(host.writer.1)))
        }
    };
    file.content != draft.content || file.mode != draft.mode || expected != Some(file.owner)
}
