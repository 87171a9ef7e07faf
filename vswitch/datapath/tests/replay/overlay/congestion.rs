//! Congestion marks, into the tunnel and out of it (RFC 6040), and the class of service.

use vswitch_datapath::DropReason::CongestionMarked;
use vswitch_datapath::vlan::Vlan;
use vswitch_packet::ip::Version::{self, V4, V6};
use vswitch_vxlan::ecn::Dscp;

use super::peers::{NEAR, TO_NEAR, UNDERLAY, VNI, with_peer};
use super::suppression;
use crate::bench::Bench;
use crate::counters::on;
use crate::crafted::{is_at, tcp, udp, who_has};
use crate::datagrams::Delivery;
use crate::station::{A, ALICE, BOB, CAROL, Station};
use crate::tap_frame::TapFrame;
use crate::wire::sum;

const NOT_ECT: u8 = 0;
const ECT_1: u8 = 1;
const ECT_0: u8 = 2;
const CE: u8 = 3;

/// A packet of this TOS, or traffic class.
fn packet(version: Version, from: Station, to: Station, tos: u8) -> TapFrame {
    marked(udp(version, from, to, 30).complete(), tos)
}

fn marked(mut frame: TapFrame, tos: u8) -> TapFrame {
    if frame.bytes[14] >> 4 == 4 {
        frame.bytes[15] = tos;
        frame.bytes[24..26].fill(0);
        let sum = !sum(&frame.bytes[14..34]);
        frame.bytes[24..26].copy_from_slice(&sum.to_be_bytes());
    } else {
        frame.bytes[14] = 0x60 | tos >> 4;
        frame.bytes[15] = tos << 4 | frame.bytes[15] & 0x0f;
    }
    frame
}

fn bench() -> Bench {
    let mut bench = with_peer(1);
    bench.learn(&[A]);
    bench.bridge().fdb.set_static(Vlan::NONE, BOB.mac, TO_NEAR);
    bench
}

/// The outer TOS of what `frame` leaves in.
fn outer(bench: &mut Bench, frame: &TapFrame) -> Vec<u8> {
    bench.enter(A, frame);
    bench.counted();
    let sent = bench.handed_over();
    sent.iter().map(|one| one.envelope.tos).collect()
}

#[test]
fn the_outer_mark_is_the_inner_mark() {
    let mut bench = bench();
    for version in [V4, V6] {
        for ecn in [NOT_ECT, ECT_1, ECT_0, CE] {
            let frame = packet(version, ALICE, BOB, ecn);
            assert_eq!(outer(&mut bench, &frame), [ecn]);
            let stream = tcp(version, ALICE, BOB, 5000).super_frame(1000);
            assert_eq!(outer(&mut bench, &marked(stream, ecn)), [ecn]);
        }
    }
}

#[test]
fn packets_of_different_marks_do_not_leave_together() {
    let mut bench = bench();
    for version in [V4, V6] {
        let frames =
            [ECT_0, ECT_0, CE, CE, ECT_0].map(|ecn| packet(version, ALICE, BOB, ecn).verified());
        bench.burst(frames.iter().map(|frame| (A, frame)));
        bench.counted();
        let sent = bench.handed_over();
        let seen: Vec<_> = sent
            .iter()
            .map(|one| (one.envelope.tos, one.datagrams.len()))
            .collect();
        assert_eq!(seen, [(ECT_0, 2), (CE, 2), (ECT_0, 1)]);
    }
}

#[test]
fn a_packet_comes_out_with_the_mark_of_rfc_6040_figure_4() {
    let mut bench = bench();
    // By the inner mark, then by the outer one; nothing is to be dropped.
    let figure = [
        (NOT_ECT, [Some(NOT_ECT), Some(NOT_ECT), Some(NOT_ECT), None]),
        (ECT_1, [Some(ECT_1), Some(ECT_1), Some(ECT_1), Some(CE)]),
        (ECT_0, [Some(ECT_0), Some(ECT_1), Some(ECT_0), Some(CE)]),
        (CE, [Some(CE), Some(CE), Some(CE), Some(CE)]),
    ];
    for version in [V4, V6] {
        for (inner, row) in figure {
            for (outer, expected) in (0..).zip(row) {
                // The class of service is nobody's business but that of the packet itself.
                for (dscp, outer_dscp) in [(0, 0), (46 << 2, 0), (0, 46 << 2), (10 << 2, 20 << 2)] {
                    let frame = packet(version, BOB, ALICE, dscp | inner);
                    let delivery = Delivery::one(NEAR, VNI, &frame).marked(outer_dscp | outer);
                    bench.arrive(UNDERLAY, [&delivery]);
                    let arrived = on(UNDERLAY).arrived([&delivery]);
                    let received = on(TO_NEAR).received([&frame]);
                    match expected {
                        Some(ecn) => {
                            let out = packet(version, BOB, ALICE, dscp | ecn).verified();
                            bench.assert_sent([(A, &out)]);
                            bench.assert_counted([arrived, received, on(A).sent([&out])]);
                        }
                        None => {
                            let dropped = received.dropped(CongestionMarked, 1);
                            bench.assert_counted([arrived, dropped]);
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn of_joined_datagrams_each_is_marked() {
    let mut bench = bench();
    for version in [V4, V6] {
        let frames = vec![packet(version, BOB, ALICE, ECT_0); 5];
        let delivery = Delivery::joined(NEAR, VNI, &frames).marked(CE);
        bench.arrive(UNDERLAY, [&delivery]);
        let sent = bench.sent_at(A);
        assert_eq!(sent.len(), 1);
        crate::wire::assert_same_stream(&sent, &vec![packet(version, BOB, ALICE, CE); 5]);
        bench.counted();
    }
}

#[test]
fn what_is_no_ip_comes_out_of_a_marked_packet_as_it_is() {
    let mut bench = bench();
    let frame = is_at(BOB, ALICE);
    for outer in [ECT_0, CE] {
        let delivery = Delivery::one(NEAR, VNI, &frame).marked(outer);
        bench.arrive(UNDERLAY, [&delivery]);
        bench.assert_sent([(A, &frame)]);
        bench.counted();
    }
}

#[test]
fn the_outer_class_of_service_is_what_is_configured() {
    let mut bench = bench();
    let inner = 46 << 2;
    for (dscp, expected) in [
        (Dscp::default(), 0),
        (Dscp::Fixed(10), 10 << 2),
        (Dscp::Inherit, inner),
    ] {
        bench.edit_tunnel(TO_NEAR, |tunnel| tunnel.dscp = dscp);
        for version in [V4, V6] {
            let frame = packet(version, ALICE, BOB, inner | ECT_0);
            assert_eq!(outer(&mut bench, &frame), [expected | ECT_0]);
        }
    }
    // No IP, no class.
    assert_eq!(outer(&mut bench, &is_at(ALICE, BOB)), [0]);
}

#[test]
fn what_the_switch_says_itself_has_the_class_that_is_configured() {
    for (dscp, expected) in [
        (Dscp::default(), 0),
        (Dscp::Fixed(10), 10 << 2),
        (Dscp::Inherit, 0),
    ] {
        let mut bench = suppression::acquainted();
        bench.edit_tunnel(TO_NEAR, |tunnel| tunnel.dscp = dscp);
        bench.arrive(
            UNDERLAY,
            [&Delivery::one(NEAR, VNI, &who_has(CAROL, ALICE))],
        );
        let answers = bench.handed_over();
        assert_eq!(answers.len(), 1);
        assert_eq!(answers[0].frames(VNI), [is_at(ALICE, CAROL)]);
        assert_eq!(answers[0].envelope.tos, expected);
        bench.sent();
        bench.counted();
    }
}
