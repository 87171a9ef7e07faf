//! One worker's way to one port: reads frames from it and writes frames to it.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};

use vswitch_netio::packet_socket::PacketSocket;
use vswitch_netio::tap::TapQueue;
use vswitch_netio::udp_tunnel::{GroupSocket, TunnelSocket};

/// A descriptor of a port.
#[derive(Debug)]
pub(super) enum Queue {
    /// Frames, each behind a virtio header.
    Frames(Frames),
    /// The same, of a NIC that containers are put on: each may have a tag beside it.
    Tagged(PacketSocket),
    /// Datagrams, each with a frame inside.
    Datagrams(Datagrams),
}

/// A queue of a TAP, or a socket on a NIC.
#[derive(Debug)]
pub(super) enum Frames {
    /// An endpoint's or a host port's.
    Tap(TapQueue),
    /// An uplink's.
    Uplink(PacketSocket),
}

/// Sockets of tunnels.
#[derive(Debug)]
pub(super) enum Datagrams {
    /// An underlay's.
    Underlay(TunnelSocket),
    /// Of a multicast group; for reading only.
    Group(GroupSocket),
}

impl Frames {
    /// Reads one frame.
    ///
    /// # Errors
    /// `WouldBlock` if none waits; else the device's.
    #[inline]
    pub(super) fn read(&self, room: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tap(queue) => queue.read(room),
            Self::Uplink(socket) => socket.read(room),
        }
    }

    /// Writes one frame, in pieces.
    ///
    /// # Errors
    /// The device's.
    #[inline]
    pub(super) fn write_vectored(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Tap(queue) => queue.write_vectored(parts),
            Self::Uplink(socket) => socket.write_vectored(parts),
        }
    }
}

impl AsFd for Queue {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Frames(Frames::Tap(queue)) => queue.as_fd(),
            Self::Frames(Frames::Uplink(socket)) => socket.as_fd(),
            Self::Tagged(socket) => socket.as_fd(),
            Self::Datagrams(Datagrams::Underlay(socket)) => socket.as_fd(),
            Self::Datagrams(Datagrams::Group(socket)) => socket.as_fd(),
        }
    }
}
