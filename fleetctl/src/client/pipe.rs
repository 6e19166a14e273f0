//! A connection to fleet that is the input and output of a program.

use std::io;
use std::pin::Pin;
use std::process::Stdio;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

use super::endpoint::Endpoint;

/// A program that leads to fleet's API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pipe {
    /// The words that run it.
    pub(crate) line: Vec<String>,
    /// What it leads to, as seen from its far end.
    pub(crate) far: Box<Endpoint>,
    /// The machine at the far end.
    pub(crate) through: String,
}

/// The program while it runs; it ends with the connection.
#[derive(Debug)]
pub(super) struct Piped {
    input: ChildStdin,
    output: ChildStdout,
    errors: ChildStderr,
    /// Whether it has said nothing at all so far: then its end is a failure to connect.
    mute: bool,
    /// What it has said on standard error.
    said: Vec<u8>,
    _program: Child,
}

impl Pipe {
    /// Runs the program.
    pub(super) fn connect(&self) -> io::Result<Piped> {
        let Some((program, arguments)) = self.line.split_first() else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.kill_on_drop(true).spawn();
        // Told as it is, an error would be taken for fleet's.
        let cannot = |error| io::Error::other(format!("cannot run {program}: {error}"));
        let mut child = child.map_err(cannot)?;
        match (child.stdin.take(), child.stdout.take(), child.stderr.take()) {
            (Some(input), Some(output), Some(errors)) => {
                let (mute, said) = (true, Vec::new());
                Ok(Piped { input, output, errors, mute, said, _program: child })
            }
            _ => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }
}

impl Piped {
    /// Gives the program's last words as the error that they are.
    fn poll_blame(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let mut space = [0; 512];
        loop {
            let mut buffer = ReadBuf::new(&mut space);
            let read = ready!(Pin::new(&mut self.errors).poll_read(cx, &mut buffer));
            if read.is_err() || buffer.filled().is_empty() {
                return Poll::Ready(blame(&self.said));
            }
            self.said.extend_from_slice(buffer.filled());
        }
    }
}

impl AsyncRead for Piped {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.output).poll_read(cx, buffer))?;
        if buffer.filled().len() == before && buffer.remaining() > 0 && this.mute {
            return this.poll_blame(cx).map(Err);
        }
        this.mute = false;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Piped {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match ready!(Pin::new(&mut this.input).poll_write(cx, bytes)) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe && this.mute => {
                this.poll_blame(cx).map(Err)
            }
            written => Poll::Ready(written),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().input).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().input).poll_shutdown(cx)
    }
}

/// Makes one sentence of what a program has said.
fn blame(said: &[u8]) -> io::Error {
    let said = String::from_utf8_lossy(said);
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if lines.is_empty() {
        return io::Error::other("it was closed before there was an answer");
    }
    io::Error::other(lines.join("; "))
}
