//! `coreos.flannel`, `update` and `oem`: files that are not drop-ins.

use crate::document::Section;

/// /run/flannel/options.env; `None` without options.
pub(crate) fn flannel_options(section: &Section) -> Option<String> {
    let lines = section.options.iter().map(|(option, value)| match *option {
        "interface" => format!("FLANNELD_IFACE={value}"),
        option => format!("FLANNELD_{}={value}", option.to_uppercase()),
    });
    let lines: Vec<String> = lines.collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// /etc/oem-release; `None` without an id.
pub(crate) fn oem_release(section: &Section) -> Option<String> {
    let option = |name| section.options.iter().find(|(option, _)| *option == name);
    let value = |name| option(name).map_or("", |(_, value)| value.as_str());
    let id = Some(value("id")).filter(|id| !id.is_empty())?;
    let quoted = |name| format!("\"{}\"", value(name).replace('\\', "\\\\").replace('"', "\\\""));
    Some(format!(
        "ID={id}\nVERSION_ID={}\nNAME={}\nHOME_URL={}\nBUG_REPORT_URL={}\n",
        value("version_id"),
        quoted("name"),
        quoted("home_url"),
        quoted("bug_report_url")
    ))
}

/// /etc/coreos/update.conf, from what it says now: lines of these options are replaced, others stay.
pub(crate) fn update_conf(section: &Section, old: &str) -> Option<String> {
    if section.options.is_empty() {
        return None;
    }
    let mut left: Vec<(String, &str)> =
        section.options.iter().map(|(name, value)| (name.to_uppercase(), value.as_str())).collect();
    let mut lines: Vec<String> = Vec::new();
    for line in old.lines() {
        let key = line.split_once('=').map(|(key, _)| key);
        let known = left.iter().position(|(name, _)| Some(name.as_str()) == key);
        lines.push(match known.map(|index| left.remove(index)) {
            Some((name, value)) => format!("{name}={value}"),
            None => line.to_owned(),
        });
    }
    left.sort();
    lines.extend(left.iter().map(|(name, value)| format!("{name}={value}")));
    Some(lines.join("\n") + "\n")
}
