//! fleet.conf(5): the settings, with the words of the sample.

use std::collections::BTreeSet;

use fleetd::config::Key;

use crate::page::Page;

const SAMPLE: &str = include_str!("../../fleetd/dist/fleet.conf.sample");

/// A part of the sample.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    Heading(String),
    /// Settings that are explained together.
    Settings(Vec<Key>, String),
    Text(String),
}

pub(crate) fn page() -> String {
    let mut page = Page::new("fleet.conf", "5", "settings of fleetd");
    page.heading("SYNOPSIS").text("/etc/fleet/fleet.conf");
    page.heading("DESCRIPTION");
    page.text(
        "Each line is a setting, as name=value; # begins a comment. Each setting can also be given in the environment \
         (agent_ttl as FLEET_AGENT_TTL), which wins over the file, and as a flag (--agent_ttl=30s), which wins over \
         both. A misspelt setting keeps fleetd from starting. fleetd --print-config tells which values count, and \
         where each comes from.\n\nsystemctl reload fleet follows metadata, public_ip, verbosity and all files with \
         certificates; everything else needs a restart, which leaves units running.",
    );
    let mut told: BTreeSet<Key> = BTreeSet::new();
    for part in parts(SAMPLE) {
        match part {
            Part::Heading(heading) => page.heading(&heading.to_uppercase()),
            Part::Settings(keys, text) => {
                told.extend(&keys);
                page.entry(&keys.into_iter().map(spelt).collect::<Vec<_>>(), &text)
            }
            Part::Text(_) => &mut page,
        };
    }
    rest(&mut page, "OTHER SETTINGS", |key| !key.is_obsolete() && !told.contains(&key));
    rest(&mut page, "OBSOLETE SETTINGS", Key::is_obsolete);
    page.see(&["fleetd(8)"]);
    page.finish()
}

/// Settings of which the sample says nothing.
fn rest(page: &mut Page, heading: &str, wanted: impl Fn(Key) -> bool) {
    let keys: Vec<Key> = Key::ALL.into_iter().filter(|key| wanted(*key)).collect();
    if keys.is_empty() {
        return;
    }
    page.heading(heading);
    for key in keys {
        page.entry(&[spelt(key)], &format!("{}.", key.help()));
    }
}

fn spelt(key: Key) -> String {
    format!("{key}={}", key.default_text())
}

/// Takes the sample apart: headings, and comments with the settings below them.
fn parts(sample: &str) -> Vec<Part> {
    let blocks = sample.split("\n\n").map(str::trim).filter(|block| !block.is_empty());
    blocks.map(part).collect()
}

fn part(block: &str) -> Part {
    let lines = || block.lines().map(|line| line.trim_start_matches('#').trim());
    if let Some(heading) = lines().next().and_then(|line| line.strip_prefix("--- ")) {
        return Part::Heading(heading.trim_end_matches('-').trim().to_owned());
    }
    let keys: Vec<Key> = lines().filter_map(setting).collect();
    let text = lines().filter(|line| setting(line).is_none()).collect::<Vec<_>>().join(" ");
    if keys.is_empty() { Part::Text(text) } else { Part::Settings(keys, text) }
}

fn setting(line: &str) -> Option<Key> {
    let (name, _) = line.split_once('=')?;
    Key::of(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_is_headings_and_settings_with_what_stands_above_them() {
        let sample =
            "# About.\n\n# --- Store ----\n\n# One a=b,\n# and two.\n# store=\n# metadata=a\n";
        let text = "One a=b, and two.".to_owned();
        assert_eq!(
            parts(sample),
            [
                Part::Text("About.".to_owned()),
                Part::Heading("Store".to_owned()),
                Part::Settings(vec![Key::Store, Key::Metadata], text)
            ]
        );
    }
}
