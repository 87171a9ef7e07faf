//! A bridge: the switch instance of one network.

use std::sync::Arc;

use vswitch_packet::Moment;

use crate::fdb::Fdb;
use crate::gateway::Gateway;
use crate::lan::Lan;
use crate::neighbour::{Neighbour, Neighbours, Origin};
use crate::port::PortId;
use crate::snoop::Groups;
use crate::tunnel::Overlay;
use crate::vlan::Vlan;

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
    /// The segment that it is a part of, with bridges of other hosts.
    pub overlay: Option<Overlay>,
    /// The physical segment that it is a part of. Then it has no gateway and learns nothing.
    pub lan: Option<Lan>,
}

impl Bridge {
    /// The port `neighbour` is behind. A learned one may have moved since it was heard.
    pub(crate) fn port_of(&self, neighbour: &Neighbour, now: Moment) -> PortId {
        match neighbour.origin {
            Origin::Static => neighbour.port,
            Origin::Learned => {
                let seen = self.fdb.lookup(Vlan::NONE, neighbour.mac, now);
                seen.unwrap_or(neighbour.port)
            }
        }
    }
}
