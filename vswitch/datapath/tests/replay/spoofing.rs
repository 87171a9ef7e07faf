//! What a port with assigned addresses may send.

use core::net::{Ipv4Addr, Ipv6Addr};

use smoltcp::wire::{ArpOperation, NdiscNeighborFlags};
use vswitch_datapath::DropReason::{
    self, Malformed, RogueRouter, SpoofedAddress, SpoofedMac, VlanNotAllowed,
};
use vswitch_packet::MacAddr;
use vswitch_packet::ip::Version::{V4, V6};

use crate::bench::Bench;
use crate::crafted::{
    ICMPV6, UDP, advertise, arp, echo, ethernet, everybody, icmpv6, ip, is_at, solicit, tcp, udp,
    who_has,
};
use crate::station::{A, ALICE, B, BOB, C, CAROL, Station, station};
use crate::tap_frame::TapFrame;

const NOWHERE: Station = ALICE
    .with_v4(Ipv4Addr::UNSPECIFIED)
    .with_v6(Ipv6Addr::UNSPECIFIED);
const ALL_NODES: Station = station(9)
    .with_mac(MacAddr([0x33, 0x33, 0, 0, 0, 1]))
    .with_v6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1));
const DESTINATION_OPTIONS: u8 = 60;
const FRAGMENT: u8 = 44;

fn dhcp(from: Station, ports: [u8; 4]) -> TapFrame {
    let datagram = [&ports[..], &[0, 16, 0, 0], &[0; 8]].concat();
    ip(V4, from, everybody(from), UDP, &datagram, |_| ())
}

/// A router advertisement, or another message of the type.
fn message(kind: u8) -> Vec<u8> {
    [&[kind, 0, 0, 0][..], &[0; 36]].concat()
}

/// A piece of an ICMPv6 message, `offset` octets into it.
fn fragment6(offset: u16, more: bool, octets: &[u8]) -> TapFrame {
    let [a, b] = (offset | u16::from(more)).to_be_bytes();
    let header = [ICMPV6, 0, a, b, 0, 0, 0, 1];
    ip(
        V6,
        ALICE,
        BOB,
        FRAGMENT,
        &[&header, octets].concat(),
        |_| (),
    )
}

#[test]
fn every_sender_is_held_to_its_addresses() {
    let link_local = ALICE.with_v6(ALICE.link_local());
    let as_bob_mac = ALICE.with_mac(BOB.mac);
    let as_bob_v4 = ALICE.with_v4(BOB.v4);
    let as_bob_v6 = ALICE.with_v6(BOB.v6);
    let flags = NdiscNeighborFlags::OVERRIDE;
    let probe = |sender| {
        arp(
            ALICE.mac,
            MacAddr::BROADCAST,
            ArpOperation::Request,
            sender,
            CAROL,
        )
    };
    let complete = |packet: crate::crafted::Packet| packet.complete();

    let table: Vec<(&str, TapFrame, Result<(), DropReason>)> = vec![
        ("own IPv4", complete(udp(V4, ALICE, BOB, 9)), Ok(())),
        ("own IPv6", complete(tcp(V6, ALICE, BOB, 9)), Ok(())),
        (
            "own link-local IPv6",
            complete(udp(V6, link_local, BOB, 9)),
            Ok(()),
        ),
        (
            "no IP",
            ethernet(ALICE.mac, BOB.mac, 0x88b5, &[0; 46]),
            Ok(()),
        ),
        (
            "another's MAC",
            complete(udp(V4, as_bob_mac, BOB, 9)),
            Err(SpoofedMac),
        ),
        (
            "another's MAC, no IP",
            ethernet(BOB.mac, CAROL.mac, 0x88b5, &[0; 46]),
            Err(SpoofedMac),
        ),
        (
            "another's IPv4",
            complete(udp(V4, as_bob_v4, CAROL, 9)),
            Err(SpoofedAddress),
        ),
        (
            "another's IPv4, TCP",
            complete(tcp(V4, as_bob_v4, CAROL, 9)),
            Err(SpoofedAddress),
        ),
        (
            "another's IPv6",
            complete(udp(V6, as_bob_v6, CAROL, 9)),
            Err(SpoofedAddress),
        ),
        (
            "another's link-local IPv6",
            complete(udp(V6, ALICE.with_v6(BOB.link_local()), CAROL, 9)),
            Err(SpoofedAddress),
        ),
        (
            "loopback",
            complete(udp(V4, ALICE.with_v4(Ipv4Addr::LOCALHOST), BOB, 9)),
            Err(SpoofedAddress),
        ),
        (
            "behind a tag",
            complete(udp(V4, as_bob_v4, CAROL, 9)).tagged(100),
            Err(SpoofedAddress),
        ),
        (
            "behind two tags",
            complete(udp(V4, as_bob_v4, CAROL, 9))
                .tagged(100)
                .tagged(200),
            Err(SpoofedAddress),
        ),
        (
            "own, behind two tags",
            complete(udp(V4, ALICE, BOB, 9)).tagged(100).tagged(200),
            Ok(()),
        ),
        // ARP.
        ("ARP request", who_has(ALICE, BOB), Ok(())),
        ("ARP reply", is_at(ALICE, BOB), Ok(())),
        (
            "gratuitous ARP",
            arp(
                ALICE.mac,
                MacAddr::BROADCAST,
                ArpOperation::Request,
                ALICE,
                ALICE,
            ),
            Ok(()),
        ),
        ("ARP probe", probe(NOWHERE), Ok(())),
        (
            "ARP of another's IPv4",
            probe(as_bob_v4),
            Err(SpoofedAddress),
        ),
        ("ARP of another's MAC", probe(as_bob_mac), Err(SpoofedMac)),
        (
            "ARP reply of another's IPv4",
            arp(ALICE.mac, CAROL.mac, ArpOperation::Reply, as_bob_v4, CAROL),
            Err(SpoofedAddress),
        ),
        (
            "ARP as IEEE 802",
            probe(as_bob_v4).patched(14, &[0, 6]),
            Err(SpoofedAddress),
        ),
        (
            "ARP cut off",
            TapFrame::plain(&probe(ALICE).bytes[..41]),
            Err(Malformed),
        ),
        (
            "ARP behind a tag",
            probe(as_bob_v4).tagged(100),
            Err(SpoofedAddress),
        ),
        // DHCP.
        ("DHCP request", dhcp(NOWHERE, [0, 68, 0, 67]), Ok(())),
        (
            "DHCP request with an address",
            dhcp(ALICE, [0, 68, 0, 67]),
            Ok(()),
        ),
        (
            "DHCP answer from 0.0.0.0",
            dhcp(NOWHERE, [0, 67, 0, 68]),
            Err(SpoofedAddress),
        ),
        (
            "any UDP from 0.0.0.0",
            dhcp(NOWHERE, [0, 68, 0, 69]),
            Err(SpoofedAddress),
        ),
        (
            "ping from 0.0.0.0",
            echo(V4, true, NOWHERE, BOB, 9),
            Err(SpoofedAddress),
        ),
        (
            "piece of a DHCP request",
            ip(
                V4,
                NOWHERE,
                everybody(ALICE),
                UDP,
                &[0, 68, 0, 67, 0, 16, 0, 0],
                |header| {
                    header.fragment_offset = 8.try_into().unwrap();
                },
            ),
            Err(SpoofedAddress),
        ),
        // Neighbour Discovery.
        ("solicitation", solicit(ALICE, BOB), Ok(())),
        (
            "duplicate address detection",
            solicit(NOWHERE, ALICE),
            Ok(()),
        ),
        (
            "MLD report from ::",
            icmpv6(
                NOWHERE,
                ALL_NODES,
                1,
                (0, &[ICMPV6, 0, 5, 2, 0, 0, 1, 0]),
                &message(143),
            ),
            Ok(()),
        ),
        (
            "UDP from ::",
            complete(udp(V6, NOWHERE, BOB, 9)),
            Err(SpoofedAddress),
        ),
        (
            "TCP from ::",
            complete(tcp(V6, NOWHERE, BOB, 9)),
            Err(SpoofedAddress),
        ),
        ("advertisement", advertise(ALICE, BOB, ALICE, flags), Ok(())),
        (
            "advertisement of the link-local address",
            advertise(ALICE, BOB, link_local, flags),
            Ok(()),
        ),
        (
            "advertisement of another",
            advertise(ALICE, ALL_NODES, BOB, flags),
            Err(SpoofedAddress),
        ),
        (
            "advertisement of another from ::",
            advertise(NOWHERE, ALL_NODES, BOB, flags),
            Err(SpoofedAddress),
        ),
        (
            "advertisement without target",
            icmpv6(ALICE, BOB, 255, (ICMPV6, &[]), &message(136)[..20]),
            Err(Malformed),
        ),
        (
            "router solicitation",
            icmpv6(ALICE, ALL_NODES, 255, (ICMPV6, &[]), &message(133)[..8]),
            Ok(()),
        ),
        (
            "solicitation that names another's MAC",
            solicit(ALICE, BOB).patched(80, &BOB.mac.0),
            Err(SpoofedMac),
        ),
        (
            "advertisement that names another's MAC",
            advertise(ALICE, BOB, as_bob_mac, flags),
            Err(SpoofedMac),
        ),
        (
            "router solicitation that names another's MAC",
            icmpv6(
                ALICE,
                ALL_NODES,
                255,
                (ICMPV6, &[]),
                &[&message(133)[..8], &[1, 1], &BOB.mac.0].concat(),
            ),
            Err(SpoofedMac),
        ),
        (
            "ND option of no length",
            icmpv6(ALICE, ALL_NODES, 255, (ICMPV6, &[]), &message(133)),
            Err(Malformed),
        ),
        (
            "ND option cut off",
            solicit(ALICE, BOB).patched(79, &[2]),
            Err(Malformed),
        ),
        (
            "router advertisement",
            icmpv6(ALICE, ALL_NODES, 255, (ICMPV6, &[]), &message(134)),
            Err(RogueRouter),
        ),
        (
            "router advertisement behind options",
            icmpv6(
                ALICE,
                ALL_NODES,
                255,
                (DESTINATION_OPTIONS, &[ICMPV6, 0, 1, 4, 0, 0, 0, 0]),
                &message(134),
            ),
            Err(RogueRouter),
        ),
        (
            "router advertisement behind a tag",
            icmpv6(ALICE, ALL_NODES, 255, (ICMPV6, &[]), &message(134)).tagged(7),
            Err(RogueRouter),
        ),
        (
            "redirect",
            icmpv6(link_local, BOB, 255, (ICMPV6, &[]), &message(137)),
            Err(RogueRouter),
        ),
        (
            "router advertisement in pieces",
            fragment6(0, true, &message(134)),
            Err(RogueRouter),
        ),
        (
            "whole router advertisement as a piece",
            fragment6(0, false, &message(134)),
            Err(RogueRouter),
        ),
        (
            "a first piece without a message",
            fragment6(0, true, &[]),
            Err(Malformed),
        ),
        (
            "first piece of a ping",
            fragment6(0, true, &message(128)),
            Ok(()),
        ),
        // What is in a later piece is no message, whatever octet it begins with.
        (
            "later piece that begins as an advertisement of a router",
            fragment6(40, false, &message(134)),
            Ok(()),
        ),
        (
            "later piece that begins as one of a neighbour",
            fragment6(40, true, &message(136)),
            Ok(()),
        ),
        (
            "later piece that is empty",
            fragment6(40, false, &[]),
            Ok(()),
        ),
        // Malformed.
        (
            "IPv4 header cut off",
            TapFrame::plain(&complete(udp(V4, ALICE, BOB, 9)).bytes[..33]),
            Err(Malformed),
        ),
        (
            "IPv4 packet cut off",
            TapFrame::plain(&complete(udp(V4, ALICE, BOB, 9)).bytes[..50]),
            Err(Malformed),
        ),
        (
            "IPv4 header too short",
            complete(udp(V4, ALICE, BOB, 9)).patched(14, &[0x44]),
            Err(Malformed),
        ),
        (
            "IPv6 header cut off",
            TapFrame::plain(&complete(udp(V6, ALICE, BOB, 9)).bytes[..53]),
            Err(Malformed),
        ),
        (
            "IPv6 packet cut off",
            TapFrame::plain(&complete(udp(V6, ALICE, BOB, 9)).bytes[..70]),
            Err(Malformed),
        ),
        (
            "IPv6 that says IPv4",
            complete(udp(V6, ALICE, BOB, 9)).patched(14, &[0x45]),
            Err(Malformed),
        ),
        (
            "the reserved VLAN",
            complete(udp(V4, ALICE, BOB, 9)).tagged(4095),
            Err(VlanNotAllowed),
        ),
    ];
    for (name, frame, expected) in table {
        let mut bench = Bench::guarded(3);
        // The bench tells more than the name only of what it refuses.
        println!("{name}");
        match expected {
            Ok(()) => bench.carries(A, &frame, &[B, C]),
            Err(reason) => {
                bench.refuses(A, &frame, reason);
                assert_eq!(
                    bench.bridge().fdb.learned(),
                    0,
                    "learned from what was refused"
                );
            }
        }
    }
}

#[test]
fn a_port_without_assigned_addresses_may_send_anything() {
    let mut bench = Bench::new(2);
    bench.carries(A, &udp(V4, station(77), BOB, 9).complete(), &[B]);
    bench.carries(A, &who_has(station(78), BOB), &[B]);
    bench.carries(
        A,
        &TapFrame::plain(&udp(V4, ALICE, BOB, 9).complete().bytes[..33]),
        &[B],
    );
}
