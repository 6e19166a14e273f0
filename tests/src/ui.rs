//! What the testbed says to the person in front of it.

use std::fmt::Display;
use std::io::{self, Write};

/// Prints a line on standard output.
pub fn say(line: impl Display) {
    // A reader that went away, as `head` does, is no reason to leave a cluster half made.
    writeln!(io::stdout(), "{line}").ok();
}

/// Tells how far a command has come, on standard error, where it is in nobody's way.
pub fn note(line: impl Display) {
    writeln!(io::stderr(), "{line}").ok();
}

/// Prints an error and its causes on standard error.
pub fn complain(error: &dyn std::error::Error) {
    let mut sentence = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        let text = source.to_string();
        // Transparent errors repeat what their source says.
        if !sentence.ends_with(&text) {
            sentence = format!("{sentence}: {text}");
        }
        cause = source.source();
    }
    writeln!(io::stderr(), "testbed: {sentence}").ok();
}
