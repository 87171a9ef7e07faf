//! Network namespaces: handles, identity, and running code inside one.

mod named;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::{process, thread};

use rustix::fs::{Mode, OFlags};
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space};

pub use named::{NamedNetns, NetnsName, NetnsNameError};

/// A network namespace, kept alive by this handle.
#[derive(Debug)]
pub struct Netns {
    fd: OwnedFd,
    id: NetnsId,
}

/// What tells one namespace from another: equal for all handles of the same one, for as long as it lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetnsId {
    /// Device number of the kernel's `nsfs`.
    pub dev: u64,
    /// Inode number, the one in `net:[4026531840]`. Used again after the namespace died.
    pub ino: u64,
}

/// Why a namespace could not be made, opened or entered.
#[derive(Debug, thiserror::Error)]
pub enum NetnsError {
    /// No process has that number.
    #[error("no process {pid}: it has ended, or runs in another PID namespace")]
    NoProcess {
        /// The number.
        pid: u32,
    },
    /// There is a file, but no namespace is mounted on it.
    #[error("{} is not a network namespace: nothing is mounted on that file", path.display())]
    NotANamespace {
        /// The file.
        path: PathBuf,
    },
    /// A namespace of that name is there.
    #[error(
        "a namespace named {name} exists already: choose another name or delete it: ip netns delete {name}"
    )]
    Exists {
        /// The name.
        name: NetnsName,
    },
    /// No namespace has that name.
    #[error("no namespace named {name}: ip netns list shows those there are")]
    NotFound {
        /// The name.
        name: NetnsName,
    },
    /// No privilege.
    #[error("cannot {action}: needs CAP_SYS_ADMIN: run as root")]
    NotPermitted {
        /// What was tried.
        action: String,
    },
    /// Anything else.
    #[error("cannot {action}: {source}")]
    Io {
        /// What was tried.
        action: String,
        /// What the kernel said.
        source: io::Error,
    },
}

impl Netns {
    /// Makes a namespace without a name. It holds a loopback interface, which is down.
    ///
    /// # Errors
    /// [`NetnsError::NotPermitted`] without CAP_SYS_ADMIN.
    pub fn create() -> Result<Self, NetnsError> {
        on_new_thread(|| {
            unshare_network().map_err(|e| NetnsError::new("make a network namespace", e))?;
            Self::of_current_thread()
        })?
    }

    /// Opens the namespace that is mounted on a file, such as `/run/netns/NAME`, `/proc/PID/ns/net` or
    /// the sandbox key of a container.
    ///
    /// # Errors
    /// [`NetnsError::NotANamespace`] for an ordinary file, else [`NetnsError::Io`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, NetnsError> {
        let path = path.as_ref();
        Self::open_file(path)
            .map_err(|e| NetnsError::new(format!("open namespace {}", path.display()), e))?
            .ok_or_else(|| NetnsError::NotANamespace {
                path: path.to_owned(),
            })
    }

    /// The namespace of a process (of its first thread).
    ///
    /// # Errors
    /// [`NetnsError::NoProcess`] if there is none.
    pub fn of_pid(pid: u32) -> Result<Self, NetnsError> {
        match Self::open(format!("/proc/{pid}/ns/net")) {
            Err(NetnsError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Err(NetnsError::NoProcess { pid })
            }
            other => other,
        }
    }

    /// The namespace that the calling thread is in.
    ///
    /// # Errors
    /// [`NetnsError::Io`] if `/proc` is not mounted.
    pub fn of_current_thread() -> Result<Self, NetnsError> {
        // Not /proc/self: that is the process's first thread, which may be elsewhere.
        Self::open("/proc/thread-self/ns/net")
    }

    /// Which namespace this is.
    #[must_use]
    pub const fn id(&self) -> NetnsId {
        self.id
    }

    /// Runs a closure inside the namespace, and returns its result.
    ///
    /// The calling thread is there only while the closure runs, and other threads never are. Sockets, TAPs and netlink
    /// handles that the closure opens stay in the namespace.
    ///
    /// # Errors
    /// [`NetnsError::NotPermitted`] without CAP_SYS_ADMIN.
    pub fn run<T>(&self, closure: impl FnOnce() -> T) -> Result<T, NetnsError> {
        let home = Self::of_current_thread()?;
        self.enter()
            .map_err(|e| NetnsError::new("enter a network namespace", e))?;
        let _home = Home(home);
        Ok(closure())
    }

    fn enter(&self) -> io::Result<()> {
        let network = Some(LinkNameSpaceType::Network);
        Ok(move_into_link_name_space(self.fd.as_fd(), network)?)
    }

    /// `None` if the file is not of the kernel's namespace file system.
    fn open_file(path: &Path) -> io::Result<Option<Self>> {
        // A named pipe would be waited for.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let fd = rustix::fs::open(path, flags, Mode::empty())?;
        // A file below /run/netns that lost its mount opens as well, and must not pass for one.
        if rustix::fs::fstatfs(&fd)?.f_type != libc::NSFS_MAGIC {
            return Ok(None);
        }
        let stat = rustix::fs::fstat(&fd)?;
        Ok(Some(Self {
            fd,
            id: NetnsId {
                dev: stat.st_dev,
                ino: stat.st_ino,
            },
        }))
    }
}

impl AsFd for Netns {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Where the calling thread is to be again in the end, even if a closure panics.
struct Home(Netns);

impl Drop for Home {
    fn drop(&mut self) {
        // It worked once, with the same rights. A thread that stayed would do to a container what is meant for the host.
        if self.0.enter().is_err() {
            process::abort();
        }
    }
}

/// The processes whose first thread is in a namespace, in ascending order.
///
/// Processes that end while `/proc` is read, and those the caller may not look at, are left out.
///
/// # Errors
/// Only if `/proc` cannot be listed.
pub fn processes_in(id: NetnsId) -> io::Result<Vec<u32>> {
    let mut pids = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let Ok(stat) = rustix::fs::stat(format!("/proc/{pid}/ns/net")) else {
            continue;
        };
        if (NetnsId {
            dev: stat.st_dev,
            ino: stat.st_ino,
        }) == id
        {
            pids.push(pid);
        }
    }
    pids.sort_unstable();
    Ok(pids)
}

impl NetnsError {
    fn new(action: impl Into<String>, source: io::Error) -> Self {
        let action = action.into();
        match source.kind() {
            io::ErrorKind::PermissionDenied => Self::NotPermitted { action },
            _ => Self::Io { action, source },
        }
    }
}

/// Runs a closure on a thread of its own, whose namespace nobody else depends on.
fn on_new_thread<T: Send>(closure: impl FnOnce() -> T + Send) -> Result<T, NetnsError> {
    thread::scope(|scope| {
        let thread = thread::Builder::new()
            .name("netns".to_owned())
            .spawn_scoped(scope, closure)
            .map_err(|e| NetnsError::new("start a thread", e))?;
        Ok(thread.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })
}

/// Moves the calling thread to a new network namespace.
fn unshare_network() -> io::Result<()> {
    // SAFETY: only CLONE_FILES could hurt (descriptors of one thread unknown to another); this call
    // leaves the table of descriptors shared.
    Ok(unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNET) }?)
}
