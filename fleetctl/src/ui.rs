//! The only way out: data goes to standard output, everything else to standard error.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io::{self, Write};

use serde::Serialize;

use crate::terminal::{Size, Terminal, clipped, harmless};

/// Where a command's words go.
pub struct Ui {
    out: RefCell<Box<dyn Write>>,
    err: RefCell<Box<dyn Write>>,
    /// Whether somebody watches standard error while the command runs.
    watched: bool,
    /// What standard output is.
    terminal: Terminal,
    debug: Cell<bool>,
    /// Whether a progress line stands unfinished on the terminal.
    unfinished: Cell<bool>,
    /// Why results could not be written, if that was so.
    unwritten: RefCell<Option<io::Error>>,
}

impl fmt::Debug for Ui {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ui").field("watched", &self.watched).finish_non_exhaustive()
    }
}

impl Ui {
    /// Writes to these two; `watched` says that `err` is a terminal.
    pub fn new(out: Box<dyn Write>, err: Box<dyn Write>, watched: bool) -> Self {
        Self {
            out: RefCell::new(out),
            err: RefCell::new(err),
            watched,
            terminal: Terminal::default(),
            debug: Cell::new(false),
            unfinished: Cell::new(false),
            unwritten: RefCell::new(None),
        }
    }

    /// Says what standard output is; without it, nothing that could be drawn on.
    #[must_use]
    pub fn on(self, terminal: Terminal) -> Self {
        Self { terminal, ..self }
    }

    /// What standard output is.
    pub(crate) const fn terminal(&self) -> Terminal {
        self.terminal
    }

    /// Turns the lines of [`Ui::debug`] on or off.
    pub(crate) fn set_debug(&self, debug: bool) {
        self.debug.set(debug);
    }

    /// Writes data that ends as it ends.
    pub(crate) fn data(&self, text: &str) -> io::Result<()> {
        self.clear_progress();
        let mut out = self.out.borrow_mut();
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    /// Writes one line of data.
    pub(crate) fn line(&self, text: &str) -> io::Result<()> {
        self.data(&format!("{text}\n"))
    }

    /// Tells what has become of something that was to be changed. The rest is to be changed even if
    /// nobody can read that: the error waits for [`Ui::unwritten`].
    pub(crate) fn result(&self, text: &str) {
        if let Err(error) = self.line(&harmless_lines(text)) {
            self.unwritten.borrow_mut().get_or_insert(error);
        }
    }

    /// Takes the first error that results met.
    pub(crate) fn unwritten(&self) -> Option<io::Error> {
        self.unwritten.take()
    }

    /// Writes data for programs.
    pub(crate) fn json(&self, value: &impl Serialize) -> io::Result<()> {
        let text = serde_json::to_string_pretty(value).map_err(io::Error::other)?;
        self.line(&text)
    }

    /// Tells the operator something that is not data.
    pub fn note(&self, text: &str) {
        self.clear_progress();
        self.tell(&format!("{}\n", harmless_lines(text)));
    }

    /// Says what is being waited for, if somebody watches; the next words replace it.
    pub(crate) fn progress(&self, text: &str) {
        if self.watched {
            // A line that wraps could not be taken away.
            let text = clipped(&harmless(text), Size::of(io::stderr()).columns - 1);
            self.tell(&format!("\r\x1b[K{text}"));
            self.unfinished.set(true);
        }
    }

    /// Takes the progress line away.
    pub(crate) fn clear_progress(&self) {
        if self.unfinished.replace(false) {
            self.tell("\r\x1b[K");
        }
    }

    /// Tells what goes on inside, when asked to with `--debug`.
    pub(crate) fn debug(&self, text: fmt::Arguments<'_>) {
        if self.debug.get() {
            self.note(&format!("DEBUG {text}"));
        }
    }

    // With standard error gone nobody is left who could be told about it.
    fn tell(&self, text: &str) {
        let mut err = self.err.borrow_mut();
        if err.write_all(text.as_bytes()).is_ok() {
            err.flush().ok();
        }
    }
}

/// Leaves nothing but line breaks that could command the terminal.
fn harmless_lines(text: &str) -> String {
    text.split('\n').map(harmless).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Rc<RefCell<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_others_wrote_does_not_command_the_terminal() {
        let err = Written::default();
        let ui = Ui::new(Box::new(io::sink()), Box::new(err.clone()), true);
        ui.progress("a \x1b[2J\nb");
        ui.note("first\n  \x1b]0;title\x07second");
        let told = String::from_utf8(err.0.borrow().clone()).unwrap();
        assert_eq!(told, "\r\x1b[Ka  [2J b\r\x1b[Kfirst\n   ]0;title second\n");
    }
}
