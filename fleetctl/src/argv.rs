//! Spellings that operators' scripts hold and the command parser does not know.
//!
//! Old releases took `-no-block` for `--no-block` and `--full=true` for `--full`. Both are rewritten
//! here, before parsing, and only where the parser would misread them: everything else passes
//! through untouched, so that its own suggestions stay right. A command line for another machine is
//! not ours to rewrite, and is marked as such.

use std::collections::BTreeMap;

use clap::ArgAction;

/// What a flag expects after its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Takes {
    /// Nothing: the flag is a switch.
    Nothing,
    /// A value attached by `=`, or none: never the next word.
    Attached,
    /// A value, attached by `=` or in the next word.
    Value,
}

/// Flags that say by themselves what the first word says without them.
const INSTEAD_OF_A_WORD: [&str; 2] = ["machine", "unit"];

/// Every long flag of a command line and of its commands.
#[derive(Debug)]
pub(crate) struct Flags {
    long: BTreeMap<String, Takes>,
    short: BTreeMap<char, Takes>,
    /// Words that each command has of its own; what follows them is another's command line.
    commands: BTreeMap<String, usize>,
}

impl Flags {
    /// Collects the flags of a command and of its subcommands.
    pub(crate) fn of(command: &clap::Command) -> Self {
        let commands = command.get_subcommands();
        let commands = commands.map(|command| (command.get_name().to_owned(), own_words(command)));
        let mut flags =
            Self { long: BTreeMap::new(), short: BTreeMap::new(), commands: commands.collect() };
        flags.collect(command);
        flags
    }

    /// Rewrites old spellings; the first word is the program's name.
    pub(crate) fn normalise(&self, words: Vec<String>) -> Vec<String> {
        let mut rewritten = Vec::with_capacity(words.len());
        let mut words = words.into_iter();
        rewritten.extend(words.next());
        // Not known before the command is.
        let mut left: Option<usize> = None;
        while let Some(word) = words.next() {
            if word == "--" {
                rewritten.push(word);
                rewritten.extend(words);
                break;
            }
            if !is_flag(&word) {
                if left == Some(0) {
                    rewritten.extend(["--".to_owned(), word]);
                    rewritten.extend(words);
                    break;
                }
                left = Some(left.map_or_else(|| self.words_of(&word), |left| left - 1));
            } else if split(&word).is_some_and(|(name, _)| INSTEAD_OF_A_WORD.contains(&name)) {
                left = left.map(|left| left.saturating_sub(1));
            }
            let takes_next = !word.contains('=') && self.takes(&word) == Some(Takes::Value);
            rewritten.extend(self.rewrite(word));
            if takes_next {
                rewritten.extend(words.next());
            }
        }
        rewritten
    }

    fn collect(&mut self, command: &clap::Command) {
        for arg in command.get_arguments() {
            let takes = match arg.get_action() {
                ArgAction::Set | ArgAction::Append if arg.is_require_equals_set() => {
                    Takes::Attached
                }
                ArgAction::Set | ArgAction::Append => Takes::Value,
                _ => Takes::Nothing,
            };
            for name in arg.get_long().into_iter().chain(arg.get_all_aliases().unwrap_or_default())
            {
                self.long.entry(name.to_owned()).or_insert(takes);
            }
            self.short.extend(arg.get_short().map(|letter| (letter, takes)));
        }
        for subcommand in command.get_subcommands() {
            self.collect(subcommand);
        }
    }

    /// Gives the number of words of a command, which may be shortened.
    fn words_of(&self, command: &str) -> usize {
        if let Some(words) = self.commands.get(command) {
            return *words;
        }
        let mut meant = self.commands.iter().filter(|(name, _)| name.starts_with(command));
        match (meant.next(), meant.next()) {
            (Some((_, words)), None) => *words,
            _ => usize::MAX,
        }
    }

    fn takes(&self, word: &str) -> Option<Takes> {
        let (name, _) = split(word)?;
        self.long.get(name).copied()
    }

    /// Whether a word after one dash begins with no letter that is a flag. Of values that are
    /// attached to a letter there are only numbers: `-n5` is one, `-no-legnd` a slip.
    fn is_no_cluster(&self, word: &str) -> bool {
        let mut letters = word.strip_prefix('-').unwrap_or_default().chars();
        let (letter, next) = (letters.next(), letters.next());
        letter.filter(char::is_ascii_alphabetic).is_some_and(|letter| {
            match self.short.get(&letter) {
                None => true,
                Some(Takes::Nothing) => false,
                Some(_) => !next.is_some_and(|next| next.is_ascii_digit()),
            }
        })
    }

    /// Gives the word as the parser wants it; a switch that is turned off vanishes.
    fn rewrite(&self, word: String) -> Option<String> {
        if let Some(letter) = single_letter(&word) {
            return Some(format!("-{letter}"));
        }
        let Some((name, value)) = split(&word) else { return Some(word) };
        match (self.long.get(name), value) {
            // The parser would take it for letters, and suggest nothing.
            (None, _) if self.is_no_cluster(&word) => Some(format!("-{word}")),
            (None, _) => Some(word),
            (Some(Takes::Nothing), Some(value)) => match truth(value) {
                Some(true) => Some(format!("--{name}")),
                Some(false) => None,
                None => Some(format!("--{name}={value}")),
            },
            (Some(_), Some(value)) => Some(format!("--{name}={value}")),
            (Some(_), None) => Some(format!("--{name}")),
        }
    }
}

/// Counts the words before a command's last argument, if that is a command line.
fn own_words(command: &clap::Command) -> usize {
    let mut positionals = command.get_positionals();
    positionals.position(clap::Arg::is_trailing_var_arg_set).unwrap_or(usize::MAX)
}

fn is_flag(word: &str) -> bool {
    word.starts_with('-') && word.len() > 1
}

/// Reads a truth value in the spellings that old releases took.
pub(crate) fn truth(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "True" | "TRUE" => Some(true),
        "0" | "f" | "F" | "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

/// Finds the letter of `--l`, which 1.0 declared in place of `-l`.
fn single_letter(word: &str) -> Option<char> {
    let mut letters = word.strip_prefix("--")?.chars();
    letters.next().filter(|letter| letter.is_ascii_alphabetic() && letters.next().is_none())
}

/// Splits `-name=value` and `--name=value`; words of one letter are short flags already.
fn split(word: &str) -> Option<(&str, Option<&str>)> {
    let name = word.strip_prefix("--").or_else(|| word.strip_prefix('-'))?;
    let (name, value) = match name.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (name, None),
    };
    (name.len() > 1).then_some((name, value))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    fn normalised(line: &str) -> String {
        let mut command = Cli::command();
        command.build();
        let words = line.split(' ').map(str::to_owned).collect();
        Flags::of(&command).normalise(words).join(" ")
    }

    #[test]
    fn old_spellings_become_new_ones_and_the_rest_is_left_alone() {
        let lines = [
            "fleetctl start -no-block a.service",
            "fleetctl start --no-block=true -block-attempts=3 a.service",
            "fleetctl start --no-block=false a.service",
            "fleetctl start --no-block=perhaps a.service",
            "fleetctl list-units -l --l -full -fields unit,sub",
            "fleetctl -endpoint -strange list-units",
            "fleetctl --endpoint=unix:///a=b list-units",
            "fleetctl -strict-host-key-checking=false -debug status a",
            "fleetctl -version",
            "fleetctl -help",
            "fleetctl list-units -lfull",
            "fleetctl list-units -no-legnd",
            "fleetctl journal -n5 -n 5 -o json -fn 5 -lines 5 a",
            "fleetctl cat -- -no-legend",
            "fleetctl cat -",
            "fleetctl -debug ssh --A 8145 -ssh-port 23 ls -full --l",
            "fleetctl ss -machine 8145 ls -full -- --l",
            "fleetctl ssh a -- ls -full",
            "fleetctl -etcd-certfile /a -etcd-keyfile /b ssh --machine m1 ls -full",
            "fleetctl",
        ];
        insta::assert_snapshot!(lines.map(normalised).join("\n"), @r#"
        fleetctl start --no-block a.service
        fleetctl start --no-block --block-attempts=3 a.service
        fleetctl start a.service
        fleetctl start --no-block=perhaps a.service
        fleetctl list-units -l -l --full --fields unit,sub
        fleetctl --endpoint -strange list-units
        fleetctl --endpoint=unix:///a=b list-units
        fleetctl --strict-host-key-checking=false --debug status a
        fleetctl --version
        fleetctl --help
        fleetctl list-units -lfull
        fleetctl list-units --no-legnd
        fleetctl journal -n5 -n 5 -o json -fn 5 --lines 5 a
        fleetctl cat -- -no-legend
        fleetctl cat -
        fleetctl --debug ssh -A 8145 --ssh-port 23 -- ls -full --l
        fleetctl ss --machine 8145 -- ls -full -- --l
        fleetctl ssh a -- ls -full
        fleetctl --etcd-certfile /a --etcd-keyfile /b ssh --machine m1 -- ls -full
        fleetctl
        "#);
    }
}
