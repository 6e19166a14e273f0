//! Names of units. A [`UnitName`] is safe to use as a file name and as a part of a store key.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest name that fleet 1.0 took. systemd takes 255 and Linux no longer file names, so a unit
/// with such a name is stored and never runs.
const MAX_LENGTH: usize = 256;

/// Suffixes that an argument may end in; any other argument gets `.service` appended.
const ARGUMENT_SUFFIXES: [&str; 7] =
    [".service", ".socket", ".timer", ".path", ".device", ".mount", ".automount"];

/// The name of a unit, such as `hello.service` or `web@1.service`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct UnitName(String);

impl UnitName {
    /// Names the unit that an argument of fleetctl means: the last part of a path, with
    /// `.service` appended if it has no suffix of its own.
    ///
    /// # Errors
    ///
    /// Says what is wrong with the resulting name.
    pub fn from_argument(argument: &str) -> Result<Self, UnitNameError> {
        let completed = Self::complete(argument);
        completed.rsplit('/').next().unwrap_or_default().parse()
    }

    /// The path of the file that an argument of fleetctl means: the argument, with `.service`
    /// appended as [`UnitName::from_argument`] does.
    #[must_use]
    pub fn complete(argument: &str) -> Cow<'_, str> {
        let argument = argument.trim_end_matches('/');
        if ARGUMENT_SUFFIXES.iter().any(|suffix| argument.ends_with(suffix)) {
            Cow::Borrowed(argument)
        } else {
            Cow::Owned(format!("{argument}.service"))
        }
    }

    /// The whole name, as `%n` gives it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The kind that the suffix names.
    #[must_use]
    pub fn kind(&self) -> UnitKind {
        UnitKind::of_suffix(self.split().1).unwrap_or(UnitKind::Service)
    }

    /// The name without its suffix, as `%N` gives it.
    #[must_use]
    pub fn stem(&self) -> &str {
        self.split().0
    }

    /// The part before the first `@`, or the stem, as `%p` gives it.
    #[must_use]
    pub fn prefix(&self) -> &str {
        self.at().map_or_else(|| self.stem(), |(prefix, _)| prefix)
    }

    /// The part between the first `@` and the suffix, as `%i` gives it; never empty.
    #[must_use]
    pub fn instance(&self) -> Option<&str> {
        self.at().map(|(_, instance)| instance).filter(|instance| !instance.is_empty())
    }

    /// Whether this is a template, such as `web@.service`.
    #[must_use]
    pub fn is_template(&self) -> bool {
        self.at().is_some_and(|(_, instance)| instance.is_empty())
    }

    /// Whether this is an instance of a template, such as `web@1.service`.
    #[must_use]
    pub fn is_instance(&self) -> bool {
        self.instance().is_some()
    }

    /// The template of an instance.
    #[must_use]
    pub fn template(&self) -> Option<Self> {
        let (_, suffix) = self.split();
        self.is_instance().then(|| Self(format!("{}@.{suffix}", self.prefix())))
    }

    fn split(&self) -> (&str, &str) {
        self.0.rsplit_once('.').unwrap_or((&self.0, ""))
    }

    fn at(&self) -> Option<(&str, &str)> {
        self.stem().split_once('@')
    }
}

impl FromStr for UnitName {
    type Err = UnitNameError;

    fn from_str(name: &str) -> Result<Self, UnitNameError> {
        check(name)?;
        Ok(Self(name.to_owned()))
    }
}

impl TryFrom<String> for UnitName {
    type Error = UnitNameError;

    fn try_from(name: String) -> Result<Self, UnitNameError> {
        check(&name)?;
        Ok(Self(name))
    }
}

impl From<UnitName> for String {
    fn from(name: UnitName) -> Self {
        name.0
    }
}

impl AsRef<str> for UnitName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for UnitName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UnitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The kinds of units that systemd knows, by suffix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UnitKind {
    /// `.automount`
    Automount,
    /// `.busname`
    Busname,
    /// `.device`
    Device,
    /// `.mount`
    Mount,
    /// `.path`
    Path,
    /// `.scope`
    Scope,
    /// `.service`
    Service,
    /// `.slice`
    Slice,
    /// `.snapshot`
    Snapshot,
    /// `.socket`
    Socket,
    /// `.swap`
    Swap,
    /// `.target`
    Target,
    /// `.timer`
    Timer,
}

impl UnitKind {
    /// All kinds, in the order of their suffixes.
    pub const ALL: [Self; 13] = [
        Self::Automount,
        Self::Busname,
        Self::Device,
        Self::Mount,
        Self::Path,
        Self::Scope,
        Self::Service,
        Self::Slice,
        Self::Snapshot,
        Self::Socket,
        Self::Swap,
        Self::Target,
        Self::Timer,
    ];

    /// The suffix, without its dot.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Automount => "automount",
            Self::Busname => "busname",
            Self::Device => "device",
            Self::Mount => "mount",
            Self::Path => "path",
            Self::Scope => "scope",
            Self::Service => "service",
            Self::Slice => "slice",
            Self::Snapshot => "snapshot",
            Self::Socket => "socket",
            Self::Swap => "swap",
            Self::Target => "target",
            Self::Timer => "timer",
        }
    }

    fn of_suffix(suffix: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == suffix)
    }

    const fn has_templates(self) -> bool {
        matches!(self, Self::Path | Self::Service | Self::Socket | Self::Target | Self::Timer)
    }
}

impl fmt::Display for UnitKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why text is not the name of a unit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnitNameError {
    /// There is nothing, or nothing before the suffix.
    #[error("unit name cannot be empty")]
    Empty,
    /// systemd takes no name of that length.
    #[error("unit name exceeds maximum length ({MAX_LENGTH})")]
    TooLong,
    /// There is no suffix.
    #[error("unit name must contain \".\"")]
    NoSuffix,
    /// The suffix is empty.
    #[error("unit name cannot end in \".\"")]
    EmptySuffix,
    /// The suffix is none of systemd's.
    #[error("invalid unit type: {0:?}")]
    UnknownKind(String),
    /// Units of this kind have no templates.
    #[error("invalid unit type for template: {0:?}")]
    NoTemplates(String),
    /// A character that systemd does not allow.
    #[error("invalid character {0:?} in unit name")]
    InvalidCharacter(char),
    /// A template without a prefix.
    #[error("unit name cannot start in \"@\"")]
    EmptyPrefix,
}

fn check(name: &str) -> Result<(), UnitNameError> {
    if name.is_empty() {
        return Err(UnitNameError::Empty);
    }
    if name.len() > MAX_LENGTH {
        return Err(UnitNameError::TooLong);
    }
    let (stem, suffix) = name.rsplit_once('.').ok_or(UnitNameError::NoSuffix)?;
    if suffix.is_empty() {
        return Err(UnitNameError::EmptySuffix);
    }
    let kind =
        UnitKind::of_suffix(suffix).ok_or_else(|| UnitNameError::UnknownKind(suffix.to_owned()))?;
    if stem.is_empty() {
        return Err(UnitNameError::Empty);
    }
    if stem.contains('@') && !kind.has_templates() {
        return Err(UnitNameError::NoTemplates(suffix.to_owned()));
    }
    if let Some(invalid) = stem.chars().find(|c| !is_allowed(*c)) {
        return Err(UnitNameError::InvalidCharacter(invalid));
    }
    if stem.starts_with('@') {
        return Err(UnitNameError::EmptyPrefix);
    }
    Ok(())
}

const fn is_allowed(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, ':' | '-' | '_' | '.' | '\\' | '@')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> UnitName {
        text.parse().unwrap()
    }

    #[test]
    fn names_that_systemd_takes_are_accepted() {
        let longest = format!("{}.service", "a".repeat(MAX_LENGTH - ".service".len()));
        for good in [
            "foo@.service",
            "yo.yo.service",
            "hello:world.service",
            r"yes@no\.service",
            "jalapano_chips.service",
            "foo@bar@baz.service",
            longest.as_str(),
        ] {
            assert_eq!(good.parse::<UnitName>().map(String::from), Ok(good.to_owned()));
        }
    }

    #[test]
    fn all_kinds_are_told_from_the_suffix() {
        for kind in UnitKind::ALL {
            assert_eq!(name(&format!("foo.{kind}")).kind(), kind);
        }
    }

    #[test]
    fn other_names_are_refused_in_1_0s_words() {
        let too_long = format!("{}.service", "a".repeat(MAX_LENGTH - ".service".len() + 1));
        for (bad, expected) in [
            ("", "unit name cannot be empty"),
            (".service", "unit name cannot be empty"),
            (too_long.as_str(), "unit name exceeds maximum length (256)"),
            ("fooservice", r#"unit name must contain ".""#),
            ("foo.", r#"unit name cannot end in ".""#),
            ("foo.service.", r#"unit name cannot end in ".""#),
            ("foo.servICE", r#"invalid unit type: "servICE""#),
            ("foo%.service", "invalid character '%' in unit name"),
            ("yes/no.service", "invalid character '/' in unit name"),
            ("foo@{1..3}.service", "invalid character '{' in unit name"),
            ("h\u{e9}llo.service", "invalid character '\u{e9}' in unit name"),
            ("dog=woof@.mount", r#"invalid unit type for template: "mount""#),
            ("foo@1.mount", r#"invalid unit type for template: "mount""#),
            ("@foo.service", r#"unit name cannot start in "@""#),
        ] {
            let refused = bad.parse::<UnitName>().map_err(|error| error.to_string());
            assert_eq!(refused, Err(expected.to_owned()), "{bad}");
        }
    }

    #[test]
    fn a_name_has_stem_prefix_instance_and_template() {
        for (text, stem, prefix, instance, template) in [
            ("foo.service", "foo", "foo", None, None),
            ("foo@.service", "foo@", "foo", None, None),
            ("foo@bar.service", "foo@bar", "foo", Some("bar"), Some("foo@.service")),
            ("foo@bar@baz.service", "foo@bar@baz", "foo", Some("bar@baz"), Some("foo@.service")),
            ("foo.1@2.service", "foo.1@2", "foo.1", Some("2"), Some("foo.1@.service")),
            ("foo@1.2.timer", "foo@1.2", "foo", Some("1.2"), Some("foo@.timer")),
        ] {
            let unit = name(text);
            assert_eq!(
                (unit.stem(), unit.prefix(), unit.instance(), unit.template()),
                (stem, prefix, instance, template.map(name)),
                "{text}"
            );
            assert_eq!(unit.is_instance(), instance.is_some(), "{text}");
        }
    }

    #[test]
    fn only_an_empty_instance_makes_a_template() {
        let templates = ["foo.service", "foo@.service", "foo@1.service", "foo@@.service"]
            .map(|text| name(text).is_template());

        assert_eq!(templates, [false, true, false, false]);
    }

    #[test]
    fn an_argument_names_a_unit_by_its_last_part_and_service_is_the_default_kind() {
        for (argument, path, unit) in [
            ("foo", "foo.service", "foo.service"),
            ("foo.1", "foo.1.service", "foo.1.service"),
            ("foo/bar.socket", "foo/bar.socket", "bar.socket"),
            ("foo.target", "foo.target.service", "foo.target.service"),
            ("examples/hello", "examples/hello.service", "hello.service"),
            ("/a/hello@1.service", "/a/hello@1.service", "hello@1.service"),
            ("dir/", "dir.service", "dir.service"),
        ] {
            assert_eq!(UnitName::complete(argument), path);
            assert_eq!(UnitName::from_argument(argument), Ok(name(unit)));
        }
    }

    #[test]
    fn an_argument_that_names_nothing_is_refused() {
        assert_eq!(UnitName::from_argument(""), Err(UnitNameError::Empty));
        assert_eq!(UnitName::from_argument("/"), Err(UnitNameError::Empty));
        assert_eq!(
            UnitName::from_argument("units/foo@*"),
            Err(UnitNameError::InvalidCharacter('*'))
        );
    }

    #[test]
    fn names_are_checked_when_they_are_deserialized() {
        assert_eq!(
            serde_json::from_str::<UnitName>(r#""foo.service""#).unwrap(),
            name("foo.service")
        );
        assert_eq!(serde_json::to_string(&name("foo.service")).unwrap(), r#""foo.service""#);
        assert_eq!(
            serde_json::from_str::<UnitName>(r#""../foo.service""#).unwrap_err().to_string(),
            "invalid character '/' in unit name"
        );
    }
}
