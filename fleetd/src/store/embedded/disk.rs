//! The database: written before anything is answered, read when it is opened.

use std::io::ErrorKind;
use std::time::Duration;

use redb::{Database, ReadableDatabase, ReadableTable, Table, TableDefinition, WriteTransaction};
use uuid::Uuid;

use super::super::{ClusterId, Event, KeyValue, LeaseId, Revision};
use super::model::{Contents, FIRST_REVISION, LeaseStep, Step};
use super::place::Place;

/// Create revision, mod revision, lease (0: none), value.
type Record = (i64, i64, i64, &'static [u8]);

const KEYS: TableDefinition<'_, &str, Record> = TableDefinition::new("keys");
/// Time to live in milliseconds.
const LEASES: TableDefinition<'_, i64, u64> = TableDefinition::new("leases");
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");

const FORMAT: &str = "format";
const CLUSTER: &str = "cluster";
const REVISION: &str = "revision";

/// The layout of the tables above.
const FORMAT_NUMBER: u64 = 1;

/// Why a database cannot be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub(super) enum DiskError {
    #[error("another process has it open: two fleetd cannot share it")]
    InUse,
    #[error("its file system is mounted read-only")]
    ReadOnly,
    #[error("its disk is full: make room")]
    Full,
    #[error("it is damaged: put a backup in its place, or move it away to begin with none")]
    Damaged(#[source] Box<redb::Error>),
    #[error(transparent)]
    Database(Box<redb::Error>),
    #[error("its format is {0}, of another version of fleet: install that one again")]
    Format(u64),
    #[error("its last operation did not end")]
    Interrupted,
}

impl From<redb::Error> for DiskError {
    fn from(error: redb::Error) -> Self {
        use redb::Error;
        match &error {
            Error::DatabaseAlreadyOpen => Self::InUse,
            Error::Io(io) if io.kind() == ErrorKind::ReadOnlyFilesystem => Self::ReadOnly,
            Error::Io(io) if is_full(io.kind()) => Self::Full,
            Error::Io(io) if is_damage(io.kind()) => Self::Damaged(Box::new(error)),
            Error::Corrupted(_)
            | Error::RepairAborted
            | Error::UpgradeRequired(_)
            | Error::TableTypeMismatch { .. }
            | Error::TypeDefinitionChanged { .. } => Self::Damaged(Box::new(error)),
            _ => Self::Database(Box::new(error)),
        }
    }
}

const fn is_full(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

/// What redb says of a file that is none of its own, or ends too early.
const fn is_damage(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::InvalidData | ErrorKind::UnexpectedEof)
}

/// The open database.
#[derive(Debug)]
pub(super) struct Disk(Database);

impl Disk {
    /// Opens a database; `None` if there is none.
    pub(super) fn open(place: &Place) -> Result<Option<(Self, ClusterId, Contents)>, DiskError> {
        let Some(database) = place.open()? else { return Ok(None) };
        let disk = Self(database);
        let (format, cluster) = disk.identity()?;
        if format != FORMAT_NUMBER {
            return Err(DiskError::Format(format));
        }
        let contents = disk.read()?;
        Ok(Some((disk, cluster, contents)))
    }

    /// Makes a database that holds nothing.
    pub(super) fn create(place: &Place) -> Result<(Self, ClusterId, Contents), DiskError> {
        let (random, _) = Uuid::new_v4().as_u64_pair();
        let cluster = ClusterId(random);
        let contents = Contents { revision: FIRST_REVISION, ..Contents::default() };
        Ok((Self::replace(place, cluster, &contents)?, cluster, contents))
    }

    /// Makes a database of what is known, in the place of one that failed or was never there.
    pub(super) fn replace(
        place: &Place,
        cluster: ClusterId,
        contents: &Contents,
    ) -> Result<Self, DiskError> {
        let new = place.replace(|new| {
            let transaction = new.begin_write()?;
            fill(&transaction, cluster, contents)?;
            Ok(transaction.commit()?)
        })?;
        Ok(Self(new))
    }

    /// Writes steps together; they are on the disk when this returns.
    pub(super) fn write(&self, steps: &[Step]) -> Result<(), redb::Error> {
        let transaction = self.0.begin_write()?;
        for step in steps {
            let mut keys = transaction.open_table(KEYS)?;
            for event in &step.events {
                match event {
                    Event::Put(entry) => {
                        keys.insert(entry.key.as_str(), record(entry))?;
                    }
                    Event::Delete { key, .. } => {
                        keys.remove(key.as_str())?;
                    }
                }
            }
            let mut leases = transaction.open_table(LEASES)?;
            for lease in &step.leases {
                match lease {
                    LeaseStep::Granted(lease, ttl) => insert_lease(&mut leases, *lease, *ttl)?,
                    LeaseStep::Removed(lease) => {
                        leases.remove(lease.0)?;
                    }
                }
            }
            transaction.open_table(META)?.insert(REVISION, step.revision.0.cast_unsigned())?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// Format of the tables, and whose they are.
    fn identity(&self) -> Result<(u64, ClusterId), redb::Error> {
        let meta = self.0.begin_read()?.open_table(META)?;
        let number =
            |name| Ok::<_, redb::Error>(meta.get(name)?.map_or(0, |number| number.value()));
        let format = number(FORMAT)?;
        Ok((format, ClusterId(number(CLUSTER)?)))
    }

    fn read(&self) -> Result<Contents, redb::Error> {
        let transaction = self.0.begin_read()?;
        let revision = transaction.open_table(META)?.get(REVISION)?;
        let mut contents = Contents {
            revision: revision
                .map_or(FIRST_REVISION, |stored| Revision(stored.value().cast_signed())),
            ..Contents::default()
        };
        for row in transaction.open_table(KEYS)?.iter()? {
            let (key, record) = row?;
            let entry = key_value(key.value(), record.value());
            contents.keys.insert(entry.key.clone(), entry);
        }
        for row in transaction.open_table(LEASES)?.iter()? {
            let (lease, ttl) = row?;
            contents.leases.insert(LeaseId(lease.value()), Duration::from_millis(ttl.value()));
        }
        Ok(contents)
    }
}

/// Writes everything into a database that is empty.
fn fill(
    transaction: &WriteTransaction,
    cluster: ClusterId,
    contents: &Contents,
) -> Result<(), redb::Error> {
    let mut meta = transaction.open_table(META)?;
    meta.insert(FORMAT, FORMAT_NUMBER)?;
    meta.insert(CLUSTER, cluster.0)?;
    meta.insert(REVISION, contents.revision.0.cast_unsigned())?;
    let mut keys = transaction.open_table(KEYS)?;
    for entry in contents.keys.values() {
        keys.insert(entry.key.as_str(), record(entry))?;
    }
    let mut leases = transaction.open_table(LEASES)?;
    for (lease, ttl) in &contents.leases {
        insert_lease(&mut leases, *lease, *ttl)?;
    }
    Ok(())
}

fn insert_lease(
    leases: &mut Table<'_, i64, u64>,
    lease: LeaseId,
    ttl: Duration,
) -> Result<(), redb::Error> {
    leases.insert(lease.0, u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX))?;
    Ok(())
}

fn record(entry: &KeyValue) -> (i64, i64, i64, &[u8]) {
    let lease = entry.lease.map_or(0, |lease| lease.0);
    (entry.create_revision.0, entry.mod_revision.0, lease, &entry.value)
}

fn key_value(key: &str, record: (i64, i64, i64, &[u8])) -> KeyValue {
    let (create_revision, mod_revision, lease, value) = record;
    KeyValue {
        key: key.to_owned(),
        value: value.to_vec(),
        create_revision: Revision(create_revision),
        mod_revision: Revision(mod_revision),
        lease: (lease != 0).then_some(LeaseId(lease)),
    }
}
