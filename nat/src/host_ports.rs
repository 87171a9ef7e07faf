//! The ports that translation shares with the host.

use std::net::SocketAddr;

use crate::tuple::Protocol;

/// Which of the host's ports are the host's, and which are ours. Called only for TCP, UDP and SCTP,
/// when a mapping begins and when it ends, while the part of the table that it is in is locked: it
/// is to be quick, and must not call the translator. Published ports are not taken.
pub trait HostPorts: Send + Sync {
    /// Takes a port of one of the host's addresses for a mapping: from now on its packets are ours
    /// and not the host's. False if the host uses it.
    fn take(&self, protocol: Protocol, external: SocketAddr) -> bool;

    /// The last port of those from `port` on that the host keeps for itself altogether, whatever its
    /// sockets have: [`HostPorts::take`] refuses them all, and a search passes over them at once. `None`
    /// if `port` is none of these.
    fn kept_until(&self, _port: u16) -> Option<u16> {
        None
    }

    /// The mapping has ended.
    fn give_back(&self, protocol: Protocol, external: SocketAddr);
}

/// A host that uses no port itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct AllFree;

impl HostPorts for AllFree {
    fn take(&self, _protocol: Protocol, _external: SocketAddr) -> bool {
        true
    }

    fn give_back(&self, _protocol: Protocol, _external: SocketAddr) {}
}
