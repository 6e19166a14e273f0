//! What a host becomes by a plan, without a host.

use std::path::Path;

use super::super::{Action, FileChange, NewUser, Plan};
use crate::host::{Account, FileState, Group, Host, Regular, UnitFileOnHost, has_install};
use crate::state::Ran;

/// A host on which nothing was done yet.
pub(super) fn bare() -> Host {
    let mut host = Host { machine_id: Some("0123".to_owned()), ..Host::default() };
    let root = Account { uid: 0, gid: 0, home: "/root".into() };
    host.accounts.users.insert("root".to_owned(), root);
    host.accounts.groups.insert("root".to_owned(), Group { gid: 0, members: [].into() });
    host.accounts.groups.insert("sudo".to_owned(), Group { gid: 27, members: [].into() });
    let etcd =
        UnitFileOnHost { path: "/lib/systemd/system/etcd.service".into(), has_install: true };
    host.units.insert("etcd.service".to_owned(), etcd);
    host
}

/// The host once the plan is carried out.
pub(super) fn after(host: &Host, plan: &Plan) -> Host {
    let mut host = host.clone();
    for action in &plan.actions {
        act(&mut host, action);
    }
    if plan.instance_id != host.memory.instance_id {
        host.memory.ran.clear();
    }
    if plan.instance_id != host.memory.instance_id {
        host.memory.is_machine_id = plan.instance_id == host.machine_id;
    }
    host.memory.instance_id.clone_from(&plan.instance_id);
    for action in &plan.actions {
        if let Action::Run(task) = action {
            host.memory.ran.insert(task.name.clone(), Ran::Done);
        }
    }
    host.memory.manifest = plan.manifest.clone();
    host
}

fn act(host: &mut Host, action: &Action) {
    match action {
        Action::Hostname(name) => {
            host.hostname = Some(name.clone());
        }
        Action::Group(name) => group(host, name),
        Action::User(new) => user(host, new),
        Action::Password { user, hash } => {
            host.accounts.passwords.insert(user.clone(), hash.0.clone());
        }
        Action::Member { user, group } => {
            let group = host.accounts.groups.get_mut(group).unwrap();
            group.members.insert(user.clone());
        }
        Action::File(change) => file(host, change),
        Action::Link { path, target } => {
            host.files.insert(path.clone(), FileState::Link(target.clone()));
        }
        Action::Remove(path) | Action::RemoveKeys { path, .. } => {
            host.files.remove(path);
            if let Some(sets) = sets_of(host, path) {
                sets.remove(&name_of(path));
            }
        }
        Action::Enable { unit, .. } => {
            host.enabled.insert(unit.clone());
        }
        Action::Disable(unit) => {
            host.enabled.remove(unit);
        }
        Action::Command { .. } | Action::Submit { .. } => {
            host.asked.insert(action.to_string());
        }
        Action::Reload | Action::ReloadNetwork | Action::Run(_) => {}
    }
}

fn group(host: &mut Host, name: &str) {
    let gid = u32::try_from(host.accounts.groups.len()).unwrap() + 1000;
    let group = Group { gid, members: [].into() };
    assert!(host.accounts.groups.insert(name.to_owned(), group).is_none(), "group {name} is there");
}

fn user(host: &mut Host, new: &NewUser) {
    if new.primary_group.is_none() && !new.no_user_group {
        group(host, &new.name);
    }
    let primary = new.primary_group.as_ref().unwrap_or(&new.name);
    let gid = host.accounts.gid(primary).unwrap_or(100);
    for group in &new.groups {
        host.accounts.groups.get_mut(group).unwrap().members.insert(new.name.clone());
    }
    let uid = u32::try_from(host.accounts.users.len()).unwrap() + 1000;
    let home = new.home.clone().unwrap_or_else(|| Path::new("/home").join(&new.name));
    let known = host.accounts.users.insert(new.name.clone(), Account { uid, gid, home });
    assert!(known.is_none(), "user {} is there", new.name);
}

fn file(host: &mut Host, change: &FileChange) {
    let owner = match &change.owner {
        Some(owner) => {
            let (uid, gid) = owner.numbers(&host.accounts).unwrap();
            (uid, gid.unwrap_or(host.writer.1))
        }
        None => host.writer,
    };
    if let Some(sets) = sets_of(host, &change.path) {
        sets.insert(name_of(&change.path), String::from_utf8(change.content.clone()).unwrap());
    }
    // systemd takes a file in /etc rather than one in /run.
    let hides = |path: &Path| path.starts_with("/etc") && change.path.starts_with("/run");
    let is_hidden = host.units.get(&name_of(&change.path)).is_some_and(|file| hides(&file.path));
    if super::super::unit_of(&change.path) == Some(name_of(&change.path)) && !is_hidden {
        let has_install = has_install(&String::from_utf8_lossy(&change.content));
        let unit = UnitFileOnHost { path: change.path.clone(), has_install };
        host.units.insert(name_of(&change.path), unit);
    }
    let content = change.content.clone();
    let regular = Regular { content, mode: change.mode, owner };
    host.files.insert(change.path.clone(), FileState::Regular(regular));
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

/// The sets of keys that a file is one of.
fn sets_of<'a>(
    host: &'a mut Host,
    path: &Path,
) -> Option<&'a mut std::collections::BTreeMap<String, String>> {
    let home =
        path.to_str()?.strip_suffix(&format!("/.ssh/authorized_keys.d/{}", name_of(path)))?;
    let mut users = host.accounts.users.iter();
    let user = users.find(|(_, account)| account.home == Path::new(home))?.0.clone();
    Some(host.key_sets.entry(user).or_default())
}
