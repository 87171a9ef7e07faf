//! Frames to the wire and from it. What others make of them, smoltcp's parsers say.

mod dhcp;
mod nd;
mod peer;

use core::net::{Ipv4Addr, Ipv6Addr};

use etherparse::{Ipv4Header, Ipv6Header, UdpHeader};
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    ArpOperation, ArpPacket, ArpRepr, EthernetAddress, Icmpv6Packet, Icmpv6Repr, NdiscRepr,
};
use vswitch_packet::VnetHeader;

use super::*;

const INSIDE: MacAddr = MacAddr([0x02, 0x42, 10, 0, 0, 2]);
const OUTSIDE: MacAddr = MacAddr([0x52, 0x54, 0, 0xff, 0xfe, 0x01]);
const PEER: MacAddr = MacAddr([0x02, 0, 0, 0, 0, 9]);
const STATION4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 10);
const PEER4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 9);
const STATION6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 10);
const PEER6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 9);
const ROUTER6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);

const NEEDS_CSUM: u8 = 1;

fn to_wire(bytes: &mut [u8], header: VnetHeader) -> Result<(), DropReason> {
    outward(&mut Frame::parse(bytes, header).unwrap(), INSIDE, OUTSIDE)
}

/// What leaves of a frame that is complete.
fn left(mut bytes: Vec<u8>) -> Vec<u8> {
    to_wire(&mut bytes, VnetHeader::default()).unwrap();
    assert_eq!(bytes[6..12], OUTSIDE.0);
    bytes
}

#[track_caller]
fn stays(mut bytes: Vec<u8>, header: VnetHeader, reason: DropReason) {
    let before = bytes.clone();
    assert_eq!(to_wire(&mut bytes, header), Err(reason));
    assert_eq!(bytes, before);
}

fn ethernet(to: MacAddr, ethertype: u16, payload: &[u8]) -> Vec<u8> {
    [&to.0[..], &INSIDE.0, &ethertype.to_be_bytes(), payload].concat()
}

fn arp(to: MacAddr, operation: ArpOperation, target: (MacAddr, Ipv4Addr)) -> Vec<u8> {
    let repr = ArpRepr::EthernetIpv4 {
        operation,
        source_hardware_addr: EthernetAddress(INSIDE.0),
        source_protocol_addr: STATION4,
        target_hardware_addr: EthernetAddress(target.0.0),
        target_protocol_addr: target.1,
    };
    let mut packet = vec![0; repr.buffer_len()];
    repr.emit(&mut ArpPacket::new_unchecked(&mut packet));
    ethernet(to, 0x0806, &packet)
}

/// Sender's and target's hardware address.
fn hardware(bytes: &[u8]) -> [MacAddr; 2] {
    let packet = ArpPacket::new_checked(&bytes[14..]).unwrap();
    [packet.source_hardware_addr(), packet.target_hardware_addr()]
        .map(|octets| MacAddr(octets.try_into().unwrap()))
}

/// An ICMPv6 message behind `extensions`, of which the first is `next`.
fn icmpv6(
    (from, to): (Ipv6Addr, Ipv6Addr),
    (next, extensions): (u8, &[u8]),
    message: &[u8],
) -> Vec<u8> {
    let mut message = message.to_vec();
    message[2..4].fill(0);
    let mut packet = Icmpv6Packet::new_unchecked(&mut message);
    packet.fill_checksum(&from, &to);
    let payload = [extensions, &message].concat();
    let header = Ipv6Header {
        payload_length: payload.len() as u16,
        next_header: next.into(),
        hop_limit: 255,
        source: from.octets(),
        destination: to.octets(),
        ..Ipv6Header::default()
    };
    let packet = [&header.to_bytes()[..], &payload].concat();
    ethernet(PEER, 0x86dd, &packet)
}

fn plain(addresses: (Ipv6Addr, Ipv6Addr), message: &[u8]) -> Vec<u8> {
    icmpv6(addresses, (58, &[]), message)
}

fn discovery(repr: NdiscRepr<'_>) -> Vec<u8> {
    let repr = Icmpv6Repr::Ndisc(repr);
    let mut message = vec![0; repr.buffer_len()];
    let mut packet = Icmpv6Packet::new_unchecked(&mut message);
    let ignored = ChecksumCapabilities::ignored();
    repr.emit(&STATION6, &PEER6, &mut packet, &ignored);
    message
}

fn option(kind: u8, mac: MacAddr) -> Vec<u8> {
    [&[kind, 1][..], &mac.0].concat()
}

/// Each kind of message that names link-layer addresses, with these in options 1 and 2.
fn messages(source: MacAddr, target: MacAddr) -> Vec<Vec<u8>> {
    let options = [option(1, source), option(2, target)].concat();
    let fixed = [(133, 8), (134, 16), (135, 24), (136, 24), (137, 40)];
    let messages = fixed.into_iter().map(|(kind, len)| {
        let mut message = vec![0; len];
        (message[0], message[4]) = (kind, 0x20);
        for target in message.iter_mut().skip(8) {
            *target = 0x20;
        }
        // Prefix information, and a quotation, in which nothing is looked for.
        let other = [3, 4].map(|kind| [&[kind, 2][..], &option(1, source), &[0; 6]].concat());
        [message, other.concat(), options.clone()].concat()
    });
    messages.collect()
}

/// The message in a plain packet, whose checksum must be right.
fn message(bytes: &[u8]) -> &[u8] {
    let (source, destination): ([u8; 16], [u8; 16]) = (
        bytes[22..38].try_into().unwrap(),
        bytes[38..54].try_into().unwrap(),
    );
    let packet = Icmpv6Packet::new_checked(&bytes[54..]).unwrap();
    assert!(packet.verify_checksum(&source.into(), &destination.into()));
    packet.into_inner()
}

const DISCOVER: [u8; 240] = {
    let mut message = [0; 240];
    (message[0], message[1], message[2]) = (1, 1, 6);
    message
};

fn udp(ports: [u16; 2], checksum: Option<u16>, payload: &[u8]) -> Vec<u8> {
    let (from, to) = ([0; 4], [255; 4]);
    let ip = Ipv4Header::new(8 + payload.len() as u16, 64, 17.into(), from, to).unwrap();
    let [source, destination] = ports;
    let mut udp = UdpHeader::with_ipv4_checksum(source, destination, &ip, payload).unwrap();
    if let Some(checksum) = checksum {
        udp.checksum = checksum;
    }
    let packet = [&ip.to_bytes()[..], &udp.to_bytes(), payload].concat();
    ethernet(MacAddr::BROADCAST, 0x0800, &packet)
}

#[test]
fn arp_names_the_parent_as_sender_and_in_announcements_as_target() {
    let question = left(arp(
        MacAddr::BROADCAST,
        ArpOperation::Request,
        (MacAddr::ZERO, PEER4),
    ));
    assert_eq!(hardware(&question), [OUTSIDE, MacAddr::ZERO]);
    assert_eq!(question[..6], MacAddr::BROADCAST.0);
    let answer = left(arp(PEER, ArpOperation::Reply, (PEER, PEER4)));
    assert_eq!(hardware(&answer), [OUTSIDE, PEER]);
    let announcement = left(arp(
        MacAddr::BROADCAST,
        ArpOperation::Reply,
        (INSIDE, STATION4),
    ));
    assert_eq!(hardware(&announcement), [OUTSIDE, OUTSIDE]);
}

#[test]
fn what_came_back_is_the_station_s_and_groups_stay_groups() {
    let back = |mut bytes: Vec<u8>| {
        inward(&mut Frame::parse_plain(&mut bytes).unwrap(), INSIDE);
        bytes
    };
    let answer = back(arp(OUTSIDE, ArpOperation::Reply, (OUTSIDE, STATION4)));
    assert_eq!(
        (&answer[..6], hardware(&answer)[1]),
        (&INSIDE.0[..], INSIDE)
    );
    // A question to the parent's address, with an open target.
    let question = back(arp(
        OUTSIDE,
        ArpOperation::Request,
        (MacAddr::ZERO, STATION4),
    ));
    assert_eq!(
        (&question[..6], hardware(&question)[1]),
        (&INSIDE.0[..], MacAddr::ZERO)
    );
    let group = arp(
        MacAddr::BROADCAST,
        ArpOperation::Request,
        (MacAddr::BROADCAST, STATION4),
    );
    assert_eq!(back(group.clone()), group);
}

#[test]
fn of_other_protocols_the_source_alone_changes() {
    // PPPoE, and IPv4.
    for before in [
        ethernet(PEER, 0x8864, &[0x11, 0, 0, 1, 0, 2, 0xc0, 0x21]),
        udp([5000, 53], None, &[0; 30]),
    ] {
        let after = left(before.clone());
        assert_eq!((&after[..6], &after[12..]), (&before[..6], &before[12..]));
    }
    // RARP, and ARP with longer addresses: IP over InfiniBand, with 20 octets.
    let reverse = ethernet(MacAddr::BROADCAST, 0x8035, &[0; 28]);
    let infiniband = [&[0, 32, 8, 0, 20, 4, 0, 1][..], &[0; 48]].concat();
    let infiniband = ethernet(MacAddr::BROADCAST, 0x0806, &infiniband);
    for frame in [reverse, infiniband] {
        stays(frame, VnetHeader::default(), DropReason::Untranslatable);
    }
}

#[test]
fn a_station_with_the_parent_s_address_is_left_alone() {
    let group = arp(
        MacAddr::BROADCAST,
        ArpOperation::Request,
        (MacAddr::ZERO, PEER4),
    );
    let rarp = ethernet(MacAddr::BROADCAST, 0x8035, &[0; 28]);
    let solicitation = plain((STATION6, PEER6), &messages(INSIDE, INSIDE)[2]);
    for before in [group, rarp, solicitation] {
        let mut bytes = before.clone();
        outward(&mut Frame::parse_plain(&mut bytes).unwrap(), INSIDE, INSIDE).unwrap();
        assert_eq!(bytes, before);
    }
}

#[test]
fn stations_are_told_apart_by_ip_addresses() {
    let of = |mut bytes: Vec<u8>| {
        let frame = Frame::parse_plain(&mut bytes).unwrap();
        (destination_address(&frame), is_dhcp_answer(&frame))
    };
    let question = arp(
        MacAddr::BROADCAST,
        ArpOperation::Request,
        (MacAddr::ZERO, PEER4),
    );
    assert_eq!(of(question), (Some(PEER4.into()), false));
    let solicitation = plain((STATION6, PEER6), &messages(INSIDE, INSIDE)[2]);
    assert_eq!(of(solicitation), (Some(PEER6.into()), false));
    let everybody = Some(Ipv4Addr::BROADCAST.into());
    assert_eq!(of(udp([67, 68], None, &DISCOVER)), (everybody, true));
    assert_eq!(of(udp([68, 67], None, &DISCOVER)), (everybody, false));
    assert_eq!(of(ethernet(PEER, 0x8864, &[0; 46])), (None, false));
    assert_eq!(of(ethernet(PEER, 0x0800, &[0; 46])), (None, false));
}
