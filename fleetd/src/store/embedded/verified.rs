//! A database that redb checks whenever it is opened.
//!
//! redb takes what it wrote while it closed a database in order for sound, and panics if it is not.
//! Of a database that was not closed it verifies all checksums, and says what is wrong.

use std::io;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};

use redb::{BackendError, StorageBackend};

/// Where in the file redb's flags are: in the byte after its magic number.
const FLAGS: u64 = 9;
/// It was not closed in order.
const RECOVERY_REQUIRED: u8 = 2;
/// What was written while it was closed may be used.
const TWO_PHASE_COMMIT: u8 = 4;

/// A file that seems not to have been closed in order.
#[derive(Debug)]
pub(super) struct Verified<B> {
    backend: B,
    /// From then on redb reads what it has written.
    is_written: AtomicBool,
}

impl<B: StorageBackend> Verified<B> {
    pub(super) const fn new(backend: B) -> Self {
        Self { backend, is_written: AtomicBool::new(false) }
    }
}

impl<B: StorageBackend> StorageBackend for Verified<B> {
    fn len(&self) -> io::Result<u64> {
        self.backend.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.backend.read(offset, out)?;
        let flags = FLAGS.checked_sub(offset).and_then(|index| usize::try_from(index).ok());
        if let Some(flags) = flags.and_then(|index| out.get_mut(index))
            && !self.is_written.load(Ordering::Relaxed)
        {
            *flags = (*flags | RECOVERY_REQUIRED) & !TWO_PHASE_COMMIT;
        }
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.backend.set_len(length)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.backend.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        if offset <= FLAGS {
            self.is_written.store(true, Ordering::Relaxed);
        }
        self.backend.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.backend.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.backend.try_lock_range(start, end)
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.backend.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.backend.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.backend.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.backend.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.backend.query_lock_range(start, end)
    }
}
