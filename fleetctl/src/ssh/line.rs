//! The words that run ssh.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::address::{Address, SSHD};
use crate::settings::{Environment, SshSettings};

/// Keys of machines in fleet's place, then those that the user's own ssh knows.
const KNOWN_HOSTS: &str = "~/.fleetctl/known_hosts ~/.ssh/known_hosts";

/// Seconds between two questions to a machine that keeps silent; three without an answer end the
/// connection.
const ALIVE: u8 = 15;

/// A login to a machine.
#[derive(Debug)]
pub(super) struct Login<'a> {
    pub(super) settings: &'a SshSettings,
    pub(super) address: &'a Address,
    /// The command through whose input and output the machine is reached.
    pub(super) proxy: Option<String>,
    /// Further flags of ssh.
    pub(super) flags: &'a [&'a str],
}

impl Login<'_> {
    /// Gives the words for a login that ends with these, as the far shell is to read them.
    pub(super) fn line(&self, remote: &[String]) -> Vec<String> {
        let mut line = vec![self.settings.program.clone()];
        let mut option = |option: String| line.extend(["-o".to_owned(), option]);
        let (checking, known_hosts) = match (self.settings.strict, &self.settings.known_hosts_file)
        {
            // Keys that nobody checks are not worth keeping.
            (false, _) => ("no", "/dev/null".to_owned()),
            (true, Some(file)) => ("ask", file_option(file)),
            (true, None) => ("ask", KNOWN_HOSTS.to_owned()),
        };
        option(format!("StrictHostKeyChecking={checking}"));
        option(format!("UserKnownHostsFile={known_hosts}"));
        option(format!("ConnectTimeout={}", self.settings.timeout.as_secs_f64().ceil()));
        option(format!("ServerAliveInterval={ALIVE}"));
        if !self.settings.strict {
            option("LogLevel=ERROR".to_owned());
        }
        if let Some(proxy) = &self.proxy {
            option(format!("ProxyCommand={proxy}"));
        }
        line.extend(self.flags.iter().map(ToString::to_string));
        if self.address.port != SSHD {
            line.extend(["-p".to_owned(), self.address.port.to_string()]);
        }
        line.extend(["-l".to_owned(), self.settings.username.clone()]);
        line.extend(["--".to_owned(), self.address.host.clone()]);
        line.extend_from_slice(remote);
        line
    }
}

/// Makes a `ProxyCommand` of words, which ssh expands and a shell then reads.
pub(super) fn proxy_command(words: &[String]) -> String {
    let words: Vec<String> = words
        .iter()
        .map(|word| match word.as_str() {
            // Not plain words, and ssh expands them between quotes, too.
            TARGET => format!("'{TARGET}'"),
            word => quoted(&word.replace('%', "%%")),
        })
        .collect();
    words.join(" ")
}

/// Where ssh puts the address that is to be reached.
pub(super) const TARGET: &str = "[%h]:%p";

/// Quotes a word for a shell.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./@:=,+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Writes a path as an option of ssh, which takes blanks for separators and `%` for its own.
fn file_option(path: &str) -> String {
    let path = path.replace('%', "%%");
    if path.contains(char::is_whitespace) { format!("\"{path}\"") } else { path }
}

/// Makes the directory of the known hosts: without it ssh can't note a key that somebody has said
/// yes to, and only warns.
pub(super) fn make_known_hosts_directory(settings: &SshSettings, environment: Environment<'_>) {
    let home = environment("HOME");
    if let Some(directory) = known_hosts_directory(settings, home.as_deref()) {
        DirBuilder::new().recursive(true).mode(0o700).create(directory).ok();
    }
}

/// `~user` is left to ssh, which knows the users: their home is there.
fn known_hosts_directory(settings: &SshSettings, home: Option<&str>) -> Option<PathBuf> {
    if !settings.strict {
        return None;
    }
    let file = settings.known_hosts_file.as_deref().unwrap_or("~/.fleetctl/known_hosts");
    let file = match file.strip_prefix("~/") {
        Some(below) => Path::new(home?).join(below),
        None if file.starts_with('~') => return None,
        None => PathBuf::from(file),
    };
    file.parent().map(Path::to_owned).filter(|directory| !directory.as_os_str().is_empty())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn settings(strict: bool, known_hosts_file: Option<&str>) -> SshSettings {
        SshSettings {
            program: "ssh".to_owned(),
            username: "core".to_owned(),
            timeout: Duration::from_millis(9500),
            known_hosts_file: known_hosts_file.map(str::to_owned),
            strict,
        }
    }

    fn line(settings: &SshSettings, address: &str, proxy: Option<&str>, flags: &[&str]) -> String {
        let address = address.parse().unwrap();
        let proxy = proxy.map(str::to_owned);
        let login = Login { settings, address: &address, proxy, flags };
        login.line(&["uptime".to_owned()]).join(" | ")
    }

    #[test]
    fn host_keys_are_asked_about_and_kept_in_fleets_place_before_the_users() {
        insta::assert_snapshot!(line(&settings(true, None), "10.0.0.1", None, &[]), @r#"ssh | -o | StrictHostKeyChecking=ask | -o | UserKnownHostsFile=~/.fleetctl/known_hosts ~/.ssh/known_hosts | -o | ConnectTimeout=10 | -o | ServerAliveInterval=15 | -l | core | -- | 10.0.0.1 | uptime"#);
    }

    #[test]
    fn settings_choose_the_file_of_host_keys_the_port_and_the_proxy() {
        let settings = settings(true, Some("~admin/my %keys"));
        let line = line(&settings, "[::1]:2222", Some("ssh -W [%h]:%p bastion"), &["-A"]);
        insta::assert_snapshot!(line, @r#"ssh | -o | StrictHostKeyChecking=ask | -o | UserKnownHostsFile="~admin/my %%keys" | -o | ConnectTimeout=10 | -o | ServerAliveInterval=15 | -o | ProxyCommand=ssh -W [%h]:%p bastion | -A | -p | 2222 | -l | core | -- | ::1 | uptime"#);
    }

    #[test]
    fn unchecked_host_keys_are_not_kept() {
        insta::assert_snapshot!(line(&settings(false, Some("/k")), "10.0.0.1", None, &[]), @r#"ssh | -o | StrictHostKeyChecking=no | -o | UserKnownHostsFile=/dev/null | -o | ConnectTimeout=10 | -o | ServerAliveInterval=15 | -o | LogLevel=ERROR | -l | core | -- | 10.0.0.1 | uptime"#);
    }

    #[test]
    fn words_survive_a_shell() {
        let words = ["a-b", r"a\x2db.service", "it's", "", "100%", "$HOME", TARGET];
        assert_eq!(
            words.map(quoted).join(" "),
            r"a-b 'a\x2db.service' 'it'\''s' '' '100%' '$HOME' '[%h]:%p'"
        );
        let words = words.map(str::to_owned);
        assert_eq!(
            proxy_command(&words),
            r"a-b 'a\x2db.service' 'it'\''s' '' '100%%' '$HOME' '[%h]:%p'"
        );
    }

    #[test]
    fn a_shell_takes_the_target_of_a_proxy_for_no_pattern_of_files() {
        let words = ["printf", "%s", TARGET].map(str::to_owned);
        let command = proxy_command(&words);
        // As ssh expands it.
        let command = command.replace("%h", "10.0.0.1").replace("%p", "22").replace("%%", "%");
        let directory = tempfile::tempdir().unwrap();
        // Other shells take a pattern that matches nothing for itself; zsh refuses the line.
        std::fs::write(directory.path().join("1:22"), "").unwrap();
        let mut shell = std::process::Command::new("sh");
        let ended = shell.args(["-c", &command]).current_dir(directory.path()).output().unwrap();
        assert_eq!(String::from_utf8(ended.stdout).unwrap(), "[10.0.0.1]:22");
    }

    #[test]
    fn the_directory_of_the_known_hosts_is_made_where_it_may_be_missing() {
        let directory = |strict, file, home| {
            let directory = known_hosts_directory(&settings(strict, file), home);
            directory.map(|path| path.display().to_string())
        };
        let directories = [
            directory(true, None, Some("/home/a")),
            directory(true, None, None),
            directory(true, Some("~/x/k"), Some("/home/a")),
            directory(true, Some("~b/k"), Some("/home/a")),
            directory(true, Some("/x/k"), Some("/home/a")),
            directory(true, Some("k"), Some("/home/a")),
            directory(false, None, Some("/home/a")),
        ];
        let expected =
            [Some("/home/a/.fleetctl"), None, Some("/home/a/x"), None, Some("/x"), None, None];
        assert_eq!(directories, expected.map(|path| path.map(str::to_owned)));
    }
}
