//! The specifiers that fleet itself expands, in values of `[X-Fleet]` only.

use crate::UnitName;

/// Replaces `%n`, `%N`, `%p` and `%i`, in this order; anything else with a `%` stays.
pub(crate) fn expand(value: &str, name: &UnitName) -> String {
    if !value.contains('%') {
        return value.to_owned();
    }
    value
        .replace("%n", name.as_str())
        .replace("%N", name.stem())
        .replace("%p", name.prefix())
        .replace("%i", name.instance().unwrap_or_default())
}
