//! Groups and users.

use std::collections::BTreeSet;

use super::{Action, Hash, NewUser, Planner};
use crate::document::User;
use crate::problem::Position;

/// Groups that the user gets who is made because keys have to go somewhere, as far as they are there.
const DEFAULT_GROUPS: [&str; 2] = ["fleet", "systemd-journal"];

/// No login with a password; sshd takes it for no lock.
pub(crate) const NO_PASSWORD: &str = "*";

pub(super) fn plan(planner: &mut Planner<'_>) {
    let made = new_users(planner);
    groups(planner, &made);
    let config = planner.input.config;
    planner.first.extend(made.iter().cloned().map(Action::User));
    for user in users_once(&config.users) {
        password(planner, &user, made.iter().any(|new| new.name == user.name));
    }
    for new in &made {
        if !config.users.iter().any(|user| user.name == new.name) {
            let hash = Hash(NO_PASSWORD.to_owned());
            planner.first.push(Action::Password { user: new.name.clone(), hash });
        }
    }
    members(planner, &made);
}

/// Whether keys have to go to the default user.
pub(super) fn default_user_has_keys(planner: &Planner<'_>) -> bool {
    let told = planner.input.metadata.is_some_and(|told| !told.ssh_authorized_keys.is_empty());
    told || !planner.input.config.ssh_authorized_keys.is_empty()
}

/// The users that are not there.
fn new_users(planner: &mut Planner<'_>) -> Vec<NewUser> {
    let (host, default) = (planner.host, planner.input.default_user);
    let is_there = |name: &str| host.accounts.users.contains_key(name);
    let mut made: Vec<NewUser> = Vec::new();
    for user in users_once(&planner.input.config.users) {
        if !is_there(&user.name) {
            made.push(new_user(&user));
        }
    }
    let is_made = made.iter().any(|user| user.name == default);
    if default_user_has_keys(planner) && !is_there(default) && !is_made {
        made.push(NewUser { name: default.to_owned(), ..NewUser::default() });
    }
    join_own_groups(planner, &mut made);
    for user in &mut made {
        if user.name == default {
            user.shell.get_or_insert_with(|| "/bin/bash".into());
            let groups = DEFAULT_GROUPS.iter().filter(|group| {
                host.accounts.groups.contains_key(**group)
                    && !user.groups.iter().any(|g| g == *group)
            });
            let groups: Vec<String> = groups.map(|group| (*group).to_owned()).collect();
            user.groups.extend(groups);
        }
    }
    let was_made = planner.host.memory.manifest.default_user.as_deref() == Some(default);
    if was_made || made.iter().any(|user| user.name == default) {
        planner.manifest.default_user = Some(default.to_owned());
    }
    made
}

/// useradd makes a group of the user's name, and fails if it is there: by then all groups are that
/// anything names.
fn join_own_groups(planner: &Planner<'_>, made: &mut [NewUser]) {
    let config = planner.input.config;
    let named = config.groups.iter().map(|group| group.name.clone());
    let of_users = config.users.iter().flat_map(|user| user.groups.iter().cloned());
    let primary = made.iter().filter_map(|user| user.primary_group.clone());
    let known: BTreeSet<String> = named.chain(of_users).chain(primary).collect();
    let is_there =
        |name: &str| known.contains(name) || planner.host.accounts.groups.contains_key(name);
    for user in made {
        if user.primary_group.is_none() && !user.no_user_group && is_there(&user.name) {
            user.primary_group = Some(user.name.clone());
        }
    }
}

fn new_user(user: &User) -> NewUser {
    NewUser {
        name: user.name.clone(),
        gecos: user.gecos.clone(),
        home: user.homedir.clone(),
        no_create_home: user.no_create_home,
        primary_group: user.primary_group.clone(),
        groups: user.groups.clone(),
        no_user_group: user.no_user_group,
        system: user.system,
        no_log_init: user.no_log_init,
        shell: user.shell.clone(),
    }
}

/// Each user once: of several items of a name, the later ones add groups, and say what the first one
/// does not.
pub(super) fn users_once(users: &[User]) -> Vec<User> {
    let mut once: Vec<User> = Vec::new();
    for user in users {
        let Some(known) = once.iter_mut().find(|known| known.name == user.name) else {
            once.push(user.clone());
            continue;
        };
        known.groups.extend(user.groups.iter().cloned());
        known.ssh_authorized_keys.extend(user.ssh_authorized_keys.iter().cloned());
        known.passwd = user.passwd.clone().or(known.passwd.take());
        known.lock_passwd = user.lock_passwd.or(known.lock_passwd);
        known.sudo = match (known.sudo.take(), &user.sudo) {
            (Some(mut rules), Some(more)) => {
                rules.extend(more.iter().cloned());
                Some(rules)
            }
            (rules, more) => rules.or_else(|| more.clone()),
        };
    }
    for user in &mut once {
        let mut seen = BTreeSet::new();
        user.groups.retain(|group| seen.insert(group.clone()));
    }
    once
}

/// The groups that are not there: those of the document, and those that users are to be in.
fn groups(planner: &mut Planner<'_>, made: &[NewUser]) {
    let config = planner.input.config;
    let mut seen = BTreeSet::new();
    let named = config.groups.iter().map(|group| &group.name);
    let of_users = config.users.iter().flat_map(|user| &user.groups);
    let primary = made.iter().filter_map(|user| user.primary_group.as_ref());
    let all: Vec<&String> = named.chain(of_users).chain(primary).collect();
    for group in all {
        let is_number = group.parse::<u32>().is_ok();
        let is_there = planner.host.accounts.groups.contains_key(group);
        if !is_number && !is_there && seen.insert(group) {
            planner.first.push(Action::Group(group.clone()));
        }
    }
}

fn password(planner: &mut Planner<'_>, user: &User, is_new: bool) {
    let current = planner.host.accounts.passwords.get(&user.name);
    let base = match (&user.passwd, is_new) {
        (Some(hash), _) => Some(hash.clone()),
        (None, true) => Some(NO_PASSWORD.to_owned()),
        (None, false) => current.cloned(),
    };
    let Some(base) = base else { return };
    let wanted = match user.lock_passwd {
        Some(true) if !base.starts_with(['!', '*']) => format!("!{base}"),
        Some(false) => match base.trim_start_matches('!') {
            "" => base,
            open => open.to_owned(),
        },
        Some(true) | None => base,
    };
    if is_new || current != Some(&wanted) {
        planner.first.push(Action::Password { user: user.name.clone(), hash: Hash(wanted) });
    }
}

/// Users that are there and not in a group that they are to be in.
fn members(planner: &mut Planner<'_>, made: &[NewUser]) {
    let config = planner.input.config;
    let of_users = config
        .users
        .iter()
        .flat_map(|user| user.groups.iter().map(|group| (user.name.clone(), group.clone())));
    let of_groups = config
        .groups
        .iter()
        .flat_map(|group| group.members.iter().map(|member| (member.clone(), group.name.clone())));
    let mut seen = BTreeSet::new();
    for (user, group) in of_users.chain(of_groups).collect::<Vec<_>>() {
        let new = made.iter().find(|new| new.name == user);
        if new.is_none() && !planner.host.accounts.users.contains_key(&user) {
            let text = format!("user `{user}` is neither on this host nor in the document");
            planner.warn(Position::START, format!("groups.{group}"), text);
            continue;
        }
        let has = new.is_some_and(|new| {
            new.groups.contains(&group) || new.primary_group.as_ref() == Some(&group)
        });
        if !has
            && !planner.host.accounts.is_member(&user, &group)
            && seen.insert((user.clone(), group.clone()))
        {
            planner.first.push(Action::Member { user, group });
        }
    }
}
