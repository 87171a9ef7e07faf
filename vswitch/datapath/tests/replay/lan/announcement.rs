//! A station that has come is announced where it is heard.

use core::net::Ipv6Addr;

use smoltcp::wire::NdiscNeighborFlags;
use vswitch_datapath::Face::{Own, Shared, Translated};
use vswitch_datapath::Mode::{Bridge, Passthru, Private, Vepa};
use vswitch_packet::MacAddr;

use super::physical::{NIC, NIC_MAC, UNTAGGED, on_wire, vlan, with_modes};
use crate::bench::{BRIDGE, HOST};
use crate::counters::on;
use crate::crafted::{advertise, who_has};
use crate::station::{A, ALICE, B, C, Station, at, station};
use crate::tap_frame::TapFrame;

/// By ARP and ND.
fn announcements(from: Station) -> [TapFrame; 2] {
    let everybody = station(0)
        .with_mac(MacAddr([0x33, 0x33, 0, 0, 0, 1]))
        .with_v6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1));
    let flags = NdiscNeighborFlags::OVERRIDE;
    [who_has(from, from), advertise(from, everybody, from, flags)]
}

#[test]
fn stations_hear_it_by_their_modes_and_so_does_the_wire() {
    for (mode, is_heard) in [
        (Bridge, true),
        (Private, false),
        (Vepa, false),
        (Passthru, false),
    ] {
        let mut bench = with_modes(vlan(100), [mode, Bridge, Vepa]);
        bench.run_announce(BRIDGE, A, &ALICE.addresses());
        let frames = announcements(ALICE);
        let tagged = frames.clone().map(|frame| frame.tagged(100));
        let mut expected = vec![];
        if is_heard {
            expected.extend(frames.iter().map(|frame| (B, frame)));
        }
        expected.extend(tagged.iter().map(|frame| (NIC, frame)));
        bench.assert_sent(expected);
        let heard = on(B).sent(frames.iter().filter(|_| is_heard));
        bench.assert_counted([heard, on(NIC).sent(&tagged)]);
    }
}

#[test]
fn the_wire_hears_the_address_that_it_sees() {
    for (face, inside) in [(Own, ALICE.mac), (Shared, NIC_MAC), (Translated, ALICE.mac)] {
        let mut bench = on_wire(UNTAGGED);
        bench.join(A, BRIDGE, Bridge, face);
        bench.join(B, BRIDGE, Bridge, Own);
        bench.join_host(HOST, BRIDGE);
        bench.run_announce(BRIDGE, A, &ALICE.addresses());
        let here = announcements(ALICE.with_mac(inside));
        let there = match face {
            Own => announcements(ALICE),
            Shared | Translated => announcements(ALICE.with_mac(NIC_MAC)),
        };
        let local = here.iter().flat_map(|frame| [(B, frame), (HOST, frame)]);
        let remote = there.iter().map(|frame| (NIC, frame));
        bench.assert_sent(local.chain(remote));
        bench.assert_counted([
            on(B).sent(&here),
            on(HOST).sent(&here),
            on(NIC).sent(&there),
        ]);
    }
}

#[test]
fn the_host_is_announced_to_its_network_alone() {
    let mut bench = with_modes(UNTAGGED, [Private, Vepa]);
    bench.join_host(HOST, BRIDGE);
    bench.put_on(super::physical::OTHER, UNTAGGED);
    bench.join(C, super::physical::OTHER, Bridge, Own);
    bench.run_announce(BRIDGE, HOST, &at(HOST).addresses());
    let frames = announcements(at(HOST));
    let both = frames.iter().flat_map(|frame| [(A, frame), (B, frame)]);
    bench.assert_sent(both);
    bench.assert_counted([A, B].map(|port| on(port).sent(&frames)));
}
