//! The host's NICs, as the router sees them.

use std::sync::Arc;

use ipnet::IpNet;
use vswitch_packet::MacAddr;

use crate::neighbour::Neighbours;
use crate::port::PortId;

/// A NIC of the host that leads outside. Its frames are shared with the host's kernel: what is not
/// for us is let go without a word.
#[derive(Clone, Debug)]
pub struct Uplink {
    /// Its port, of [`crate::Role::Uplink`].
    pub port: PortId,
    /// Its address on the link.
    pub mac: MacAddr,
    /// The host's addresses on it, the preferred source of each family first.
    pub addresses: Vec<IpNet>,
    /// Who is on the link.
    pub neighbours: Arc<Neighbours>,
}
