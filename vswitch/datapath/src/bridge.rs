//! A bridge: the switch instance of one network.

use std::sync::Arc;

use crate::fdb::Fdb;
use crate::gateway::Gateway;
use crate::neighbour::Neighbours;
use crate::port::PortId;
use crate::snoop::Groups;

/// A bridge's place in the [`crate::Topology`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BridgeId(pub u32);

/// One bridge: its configuration, and handles to what it has learned, which outlives a change of
/// the topology.
#[derive(Clone, Debug)]
pub struct Bridge {
    /// Its place.
    pub id: BridgeId,
    /// Its ports, in the order they were added.
    pub ports: Vec<PortId>,
    /// Which address is behind which port.
    pub fdb: Arc<Fdb>,
    /// Which IP address has which MAC address.
    pub neighbours: Arc<Neighbours>,
    /// Multicast membership, if the network snoops on IGMP and MLD.
    pub groups: Option<Arc<Groups>>,
    /// The router's interface on this bridge.
    pub gateway: Option<Gateway>,
}
