//! Words of the command line that nobody knows, told with what may be meant.

use crate::error::CommandError;

/// More known words than this are too many to read.
const READABLE: usize = 12;

/// Finds a known word, or refuses the command line: `what` says what it should have been.
pub(crate) fn known<T: Copy>(
    what: &str,
    word: &str,
    known: impl Iterator<Item = (&'static str, T)> + Clone,
) -> Result<T, CommandError> {
    let wanted = word.trim();
    let found = known.clone().find(|(name, _)| *name == wanted);
    found.map(|(_, found)| found).ok_or_else(|| {
        let names: Vec<&str> = known.map(|(name, _)| name).collect();
        CommandError::usage(format!("Invalid {what}: \"{word}\"; {}", advice(wanted, &names)))
    })
}

fn advice(word: &str, known: &[&str]) -> String {
    match fleet_units::nearest(word, known.iter().copied()) {
        Some(nearest) => format!("did you mean \"{nearest}\"?"),
        None if known.len() > READABLE => format!("there are {},...", known[..READABLE].join(",")),
        None => format!("there are {}", known.join(",")),
    }
}
