//! What a message on the bus says to us.

use std::collections::HashMap;

use zbus::{MatchRule, Message, OwnedObjectPath, Variant};

use super::super::{JobResult, Signal};
use super::{jobs, name};

/// systemd's name on the bus.
pub(super) const SYSTEMD: &str = "org.freedesktop.systemd1";
const MANAGER: &str = "org.freedesktop.systemd1.Manager";
const UNIT: &str = "org.freedesktop.systemd1.Unit";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
const BUS: &str = "org.freedesktop.DBus";

/// Something that the reader acts on.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// systemd removed a job.
    JobEnded { path: String, result: JobResult },
    /// For the followers.
    Signal(Signal),
    /// Another process is systemd on this bus now, or none.
    OwnerChanged,
}

/// The messages that the bus is to send us.
pub(super) fn rules() -> zbus::Result<Vec<MatchRule<'static>>> {
    let signal = || MatchRule::builder().msg_type(zbus::message::Type::Signal);
    let manager = |member| signal().sender(SYSTEMD).interface(MANAGER).member(member).build();
    Ok(vec![
        manager("JobRemoved")?,
        manager("UnitRemoved")?,
        manager("Reloading")?,
        signal()
            .sender(SYSTEMD)
            .interface(PROPERTIES)
            .member("PropertiesChanged")
            .path_namespace(name::UNITS)
            .arg(0, UNIT)
            .build()?,
        signal().sender(BUS).interface(BUS).member("NameOwnerChanged").arg(0, SYSTEMD).build()?,
    ])
}

/// Reads a message; anybody may send us signals, so only those of `owner` and of the bus count.
pub(super) fn read(message: &Message, owner: &str) -> Option<Heard> {
    if message.message_type() != zbus::message::Type::Signal {
        return None;
    }
    let header = message.header();
    let (sender, interface) = (header.sender()?, header.interface()?.as_str());
    let member = header.member()?.as_str();
    let heard = if sender.as_str() == owner {
        match (interface, member) {
            (MANAGER, "JobRemoved") => job_ended(message),
            (MANAGER, "UnitRemoved") => unit_removed(message),
            (MANAGER, "Reloading") => reloading(message),
            (PROPERTIES, "PropertiesChanged") => changed(message, header.path()?.as_str()),
            _ => Ok(None),
        }
    } else if sender.as_str() == BUS && member == "NameOwnerChanged" {
        owner_changed(message, owner)
    } else {
        Ok(None)
    };
    // Something was said that cannot be read: whoever cares has to ask.
    heard.unwrap_or(Some(Heard::Signal(Signal::Resync)))
}

fn job_ended(message: &Message) -> zbus::Result<Option<Heard>> {
    let body = message.body();
    let (_, path, _, result): (u32, OwnedObjectPath, &str, &str) = body.deserialize()?;
    Ok(Some(Heard::JobEnded { path: path.to_string(), result: jobs::result(result) }))
}

fn unit_removed(message: &Message) -> zbus::Result<Option<Heard>> {
    let body = message.body();
    let (unit, _): (&str, OwnedObjectPath) = body.deserialize()?;
    Ok(unit.parse().ok().map(|unit| Heard::Signal(Signal::Removed(unit))))
}

fn reloading(message: &Message) -> zbus::Result<Option<Heard>> {
    let begins: bool = message.body().deserialize()?;
    Ok((!begins).then_some(Heard::Signal(Signal::Resync)))
}

fn changed(message: &Message, path: &str) -> zbus::Result<Option<Heard>> {
    let Some(unit) = name::unit_of(path) else { return Ok(None) };
    let body = message.body();
    let (interface, values, invalidated): (&str, HashMap<&str, Variant<'_>>, Vec<&str>) =
        body.deserialize()?;
    // Asked directly, systemd tells everything.
    if interface != UNIT {
        return Ok(None);
    }
    let word = |property| -> zbus::Result<Option<String>> {
        values.get(property).map(|value| Ok(<&str>::try_from(value)?.to_owned())).transpose()
    };
    let signal = match (word("ActiveState")?, word("SubState")?) {
        (Some(active), Some(sub)) => Signal::Changed { unit, active, sub },
        (None, None) if !invalidated.iter().any(|name| name.ends_with("State")) => return Ok(None),
        // systemd tells both together; one alone says no more than that something changed.
        _ => Signal::Resync,
    };
    Ok(Some(Heard::Signal(signal)))
}

fn owner_changed(message: &Message, owner: &str) -> zbus::Result<Option<Heard>> {
    let body = message.body();
    let (name, _, new): (&str, &str, &str) = body.deserialize()?;
    Ok((name == SYSTEMD && new != owner).then_some(Heard::OwnerChanged))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: &str = ":1.0";

    fn heard<B>(sender: &str, path: &str, interface: &str, member: &str, body: &B) -> Option<Heard>
    where
        B: serde::Serialize + zbus::DynamicType,
    {
        let message = Message::signal(path, interface, member).sender(sender).build(body).unwrap();
        read(&message, OWNER)
    }

    fn properties(path: &str, values: &[(&str, &str)]) -> Option<Heard> {
        let values: HashMap<_, _> =
            values.iter().map(|(name, value)| (*name, Variant::from(*value))).collect();
        heard(OWNER, path, PROPERTIES, "PropertiesChanged", &(UNIT, values, Vec::<&str>::new()))
    }

    const HELLO: &str = "/org/freedesktop/systemd1/unit/hello_2eservice";

    #[test]
    fn both_states_in_one_change_are_told_as_they_are() {
        assert_eq!(
            properties(HELLO, &[("ActiveState", "active"), ("SubState", "running"), ("Id", "x")]),
            Some(Heard::Signal(Signal::Changed {
                unit: "hello.service".parse().unwrap(),
                active: "active".into(),
                sub: "running".into(),
            }))
        );
    }

    #[test]
    fn a_change_without_states_says_nothing_and_half_a_state_asks_for_all() {
        assert_eq!(properties(HELLO, &[("FreezerState", "running")]), None);
        assert_eq!(
            properties(HELLO, &[("ActiveState", "failed")]),
            Some(Heard::Signal(Signal::Resync))
        );
    }

    #[test]
    fn units_that_fleet_cannot_name_are_nobodys_business() {
        let path = "/org/freedesktop/systemd1/unit/_ff_2eservice";

        assert_eq!(properties(path, &[("ActiveState", "active"), ("SubState", "dead")]), None);
    }

    #[test]
    fn jobs_removed_units_and_reloads_are_heard() {
        let path = "/org/freedesktop/systemd1";
        let object = |path: &'static str| OwnedObjectPath::try_from(path).unwrap();
        let job = object("/org/freedesktop/systemd1/job/17");

        assert_eq!(
            heard(OWNER, path, MANAGER, "JobRemoved", &(17_u32, job, "hello.service", "timeout")),
            Some(Heard::JobEnded {
                path: "/org/freedesktop/systemd1/job/17".into(),
                result: JobResult::Timeout
            })
        );
        assert_eq!(
            heard(OWNER, path, MANAGER, "UnitRemoved", &("hello.service", object(HELLO))),
            Some(Heard::Signal(Signal::Removed("hello.service".parse().unwrap())))
        );
        assert_eq!(heard(OWNER, path, MANAGER, "Reloading", &true), None);
        assert_eq!(
            heard(OWNER, path, MANAGER, "Reloading", &false),
            Some(Heard::Signal(Signal::Resync))
        );
    }

    #[test]
    fn signals_of_anybody_but_systemd_are_not_heard() {
        let path = "/org/freedesktop/systemd1";

        assert_eq!(heard(":1.9", path, MANAGER, "Reloading", &false), None);
        assert_eq!(heard(":1.9", path, BUS, "NameOwnerChanged", &(SYSTEMD, ":1.0", ":1.9")), None);
    }

    #[test]
    fn a_body_of_another_shape_asks_for_all() {
        assert_eq!(
            heard(OWNER, "/org/freedesktop/systemd1", MANAGER, "Reloading", &"soon"),
            Some(Heard::Signal(Signal::Resync))
        );
    }

    #[test]
    fn another_owner_of_systemds_name_is_heard() {
        let owner = |new: &str| {
            heard(BUS, "/org/freedesktop/DBus", BUS, "NameOwnerChanged", &(SYSTEMD, ":1.7", new))
        };

        assert_eq!(owner(":1.8"), Some(Heard::OwnerChanged));
        assert_eq!(owner(""), Some(Heard::OwnerChanged));
        assert_eq!(owner(OWNER), None);
    }
}
