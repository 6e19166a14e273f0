//! `runcmd`.

use super::Command;
use super::fields::{At, Reader};
use crate::yaml::Value;

/// Reads lines for the shell, and programs with their arguments.
pub(super) fn read(reader: &mut Reader<'_>, at: &At<'_>) -> Vec<Command> {
    let items = reader.list(at);
    items.iter().filter_map(|item| command(reader, item)).collect()
}

fn command(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Command> {
    match &at.node.value {
        Value::Scalar(_) => {
            let line = reader.text(at)?;
            let is_sound = no_nul(reader, at, &line);
            is_sound.then_some(Command::Shell(line))
        }
        Value::List(items) if items.is_empty() => {
            reader.error(at, "a command without a program");
            None
        }
        Value::List(_) => {
            let items = reader.list(at);
            let words: Option<Vec<String>> = items
                .iter()
                .map(|item| reader.text(item).filter(|word| no_nul(reader, item, word)))
                .collect();
            words.filter(|words| !words.is_empty()).map(Command::Program)
        }
        Value::Map(_) => {
            let text = "must be a command, is a map because of the `: ` in it: put the command in \
                        single quotes";
            reader.error(at, text);
            None
        }
    }
}

fn no_nul(reader: &mut Reader<'_>, at: &At<'_>, text: &str) -> bool {
    let has_nul = text.contains('\0');
    if has_nul {
        reader.error(at, "a command cannot hold the character NUL");
    }
    !has_nul
}
