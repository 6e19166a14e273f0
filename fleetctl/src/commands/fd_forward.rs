//! `fleetctl fd-forward`

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::thread;

use crate::error::CommandError;

/// Join standard input and output to a unix socket, for tunnels
///
/// Ends when the other side of the socket closes it. The end of standard input is passed on.
#[derive(Debug, clap::Args)]
pub(crate) struct FdForwardArgs {
    /// Path of the socket
    #[arg(value_name = "SOCKET")]
    socket: PathBuf,
}

/// Copies in both directions. Blocks, as there is nothing else to do.
pub(crate) fn fd_forward(args: &FdForwardArgs) -> Result<(), CommandError> {
    let failed = |error: io::Error| CommandError::doing("Failed forwarding", error);
    let mut socket = UnixStream::connect(&args.socket).map_err(|error| {
        let socket = args.socket.display();
        CommandError::doing(format!("Failed dialing remote address: unix {socket}"), error)
    })?;
    let mut far = socket.try_clone().map_err(failed)?;
    // Not through the standard handles: they hold bytes back until a line ends.
    let mut input = duplicate(io::stdin().as_fd()).map_err(failed)?;
    let mut output = duplicate(io::stdout().as_fd()).map_err(failed)?;
    // Ends with the process: it may wait for input for as long as the other side likes.
    thread::spawn(move || {
        if copy(&mut input, &mut far).is_err() {
            // Nobody takes what comes, but what is on its way back still counts.
            return;
        }
        far.shutdown(Shutdown::Write).ok();
    });
    match copy(&mut socket, &mut output) {
        Err(error) if error.kind() != io::ErrorKind::ConnectionReset => Err(error.into()),
        _ => Ok(()),
    }
}

/// Copies what is there as soon as it is. `io::copy` leaves that to the kernel, which between a
/// socket and a pipe may keep bytes back until there are more.
fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut space = vec![0; 64 * 1024];
    loop {
        match from.read(&mut space) {
            Ok(0) => return Ok(()),
            Ok(read) => to.write_all(&space[..read])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn duplicate(fd: BorrowedFd<'_>) -> io::Result<File> {
    Ok(File::from(fd.try_clone_to_owned()?))
}
