//! Packets that are longer than the path, and may be divided: inside, as the outer packets may not
//! (RFC 7348 §4.3).

use etherparse::Ipv4Header;
use vswitch_datapath::DropReason::{QueueFull, UnderlayMtu};
use vswitch_datapath::SendError;
use vswitch_datapath::vlan::Vlan;
use vswitch_packet::ip::Version::{V4, V6};

use super::peers::{NEAR, TO_NEAR, VNI, with_peer};
use crate::bench::{Bench, Fault};
use crate::counters::on;
use crate::crafted::{UDP, ip, tcp, udp};
use crate::datagrams::HandOver;
use crate::station::{A, ALICE, BOB};
use crate::tap_frame::TapFrame;
use crate::wire;

/// The path carries packets of 1450 octets.
fn bench() -> Bench {
    let bench = with_peer(1);
    bench.bridge().fdb.set_static(Vlan::NONE, BOB.mac, TO_NEAR);
    bench
}

/// The headers and the data of what was handed over, none of it longer than 1450 octets.
fn fragments(sent: &[HandOver]) -> Vec<(Ipv4Header, Vec<u8>)> {
    let frames = sent.iter().flat_map(|one| one.frames(VNI));
    let parse = |frame: TapFrame| {
        let packet = &frame.bytes[14..];
        assert!(packet.len() <= 1450);
        let (header, data) = Ipv4Header::from_slice(packet).unwrap();
        assert_eq!(header.header_checksum, header.calc_header_checksum());
        assert_eq!(usize::from(header.total_len), packet.len());
        (header, data.to_vec())
    };
    frames.map(parse).collect()
}

/// The data of the packet that `fragments` make.
fn joined(fragments: &[(Ipv4Header, Vec<u8>)]) -> Vec<u8> {
    let mut data = vec![];
    for (n, (header, piece)) in fragments.iter().enumerate() {
        assert_eq!(usize::from(header.fragment_offset.value()) * 8, data.len());
        assert_eq!(header.more_fragments, n + 1 < fragments.len());
        assert_eq!(header.identification, fragments[0].0.identification);
        data.extend(piece);
    }
    data
}

#[test]
fn a_packet_that_may_be_divided_leaves_in_fragments() {
    let mut bench = bench();
    for len in [1423, 1500, 5000, 30_000] {
        let packet = udp(V4, ALICE, BOB, len).fragmentable();
        for frame in [
            packet.complete(),
            packet.offloaded(),
            packet.complete().tagged(0),
        ] {
            bench.enter(A, &frame);
            let sent = bench.handed_over();
            let pieces = fragments(&sent);
            // Each has 1424 octets of 8 + len.
            assert_eq!(pieces.len(), (8 + len).div_ceil(1424));
            assert_eq!(joined(&pieces), packet.complete().bytes[34..]);
            bench.assert_counted([on(A).received([&frame]), on(TO_NEAR).handed_over(&sent)]);
        }
    }
}

#[test]
fn a_packet_that_fits_is_left_whole() {
    let mut bench = bench();
    let frame = udp(V4, ALICE, BOB, 1422).fragmentable().complete();
    bench.enter(A, &frame);
    let sent = bench.handed_over();
    assert_eq!(sent[0].frames(VNI), [frame]);
    bench.counted();
}

#[test]
fn each_segment_of_a_super_frame_is_divided_by_itself() {
    let mut bench = bench();
    let packet = tcp(V4, ALICE, BOB, 5000).fragmentable();
    let frame = packet.super_frame(2000);
    bench.enter(A, &frame);
    let sent = bench.handed_over();
    let pieces = fragments(&sent);
    // 2032 octets in two, twice, and 1032 in one.
    assert_eq!(pieces.len(), 5);
    let segments = wire::packets(&frame);
    for (pieces, segment) in [&pieces[..2], &pieces[2..4], &pieces[4..]]
        .into_iter()
        .zip(&segments)
    {
        assert_eq!(joined(pieces), segment[34..]);
    }
    bench.assert_counted([
        on(A).received([&frame]),
        on(TO_NEAR).handed_over(&sent).segmented(1),
    ]);
}

#[test]
fn a_fragment_is_divided_into_smaller_ones() {
    let mut bench = bench();
    let frame = ip(V4, ALICE, BOB, UDP, &[7; 2000], |header| {
        (header.dont_fragment, header.more_fragments) = (false, true);
        header.fragment_offset = 100.try_into().unwrap();
    });
    bench.enter(A, &frame);
    let pieces = fragments(&bench.handed_over());
    let places: Vec<_> = pieces
        .iter()
        .map(|(header, data)| {
            (
                header.fragment_offset.value(),
                header.more_fragments,
                data.len(),
            )
        })
        .collect();
    assert_eq!(places, [(100, true, 1424), (100 + 178, true, 576)]);
    bench.counted();
}

#[test]
fn a_packet_that_may_not_be_divided_is_refused() {
    let mut bench = bench();
    for frame in [
        udp(V4, ALICE, BOB, 1423).complete(),
        udp(V6, ALICE, BOB, 1403).complete(),
        tcp(V4, ALICE, BOB, 5000).super_frame(1399),
        tcp(V6, ALICE, BOB, 5000).super_frame(1379),
    ] {
        bench.enter(A, &frame);
        assert_eq!(bench.handed_over(), []);
        // What the sender is told is another matter.
        bench.sent();
        let changes = bench.counted();
        let dropped: u64 = [A, TO_NEAR]
            .iter()
            .filter_map(|&port| changes.get(&(port, UnderlayMtu.name())))
            .sum();
        assert_eq!(dropped, 1);
    }
}

#[test]
fn of_fragments_the_first_that_is_lost_is_the_last() {
    let mut bench = bench();
    let frame = udp(V4, ALICE, BOB, 5000).fragmentable().complete();
    bench.fail_towards(NEAR, Fault::After(2, SendError::Full));
    bench.enter(A, &frame);
    let sent = bench.handed_over();
    assert_eq!(sent.len(), 2);
    bench.assert_counted([
        on(A).received([&frame]),
        on(TO_NEAR).handed_over(&sent).dropped(QueueFull, 1),
    ]);
}
