//! Super-frames on their way into a tunnel: their segments leave as datagrams that are handed over
//! as one.

use vswitch_datapath::vlan::Vlan;
use vswitch_packet::Capabilities;
use vswitch_packet::ip::Version::{V4, V6};
use vswitch_vxlan::Path;

use super::peers::{TO_NEAR, VNI, with_peer};
use crate::bench::Bench;
use crate::counters::on;
use crate::crafted::{Packet, tcp, udp};
use crate::datagrams::HandOver;
use crate::station::{A, ALICE, B, BOB, CAROL};
use crate::tap_frame::{GSO_ECN, TapFrame};
use crate::wire;

/// Bob is behind the tunnel; carol is at B, which takes nothing unfinished.
fn bench() -> Bench {
    let mut bench = with_peer(2);
    let fdb = &bench.bridge().fdb;
    fdb.set_static(Vlan::NONE, BOB.mac, TO_NEAR);
    fdb.set_static(Vlan::NONE, CAROL.mac, B);
    bench.edit_port(B, |port| port.capabilities = Capabilities::NONE);
    bench
}

/// With room for packets of 9000 octets.
fn with_jumbo_frames() -> Bench {
    let mut bench = bench();
    let path = Path::new(V4, 9050);
    bench.edit_tunnel(TO_NEAR, |tunnel| tunnel.path = path.into());
    bench
}

/// The hand-overs that `frame` leaves in: all together what a NIC would have put on a wire.
#[track_caller]
fn leaves(bench: &mut Bench, frame: &TapFrame) -> Vec<HandOver> {
    bench.enter(A, frame);
    let sent = bench.handed_over();
    let frames: Vec<_> = sent.iter().flat_map(|one| one.frames(VNI)).collect();
    wire::assert_same_stream(&frames, [frame]);
    bench.assert_counted([on(A).received([frame]), on(TO_NEAR).handed_over(&sent)]);
    sent
}

fn closing(packet: Packet) -> Packet {
    packet.tcp_header(|tcp| (tcp.psh, tcp.fin) = (true, true))
}

#[test]
fn the_segments_are_handed_over_as_one() {
    let mut bench = bench();
    for version in [V4, V6] {
        for (frame, segments) in [
            (tcp(version, ALICE, BOB, 60_001).super_frame(1378), 44),
            (tcp(version, ALICE, BOB, 2800).super_frame(1300), 3),
            (closing(tcp(version, ALICE, BOB, 5000)).super_frame(1000), 5),
            // One segment, which is a super-frame by name only.
            (tcp(version, ALICE, BOB, 100).super_frame(1300), 1),
            (udp(version, ALICE, BOB, 1201).super_frame(600), 3),
            (udp(version, ALICE, BOB, 64 * 400).super_frame(400), 64),
            (udp(version, ALICE, BOB, 64).super_frame(1), 64),
            (udp(version, ALICE, BOB, 999).super_frame(333), 3),
        ] {
            let sent = leaves(&mut bench, &frame);
            assert_eq!(sent.len(), 1);
            assert_eq!(sent[0].datagrams.len(), segments);
        }
    }
}

#[test]
fn a_mark_that_is_for_the_first_segment_is_on_the_first_alone() {
    let mut bench = bench();
    let marked = tcp(V4, ALICE, BOB, 5000).tcp_header(|tcp| (tcp.cwr, tcp.ece) = (true, true));
    let mut frame = marked.super_frame(1000);
    frame.header.gso_type |= GSO_ECN;
    let sent = leaves(&mut bench, &frame);
    let cwr = sent[0]
        .frames(VNI)
        .iter()
        .map(|f| f.bytes[47] & 0x80 != 0)
        .collect::<Vec<_>>();
    assert_eq!(cwr, [true, false, false, false, false]);
}

#[test]
fn what_the_kernel_does_not_take_at_once_leaves_in_several_hand_overs() {
    let mut bench = bench();
    for version in [V4, V6] {
        // By the number of datagrams.
        let sent = leaves(
            &mut bench,
            &tcp(version, ALICE, BOB, 60_000).super_frame(536),
        );
        assert_eq!(
            sent.iter()
                .map(|one| one.datagrams.len())
                .collect::<Vec<_>>(),
            [64, 48]
        );
        let sent = leaves(
            &mut bench,
            &udp(version, ALICE, BOB, 128 * 9).super_frame(9),
        );
        assert_eq!(
            sent.iter()
                .map(|one| one.datagrams.len())
                .collect::<Vec<_>>(),
            [64, 64]
        );
        // By octets: 44 of 1458 are 64152, 45 would be more than 65507.
        let size = if version == V4 { 1398 } else { 1378 };
        let sent = leaves(
            &mut bench,
            &tcp(version, ALICE, BOB, 65_000).super_frame(size),
        );
        let counts: Vec<_> = sent.iter().map(|one| one.datagrams.len()).collect();
        assert_eq!(counts[0], 44);
        assert_eq!(counts.len(), 2);
    }
    // The finest there is.
    let sent = leaves(&mut bench, &tcp(V4, ALICE, BOB, 65_483).super_frame(8));
    assert_eq!(sent.len(), 8186usize.div_ceil(64));
}

#[test]
fn exactly_as_many_octets_as_the_kernel_takes_are_one_hand_over() {
    let mut bench = with_jumbo_frames();
    // 65507 is prime, so the last is the odd one: 8 of 8000 and one of 1507, with all headers.
    let headers = 8 + 14 + 20 + 32;
    let len = |octets: usize| octets - 9 * headers;
    let size = 8000 - headers as u16;
    for (octets, expected) in [(65_507, 1), (65_508, 2)] {
        let sent = leaves(
            &mut bench,
            &tcp(V4, ALICE, BOB, len(octets)).super_frame(size),
        );
        assert_eq!(sent.len(), expected);
        let all: usize = sent
            .iter()
            .flat_map(|one| &one.datagrams)
            .map(Vec::len)
            .sum();
        assert_eq!(all, octets);
    }
}

#[test]
fn long_headers_fill_the_scratch_space_and_lose_nothing() {
    // Destination options of 2048 octets, padding all, in front of each segment of 100 octets.
    let mut extension = vec![6, 255];
    for _ in 0..8 {
        extension.extend([&[1, 253][..], &[0; 253]].concat());
    }
    extension.resize(2048 - 2, 0);
    extension[2042..2046].copy_from_slice(&[0; 4]);
    extension.extend([0, 0]);
    let mut bench = with_jumbo_frames();
    let mut frames = [CAROL, BOB].map(|to| tcp(V6, ALICE, to, 20_001).super_frame(100));
    for frame in &mut frames {
        frame.bytes.splice(54..54, extension.iter().copied());
        frame.bytes[20] = 60;
        let len = u16::from_be_bytes([frame.bytes[18], frame.bytes[19]]) + 2048;
        frame.bytes[18..20].copy_from_slice(&len.to_be_bytes());
        frame.header.csum_start += 2048;
        frame.header.hdr_len += 2048;
    }
    // As they come out of a port that takes nothing unfinished.
    bench.edit_port(B, |port| port.mtu = 9000);
    bench.enter(A, &frames[0]);
    let mut segments = bench.sent_at(B);
    assert_eq!(segments.len(), 201);
    bench.counted();
    bench.enter(A, &frames[1]);
    let sent = bench.handed_over();
    bench.assert_counted([on(A).received([&frames[1]]), on(TO_NEAR).handed_over(&sent)]);
    // Only the addresses differ, and with them the checksum.
    let mut left: Vec<_> = sent.iter().flat_map(|one| one.frames(VNI)).collect();
    assert_eq!(left.len(), 201);
    for segment in segments.iter_mut().chain(&mut left) {
        segment.bytes[5] = 0;
        segment.bytes[53] = 0;
        segment.bytes[54 + 2048 + 16..][..2].fill(0);
    }
    assert!(left == segments);
}

#[test]
fn a_checksum_that_was_left_to_others_is_completed() {
    let mut bench = bench();
    for version in [V4, V6] {
        for len in [1, 2, 18, 999, 1000] {
            for packet in [tcp(version, ALICE, BOB, len), udp(version, ALICE, BOB, len)] {
                let done = packet.complete();
                for frame in [packet.offloaded(), done.clone(), done.clone().verified()] {
                    bench.enter(A, &frame);
                    let sent = bench.handed_over();
                    assert_eq!(sent.len(), 1);
                    assert_eq!(sent[0].frames(VNI), std::slice::from_ref(&done));
                    bench
                        .assert_counted([on(A).received([&frame]), on(TO_NEAR).handed_over(&sent)]);
                }
            }
        }
    }
}

#[test]
fn a_sum_over_something_inside_is_completed_and_padding_is_in_no_sum() {
    let mut bench = bench();
    // From an even and from an odd octet of the data on, stored four octets later.
    for start in [42, 43] {
        let mut frame = udp(V4, ALICE, BOB, 30).complete();
        frame.header.flags = 1;
        (frame.header.csum_start, frame.header.csum_offset) = (start, 4);
        let from = usize::from(start);
        let end = frame.bytes.len();
        let sum = !wire::sum(&frame.bytes[from..end]);
        frame.bytes.extend([0xee; 5]);
        bench.enter(A, &frame);
        let sent = bench.handed_over();
        let expected = TapFrame::plain(frame.bytes.clone()).patched(from + 4, &sum.to_be_bytes());
        assert_eq!(sent[0].frames(VNI), [expected]);
        bench.assert_counted([on(A).received([&frame]), on(TO_NEAR).handed_over(&sent)]);
    }
}
