//! Raw Ethernet frames of an interface that the kernel has, by an AF_PACKET socket.

mod filter;
mod kernel;
mod membership;

use std::io::{self, IoSlice};
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::net::sockopt::{set_socket_recv_buffer_size_force, set_socket_send_buffer_size_force};
use socket2::{Domain, Socket, Type};

use crate::socket_option;

pub use filter::SocketFilter;
pub use membership::Membership;

/// A socket that sends frames out of one interface and receives those that come in.
///
/// Calls never block. When the interface goes down, epoll tells of a failure, the next read fails with
/// `ENETDOWN`, once, and each write with `ENETDOWN` or `ENXIO`; the socket goes on when the interface is up again. When
/// the interface is deleted or moved away, it is the same, but for good: reads say `WouldBlock` and writes
/// `ENXIO` (Linux 6.18), also when there is an interface of that name or index again. Close it then.
#[derive(Debug)]
pub struct PacketSocket(Socket);

/// How a [`PacketSocket`] is made. The default is a plain socket.
#[derive(Debug, Clone, Default)]
pub struct PacketOptions {
    /// Frames follow a `virtio_net_hdr` of 10 bytes, in both directions, and may be super-frames
    /// with partial checksums (`PACKET_VNET_HDR`).
    pub vnet_header: bool,
    /// Frames that this host sends are not received (`PACKET_IGNORE_OUTGOING`, Linux 4.20).
    pub ignore_outgoing: bool,
    /// Frames to other stations' addresses are received as well, for as long as the socket is open.
    pub promiscuous: bool,
    /// [`PacketSocket::receive`] tells the VLAN tag, which the kernel takes out of the frame (`PACKET_AUXDATA`).
    pub vlan_tags: bool,
    /// Only frames that pass are received, from the first one on.
    pub filter: Option<SocketFilter>,
    /// Frames go to the driver past the interface's queueing discipline (`PACKET_QDISC_BYPASS`): less work, but
    /// no fairness beside the host's own, and what the driver has no room for is lost without an error.
    pub qdisc_bypass: bool,
    /// Bytes of frames that wait to be read, counted with the kernel's overhead.
    pub receive_buffer: Option<usize>,
    /// Bytes of frames that wait to be sent.
    pub send_buffer: Option<usize>,
}

/// A frame that [`PacketSocket::receive`] put in the buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// Bytes in the buffer, with the header if there is one.
    pub length: usize,
    /// The outer VLAN tag that was taken out of the frame, behind the source address.
    pub vlan: Option<VlanTag>,
}

/// An IEEE 802.1Q tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VlanTag {
    /// The Ethertype of the tag: 0x8100, or 0x88a8 for a service tag.
    pub protocol: u16,
    /// Priority (3 bits), drop eligibility (1) and VLAN number (12).
    pub control: u16,
}

/// Why a packet socket could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum PacketSocketError {
    /// No privilege over the namespace.
    #[error("a packet socket needs CAP_NET_RAW, and CAP_NET_ADMIN to set its buffers: run as root")]
    NotPermitted,
    /// The namespace has no such interface.
    #[error("no interface {interface} in this namespace")]
    NotFound {
        /// The interface's index.
        interface: u32,
    },
    /// Anything else.
    #[error("{call} failed for a packet socket on interface {interface}: {source}")]
    Call {
        /// The interface's index.
        interface: u32,
        /// The system call or option.
        call: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
}

impl PacketSocket {
    /// Opens a socket on an interface of the calling thread's namespace.
    ///
    /// # Errors
    /// [`PacketSocketError::NotPermitted`], [`PacketSocketError::NotFound`].
    pub fn open(interface: u32, options: &PacketOptions) -> Result<Self, PacketSocketError> {
        let socket = Self::prepare(interface, options)?;
        socket.filter(interface, options.filter.as_ref())?;
        socket.bind(interface)?;
        Ok(socket)
    }

    /// Opens sockets that share the frames of an interface: each frame is received by one of them, and all
    /// of a conversation, in both directions, by the same (`PACKET_FANOUT_HASH`). Fragments of a packet stay
    /// together, as they are told apart by addresses alone.
    ///
    /// When one is closed, the others share all frames. Frames that come while the group is formed are
    /// received by none.
    ///
    /// # Errors
    /// As [`PacketSocket::open`], and `ENOSPC` for more than 256.
    pub fn open_group(
        interface: u32,
        options: &PacketOptions,
        sockets: NonZeroUsize,
    ) -> Result<Vec<Self>, PacketSocketError> {
        let mut group = Vec::with_capacity(sockets.get());
        let mut number = None;
        for _ in 0..sockets.get() {
            let socket = Self::prepare(interface, options)?;
            // A socket can join only once it is bound, and until then it would receive what the others do.
            socket_option::receive_nothing(&socket.0)
                .map_err(failed(interface, "SO_ATTACH_FILTER"))?;
            socket.bind(interface)?;
            let joined = kernel::join_group(socket.as_fd(), number, options.ignore_outgoing);
            number = Some(joined.map_err(failed(interface, "PACKET_FANOUT"))?);
            group.push(socket);
        }
        for socket in &group {
            socket.filter(interface, options.filter.as_ref())?;
        }
        Ok(group)
    }

    /// A socket with all options but the filter, which receives nothing yet.
    fn prepare(interface: u32, options: &PacketOptions) -> Result<Self, PacketSocketError> {
        // Protocol 0 receives nothing, so no frame of another interface comes in before it is bound.
        let socket = Socket::new(Domain::PACKET, Type::RAW.nonblocking().cloexec(), None)
            .map_err(failed(interface, "socket"))?;
        let fd = socket.as_fd();
        for (wanted, option, name) in [
            (
                options.vnet_header,
                libc::PACKET_VNET_HDR,
                "PACKET_VNET_HDR",
            ),
            (
                options.ignore_outgoing,
                libc::PACKET_IGNORE_OUTGOING,
                "PACKET_IGNORE_OUTGOING",
            ),
            (options.vlan_tags, libc::PACKET_AUXDATA, "PACKET_AUXDATA"),
            (
                options.qdisc_bypass,
                libc::PACKET_QDISC_BYPASS,
                "PACKET_QDISC_BYPASS",
            ),
        ] {
            if wanted {
                kernel::set_option(fd, option, 1).map_err(failed(interface, name))?;
            }
        }
        if let Some(bytes) = options.receive_buffer {
            set_socket_recv_buffer_size_force(fd, bytes)
                .map_err(|e| failed(interface, "SO_RCVBUFFORCE")(e.into()))?;
        }
        if let Some(bytes) = options.send_buffer {
            set_socket_send_buffer_size_force(fd, bytes)
                .map_err(|e| failed(interface, "SO_SNDBUFFORCE")(e.into()))?;
        }
        if options.promiscuous {
            kernel::join(fd, interface, kernel::Joined::Everything)
                .map_err(failed(interface, "PACKET_ADD_MEMBERSHIP"))?;
        }
        Ok(Self(socket))
    }

    /// Lets in what passes the filter, in the place of the one before; without a filter, everything.
    fn filter(
        &self,
        interface: u32,
        filter: Option<&SocketFilter>,
    ) -> Result<(), PacketSocketError> {
        match filter {
            Some(filter) => kernel::attach_program(self.as_fd(), filter.as_fd())
                .map_err(failed(interface, "SO_ATTACH_BPF")),
            None => match self.0.detach_filter() {
                // There was none.
                Err(e) if e.raw_os_error() == Some(libc::ENOENT) => Ok(()),
                result => result.map_err(failed(interface, "SO_DETACH_FILTER")),
            },
        }
    }

    fn bind(&self, interface: u32) -> Result<(), PacketSocketError> {
        let address = kernel::address(interface, libc::ETH_P_ALL as u16);
        self.0.bind(&address).map_err(failed(interface, "bind"))
    }

    /// Reads one frame. A VLAN tag is lost: see [`PacketSocket::receive`].
    ///
    /// # Errors
    /// `WouldBlock` if none waits, `ENETDOWN`.
    #[inline]
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::io::read(&self.0, buffer)?)
    }

    /// Reads one frame, and its VLAN tag if [`PacketOptions::vlan_tags`] is set.
    ///
    /// # Errors
    /// As [`PacketSocket::read`].
    #[inline]
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Received> {
        kernel::receive(&self.0, buffer)
    }

    /// Frames that passed the filter and were lost, as the receive buffer was full, since the socket was opened or
    /// this was last asked.
    ///
    /// # Errors
    /// None that the kernel has (Linux 6.18).
    pub fn take_dropped(&self) -> io::Result<u32> {
        Ok(kernel::take_statistics(self.as_fd())?.tp_drops)
    }

    /// Sends one frame, which may hold VLAN tags.
    ///
    /// A super-frame or a partial checksum may have tags before it, 802.1Q and 802.1ad: `csum_start` then counts with
    /// them. The kernel has the driver insert the tag again for each segment, or cuts and sums itself where the driver
    /// cannot (Linux 6.18). `hdr_len` must not be longer than the frame: mind it when a tag was taken out.
    ///
    /// An outer 802.1Q tag does not count against the MTU; any other does, but for super-frames
    /// (`packet_extra_vlan_len_allowed`, `net/packet/af_packet.c`).
    ///
    /// # Errors
    /// `EMSGSIZE` if it is longer than the MTU allows and no super-frame, `ENOBUFS` if the interface's queue is
    /// full, `WouldBlock` if the socket's is, `ENETDOWN` and `ENXIO` as said of [`PacketSocket`], `EINVAL` if it is
    /// shorter than an Ethernet header or its virtio header is wrong.
    #[inline]
    pub fn write(&self, packet: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::write(&self.0, packet)?)
    }

    /// As [`PacketSocket::write`], from pieces that together are one frame.
    ///
    /// # Errors
    /// As [`PacketSocket::write`].
    #[inline]
    pub fn write_vectored(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        Ok(rustix::io::writev(&self.0, pieces)?)
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// For `map_err` of a call that failed.
fn failed(interface: u32, call: &'static str) -> impl FnOnce(io::Error) -> PacketSocketError {
    move |source| match source.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => PacketSocketError::NotPermitted,
        Some(libc::ENODEV) => PacketSocketError::NotFound { interface },
        _ => PacketSocketError::Call {
            interface,
            call,
            source,
        },
    }
}
