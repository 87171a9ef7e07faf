//! Datagrams with both their addresses: a socket that is bound to all addresses has to know by which one it
//! was reached, and to answer from that one.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsRawFd as _, RawFd};

use nix::libc;
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg, setsockopt,
    sockopt,
};
use socket2::Socket;
use tokio::io::Interest;
use tokio::net::UdpSocket;

use super::any_port::AnyPort;

/// One conversation of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Flow {
    /// The client.
    pub(super) client: SocketAddr,
    /// What the client turned to.
    pub(super) local: SocketAddr,
}

/// What the clients of held ports speak to.
#[derive(Debug)]
pub(super) struct Front {
    pub(super) held: UdpSocket,
    /// For ports that the socket is not bound to.
    pub(super) answers: Option<AnyPort>,
}

impl Front {
    /// Receives a datagram: its length, and between whom.
    ///
    /// # Errors
    /// `WouldBlock` if there is none.
    pub(super) fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, Flow)> {
        self.held.try_io(Interest::READABLE, || {
            let mut control = nix::cmsg_space!(libc::sockaddr_in6);
            let mut vector = [IoSliceMut::new(buffer)];
            let message = recvmsg::<SockaddrStorage>(
                self.held.as_raw_fd(),
                &mut vector,
                Some(&mut control),
                MsgFlags::MSG_DONTWAIT,
            )?;
            let client = message.address.as_ref().and_then(address);
            let local = message.cmsgs()?.find_map(destination);
            match (client, local) {
                (Some(client), Some(local)) => Ok((message.bytes, Flow { client, local })),
                _ => Err(io::Error::other("a datagram came without its addresses")),
            }
        })
    }

    /// Answers a flow's client, from the address and port that it turned to.
    ///
    /// # Errors
    /// Whatever keeps the kernel from sending it now.
    pub(super) fn answer(&self, flow: &Flow, payload: &[u8]) -> io::Result<()> {
        match &self.answers {
            Some(any_port) => any_port.answer(flow, payload),
            None => send(self.held.as_raw_fd(), flow.local, flow.client, &[payload]),
        }
    }
}

/// Has the kernel tell the destination of each datagram (`IP_RECVORIGDSTADDR`: address and port).
///
/// # Errors
/// None that a caller can cause.
pub(super) fn ask_for_destination(socket: &Socket, host: IpAddr) -> io::Result<()> {
    Ok(match host {
        IpAddr::V4(_) => setsockopt(socket, sockopt::Ipv4OrigDstAddr, &true),
        IpAddr::V6(_) => setsockopt(socket, sockopt::Ipv6OrigDstAddr, &true),
    }?)
}

/// Sends a datagram of these parts from an address of the host, without waiting. The port is the socket's.
///
/// # Errors
/// Whatever keeps the kernel from sending it now.
pub(super) fn send(
    socket: RawFd,
    from: SocketAddr,
    to: SocketAddr,
    parts: &[&[u8]],
) -> io::Result<()> {
    let (v4, v6);
    let source = match from {
        SocketAddr::V4(from) => {
            v4 = libc::in_pktinfo {
                ipi_ifindex: 0,
                ipi_spec_dst: libc::in_addr {
                    s_addr: from.ip().to_bits().to_be(),
                },
                ipi_addr: libc::in_addr { s_addr: 0 },
            };
            ControlMessage::Ipv4PacketInfo(&v4)
        }
        SocketAddr::V6(from) => {
            v6 = libc::in6_pktinfo {
                ipi6_addr: libc::in6_addr {
                    s6_addr: from.ip().octets(),
                },
                // A link-local address says nothing without its interface.
                ipi6_ifindex: from.scope_id(),
            };
            ControlMessage::Ipv6PacketInfo(&v6)
        }
    };
    let parts: Vec<_> = parts.iter().map(|part| IoSlice::new(part)).collect();
    let to = SockaddrStorage::from(to);
    sendmsg(socket, &parts, &[source], MsgFlags::MSG_DONTWAIT, Some(&to))?;
    Ok(())
}

fn destination(message: ControlMessageOwned) -> Option<SocketAddr> {
    match message {
        ControlMessageOwned::Ipv4OrigDstAddr(address) => {
            let ip = Ipv4Addr::from_bits(u32::from_be(address.sin_addr.s_addr));
            Some(SocketAddrV4::new(ip, u16::from_be(address.sin_port)).into())
        }
        ControlMessageOwned::Ipv6OrigDstAddr(address) => {
            let ip = Ipv6Addr::from(address.sin6_addr.s6_addr);
            let port = u16::from_be(address.sin6_port);
            Some(SocketAddrV6::new(ip, port, 0, address.sin6_scope_id).into())
        }
        _ => None,
    }
}

fn address(storage: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = storage
        .as_sockaddr_in()
        .map(|&address| SocketAddrV4::from(address).into());
    v4.or_else(|| {
        storage
            .as_sockaddr_in6()
            .map(|&address| SocketAddrV6::from(address).into())
    })
}
