//! /etc/hosts: an entry for the host between two marks; all else stays.

use std::path::PathBuf;

use super::drafts::Draft;
use super::{Planner, identity};

/// Where it is.
pub(super) const PATH: &str = "/etc/hosts";

const BEGIN: &str = "# begin of cloud-config: what stands here is written at each boot";
const END: &str = "# end of cloud-config";

pub(super) fn plan(planner: &mut Planner<'_>) {
    let (config, host) = (planner.input.config, planner.host);
    let path = PathBuf::from(PATH);
    let managed = config.manage_etc_hosts;
    if !managed && !host.memory.manifest.hosts {
        return;
    }
    planner.manifest.hosts = managed;
    let name = identity::name(planner).or_else(|| host.hostname.clone());
    let names = match (&config.fqdn, &name) {
        (Some(fqdn), Some(name)) if fqdn != name => Some(format!("{fqdn} {name}")),
        (fqdn, name) => fqdn.clone().or_else(|| name.clone()),
    };
    let entry = names.filter(|_| managed).map(|names| format!("127.0.0.1 {names}"));
    let old = planner.drafts.content(&path).map(String::from_utf8_lossy);
    let has_entry = old.as_ref().is_some_and(|old| old.lines().any(|line| line == BEGIN));
    if entry.is_none() && !has_entry {
        return;
    }
    let text = update(&old.unwrap_or_else(|| "127.0.0.1 localhost\n::1 localhost\n".into()), entry);
    planner.drafts.edit(path, text.into_bytes(), Draft::new(""));
}

/// Puts an entry between the marks, or takes them away.
fn update(old: &str, entry: Option<String>) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut place = None;
    let mut old = old.lines().peekable();
    while let Some(line) = old.next() {
        match line {
            BEGIN => {
                place.get_or_insert(lines.len());
                // Ours is one line, whatever became of its end.
                old.next_if(|line| *line != END);
                old.next_if_eq(&END);
            }
            _ => lines.push(line.to_owned()),
        }
    }
    if let Some(entry) = entry {
        let place = place.unwrap_or(lines.len());
        lines.splice(place..place, [BEGIN.to_owned(), entry, END.to_owned()]);
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_others_stay() {
        let entry = |name: &str| Some(format!("127.0.0.1 {name}"));
        let old = "127.0.0.1 localhost\n10.0.0.9 other";

        let first = update(old, entry("one"));
        let second = update(&format!("{first}10.0.0.8 late\n"), entry("two"));

        let ours = |name| format!("{BEGIN}\n127.0.0.1 {name}\n{END}\n");
        assert_eq!(first, format!("{old}\n{}", ours("one")));
        assert_eq!(second, format!("{old}\n{}10.0.0.8 late\n", ours("two")));
        assert_eq!(update(&second, entry("two")), second);
        assert_eq!(update(&second, None), format!("{old}\n10.0.0.8 late\n"));
        let endless = first.replace(END, "10.0.0.7 db");
        assert_eq!(update(&endless, entry("one")), format!("{first}10.0.0.7 db\n"));
    }
}
