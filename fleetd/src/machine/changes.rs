//! Changes of the host's addresses and routes, told by the kernel: nobody has to look every minute.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recv, socket_with};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::sleep;

/// `RTMGRP_IPV4_IFADDR` and `RTMGRP_IPV4_ROUTE` of rtnetlink(7): what the published address comes
/// from.
const GROUPS: u32 = 0x10 | 0x40;

/// An address seldom changes alone: its route follows.
const SETTLING: Duration = Duration::from_millis(200);

/// The kernel's messages; only that there are any counts.
#[derive(Debug)]
pub struct AddressChanges(AsyncFd<OwnedFd>);

impl AddressChanges {
    /// Begins to listen.
    ///
    /// # Errors
    ///
    /// If the kernel, or the sandbox around us, does not allow it.
    #[expect(deprecated, reason = "its successor is unsafe, and asks for what an OwnedFd is")]
    pub fn listen() -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        // Of the protocols of netlink the first, 0, tells of routes.
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
        bind(&socket, &SocketAddrNetlink::new(0, GROUPS))?;
        Ok(Self(AsyncFd::with_interest(socket, Interest::READABLE)?))
    }

    /// Waits until something has changed and a moment has passed without more.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    ///
    /// If there will be no more messages.
    pub async fn next(&mut self) -> io::Result<()> {
        let mut guard = self.0.readable().await?;
        sleep(SETTLING).await;
        let mut message = [0_u8; 8192];
        loop {
            match recv(guard.get_inner(), &mut message, RecvFlags::DONTWAIT) {
                // With NOBUFS messages were lost: something has changed, which is enough.
                Ok(_) | Err(Errno::NOBUFS | Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                Err(error) => return Err(error.into()),
            }
        }
        guard.clear_ready();
        Ok(())
    }
}
