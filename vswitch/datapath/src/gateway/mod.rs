//! The router's interface on a bridge: it owns the gateway's addresses, answers ARP, ND and ping
//! for them, and hands the host's traffic to the host port.

pub(crate) mod arp;
mod echo;
pub(crate) mod nd;
mod point_to_point;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use ipnet::IpNet;
use vswitch_packet::ethernet::{HEADER_LEN, TAG_LEN};
use vswitch_packet::ip::{Fragment, IpHeader, Version, protocol};
use vswitch_packet::{Frame, MacAddr, Moment, Network, PartialChecksum, checksum};

use crate::bridge::BridgeId;
use crate::heard::Heard;
use crate::identity::link_local;
use crate::neighbour::Neighbours;
use crate::port::{Port, PortId, Role};
use crate::router::{Interface, MAX_NOTICE, Passage, Policy, is_link_scoped, is_source_nowhere};
use crate::topology::Topology;
use crate::verdict::{DropReason, Verdict};

/// A gateway's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gateway {
    /// The router's MAC address on this bridge, also that of the host port's TAP.
    pub mac: MacAddr,
    /// How it reaches who is on its link.
    pub link: GatewayLink,
    /// Its addresses, each with the subnet's prefix.
    pub addresses: Vec<IpNet>,
    /// What is on the link besides, though the gateway has no address there.
    pub subnets: Vec<IpNet>,
    /// The port towards the host, if there is one.
    pub host_port: Option<PortId>,
    /// What may cross it.
    pub policy: Policy,
}

/// How a gateway and who is on its link reach each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum GatewayLink {
    /// By ARP and ND, on a segment where everybody reaches everybody.
    #[default]
    Broadcast,
    /// Each endpoint has a link of its own to the gateway, without ARP and ND (`IFF_NOARP`), as with
    /// Linux' ipvlan in mode l3: both ends have the gateway's MAC address, and who has which address
    /// is configured.
    PointToPoint,
}

/// Room for an answer that does not fit in the place of its question, untagged: ARP, ND, or an ICMP
/// error.
pub type Reply = [u8; REPLY_LEN];

/// Octets of a [`Reply`].
pub const REPLY_LEN: usize = HEADER_LEN + MAX_NOTICE;

impl Gateway {
    /// Looks at a frame on its way through `bridge`: one to the gateway's MAC address, or to a
    /// group. The frame is of no VLAN, and its source was checked.
    ///
    /// `None` means that the frame is not the gateway's affair and goes on through the bridge; a
    /// frame to the gateway's MAC address never does. [`Verdict::Reply`] is written untagged; with
    /// [`Verdict::Out`] towards the ingress port, `frame` was turned into the answer.
    pub fn receive(
        &self,
        topology: &Topology,
        (bridge, neighbours): (BridgeId, &Neighbours),
        ingress: &Port,
        frame: &mut Frame<'_>,
        reply: &mut Reply,
        now: Moment,
    ) -> Option<Verdict> {
        let to_us = frame.destination() == self.mac;
        let unserved = |reason| to_us.then_some(Verdict::Drop(reason));
        if ingress.role == Role::Host {
            // The host's kernel holds the same addresses and answers for itself.
            return unserved(DropReason::Hairpin);
        }
        // A priority tag is as good as none; a second tag names a VLAN, which has no gateway.
        if usize::from(frame.layout().link_len) > HEADER_LEN + TAG_LEN {
            return unserved(DropReason::NotServed);
        }
        let interface = Interface::of_gateway(bridge, self, neighbours);
        let heard = Heard {
            interface,
            pending: &topology.router().pending,
            port: ingress,
            now,
        };
        match frame.network() {
            Network::Arp { start } => {
                let packet = frame.bytes().get(usize::from(start)..).unwrap_or_default();
                arp::receive(self, heard, packet, to_us, reply)
            }
            Network::Ip(ip) => {
                let answer = match ip.version {
                    Version::V4 => None,
                    Version::V6 => nd::receive(self, heard, frame, &ip, to_us, reply),
                };
                let passage = Passage::new(topology, ingress, interface, now);
                answer.or_else(|| to_us.then(|| self.receive_ip(&passage, frame, &ip, reply)))
            }
            Network::Malformed => unserved(DropReason::BadIpHeader),
            Network::Opaque => unserved(DropReason::NotServed),
        }
    }

    /// An IP packet to the gateway's MAC address.
    fn receive_ip(
        &self,
        passage: &Passage<'_>,
        frame: &mut Frame<'_>,
        ip: &IpHeader,
        reply: &mut Reply,
    ) -> Verdict {
        let (source, destination) = (ip.source(frame.bytes()), ip.destination(frame.bytes()));
        // RFC 1812 §5.2.2: parsing has seen to the lengths. §5.3.7: the martians.
        if !ip.checksum_ok(frame.bytes()) || is_source_nowhere(source) {
            return Verdict::Drop(DropReason::BadIpHeader);
        }
        if self.is_own(source) {
            return Verdict::Drop(DropReason::SpoofedAddress);
        }
        let answered = self.answers_for(destination);
        if answered && echo::answer(frame, ip) {
            return passage.back();
        }
        if answered || passage.is_host(destination) {
            let turned = passage.hairpin(&self.policy, frame, ip, reply);
            return turned.unwrap_or_else(|| self.to_host(passage.ingress()));
        }
        if is_link_scoped(destination) {
            return self.to_host(passage.ingress());
        }
        if destination.is_loopback() || destination.is_unspecified() {
            return Verdict::Drop(DropReason::BadIpHeader);
        }
        passage.forward(&self.policy, frame, ip, reply)
    }

    /// What the gateway leaves to the host's kernel: nothing from other hosts, as its answers would
    /// go to the container of this host that has the address, or to none.
    fn to_host(&self, from: &Port) -> Verdict {
        match self.host_port {
            _ if from.role == Role::Tunnel => Verdict::Drop(DropReason::NotLocal),
            Some(port) => Verdict::Out(port),
            None => Verdict::Drop(DropReason::NotServed),
        }
    }

    /// What the router has heard, and the host's kernel may have asked a container of this host for as
    /// well.
    fn to_host_or_taken(&self, from: &Port) -> Verdict {
        match self.host_port {
            Some(port) if from.role != Role::Tunnel => Verdict::Out(port),
            _ => Verdict::Taken,
        }
    }

    /// Whether `address` is one of the gateway's configured addresses.
    fn owns(&self, address: IpAddr) -> bool {
        self.addresses.iter().any(|own| own.addr() == address)
    }

    /// What is on its link.
    pub(crate) fn on_link(&self) -> impl Iterator<Item = &IpNet> {
        self.addresses.iter().chain(&self.subnets)
    }

    /// Whether `address` is the link-local one of the gateway's MAC address. On a point-to-point link
    /// it would be the endpoint's as well, so there is none.
    fn is_own_link_local(&self, address: IpAddr) -> bool {
        self.link == GatewayLink::Broadcast && address == IpAddr::V6(link_local(self.mac))
    }

    /// Whether nobody else may claim `address`.
    pub(crate) fn is_own(&self, address: IpAddr) -> bool {
        self.owns(address) || self.is_own_link_local(address)
    }

    /// Whether the gateway itself speaks for `address`. For the link-local address the host's
    /// kernel does, where there is one behind the host port.
    fn answers_for(&self, address: IpAddr) -> bool {
        self.owns(address) || (self.host_port.is_none() && self.is_own_link_local(address))
    }
}

/// The octets of an ICMP, ICMPv6 or IGMP message, if they came in one piece and their checksum is
/// right or still to be completed.
pub(crate) fn verified_message<'f>(frame: &'f Frame<'_>, ip: &IpHeader) -> Option<&'f [u8]> {
    if ip.fragment != Fragment::No {
        return None;
    }
    let message = frame
        .bytes()
        .get(usize::from(ip.payload)..ip.end as usize)?;
    let verified = match frame.offload().checksum {
        Some(partial) => {
            partial
                == PartialChecksum {
                    start: ip.payload,
                    offset: 2,
                }
        }
        None => {
            let pseudo = match ip.protocol {
                protocol::ICMPV6 => {
                    let addresses = ip.addresses(frame.bytes());
                    checksum::pseudo_header(addresses, ip.protocol, message.len() as u32)
                }
                _ => 0,
            };
            checksum::add(checksum::sum(message), pseudo) == 0xffff
        }
    };
    verified.then_some(message)
}
