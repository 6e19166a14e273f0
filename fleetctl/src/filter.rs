//! Which rows of a list are wanted: `--filter state=failed,machine=8145,name='web@*'`.

use fleet_units::Metadata;

use crate::commands::patterns::Pattern;
use crate::error::CommandError;
use crate::words;

/// What a row is chosen by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// A word for the state that it is in.
    State,
    /// The machine that it is on.
    Machine,
    /// The name of the unit.
    Name,
    /// A pair of a machine's metadata.
    Metadata,
}

/// What conditions look at.
#[derive(Clone, Debug, Default)]
pub(crate) struct Subject<'a> {
    /// The name of the unit.
    pub(crate) name: &'a str,
    /// Every word for the state that it is in.
    pub(crate) states: Vec<&'a str>,
    /// Ids and addresses of the machines that it is on.
    pub(crate) machines: Vec<(&'a str, Option<&'a str>)>,
    /// The metadata of the machine.
    pub(crate) metadata: Option<&'a Metadata>,
}

/// Conditions that all have to hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter(Vec<Condition>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Condition {
    test: Test,
    /// Whether the row is wanted if the test fails: `state!=active`.
    negated: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    State(&'static str),
    /// The beginning of an id, or an address.
    Machine(String),
    Name(Pattern),
    Metadata(String, String),
}

impl Key {
    const fn name(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Machine => "machine",
            Self::Name => "name",
            Self::Metadata => "metadata",
        }
    }
}

impl Filter {
    /// Reads the values of `--filter`, of a list that has these keys and states.
    pub(crate) fn parse(
        texts: &[String],
        keys: &[Key],
        states: &'static [&'static str],
    ) -> Result<Self, CommandError> {
        let mut conditions = Vec::new();
        for text in texts {
            for condition in parts(text) {
                conditions.push(Condition::parse(&condition, keys, states)?);
            }
        }
        Ok(Self(conditions))
    }

    /// Whether the row is wanted.
    pub(crate) fn takes(&self, subject: &Subject<'_>) -> bool {
        self.0.iter().all(|condition| condition.test.holds(subject) != condition.negated)
    }

    /// Whether it matters on which machines something is.
    pub(crate) fn asks_for_machines(&self) -> bool {
        self.0.iter().any(|condition| matches!(condition.test, Test::Machine(_)))
    }
}

impl Condition {
    fn parse(
        text: &str,
        keys: &[Key],
        states: &'static [&'static str],
    ) -> Result<Self, CommandError> {
        let Some((key, value)) = text.split_once('=') else {
            return Err(CommandError::usage(format!(
                "Invalid condition in filter: \"{text}\"; write KEY=VALUE or KEY!=VALUE"
            )));
        };
        let (key, negated) = key.strip_suffix('!').map_or((key, false), |key| (key, true));
        let known = keys.iter().map(|key| (key.name(), *key));
        let key = words::known("key in filter", key, known)?;
        Ok(Self { test: Test::parse(key, value, states)?, negated })
    }
}

impl Test {
    fn parse(key: Key, value: &str, states: &'static [&'static str]) -> Result<Self, CommandError> {
        match key {
            Key::State => {
                let known = states.iter().map(|state| (*state, *state));
                Ok(Self::State(words::known("state in filter", value, known)?))
            }
            Key::Machine => machine(value).map(Self::Machine),
            Key::Name => Pattern::parse(value)
                .map(Self::Name)
                .map_err(|error| CommandError::usage(format!("Invalid name in filter: {error}"))),
            Key::Metadata => match value.split_once('=') {
                Some((key, value)) => Ok(Self::Metadata(key.to_owned(), value.to_owned())),
                None => Err(CommandError::usage(format!(
                    "Invalid metadata in filter: \"{value}\"; write metadata=KEY=VALUE"
                ))),
            },
        }
    }

    fn holds(&self, subject: &Subject<'_>) -> bool {
        match self {
            Self::State(state) => subject.states.contains(state),
            Self::Machine(wanted) => subject.machines.iter().any(|(id, address)| {
                id.starts_with(wanted.as_str()) || *address == Some(wanted.as_str())
            }),
            Self::Name(pattern) => pattern.matches(subject.name),
            Self::Metadata(key, value) => {
                subject.metadata.and_then(|metadata| metadata.get(key)) == Some(value)
            }
        }
    }
}

/// Cuts at commas, but not inside a value such as `name=web@[1,2]`: a condition has an equals sign.
fn parts(text: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for part in text.split(',') {
        match parts.last_mut() {
            Some(last) if !part.contains('=') && !part.is_empty() => {
                last.push(',');
                last.push_str(part);
            }
            _ => parts.push(part.to_owned()),
        }
    }
    parts
}

/// Takes a machine as lists show it, too: `8145ebb7.../10.10.1.3`.
fn machine(value: &str) -> Result<String, CommandError> {
    let id = value.split("...").next().unwrap_or_default();
    if id.is_empty() {
        return Err(CommandError::usage(format!(
            "Invalid machine in filter: \"{value}\"; write the beginning of its id, or its address"
        )));
    }
    Ok(id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: &[Key] = &[Key::State, Key::Machine, Key::Name, Key::Metadata];
    const STATES: &[&str] = &["active", "failed", "running"];

    fn filter(texts: &[&str]) -> Result<Filter, CommandError> {
        let texts: Vec<String> = texts.iter().map(ToString::to_string).collect();
        Filter::parse(&texts, KEYS, STATES)
    }

    fn takes(texts: &[&str]) -> bool {
        let metadata = Metadata::from([("disk".to_owned(), "a=b,c".to_owned())]);
        let subject = Subject {
            name: "web@1.service",
            states: vec!["active", "running"],
            machines: vec![("8145ebb7", Some("10.10.1.3")), ("113f16a7", None)],
            metadata: Some(&metadata),
        };
        filter(texts).unwrap().takes(&subject)
    }

    #[test]
    fn a_row_is_wanted_if_all_conditions_hold() {
        for (texts, expected) in [
            (&[][..], true),
            (&["state=running"], true),
            (&["state=failed"], false),
            (&["state!=failed"], true),
            (&["state!=active"], false),
            (&["machine=8145"], true),
            (&["machine=113f16a7"], true),
            (&["machine=8145ebb7.../10.10.1.3"], true),
            (&["machine=45eb"], false),
            (&["machine=10.10.1.3"], true),
            (&["machine=10.10.1"], false),
            (&["name=web@*"], true),
            (&["name=web@1"], true),
            (&["name=web@?.service"], true),
            (&["name=web@[1,2].*"], true),
            (&["name=web@[2,3]*,state=active"], false),
            (&["name=*.socket"], false),
            (&["metadata=disk=a=b,c"], true),
            (&["metadata=disk=a"], false),
            (&["metadata!=az=a"], true),
            (&["state=active,machine=8145,name=web@*"], true),
            (&["state=active,machine=9"], false),
            (&["state=active", "state=running"], true),
            (&["state=active", "state=failed"], false),
        ] {
            assert_eq!(takes(texts), expected, "{texts:?}");
        }
    }

    #[test]
    fn what_no_list_knows_is_refused_with_what_may_be_meant() {
        let refused = [
            "stat=active",
            "state=faild",
            "state=xyz",
            "colour=red",
            "failed",
            "",
            "state=active,",
            "machine=",
            "machine=...",
            "name=[",
            "metadata=disk",
        ];
        let refused = refused.map(|text| filter(&[text]).unwrap_err().to_string());
        insta::assert_snapshot!(refused.join("\n"), @r#"
        Invalid key in filter: "stat"; did you mean "state"?
        Invalid state in filter: "faild"; did you mean "failed"?
        Invalid state in filter: "xyz"; there are active,failed,running
        Invalid key in filter: "colour"; there are state,machine,name,metadata
        Invalid condition in filter: "failed"; write KEY=VALUE or KEY!=VALUE
        Invalid condition in filter: ""; write KEY=VALUE or KEY!=VALUE
        Invalid condition in filter: ""; write KEY=VALUE or KEY!=VALUE
        Invalid machine in filter: ""; write the beginning of its id, or its address
        Invalid machine in filter: "..."; write the beginning of its id, or its address
        Invalid name in filter: malformed pattern "[.service": close each "[" with "]" and write "\\" for a backslash
        Invalid metadata in filter: "disk"; write metadata=KEY=VALUE
        "#);
    }
}
