//! What the kernel knows of a path.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};

use rustix::net::sockopt;

/// The MTU of the path to an address, in bytes of IP packets, as the kernel believes now: that of the interface
/// or of the route, or less if a router said so (RFC 1191, RFC 8201), which the kernel forgets after ten minutes.
/// At most 65535. Nothing is sent.
///
/// `local` is the address to send from, or the unspecified one of the same family.
///
/// # Errors
/// `ENETUNREACH` and the like if there is no route, `AddrNotAvailable` if the host does not have the local
/// address, `EAFNOSUPPORT` if the families differ.
pub fn path_mtu(local: IpAddr, to: IpAddr, port: u16) -> io::Result<u16> {
    let socket = UdpSocket::bind(SocketAddr::new(local, 0))?;
    socket.connect(SocketAddr::new(to, port))?;
    let mtu = match to {
        IpAddr::V4(_) => sockopt::ip_mtu(&socket)?,
        IpAddr::V6(_) => sockopt::ipv6_mtu(&socket)?,
    };
    Ok(u16::try_from(mtu).unwrap_or(u16::MAX))
}
