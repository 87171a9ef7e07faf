//! Datagrams that come in together, or one after the other: what is inside goes on together.

use vswitch_datapath::DropReason::BadVxlan;
use vswitch_packet::Capabilities;
use vswitch_packet::ip::Version::{V4, V6};

use super::peers::{FAR, NEAR, TO_FAR, TO_NEAR, UNDERLAY, VNI, with_peers};
use crate::bench::Bench;
use crate::counters::on;
use crate::crafted::{Packet, tcp, udp};
use crate::datagrams::Delivery;
use crate::station::{A, ALICE, BOB, CAROL, Station};
use crate::tap_frame::TapFrame;
use crate::wire;

fn bench() -> Bench {
    let mut bench = with_peers(2);
    bench.learn(&[A]);
    bench
}

/// Consecutive segments from `from` to alice, or numbered datagrams.
fn stream(packet: &Packet, from: Station, count: usize) -> Vec<TapFrame> {
    (0..count)
        .map(|n| {
            let mut packet = Packet {
                from,
                ..packet.clone()
            };
            packet.payload[..4].copy_from_slice(&(n as u32).to_be_bytes());
            let len = packet.payload.len();
            let next = packet.tcp_header(|tcp| {
                tcp.sequence_number = tcp.sequence_number.wrapping_add((n * len) as u32);
            });
            next.complete()
        })
        .collect()
}

#[test]
fn joined_datagrams_go_on_as_one_super_frame() {
    let mut bench = bench();
    for version in [V4, V6] {
        for packet in [
            udp(version, BOB, ALICE, 333),
            tcp(version, BOB, ALICE, 1350),
        ] {
            let frames = stream(&packet, BOB, 20);
            let delivery = Delivery::joined(NEAR, VNI, &frames);
            bench.arrive(UNDERLAY, [&delivery]);
            let sent = bench.sent_at(A);
            assert_eq!(sent.len(), 1);
            wire::assert_same_stream(&sent, &frames);
            bench.assert_counted([
                on(UNDERLAY).arrived([&delivery]),
                on(TO_NEAR).received(&frames),
                on(A).sent(&sent).coalesced(20),
            ]);
        }
    }
}

#[test]
fn datagrams_that_come_one_by_one_go_on_together_if_their_checksums_are_right() {
    let mut bench = bench();
    for version in [V4, V6] {
        for packet in [
            udp(version, BOB, ALICE, 333),
            tcp(version, BOB, ALICE, 1350),
        ] {
            let frames = stream(&packet, BOB, 20);
            let deliveries: Vec<_> = frames.iter().map(|f| Delivery::one(NEAR, VNI, f)).collect();
            bench.arrive(UNDERLAY, &deliveries);
            let sent = bench.sent_at(A);
            assert_eq!(sent.len(), 1);
            wire::assert_same_stream(&sent, &frames);
            bench.assert_counted([
                on(UNDERLAY).arrived(&deliveries),
                on(TO_NEAR).received(&frames),
                on(A).sent(&sent).coalesced(20),
            ]);
        }
    }
}

#[test]
fn a_wrong_checksum_is_left_to_the_container_to_reject() {
    let mut bench = bench();
    for version in [V4, V6] {
        for packet in [udp(version, BOB, ALICE, 333), tcp(version, BOB, ALICE, 333)] {
            let mut frames = stream(&packet, BOB, 5);
            let last = frames[2].bytes.len() - 1;
            frames[2].bytes[last] ^= 1;
            let apart: Vec<_> = frames.iter().map(|f| Delivery::one(NEAR, VNI, f)).collect();
            // The other host's kernel has summed the damage up, too.
            let joined = vec![Delivery::joined(NEAR, VNI, &frames)];
            for deliveries in [apart, joined] {
                bench.arrive(UNDERLAY, &deliveries);
                let sent = bench.sent_at(A);
                // Two, the damaged one as it came with nobody to vouch for it, and two.
                assert_eq!(sent.len(), 3);
                assert_eq!(sent[1], frames[2]);
                wire::assert_same_stream([&sent[0]], &frames[..2]);
                wire::assert_same_stream([&sent[2]], &frames[3..]);
                bench.counted();
            }
        }
    }
}

#[test]
fn a_datagram_without_a_checksum_goes_on_as_it_came() {
    let mut bench = bench();
    let frame = udp(V4, BOB, ALICE, 333).complete().patched(40, &[0, 0]);
    let deliveries = vec![Delivery::one(NEAR, VNI, &frame); 3];
    bench.arrive(UNDERLAY, &deliveries);
    bench.assert_sent([(A, &frame), (A, &frame), (A, &frame)]);
    bench.counted();
}

#[test]
fn streams_of_several_peers_stay_in_order() {
    let mut bench = bench();
    let packet = udp(V4, BOB, ALICE, 100);
    let (near, far) = (stream(&packet, BOB, 12), stream(&packet, CAROL, 12));
    let mut deliveries = vec![];
    for n in 0..4 {
        deliveries.push(Delivery::joined(NEAR, VNI, &near[n * 3..n * 3 + 3]));
        deliveries.push(Delivery::one(FAR, VNI, &far[n * 3]));
        deliveries.push(Delivery::joined(FAR, VNI, &far[n * 3 + 1..n * 3 + 3]));
    }
    bench.arrive(UNDERLAY, &deliveries);
    let sent = bench.sent_at(A);
    assert_eq!(sent.len(), 2);
    wire::assert_same_stream([&sent[0]], &near);
    wire::assert_same_stream([&sent[1]], &far);
    bench.assert_counted([
        on(UNDERLAY).arrived(&deliveries),
        on(TO_NEAR).received(&near),
        on(TO_FAR).received(&far),
        on(A).sent(&sent).coalesced(24),
    ]);
}

#[test]
fn the_last_of_joined_datagrams_may_be_shorter() {
    let mut bench = bench();
    let mut frames = stream(&udp(V6, BOB, ALICE, 100), BOB, 4);
    frames.push(udp(V6, BOB, ALICE, 31).complete());
    let delivery = Delivery::joined(NEAR, VNI, &frames);
    bench.arrive(UNDERLAY, [&delivery]);
    let sent = bench.sent_at(A);
    assert_eq!(sent.len(), 1);
    wire::assert_same_stream(&sent, &frames);
    bench.counted();
    // Or too short for anything.
    let mut cut = delivery.clone();
    cut.datagrams[4].truncate(21);
    bench.arrive(UNDERLAY, [&cut]);
    let sent = bench.sent_at(A);
    wire::assert_same_stream(&sent, &frames[..4]);
    bench.assert_counted([
        on(UNDERLAY).arrived([&cut]).dropped(BadVxlan, 1),
        on(TO_NEAR).received(&frames[..4]),
        on(A).sent(&sent).coalesced(4),
    ]);
}

#[test]
fn for_a_port_that_takes_nothing_unfinished_each_stays_alone() {
    let mut bench = bench();
    bench.edit_port(A, |port| port.capabilities = Capabilities::NONE);
    let frames = stream(&udp(V4, BOB, ALICE, 100), BOB, 5);
    let delivery = Delivery::joined(NEAR, VNI, &frames);
    bench.arrive(UNDERLAY, [&delivery]);
    let expected: Vec<_> = frames
        .iter()
        .map(|frame| frame.clone().verified())
        .collect();
    bench.assert_sent(expected.iter().map(|frame| (A, frame)));
    bench.counted();
}
