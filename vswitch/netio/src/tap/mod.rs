//! TAP interfaces: Ethernet frames of a container's interface, as super-frames, over several queues.

mod home;
mod ioctl;
mod steering;

pub use home::sent_from;
pub use steering::load_steering;

use std::io::{self, IoSlice};
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::InterfaceName;
use crate::netlink::{Netlink, NetlinkError};

/// A TAP interface and the queues of it that this process holds.
///
/// The interface lives until the last queue is closed, or for ever once [`Tap::set_persistent`] was
/// called. Frames go on arriving at the queues when the interface is moved to another namespace or
/// renamed; a queue opened in namespace A keeps A alive, not the namespace the interface is in now.
#[derive(Debug)]
pub struct Tap {
    /// The name at the time of opening.
    pub name: InterfaceName,
    /// The interface's index in the namespace it was opened in.
    pub index: u32,
    /// One per queue, in the kernel's order. Each may be served by another thread.
    pub queues: Vec<TapQueue>,
    /// What the kernel may leave for us to do.
    pub offloads: Offloads,
}

/// One queue of a TAP: frames the kernel sends are read, frames written are received by the kernel.
///
/// Each frame follows a `virtio_net_hdr` of [`VNET_HEADER_LEN`] bytes in native byte order. Calls
/// never block: `WouldBlock` says that no frame waits (read) or that the kernel has no room (write).
/// Once the interface is gone, by deletion or because its namespace died, every call fails with
/// `EBADFD`, and epoll reports `EPOLLERR` on the queue for ever (Linux 6.18): stop polling it.
#[derive(Debug)]
pub struct TapQueue(OwnedFd);

/// What a TAP's kernel side was told it may leave undone in frames it hands to us.
///
/// The setting belongs to the interface, not to the queue (`TUNSETOFFLOAD`). The write side needs no
/// permission: super-frames and partial checksums may always be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Offloads {
    /// Checksums may be partial (`VIRTIO_NET_HDR_F_NEEDS_CSUM`).
    pub checksum: bool,
    /// TCP super-frames of up to 64 KiB, with ECN, over IPv4 and IPv6.
    pub tcp_segmentation: bool,
    /// UDP super-frames (`VIRTIO_NET_HDR_GSO_UDP_L4`), Linux 6.2 and later.
    pub udp_segmentation: bool,
}

/// The length of the `virtio_net_hdr` before each frame, in bytes. Never changed from the kernel's default.
pub const VNET_HEADER_LEN: usize = 10;

/// The most queues an interface has (`MAX_TAP_QUEUES`, `drivers/net/tun.c`).
pub const MAX_QUEUES: usize = 256;

/// Why a TAP could not be opened or changed.
#[derive(Debug, thiserror::Error)]
pub enum TapError {
    /// The device node is not there.
    #[error("/dev/net/tun is missing: modprobe tun or create it: mknod /dev/net/tun c 10 200")]
    NoDevice,
    /// No privilege over the namespace.
    #[error("opening TAP {name} needs CAP_NET_ADMIN: run as root")]
    NotPermitted {
        /// The interface.
        name: InterfaceName,
    },
    /// Creation found an interface of that name.
    #[error(
        "an interface named {name} exists already: choose another name or delete it: ip link delete {name}"
    )]
    Exists {
        /// The interface.
        name: InterfaceName,
    },
    /// There is nothing to open again.
    #[error("no interface named {name} in this namespace")]
    NotFound {
        /// The interface.
        name: InterfaceName,
    },
    /// The interface was not made by [`Tap::create`].
    #[error("{name} is not a multi-queue TAP: delete it, or give the network another name")]
    NotATap {
        /// The interface.
        name: InterfaceName,
    },
    /// Frames would be shared with another process, each getting some.
    #[error("another process holds TAP {name}: stop it first")]
    Busy {
        /// The interface.
        name: InterfaceName,
    },
    /// More than [`MAX_QUEUES`].
    #[error("TAP {name} cannot have {queues} queues: the kernel allows 256")]
    TooManyQueues {
        /// The interface.
        name: InterfaceName,
        /// How many were asked for.
        queues: usize,
    },
    /// The interface could not be looked up.
    #[error("cannot look up TAP {name}: {source}")]
    LookUp {
        /// The interface.
        name: InterfaceName,
        /// What failed.
        source: NetlinkError,
    },
    /// Anything else.
    #[error("{call} failed on TAP {name}: {errno}")]
    Call {
        /// The interface.
        name: InterfaceName,
        /// The system call or ioctl.
        call: &'static str,
        /// Its error.
        errno: Errno,
    },
}

impl Tap {
    /// Makes a new TAP in the calling thread's namespace, down, without address, and gone when the
    /// last queue is closed.
    ///
    /// # Errors
    /// [`TapError::Exists`] if an interface has that name, [`TapError::NoDevice`],
    /// [`TapError::NotPermitted`], [`TapError::TooManyQueues`].
    pub fn create(name: &InterfaceName, queues: NonZeroUsize) -> Result<Self, TapError> {
        // IFF_TUN_EXCL turns "attach if it exists" into EBUSY, so no one else's interface is taken.
        let first = TapQueue::attach(name, ioctl::Attach::New).map_err(|error| match error {
            TapError::Call {
                errno: Errno::BUSY | Errno::EXIST,
                ..
            } => TapError::Exists { name: name.clone() },
            other => other,
        })?;
        Self::complete(name, first, queues)
    }

    /// Attaches to a persistent TAP that nobody holds, by its name in the calling thread's namespace.
    ///
    /// Addresses and routes are as they were; the carrier comes back. The queues pin the calling
    /// thread's namespace for as long as they are open.
    ///
    /// # Errors
    /// [`TapError::NotFound`], [`TapError::NotATap`] if it was not made by [`Tap::create`],
    /// [`TapError::Busy`] if a process has a queue open: the kernel would let us share the frames.
    pub fn reopen(name: &InterfaceName, queues: NonZeroUsize) -> Result<Self, TapError> {
        let not_found = || TapError::NotFound { name: name.clone() };
        let look_up = |source| TapError::LookUp {
            name: name.clone(),
            source,
        };
        let link = Netlink::open()
            .and_then(|mut netlink| netlink.link(name))
            .map_err(look_up)?;
        let link = link.ok_or_else(not_found)?;
        match link.tun {
            Some(tun) if tun.tap && tun.multi_queue && tun.vnet_header => {
                if tun.queues > 0 {
                    return Err(TapError::Busy { name: name.clone() });
                }
            }
            _ => return Err(TapError::NotATap { name: name.clone() }),
        }
        let first = TapQueue::attach(name, ioctl::Attach::Any)?;
        let tap = Self::complete(name, first, queues)?;
        // Deleted since the look-up? Then TUNSETIFF made a new one, which goes with our queues.
        if tap.index != link.index {
            return Err(not_found());
        }
        Ok(tap)
    }

    /// Whether the interface survives its queues, so that a daemon that is restarted finds it by name.
    ///
    /// While no queue is open its carrier is off, and addresses, routes and neighbours stay. It does not
    /// survive its namespace.
    ///
    /// # Errors
    /// [`TapError::Call`] with `EBADFD` if the interface is gone, or if all [`Tap::queues`] were taken out:
    /// [`TapQueue::set_persistent`] then is the way.
    pub fn set_persistent(&self, persistent: bool) -> Result<(), TapError> {
        let queue = self.queues.first().ok_or(Errno::BADFD);
        queue
            .and_then(|queue| ioctl::set_persistent(queue.as_fd(), persistent))
            .map_err(failed(&self.name, "TUNSETPERSIST"))
    }

    /// Adds the other queues to the first, and negotiates the offloads.
    fn complete(
        name: &InterfaceName,
        first: TapQueue,
        queues: NonZeroUsize,
    ) -> Result<Self, TapError> {
        if queues.get() > MAX_QUEUES {
            return Err(TapError::TooManyQueues {
                name: name.clone(),
                queues: queues.get(),
            });
        }
        let offloads = first
            .negotiate_offloads()
            .map_err(failed(name, "TUNSETOFFLOAD"))?;
        let index = interface_index(name).map_err(failed(name, "SIOCGIFINDEX"))?;
        let mut all = Vec::with_capacity(queues.get());
        all.push(first);
        while all.len() < queues.get() {
            all.push(TapQueue::attach(name, ioctl::Attach::Any)?);
        }
        if all.len() > 1 {
            steering::steer(all[0].as_fd());
        }
        Ok(Self {
            name: name.clone(),
            index,
            queues: all,
            offloads,
        })
    }
}

impl TapQueue {
    /// Reads one frame behind its header, and returns the length of both. A frame that is longer
    /// than the buffer is cut off without a word: give room for 64 KiB and the headers.
    ///
    /// # Errors
    /// `WouldBlock` if none waits, as always while the interface is down; `EBADFD` if it is gone.
    #[inline]
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::io::read(&self.0, buffer)?)
    }

    /// Writes a header and its frame, and returns the length of both.
    ///
    /// # Errors
    /// `EINVAL` for a header that does not fit the frame, and for more than 128 UDP segments (Linux
    /// 6.18); `EIO` if the interface is down, `EBADFD` if it is gone.
    #[inline]
    pub fn write(&self, packet: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::write(&self.0, packet)?)
    }

    /// As [`TapQueue::write`], from pieces that together are one header and one frame.
    ///
    /// # Errors
    /// As [`TapQueue::write`].
    #[inline]
    pub fn write_vectored(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        Ok(rustix::io::writev(&self.0, pieces)?)
    }

    /// Whether the interface survives its queues; any queue speaks for all.
    ///
    /// # Errors
    /// `EBADFD` if the interface is gone.
    pub fn set_persistent(&self, persistent: bool) -> io::Result<()> {
        Ok(ioctl::set_persistent(self.as_fd(), persistent)?)
    }

    fn attach(name: &InterfaceName, attach: ioctl::Attach) -> Result<Self, TapError> {
        // Without O_NONBLOCK the kernel leaves its one-copy path for small frames (`tun_can_build_skb`).
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd = rustix::fs::open("/dev/net/tun", flags, Mode::empty()).map_err(|e| match e {
            Errno::NOENT | Errno::NODEV | Errno::NXIO => TapError::NoDevice,
            errno => failed(name, "open /dev/net/tun")(errno),
        })?;
        ioctl::set_interface(fd.as_fd(), name, attach).map_err(|e| match e {
            Errno::TOOBIG => TapError::TooManyQueues {
                name: name.clone(),
                queues: MAX_QUEUES + 1,
            },
            Errno::INVAL if attach == ioctl::Attach::Any => {
                TapError::NotATap { name: name.clone() }
            }
            errno => failed(name, "TUNSETIFF")(errno),
        })?;
        Ok(Self(fd))
    }

    /// Asks for all offloads, then for fewer, as an old kernel answers `EINVAL` to any it lacks.
    fn negotiate_offloads(&self) -> Result<Offloads, Errno> {
        let checksum = Offloads {
            checksum: true,
            ..Offloads::default()
        };
        let tcp = Offloads {
            tcp_segmentation: true,
            ..checksum
        };
        let all = Offloads {
            udp_segmentation: true,
            ..tcp
        };
        for offloads in [all, tcp, checksum] {
            match ioctl::set_offloads(self.as_fd(), offloads.mask()) {
                Ok(()) => return Ok(offloads),
                Err(Errno::INVAL) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(Offloads::default())
    }
}

impl AsFd for TapQueue {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Offloads {
    /// The kernel takes USO for both IP versions or for none (`set_offload`, `drivers/net/tun.c`).
    const fn mask(self) -> libc::c_uint {
        let mut mask = 0;
        if self.checksum {
            mask |= libc::TUN_F_CSUM;
        }
        if self.tcp_segmentation {
            mask |= libc::TUN_F_TSO4 | libc::TUN_F_TSO6 | libc::TUN_F_TSO_ECN;
        }
        if self.udp_segmentation {
            mask |= libc::TUN_F_USO4 | libc::TUN_F_USO6;
        }
        mask
    }
}

/// For `map_err` of a call that failed on an interface.
fn failed(name: &InterfaceName, call: &'static str) -> impl Fn(Errno) -> TapError {
    move |errno| match errno {
        Errno::PERM | Errno::ACCESS => TapError::NotPermitted { name: name.clone() },
        errno => TapError::Call {
            name: name.clone(),
            call,
            errno,
        },
    }
}

/// The index of an interface of the calling thread's namespace.
fn interface_index(name: &InterfaceName) -> Result<u32, Errno> {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, netdevice, socket_with};
    // Any socket will do to ask about interfaces; one of this family is there in every kernel.
    let socket = socket_with(
        AddressFamily::UNIX,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    netdevice::name_to_index(&socket, name.as_str())
}
