//! Receiving what is sent to a multicast group.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};

use socket2::{InterfaceIndexOrAddress, Socket};

use super::{Received, TunnelConfig};

/// A member of a multicast group (IGMP, MLD), for as long as it is open.
///
/// Each socket of a group receives all that comes, unlike those of [`TunnelSocket::open_group`]. Calls never block.
/// The membership is one on an interface: when that is deleted, join again.
///
/// [`TunnelSocket::open_group`]: super::TunnelSocket::open_group
#[derive(Debug)]
pub struct GroupSocket(Socket);

impl GroupSocket {
    /// Joins a group on [`TunnelConfig::interface`], for datagrams to [`TunnelConfig::port`], in the calling thread's
    /// namespace.
    ///
    /// Sockets of a tunnel with all local addresses and the same port have to be open before.
    ///
    /// # Errors
    /// `InvalidInput` if it is no group of the tunnel's family, or a link-local one and no interface is given;
    /// `ENODEV` if there is no such interface, or no route to the group that says which; `AddrInUse` if a socket
    /// of all local addresses has the port, and is none of a tunnel's; `ENOBUFS` if the host joined too many
    /// (`net.ipv4.igmp_max_memberships`).
    pub fn join(group: IpAddr, config: &TunnelConfig) -> io::Result<Self> {
        if !group.is_multicast() || group.is_ipv4() != config.local.is_ipv4() {
            let local = config.local;
            let error = format!("{group} is no multicast group of the IP version of {local}");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, error));
        }
        let socket = config.receiver()?;
        socket.set_reuse_address(true)?;
        socket.bind(&config.address(group, config.port))?;
        let interface = config.multicast_interface()?;
        match group {
            IpAddr::V4(group) => {
                let interface = InterfaceIndexOrAddress::Index(interface);
                socket.join_multicast_v4_n(&group, &interface)?;
            }
            IpAddr::V6(group) => socket.join_multicast_v6(&group, interface)?,
        }
        Ok(Self(socket))
    }

    /// As [`TunnelSocket::receive`].
    ///
    /// # Errors
    /// As [`TunnelSocket::receive`].
    ///
    /// [`TunnelSocket::receive`]: super::TunnelSocket::receive
    #[inline]
    pub fn receive(&self, room: &mut [u8]) -> io::Result<Received> {
        Received::receive(&self.0, room)
    }
}

impl AsFd for GroupSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
