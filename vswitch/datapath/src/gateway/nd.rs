//! Neighbour Discovery for the gateway's IPv6 addresses (RFC 4861).

use core::net::Ipv6Addr;
use std::net::IpAddr;

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    EthernetAddress, EthernetFrame, EthernetProtocol, EthernetRepr, Icmpv6Packet, Icmpv6Repr,
    IpProtocol, Ipv6Packet, Ipv6Repr, NdiscNeighborFlags, NdiscRepr, RawHardwareAddress,
};
use vswitch_packet::ethernet::HEADER_LEN;
use vswitch_packet::ip::{IpHeader, protocol};
use vswitch_packet::{Frame, MacAddr};

use super::{Gateway, Reply, verified_message};
use crate::heard::Heard;
use crate::port::Role;
use crate::verdict::{DropReason, Verdict};

const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ALL_NODES_MAC: MacAddr = MacAddr([0x33, 0x33, 0, 0, 0, 1]);

/// Whoever sees less was not sent on this link (RFC 4861 §6.1, §7.1).
pub(crate) const HOP_LIMIT: u8 = 255;
const IPV6_HEADER_LEN: u16 = 40;

/// A neighbour solicitation or advertisement that passed RFC 4861 §7.1.
struct Message<'a> {
    source: Ipv6Addr,
    destination: Ipv6Addr,
    body: NdiscRepr<'a>,
}

/// What happens to a packet of an endpoint, which came to the gateway's MAC address (`to_us`) or
/// to a group. `None` if it is no affair of Neighbour Discovery at the gateway.
pub(super) fn receive(
    gateway: &Gateway,
    heard: Heard<'_>,
    frame: &Frame<'_>,
    ip: &IpHeader,
    to_us: bool,
    reply: &mut Reply,
) -> Option<Verdict> {
    let message = Message::read(frame, ip)?;
    if gateway.is_own(IpAddr::V6(message.source)) {
        // As with ARP.
        return match heard.port.role {
            Role::Tunnel => to_us.then_some(Verdict::Drop(DropReason::NotLocal)),
            _ => Some(Verdict::Drop(DropReason::SpoofedAddress)),
        };
    }
    match message.body {
        NdiscRepr::NeighborSolicit {
            target_addr,
            lladdr,
        } => {
            let target = IpAddr::V6(target_addr);
            if !gateway.answers_for(target) {
                return None;
            }
            let asker = (message.source, asker_mac(frame, lladdr));
            if !message.source.is_unspecified() && lladdr.is_some() {
                heard.learn(IpAddr::V6(message.source), asker.1);
            }
            Some(Verdict::Reply(answer(
                gateway.mac,
                target_addr,
                true,
                asker,
                reply,
            )))
        }
        NdiscRepr::NeighborAdvert {
            flags,
            target_addr,
            lladdr,
        } => {
            let target = IpAddr::V6(target_addr);
            if gateway.is_own(target) {
                return Some(Verdict::Drop(DropReason::SpoofedAddress));
            }
            if let Some(mac) = lladdr.and_then(mac_of) {
                advertised(heard, target, mac, flags, to_us);
            }
            // The host's kernel may have asked.
            to_us.then(|| gateway.to_host_or_taken(heard.port))
        }
        _ => None,
    }
}

/// Learns from a packet on an uplink, whose questions the host's kernel answers.
pub(crate) fn hear(heard: Heard<'_>, frame: &Frame<'_>, ip: &IpHeader, to_us: bool) {
    let Some(message) = Message::read(frame, ip) else {
        return;
    };
    let source = IpAddr::V6(message.source);
    match message.body {
        NdiscRepr::NeighborSolicit {
            target_addr,
            lladdr,
        } => {
            let asker = lladdr.and_then(mac_of);
            let (Some(mac), false) = (asker, heard.interface.owns(source)) else {
                return;
            };
            heard.refresh(source, mac);
            if to_us || heard.interface.owns(IpAddr::V6(target_addr)) {
                heard.learn(source, mac);
            }
        }
        NdiscRepr::NeighborAdvert {
            flags,
            target_addr,
            lladdr,
        } => {
            let target = IpAddr::V6(target_addr);
            if let Some(mac) = lladdr.and_then(mac_of)
                && !heard.interface.owns(target)
            {
                advertised(heard, target, mac, flags, to_us);
            }
        }
        _ => {}
    }
}

impl<'a> Message<'a> {
    fn read(frame: &'a Frame<'_>, ip: &IpHeader) -> Option<Self> {
        let plain = ip.payload - ip.start == IPV6_HEADER_LEN;
        if ip.protocol != protocol::ICMPV6 || !plain || ip.hop_limit(frame.bytes()) != HOP_LIMIT {
            return None;
        }
        let packet = Icmpv6Packet::new_checked(verified_message(frame, ip)?).ok()?;
        if !packet.msg_type().is_ndisc() || packet.msg_code() != 0 {
            return None;
        }
        // Checks the length, and that no option has a length of zero.
        let body = NdiscRepr::parse(&packet).ok()?;
        let (IpAddr::V6(source), IpAddr::V6(destination)) =
            (ip.source(frame.bytes()), ip.destination(frame.bytes()))
        else {
            return None;
        };
        let message = Self {
            source,
            destination,
            body,
        };
        message.is_valid().then_some(message)
    }

    fn is_valid(&self) -> bool {
        match &self.body {
            NdiscRepr::NeighborSolicit {
                target_addr,
                lladdr,
            } => {
                let from_nowhere = self.source.is_unspecified();
                let for_detection =
                    self.destination == solicited_node(*target_addr) && lladdr.is_none();
                !target_addr.is_multicast() && (!from_nowhere || for_detection)
            }
            NdiscRepr::NeighborAdvert {
                target_addr, flags, ..
            } => {
                let solicited = flags.contains(NdiscNeighborFlags::SOLICITED);
                let to_group = self.destination.is_multicast();
                !(target_addr.is_multicast() || to_group && solicited)
            }
            _ => false,
        }
    }
}

/// RFC 4861 §7.2.5: an advertisement without the override flag does not change a known address,
/// and one that nobody asked for makes no new entry. What came to the gateway's own MAC address
/// was asked for.
fn advertised(
    heard: Heard<'_>,
    target: IpAddr,
    mac: MacAddr,
    flags: NdiscNeighborFlags,
    to_us: bool,
) {
    let overrides = flags.contains(NdiscNeighborFlags::OVERRIDE);
    match heard.interface.neighbours.get(target) {
        Some(known) if known.mac != mac && !overrides => {}
        Some(_) => heard.refresh(target, mac),
        None if to_us => heard.learn(target, mac),
        None => {}
    }
}

/// Where the answer goes: to the source link-layer option, or where the question came from.
fn asker_mac(frame: &Frame<'_>, option: Option<RawHardwareAddress>) -> MacAddr {
    option
        .and_then(mac_of)
        .filter(|mac| mac.is_valid_source())
        .unwrap_or_else(|| frame.source())
}

fn mac_of(option: RawHardwareAddress) -> Option<MacAddr> {
    option
        .as_bytes()
        .first_chunk()
        .map(|&octets| MacAddr(octets))
}

/// RFC 4291 §2.7.1.
pub(crate) fn solicited_node(address: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b, c] = address.octets();
    Ipv6Addr::from([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a, b, c])
}

/// Writes "`owned` is at `mac`, which is or is not a router"; gives its length.
///
/// RFC 4861 §7.2.4: to all nodes and unsolicited if duplicate address detection asked, which has
/// no address to answer to.
pub(crate) fn answer(
    mac: MacAddr,
    owned: Ipv6Addr,
    is_router: bool,
    (asker, asker_mac): (Ipv6Addr, MacAddr),
    reply: &mut Reply,
) -> usize {
    let mut flags = NdiscNeighborFlags::OVERRIDE;
    flags.set(NdiscNeighborFlags::ROUTER, is_router);
    let (to, to_mac) = if asker.is_unspecified() {
        (ALL_NODES, ALL_NODES_MAC)
    } else {
        flags |= NdiscNeighborFlags::SOLICITED;
        (asker, asker_mac)
    };
    let link = EthernetRepr {
        src_addr: EthernetAddress(mac.0),
        dst_addr: EthernetAddress(to_mac.0),
        ethertype: EthernetProtocol::Ipv6,
    };
    let body = Icmpv6Repr::Ndisc(NdiscRepr::NeighborAdvert {
        flags,
        target_addr: owned,
        lladdr: Some(EthernetAddress(mac.0).into()),
    });
    let ip = Ipv6Repr {
        src_addr: owned,
        dst_addr: to,
        next_header: IpProtocol::Icmpv6,
        payload_len: body.buffer_len(),
        hop_limit: HOP_LIMIT,
    };
    let len = HEADER_LEN + ip.buffer_len() + body.buffer_len();
    let mut frame = EthernetFrame::new_unchecked(&mut reply[..]);
    link.emit(&mut frame);
    let mut packet = Ipv6Packet::new_unchecked(frame.payload_mut());
    ip.emit(&mut packet);
    let mut message = Icmpv6Packet::new_unchecked(packet.payload_mut());
    body.emit(&owned, &to, &mut message, &ChecksumCapabilities::default());
    len
}
