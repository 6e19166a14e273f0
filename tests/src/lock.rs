//! Who waits for whom: one testbed at a time makes or removes things, and tests have their clusters to
//! themselves.

use std::fs::File;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use crate::cluster::ClusterName;
use crate::error::Error;
use crate::{file, paths, ui};

/// Held until it is dropped, or its holder ends.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

/// Waits until no other testbed makes or removes things.
///
/// # Errors
///
/// The file of the lock cannot be made.
pub(crate) fn machine() -> Result<Lock, Error> {
    let path = Path::new(paths::LOCK);
    let file = File::create(path).map_err(file::at("make", path))?;
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        ui::say("Waiting for another testbed to finish");
        flock(&file, FlockOperation::LockExclusive)
            .map_err(|error| file::at("lock", path)(error.into()))?;
    }
    Ok(Lock { _file: file })
}

/// Keeps other tests away from clusters whose names begin with this one; at most seven letters.
///
/// # Errors
///
/// Other tests have them, or the name is too long.
pub(crate) fn tests(name: &ClusterName) -> Result<Lock, Error> {
    if name.to_string().len() > 7 {
        return Err(Error::LongName);
    }
    let path = format!("{}-{name}", paths::LOCK);
    let path = Path::new(&path);
    // Another person may have made it, whose file cannot be made anew.
    let file = File::open(path).or_else(|_| File::create(path)).map_err(file::at("make", path))?;
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        return Err(Error::Tested { cluster: name.to_string() });
    }
    Ok(Lock { _file: file })
}
