//! The folder of the state file, held by one daemon at a time.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::predecessor;

/// The folder, locked until this is dropped or the process ends, however it ends.
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    _lock: File,
}

/// Why the folder cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum StateDirError {
    /// Another daemon has it.
    #[error(
        "state directory {} is locked by another vswitchd: stop that one, or choose another with --state-dir",
        path.display()
    )]
    Locked {
        /// The folder.
        path: PathBuf,
    },
    /// It cannot be made or written.
    #[error("cannot use state directory {}: {source}", path.display())]
    Io {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// The file whose lock stands for the folder's; it holds the process id of who has the lock. The state
/// file itself comes by renaming, and a lock would stay behind.
const LOCK: &str = "lock";

/// Whether the process that has the lock can do nothing any more but give it up.
fn holder_is_ending(path: &Path) -> bool {
    let text = fs::read_to_string(path.join(LOCK)).unwrap_or_default();
    text.parse().is_ok_and(predecessor::is_ending)
}

impl StateDir {
    /// Makes the folder if it is not there, for the owner's eyes only, and locks it. A daemon that was
    /// killed is waited for until it is gone.
    ///
    /// # Errors
    /// [`StateDirError`].
    pub fn lock(path: &Path) -> Result<Self, StateDirError> {
        predecessor::outlast(
            || Self::try_lock(path),
            |error| matches!(error, StateDirError::Locked { .. }),
            || holder_is_ending(path),
        )
    }

    fn try_lock(path: &Path) -> Result<Self, StateDirError> {
        let failed = |source| StateDirError::Io {
            path: path.to_owned(),
            source,
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(failed)?;
        let mut lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.join(LOCK))
            .map_err(failed)?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {
                let mut name_holder = || {
                    lock.set_len(0)?;
                    lock.write_all(std::process::id().to_string().as_bytes())
                };
                // The name only helps a successor to be patient; it need not fit on a full disk.
                if let Err(error) = name_holder() {
                    tracing::debug!("cannot write the lock's holder: {error}");
                }
                Ok(Self {
                    path: path.to_owned(),
                    _lock: lock,
                })
            }
            Err(Errno::WOULDBLOCK) => Err(StateDirError::Locked {
                path: path.to_owned(),
            }),
            Err(errno) => Err(failed(errno.into())),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_daemon_at_a_time() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("a/b");
        let first = StateDir::lock(&path).unwrap();
        assert_eq!(first.path(), path);
        let error = StateDir::lock(&path).unwrap_err();
        assert!(matches!(error, StateDirError::Locked { .. }), "{error}");
        assert!(error.to_string().contains(path.to_str().unwrap()));
        drop(first);
        StateDir::lock(&path).unwrap();
    }

    #[test]
    fn a_file_in_its_place_is_told() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = StateDir::lock(file.path()).unwrap_err().to_string();
        assert!(error.contains(file.path().to_str().unwrap()), "{error}");
    }
}
