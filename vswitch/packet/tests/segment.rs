//! Segmentation compared with a sender that has no offloads: the same packets, built one by one.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod wire;

use proptest::prelude::*;
use vswitch_packet::{ChecksumMode, Frame, Offload, Segments, VnetHeader};
use wire::{ACK, CWR, ECE, FIN, Ip, PSH, Packet, Sum, Transport, one_zero};

/// All segments of a super-frame of `packet`.
fn segment(packet: &Packet, size: u16, ecn: bool, mode: ChecksumMode) -> Vec<(Vec<u8>, Offload)> {
    let mut header = packet.gso_header(size);
    if ecn {
        header.gso_type |= 0x80;
    }
    let mut bytes = packet.build(Sum::Partial);
    let frame = Frame::parse(&mut bytes, header).unwrap();
    let mut segments = Segments::new(&frame, mode);
    let mut scratch = vec![0xa5; segments.max_len()];
    let mut written = vec![];
    assert_eq!(segments.remaining(), frame.segments());
    let mut len = segments.next_len();
    while let Some(segment) = segments.next_into(&mut scratch) {
        assert_eq!(segment.len, len);
        len = segments.next_len();
        written.push((scratch[..segment.len].to_vec(), segment.offload));
    }
    assert_eq!(segments.remaining(), 0);
    written
}

fn assert_split(packet: &Packet, size: u16, ecn: bool) {
    let expected = packet.split(usize::from(size), ecn);
    for (mode, sum) in [
        (ChecksumMode::Partial, Sum::Partial),
        (ChecksumMode::Complete, Sum::Complete),
    ] {
        let segments = segment(packet, size, ecn, mode);
        assert_eq!(segments.len(), expected.len());
        for ((bytes, offload), expected) in segments.into_iter().zip(&expected) {
            let field = expected.checksum_field();
            let expected_bytes = expected.build(sum);
            assert_eq!(one_zero(bytes, field), one_zero(expected_bytes, field));
            assert_eq!(offload.gso, None);
            assert_eq!(offload.checksum.is_some(), sum == Sum::Partial);
        }
    }
}

/// All segments of `frame` that an output gathers from headers and payload.
fn gather(frame: &Frame<'_>) -> Vec<Vec<u8>> {
    let mut segments = Segments::new(frame, ChecksumMode::Complete);
    let mut scratch = vec![0xa5; segments.max_len()];
    let mut written = vec![];
    while let Some((headers, payload)) = segments.next_gathered(&mut scratch) {
        written.push([&scratch[..headers], payload].concat());
    }
    written
}

fn super_frame() -> impl Strategy<Value = (Packet, u16, bool)> {
    (wire::packet(4000), 40..2000u16, any::<bool>()).prop_map(|(mut packet, size, ecn)| {
        packet.padding.clear();
        let tcp = matches!(packet.transport, Transport::Tcp { .. });
        (packet, size, ecn && tcp)
    })
}

proptest! {
    #[test]
    fn segments_are_what_a_sender_without_offloads_sends((packet, size, ecn) in super_frame()) {
        // At most 128 datagrams: 4000 octets in pieces of 40.
        assert_split(&packet, size, ecn);
    }

    #[test]
    fn gathered_segments_are_the_completed_ones((packet, size, ecn) in super_frame()) {
        let copied = segment(&packet, size, ecn, ChecksumMode::Complete);
        let mut header = packet.gso_header(size);
        header.gso_type |= if ecn { 0x80 } else { 0 };
        let mut bytes = packet.build(Sum::Partial);
        let frame = Frame::parse(&mut bytes, header).unwrap();
        let gathered = gather(&frame);
        prop_assert_eq!(gathered, copied.into_iter().map(|(bytes, _)| bytes).collect::<Vec<_>>());
    }

    #[test]
    fn a_gathered_frame_of_its_own_has_its_checksum(packet in wire::packet(1600)) {
        let mut bytes = packet.build(Sum::Partial);
        let frame = Frame::parse(&mut bytes, packet.partial_header()).unwrap();
        prop_assert_eq!(gather(&frame), vec![packet.build(Sum::Complete)]);
    }

    #[test]
    fn a_frame_of_its_own_is_its_only_segment(packet in wire::packet(1600)) {
        let mut bytes = packet.build(Sum::Partial);
        let frame = Frame::parse(&mut bytes, packet.partial_header()).unwrap();
        for (mode, sum) in [(ChecksumMode::Partial, Sum::Partial), (ChecksumMode::Complete, Sum::Complete)] {
            let mut segments = Segments::new(&frame, mode);
            let mut scratch = vec![0; segments.max_len()];
            let segment = segments.next_into(&mut scratch).unwrap();
            prop_assert_eq!(segment.len, scratch.len());
            prop_assert_eq!(&scratch, &packet.build(sum));
            prop_assert_eq!(segments.next_into(&mut scratch), None);
        }
    }

    #[test]
    fn completing_in_place_is_what_the_sender_would_have_summed(packet in wire::packet(1600)) {
        let mut bytes = packet.build(Sum::Partial);
        let mut frame = Frame::parse(&mut bytes, packet.partial_header()).unwrap();
        frame.complete_checksum();
        prop_assert_eq!(frame.offload(), Offload::NONE);
        prop_assert_eq!(&bytes, &packet.build(Sum::Complete));
    }
}

#[test]
fn a_full_super_frame_of_64_kib() {
    for (packet, size) in [
        (Packet::tcp4(65535 - 52), 1448),
        (Packet::tcp6(65535 - 72), 1428),
        (Packet::udp4(128 * 500), 500),
        (Packet::udp6(128 * 500 - 499), 500),
    ] {
        assert_split(&packet, size, false);
    }
}

#[test]
fn fin_and_psh_end_the_last_segment_only() {
    let mut packet = Packet::tcp4(30);
    if let Transport::Tcp { flags, .. } = &mut packet.transport {
        *flags = ACK | PSH | FIN | ECE;
    }
    let segments = segment(&packet, 10, false, ChecksumMode::Complete);
    let flags: Vec<u8> = segments
        .iter()
        .map(|(bytes, _)| bytes[14 + 20 + 13])
        .collect();
    assert_eq!(flags, [ACK | ECE, ACK | ECE, ACK | PSH | FIN | ECE]);
}

#[test]
fn cwr_stays_on_the_first_segment_if_the_header_says_ecn() {
    let mut packet = Packet::tcp4(30);
    if let Transport::Tcp { flags, .. } = &mut packet.transport {
        *flags = ACK | CWR;
    }
    let flags = |ecn| {
        let segments = segment(&packet, 10, ecn, ChecksumMode::Complete);
        let flags = segments.iter().map(|(bytes, _)| bytes[14 + 20 + 13]);
        flags.collect::<Vec<u8>>()
    };
    assert_eq!(flags(true), [ACK | CWR, ACK, ACK]);
    assert_eq!(flags(false), [ACK | CWR; 3]);
}

#[test]
fn a_routing_header_keeps_its_final_destination_in_the_sum() {
    let mut packet = Packet::udp6(3000);
    let mut last = [0xfd; 16];
    last[15] = 9;
    if let Ip::V6 {
        extensions,
        final_destination,
        ..
    } = &mut packet.ip
    {
        // Type 2, one address, one segment left (RFC 6275 §6.4).
        let mut header = vec![0, 2, 2, 1, 0, 0, 0, 0];
        header.extend(last);
        extensions.push((43, header));
        *final_destination = Some(last);
    }
    assert_split(&packet, 1000, false);
}

#[test]
fn a_short_scratch_buffer_gets_nothing_and_loses_nothing() {
    let packet = Packet::udp4(30);
    let mut bytes = packet.build(Sum::Partial);
    let frame = Frame::parse(&mut bytes, packet.gso_header(10)).unwrap();
    let mut segments = Segments::new(&frame, ChecksumMode::Complete);
    let mut scratch = vec![0; segments.max_len()];
    let short = scratch.len() - 1;
    assert_eq!(segments.next_into(&mut scratch[..short]), None);
    assert_eq!(segments.remaining(), 3);
    assert!(segments.next_into(&mut scratch).is_some());
    assert_eq!(segments.remaining(), 2);
}

#[test]
fn padding_is_in_no_sum() {
    let mut packet = Packet::udp4(5);
    packet.padding = vec![0xff, 1, 2];
    let mut bytes = packet.build(Sum::Partial);
    let frame = Frame::parse(&mut bytes, packet.partial_header()).unwrap();
    let mut offload = frame.offload();
    vswitch_packet::frame::complete_checksum(&mut bytes, &mut offload);
    assert_eq!(bytes, packet.build(Sum::Complete));
    assert_eq!(offload, Offload::NONE);
}

#[test]
fn a_sum_over_something_in_the_payload_is_completed_in_a_copy() {
    let packet = Packet::udp4(40);
    let mut bytes = packet.build(Sum::Complete);
    let mut expected = bytes.clone();
    let header = VnetHeader {
        flags: 1,
        csum_start: 50,
        csum_offset: 6,
        ..VnetHeader::default()
    };
    vswitch_packet::checksum::complete(&mut expected[50..], 6);
    let frame = Frame::parse(&mut bytes, header).unwrap();
    assert_eq!(gather(&frame), [expected]);
}
