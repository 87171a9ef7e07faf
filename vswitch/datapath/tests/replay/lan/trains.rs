//! Super-frames and trains, to the wire and from it.

use vswitch_datapath::Face::{Own, Translated};
use vswitch_datapath::Mode::{Bridge, Vepa};
use vswitch_datapath::PortId;
use vswitch_packet::ip::Version::{V4, V6};
use vswitch_packet::{Capabilities, EtherType, MacAddr};

use super::physical::{
    NIC, NIC_MAC, OTHER, ROUTER, UNTAGGED, beside, on_wire, service_vlan, vlan, with_modes,
};
use crate::bench::{BRIDGE, Bench};
use crate::coalescing::numbered;
use crate::counters::on;
use crate::crafted::{Packet, echo, everybody, tcp, udp};
use crate::station::{A, ALICE, B, BOB, Station};
use crate::tap_frame::TapFrame;
use crate::wire::{self, assert_same_stream};

/// `frames` from `port` leave by `egress` as one.
#[track_caller]
fn assert_train(bench: &mut Bench, port: PortId, frames: &[TapFrame], egress: PortId) -> TapFrame {
    assert_train_of(bench, port, frames, (egress, frames))
}

/// As [`assert_train`], being `expected` there.
#[track_caller]
fn assert_train_of(
    bench: &mut Bench,
    port: PortId,
    frames: &[TapFrame],
    (egress, expected): (PortId, &[TapFrame]),
) -> TapFrame {
    bench.burst(frames.iter().map(|frame| (port, frame)));
    let mut sent = bench.sent_at(egress);
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert_same_stream(&sent, expected);
    let count = frames.len() as u64;
    bench.assert_counted([
        on(port).received(frames),
        on(egress).sent(&sent).coalesced(count),
    ]);
    sent.remove(0)
}

/// Segments of a connection that follow each other.
fn connection(from: Station, to: Station, count: u32) -> Vec<TapFrame> {
    let next = |n: u32| {
        tcp(V4, from, to, 1000)
            .tcp_header(|tcp| tcp.sequence_number = tcp.sequence_number.wrapping_add(n * 1000))
            .offloaded()
    };
    (0..count).map(next).collect()
}

#[test]
fn untagged_frames_leave_by_the_wire_as_one() {
    let mut bench = with_modes(UNTAGGED, [Bridge]);
    for version in [V4, V6] {
        let frames = numbered(&udp(version, ALICE, ROUTER, 300), 20);
        let train = assert_train(&mut bench, A, &frames, NIC);
        assert_eq!((train.header.gso_type, train.header.gso_size), (5, 300));
    }
    assert_train(&mut bench, A, &connection(ALICE, ROUTER, 12), NIC);
}

#[test]
fn a_train_to_the_wire_is_the_nic_s() {
    let mut bench = on_wire(UNTAGGED);
    bench.join(A, BRIDGE, Bridge, Translated);
    let outside = ALICE.with_mac(NIC_MAC);
    for (inside, seen) in [
        (
            numbered(&udp(V6, ALICE, ROUTER, 300), 20),
            numbered(&udp(V6, outside, ROUTER, 300), 20),
        ),
        (
            connection(ALICE, ROUTER, 12),
            connection(outside, ROUTER, 12),
        ),
    ] {
        assert_train_of(&mut bench, A, &inside, (NIC, &seen));
    }
    // Back inside.
    assert_train_of(
        &mut bench,
        NIC,
        &connection(ROUTER, outside, 12),
        (A, &connection(ROUTER, ALICE, 12)),
    );
}

#[test]
fn tagged_frames_leave_by_the_wire_one_by_one() {
    let mut bench = with_modes(vlan(100), [Bridge]);
    let frames = numbered(&udp(V4, ALICE, ROUTER, 300), 20);
    bench.burst(frames.iter().map(|frame| (A, frame)));
    let tagged: Vec<_> = frames.iter().map(|f| f.clone().tagged(100)).collect();
    bench.assert_sent(tagged.iter().map(|frame| (NIC, frame)));
    bench.assert_counted([on(A).received(&frames), on(NIC).sent(&tagged)]);
}

#[test]
fn a_nic_that_takes_not_everything_gets_no_trains() {
    let mut bench = with_modes(UNTAGGED, [Bridge]);
    bench.edit_port(NIC, |port| {
        port.capabilities = Capabilities {
            uso: false,
            ..Capabilities::ALL
        };
    });
    let frames = numbered(&udp(V4, ALICE, ROUTER, 300), 20);
    bench.burst(frames.iter().map(|frame| (A, frame)));
    bench.assert_sent(frames.iter().map(|frame| (NIC, frame)));
    bench.assert_counted([on(A).received(&frames), on(NIC).sent(&frames)]);
}

#[test]
fn frames_to_stations_are_joined() {
    let mut bench = with_modes(vlan(100), [Bridge, Bridge]);
    let frames = numbered(&udp(V4, ALICE, BOB, 300), 20);
    assert_train(&mut bench, A, &frames, B);
    // From the wire.
    let frames = connection(ROUTER, ALICE, 12);
    let tag = beside(EtherType::VLAN, 100);
    bench.burst_tagged(frames.iter().map(|frame| (NIC, tag, frame)));
    let sent = bench.sent_at(A);
    assert_eq!(sent.len(), 1);
    assert_same_stream(&sent, &frames);
    bench.assert_counted([on(NIC).received(&frames), on(A).sent(&sent).coalesced(12)]);
}

#[test]
fn super_frames_go_through_whole() {
    for (wire, id, ethertype) in [
        (vlan(100), 100, EtherType::VLAN),
        (service_vlan(7), 7, EtherType::SERVICE_VLAN),
    ] {
        let mut bench = with_modes(wire, [Bridge]);
        let frames = |from, to| {
            [V4, V6].into_iter().flat_map(move |version| {
                [
                    tcp(version, from, to, 60_001).super_frame(1400),
                    udp(version, from, to, 2500).super_frame(1000),
                    tcp(version, from, to, 100).offloaded(),
                ]
            })
        };
        let service = |frame: TapFrame| frame.patched(12, &ethertype.0.to_be_bytes());
        for frame in frames(ALICE, ROUTER) {
            bench.turns(A, &frame, &[(NIC, &service(frame.clone().tagged(id)))]);
            let priority = frame.clone().tagged(0xa000);
            let replaced = service(frame.tagged(0xa000 | id));
            bench.turns(A, &priority, &[(NIC, &replaced)]);
        }
        for frame in frames(ROUTER, ALICE) {
            bench.brings(beside(ethertype, id), &frame, &[(A, &frame)]);
        }
    }
}

#[test]
fn super_frames_are_segmented_for_a_nic_that_takes_none() {
    let mut bench = with_modes(vlan(100), [Bridge]);
    bench.edit_port(NIC, |port| port.capabilities = Capabilities::NONE);
    for version in [V4, V6] {
        for packet in [
            tcp(version, ALICE, ROUTER, 5001),
            udp(version, ALICE, ROUTER, 2500),
        ] {
            let frame = packet.super_frame(1000);
            bench.enter(A, &frame);
            let sent = bench.sent_at(NIC);
            let expected: Vec<_> = wire::packets(&frame)
                .into_iter()
                .map(|packet| TapFrame::plain(packet).tagged(100))
                .collect();
            assert_same_stream(&sent, &expected);
            assert!(sent.iter().all(|f| f.header.flags == 0 && !f.is_super()));
            bench.assert_counted([on(A).received([&frame]), on(NIC).sent(&sent).segmented(1)]);
        }
    }
}

#[test]
fn a_super_frame_for_many_reaches_each_as_it_can_take_it() {
    let mut bench = with_modes(UNTAGGED, [Bridge, Bridge]);
    bench.edit_port(NIC, |port| port.capabilities = Capabilities::NONE);
    let frame = udp(V4, ALICE, everybody(BOB), 2500).super_frame(1000);
    bench.enter(A, &frame);
    let sent = bench.sent();
    let (first, rest) = sent.split_first().unwrap();
    assert_eq!(*first, (B, frame.clone()));
    let segments: Vec<_> = wire::at(NIC, rest).cloned().collect();
    assert_eq!(segments.len(), 3);
    assert_same_stream(&segments, [&frame]);
    bench.assert_counted([
        on(A).received([&frame]),
        on(B).sent([&frame]),
        on(NIC).sent(&segments).segmented(1),
    ]);
}

#[test]
fn the_order_of_a_flow_is_kept() {
    let mut bench = on_wire(UNTAGGED);
    bench.put_on(OTHER, vlan(100));
    bench.join(A, BRIDGE, Bridge, Own);
    bench.join(B, OTHER, Bridge, Own);
    // What cannot join, and what is for many, does not overtake.
    let [first, second] = [0, 1].map(|n: u32| {
        let data = n.to_be_bytes().to_vec();
        udp(V4, ALICE, ROUTER, 300).data(data).offloaded()
    });
    let tagged = first.clone().tagged(0xa000);
    let many = udp(V4, ALICE, everybody(ROUTER), 18).complete();
    let frames = [&first, &tagged, &second, &many, &first];
    bench.burst(frames.map(|frame| (A, frame)));
    bench.assert_sent(frames.map(|frame| (NIC, frame)));
    bench.assert_counted([on(A).received(frames), on(NIC).sent(frames)]);
    // The flow of another LAN on the same NIC is another, even if the packets are the same.
    let twin = udp(V4, ALICE.with_mac(BOB.mac), ROUTER, 300);
    let here = numbered(&udp(V4, ALICE, ROUTER, 300), 4);
    let there = numbered(&twin, 4);
    let mixed = here.iter().zip(&there);
    bench.burst(mixed.flat_map(|(one, other)| [(A, one), (B, other)]));
    let sent = bench.sent_at(NIC);
    let (tagged, plain): (Vec<_>, Vec<_>) = sent
        .iter()
        .partition(|frame| frame.bytes[12..14] == [0x81, 0]);
    assert_same_stream(plain, &here);
    let expected: Vec<_> = there.iter().map(|f| f.clone().tagged(100)).collect();
    assert_same_stream(tagged, &expected);
    // How often the one cuts the other short is nobody's business.
    bench.counted();
}

#[test]
fn trains_end_with_who_is_not_of_them() {
    let mut bench = with_modes(UNTAGGED, [Vepa, Vepa]);
    let mut frames = numbered(&udp(V4, ALICE, ROUTER, 300), 3);
    let ping = echo(V4, true, ALICE, ROUTER, 18);
    frames.push(ping);
    let other: Packet = udp(V4, ALICE, ROUTER, 300).ports(1, 2);
    frames.extend(numbered(&other, 3));
    bench.burst(frames.iter().map(|frame| (A, frame)));
    let sent = bench.sent_at(NIC);
    assert_eq!(sent.len(), 3, "two trains, and the ping");
    let mut packets = [wire::stream(&sent), wire::stream(&frames)];
    packets.iter_mut().for_each(|packets| packets.sort());
    assert_eq!(packets[0], packets[1]);
    bench.assert_counted([on(A).received(&frames), on(NIC).sent(&sent).coalesced(6)]);
    // By whom the packets are does not make them one flow.
    let stranger = ROUTER.with_mac(MacAddr([2, 9, 9, 9, 9, 9]));
    let mut frames = numbered(&udp(V4, ALICE, ROUTER, 300), 2);
    frames.extend(numbered(&udp(V4, ALICE, stranger, 300), 2));
    bench.burst(frames.iter().map(|frame| (A, frame)));
    let sent = bench.sent_at(NIC);
    assert_same_stream(&sent, &frames);
    bench.assert_counted([on(A).received(&frames), on(NIC).sent(&sent).coalesced(4)]);
}
