//! One worker's way to one port: reads frames from it and writes frames to it.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};

use vswitch_netio::packet_socket::PacketSocket;
use vswitch_netio::tap::TapQueue;

/// A queue of a TAP, or a socket on a NIC. Either passes a virtio header in front of each frame.
#[derive(Debug)]
pub(super) enum Queue {
    /// An endpoint's or a host port's.
    Tap(TapQueue),
    /// An uplink's.
    Uplink(PacketSocket),
}

impl Queue {
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
            Self::Tap(queue) => queue.as_fd(),
            Self::Uplink(socket) => socket.as_fd(),
        }
    }
}
