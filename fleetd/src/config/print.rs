//! The settings as a fleet.conf that says of each value where it comes from.

use std::borrow::Cow;
use std::fmt::Write;
use std::path::Path;

use super::fragment::Place;
use super::key::Key;
use super::layers::Merged;
use super::settings::Settings;
use super::store::StoreChoice;

/// What stands for a secret.
const MASK: &str = "********";

/// Comments of short settings begin in one column.
const COLUMN: usize = 40;

/// All settings that have an effect, and those without one that somebody set.
pub(super) fn render(merged: &Merged, file: Option<&Path>, checked: Option<&Settings>) -> String {
    let file = file.map_or_else(|| "none".to_owned(), |path| path.display().to_string());
    let mut text = format!("# Configuration file: {file}\n");
    if let Some(settings) = checked {
        let store = match settings.store {
            StoreChoice::Etcd(_) => "etcd",
            StoreChoice::Embedded => "embedded",
        };
        say(&mut text, format_args!("# Store: {store}, as {}", settings.store_reason));
    }
    for key in Key::ALL {
        let written = merged.of(key);
        if key.is_obsolete() && written.place == Place::Default {
            continue;
        }
        let setting = format!("{key}={}", quoted(&masked(key, &written.text)));
        say(&mut text, format_args!("{setting:COLUMN$} # {}", written.place));
    }
    text
}

fn say(text: &mut String, line: std::fmt::Arguments<'_>) {
    // A string takes all that is written to it.
    let (Ok(()) | Err(_)) = writeln!(text, "{line}");
}

/// The value as everybody may see it.
pub(super) fn masked(key: Key, value: &str) -> Cow<'_, str> {
    match key {
        Key::EtcdPassword if !value.is_empty() => MASK.into(),
        Key::EtcdServers => without_userinfo(value).into(),
        _ => value.into(),
    }
}

/// A password in a URL is refused, and shown to nobody. It may hold a comma.
fn without_userinfo(servers: &str) -> String {
    let Some((hidden, rest)) = servers.rsplit_once('@') else { return servers.to_owned() };
    let scheme = hidden.find("//").and_then(|at| hidden.get(..at + 2)).unwrap_or_default();
    format!("{scheme}{MASK}@{rest}")
}

/// The value as fleet.conf would have it.
fn quoted(value: &str) -> String {
    let plain = !value.contains(['#', ';']) && value.trim() == value;
    match (plain, value.contains('"')) {
        (true, _) => value.to_owned(),
        (false, false) => format!("\"{value}\""),
        (false, true) => format!("'{value}'"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fragment::Fragment;
    use super::*;

    #[test]
    fn each_setting_is_printed_with_its_place_and_secrets_are_not() {
        let file = "etcd_username=fleet\netcd_password=hidden\nmetadata=\"note=a#b\"\nenable_grpc=true\n\
                    etcd_servers=https://10.0.0.1:2379,http://10.0.0.2:2379\n";
        let merged = Merged::of_layers([
            Fragment::of_file(Path::new("/etc/fleet.conf"), file),
            Fragment::of_environment([("FLEET_AGENT_TTL".to_owned(), "9s".to_owned())]),
            Fragment::of_flags([(Key::Verbosity, "1".to_owned())]),
        ]);
        let settings = Settings::check(&merged).ok();

        let text = render(&merged, Some(Path::new("/etc/fleet.conf")), settings.as_ref());

        assert!(!text.contains("hidden"), "{text}");
        let lines: Vec<_> = text.lines().filter(|line| !line.ends_with("# default")).collect();
        assert_eq!(
            lines,
            [
                "# Configuration file: /etc/fleet.conf",
                "# Store: etcd, as etcd_servers is set (/etc/fleet.conf line 5)",
                "agent_ttl=9s                             # FLEET_AGENT_TTL",
                "enable_grpc=true                         # /etc/fleet.conf line 4",
                "etcd_password=********                   # /etc/fleet.conf line 2",
                "etcd_servers=https://10.0.0.1:2379,http://10.0.0.2:2379 # /etc/fleet.conf line 5",
                "etcd_username=fleet                      # /etc/fleet.conf line 1",
                "metadata=\"note=a#b\"                      # /etc/fleet.conf line 3",
                "verbosity=1                              # --verbosity",
            ]
        );
        assert!(text.contains("\nreschedule_grace=0s                      # default\n"), "{text}");
    }

    #[test]
    fn passwords_in_urls_are_not_printed_whatever_is_in_them() {
        let printed = |servers: &str| {
            let file = format!("etcd_servers={servers}\n");
            let merged = Merged::of_layers([Fragment::of_file(Path::new("fleet.conf"), &file)]);
            let text = render(&merged, None, None);
            let line = text.lines().find(|line| line.starts_with("etcd_servers=")).unwrap();
            line.split_whitespace().next().unwrap().to_owned()
        };

        for servers in [
            "https://me:hidden@10.0.0.1:2379,http://10.0.0.2:2379",
            "https://me:hid,den@10.0.0.1:2379,http://10.0.0.2:2379",
            "https://me:hid//den@10.0.0.1:2379,http://10.0.0.2:2379",
        ] {
            let expected = "etcd_servers=https://********@10.0.0.1:2379,http://10.0.0.2:2379";
            assert_eq!(printed(servers), expected);
        }
        assert_eq!(printed("me:hidden@10.0.0.1"), "etcd_servers=********@10.0.0.1");
    }

    #[test]
    fn what_is_printed_can_be_read_again() {
        let printed = render(&Merged::of_layers([]), None, None);

        let read = Merged::of_layers([Fragment::of_file(Path::new("printed"), &printed)]);

        let values = |merged: &Merged| Key::ALL.map(|key| merged.of(key).text.clone());
        assert_eq!(values(&read), values(&Merged::of_layers([])));
        assert_eq!(read.problems, []);
    }
}
