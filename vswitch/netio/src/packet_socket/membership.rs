//! What a NIC receives beside its own frames.

use std::io;
use std::os::fd::AsFd;

use socket2::{Domain, Socket, Type};
use vswitch_packet::MacAddr;

use super::kernel::{self, Joined};
use super::{PacketSocketError, failed};

/// Has a NIC receive frames to other addresses than its own, for as long as this lives. It receives nothing
/// itself: [`PacketSocket`](super::PacketSocket)s on the NIC do.
///
/// A driver that can filter by several addresses (`IFF_UNICAST_FLT`) is given each; where it has no room for more, it
/// receives everything without a word. Any other NIC is made promiscuous by the kernel at the first address, until
/// the last is gone (`__dev_set_rx_mode`, `net/core/dev.c`):
/// [`Link::promiscuity`](crate::netlink::Link::promiscuity) tells, and the flag `PROMISC` of `ip link` does not.
///
/// All stays when the NIC goes down and comes up again. When it is deleted or moves to another namespace,
/// the kernel forgets it all, for good: open another one then.
#[derive(Debug)]
pub struct Membership {
    socket: Socket,
    interface: u32,
}

impl Membership {
    /// Opens one for an interface of the calling thread's namespace, which receives no more than before.
    ///
    /// # Errors
    /// [`PacketSocketError::NotPermitted`], [`PacketSocketError::NotFound`].
    pub fn open(interface: u32) -> Result<Self, PacketSocketError> {
        let socket = Socket::new(Domain::PACKET, Type::RAW.nonblocking().cloexec(), None)
            .map_err(failed(interface, "socket"))?;
        // It receives nothing with or without; this says whether the interface is there.
        socket
            .bind(&kernel::address(interface, 0))
            .map_err(failed(interface, "bind"))?;
        Ok(Self { socket, interface })
    }

    /// Has frames to an address received, whatever it is. The kernel counts: an address that was added twice has to be
    /// removed twice.
    ///
    /// # Errors
    /// `ENODEV` if the interface is gone, or what the driver says.
    pub fn add_unicast(&self, mac: MacAddr) -> io::Result<()> {
        kernel::join(self.socket.as_fd(), self.interface, Joined::Station(mac))
    }

    /// Takes an address back. One that was not added is left as it is, and so it is when the interface is gone.
    ///
    /// # Errors
    /// None that the kernel has (Linux 6.18).
    pub fn remove_unicast(&self, mac: MacAddr) -> io::Result<()> {
        kernel::leave(self.socket.as_fd(), self.interface, Joined::Station(mac))
    }

    /// Has frames to all groups received, until this is dropped: which of them somebody behind us listens to, as for
    /// neighbour discovery, the NIC does not know.
    ///
    /// # Errors
    /// As [`Membership::add_unicast`].
    pub fn set_all_groups(&self) -> io::Result<()> {
        kernel::join(self.socket.as_fd(), self.interface, Joined::Groups)
    }

    /// Has all frames received, until this is dropped.
    ///
    /// # Errors
    /// As [`Membership::add_unicast`].
    pub fn set_promiscuous(&self) -> io::Result<()> {
        kernel::join(self.socket.as_fd(), self.interface, Joined::Everything)
    }
}
