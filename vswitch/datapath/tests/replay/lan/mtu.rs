//! MTUs of the NIC and of stations.

use vswitch_datapath::DropReason::TooBig;
use vswitch_datapath::Mode::Bridge;
use vswitch_packet::EtherType;
use vswitch_packet::ip::Version::{self, V4, V6};

use super::physical::{NIC, ROUTER, UNTAGGED, beside, service_vlan, vlan, with_modes};
use crate::counters::on;
use crate::crafted::{everybody, tcp, udp};
use crate::station::{A, ALICE, B, BOB, Station};
use crate::tap_frame::TapFrame;

/// Octets of the packet.
fn packet(version: Version, from: Station, to: Station, len: usize) -> TapFrame {
    let headers = match version {
        V4 => 28,
        V6 => 48,
    };
    udp(version, from, to, len - headers).complete()
}

#[test]
fn the_nic_s_is_for_what_leaves_by_the_wire() {
    for mtu in [1280, 1500, 9000] {
        let mut bench = with_modes(UNTAGGED, [Bridge, Bridge]);
        bench.edit_port(NIC, |port| port.mtu = mtu as u16);
        bench.edit_port(B, |port| port.mtu = 9100);
        for version in [V4, V6] {
            bench.carries(A, &packet(version, ALICE, ROUTER, mtu), &[NIC]);
            bench.carries(A, &packet(version, ALICE, ROUTER, mtu).tagged(0), &[NIC]);
            let long = packet(version, ALICE, ROUTER, mtu + 1);
            bench.refuses_at(A, &long, NIC, TooBig);
            // Others here may take what the wire does not.
            bench.carries(A, &packet(version, ALICE, BOB, mtu + 1), &[B]);
        }
        let long = packet(V4, ALICE, everybody(ROUTER), mtu + 1);
        bench.enter(A, &long);
        bench.assert_sent([(B, &long)]);
        bench.assert_counted([
            on(A).received([&long]),
            on(B).sent([&long]),
            on(NIC).dropped(TooBig, 1),
        ]);
    }
}

#[test]
fn a_tag_of_802_1q_takes_no_room_and_one_of_802_1ad_does() {
    let mut bench = with_modes(vlan(100), [Bridge]);
    let full = packet(V4, ALICE, ROUTER, 1500);
    bench.turns(A, &full, &[(NIC, &full.clone().tagged(100))]);
    bench.refuses_at(A, &packet(V4, ALICE, ROUTER, 1501), NIC, TooBig);

    let mut bench = with_modes(service_vlan(100), [Bridge]);
    bench.refuses_at(A, &full, NIC, TooBig);
    let shorter = packet(V4, ALICE, ROUTER, 1496);
    let tagged = shorter.clone().tagged(100).patched(12, &[0x88, 0xa8]);
    bench.turns(A, &shorter, &[(NIC, &tagged)]);
    bench.refuses_at(A, &shorter.tagged(7), NIC, TooBig);
    let inside = packet(V4, ALICE, ROUTER, 1492).tagged(7);
    let both = inside.clone().tagged(100).patched(12, &[0x88, 0xa8]);
    bench.turns(A, &inside, &[(NIC, &both)]);
}

#[test]
fn a_station_s_is_for_what_reaches_it() {
    let mut bench = with_modes(vlan(100), [Bridge, Bridge]);
    bench.edit_port(NIC, |port| port.mtu = 9000);
    bench.edit_port(B, |port| port.mtu = 9000);
    let tag = beside(EtherType::VLAN, 100);
    for version in [V4, V6] {
        let full = packet(version, ROUTER, ALICE, 1500);
        bench.brings(tag, &full, &[(A, &full)]);
        let long = packet(version, ROUTER, ALICE, 1501);
        bench.burst_tagged([(NIC, tag, &long)]);
        bench.assert_counted([on(NIC).received([&long]), on(A).dropped(TooBig, 1)]);
        bench.refuses_at(B, &packet(version, BOB, ALICE, 1501), A, TooBig);
        // Of a super-frame, the segments count.
        let segments = tcp(version, ROUTER, ALICE, 20_000).super_frame(1400);
        bench.brings(tag, &segments, &[(A, &segments)]);
    }
    let long = packet(V4, ROUTER, everybody(ALICE), 1501);
    bench.burst_tagged([(NIC, tag, &long)]);
    bench.assert_sent([(B, &long)]);
    bench.assert_counted([
        on(NIC).received([&long]),
        on(A).dropped(TooBig, 1),
        on(B).sent([&long]),
    ]);
}

#[test]
fn segments_are_measured_on_the_wire_as_well() {
    for (version, fits) in [(V4, 1448), (V6, 1428)] {
        let mut bench = with_modes(vlan(100), [Bridge]);
        let frame = tcp(version, ALICE, ROUTER, 20_000).super_frame(fits);
        bench.turns(A, &frame, &[(NIC, &frame.clone().tagged(100))]);
        let frame = tcp(version, ALICE, ROUTER, 20_000).super_frame(fits + 1);
        bench.refuses_at(A, &frame, NIC, TooBig);
        let mut bench = with_modes(service_vlan(100), [Bridge]);
        let frame = tcp(version, ALICE, ROUTER, 20_000).super_frame(fits - 3);
        bench.refuses_at(A, &frame, NIC, TooBig);
    }
}
