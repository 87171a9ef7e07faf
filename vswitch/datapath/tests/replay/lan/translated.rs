//! Stations with MAC addresses of their own, which the wire does not see.

use smoltcp::wire::NdiscNeighborFlags;
use vswitch_datapath::DropReason::{NotOurs, Reflected, Untranslatable};
use vswitch_datapath::Face::{Own, Shared, Translated};
use vswitch_datapath::Mode::Bridge;
use vswitch_packet::EtherType;
use vswitch_packet::ip::Version::{V4, V6};

use super::physical::{NIC, NIC_MAC, OTHER, ROUTER, UNTAGGED, beside, on_wire, vlan};
use crate::bench::{BRIDGE, Bench};
use crate::counters::on;
use crate::crafted::{advertise, echo, ethernet, is_at, solicit, tcp, udp, who_has};
use crate::station::{A, ALICE, B, BOB, C, CAROL, D, DAVE, Station};
use crate::tap_frame::TapFrame;

/// As the wire sees it.
const fn outside(station: Station) -> Station {
    station.with_mac(NIC_MAC)
}

/// A and B are translated, C has its own MAC address, D the NIC's.
fn bench() -> Bench {
    let mut bench = on_wire(UNTAGGED);
    for (port, face) in [(A, Translated), (B, Translated), (C, Own), (D, Shared)] {
        bench.join(port, BRIDGE, Bridge, face);
    }
    bench
}

fn packets(from: Station, to: Station) -> Vec<TapFrame> {
    let both = [V4, V6].into_iter().flat_map(|version| {
        [
            udp(version, from, to, 18).complete(),
            tcp(version, from, to, 100).offloaded(),
            tcp(version, from, to, 5000).super_frame(1000),
            udp(version, from, to, 2500).super_frame(1000),
            echo(version, true, from, to, 18),
        ]
    });
    both.collect()
}

#[test]
fn packets_to_the_wire_are_from_the_nic() {
    let mut bench = bench();
    let inside = packets(ALICE, ROUTER);
    for (frame, seen) in inside.iter().zip(packets(outside(ALICE), ROUTER)) {
        bench.turns(A, frame, &[(NIC, &seen)]);
    }
}

#[test]
fn packets_from_the_wire_are_to_the_station() {
    let mut bench = bench();
    for (port, station) in [(A, ALICE), (B, BOB)] {
        let seen = packets(ROUTER, outside(station));
        for (frame, inside) in seen.iter().zip(packets(ROUTER, station)) {
            bench.turns(NIC, frame, &[(port, &inside)]);
        }
    }
    // The address that it has inside is nobody's out there.
    bench.sheds(None, &udp(V4, ROUTER, ALICE, 18).complete(), NotOurs);
}

#[test]
fn neighbours_out_there_are_told_the_nic_s_address() {
    let mut bench = bench();
    let frame = who_has(ALICE, ROUTER);
    let seen = who_has(outside(ALICE), ROUTER);
    bench.turns(
        A,
        &frame,
        &[(B, &frame), (C, &frame), (D, &frame), (NIC, &seen)],
    );
    bench.turns(
        A,
        &is_at(ALICE, ROUTER),
        &[(NIC, &is_at(outside(ALICE), ROUTER))],
    );
    let frame = solicit(ALICE, ROUTER);
    let seen = solicit(outside(ALICE), ROUTER);
    bench.turns(
        A,
        &frame,
        &[(B, &frame), (C, &frame), (D, &frame), (NIC, &seen)],
    );
    let flags = NdiscNeighborFlags::SOLICITED | NdiscNeighborFlags::OVERRIDE;
    let answer = |station| advertise(station, ROUTER, station, flags);
    bench.turns(A, &answer(ALICE), &[(NIC, &answer(outside(ALICE)))]);
    // With the tag of the VLAN.
    bench.put_on(BRIDGE, vlan(100));
    let tagged = answer(outside(ALICE)).tagged(100);
    bench.turns(A, &answer(ALICE), &[(NIC, &tagged)]);
}

#[test]
fn neighbours_out_there_ask_and_answer() {
    let mut bench = bench();
    let all = [A, B, C, D];
    bench.carries(NIC, &who_has(ROUTER, ALICE), &all);
    bench.carries(NIC, &solicit(ROUTER, ALICE), &all);
    bench.turns(
        NIC,
        &is_at(ROUTER, outside(BOB)),
        &[(B, &is_at(ROUTER, BOB))],
    );
    let flags = NdiscNeighborFlags::SOLICITED;
    bench.turns(
        NIC,
        &advertise(ROUTER, outside(BOB), ROUTER, flags),
        &[(B, &advertise(ROUTER, BOB, ROUTER, flags))],
    );
    // To its link-local address as well.
    let local = |mac| BOB.with_v6(BOB.link_local()).with_mac(mac);
    bench.turns(
        NIC,
        &udp(V6, ROUTER, local(NIC_MAC), 18).complete(),
        &[(B, &udp(V6, ROUTER, local(BOB.mac), 18).complete())],
    );
}

#[test]
fn among_stations_nothing_is_translated() {
    let mut bench = bench();
    let stations = [(A, ALICE), (B, BOB), (C, CAROL), (D, outside(DAVE))];
    for (from, sender) in stations {
        for (to, receiver) in stations {
            if from != to {
                for frame in packets(sender, receiver) {
                    bench.carries(from, &frame, &[to]);
                }
                bench.carries(from, &is_at(sender, receiver), &[to]);
            }
        }
    }
    // Who knows a station by the NIC's address reaches it all the same.
    bench.turns(
        C,
        &udp(V4, CAROL, outside(ALICE), 18).complete(),
        &[(A, &udp(V4, CAROL, ALICE, 18).complete())],
    );
}

#[test]
fn what_comes_back_is_known_by_its_ip_address() {
    let mut bench = bench();
    bench.carries(NIC, &who_has(outside(ALICE), ROUTER), &[]);
    bench.carries(NIC, &solicit(outside(ALICE), ROUTER), &[]);
    let probe = outside(ALICE).with_v4(core::net::Ipv4Addr::UNSPECIFIED);
    bench.sheds(None, &who_has(probe, ALICE), Reflected);
    bench.sheds(
        None,
        &udp(V4, outside(ALICE), outside(ALICE), 18).complete(),
        Reflected,
    );
}

/// From a client without an address, with `flags`.
fn discover(from: Station, flags: u16) -> TapFrame {
    let nobody = from.with_v4(core::net::Ipv4Addr::UNSPECIFIED);
    let mut message = vec![0; 300];
    message[..4].copy_from_slice(&[1, 1, 6, 0]);
    message[10..12].copy_from_slice(&flags.to_be_bytes());
    message[28..34].copy_from_slice(&ALICE.mac.0);
    let packet = udp(V4, nobody, crate::crafted::everybody(ROUTER), 0);
    packet.ports(68, 67).data(message).complete()
}

#[test]
fn a_dhcp_server_is_asked_for_a_broadcast() {
    let mut bench = bench();
    let frame = discover(ALICE, 0);
    let seen = discover(outside(ALICE), 0x8000);
    bench.turns(
        A,
        &frame,
        &[(B, &frame), (C, &frame), (D, &frame), (NIC, &seen)],
    );
    let frame = discover(outside(DAVE), 0);
    bench.turns(
        D,
        &frame,
        &[(A, &frame), (B, &frame), (C, &frame), (NIC, &seen)],
    );
    // Who has a MAC address of its own needs none.
    let frame = discover(CAROL, 0);
    bench.carries(C, &frame, &[A, B, D, NIC]);
    let answer = udp(V4, ROUTER, crate::crafted::everybody(ALICE), 300).ports(67, 68);
    bench.carries(NIC, &answer.complete(), &[A, B, C, D]);
}

#[test]
fn each_vlan_has_its_own() {
    let mut bench = bench();
    bench.put_on(OTHER, vlan(100));
    let e = vswitch_datapath::PortId(4);
    bench.join(e, OTHER, Bridge, Translated);
    let erin = crate::station::at(e);
    let frame = tcp(V6, ROUTER, outside(erin), 3000).super_frame(1000);
    let inside = tcp(V6, ROUTER, erin, 3000).super_frame(1000);
    bench.brings(beside(EtherType::VLAN, 100), &frame, &[(e, &inside)]);
    bench.sheds(None, &frame, NotOurs);
    let frame = tcp(V4, erin, ROUTER, 3000).super_frame(1000);
    let seen = tcp(V4, outside(erin), ROUTER, 3000).super_frame(1000);
    bench.turns(e, &frame, &[(NIC, &seen.tagged(100))]);
}

#[test]
fn what_cannot_be_translated_does_not_leave() {
    let mut bench = bench();
    // RARP says its MAC address in ways of its own.
    let unicast = ethernet(ALICE.mac, ROUTER.mac, 0x8035, &[0; 46]);
    bench.refuses_at(A, &unicast, NIC, Untranslatable);
    let frame = unicast.patched(0, &[0xff; 6]);
    bench.enter(A, &frame);
    let here = [B, C, D];
    bench.assert_sent(here.map(|port| (port, &frame)));
    let heard = here.map(|port| on(port).sent([&frame]));
    bench.assert_counted(
        heard
            .into_iter()
            .chain([on(A).received([&frame]), on(NIC).dropped(Untranslatable, 1)]),
    );
}
