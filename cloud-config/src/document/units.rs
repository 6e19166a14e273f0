//! `coreos.units`.

use fleet_units::{UnitKind, UnitName, nearest};

use super::fields::{At, Fields, Known, Reader, quote};
use super::{DropIn, Unit, UnitCommand, tokens, unit_text};
use crate::problem::Problem;
use crate::yaml::Value;

const KEYS: Known<'_> = Known::only(&[
    "name", "content", "runtime", "mask", "enable", "command", "drop_ins", "cluster",
]);

const DROP_IN_KEYS: Known<'_> = Known::only(&["name", "content"]);

/// Suffixes of files that systemd-networkd reads.
const NETWORK: [&str; 3] = ["network", "netdev", "link"];

const COMMANDS: [(&str, Option<UnitCommand>); 8] = [
    ("start", Some(UnitCommand::Start)),
    ("stop", Some(UnitCommand::Stop)),
    ("restart", Some(UnitCommand::Restart)),
    ("reload", Some(UnitCommand::Reload)),
    ("try-restart", Some(UnitCommand::TryRestart)),
    ("reload-or-restart", Some(UnitCommand::ReloadOrRestart)),
    ("reload-or-try-restart", Some(UnitCommand::ReloadOrTryRestart)),
    ("", None),
];

/// Reads the units of a list.
pub(super) fn read(reader: &mut Reader<'_>, at: &At<'_>) -> Vec<Unit> {
    let mut units: Vec<Unit> = Vec::new();
    for item in reader.list(at) {
        let Some(fields) = reader.fields(&item, KEYS) else { continue };
        let Some(unit) = unit(reader, &item, &fields) else { continue };
        let earlier = units.iter().find(|earlier| earlier.name == unit.name);
        if let Some(earlier) = earlier {
            let line = earlier.position.line;
            reader.warning(&item, format!("unit `{}` is in line {line} too", unit.name));
        }
        units.push(unit);
    }
    units
}

fn unit<'a>(reader: &mut Reader<'_>, item: &At<'a>, fields: &Fields<'a>) -> Option<Unit> {
    let name = match fields.get("name") {
        Some(at) => name(reader, at),
        None => {
            reader.error(item, "a unit without `name`");
            None
        }
    };
    let mut truth = |key| fields.get(key).and_then(|at| reader.truth(at));
    let (runtime, mask, enable) = (truth("runtime"), truth("mask"), truth("enable"));
    let cluster = truth("cluster").unwrap_or_default();
    let content = fields.get("content").and_then(|at| reader.text(at));
    let unit = Unit {
        position: item.position(),
        name: name.clone().unwrap_or_default(),
        // Nothing is what somebody writes who means the unit that is there.
        content: content.filter(|content| !content.is_empty()),
        runtime: runtime.unwrap_or_default(),
        mask,
        enable,
        command: fields.get("command").and_then(|at| reader.word(at, &COMMANDS)).flatten(),
        drop_ins: fields.get("drop_ins").map(|at| drop_ins(reader, at)).unwrap_or_default(),
        cluster,
    };
    name.as_ref()?;
    check_content(reader, fields, &unit);
    if unit.cluster {
        check_cluster(reader, item, fields, &unit);
    }
    check_command(reader, fields, &unit);
    Some(unit)
}

fn name(reader: &mut Reader<'_>, at: &At<'_>) -> Option<String> {
    let name = reader.line(at)?;
    match name_fault(&name) {
        None => Some(name),
        Some(fault) => {
            reader.error(at, format!("{} is not a name of a unit: {fault}", quote(&name)));
            None
        }
    }
}

fn name_fault(name: &str) -> Option<String> {
    if let Some((unit, _)) = name.split_once(".d/") {
        let unit = quote(unit);
        return Some(format!("for a file beside unit {unit} use `drop_ins` of that unit"));
    }
    if name.contains('/') {
        return Some("it holds `/`: write only the name".to_owned());
    }
    if name.starts_with('.') {
        return Some("it begins with `.`, so that systemd would pass over its file".to_owned());
    }
    let suffix = name.rsplit_once('.').map_or("", |(_, suffix)| suffix);
    if NETWORK.contains(&suffix) {
        // The same rules as for a service, but for the suffix.
        let stem = name.strip_suffix(suffix).unwrap_or(name);
        return format!("{stem}service").parse::<UnitName>().err().map(|error| error.to_string());
    }
    let error = name.parse::<UnitName>().err()?;
    let kinds = UnitKind::ALL.iter().map(|kind| kind.as_str()).chain(NETWORK);
    let meant = match suffix {
        "" => Some("service"),
        _ => nearest(suffix, kinds).filter(|kind| *kind != suffix),
    };
    let stem = name.strip_suffix(suffix).unwrap_or(name).trim_end_matches('.');
    let meant = meant
        .map(|kind| format!("{stem}.{kind}"))
        .filter(|meant| meant.parse::<UnitName>().is_ok());
    let meant =
        meant.map_or_else(String::new, |meant| format!(": did you mean {}?", quote(&meant)));
    Some(format!("{error}{meant}"))
}

/// Whether a file is for systemd-networkd, and not a unit.
pub(crate) fn is_network(name: &str) -> bool {
    NETWORK.iter().any(|suffix| name.rsplit('.').next() == Some(suffix))
}

fn drop_ins(reader: &mut Reader<'_>, at: &At<'_>) -> Vec<DropIn> {
    let items = reader.list(at);
    items.iter().filter_map(|item| drop_in(reader, item)).collect()
}

fn drop_in(reader: &mut Reader<'_>, item: &At<'_>) -> Option<DropIn> {
    let fields = reader.fields(item, DROP_IN_KEYS)?;
    let name = match fields.get("name") {
        Some(at) => drop_in_name(reader, at),
        None => {
            reader.error(item, "a drop-in without `name`");
            None
        }
    };
    let content = fields.get("content").and_then(|at| {
        let text = reader.text(at)?;
        unit_text::check(reader, at, &text, None);
        Some(text)
    });
    if fields.get("content").is_none() || content.as_deref() == Some("") {
        reader.error(item, "a drop-in without `content`");
        return None;
    }
    Some(DropIn { name: name?, content: content? })
}

fn drop_in_name(reader: &mut Reader<'_>, at: &At<'_>) -> Option<String> {
    let name = reader.line(at)?;
    let is_file = name.len() <= 255 && !name.contains('/') && !name.starts_with('.');
    if is_file && name.ends_with(".conf") && name.len() > ".conf".len() {
        return Some(name);
    }
    let text = format!("{} is not a name of a drop-in, such as `10-limits.conf`", quote(&name));
    reader.error(at, text);
    None
}

fn check_content(reader: &mut Reader<'_>, fields: &Fields<'_>, unit: &Unit) {
    let (Some(at), Some(content)) = (fields.get("content"), &unit.content) else { return };
    let name = unit.name.parse::<UnitName>().ok();
    let place = name.as_ref().map(|name| unit_text::Place { name, cluster: unit.cluster });
    unit_text::check(reader, at, content, place);
    if unit.mask == Some(true)
        && let Some(at) = fields.get("mask")
    {
        reader.warning(at, "a masked unit has no content: `content` is ignored");
    }
}

fn check_command(reader: &mut Reader<'_>, fields: &Fields<'_>, unit: &Unit) {
    let Some(at) = fields.get("command") else { return };
    let is_template = unit.name.parse::<UnitName>().is_ok_and(|name| name.is_template());
    if is_template && unit.command.is_some() {
        let instance = unit.name.replacen("@.", "@1.", 1);
        let text = format!("a template runs nowhere: name an instance of it, such as `{instance}`");
        reader.error(at, text);
    } else if is_network(&unit.name) && unit.command.is_some() {
        reader.warning(at, "files of systemd-networkd take no command: it is ignored");
    }
}

/// What the cluster does not do with a unit.
fn check_cluster(reader: &mut Reader<'_>, item: &At<'_>, fields: &Fields<'_>, unit: &Unit) {
    if is_network(&unit.name) {
        reader.error(item, "`cluster: true` is for units, not for files of systemd-networkd");
    }
    if unit.content.is_none() {
        reader.error(item, "`cluster: true` needs `content`, which is what is submitted");
    }
    if let Some(at) = fields.get("drop_ins") {
        reader.error(at, "a unit of the cluster has no drop-ins: write all of it in `content`");
    }
    for key in ["runtime", "mask", "enable"] {
        if let Some(at) = fields.get(key) {
            reader.warning(at, "is ignored, as `cluster: true` leaves the unit to the cluster");
        }
    }
    if let Some(at) = fields.get("content") {
        check_sameness(reader, at);
    }
    if let Some(at) = fields.get("command")
        && unit.command.is_some_and(|command| command != UnitCommand::Start)
    {
        reader.error(at, "a unit of the cluster can only be told to `start`, or nothing");
    }
}

/// All hosts that have the document offer its unit to the cluster, and one of them is first.
fn check_sameness(reader: &mut Reader<'_>, at: &At<'_>) {
    let Value::Scalar(scalar) = &at.node.value else { return };
    let Some(token) = scalar.tokens.first() else { return };
    let (name, variable) = (token.name, tokens::variable(token.name));
    let text = format!(
        "`{name}` is another address on each host, and the cluster takes the unit of whichever \
         host comes first: for the address of the host that runs it, write \
         `EnvironmentFile=/etc/environment` and `${{{variable}}}`"
    );
    reader.problems.push(Problem::warning(token.position, at.path.as_str(), text));
}
