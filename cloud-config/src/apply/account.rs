//! The name of the host, users and passwords.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::Target;
use super::program::Programs;
use super::write::{Owned, write};
use crate::plan::{Hash, NO_PASSWORD, NewUser};

/// Names the host: by hostnamectl, and where that does not answer yet, as early at boot, without it.
pub(super) fn hostname(
    target: Target<'_>,
    programs: &Programs<'_>,
    name: &str,
) -> Result<(), String> {
    let words = ["set-hostname", name];
    let asked =
        target.is_running.then(|| programs.run("hostnamectl", &words, None, target.limits.program));
    let written = root_file(target, "/etc/hostname", &format!("{name}\n"));
    if target.root.is_this_host() && asked.is_none_or(|asked| asked.is_err()) {
        let told = rustix::system::sethostname(name.as_bytes());
        return written.and(told.map_err(|error| error.to_string()));
    }
    written
}

fn root_file(target: Target<'_>, path: &str, text: &str) -> Result<(), String> {
    let path = Path::new(path);
    let place = target.root.place(path).map_err(|error| error.to_string())?;
    if fs::read(place).is_ok_and(|known| known == text.as_bytes()) {
        return Ok(());
    }
    write(target.root, path, text.as_bytes(), &Owned::default()).map_err(|error| error.to_string())
}

/// Makes a user. The password is set later, as words of a program can be read by everybody; should that not
/// come to pass, sshd does not take the account for locked.
pub(super) fn user(programs: &Programs<'_>, user: &NewUser, limit: Duration) -> Result<(), String> {
    let mut words: Vec<String> = Vec::new();
    let mut option = |flag: &str, value: Option<String>| {
        words.extend(value.map(|value| [flag.to_owned(), value]).into_iter().flatten());
    };
    let text = |path: &std::path::PathBuf| path.to_string_lossy().into_owned();
    option("--password", Some(NO_PASSWORD.to_owned()));
    option("--comment", user.gecos.clone());
    option("--home-dir", user.home.as_ref().map(text));
    option("--gid", user.primary_group.clone());
    option("--groups", Some(user.groups.join(",")).filter(|groups| !groups.is_empty()));
    option("--shell", user.shell.as_ref().map(text));
    for (flag, is_set) in [
        ("--no-create-home", user.no_create_home),
        ("--create-home", !user.no_create_home),
        ("--no-user-group", user.no_user_group),
        // Whatever /etc/login.defs says: documents rely on a group of the user's name.
        ("--user-group", !user.no_user_group && user.primary_group.is_none()),
        ("--system", user.system),
        ("--no-log-init", user.no_log_init),
    ] {
        if is_set {
            words.push(flag.to_owned());
        }
    }
    words.push(user.name.clone());
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    programs.account("useradd", &words, None, limit)
}

/// Sets what /etc/shadow holds; the program reads it from its input.
pub(super) fn password(
    target: Target<'_>,
    programs: &Programs<'_>,
    user: &str,
    hash: &Hash,
) -> Result<(), String> {
    let line = format!("{user}:{}\n", hash.0);
    let limit = target.limits.program;
    programs.account("chpasswd", &["--encrypted"], Some(line.as_bytes()), limit)
}
