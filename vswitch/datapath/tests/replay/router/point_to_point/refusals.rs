//! What has no place on a point-to-point link.

use smoltcp::wire::NdiscNeighborFlags;
use vswitch_datapath::DropReason::{
    BadIpHeader, BadOffload, Martian, NotServed, RogueRouter, SpoofedAddress, SpoofedMac,
    VlanMismatch, VlanNotAllowed,
};
use vswitch_packet::VlanId;
use vswitch_packet::ip::Version::{V4, V6};

use super::{ALICE, AWAY, BOB, ERIN, bench, unguard};
use crate::bench::BRIDGE;
use crate::crafted::{
    ICMPV6, advertise, ethernet, everybody, icmpv6, is_at, solicit, udp, who_has,
};
use crate::outside::{NIC, PEER, UPLINK};
use crate::station::{A, B, Station};

#[test]
fn neighbours_are_not_asked_for() {
    for guarded in [true, false] {
        let mut bench = bench(&[BRIDGE]);
        if !guarded {
            unguard(&mut bench, A);
        }
        let before = bench.bridge().neighbours.rows();
        let message = |kind: u8, len: usize| {
            let message = [&[kind][..], &vec![0; len - 1]].concat();
            icmpv6(ALICE, BOB, 255, (ICMPV6, &[]), &message)
        };
        let solicited = NdiscNeighborFlags::SOLICITED;
        for frame in [
            who_has(ALICE, BOB),
            is_at(ALICE, BOB),
            solicit(ALICE, BOB),
            solicit(ALICE.with_v6("::".parse().unwrap()), ALICE),
            // To one, as a router would forward it.
            message(135, 24),
            advertise(ALICE, BOB, ALICE, solicited),
            ethernet(ALICE.mac, ALICE.mac, 0x88cc, &[0; 46]),
        ] {
            bench.refuses(A, &frame, NotServed);
        }
        let advertisement = message(134, 16);
        let reason = if guarded { RogueRouter } else { NotServed };
        bench.refuses(A, &advertisement, reason);
        // What an endpoint says of addresses changes nothing.
        assert_eq!(bench.bridge().neighbours.rows(), before);
    }
}

#[test]
fn groups_and_link_local_addresses_are_nobody_s() {
    let mut bench = bench(&[BRIDGE]);
    let group = |station: Station, v4: [u8; 4], v6: &str| {
        station.with_v4(v4.into()).with_v6(v6.parse().unwrap())
    };
    for (version, to) in [
        (V4, everybody(BOB)),
        (V4, group(BOB, [224, 0, 0, 251], "ff02::fb")),
        (V6, group(BOB, [224, 0, 0, 251], "ff02::fb")),
        (V6, group(BOB, [224, 0, 0, 251], "ff05::fb")),
        (V4, group(BOB, [169, 254, 1, 1], "fe80::1")),
        (V6, group(BOB, [169, 254, 1, 1], "fe80::1")),
        (V6, BOB.with_v6(ALICE.link_local())),
        (V4, BOB.with_v4([255; 4].into())),
        (V4, BOB.with_mac(crate::station::BOB.mac)),
    ] {
        bench.refuses(A, &udp(version, ALICE, to, 9).complete(), NotServed);
    }
    let alice = ALICE.with_v6(ALICE.link_local());
    bench.refuses(A, &udp(V6, alice, AWAY, 9).complete(), Martian);
    bench.refuses(A, &udp(V6, alice, BOB, 9).complete(), Martian);
    for to in ["127.0.0.1", "0.0.0.0"] {
        let to = BOB.with_v4(to.parse().unwrap());
        bench.refuses(A, &udp(V4, ALICE, to, 9).complete(), BadIpHeader);
    }
}

#[test]
fn addresses_of_others_are_not_sent_from() {
    for version in [V4, V6] {
        let mut bench = bench(&[BRIDGE]);
        for to in [BOB, AWAY] {
            for from in [BOB, ERIN, NIC, AWAY] {
                let frame = udp(version, from, to, 9).complete();
                bench.refuses(A, &frame, SpoofedAddress);
            }
            let from = crate::station::ALICE;
            bench.refuses(A, &udp(version, from, to, 9).complete(), SpoofedMac);
        }
        // Where addresses are not checked, they are at least of the network.
        unguard(&mut bench, A);
        for from in [ERIN, NIC, AWAY] {
            for to in [BOB, AWAY] {
                bench.refuses(A, &udp(version, from, to, 9).complete(), Martian);
            }
        }
        let from = crate::station::ALICE;
        bench.refuses(A, &udp(version, from, AWAY, 9).complete(), SpoofedMac);
        // Not even a switch takes frames from there to there.
        let stranger = crate::station::BOB;
        bench.refuses(A, &udp(version, from, stranger, 9).complete(), SpoofedMac);
        assert_eq!(bench.bridge().neighbours.learned(), 0);
    }
}

/// The host has no port on such a link.
#[test]
fn the_host_s_own_addresses_are_not_reached() {
    for version in [V4, V6] {
        let mut bench = bench(&[BRIDGE]);
        bench.refuses(A, &udp(version, ALICE, NIC, 9).complete(), NotServed);
        // Nor does anybody outside speak for a container.
        let knock = udp(version, BOB.with_mac(PEER.mac), ALICE, 9).complete();
        bench.refuses(UPLINK, &knock, Martian);
    }
}

#[test]
fn there_are_no_vlans() {
    let mut bench = bench(&[BRIDGE]);
    let frame = udp(V4, ALICE, BOB, 9).complete();
    bench.refuses(A, &frame.clone().tagged(7), VlanNotAllowed);
    bench.refuses(A, &frame.clone().tagged(7).tagged(0), VlanNotAllowed);
    bench.edit_port(B, |port| port.vlan = VlanId::new(7));
    bench.refuses(A, &frame, VlanMismatch);
}

/// The source address is what a device makes of it.
#[test]
fn no_device_is_asked_to_forge_an_address() {
    for siblings in [&[BRIDGE][..], &[]] {
        let mut bench = bench(siblings);
        for (version, offset) in [(V4, 12), (V6, 8)] {
            let to = if siblings.is_empty() { AWAY } else { BOB };
            let mut frame = udp(version, ALICE, to, 9).offloaded();
            (frame.header.csum_start, frame.header.csum_offset) = (14, offset);
            bench.refuses(A, &frame, BadOffload);
        }
    }
}
