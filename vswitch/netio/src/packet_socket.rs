//! Raw Ethernet frames of an interface that the kernel has, by an AF_PACKET socket.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};

use rustix::net::sockopt::{set_socket_recv_buffer_size_force, set_socket_send_buffer_size_force};
use socket2::{Domain, Socket, Type};

/// A socket that sends frames out of one interface and receives those that come in.
///
/// Calls never block. While the interface is down, they fail with `ENETDOWN`, once for each time it
/// goes down when reading.
#[derive(Debug)]
pub struct PacketSocket(Socket);

/// How a [`PacketSocket`] is made. The default is a plain socket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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
        let failed = |call| {
            move |source: io::Error| match source.raw_os_error() {
                Some(libc::EPERM | libc::EACCES) => PacketSocketError::NotPermitted,
                Some(libc::ENODEV) => PacketSocketError::NotFound { interface },
                _ => PacketSocketError::Call {
                    interface,
                    call,
                    source,
                },
            }
        };
        // Protocol 0 receives nothing, so no frame of another interface comes in before it is bound.
        let socket = Socket::new(Domain::PACKET, Type::RAW.nonblocking().cloexec(), None)
            .map_err(failed("socket"))?;
        let fd = socket.as_fd();
        if options.vnet_header {
            kernel::set_option(fd, libc::PACKET_VNET_HDR, &1).map_err(failed("PACKET_VNET_HDR"))?;
        }
        if options.ignore_outgoing {
            kernel::set_option(fd, libc::PACKET_IGNORE_OUTGOING, &1)
                .map_err(failed("PACKET_IGNORE_OUTGOING"))?;
        }
        if options.vlan_tags {
            kernel::set_option(fd, libc::PACKET_AUXDATA, &1).map_err(failed("PACKET_AUXDATA"))?;
        }
        if let Some(bytes) = options.receive_buffer {
            set_socket_recv_buffer_size_force(fd, bytes)
                .map_err(|e| failed("SO_RCVBUFFORCE")(e.into()))?;
        }
        if let Some(bytes) = options.send_buffer {
            set_socket_send_buffer_size_force(fd, bytes)
                .map_err(|e| failed("SO_SNDBUFFORCE")(e.into()))?;
        }
        if options.promiscuous {
            kernel::join_promiscuous(fd, interface).map_err(failed("PACKET_ADD_MEMBERSHIP"))?;
        }
        socket
            .bind(&kernel::address(interface))
            .map_err(failed("bind"))?;
        Ok(Self(socket))
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
        kernel::receive(self.as_fd(), buffer)
    }

    /// Sends one frame, which may hold a VLAN tag.
    ///
    /// # Errors
    /// `EMSGSIZE` if it is longer than the MTU, `ENOBUFS` if the interface's queue is full, `WouldBlock` if the
    /// socket's is, `ENETDOWN`, `EINVAL` if it is shorter than an Ethernet header or its virtio header is wrong.
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

/// The calls that no safe wrapper has (`linux/if_packet.h`).
mod kernel {
    use std::io;
    use std::os::fd::{AsRawFd, BorrowedFd};
    use std::ptr;

    use socket2::{SockAddr, SockAddrStorage};

    use super::{Received, VlanTag};

    /// The address that binds a socket to all frames of an interface.
    pub(super) fn address(interface: u32) -> SockAddr {
        let mut storage = SockAddrStorage::zeroed();
        // SAFETY: `sockaddr_ll` is a socket address, and valid as zeros.
        let address = unsafe { storage.view_as::<libc::sockaddr_ll>() };
        address.sll_family = libc::AF_PACKET as libc::sa_family_t;
        address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
        address.sll_ifindex = interface.cast_signed();
        // SAFETY: the storage holds an address of that length and family.
        unsafe { SockAddr::new(storage, size_of::<libc::sockaddr_ll>() as libc::socklen_t) }
    }

    pub(super) fn set_option(
        fd: BorrowedFd<'_>,
        option: libc::c_int,
        value: &libc::c_int,
    ) -> io::Result<()> {
        set(fd, option, value)
    }

    pub(super) fn join_promiscuous(fd: BorrowedFd<'_>, interface: u32) -> io::Result<()> {
        let membership = libc::packet_mreq {
            mr_ifindex: interface.cast_signed(),
            mr_type: libc::PACKET_MR_PROMISC as libc::c_ushort,
            mr_alen: 0,
            mr_address: [0; 8],
        };
        set(fd, libc::PACKET_ADD_MEMBERSHIP, &membership)
    }

    pub(super) fn receive(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<Received> {
        let mut piece = libc::iovec {
            iov_base: buffer.as_mut_ptr().cast(),
            iov_len: buffer.len(),
        };
        // Room for one `tpacket_auxdata`, aligned as `cmsghdr` wants it.
        let mut control = [0u64; 8];
        // SAFETY: null pointers and zero lengths are a valid `msghdr`.
        let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
        message.msg_iov = &raw mut piece;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = size_of_val(&control);
        // SAFETY: the message points at a buffer and a control buffer of the lengths it says, both
        // exclusively borrowed until the end of this function.
        let length = unsafe { libc::recvmsg(fd.as_raw_fd(), &raw mut message, 0) };
        let length = usize::try_from(length).map_err(|_| io::Error::last_os_error())?;
        Ok(Received {
            length,
            vlan: vlan_tag(&message),
        })
    }

    /// The tag among the control messages that the kernel wrote.
    fn vlan_tag(message: &libc::msghdr) -> Option<VlanTag> {
        // SAFETY: `msg_control` and `msg_controllen` describe the control messages of a finished
        // recvmsg, aligned for `cmsghdr`; the macros stay within them.
        let mut next = unsafe { libc::CMSG_FIRSTHDR(message) };
        while !next.is_null() {
            // SAFETY: not null, so it points at a whole header within the control buffer.
            let header = unsafe { ptr::read(next) };
            if (header.cmsg_level, header.cmsg_type) == (libc::SOL_PACKET, libc::PACKET_AUXDATA) {
                // SAFETY: the kernel's control message of this type holds a `tpacket_auxdata`, which
                // is plain numbers; it need not be aligned.
                let data: libc::tpacket_auxdata =
                    unsafe { ptr::read_unaligned(libc::CMSG_DATA(next).cast()) };
                return (data.tp_status & libc::TP_STATUS_VLAN_VALID != 0).then_some(VlanTag {
                    protocol: data.tp_vlan_tpid,
                    control: data.tp_vlan_tci,
                });
            }
            // SAFETY: as for CMSG_FIRSTHDR, and `next` came from it or from here.
            next = unsafe { libc::CMSG_NXTHDR(message, next) };
        }
        None
    }

    fn set<T>(fd: BorrowedFd<'_>, option: libc::c_int, value: &T) -> io::Result<()> {
        let length = size_of::<T>() as libc::socklen_t;
        // SAFETY: the kernel reads `length` bytes from a live reference to that many.
        let result = unsafe {
            libc::setsockopt(
                fd.as_raw_fd(),
                libc::SOL_PACKET,
                option,
                ptr::from_ref(value).cast(),
                length,
            )
        };
        if result == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }
}
