//! Super-frames on their way to a port that does not take them, or not of their kind.

use vswitch_datapath::DropReason;
use vswitch_datapath::SendError::Refused;
use vswitch_packet::ip::Version::{V4, V6};
use vswitch_packet::{Capabilities, VlanId};

use crate::bench::{Bench, Fault};
use crate::counters::on;
use crate::crafted::{Packet, everybody, tcp, udp};
use crate::station::{A, ALICE, B, BOB, C, CAROL};
use crate::tap_frame::{GSO_ECN, TapFrame};
use crate::wire;

/// A bench whose port B takes what `capabilities` say.
fn bench(capabilities: Capabilities) -> Bench {
    let mut bench = Bench::new(3);
    bench.learn(&[A, B, C]);
    bench.edit_port(B, |port| port.capabilities = capabilities);
    bench
}

fn super_frames() -> Vec<TapFrame> {
    let closing = |packet: Packet| {
        packet
            .tcp_header(|tcp| (tcp.psh, tcp.fin) = (true, true))
            .super_frame(1000)
    };
    let mut frames = vec![];
    for version in [V4, V6] {
        frames.push(tcp(version, ALICE, BOB, 60_001).super_frame(1400));
        frames.push(tcp(version, ALICE, BOB, 2800).super_frame(1400));
        frames.push(tcp(version, ALICE, BOB, 100).super_frame(1400));
        frames.push(closing(tcp(version, ALICE, BOB, 5000)));
        frames.push(udp(version, ALICE, BOB, 64 * 400).super_frame(400));
        frames.push(udp(version, ALICE, BOB, 1201).super_frame(600));
    }
    let mut ecn = tcp(V4, ALICE, BOB, 5000)
        .tcp_header(|tcp| (tcp.cwr, tcp.ece) = (true, true))
        .super_frame(1000);
    ecn.header.gso_type |= GSO_ECN;
    frames.push(ecn);
    frames
}

/// What of `frame` comes out at B: what it is on a wire, and nothing is left to be done.
#[track_caller]
fn assert_segmented(bench: &mut Bench, frame: &TapFrame) {
    bench.enter(A, frame);
    let segments: Vec<_> = wire::packets(frame)
        .into_iter()
        .map(TapFrame::plain)
        .collect();
    let sent = bench.sent_at(B);
    wire::assert_same_stream(&sent, &segments);
    assert!(
        sent.iter()
            .all(|segment| segment.header.flags == 0 && !segment.is_super())
    );
    bench.assert_counted([
        on(A).received([frame]),
        on(B).sent(&segments).segmented(frame.is_super().into()),
    ]);
}

#[test]
fn segments_are_the_stream_that_was_sent() {
    let mut bench = bench(Capabilities::NONE);
    for frame in super_frames() {
        assert_segmented(&mut bench, &frame);
    }
}

#[test]
fn a_checksum_is_completed_for_a_port_that_does_not() {
    let mut bench = bench(Capabilities::NONE);
    for version in [V4, V6] {
        for packet in [tcp(version, ALICE, BOB, 999), udp(version, ALICE, BOB, 18)] {
            let (left, done) = (packet.offloaded(), packet.complete());
            bench.turns(A, &left, &[(B, &done)]);
            // Nobody asks for what is complete already, whoever vouches for it.
            bench.carries(A, &done, &[B]);
            bench.carries(A, &done.verified(), &[B]);
        }
    }
}

#[test]
fn each_kind_is_segmented_where_that_kind_is_not_taken() {
    let all = Capabilities::ALL;
    let tcp4 = tcp(V4, ALICE, BOB, 5000).super_frame(1000);
    let tcp6 = tcp(V6, ALICE, BOB, 5000).super_frame(1000);
    let udp4 = udp(V4, ALICE, BOB, 5000).super_frame(1000);
    let udp6 = udp(V6, ALICE, BOB, 5000).super_frame(1000);
    let table = [
        (
            Capabilities { tso4: false, ..all },
            vec![&tcp4],
            vec![&tcp6, &udp4, &udp6],
        ),
        (
            Capabilities { tso6: false, ..all },
            vec![&tcp6],
            vec![&tcp4, &udp4, &udp6],
        ),
        (
            Capabilities { uso: false, ..all },
            vec![&udp4, &udp6],
            vec![&tcp4, &tcp6],
        ),
    ];
    for (capabilities, segmented, whole) in table {
        let mut bench = bench(capabilities);
        for frame in whole {
            bench.carries(A, frame, &[B]);
        }
        for frame in segmented {
            bench.enter(A, frame);
            let sent = bench.sent_at(B);
            wire::assert_same_stream(&sent, [frame]);
            // The port completes checksums, so they are left to it.
            assert!(
                sent.iter()
                    .all(|segment| segment.header.flags == 1 && !segment.is_super())
            );
            bench.assert_counted([on(A).received([frame]), on(B).sent(&sent).segmented(1)]);
        }
    }
}

#[test]
fn segments_get_the_tag_of_their_vlan() {
    let mut bench = Bench::new(3);
    bench.edit_port(A, |port| port.vlan = VlanId::new(100));
    bench.edit_port(B, |port| port.capabilities = Capabilities::NONE);
    bench
        .bridge()
        .fdb
        .set_static(VlanId::new(100).into(), BOB.mac, B);
    for frame in super_frames() {
        assert_tagged(&mut bench, &frame, &frame);
        // In the place of a priority tag.
        assert_tagged(&mut bench, &frame.clone().tagged(0), &frame);
    }
}

#[track_caller]
fn assert_tagged(bench: &mut Bench, frame: &TapFrame, untagged: &TapFrame) {
    bench.enter(A, frame);
    let tagged = untagged.clone().tagged(100);
    let segments: Vec<_> = wire::packets(&tagged)
        .into_iter()
        .map(TapFrame::plain)
        .collect();
    let sent = bench.sent_at(B);
    wire::assert_same_stream(&sent, &segments);
    bench.assert_counted([on(A).received([frame]), on(B).sent(&segments).segmented(1)]);
}

#[test]
fn segments_lose_the_tag_for_an_access_port() {
    let mut bench = Bench::new(2);
    bench.edit_port(B, |port| {
        (port.vlan, port.capabilities) = (VlanId::new(100), Capabilities::NONE);
    });
    for frame in super_frames() {
        let tagged = frame.clone().tagged(100);
        bench.enter(A, &tagged);
        let segments: Vec<_> = wire::packets(&frame)
            .into_iter()
            .map(TapFrame::plain)
            .collect();
        wire::assert_same_stream(&bench.sent_at(B), &segments);
        bench.assert_counted([
            on(A).received([&tagged]),
            on(B).sent(&segments).segmented(1),
        ]);
    }
}

#[test]
fn a_flooded_super_frame_is_segmented_only_where_it_must_be() {
    let mut bench = bench(Capabilities::NONE);
    let frame = udp(V4, ALICE, everybody(ALICE), 5000).super_frame(1000);
    bench.enter(A, &frame);
    let segments: Vec<_> = wire::packets(&frame)
        .into_iter()
        .map(TapFrame::plain)
        .collect();
    let expected = segments
        .iter()
        .map(|segment| (B, segment))
        .chain([(C, &frame)]);
    let sent = bench.sent();
    for (port, expected) in [(B, &segments[..]), (C, core::slice::from_ref(&frame))] {
        wire::assert_same_stream(wire::at(port, &sent), expected);
    }
    assert_eq!(sent.len(), expected.count());
    bench.assert_counted([
        on(A).received([&frame]),
        on(B).sent(&segments).segmented(1),
        on(C).sent([&frame]),
    ]);
}

#[test]
fn a_super_frame_that_an_output_refuses_is_segmented() {
    let mut bench = bench(Capabilities::ALL);
    bench.fail(B, Fault::Super(Refused));
    for frame in super_frames() {
        bench.enter(A, &frame);
        let sent = bench.sent_at(B);
        wire::assert_same_stream(&sent, [&frame]);
        bench.assert_counted([on(A).received([&frame]), on(B).sent(&sent).segmented(1)]);
    }
}

#[test]
fn what_is_refused_even_in_segments_is_dropped_once() {
    let mut bench = bench(Capabilities::ALL);
    bench.fail(B, Fault::Always(Refused));
    let frame = tcp(V4, ALICE, BOB, 5000).super_frame(1000);
    bench.enter(A, &frame);
    bench.assert_counted([
        on(A).received([&frame]),
        on(B).segmented(1).dropped(DropReason::Refused, 1),
    ]);
}

#[test]
fn the_largest_super_frame_is_segmented() {
    let mut bench = bench(Capabilities::NONE);
    // 65535 octets of packet, in the finest segments that are accepted.
    for packet in [tcp(V4, ALICE, BOB, 65_483), tcp(V6, ALICE, BOB, 65_463)] {
        assert_segmented(&mut bench, &packet.super_frame(536));
        assert_segmented(&mut bench, &packet.super_frame(8));
    }
    assert_segmented(&mut bench, &udp(V4, ALICE, BOB, 65_507).super_frame(1472));
    assert_segmented(&mut bench, &udp(V4, ALICE, BOB, 128).super_frame(1));
    // Carol's port takes what bob's does not.
    bench.carries(A, &tcp(V4, ALICE, CAROL, 65_483).super_frame(1448), &[C]);
}
