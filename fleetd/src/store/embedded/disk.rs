//! The database file: written before anything is answered, read when it is opened.

use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use redb::backends::InMemoryBackend;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use uuid::Uuid;

use super::super::{ClusterId, Event, KeyValue, LeaseId, Revision};
use super::model::{Contents, FIRST_REVISION, LeaseStep, Step};

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

/// Everything is in memory as well, so that redb need not keep much.
const CACHE_BYTES: usize = 1024 * 1024;

/// Where a database is.
#[derive(Clone, Debug)]
pub(super) enum Place {
    File(PathBuf),
    Memory,
    /// A file whose operations fail as often as the number says.
    #[cfg(test)]
    Faulty(PathBuf, super::tests::Faults),
}

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
    #[error("a store in memory cannot be opened again")]
    Lost,
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

/// The open database.
#[derive(Debug)]
pub(super) struct Disk(Database);

impl Disk {
    /// Opens a database, creating it if there is none.
    pub(super) fn open(place: &Place) -> Result<(Self, ClusterId, Contents), DiskError> {
        let disk = Self(open(place)?);
        let (format, cluster) = disk.prepare()?;
        if format != FORMAT_NUMBER {
            return Err(DiskError::Format(format));
        }
        let contents = disk.read()?;
        Ok((disk, cluster, contents))
    }

    /// Writes a step; it is on the disk when this returns.
    pub(super) fn write(&self, step: &Step) -> Result<(), redb::Error> {
        let transaction = self.0.begin_write()?;
        {
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
            match step.lease {
                Some(LeaseStep::Granted(lease, ttl)) => {
                    leases.insert(lease.0, u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX))?;
                }
                Some(LeaseStep::Removed(lease)) => {
                    leases.remove(lease.0)?;
                }
                None => {}
            }
            transaction.open_table(META)?.insert(REVISION, step.revision.0.cast_unsigned())?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// Fills a new database; tells format and identity of any.
    fn prepare(&self) -> Result<(u64, ClusterId), redb::Error> {
        let transaction = self.0.begin_write()?;
        let mut meta = transaction.open_table(META)?;
        let format = meta.get(FORMAT)?.map(|format| format.value());
        if let Some(format) = format {
            let cluster = meta.get(CLUSTER)?.map_or(0, |cluster| cluster.value());
            return Ok((format, ClusterId(cluster)));
        }
        let (cluster, _) = Uuid::new_v4().as_u64_pair();
        meta.insert(FORMAT, FORMAT_NUMBER)?;
        meta.insert(CLUSTER, cluster)?;
        meta.insert(REVISION, FIRST_REVISION.0.cast_unsigned())?;
        drop(meta);
        transaction.open_table(KEYS)?;
        transaction.open_table(LEASES)?;
        transaction.commit()?;
        Ok((FORMAT_NUMBER, ClusterId(cluster)))
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

const fn is_full(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

/// What redb says of a file that is none of its own, or ends too early.
const fn is_damage(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::InvalidData | ErrorKind::UnexpectedEof)
}

fn open(place: &Place) -> Result<Database, redb::Error> {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES);
    Ok(match place {
        Place::File(path) => builder.create_file(file(path)?)?,
        Place::Memory => builder.create_with_backend(InMemoryBackend::new())?,
        #[cfg(test)]
        Place::Faulty(path, faults) => {
            builder.create_with_backend(super::tests::FaultyFile::new(file(path)?, faults)?)?
        }
    })
}

fn file(path: &Path) -> Result<File, redb::Error> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(directory).map_err(redb::Error::Io)?;
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    // Unit files may hold secrets.
    let file = options.mode(0o600).open(path).map_err(redb::Error::Io)?;
    // What is synced into a file is lost with its name.
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(redb::Error::Io)?;
    Ok(file)
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
