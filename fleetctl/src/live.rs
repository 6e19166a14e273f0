//! Lists that follow what happens, until somebody has seen enough.
//!
//! fleetd's stream of changes says when to ask for the list again; 1.0 is asked now and then. On a
//! terminal the list is drawn over itself; elsewhere each new state of it is printed once.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep_until};

use crate::client::Client;
use crate::commands::warnings;
use crate::error::{CommandError, chain};
use crate::list::{Listed, View, text};
use crate::table::Column;
use crate::terminal::{Size, clipped, harmless};
use crate::ui::Ui;

/// The shortest time from a list to the next.
const PAUSE: Duration = Duration::from_millis(200);

/// A list that takes long to get is asked for so many times more seldom.
const RARITY: u32 = 5;

/// How soon a list that could not be had is asked for again.
const RETRY: Duration = Duration::from_secs(1);

/// Shows a list anew whenever something changes; only a signal or an error ends it.
///
/// # Errors
///
/// Fails if there is no list to begin with. What goes wrong later is told and tried again.
pub(crate) async fn follow<C: Column>(
    view: &View<C>,
    client: &Client<'_>,
    ui: &Ui,
    ask: impl AsyncFn(&View<C>) -> Result<Listed<C::Row>, CommandError>,
) -> Result<(), CommandError> {
    let mut interrupt = caught(SignalKind::interrupt())?;
    let mut terminate = caught(SignalKind::terminate())?;
    let screen = Screen::new(view, ui);
    let draws = screen.draws;
    let by_signal = tokio::select! {
        ended = changes(screen, client, ask) => return ended,
        _ = interrupt.recv() => SignalKind::interrupt(),
        _ = terminate.recv() => SignalKind::terminate(),
    };
    if draws {
        // The terminal has shown ^C where the prompt is to be.
        ui.line("")?;
    }
    let code = 128 + by_signal.as_raw_value();
    Err(CommandError::program(u8::try_from(code).unwrap_or(u8::MAX)))
}

async fn changes<C: Column>(
    mut screen: Screen<'_, C>,
    client: &Client<'_>,
    ask: impl AsyncFn(&View<C>) -> Result<Listed<C::Row>, CommandError>,
) -> Result<(), CommandError> {
    let mut resized = caught(SignalKind::window_change())?;
    let mut watch = client.watch_all().await?;
    let mut earliest = Instant::now();
    let mut due: Option<Instant> = None;
    loop {
        tokio::select! {
            changed = watch.changed() => match changed {
                Ok(()) => due = due.or(Some(earliest)),
                Err(error) => screen.complain(error.into())?,
            },
            _ = resized.recv() => screen.redraw()?,
            () = sleep_until(due.unwrap_or(earliest)), if due.is_some() => {
                let begun = Instant::now();
                due = match ask(screen.view).await {
                    Ok(listed) => screen.show(listed).map(|()| None)?,
                    Err(error) => screen.complain(error).map(|()| Some(begun + RETRY))?,
                };
                earliest = Instant::now() + PAUSE.max(begun.elapsed() * RARITY);
            }
        }
    }
}

fn caught(kind: SignalKind) -> Result<Signal, CommandError> {
    signal(kind).map_err(|error| CommandError::doing("Error waiting for signals", error))
}

/// What is shown, and what of it stands there already.
struct Screen<'a, C: Column> {
    view: &'a View<C>,
    ui: &'a Ui,
    /// Whether it is drawn over itself.
    draws: bool,
    /// None before the first list.
    rows: Option<Vec<C::Row>>,
    warnings: Vec<String>,
    /// Why the list may be old.
    trouble: Option<String>,
    /// Lines of the table that were printed last.
    printed: Option<Vec<String>>,
    /// Lines that stand on the terminal.
    drawn: usize,
}

impl<'a, C: Column> Screen<'a, C> {
    fn new(view: &'a View<C>, ui: &'a Ui) -> Self {
        Self {
            view,
            ui,
            draws: ui.terminal().redraws() && !view.is_json(),
            rows: None,
            warnings: Vec::new(),
            trouble: None,
            printed: None,
            drawn: 0,
        }
    }

    fn show(&mut self, listed: Listed<C::Row>) -> Result<(), CommandError> {
        self.rows = Some(self.view.chosen(listed.rows));
        self.trouble = None;
        let warnings = warnings(&listed.health);
        if self.draws {
            self.warnings = warnings;
            return self.draw();
        }
        if warnings != self.warnings {
            warnings.iter().for_each(|warning| self.ui.note(warning));
            self.warnings = warnings;
        }
        self.print()
    }

    fn complain(&mut self, error: CommandError) -> Result<(), CommandError> {
        if self.rows.is_none() {
            return Err(error);
        }
        let trouble = format!("{}; trying again", chain(&error));
        if self.trouble.replace(trouble.clone()).as_ref() == Some(&trouble) {
            return Ok(());
        }
        if self.draws {
            return self.draw();
        }
        self.ui.note(&trouble);
        Ok(())
    }

    /// Draws on a terminal whose lines may all have moved.
    fn redraw(&mut self) -> Result<(), CommandError> {
        if self.draws {
            self.drawn = 0;
            self.ui.data("\x1b[H\x1b[2J")?;
            self.draw()?;
        }
        Ok(())
    }

    fn draw(&mut self) -> Result<(), CommandError> {
        let Some(rows) = &self.rows else { return Ok(()) };
        let size = Size::of(std::io::stdout());
        let lines = self.view.lines(rows, Some(size.columns));
        let notes: Vec<&str> =
            self.warnings.iter().chain(&self.trouble).map(String::as_str).collect();
        let lines = frame(lines, &notes, size);
        let drawn = std::mem::replace(&mut self.drawn, lines.len());
        Ok(self.ui.data(&over(drawn, &lines))?)
    }

    fn print(&mut self) -> Result<(), CommandError> {
        let Some(rows) = &self.rows else { return Ok(()) };
        let lines = self.view.lines(rows, None);
        if self.printed.as_ref() == Some(&lines) {
            return Ok(());
        }
        let gap = if self.printed.is_some() && !self.view.is_json() { "\n" } else { "" };
        self.ui.data(&format!("{gap}{}", text(&lines)))?;
        self.printed = Some(lines);
        Ok(())
    }
}

/// Cuts a table and what is to be said below it to what a terminal can show, but for the line of the
/// cursor.
fn frame(mut lines: Vec<String>, notes: &[&str], size: Size) -> Vec<String> {
    let height = size.rows.saturating_sub(1).max(1);
    let room = height.saturating_sub(notes.len());
    if lines.len() > room {
        let left = lines.len() - room.saturating_sub(1);
        lines.truncate(room.saturating_sub(1));
        lines.push(clipped(&format!("... {left} more"), size.columns));
    }
    lines.extend(notes.iter().map(|note| clipped(&harmless(note), size.columns)));
    lines.truncate(height);
    lines
}

/// Draws lines over so many that stand above the cursor.
fn over(drawn: usize, lines: &[String]) -> String {
    let up = if drawn == 0 { String::new() } else { format!("\x1b[{drawn}A") };
    // Cleared before: after a line as wide as the terminal that would take its last character.
    let lines: String = lines.iter().flat_map(|line| ["\x1b[K", line.as_str(), "\n"]).collect();
    format!("{up}\r{lines}\x1b[J")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(count: usize) -> Vec<String> {
        (1..=count).map(|line| format!("line {line}")).collect()
    }

    fn framed(count: usize, notes: &[&str], rows: usize) -> String {
        frame(lines(count), notes, Size { columns: 10, rows }).join("|")
    }

    #[test]
    fn a_table_leaves_the_last_line_of_the_terminal_free() {
        assert_eq!(framed(3, &[], 4), "line 1|line 2|line 3");
        assert_eq!(framed(3, &[], 3), "line 1|... 2 more");
        assert_eq!(framed(30, &[], 4), "line 1|line 2|... 28 mo\u{2026}");
    }

    #[test]
    fn what_is_wrong_stands_below_the_table_and_is_not_cut_off() {
        assert_eq!(framed(2, &["fleet is away"], 24), "line 1|line 2|fleet is \u{2026}");
        assert_eq!(framed(9, &["away"], 4), "line 1|... 8 more|away");
        assert_eq!(framed(9, &["away"], 2), "... 9 more");
        assert_eq!(framed(0, &["away"], 1), "away");
    }

    #[test]
    fn a_table_is_drawn_over_the_last_one_and_nothing_of_that_is_left() {
        assert_eq!(over(0, &lines(1)), "\r\u{1b}[Kline 1\n\u{1b}[J");
        assert_eq!(over(3, &lines(1)), "\u{1b}[3A\r\u{1b}[Kline 1\n\u{1b}[J");
    }
}
