//! /etc/environment: the addresses that the cloud told.

use std::path::PathBuf;

use super::Planner;
use super::drafts::Draft;

/// Where they are.
pub(super) const PATH: &str = "/etc/environment";

pub(super) fn plan(planner: &mut Planner<'_>) {
    let Some(told) = planner.input.metadata else { return };
    let path = PathBuf::from(PATH);
    // Who writes the file in the document means it so.
    let mut files = planner.input.config.write_files.iter();
    if files.any(|file| file.path == path && !file.append) {
        return;
    }
    let variables: Vec<(&str, String)> = [
        ("COREOS_PRIVATE_IPV4", told.private_ipv4.map(|address| address.to_string())),
        ("COREOS_PRIVATE_IPV6", told.private_ipv6.map(|address| address.to_string())),
        ("COREOS_PUBLIC_IPV4", told.public_ipv4.map(|address| address.to_string())),
        ("COREOS_PUBLIC_IPV6", told.public_ipv6.map(|address| address.to_string())),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
    .collect();
    let old = planner.drafts.content(&path).map(String::from_utf8_lossy);
    if variables.is_empty() {
        return;
    }
    let text = update(&old.unwrap_or_default(), &variables);
    planner.drafts.edit(path, text.into_bytes(), Draft::new(""));
}

/// Sets variables where they are, and adds those that are not there; all else stays.
fn update(old: &str, variables: &[(&str, String)]) -> String {
    let mut left: Vec<&(&str, String)> = variables.iter().collect();
    let mut lines: Vec<String> = Vec::new();
    for line in old.lines() {
        let name = line.split_once('=').map(|(name, _)| name.trim());
        let known = variables.iter().find(|(known, _)| Some(*known) == name);
        left.retain(|(known, _)| Some(*known) != name);
        lines.push(match known {
            Some((name, value)) => format!("{name}={value}"),
            None => line.to_owned(),
        });
    }
    lines.extend(left.iter().map(|(name, value)| format!("{name}={value}")));
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_set_where_they_are() {
        let variables =
            [("COREOS_PRIVATE_IPV4", "1".to_owned()), ("COREOS_PUBLIC_IPV4", "2".to_owned())];
        for (old, expected) in [
            ("", "COREOS_PRIVATE_IPV4=1\nCOREOS_PUBLIC_IPV4=2\n"),
            (
                "# a\n\nCOREOS_PUBLIC_IPV4=9\r\nBAR= hi there",
                "# a\n\nCOREOS_PUBLIC_IPV4=2\nBAR= hi there\nCOREOS_PRIVATE_IPV4=1\n",
            ),
        ] {
            let text = update(old, &variables);
            assert_eq!(text, expected);
            assert_eq!(update(&text, &variables), expected);
        }
    }
}
