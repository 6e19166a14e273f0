//! The socket on which systemd takes calls without a bus in between, as systemctl makes them.
//!
//! systemd puts its well-known name into the sender field of what it sends there. A sender is a
//! unique name (D-Bus specification, "Message Protocol", header fields), so zbus refuses such a
//! message. The reading half therefore takes whole messages and makes that name a unique one of the
//! same length on their way in: [`OWNER`].

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;

use async_trait::async_trait;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use zbus::Guid;
use zbus::connection::Builder;
use zbus::connection::socket::{ReadHalf, Socket, Split, WriteHalf};

/// What is read as the sender of systemd's messages.
pub(super) const OWNER: &str = ":rg.freedesktop.systemd1";

/// A message is no larger, in bytes (D-Bus specification, "Message Format").
const LARGEST: usize = 128 << 20;

/// Of a message's header that has a fixed length, in bytes; the array of fields follows.
const FIXED: usize = 16;

/// The header field with the sender's name.
const SENDER: u8 = 7;

/// A connection to be made over the socket, past its handshake.
pub(super) async fn open(path: &Path) -> zbus::Result<Builder<'static>> {
    let (reader, mut writer) = UnixStream::connect(path).await?.into_split();
    let mut reader = BufReader::new(reader);
    let user = rustix::process::geteuid().as_raw().to_string();
    let user: String = user.bytes().map(|byte| format!("{byte:02x}")).collect();
    writer.write_all(format!("\0AUTH EXTERNAL {user}\r\nBEGIN\r\n").as_bytes()).await?;
    let mut answer = String::new();
    reader.read_line(&mut answer).await?;
    let guid = answer.strip_prefix("OK ").map(str::trim).ok_or_else(|| {
        zbus::Error::Handshake(format!("systemd answers {:?} on {}", answer.trim(), path.display()))
    })?;
    let guid = Guid::try_from(guid)?.to_owned();
    let inbound = Inbound { reader, message: Vec::new(), taken: 0 };
    Ok(Builder::authenticated_socket(Private { inbound, outbound: Outbound(writer) }, guid).p2p())
}

#[derive(Debug)]
struct Private {
    inbound: Inbound,
    outbound: Outbound,
}

impl Socket for Private {
    type ReadHalf = Inbound;
    type WriteHalf = Outbound;

    fn split(self) -> Split<Inbound, Outbound> {
        Split::new(self.inbound, self.outbound)
    }
}

#[derive(Debug)]
struct Inbound {
    reader: BufReader<OwnedReadHalf>,
    /// The message that is being handed over.
    message: Vec<u8>,
    /// How much of it has been.
    taken: usize,
}

impl Inbound {
    /// Reads one message whole. Not cancel safe.
    async fn next(&mut self) -> io::Result<()> {
        self.taken = 0;
        self.message.clear();
        self.message.resize(FIXED, 0);
        self.reader.read_exact(&mut self.message).await?;
        let length =
            length(&self.message).filter(|length| *length <= LARGEST).ok_or_else(|| {
                io::Error::new(io::ErrorKind::InvalidData, "systemd sent a message without end")
            })?;
        self.message.resize(length, 0);
        self.reader.read_exact(self.message.get_mut(FIXED..).unwrap_or_default()).await?;
        make_sender_unique(&mut self.message);
        Ok(())
    }
}

#[async_trait]
impl ReadHalf for Inbound {
    async fn recvmsg(&mut self, buffer: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
        if self.taken == self.message.len() {
            self.next().await?;
        }
        let mut left = self.message.get(self.taken..).unwrap_or_default();
        let read = io::Read::read(&mut left, buffer)?;
        self.taken += read;
        // systemd sends descriptors in answers to calls that fleet does not make.
        Ok((read, Vec::new()))
    }
}

#[derive(Debug)]
struct Outbound(OwnedWriteHalf);

#[async_trait]
impl WriteHalf for Outbound {
    async fn sendmsg(&mut self, buffer: &[u8], _: &[BorrowedFd<'_>]) -> io::Result<usize> {
        self.0.write(buffer).await
    }

    async fn close(&mut self) -> io::Result<()> {
        self.0.shutdown().await
    }
}

/// How many bytes the message has that begins like this.
fn length(message: &[u8]) -> Option<usize> {
    let (body, fields) = (number(message, 4)?, number(message, 12)?);
    FIXED.checked_add(fields.checked_next_multiple_of(8)?)?.checked_add(body)
}

/// Turns a sender that is no unique name into one of the same length. A message that makes no
/// sense stays as it is: zbus says so.
fn make_sender_unique(message: &mut [u8]) {
    if let Some(first) = sender(message).and_then(|at| message.get_mut(at)) {
        *first = b':';
    }
}

/// Where in a message the name of its sender begins, if it has one.
fn sender(message: &[u8]) -> Option<usize> {
    let end = FIXED.checked_add(number(message, 12)?)?;
    let mut at = FIXED;
    while at < end {
        at = at.checked_next_multiple_of(8)?;
        // A field is its code and a variant: the length of a signature, the signature, NUL, value.
        let (code, kind) = (*message.get(at)?, *message.get(at + 2)?);
        at += 4;
        at = match kind {
            b's' | b'o' if code == SENDER => return (number(message, at)? > 0).then_some(at + 4),
            b's' | b'o' => at.checked_add(number(message, at)?)?.checked_add(5)?,
            b'g' => at + 2 + usize::from(*message.get(at)?),
            b'u' => at + 4,
            _ => return None,
        };
    }
    None
}

/// The number of 32 bits at a place, in the byte order that the message names first.
fn number(message: &[u8], at: usize) -> Option<usize> {
    let bytes = message.get(at..at.checked_add(4)?)?.try_into().ok()?;
    let number = match message.first()? {
        b'l' => u32::from_le_bytes(bytes),
        b'B' => u32::from_be_bytes(bytes),
        _ => return None,
    };
    usize::try_from(number).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use zbus::Message;

    use super::*;

    /// A message as a peer with this name would send it; systemd's has as many letters.
    fn from(sender: &str) -> Vec<u8> {
        let message = Message::signal("/org/freedesktop/systemd1", "org.a.B", "Happened")
            .sender(sender)
            .build(&("of", 3))
            .unwrap();
        message.data().to_vec()
    }

    #[test]
    fn a_message_of_systemd_gets_a_sender_that_zbus_takes_and_keeps_all_else() {
        let expected = from(OWNER);
        let mut message = expected.clone();
        let at = sender(&message).unwrap();
        message[at] = b'o';
        assert!(String::from_utf8_lossy(&message).contains("\0org.freedesktop.systemd1\0"));

        make_sender_unique(&mut message);

        assert_eq!(message, expected);
        assert_eq!(length(&message), Some(message.len()));
    }

    #[test]
    fn a_message_without_a_sender_stays_as_it_is() {
        let message = Message::signal("/a", "org.a.B", "Happened").build(&()).unwrap();
        let mut bytes = message.data().to_vec();

        make_sender_unique(&mut bytes);

        assert_eq!(bytes, message.data().to_vec());
    }

    proptest! {
        #[test]
        fn bytes_without_sense_keep_their_length_and_all_but_one_of_them(
            order in prop::sample::select(vec![b'l', b'B', b'x']),
            rest in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let bytes = [vec![order], rest].concat();
            let mut message = bytes.clone();
            make_sender_unique(&mut message);
            prop_assert_eq!(message.len(), bytes.len());
            let changed = message.iter().zip(&bytes).filter(|(new, old)| new != old);
            prop_assert!(changed.clone().count() <= 1 && changed.clone().all(|(new, _)| *new == b':'));
        }
    }
}
