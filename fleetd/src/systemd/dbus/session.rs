//! One connection to systemd, from its making to its loss.

use std::num::NonZeroUsize;
use std::path::Path;

use tracing::info;
use zbus::fdo::DBusProxy;
use zbus::names::{BusName, WellKnownName};
use zbus::proxy::CacheProperties;
use zbus::{Connection, MessageStream, OwnedObjectPath, connection};

use super::super::SystemdError;
use super::call::{DEADLINE, Question};
use super::proxy::{JobProxy, ManagerProxy, UnitProxy};
use super::{Bus, private, signal};

/// Messages that zbus holds for the reader. A full queue holds up answers as well; the reader
/// never waits for one, so this only evens out bursts.
const QUEUED: NonZeroUsize = NonZeroUsize::new(1024).expect("is not zero");

/// A connection on which systemd's signals arrive.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) manager: ManagerProxy<'static>,
    /// Whose signals are systemd's.
    pub(super) owner: String,
    connection: Connection,
}

impl Session {
    /// Connects and asks for signals; they come through the stream, in the order they were sent.
    pub(super) async fn open(bus: Bus) -> Result<(Self, MessageStream), SystemdError> {
        Question::new("connect to", bus.name()).answered_within(DEADLINE, Self::connect(bus)).await
    }

    async fn connect(bus: Bus) -> zbus::Result<(Self, MessageStream)> {
        if let Some(socket) = private_socket(bus).filter(|socket| socket.exists()) {
            match Self::connect_directly(socket).await {
                Ok(made) => return Ok(made),
                Err(error) => info!(%error, "Asking systemd over the bus"),
            }
        }
        let builder = match bus {
            Bus::System | Bus::SystemShared => connection::Builder::system(),
            Bus::User => connection::Builder::session(),
        };
        Self::connect_over_bus(builder).await
    }

    /// The way of systemctl: nobody is in between, and systemd need not ask the bus who calls and
    /// watch whether the caller stays, which is most of what a start of a unit costs it.
    async fn connect_directly(socket: &Path) -> zbus::Result<(Self, MessageStream)> {
        let connection = private::open(socket).await?.max_queued(QUEUED).build().await?;
        let manager = manager(&connection).await?;
        let messages = MessageStream::from(&connection);
        manager.subscribe().await?;
        Ok((Self { manager, owner: private::OWNER.to_owned(), connection }, messages))
    }

    async fn connect_over_bus(
        builder: connection::Builder<'_>,
    ) -> zbus::Result<(Self, MessageStream)> {
        let connection = builder.max_queued(QUEUED).build().await?;
        let manager = manager(&connection).await?;
        let bus = DBusProxy::new(&connection).await?;
        for rule in signal::rules()? {
            bus.add_match_rule(rule).await?;
        }
        manager.subscribe().await?;
        // The stream comes first: from here on another owner does not go unnoticed.
        let messages = MessageStream::from(&connection);
        let name = BusName::from(WellKnownName::try_from(signal::SYSTEMD)?);
        let owner = bus.get_name_owner(name).await?.to_string();
        Ok((Self { manager, owner, connection }, messages))
    }

    pub(super) async fn unit(&self, path: OwnedObjectPath) -> zbus::Result<UnitProxy<'static>> {
        UnitProxy::builder(&self.connection)
            .path(path)
            .cache_properties(CacheProperties::No)
            .build()
            .await
    }

    pub(super) async fn job(&self, path: OwnedObjectPath) -> zbus::Result<JobProxy<'static>> {
        JobProxy::builder(&self.connection)
            .path(path)
            .cache_properties(CacheProperties::No)
            .build()
            .await
    }

    /// Breaks the connection as a restart of the bus does.
    #[cfg(test)]
    #[cfg(feature = "real-systemd")]
    pub(super) async fn close(self) {
        self.connection.close().await.unwrap();
    }
}

async fn manager(connection: &Connection) -> zbus::Result<ManagerProxy<'static>> {
    ManagerProxy::builder(connection).cache_properties(CacheProperties::No).build().await
}

/// Where systemd takes calls beside the bus.
fn private_socket(bus: Bus) -> Option<&'static Path> {
    match bus {
        Bus::System => Some(Path::new("/run/systemd/private")),
        Bus::SystemShared | Bus::User => None,
    }
}
