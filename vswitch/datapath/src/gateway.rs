//! The router's interface on a bridge: it owns the gateway's addresses, answers ARP, ND and ping
//! for them, and hands the host's traffic to the host port.

use ipnet::IpNet;
use vswitch_packet::{Frame, MacAddr, Moment};

use crate::neighbour::Neighbours;
use crate::port::{Port, PortId};
use crate::topology::Topology;
use crate::verdict::Verdict;

/// A gateway's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gateway {
    /// The router's MAC address on this bridge, also that of the host port's TAP.
    pub mac: MacAddr,
    /// Its addresses, each with the subnet's prefix.
    pub addresses: Vec<IpNet>,
    /// The port towards the host, if there is one.
    pub host_port: Option<PortId>,
}

/// Room for an answer that does not fit in the place of its question: ARP or ND, which takes 86
/// octets at most, with a tag of 4 to spare.
pub type Reply = [u8; 96];

impl Gateway {
    /// Looks at a frame on its way through the bridge: one to the gateway's MAC address, or to a
    /// group.
    ///
    /// `None` means that the frame is not the gateway's affair and goes on through the bridge.
    pub fn receive(
        &self,
        topology: &Topology,
        neighbours: &Neighbours,
        ingress: &Port,
        frame: &mut Frame<'_>,
        reply: &mut Reply,
        now: Moment,
    ) -> Option<Verdict> {
        let _ = (topology, neighbours, ingress, frame, reply, now);
        None
    }
}
