//! What comes out of a tunnel.

use std::io;
use std::net::{IpAddr, SocketAddr};

use socket2::{SockAddr, Socket};

use crate::message::{self, Control};

/// A datagram, or several of one length from the same source port, that [`TunnelSocket::receive`] put in the
/// buffer one behind the other.
///
/// [`TunnelSocket::receive`]: super::TunnelSocket::receive
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// Bytes in the buffer.
    pub len: usize,
    /// Who sent it. Of a link-local address, the interface is not told.
    pub from: IpAddr,
    /// Bytes of each datagram but the last one, which has the rest; `None` if there is one only.
    pub segment: Option<u16>,
    /// The IPv4 TOS or IPv6 traffic class of the datagrams, with the ECN bits.
    pub tos: u8,
}

impl Received {
    #[inline]
    pub(super) fn receive(socket: &Socket, room: &mut [u8]) -> io::Result<Self> {
        // Room for an address of either family.
        let mut from = SockAddr::from(SocketAddr::from(([0; 16], 0)));
        let mut control = Control::new();
        let message = message::receive(socket, room, Some(&mut from), &mut control)?;
        if message.truncated {
            return Err(io::Error::from_raw_os_error(libc::EMSGSIZE));
        }
        let from = from
            .as_socket()
            .ok_or(io::Error::from_raw_os_error(libc::EAFNOSUPPORT))?;
        let mut received = Self {
            len: message.length,
            from: from.ip(),
            segment: None,
            tos: 0,
        };
        for message in control.messages() {
            match (message.level, message.kind) {
                (libc::SOL_UDP, libc::UDP_GRO) => {
                    received.segment = message.number().and_then(|n| u16::try_from(n).ok());
                }
                // One octet.
                (libc::SOL_IP, libc::IP_TOS) => {
                    received.tos = message.data.first().copied().unwrap_or(0);
                }
                (libc::SOL_IPV6, libc::IPV6_TCLASS) => {
                    received.tos = message.number().map_or(0, |number| number as u8);
                }
                _ => {}
            }
        }
        Ok(received)
    }
}
