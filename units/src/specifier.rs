//! The specifiers that fleet itself expands: in values of `[X-Fleet]`, and where it has to know which
//! units a text names.

use crate::UnitName;

/// Replaces `%n`, `%N`, `%p` and `%i`, in this order; anything else with a `%` stays.
#[must_use]
pub fn expand(value: &str, name: &UnitName) -> String {
    if !value.contains('%') {
        return value.to_owned();
    }
    value
        .replace("%n", name.as_str())
        .replace("%N", name.stem())
        .replace("%p", name.prefix())
        .replace("%i", name.instance().unwrap_or_default())
}

/// What a value cannot exceed once it is expanded, in bytes. Each `%` is replaced once at most:
/// there is none in a name.
pub(crate) fn longest(value: &str, name: &UnitName) -> usize {
    value.len() + value.matches('%').count() * name.as_str().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_four_specifiers_are_replaced() {
        for (name, value, expected) in [
            ("ssh@2.service", "%n|%N|%p|%i", "ssh@2.service|ssh@2|ssh|2"),
            ("test.service", "%n|%N|%p|%i", "test.service|test|test|"),
            ("ssh@.service", "%n|%N|%p|%i", "ssh@.service|ssh@|ssh|"),
            ("ssh@2.service", "%H %m %% %I %j %P %", "%H %m %% %I %j %P %"),
            ("ssh@2.service", "%i%i", "22"),
            ("ssh@2.service", "plain", "plain"),
        ] {
            assert_eq!(expand(value, &name.parse().unwrap()), expected, "{value} of {name}");
        }
    }
}
