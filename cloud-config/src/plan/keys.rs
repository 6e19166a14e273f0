//! Keys for ssh: one set for each source, as update-ssh-keys of CoreOS kept them, and all of them together
//! in the file that sshd reads.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::accounts::users_once;
use super::drafts::Draft;
use super::{Action, Owner, OwnerGroup, Parents, Planner, Scope};
use crate::document::CloudConfig;
use crate::host::Accounts;

/// Keys of the document.
const DOCUMENT: &str = "cloud-config";
/// Keys of the cloud.
const METADATA: &str = "metadata";
/// Keys that were there before.
const OLD: &str = "old_authorized_keys";

const HEADER: &str = "# made by cloud-config of the sets in authorized_keys.d";

/// The folder of sets below a home directory.
pub(super) fn folder(home: &Path) -> PathBuf {
    home.join(".ssh/authorized_keys.d")
}

/// The file that sshd reads.
pub(crate) fn file(home: &Path) -> PathBuf {
    home.join(".ssh/authorized_keys")
}

/// The home directory that a user has or will have.
pub(super) fn home(user: &str, config: &CloudConfig, accounts: &Accounts) -> PathBuf {
    let there = accounts.users.get(user).map(|account| account.home.clone());
    there.unwrap_or_else(|| {
        let item = config.users.iter().find(|item| item.name == user);
        let told = item.and_then(|item| item.homedir.clone());
        told.unwrap_or_else(|| Path::new("/home").join(user))
    })
}

pub(super) fn plan(planner: &mut Planner<'_>) {
    let input = planner.input;
    let mut wanted: BTreeMap<String, BTreeMap<&str, Option<Vec<String>>>> = BTreeMap::new();
    // Of what an earlier document or cloud said, nothing is left unless it is said again.
    for (user, sets) in &planner.host.memory.manifest.keys {
        let sets_here = wanted.entry(user.clone()).or_default();
        if input.scope == Scope::Whole && sets.contains(DOCUMENT) {
            sets_here.insert(DOCUMENT, None);
        }
        if input.metadata.is_some() && sets.contains(METADATA) {
            sets_here.insert(METADATA, None);
        }
    }
    for (user, keys) in document_keys(planner) {
        wanted.entry(user).or_default().insert(DOCUMENT, Some(keys));
    }
    let told = input.metadata.map(|told| told.ssh_authorized_keys.clone()).unwrap_or_default();
    if !told.is_empty() {
        let sets = wanted.entry(input.default_user.to_owned()).or_default();
        sets.insert(METADATA, Some(told));
    }
    for (user, sets) in wanted {
        plan_user(planner, &user, &sets);
    }
}

fn document_keys(planner: &Planner<'_>) -> BTreeMap<String, Vec<String>> {
    let config = planner.input.config;
    let mut keys: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let top = &config.ssh_authorized_keys;
    if !top.is_empty() {
        keys.insert(planner.input.default_user.to_owned(), top.clone());
    }
    for user in users_once(&config.users) {
        if !user.ssh_authorized_keys.is_empty() {
            keys.entry(user.name).or_default().extend(user.ssh_authorized_keys);
        }
    }
    keys
}

fn plan_user(planner: &mut Planner<'_>, user: &str, changes: &BTreeMap<&str, Option<Vec<String>>>) {
    let host = planner.host;
    let is_made =
        planner.first.iter().any(|action| matches!(action, Action::User(new) if new.name == user));
    if !is_made && !host.accounts.users.contains_key(user) {
        return;
    }
    let home = home(user, planner.input.config, &host.accounts);
    let known = host.key_sets.get(user).cloned().unwrap_or_default();
    let mut sets = known.clone();
    for (set, keys) in changes {
        match keys {
            Some(keys) => sets.insert((*set).to_owned(), lines(keys)),
            None => sets.remove(*set),
        };
    }
    let file = file(&home);
    let current = host.content(&file).map(String::from_utf8_lossy).unwrap_or_default();
    keep_foreign(&current, &known, &mut sets);
    remember(planner, user, changes, &sets);
    if changes.is_empty() {
        return;
    }
    let draft = |content: &str| Draft {
        mode: 0o600,
        owner: Some(Owner { user: user.to_owned(), group: OwnerGroup::Primary }),
        shown: true,
        parents: Parents::Private(home.clone()),
        ..Draft::new(content)
    };
    for (set, content) in &sets {
        if known.get(set) != Some(content) {
            planner.drafts.write(folder(&home).join(set), draft(content));
        }
    }
    planner.drafts.write(file, draft(&together(&sets)));
    let gone = known.keys().filter(|set| !sets.contains_key(*set));
    let gone =
        gone.map(|set| Action::RemoveKeys { home: home.clone(), path: folder(&home).join(set) });
    planner.links.extend(gone);
}

/// Notes which sets are there because of documents and clouds.
fn remember(
    planner: &mut Planner<'_>,
    user: &str,
    changes: &BTreeMap<&str, Option<Vec<String>>>,
    sets: &BTreeMap<String, String>,
) {
    let mut ours = planner.host.memory.manifest.keys.get(user).cloned().unwrap_or_default();
    ours.extend(changes.keys().map(|set| (*set).to_owned()));
    ours.retain(|set| sets.contains_key(set));
    if ours.is_empty() {
        planner.manifest.keys.remove(user);
    } else {
        planner.manifest.keys.insert(user.to_owned(), ours);
    }
}

/// Keys that are in the file and in no set were added by hand: they become a set.
fn keep_foreign(
    current: &str,
    known: &BTreeMap<String, String>,
    sets: &mut BTreeMap<String, String>,
) {
    let in_sets: BTreeSet<&str> =
        known.values().chain(sets.values()).flat_map(|set| set.lines()).map(str::trim).collect();
    let foreign = current
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && *line != HEADER && !in_sets.contains(line));
    let foreign: Vec<String> = foreign.map(str::to_owned).collect();
    if !foreign.is_empty() {
        let old = sets.entry(OLD.to_owned()).or_default();
        let mut all: Vec<String> = old.lines().map(str::to_owned).collect();
        all.extend(foreign);
        *old = lines(&all);
    }
}

/// One key a line, each once.
fn lines(keys: &[String]) -> String {
    let mut seen = BTreeSet::new();
    let keys = keys.iter().map(|key| key.trim()).filter(|key| !key.is_empty() && seen.insert(*key));
    keys.map(|key| format!("{key}\n")).collect()
}

fn together(sets: &BTreeMap<String, String>) -> String {
    let all = sets.values().flat_map(|set| set.lines()).map(str::to_owned);
    lines(&std::iter::once(HEADER.to_owned()).chain(all).collect::<Vec<_>>())
}
