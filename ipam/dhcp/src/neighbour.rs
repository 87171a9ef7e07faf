//! Who has an address: what ARP (RFC 826) and Neighbour Discovery (RFC 4861) ask and say.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    ArpOperation, ArpPacket, ArpRepr, EthernetAddress, EthernetFrame, EthernetProtocol,
    EthernetRepr, Icmpv6Packet, Icmpv6Repr, IpProtocol, Ipv6Packet, Ipv6Repr, NdiscRepr,
    RawHardwareAddress,
};
use vswitch_packet::MacAddr;
use vswitch_packet::ethernet::HEADER_LEN;

/// Whoever sees less was not sent on this link (RFC 4861 §7.1).
const HOP_LIMIT: u8 = 255;

/// What a frame says about an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) address: IpAddr,
    /// Who has it or wants it, by its own word.
    pub(crate) station: MacAddr,
    /// The frame's source; another one if somebody answers for the station.
    pub(crate) sender: MacAddr,
    pub(crate) claim: Claim,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// It uses the address.
    Has,
    /// It is about to, and asks whether somebody else does (RFC 5227 §1.1, RFC 4862 §5.4.2).
    Wants,
}

/// The frame that asks who has `target`: from `source`, or from nobody, as one asks before using an address.
pub(crate) fn question(mac: MacAddr, source: Option<IpAddr>, target: IpAddr) -> Vec<u8> {
    match target {
        IpAddr::V4(target) => {
            let source = match source {
                Some(IpAddr::V4(source)) => source,
                _ => Ipv4Addr::UNSPECIFIED,
            };
            arp_request(mac, source, target)
        }
        IpAddr::V6(target) => {
            let source = match source {
                Some(IpAddr::V6(source)) => source,
                _ => Ipv6Addr::UNSPECIFIED,
            };
            solicitation(mac, source, target)
        }
    }
}

fn arp_request(mac: MacAddr, source: Ipv4Addr, target: Ipv4Addr) -> Vec<u8> {
    let arp = ArpRepr::EthernetIpv4 {
        operation: ArpOperation::Request,
        source_hardware_addr: EthernetAddress(mac.0),
        source_protocol_addr: source,
        target_hardware_addr: EthernetAddress([0; 6]),
        target_protocol_addr: target,
    };
    let mut octets = vec![0; HEADER_LEN + arp.buffer_len()];
    let mut frame = link(mac, MacAddr::BROADCAST, EthernetProtocol::Arp, &mut octets);
    arp.emit(&mut ArpPacket::new_unchecked(frame.payload_mut()));
    octets
}

fn solicitation(mac: MacAddr, source: Ipv6Addr, target: Ipv6Addr) -> Vec<u8> {
    let body = Icmpv6Repr::Ndisc(NdiscRepr::NeighborSolicit {
        target_addr: target,
        // RFC 4861 §4.3: never from the unspecified address.
        lladdr: (!source.is_unspecified()).then(|| EthernetAddress(mac.0).into()),
    });
    let destination = solicited_node(target);
    let ip = Ipv6Repr {
        src_addr: source,
        dst_addr: destination,
        next_header: IpProtocol::Icmpv6,
        payload_len: body.buffer_len(),
        hop_limit: HOP_LIMIT,
    };
    let [.., a, b, c, d] = destination.octets();
    // RFC 2464 §7.
    let to = MacAddr([0x33, 0x33, a, b, c, d]);
    let mut octets = vec![0; HEADER_LEN + ip.buffer_len() + body.buffer_len()];
    let mut frame = link(mac, to, EthernetProtocol::Ipv6, &mut octets);
    let mut packet = Ipv6Packet::new_unchecked(frame.payload_mut());
    ip.emit(&mut packet);
    let mut message = Icmpv6Packet::new_unchecked(packet.payload_mut());
    body.emit(
        &source,
        &destination,
        &mut message,
        &ChecksumCapabilities::default(),
    );
    octets
}

fn link(
    from: MacAddr,
    to: MacAddr,
    ethertype: EthernetProtocol,
    octets: &mut [u8],
) -> EthernetFrame<&mut [u8]> {
    let link = EthernetRepr {
        src_addr: EthernetAddress(from.0),
        dst_addr: EthernetAddress(to.0),
        ethertype,
    };
    let mut frame = EthernetFrame::new_unchecked(octets);
    link.emit(&mut frame);
    frame
}

/// What an untagged frame says about an address, if it is well-formed and does.
pub(crate) fn read(frame: &[u8]) -> Option<Heard> {
    let frame = EthernetFrame::new_checked(frame).ok()?;
    let sender = MacAddr(frame.src_addr().0);
    let heard = match frame.ethertype() {
        EthernetProtocol::Arp => read_arp(frame.payload(), sender),
        EthernetProtocol::Ipv6 => read_nd(frame.payload(), sender),
        _ => None,
    }?;
    heard.station.is_valid_source().then_some(heard)
}

fn read_arp(packet: &[u8], sender: MacAddr) -> Option<Heard> {
    let arp = ArpRepr::parse(&ArpPacket::new_checked(packet).ok()?).ok()?;
    let ArpRepr::EthernetIpv4 {
        operation,
        source_hardware_addr,
        source_protocol_addr,
        target_protocol_addr,
        ..
    } = arp
    else {
        return None;
    };
    let (address, claim) = match operation {
        ArpOperation::Request if source_protocol_addr.is_unspecified() => {
            (target_protocol_addr, Claim::Wants)
        }
        ArpOperation::Request | ArpOperation::Reply => (source_protocol_addr, Claim::Has),
        ArpOperation::Unknown(_) => return None,
    };
    Some(Heard {
        address: IpAddr::V4(address),
        station: MacAddr(source_hardware_addr.0),
        sender,
        claim,
    })
}

fn read_nd(packet: &[u8], sender: MacAddr) -> Option<Heard> {
    let ip = Ipv6Packet::new_checked(packet).ok()?;
    let plain = ip.version() == 6 && ip.next_header() == IpProtocol::Icmpv6;
    if !plain || ip.hop_limit() != HOP_LIMIT {
        return None;
    }
    let message = Icmpv6Packet::new_checked(ip.payload()).ok()?;
    if !message.msg_type().is_ndisc()
        || message.msg_code() != 0
        || !message.verify_checksum(&ip.src_addr(), &ip.dst_addr())
    {
        return None;
    }
    // Checks the length, and that no option has a length of zero.
    let (address, station, claim) = match NdiscRepr::parse(&message).ok()? {
        NdiscRepr::NeighborSolicit {
            target_addr,
            lladdr: None,
        } if ip.src_addr().is_unspecified() => {
            (ip.dst_addr() == solicited_node(target_addr)).then_some(())?;
            (target_addr, None, Claim::Wants)
        }
        NdiscRepr::NeighborSolicit { lladdr, .. } if !ip.src_addr().is_unspecified() => {
            (ip.src_addr(), lladdr, Claim::Has)
        }
        NdiscRepr::NeighborAdvert {
            target_addr,
            lladdr,
            ..
        } => (target_addr, lladdr, Claim::Has),
        _ => return None,
    };
    Some(Heard {
        address: IpAddr::V6(address),
        station: station.and_then(mac_of).unwrap_or(sender),
        sender,
        claim,
    })
}

fn mac_of(address: RawHardwareAddress) -> Option<MacAddr> {
    address.as_bytes().try_into().ok().map(MacAddr)
}

/// The group that the holder of an address is in (RFC 4291 §2.7.1).
fn solicited_node(address: Ipv6Addr) -> Ipv6Addr {
    let [.., high, low] = address.segments();
    Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | high & 0xff, low)
}
