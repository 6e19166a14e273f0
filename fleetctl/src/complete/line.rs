//! A command line that is not finished.

use clap::{Arg, ArgAction, Command, ValueHint};

use super::Candidate;

/// Where candidates come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The command line itself.
    Words(Vec<Candidate>),
    Units,
    Machines,
    Files,
}

/// What is known of the last word.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) sources: Vec<Source>,
    /// What candidates begin with: the word, or what stands behind its `=`.
    pub(super) typed: String,
    /// What stands before that.
    pub(super) stem: String,
    /// Global flags that stand on the line, as one word each.
    pub(super) globals: Vec<String>,
}

/// The words before the last one, as far as they were read.
struct Reader<'a> {
    program: &'a Command,
    command: Option<&'a Command>,
    /// The flag that takes the next word.
    open: Option<&'a Arg>,
    positionals: usize,
    /// Whether flags have ended.
    plain: bool,
    globals: Vec<String>,
}

impl Line {
    /// Reads the words behind the program's name, of a command that has been built.
    pub(super) fn read(program: &Command, words: &[String]) -> Self {
        let (last, before) =
            words.split_last().map_or(("", words), |(last, before)| (last.as_str(), before));
        let (command, open, positionals, plain) = (None, None, 0, false);
        let mut reader = Reader { program, command, open, positionals, plain, globals: Vec::new() };
        let understood = before.iter().all(|word| reader.word(word));
        let (stem, typed) = match last.split_once('=') {
            Some((flag, value)) if flag.starts_with('-') && !reader.plain => {
                (format!("{flag}="), value)
            }
            _ => (String::new(), last),
        };
        let sources = if understood { reader.sources(&stem, typed) } else { Vec::new() };
        Self { sources, typed: typed.to_owned(), stem, globals: reader.globals }
    }
}

impl<'a> Reader<'a> {
    /// Takes a word in; false if the line makes no sense from there on.
    fn word(&mut self, word: &str) -> bool {
        if let Some(flag) = self.open.take() {
            self.note(flag, Some(word));
        } else if word == "--" {
            self.plain = true;
        } else if word.starts_with('-') && !self.plain {
            let (name, value) = word.split_once('=').map_or((word, None), |(n, v)| (n, Some(v)));
            if let Some(flag) = self.flag(name) {
                if value.is_none() && takes_next(flag) {
                    self.open = Some(flag);
                } else {
                    self.note(flag, value);
                }
            }
        } else if self.command.is_some() {
            self.positionals += 1;
        } else {
            self.command = subcommand(self.program, word);
            return self.command.is_some();
        }
        true
    }

    fn note(&mut self, flag: &Arg, value: Option<&str>) {
        if let (true, Some(long)) = (flag.is_global_set(), flag.get_long()) {
            let value = value.map(|value| format!("={value}")).unwrap_or_default();
            self.globals.push(format!("--{long}{value}"));
        }
    }

    fn here(&self) -> &'a Command {
        self.command.unwrap_or(self.program)
    }

    /// Finds a flag by its name with its dashes, of which there may be one or two.
    fn flag(&self, name: &str) -> Option<&'a Arg> {
        let bare = name.trim_start_matches('-');
        let named = |flag: &&Arg| {
            flag.get_long() == Some(bare)
                || flag.get_short().is_some_and(|short| bare == short.to_string())
        };
        self.here().get_arguments().find(named)
    }

    fn sources(&self, stem: &str, typed: &str) -> Vec<Source> {
        if let Some(flag) = self.open {
            return values(flag);
        }
        if let Some(flag) = stem.strip_suffix('=') {
            return self.flag(flag).map(values).unwrap_or_default();
        }
        if typed.starts_with('-') && !self.plain {
            return vec![Source::Words(flags(self.here()))];
        }
        let Some(command) = self.command else {
            return vec![Source::Words(commands(self.program))];
        };
        let positionals: Vec<&Arg> = command.get_positionals().collect();
        let repeats = |arg: &&&Arg| matches!(arg.get_action(), ArgAction::Append);
        let here = positionals.get(self.positionals).or(positionals.last().filter(repeats));
        here.map(|arg| values(arg)).unwrap_or_default()
    }
}

fn takes_next(flag: &Arg) -> bool {
    matches!(flag.get_action(), ArgAction::Set | ArgAction::Append) && !flag.is_require_equals_set()
}

/// Finds a command by its name or the beginning of it.
fn subcommand<'a>(program: &'a Command, word: &str) -> Option<&'a Command> {
    program.find_subcommand(word).or_else(|| {
        let mut meant =
            program.get_subcommands().filter(|command| command.get_name().starts_with(word));
        meant.next().filter(|_| meant.next().is_none())
    })
}

fn commands(program: &Command) -> Vec<Candidate> {
    let shown = program.get_subcommands().filter(|command| !command.is_hide_set());
    let about =
        |command: &Command| command.get_about().map(ToString::to_string).unwrap_or_default();
    shown.map(|command| Candidate::new(command.get_name(), about(command))).collect()
}

fn flags(command: &Command) -> Vec<Candidate> {
    let shown = command.get_arguments().filter(|flag| !flag.is_hide_set());
    let flag = |flag: &Arg| {
        let help = flag.get_help().map(ToString::to_string).unwrap_or_default();
        Some(Candidate::new(format!("--{}", flag.get_long()?), help))
    };
    shown.filter_map(flag).collect()
}

/// What the value of an argument may be, which the name of the value tells.
fn values(arg: &Arg) -> Vec<Source> {
    let possible = arg.get_possible_values();
    if !possible.is_empty() {
        let help = |value: &clap::builder::PossibleValue| {
            value.get_help().map(ToString::to_string).unwrap_or_default()
        };
        let words = possible.iter().map(|value| Candidate::new(value.get_name(), help(value)));
        return vec![Source::Words(words.collect())];
    }
    let name =
        arg.get_value_names().and_then(|names| names.first()).map_or("", |name| name.as_str());
    match (name, arg.get_value_hint()) {
        ("UNIT", ValueHint::AnyPath) => vec![Source::Units, Source::Files],
        ("UNIT", _) => vec![Source::Units],
        ("ID", _) => vec![Source::Machines],
        ("MACHINE|UNIT", _) => vec![Source::Machines, Source::Units],
        ("PATH" | "FILE" | "SOCKET", _) => vec![Source::Files],
        ("BOOL", _) => {
            vec![Source::Words(["true", "false"].map(|word| Candidate::new(word, "")).to_vec())]
        }
        _ => Vec::new(),
    }
}
