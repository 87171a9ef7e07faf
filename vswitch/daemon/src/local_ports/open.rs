//! Sockets that hold a port.

use std::io;
use std::net::{IpAddr, SocketAddr};

use rustix::io::Errno;
use socket2::{Domain, Protocol, Socket, Type};

use super::datagram;

/// What `net.core.somaxconn` allows is less, as a rule.
const BACKLOG: i32 = 4096;

/// A listener that does not block.
///
/// # Errors
/// `EADDRINUSE` and whatever else the kernel says.
pub(super) fn tcp(host: IpAddr, port: u16) -> io::Result<Socket> {
    let address = SocketAddr::new(host, port);
    let socket = new(address, Type::STREAM, Protocol::TCP)?;
    // Connections of the last run in TIME_WAIT are no hindrance then; a listener is one all the same.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    // Finds those who bound with SO_REUSEADDR too, and listened in between.
    socket.listen(BACKLOG)?;
    Ok(socket)
}

/// A socket that does not block, for [`datagram`].
///
/// # Errors
/// `EADDRINUSE` and whatever else the kernel says.
pub(super) fn udp(host: IpAddr, port: u16) -> io::Result<Socket> {
    let address = SocketAddr::new(host, port);
    let socket = new(address, Type::DGRAM, Protocol::UDP)?;
    datagram::ask_for_destination(&socket, host)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// A socket that is bound and nothing else, or `None` where the kernel has no SCTP.
///
/// # Errors
/// `EADDRINUSE` and whatever else the kernel says.
pub(super) fn sctp(host: IpAddr, port: u16) -> io::Result<Option<Socket>> {
    let address = SocketAddr::new(host, port);
    let socket = match new(address, Type::STREAM, Protocol::SCTP) {
        Err(error) if is_unknown(&error) => return Ok(None),
        socket => socket?,
    };
    socket.bind(&address.into())?;
    Ok(Some(socket))
}

fn new(address: SocketAddr, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        kind.nonblocking(),
        Some(protocol),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    Ok(socket)
}

fn is_unknown(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::PROTONOSUPPORT | Errno::SOCKTNOSUPPORT)
    )
}
