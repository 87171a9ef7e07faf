//! The host on a LAN: it reaches the stations of one network, and never the wire.

use vswitch_datapath::DropReason::{
    Isolated, NoStation, NotOurs, Reflected, SpoofedMac, VlanNotAllowed,
};
use vswitch_datapath::Face::{Own, Shared, Translated};
use vswitch_datapath::Mode::{Bridge, Private, Vepa};
use vswitch_packet::ip::Version::{V4, V6};

use super::physical::{NIC, NIC_MAC, OTHER, ROUTER, UNTAGGED, on_wire};
use crate::bench::{BRIDGE, Bench, HOST};
use crate::crafted::{tcp, udp, who_has};
use crate::station::{A, ALICE, B, BOB, C, CAROL, D, DAVE, Station, at};

const THE_HOST: Station = at(HOST);

/// Stations A to C in all modes, and D on another network of the same LAN.
fn bench() -> Bench {
    let mut bench = on_wire(UNTAGGED);
    bench.put_on(OTHER, UNTAGGED);
    bench.join(A, BRIDGE, Bridge, Own);
    bench.join(B, BRIDGE, Private, Own);
    bench.join(C, BRIDGE, Vepa, Own);
    bench.join(D, OTHER, Bridge, Own);
    bench.join_host(HOST, BRIDGE);
    bench
}

#[test]
fn it_reaches_the_stations_of_its_network_in_every_mode() {
    let mut bench = bench();
    for (port, station) in [(A, ALICE), (B, BOB), (C, CAROL)] {
        for version in [V4, V6] {
            for (from, to, ingress, egress) in [
                (THE_HOST, station, HOST, port),
                (station, THE_HOST, port, HOST),
            ] {
                bench.carries(ingress, &udp(version, from, to, 18).complete(), &[egress]);
                let segment = tcp(version, from, to, 5000).super_frame(1000);
                bench.carries(ingress, &segment, &[egress]);
            }
        }
    }
    bench.carries(HOST, &who_has(THE_HOST, ALICE), &[A, B, C]);
    bench.carries(A, &who_has(ALICE, THE_HOST), &[D, HOST, NIC]);
    bench.carries(B, &who_has(BOB, THE_HOST), &[HOST, NIC]);
    bench.carries(C, &who_has(CAROL, THE_HOST), &[HOST, NIC]);
}

#[test]
fn it_does_not_reach_other_networks() {
    let mut bench = bench();
    bench.refuses(HOST, &udp(V4, THE_HOST, DAVE, 18).complete(), Isolated);
    bench.refuses(D, &udp(V4, DAVE, THE_HOST, 18).complete(), Isolated);
    bench.carries(D, &who_has(DAVE, THE_HOST), &[A, NIC]);
}

#[test]
fn it_never_talks_with_the_wire() {
    let mut bench = bench();
    bench.refuses(HOST, &udp(V4, THE_HOST, ROUTER, 18).complete(), NoStation);
    bench.carries(HOST, &who_has(THE_HOST, ROUTER), &[A, B, C]);
    bench.sheds(None, &udp(V4, ROUTER, THE_HOST, 18).complete(), NotOurs);
    bench.carries(NIC, &who_has(ROUTER, THE_HOST), &[A, B, C, D]);
    // What a station has asked for everybody to hear was heard by it already.
    bench.carries(NIC, &who_has(ALICE, THE_HOST), &[C]);
    bench.carries(NIC, &who_has(CAROL, THE_HOST), &[A, D]);
    bench.sheds(None, &udp(V4, ALICE, THE_HOST, 18).complete(), NotOurs);
    bench.sheds(None, &who_has(BOB, THE_HOST), Reflected);
}

#[test]
fn it_reaches_stations_without_a_mac_address_of_their_own() {
    let mut bench = on_wire(UNTAGGED);
    bench.join(A, BRIDGE, Bridge, Shared);
    bench.join(B, BRIDGE, Private, Shared);
    bench.join(C, BRIDGE, Bridge, Translated);
    bench.join_host(HOST, BRIDGE);
    for (port, station) in [
        (A, ALICE.with_mac(NIC_MAC)),
        (B, BOB.with_mac(NIC_MAC)),
        (C, CAROL),
    ] {
        for version in [V4, V6] {
            let there = udp(version, THE_HOST, station, 18).complete();
            bench.carries(HOST, &there, &[port]);
            let back = udp(version, station, THE_HOST, 18).complete();
            bench.carries(port, &back, &[HOST]);
        }
        bench.carries(HOST, &who_has(THE_HOST, station), &[A, B, C]);
    }
}

#[test]
fn it_is_checked_as_stations_are() {
    let mut bench = bench();
    bench.refuses(HOST, &udp(V4, DAVE, ALICE, 18).complete(), SpoofedMac);
    let tagged = udp(V4, THE_HOST, ALICE, 18).complete().tagged(7);
    bench.refuses(HOST, &tagged, VlanNotAllowed);
}

/// Its kernel may forward between its interfaces.
#[test]
fn it_is_no_router_between_stations() {
    let mut bench = bench();
    for version in [V4, V6] {
        let by_the_host = BOB.with_mac(THE_HOST.mac);
        bench.refuses(
            A,
            &udp(version, ALICE, by_the_host, 18).complete(),
            Isolated,
        );
        let forwarded = BOB.with_mac(THE_HOST.mac);
        bench.refuses(
            HOST,
            &udp(version, forwarded, ALICE, 18).complete(),
            Isolated,
        );
        bench.carries(A, &udp(version, ALICE, THE_HOST, 18).complete(), &[HOST]);
        bench.carries(HOST, &udp(version, THE_HOST, ALICE, 18).complete(), &[A]);
    }
}
