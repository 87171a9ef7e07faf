//! The host's ports, shared between its own sockets and translation.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use vswitch_nat::{HostPorts, Protocol};
use vswitch_netio::TransportProtocol;
use vswitch_netio::divert::DivertClaims;

use super::division::Division;

/// What both sides of the sharing look at.
#[derive(Clone, Debug)]
pub(crate) struct SharedPorts {
    claims: Option<DivertClaims>,
    used: Arc<ArcSwap<HashSet<(Protocol, u16)>>>,
    division: Arc<ArcSwap<Division>>,
}

impl SharedPorts {
    pub(crate) fn new(claims: Option<DivertClaims>, division: Division) -> Self {
        Self {
            claims,
            used: Arc::default(),
            division: Arc::new(ArcSwap::from_pointee(division)),
        }
    }

    /// Who has which of the ephemeral ports.
    pub(crate) fn division(&self) -> Arc<Division> {
        self.division.load_full()
    }

    /// Replaces the division of the ephemeral ports.
    pub(crate) fn set_division(&self, division: Division) {
        self.division.store(Arc::new(division));
    }

    /// Replaces what is known of the ports that the host's sockets are bound to.
    pub(crate) fn set_used(&self, used: HashSet<(Protocol, u16)>) -> Arc<HashSet<(Protocol, u16)>> {
        let used = Arc::new(used);
        self.used.store(Arc::clone(&used));
        used
    }
}

impl HostPorts for SharedPorts {
    fn take(&self, protocol: Protocol, external: SocketAddr) -> bool {
        let port = external.port();
        if self.division.load().is_kernels(port) || self.used.load().contains(&(protocol, port)) {
            return false;
        }
        match (&self.claims, transport(protocol)) {
            // At an address that no uplink has, such as a gateway's, only containers are heard, and their
            // frames are not the kernel's to begin with.
            (Some(claims), Some(transport)) => {
                claims.claim(external.ip(), transport, port) || !claims.has(external.ip())
            }
            _ => false,
        }
    }

    fn kept_until(&self, port: u16) -> Option<u16> {
        self.division.load().kernels_until(port)
    }

    fn give_back(&self, protocol: Protocol, external: SocketAddr) {
        if let (Some(claims), Some(transport)) = (&self.claims, transport(protocol)) {
            claims.release(external.ip(), transport, external.port());
        }
    }
}

/// The protocols whose ports are shared.
pub(crate) const fn transport(protocol: Protocol) -> Option<TransportProtocol> {
    match protocol {
        Protocol::Tcp => Some(TransportProtocol::Tcp),
        Protocol::Udp => Some(TransportProtocol::Udp),
        Protocol::Sctp => Some(TransportProtocol::Sctp),
        Protocol::Echo | Protocol::Other(_) => None,
    }
}
