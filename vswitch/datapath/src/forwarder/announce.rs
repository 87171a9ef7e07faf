//! A container that came to this host: other hosts are told at once.

use std::net::IpAddr;

use super::{Forwarder, Way};
use crate::announcement::announce;
use crate::bridge::BridgeId;
use crate::lan::Member;
use crate::pipeline::Pipeline;
use crate::port::PortId;
use crate::transmit::Wires;
use crate::vlan::{TagAction, Vlan};

impl Forwarder {
    /// Announces the endpoint at `port` of `bridge`, with its `addresses`, by all tunnels that frames
    /// for everybody go by, or on its LAN. To be called when it was attached. An endpoint in a VLAN is
    /// none of the untagged segment, and speaks for itself.
    pub fn announce<W: Wires>(
        &mut self,
        (bridge, port): (BridgeId, PortId),
        addresses: &[IpAddr],
        pipeline: &Pipeline<'_>,
        wires: &mut W,
    ) {
        let topology = pipeline.topology();
        let (Some(bridge), Some(endpoint)) = (topology.bridge(bridge), topology.port(port)) else {
            return;
        };
        if !Vlan::NONE.leaves_by(endpoint) {
            return;
        }
        let mut way = Way {
            trains: &mut self.trains,
            scratch: &mut self.scratch,
            pipeline,
            wires,
        };
        if let (Some(lan), Some(station)) = (bridge.lan, Member::of(endpoint)) {
            return way.announce_on(lan, station, addresses);
        }
        announce(addresses, endpoint.mac, |frame| {
            let ports = bridge.ports.iter().filter_map(|&port| topology.port(port));
            for port in ports {
                if port.tunnel.as_ref().is_some_and(|t| t.is_flooded) {
                    way.transmit(port).plain(frame, TagAction::Keep);
                }
            }
        });
    }
}
