//! Namespaces with a name below `/run/netns`, interchangeable with those of `ip netns`.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use rustix::mount::{
    MountPropagationFlags, UnmountFlags, mount_bind, mount_bind_recursive, mount_change, unmount,
};

use super::{Netns, NetnsError};

/// A namespace that is mounted on a file below `/run/netns`, and so outlives every process.
#[derive(Debug)]
pub struct NamedNetns {
    /// The file's name.
    pub name: NetnsName,
    /// The namespace.
    pub netns: Netns,
}

/// A file name: 1 to 255 bytes, without `/` or zero, neither `.` nor `..`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetnsName(String);

/// The text cannot be the name of a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} cannot name a namespace: 1 to 255 bytes without '/', and neither '.' nor '..'")]
pub struct NetnsNameError {
    /// The text.
    pub name: String,
}

/// Where `ip netns` (iproute2) keeps its namespaces.
const DIRECTORY: &str = "/run/netns";

impl NamedNetns {
    /// Makes a namespace and mounts it on a new file, as `ip netns add` does.
    ///
    /// Nothing is left behind on failure.
    ///
    /// # Errors
    /// [`NetnsError::Exists`] if the file is there, [`NetnsError::NotPermitted`].
    pub fn create(name: NetnsName) -> Result<Self, NetnsError> {
        prepare_directory()
            .map_err(|e| NetnsError::new(format!("make {DIRECTORY} a shared mount"), e))?;
        let path = name.path();
        let place = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o000)
            .open(&path);
        if let Err(e) = place {
            return Err(match e.kind() {
                io::ErrorKind::AlreadyExists => NetnsError::Exists { name },
                _ => NetnsError::new(format!("create {}", path.display()), e),
            });
        }
        match Self::mount_new(&path) {
            Ok(netns) => Ok(Self { name, netns }),
            Err(error) => {
                // The first error is the one to report; an empty file is all that could stay.
                let _ = fs::remove_file(&path);
                Err(error)
            }
        }
    }

    /// Opens a namespace by name.
    ///
    /// # Errors
    /// [`NetnsError::NotFound`], or [`NetnsError::NotANamespace`] if only an empty file is left.
    pub fn open(name: NetnsName) -> Result<Self, NetnsError> {
        match Netns::open(name.path()) {
            Ok(netns) => Ok(Self { name, netns }),
            Err(NetnsError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Err(NetnsError::NotFound { name })
            }
            Err(error) => Err(error),
        }
    }

    /// Takes the name away. The namespace dies with its last process, socket and handle.
    ///
    /// # Errors
    /// [`NetnsError::NotFound`] if there is no such file.
    pub fn delete(name: &NetnsName) -> Result<(), NetnsError> {
        let path = name.path();
        match unmount(&path, UnmountFlags::DETACH) {
            // EINVAL: nothing is mounted, as after a failed creation. The file still has to go.
            Ok(()) | Err(Errno::INVAL) => {}
            Err(Errno::NOENT) => return Err(NetnsError::NotFound { name: name.clone() }),
            Err(e) => {
                return Err(NetnsError::new(
                    format!("unmount {}", path.display()),
                    e.into(),
                ));
            }
        }
        fs::remove_file(&path).map_err(|e| NetnsError::new(format!("remove {}", path.display()), e))
    }

    /// The names below `/run/netns`, sorted; empty if the folder is not there.
    ///
    /// Includes files that lost their mount: [`NamedNetns::open`] tells.
    ///
    /// # Errors
    /// [`NetnsError::Io`] if the folder cannot be read.
    pub fn list() -> Result<Vec<NetnsName>, NetnsError> {
        let read = || -> io::Result<Vec<NetnsName>> {
            let mut names = Vec::new();
            for entry in fs::read_dir(DIRECTORY)? {
                // `ip netns` makes UTF-8 names as good as always; others are not ours.
                names.extend(
                    entry?
                        .file_name()
                        .to_str()
                        .and_then(|name| name.parse().ok()),
                );
            }
            names.sort_unstable();
            Ok(names)
        };
        match read() {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            other => other.map_err(|e| NetnsError::new(format!("list {DIRECTORY}"), e)),
        }
    }

    fn mount_new(path: &Path) -> Result<Netns, NetnsError> {
        let netns = Netns::create()?;
        let source = format!("/proc/thread-self/fd/{}", netns.as_fd().as_raw_fd());
        mount_bind(source, path).map_err(|e| {
            NetnsError::new(format!("mount a namespace on {}", path.display()), e.into())
        })?;
        Ok(netns)
    }
}

impl NetnsName {
    /// The file that the namespace is mounted on.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        Path::new(DIRECTORY).join(&self.0)
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for NetnsName {
    type Err = NetnsNameError;

    fn from_str(name: &str) -> Result<Self, NetnsNameError> {
        // NAME_MAX of every Linux file system that /run may be.
        let valid = (1..=255).contains(&name.len())
            && !name.contains(['/', '\0'])
            && !matches!(name, "." | "..");
        if valid {
            Ok(Self(name.to_owned()))
        } else {
            Err(NetnsNameError {
                name: name.to_owned(),
            })
        }
    }
}

impl fmt::Display for NetnsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for NetnsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Makes `/run/netns` a shared mount, so that names made and deleted here are seen in all mount namespaces
/// and none keeps a deleted namespace alive. The same steps as `netns_add` of iproute2, under the same lock.
fn prepare_directory() -> io::Result<()> {
    match DirBuilder::new().mode(0o755).create(DIRECTORY) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
        _ => {}
    }
    let lock = File::open(DIRECTORY)?;
    flock(&lock, FlockOperation::LockExclusive)?;
    let share = || {
        mount_change(
            DIRECTORY,
            MountPropagationFlags::SHARED | MountPropagationFlags::REC,
        )
    };
    match share() {
        // EINVAL: it is a folder, not a mount. A folder mounted on itself is one.
        Err(Errno::INVAL) => {
            mount_bind_recursive(DIRECTORY, DIRECTORY)?;
            share()?;
        }
        other => other?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_leave_the_folder_are_refused() {
        for name in ["", ".", "..", "a/b", "/", "a\0", &"x".repeat(256)] {
            assert!(name.parse::<NetnsName>().is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_name_is_a_file_below_run_netns() {
        let name: NetnsName = "blue".parse().unwrap();
        assert_eq!(name.path(), Path::new("/run/netns/blue"));
    }
}
