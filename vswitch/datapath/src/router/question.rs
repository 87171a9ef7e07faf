//! Questions after neighbours: ARP requests (RFC 826) and neighbour solicitations (RFC 4861 §4.3).

use core::net::{Ipv4Addr, Ipv6Addr};
use std::net::IpAddr;

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    ArpOperation, ArpPacket, ArpRepr, EthernetAddress, EthernetFrame, EthernetProtocol,
    EthernetRepr, Icmpv6Packet, Icmpv6Repr, IpProtocol, Ipv6Packet, Ipv6Repr, NdiscRepr,
};
use vswitch_packet::MacAddr;
use vswitch_packet::ethernet::HEADER_LEN;

use super::interface::Interface;
use crate::gateway::nd;

/// Writes to the front of `reply` the question who has `address` on `interface`; `to` is the
/// neighbour itself, if it only has to confirm. Gives the length of the frame, or `None` if the
/// interface has no address to ask from.
pub(crate) fn write(
    interface: &Interface<'_>,
    address: IpAddr,
    to: Option<MacAddr>,
    reply: &mut [u8],
) -> Option<usize> {
    match (address, interface.address_towards(address)?) {
        (IpAddr::V4(target), IpAddr::V4(own)) => Some(arp(
            interface.mac,
            own,
            target,
            to.unwrap_or(MacAddr::BROADCAST),
            reply,
        )),
        (IpAddr::V6(target), IpAddr::V6(own)) => {
            Some(solicitation(interface.mac, own, target, to, reply))
        }
        _ => None,
    }
}

/// Writes the request of the one at `mac` and `own` after `target`; gives its length.
pub(crate) fn arp(
    mac: MacAddr,
    own: Ipv4Addr,
    target: Ipv4Addr,
    to: MacAddr,
    reply: &mut [u8],
) -> usize {
    let arp = ArpRepr::EthernetIpv4 {
        operation: ArpOperation::Request,
        source_hardware_addr: EthernetAddress(mac.0),
        source_protocol_addr: own,
        target_hardware_addr: EthernetAddress([0; 6]),
        target_protocol_addr: target,
    };
    let mut frame = link(mac, to, EthernetProtocol::Arp, reply);
    arp.emit(&mut ArpPacket::new_unchecked(frame.payload_mut()));
    HEADER_LEN + arp.buffer_len()
}

fn solicitation(
    mac: MacAddr,
    own: Ipv6Addr,
    target: Ipv6Addr,
    to: Option<MacAddr>,
    reply: &mut [u8],
) -> usize {
    let body = Icmpv6Repr::Ndisc(NdiscRepr::NeighborSolicit {
        target_addr: target,
        lladdr: Some(EthernetAddress(mac.0).into()),
    });
    let destination = if to.is_some() {
        target
    } else {
        nd::solicited_node(target)
    };
    let [.., a, b, c, d] = destination.octets();
    let ip = Ipv6Repr {
        src_addr: own,
        dst_addr: destination,
        next_header: IpProtocol::Icmpv6,
        payload_len: body.buffer_len(),
        hop_limit: nd::HOP_LIMIT,
    };
    // RFC 2464 §7.
    let to = to.unwrap_or(MacAddr([0x33, 0x33, a, b, c, d]));
    let mut frame = link(mac, to, EthernetProtocol::Ipv6, reply);
    let mut packet = Ipv6Packet::new_unchecked(frame.payload_mut());
    ip.emit(&mut packet);
    let mut message = Icmpv6Packet::new_unchecked(packet.payload_mut());
    body.emit(
        &own,
        &destination,
        &mut message,
        &ChecksumCapabilities::default(),
    );
    HEADER_LEN + ip.buffer_len() + body.buffer_len()
}

fn link(
    from: MacAddr,
    to: MacAddr,
    ethertype: EthernetProtocol,
    reply: &mut [u8],
) -> EthernetFrame<&mut [u8]> {
    let link = EthernetRepr {
        src_addr: EthernetAddress(from.0),
        dst_addr: EthernetAddress(to.0),
        ethertype,
    };
    let mut frame = EthernetFrame::new_unchecked(reply);
    link.emit(&mut frame);
    frame
}
