//! The UDP sockets of a tunnel between hosts, such as VXLAN (RFC 7348).
//!
//! What comes in, for one port, is shared by the workers, each flow at one of them. What goes out has a source
//! port by its flow, so that the network can spread flows over its paths (RFC 7348 §5). Both go by the batch:
//! datagrams of one length are one call (`UDP_SEGMENT` and `UDP_GRO`, `udp(7)`).
//!
//! Nothing that is sent is ever fragmented: DF is set, and what is too long for the way is an error that tells
//! so. The kernel's path MTU discovery follows ICMP's answers; [`path_mtu`] is what it knows.

mod config;
mod group;
mod path_mtu;
mod received;
mod senders;

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use socket2::Socket;

pub use config::TunnelConfig;
pub use group::GroupSocket;
pub use path_mtu::path_mtu;
pub use received::Received;
use senders::Senders;

/// One worker's sockets of a tunnel: one of its own that receives, and those of all workers to send from.
///
/// Calls never block.
#[derive(Debug)]
pub struct TunnelSocket {
    receiver: Socket,
    senders: Arc<Senders>,
}

impl TunnelSocket {
    /// Opens the sockets of so many workers, in the calling thread's namespace. Each datagram to the port is
    /// received by one of them, by a hash of its addresses and ports (`SO_REUSEPORT`).
    ///
    /// A UDP checksum of zero is accepted, with IPv6 as well (RFC 7348 §5 has no exception); one that is wrong
    /// is not, and the kernel drops the datagram without a word.
    ///
    /// # Errors
    /// `AddrInUse` if the port is taken at that address, by a program or by a tunnel of the kernel's;
    /// `AddrNotAvailable` if the host does not have the address.
    pub fn open_group(config: &TunnelConfig, workers: usize) -> io::Result<Vec<Self>> {
        let mut receivers = Vec::with_capacity(workers);
        for _ in 0..workers {
            let receiver = config.receiver()?;
            if !receivers.is_empty() {
                receiver.set_reuse_port(true)?;
            }
            receiver.bind(&config.address(config.local, config.port))?;
            // The first is bound without: so it is alone, and nobody who set these two is taken for one of the
            // group, as another switch would be. From now on, the others can join it, and group sockets that of
            // all addresses.
            receiver.set_reuse_port(true)?;
            receiver.set_reuse_address(true)?;
            receivers.push(receiver);
        }
        let senders = Arc::new(Senders::open(config)?);
        let with_senders = |receiver| Self {
            receiver,
            senders: Arc::clone(&senders),
        };
        Ok(receivers.into_iter().map(with_senders).collect())
    }

    /// Receives a datagram, or several of one length from the same source port ([`Received::segment`]), in a
    /// buffer that best has room for 65535 bytes.
    ///
    /// # Errors
    /// `WouldBlock` if none waits; `EMSGSIZE` if there was no room for it, which loses it.
    #[inline]
    pub fn receive(&self, room: &mut [u8]) -> io::Result<Received> {
        Received::receive(&self.receiver, room)
    }

    /// Sends a datagram that is these parts (1024 at most), or the datagrams that it is cut into: with `segment`,
    /// each has so many bytes, and the last one the rest.
    ///
    /// Datagrams of the same `entropy` have the same source port. `tos` is the IPv4 TOS or IPv6 traffic class,
    /// with the ECN bits. Without a `ttl`, the kernel's default is used, which is 1 for a multicast group.
    ///
    /// A batch that is 65536 bytes or more with all its headers is cut on this host, whatever the interface can do.
    ///
    /// The network's answers, such as "port unreachable", are never an error here, as the socket has no peer; nor
    /// is a full queue of the interface.
    ///
    /// # Errors
    /// The kernel's, and nothing was sent. On Linux 6.18:
    /// - `EMSGSIZE`: a datagram, or a segment, is longer than the path's MTU ([`path_mtu`] tells it; of a segment,
    ///   older kernels say `EINVAL`); or all together are more than 65507 bytes (IPv6: 65527), or more than 1024
    ///   parts.
    /// - `EINVAL`: more than 128 segments (older kernels: 64), a blackhole route, over IPv4 a `ttl` of 0.
    /// - `EIO`: several segments through IPsec, and on older kernels over an interface that cannot do checksums:
    ///   send them one by one.
    /// - `WouldBlock`: the socket has no room; `ENOBUFS`: the host has no memory.
    /// - `ENETUNREACH`: no route, or the host does not have the tunnel's local address any more. Over IPv6, it
    ///   goes on sending from that.
    /// - `EHOSTUNREACH`, `EACCES`: a route that is `unreachable` or `prohibit`. A neighbour that does not answer is
    ///   no error.
    /// - `EPERM`: the host's firewall dropped it.
    /// - `EAFNOSUPPORT`, `ENETUNREACH`: not an address of the tunnel's family.
    #[inline]
    pub fn send(
        &self,
        to: SocketAddr,
        entropy: u16,
        tos: u8,
        ttl: Option<u8>,
        segment: Option<u16>,
        parts: &[IoSlice<'_>],
    ) -> io::Result<()> {
        self.senders.send(to, entropy, tos, ttl, segment, parts)
    }
}

/// The socket that receives.
impl AsFd for TunnelSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.receiver.as_fd()
    }
}
