//! A gateway on point-to-point links. Without ARP, ND, and groups, all that is left to it is to route.

use core::ops::RangeInclusive;

use vswitch_packet::ethernet::{HEADER_LEN, TAG_LEN};
use vswitch_packet::ip::{Fragment, IpHeader, Version, protocol};
use vswitch_packet::{Frame, Moment, Network};

use super::{Gateway, Reply};
use crate::bridge::BridgeId;
use crate::neighbour::Neighbours;
use crate::port::{Port, Role};
use crate::router::{Interface, Passage};
use crate::topology::Topology;
use crate::verdict::{DropReason, Verdict};

/// The ICMPv6 types of ND, RFC 4861 §4.
const NEIGHBOUR_DISCOVERY: RangeInclusive<u8> = 133..=137;

impl Gateway {
    /// What becomes of a frame on [`crate::GatewayLink::PointToPoint`]. Its addresses were checked, as
    /// far as the port's are.
    #[inline(never)]
    pub(crate) fn receive_point_to_point(
        &self,
        topology: &Topology,
        (bridge, neighbours): (BridgeId, &Neighbours),
        ingress: &Port,
        frame: &mut Frame<'_>,
        reply: &mut Reply,
        now: Moment,
    ) -> Verdict {
        match self.served(ingress, frame) {
            Ok(ip) => {
                let interface = Interface::of_gateway(bridge, self, neighbours);
                let passage = Passage::new(topology, ingress, interface, now);
                self.receive_ip(&passage, frame, &ip, reply)
            }
            Err(reason) => Verdict::Drop(reason),
        }
    }

    /// The IP header of a packet that the gateway has to deal with.
    fn served(&self, ingress: &Port, frame: &Frame<'_>) -> Result<IpHeader, DropReason> {
        if ingress.role != Role::Endpoint {
            return Err(DropReason::NotServed);
        }
        if frame.source() != self.mac {
            return Err(DropReason::SpoofedMac);
        }
        let layout = frame.layout();
        if usize::from(layout.link_len) > HEADER_LEN + TAG_LEN
            || layout.tag.is_some_and(|tag| tag.0 & 0x0fff != 0)
        {
            return Err(DropReason::VlanNotAllowed);
        }
        // Linux sends everything but multicast to the interface's own address where there is no ARP,
        // broadcasts too (`arp_constructor`, `ndisc_constructor` of 6.12).
        if frame.destination() != self.mac {
            return Err(DropReason::NotServed);
        }
        match frame.network() {
            Network::Ip(ip) if !is_neighbour_discovery(frame, &ip) => Ok(ip),
            Network::Malformed => Err(DropReason::BadIpHeader),
            Network::Ip(_) | Network::Arp { .. } | Network::Opaque => Err(DropReason::NotServed),
        }
    }
}

fn is_neighbour_discovery(frame: &Frame<'_>, ip: &IpHeader) -> bool {
    let kind = frame.bytes().get(usize::from(ip.payload));
    ip.version == Version::V6
        && ip.protocol == protocol::ICMPV6
        && ip.fragment != Fragment::Later
        && kind.is_some_and(|kind| NEIGHBOUR_DISCOVERY.contains(kind))
}
