//! Several programs whose lines come as they are written, each under its machine's name.

use std::os::unix::process::ExitStatusExt;
use std::pin::Pin;
use std::process::{ExitStatus, Stdio};

use futures_util::stream::{self, Stream, StreamExt};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};

use super::{cannot_run, code, ended};
use crate::error::CommandError;
use crate::ui::Ui;

/// A program and the machine that it runs on.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    /// The machine, as people know it.
    pub(crate) machine: String,
    /// Its words.
    pub(crate) line: Vec<String>,
}

/// What a program has to say.
enum News {
    Line(String),
    Ended(u8),
}

type Source = Pin<Box<dyn Stream<Item = Result<(String, News), CommandError>>>>;

/// Runs programs at once and prints their lines, until all have ended or a signal ends us. The first
/// that does not end well counts.
pub(super) async fn follow(programs: Vec<Program>, ui: &Ui) -> Result<(), CommandError> {
    let sources: Result<Vec<Source>, CommandError> = programs.into_iter().map(source).collect();
    let mut news = stream::select_all(sources?);
    let no_signal = |error| CommandError::doing("Error waiting for signals", error);
    let mut interrupt = signal(SignalKind::interrupt()).map_err(no_signal)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(no_signal)?;
    let mut worst = 0;
    loop {
        let next = tokio::select! {
            next = news.next() => next.transpose()?,
            // Dropping the programs ends them.
            _ = interrupt.recv() => return ended(signalled(SignalKind::interrupt())),
            _ = terminate.recv() => return ended(signalled(SignalKind::terminate())),
        };
        match next {
            Some((machine, News::Line(line))) => ui.line(&format!("{machine}: {line}"))?,
            Some((_, News::Ended(code))) => worst = if worst == 0 { code } else { worst },
            None => return ended(worst),
        }
    }
}

fn signalled(signal: SignalKind) -> u8 {
    code(ExitStatus::from_raw(signal.as_raw_value()))
}

/// Starts a program and gives its lines, then its end.
fn source(program: Program) -> Result<Source, CommandError> {
    let Program { machine, line } = program;
    let Some((name, arguments)) = line.split_first() else {
        return Ok(Box::pin(stream::empty()));
    };
    let mut command = Command::new(name);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| cannot_run(&line, error))?;
    let Some(stdout) = child.stdout.take() else { return Ok(Box::pin(stream::empty())) };
    let lines = BufReader::new(stdout).split(b'\n');
    let state = Some((lines, child));
    let news = stream::unfold(state, |state| async {
        let (mut lines, mut child) = state?;
        match lines.next_segment().await {
            Ok(Some(line)) => {
                let line = News::Line(String::from_utf8_lossy(&line).into_owned());
                Some((Ok(line), Some((lines, child))))
            }
            Ok(None) | Err(_) => Some((end(&mut child).await, None)),
        }
    });
    Ok(Box::pin(news.map(move |news| news.map(|news| (machine.clone(), news)))))
}

async fn end(child: &mut Child) -> Result<News, CommandError> {
    let status = child.wait().await;
    let status =
        status.map_err(|error| CommandError::doing("Error waiting for a program", error))?;
    Ok(News::Ended(code(status)))
}
