//! Where a tunnel ends on this host, and what its sockets have in common.

use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV4, SocketAddrV6};

use rustix::net::sockopt::{self, Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::netlink::Netlink;
use crate::socket_option;

/// Where a tunnel ends on this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TunnelConfig {
    /// The address that datagrams come to and from. The unspecified one is all of its family, and the kernel
    /// chooses what to send from; those of the other family are never received.
    pub local: IpAddr,
    /// The port that datagrams come to.
    pub port: u16,
    /// The index of the interface that multicast uses, and link-local addresses are on. Without it, that is the one
    /// that has the local address, or else the one that the route says.
    pub interface: Option<u32>,
}

/// Bytes that may wait at a socket, counted with the kernel's overhead; memory is used only while they do.
pub(super) const BUFFER: usize = 8 << 20;

impl TunnelConfig {
    /// A socket that is not bound yet.
    pub(super) fn socket(&self) -> io::Result<Socket> {
        let domain = match self.local {
            IpAddr::V4(_) => Domain::IPV4,
            IpAddr::V6(_) => Domain::IPV6,
        };
        let kind = Type::DGRAM.nonblocking().cloexec();
        let socket = Socket::new(domain, kind, Some(Protocol::UDP))?;
        match self.local {
            IpAddr::V4(_) => sockopt::set_ip_mtu_discover(&socket, Ipv4PathMtuDiscovery::DO)?,
            IpAddr::V6(_) => {
                socket.set_only_v6(true)?;
                sockopt::set_ipv6_mtu_discover(&socket, Ipv6PathMtuDiscovery::DO)?;
                socket_option::set(&socket, libc::SOL_IPV6, libc::IPV6_DONTFRAG, &ON)?;
            }
        }
        Ok(socket)
    }

    /// A socket to receive with, which is not bound yet.
    pub(super) fn receiver(&self) -> io::Result<Socket> {
        let socket = self.socket()?;
        socket_option::set(&socket, libc::SOL_UDP, libc::UDP_GRO, &ON)?;
        // By default, a socket receives for all groups that any socket of the host joined.
        match self.local {
            IpAddr::V4(_) => {
                socket.set_recv_tos_v4(true)?;
                socket.set_multicast_all_v4(false)?;
            }
            IpAddr::V6(_) => {
                socket.set_recv_tclass_v6(true)?;
                socket.set_multicast_all_v6(false)?;
                socket_option::set(&socket, libc::SOL_UDP, libc::UDP_NO_CHECK6_RX, &ON)?;
            }
        }
        // Beyond the host's limit with CAP_NET_ADMIN only.
        if sockopt::set_socket_recv_buffer_size_force(&socket, BUFFER).is_err() {
            socket.set_recv_buffer_size(BUFFER)?;
        }
        Ok(socket)
    }

    /// An address of the tunnel's, for `bind`.
    pub(super) fn address(&self, ip: IpAddr, port: u16) -> SockAddr {
        SockAddr::from(match ip {
            IpAddr::V4(ip) => SocketAddr::V4(SocketAddrV4::new(ip, port)),
            // The kernel looks at the interface only of link-local addresses.
            IpAddr::V6(ip) => {
                let interface = self.interface.unwrap_or(0);
                SocketAddr::V6(SocketAddrV6::new(ip, port, 0, interface))
            }
        })
    }

    /// The interface that multicast uses; 0 if the route says it.
    pub(super) fn multicast_interface(&self) -> io::Result<u32> {
        if let Some(interface) = self.interface {
            return Ok(interface);
        }
        if self.local.is_unspecified() {
            return Ok(0);
        }
        let addresses = Netlink::open()
            .and_then(|mut netlink| netlink.addresses())
            .map_err(io::Error::other)?;
        let found = addresses.iter().find(|a| a.network.addr() == self.local);
        Ok(found.map_or(0, |address| address.interface))
    }
}

const ON: libc::c_int = 1;
