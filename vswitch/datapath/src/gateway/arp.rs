//! ARP for the gateway's addresses (RFC 826, RFC 5227).

use core::net::Ipv4Addr;
use std::net::IpAddr;

use smoltcp::wire::{
    ArpOperation, ArpPacket, ArpRepr, EthernetAddress, EthernetFrame, EthernetProtocol,
    EthernetRepr,
};
use vswitch_packet::MacAddr;
use vswitch_packet::ethernet::HEADER_LEN;

use super::{Gateway, Reply};
use crate::heard::Heard;
use crate::port::Role;
use crate::verdict::{DropReason, Verdict};

/// What happens to the ARP `packet` of an endpoint, which came to the gateway's MAC address
/// (`to_us`) or to a group.
///
/// The order of RFC 826, "Packet Reception": what is known of the sender is updated whatever the
/// packet is; who is unknown is learned only if the packet is for us; the operation comes last.
pub(super) fn receive(
    gateway: &Gateway,
    heard: Heard<'_>,
    packet: &[u8],
    to_us: bool,
    reply: &mut Reply,
) -> Option<Verdict> {
    let arp = ArpPacket::new_checked(packet).ok()?;
    let sender = ipv4(arp.source_protocol_addr());
    let target = ipv4(arp.target_protocol_addr());
    let sender_mac = MacAddr(*arp.source_hardware_addr().first_chunk().unwrap_or(&[0; 6]));
    let left = |verdict| to_us.then_some(verdict);

    if gateway.owns(IpAddr::V4(sender)) {
        // The same gateway of another host may ask, and is no neighbour.
        return match heard.port.role {
            Role::Tunnel => left(Verdict::Drop(DropReason::NotLocal)),
            _ => Some(Verdict::Drop(DropReason::SpoofedAddress)),
        };
    }
    // RFC 1812 §3.3.2: a group's hardware address is not to be believed.
    if !sender_mac.is_valid_source() {
        return left(Verdict::Drop(DropReason::NotServed));
    }
    heard.refresh(IpAddr::V4(sender), sender_mac);
    let asked_of_us = gateway.owns(IpAddr::V4(target));
    if asked_of_us || to_us {
        heard.learn(IpAddr::V4(sender), sender_mac);
    }
    match arp.operation() {
        // A probe (from 0.0.0.0) is answered like any request: RFC 5227 §2.1.1 wants the prober
        // to notice.
        ArpOperation::Request if asked_of_us => Some(Verdict::Reply(answer(
            gateway.mac,
            target,
            (sender, sender_mac),
            reply,
        ))),
        // The host's kernel has addresses of its own, and questions of its own to be answered.
        ArpOperation::Request => left(gateway.to_host(heard.port)),
        ArpOperation::Reply => left(gateway.to_host_or_taken(heard.port)),
        ArpOperation::Unknown(_) => left(Verdict::Drop(DropReason::NotServed)),
    }
}

/// Writes "`owned` is at `mac`", for `asker`; gives its length.
pub(crate) fn answer(
    mac: MacAddr,
    owned: Ipv4Addr,
    (asker, asker_mac): (Ipv4Addr, MacAddr),
    reply: &mut Reply,
) -> usize {
    let arp = ArpRepr::EthernetIpv4 {
        operation: ArpOperation::Reply,
        source_hardware_addr: EthernetAddress(mac.0),
        source_protocol_addr: owned,
        target_hardware_addr: EthernetAddress(asker_mac.0),
        target_protocol_addr: asker,
    };
    let link = EthernetRepr {
        src_addr: EthernetAddress(mac.0),
        dst_addr: EthernetAddress(asker_mac.0),
        ethertype: EthernetProtocol::Arp,
    };
    let mut frame = EthernetFrame::new_unchecked(&mut reply[..]);
    link.emit(&mut frame);
    arp.emit(&mut ArpPacket::new_unchecked(frame.payload_mut()));
    HEADER_LEN + arp.buffer_len()
}

fn ipv4(octets: &[u8]) -> Ipv4Addr {
    Ipv4Addr::from(*octets.first_chunk().unwrap_or(&[0; 4]))
}
