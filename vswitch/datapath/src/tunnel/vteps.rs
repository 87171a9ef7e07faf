//! Where datagrams of tunnels are taken, on this host and on others. Who is known by its address alone
//! could be imitated by a container whose packets leave with that address.

use std::collections::HashSet;
use std::net::SocketAddr;

use foldhash::fast::RandomState;
use vswitch_packet::Frame;
use vswitch_packet::ip::{Fragment, IpHeader, protocol};

use super::Tunnel;

/// The sockets of all tunnels.
#[derive(Debug, Default)]
pub(crate) struct Vteps {
    /// Ours: each segment has one port on all hosts.
    ports: HashSet<u16, RandomState>,
    peers: HashSet<SocketAddr, RandomState>,
}

impl Vteps {
    pub(super) fn insert(&mut self, tunnel: &Tunnel) {
        self.ports.insert(tunnel.peer.port());
        let (address, port) = (tunnel.peer.ip(), tunnel.peer.port());
        self.peers.insert(SocketAddr::new(address, port));
    }

    /// Whether this host would take `ip` for a datagram of a tunnel, if it came to an address of its.
    #[inline]
    pub(crate) fn is_here(&self, frame: &Frame<'_>, ip: &IpHeader) -> bool {
        let port = || udp_port(frame, ip);
        !self.ports.is_empty() && port().is_some_and(|port| self.ports.contains(&port))
    }

    /// Whether a peer would take `ip` for a datagram of a tunnel.
    #[inline]
    pub(crate) fn is_peer(&self, frame: &Frame<'_>, ip: &IpHeader) -> bool {
        self.is_here(frame, ip)
            && udp_port(frame, ip).is_some_and(|port| {
                let to = SocketAddr::new(ip.destination(frame.bytes()), port);
                self.peers.contains(&to)
            })
    }
}

/// The destination port. Without its first fragment, a datagram does not arrive.
fn udp_port(frame: &Frame<'_>, ip: &IpHeader) -> Option<u16> {
    if ip.protocol != protocol::UDP || ip.fragment == Fragment::Later {
        return None;
    }
    let ports = frame.bytes().get(usize::from(ip.payload)..)?;
    let &[_, _, a, b] = ports.first_chunk()?;
    Some(u16::from_be_bytes([a, b]))
}
