//! A machine whose disk fails and whose power goes: what was not synced is lost, kept or torn.

use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use redb::StorageBackend;

/// What a disk writes at once.
const SECTOR: usize = 512;

/// A machine with one database on its disk.
#[derive(Clone, Debug, Default)]
pub(super) struct Machine(Arc<State>);

#[derive(Debug, Default)]
struct State {
    file: Mutex<Option<Arc<Mutex<Bytes>>>>,
    failing: AtomicU32,
    failing_syncs: AtomicU32,
    syncs: AtomicU32,
    /// Whether syncs wait until the disk answers again.
    hanging: Mutex<bool>,
    answers: Condvar,
    /// Operations until the power goes, if it does.
    power: Mutex<Option<u32>>,
}

/// An operation that no sync has followed yet.
#[derive(Clone, Debug)]
enum Operation {
    Write(usize, Vec<u8>),
    SetLength(usize),
}

#[derive(Debug, Default)]
struct Bytes {
    /// As a process reads it.
    cached: Vec<u8>,
    /// As it is after a loss of power, if nothing of the rest has come through.
    durable: Vec<u8>,
    pending: Vec<Operation>,
}

/// A file of the machine.
#[derive(Clone, Debug)]
pub(super) struct SimulatedFile {
    machine: Machine,
    bytes: Arc<Mutex<Bytes>>,
}

impl Operation {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write(offset, data) => {
                let end = offset + data.len();
                bytes.resize(bytes.len().max(end), 0);
                bytes[*offset..end].copy_from_slice(data);
            }
            Self::SetLength(length) => bytes.resize(*length, 0),
        }
    }

    /// What a loss of power leaves of it.
    fn leave(&self, bytes: &mut Vec<u8>, mut chance: impl FnMut() -> bool) {
        match self {
            Self::Write(offset, data) => {
                for (index, sector) in data.chunks(SECTOR).enumerate() {
                    if chance() {
                        let part = Self::Write(offset + index * SECTOR, sector.to_vec());
                        part.apply(bytes);
                    }
                }
            }
            Self::SetLength(_) => {
                if chance() {
                    self.apply(bytes);
                }
            }
        }
    }
}

impl Machine {
    /// The database, if there is one.
    pub(super) fn file(&self) -> Option<SimulatedFile> {
        let bytes = self.0.file.lock().unwrap().clone()?;
        Some(SimulatedFile { machine: self.clone(), bytes })
    }

    /// An empty file beside it.
    pub(super) fn new_file(&self) -> SimulatedFile {
        SimulatedFile { machine: self.clone(), bytes: Arc::default() }
    }

    /// Gives a file the place of the database, durably.
    pub(super) fn rename(&self, file: SimulatedFile) -> Result<(), redb::Error> {
        self.operate().map_err(redb::Error::Io)?;
        *self.0.file.lock().unwrap() = Some(file.bytes);
        Ok(())
    }

    /// Lets so many of the next writes and syncs fail for want of room.
    pub(super) fn fail(&self, operations: u32) {
        self.0.failing.store(operations, Ordering::SeqCst);
    }

    /// Lets the next syncs fail as they do on Linux: what they should have written reads well until
    /// the power goes, and no later sync writes it.
    pub(super) fn fail_syncs(&self, syncs: u32) {
        self.0.failing_syncs.store(syncs, Ordering::SeqCst);
    }

    /// Lets the next syncs hang until [`Machine::answer`].
    pub(super) fn hang(&self) {
        *self.0.hanging.lock().unwrap() = true;
    }

    /// Lets the disk answer again.
    pub(super) fn answer(&self) {
        *self.0.hanging.lock().unwrap() = false;
        self.0.answers.notify_all();
    }

    /// How many syncs there were.
    pub(super) fn syncs(&self) -> u32 {
        self.0.syncs.load(Ordering::SeqCst)
    }

    /// Lets the power go after so many operations.
    pub(super) fn lose_power_after(&self, operations: u32) {
        *self.0.power.lock().unwrap() = Some(operations);
    }

    /// The machine after a loss of power. Each sector that was not synced is there if `chance` says
    /// so, whatever the order in which they were written.
    pub(super) fn after_power_loss(&self, mut chance: impl FnMut() -> bool) -> Self {
        let machine = Self::default();
        if let Some(file) = self.file() {
            let bytes = file.bytes.lock().unwrap();
            let mut durable = bytes.durable.clone();
            bytes.pending.iter().for_each(|operation| operation.leave(&mut durable, &mut chance));
            let after = Bytes { cached: durable.clone(), durable, pending: Vec::new() };
            *machine.0.file.lock().unwrap() = Some(Arc::new(Mutex::new(after)));
        }
        machine
    }

    fn operate(&self) -> io::Result<()> {
        if let Some(left) = self.0.power.lock().unwrap().as_mut() {
            match left.checked_sub(1) {
                Some(fewer) => *left = fewer,
                None => return Err(ErrorKind::BrokenPipe.into()),
            }
        }
        if take(&self.0.failing) { Err(ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

/// Takes one off a number, unless it is 0.
fn take(number: &AtomicU32) -> bool {
    number.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

impl SimulatedFile {
    fn operate(&self) -> io::Result<()> {
        self.machine.operate()
    }

    fn note(&self, operation: Operation) -> io::Result<()> {
        self.operate()?;
        let mut bytes = self.bytes.lock().unwrap();
        operation.apply(&mut bytes.cached);
        bytes.pending.push(operation);
        Ok(())
    }
}

impl StorageBackend for SimulatedFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.bytes.lock().unwrap().cached.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let bytes = self.bytes.lock().unwrap();
        let offset = usize::try_from(offset).unwrap();
        let found = bytes.cached.get(offset..offset + out.len());
        out.copy_from_slice(found.ok_or(ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.note(Operation::SetLength(usize::try_from(length).unwrap()))
    }

    fn sync_data(&self) -> io::Result<()> {
        let state = &self.machine.0;
        let hanging = state.hanging.lock().unwrap();
        drop(state.answers.wait_while(hanging, |hanging| *hanging).unwrap());
        self.operate()?;
        let mut bytes = self.bytes.lock().unwrap();
        let pending = std::mem::take(&mut bytes.pending);
        self.machine.0.syncs.fetch_add(1, Ordering::SeqCst);
        if take(&self.machine.0.failing_syncs) {
            return Err(io::Error::other("the disk does not answer"));
        }
        pending.iter().for_each(|operation| operation.apply(&mut bytes.durable));
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.note(Operation::Write(usize::try_from(offset).unwrap(), data.to_vec()))
    }
}
