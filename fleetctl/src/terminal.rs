//! The terminal that somebody looks at: what it can do, its size, and what is drawn on it.

use std::os::fd::AsFd;

use rustix::termios::tcgetwinsize;

/// What a stream can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terminal {
    /// Whether what was written can be written over.
    redraws: bool,
    /// Whether somebody wants colours there.
    colours: bool,
}

/// Columns and rows of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) columns: usize,
    pub(crate) rows: usize,
}

/// When lists are coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum When {
    /// On a terminal, unless NO_COLOR, CLICOLOR=0 or TERM=dumb say otherwise
    #[default]
    Auto,
    /// Always, in files and pipes, too
    Always,
    /// Never
    Never,
}

/// How a cell is to strike the eye. Most are not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tone {
    /// As it is.
    #[default]
    Plain,
    /// The name of a column.
    Heading,
    /// Somebody has to look at this.
    Bad,
    /// This will be different soon.
    Busy,
    /// This is as somebody left it.
    Faint,
}

impl Terminal {
    /// Judges a stream by what it is and by the environment.
    #[must_use]
    pub fn of(is_terminal: bool, environment: &dyn Fn(&str) -> Option<String>) -> Self {
        let given = |name| environment(name).filter(|value| !value.is_empty());
        let redraws = is_terminal && given("TERM").is_some_and(|term| term != "dumb");
        let unwanted =
            given("NO_COLOR").is_some() || given("CLICOLOR").is_some_and(|value| value == "0");
        Self { redraws, colours: redraws && !unwanted }
    }

    /// Whether what was written can be written over.
    #[must_use]
    pub const fn redraws(self) -> bool {
        self.redraws
    }

    /// Whether to write colours.
    pub(crate) const fn coloured(self, when: When) -> bool {
        match when {
            When::Auto => self.colours,
            When::Always => true,
            When::Never => false,
        }
    }
}

impl Size {
    /// The size of a terminal; that of old ones, where it tells none.
    pub(crate) fn of(stream: impl AsFd) -> Self {
        let told = tcgetwinsize(stream).ok().filter(|size| size.ws_col > 0 && size.ws_row > 0);
        told.map_or(Self { columns: 80, rows: 24 }, |size| Self {
            columns: size.ws_col.into(),
            rows: size.ws_row.into(),
        })
    }
}

/// Colours a text.
pub(crate) fn painted(text: &str, tone: Tone) -> String {
    let code = match tone {
        Tone::Plain => return text.to_owned(),
        Tone::Heading => "1",
        Tone::Bad => "31",
        Tone::Busy => "33",
        Tone::Faint => "2",
    };
    format!("\x1b[{code}m{text}\x1b[0m")
}

/// Cuts a text so that it takes no more than `width` columns, and shows that it was cut.
pub(crate) fn clipped(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    if width == 0 { kept } else { format!("{kept}\u{2026}") }
}

/// Makes one line of what others have written, which must not command the terminal.
pub(crate) fn harmless(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(is_terminal: bool, environment: &[(&str, &str)]) -> (bool, bool) {
        let value = |name: &str| {
            let found = environment.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let terminal = Terminal::of(is_terminal, &value);
        (terminal.redraws, terminal.coloured(When::Auto))
    }

    #[test]
    fn colours_are_for_terminals_whose_owners_do_not_refuse_them() {
        let xterm = ("TERM", "xterm");
        for (is_terminal, environment, expected) in [
            (true, &[xterm][..], (true, true)),
            (false, &[xterm], (false, false)),
            (true, &[("TERM", "dumb")], (false, false)),
            (true, &[], (false, false)),
            (true, &[xterm, ("NO_COLOR", "1")], (true, false)),
            (true, &[xterm, ("NO_COLOR", "")], (true, true)),
            (true, &[xterm, ("CLICOLOR", "0")], (true, false)),
            (true, &[xterm, ("CLICOLOR", "1")], (true, true)),
        ] {
            assert_eq!(judged(is_terminal, environment), expected, "{environment:?}");
        }
    }

    #[test]
    fn a_flag_has_the_last_word_on_colours() {
        let plain = Terminal::default();
        let colourful = Terminal { redraws: true, colours: true };
        assert!(plain.coloured(When::Always));
        assert!(!colourful.coloured(When::Never));
    }

    #[test]
    fn what_is_too_wide_is_cut_visibly() {
        let cut = [0, 1, 5, 6].map(|width| clipped("\u{e4}bcdef", width));
        assert_eq!(cut, ["", "\u{2026}", "\u{e4}bcd\u{2026}", "\u{e4}bcdef"]);
    }
}
