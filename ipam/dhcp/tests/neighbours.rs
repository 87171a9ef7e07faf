//! Who has an address: probes, conflicts and answers, with frames by smoltcp's own hand.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use proptest::prelude::*;
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    ArpOperation, ArpPacket, ArpRepr, EthernetAddress, EthernetFrame, EthernetProtocol,
    EthernetRepr, Icmpv6Packet, Icmpv6Repr, IpProtocol, Ipv6Packet, Ipv6Repr, NdiscNeighborFlags,
    NdiscRepr,
};
use vswitch_dhcp::ask::Ask;
use vswitch_dhcp::conflict::{Check, Conflict};
use vswitch_packet::{MacAddr, Moment};

const OWN: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
const OTHER: MacAddr = MacAddr([2, 0, 0, 0, 0, 2]);
const V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 7);
const V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0x1234, 0x5678);
const GROUP: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff34, 0x5678);
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const START: Moment = Moment::from_secs(5);

fn arp(from: MacAddr, operation: ArpOperation, sender: Ipv4Addr, target: Ipv4Addr) -> Vec<u8> {
    let arp = ArpRepr::EthernetIpv4 {
        operation,
        source_hardware_addr: EthernetAddress(from.0),
        source_protocol_addr: sender,
        target_hardware_addr: EthernetAddress([0; 6]),
        target_protocol_addr: target,
    };
    let mut frame = link(from, EthernetProtocol::Arp, arp.buffer_len());
    arp.emit(&mut ArpPacket::new_unchecked(&mut frame[14..]));
    // As short frames come from the wire.
    frame.resize(60, 0);
    frame
}

fn nd(
    from: MacAddr,
    source: Ipv6Addr,
    destination: Ipv6Addr,
    hops: u8,
    body: NdiscRepr<'_>,
) -> Vec<u8> {
    let body = Icmpv6Repr::Ndisc(body);
    let ip = Ipv6Repr {
        src_addr: source,
        dst_addr: destination,
        next_header: IpProtocol::Icmpv6,
        payload_len: body.buffer_len(),
        hop_limit: hops,
    };
    let mut frame = link(from, EthernetProtocol::Ipv6, 40 + body.buffer_len());
    let mut packet = Ipv6Packet::new_unchecked(&mut frame[14..]);
    ip.emit(&mut packet);
    let mut message = Icmpv6Packet::new_unchecked(packet.payload_mut());
    body.emit(
        &source,
        &destination,
        &mut message,
        &ChecksumCapabilities::default(),
    );
    frame
}

fn link(from: MacAddr, ethertype: EthernetProtocol, payload: usize) -> Vec<u8> {
    let mut frame = vec![0; 14 + payload];
    let link = EthernetRepr {
        src_addr: EthernetAddress(from.0),
        dst_addr: EthernetAddress::BROADCAST,
        ethertype,
    };
    link.emit(&mut EthernetFrame::new_unchecked(&mut frame[..]));
    frame
}

fn solicit(from: MacAddr, source: Ipv6Addr, destination: Ipv6Addr) -> Vec<u8> {
    let body = NdiscRepr::NeighborSolicit {
        target_addr: V6,
        lladdr: (!source.is_unspecified()).then(|| EthernetAddress(from.0).into()),
    };
    nd(from, source, destination, 255, body)
}

fn advertise(from: MacAddr, target: Option<MacAddr>, hops: u8) -> Vec<u8> {
    let body = NdiscRepr::NeighborAdvert {
        flags: NdiscNeighborFlags::OVERRIDE,
        target_addr: V6,
        lladdr: target.map(|mac| EthernetAddress(mac.0).into()),
    };
    nd(from, V6, ALL_NODES, hops, body)
}

fn check() -> Check {
    Check::new(OWN, &[V4.into(), V6.into()], 1, START)
}

fn conflict(address: impl Into<IpAddr>, holder: MacAddr) -> Option<Conflict> {
    let address = address.into();
    Some(Conflict { address, holder })
}

#[test]
fn each_address_is_probed_three_times_within_less_than_half_a_second() {
    let mut check = check();
    let mut now = START;
    for _ in 0..3 {
        assert!(!check.is_done(now));
        let probe = check.poll(now).unwrap();
        assert_eq!(
            probe[..14],
            *b"\xff\xff\xff\xff\xff\xff\x02\0\0\0\0\x01\x08\x06"
        );
        let ArpRepr::EthernetIpv4 {
            operation,
            source_hardware_addr,
            source_protocol_addr,
            target_hardware_addr,
            target_protocol_addr,
        } = ArpRepr::parse(&ArpPacket::new_checked(&probe[14..]).unwrap()).unwrap()
        else {
            panic!("not of IPv4");
        };
        assert_eq!(operation, ArpOperation::Request);
        assert_eq!(source_hardware_addr.0, OWN.0);
        assert_eq!(source_protocol_addr, Ipv4Addr::UNSPECIFIED);
        assert_eq!(target_hardware_addr.0, [0; 6]);
        assert_eq!(target_protocol_addr, V4);

        assert_eq!(
            check.poll(now),
            Some({
                let mut frame = solicit(OWN, Ipv6Addr::UNSPECIFIED, GROUP);
                frame[..6].copy_from_slice(&[0x33, 0x33, 0xff, 0x34, 0x56, 0x78]);
                frame
            })
        );
        assert_eq!(check.poll(now), None);
        now = check.deadline();
    }
    assert_eq!(check.poll(now), None);
    assert!(check.is_done(now));
    let took = now.since(START);
    assert!(
        took >= Duration::from_millis(350) && took < Duration::from_millis(500),
        "{took:?}"
    );
}

#[test]
fn nothing_to_check_is_done_at_once() {
    let mut check = Check::new(OWN, &[], 1, START);
    assert_eq!(check.poll(START), None);
    assert!(check.is_done(START));
}

#[test]
fn whoever_has_or_wants_the_address_is_in_conflict() {
    use ArpOperation::{Reply, Request};
    let elsewhere = Ipv4Addr::new(192, 0, 2, 99);
    let nobody = Ipv4Addr::UNSPECIFIED;
    for (frame, expected) in [
        (arp(OTHER, Reply, V4, nobody), conflict(V4, OTHER)),
        (arp(OTHER, Request, V4, elsewhere), conflict(V4, OTHER)),
        (arp(OTHER, Request, V4, V4), conflict(V4, OTHER)),
        (arp(OTHER, Request, nobody, V4), conflict(V4, OTHER)),
        // Who asks for it does not have it.
        (arp(OTHER, Request, elsewhere, V4), None),
        (arp(OTHER, Request, nobody, elsewhere), None),
        (arp(OTHER, Reply, elsewhere, V4), None),
        // A switch reflects what was sent.
        (arp(OWN, Request, nobody, V4), None),
        (arp(OWN, Reply, V4, nobody), None),
        // No station is there.
        (arp(MacAddr::BROADCAST, Reply, V4, nobody), None),
        (arp(MacAddr::ZERO, Reply, V4, nobody), None),
        (
            solicit(OTHER, Ipv6Addr::UNSPECIFIED, GROUP),
            conflict(V6, OTHER),
        ),
        (solicit(OTHER, V6, ALL_NODES), conflict(V6, OTHER)),
        (solicit(OTHER, "fe80::2".parse().unwrap(), GROUP), None),
        (solicit(OWN, Ipv6Addr::UNSPECIFIED, GROUP), None),
        // RFC 4861 §7.1.1: from nobody to the group of the address only.
        (solicit(OTHER, Ipv6Addr::UNSPECIFIED, ALL_NODES), None),
        (advertise(OTHER, Some(OTHER), 255), conflict(V6, OTHER)),
        (advertise(OTHER, None, 255), conflict(V6, OTHER)),
        (advertise(OWN, Some(OWN), 255), None),
        // By way of a router.
        (advertise(OTHER, Some(OTHER), 254), None),
    ] {
        assert_eq!(check().receive(&frame), expected, "{frame:02x?}");
    }
}

#[test]
fn the_holder_is_who_it_says_not_who_answers_for_it() {
    let proxy = MacAddr([2, 0, 0, 0, 0, 3]);
    assert_eq!(
        check().receive(&advertise(proxy, Some(OTHER), 255)),
        conflict(V6, OTHER)
    );
}

#[test]
fn a_message_with_a_wrong_checksum_says_nothing() {
    let mut frame = advertise(OTHER, Some(OTHER), 255);
    frame[14 + 40 + 2] ^= 1;
    assert_eq!(check().receive(&frame), None);
}

#[test]
fn a_question_is_put_until_it_is_answered() {
    let source = Ipv4Addr::new(192, 0, 2, 1);
    let mut ask = Ask::new(OWN, Some(source.into()), V4.into(), START);
    let mut now = START;
    for _ in 0..3 {
        let question = ask.poll(now).unwrap();
        assert_eq!(question, arp(OWN, ArpOperation::Request, source, V4)[..42]);
        assert_eq!(ask.poll(now), None);
        assert!(!ask.is_done(now));
        now = ask.deadline();
    }
    assert_eq!(ask.poll(now), None);
    assert!(ask.is_done(now));
    assert_eq!(
        ask.receive(&arp(OTHER, ArpOperation::Reply, V4, source)),
        Some(OTHER)
    );
    assert_eq!(
        ask.receive(&arp(OTHER, ArpOperation::Reply, source, V4)),
        None
    );
    let nobody = Ipv4Addr::UNSPECIFIED;
    assert_eq!(
        ask.receive(&arp(OTHER, ArpOperation::Request, nobody, V4)),
        None
    );
}

#[test]
fn a_question_by_ipv6_comes_from_the_address_that_there_is() {
    let source = "fe80::1".parse().unwrap();
    let mut ask = Ask::new(OWN, Some(IpAddr::V6(source)), V6.into(), START);
    let mut expected = solicit(OWN, source, GROUP);
    expected[..6].copy_from_slice(&[0x33, 0x33, 0xff, 0x34, 0x56, 0x78]);
    assert_eq!(ask.poll(START), Some(expected));
    assert_eq!(
        ask.receive(&advertise(OTHER, Some(OTHER), 255)),
        Some(OTHER)
    );
    // An address of the other family is of no use.
    let mut ask = Ask::new(OWN, Some(V4.into()), V6.into(), START);
    assert_eq!(ask.poll(START).unwrap()[22..38], [0; 16]);
}

proptest! {
    #[test]
    fn any_octets_are_read(octets in proptest::collection::vec(any::<u8>(), 0..120)) {
        let _ = check().receive(&octets);
    }
}
