//! The eight octets in front of a frame (RFC 7348 §5).

use core::net::SocketAddr;

use vswitch_datapath::DropReason::{BadVxlan, UnknownVni};
use vswitch_packet::ip::Version::{V4, V6};

use super::peers::{NEAR, TO_NEAR, UNDERLAY, VNI, with_peer};
use crate::counters::on;
use crate::crafted::udp;
use crate::datagrams::Delivery;
use crate::station::{A, ALICE, BOB};

#[test]
fn a_frame_leaves_behind_a_header_with_the_i_flag_and_the_vni_and_else_zeros() {
    let mut bench = with_peer(1);
    for version in [V4, V6] {
        let frame = udp(version, ALICE, BOB, 18).complete();
        bench.enter(A, &frame);
        let sent = bench.handed_over();
        assert_eq!(sent.len(), 1);
        assert_eq!(sent[0].envelope.to, SocketAddr::new(NEAR, 4789));
        assert_eq!(sent[0].envelope.segment, None);
        let header = [0x08, 0, 0, 0, 0x12, 0x34, 0x56, 0];
        assert_eq!(sent[0].datagrams, [[&header[..], &frame.bytes].concat()]);
        bench.assert_counted([on(A).received([&frame]), on(TO_NEAR).sent([&frame])]);
    }
}

#[test]
fn other_flags_and_reserved_fields_are_ignored() {
    let mut bench = with_peer(1);
    bench.learn(&[A]);
    let frame = udp(V4, BOB, ALICE, 18).complete();
    let delivery = Delivery::one(NEAR, VNI, &frame);
    for (at, bits) in [(0, 0xf7), (1, 0xff), (2, 0xff), (3, 0xff), (7, 0xff)] {
        let mut reserved = delivery.clone();
        reserved.datagrams[0][at] |= bits;
        bench.arrive(UNDERLAY, [&reserved]);
        bench.assert_sent([(A, &frame.clone().verified())]);
        bench.assert_counted([
            on(UNDERLAY).arrived([&reserved]),
            on(TO_NEAR).received([&frame]),
            on(A).sent([&frame]),
        ]);
    }
}

#[test]
fn without_the_i_flag_nothing_is_accepted() {
    let mut bench = with_peer(1);
    let frame = udp(V4, BOB, ALICE, 18).complete();
    for flags in [0x00, 0xf7, 0x80, 0x04, 0x10] {
        let mut delivery = Delivery::one(NEAR, VNI, &frame);
        delivery.datagrams[0][0] = flags;
        bench.arrive(UNDERLAY, [&delivery]);
        bench.assert_counted([on(UNDERLAY).arrived([&delivery]).dropped(BadVxlan, 1)]);
    }
}

#[test]
fn what_has_no_room_for_a_frame_is_dropped() {
    let mut bench = with_peer(1);
    let whole = Delivery::one(NEAR, VNI, &udp(V4, BOB, ALICE, 18).complete());
    for len in 0..8 + 14 {
        let mut short = whole.clone();
        short.datagrams[0].truncate(len);
        bench.arrive(UNDERLAY, [&short]);
        bench.assert_counted([on(UNDERLAY).arrived([&short]).dropped(BadVxlan, 1)]);
    }
}

#[test]
fn a_segment_that_is_not_here_is_dropped() {
    let mut bench = with_peer(1);
    let frame = udp(V4, BOB, ALICE, 18).complete();
    for vni in [0, 1, VNI - 1, VNI + 1, VNI << 1 & 0xff_ffff, 0xff_ffff] {
        let delivery = Delivery::one(NEAR, vni, &frame);
        bench.arrive(UNDERLAY, [&delivery]);
        bench.assert_counted([on(UNDERLAY).arrived([&delivery]).dropped(UnknownVni, 1)]);
    }
}
