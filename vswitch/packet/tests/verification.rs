//! Checksums that are looked at, compared with those of a sender without offloads.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod wire;

use proptest::prelude::*;
use vswitch_packet::{Frame, Offload, VnetHeader};
use wire::{Ip, Packet, Sum, Transport};

const VERIFIED: Offload = Offload {
    verified: true,
    ..Offload::NONE
};

/// What is known of a frame after a look; the octets stay what they are.
fn look(bytes: &[u8], header: VnetHeader) -> Offload {
    let mut copy = bytes.to_vec();
    let mut frame = Frame::parse(&mut copy, header).unwrap();
    frame.verify_checksum();
    let offload = frame.offload();
    assert_eq!(copy, bytes);
    offload
}

fn looked_at(bytes: &[u8]) -> Offload {
    look(bytes, VnetHeader::default())
}

proptest! {
    #[test]
    fn what_a_sender_has_summed_is_right(packet in wire::packet(4000)) {
        prop_assert_eq!(looked_at(&packet.build(Sum::Complete)), VERIFIED);
    }

    #[test]
    fn a_sum_of_the_pseudo_header_alone_is_to_be_completed(packet in wire::packet(4000)) {
        let mut bytes = packet.build(Sum::Partial);
        let mut frame = Frame::parse(&mut bytes, VnetHeader::default()).unwrap();
        frame.verify_checksum();
        prop_assert!(frame.offload().checksum.is_some() && !frame.offload().verified);
        frame.complete_checksum();
        prop_assert_eq!(bytes, packet.build(Sum::Complete));
    }

    #[test]
    fn one_wrong_bit_is_found_wherever_it_is(packet in wire::packet(2000), place: prop::sample::Index, bit in 0..8u8) {
        let mut bytes = packet.build(Sum::Complete);
        let covered = packet.transport_start()..bytes.len() - packet.padding.len();
        bytes[covered.start + place.index(covered.len())] ^= 1 << bit;
        prop_assert_eq!(looked_at(&bytes), Offload::NONE);
    }

    #[test]
    fn an_address_that_was_exchanged_is_found(packet in wire::packet(100), bit in 0..8u8) {
        let mut bytes = packet.build(Sum::Complete);
        bytes[packet.link_len() + if packet.is_v4() { 15 } else { 23 }] ^= 1 << bit;
        prop_assert_eq!(looked_at(&bytes), Offload::NONE);
    }

    #[test]
    fn what_is_left_to_the_device_stays_left_to_it(mut packet in wire::packet(2000), size in 100..1000u16) {
        packet.padding.clear();
        let header = packet.gso_header(size);
        let offload = look(&packet.build(Sum::Partial), header);
        prop_assert!(offload.checksum.is_some() && offload.gso.is_some() && !offload.verified);
        let header = VnetHeader { gso_type: 0, ..header };
        let offload = look(&packet.build(Sum::Partial), header);
        prop_assert!(offload.checksum.is_some() && !offload.verified);
    }
}

#[test]
fn a_packet_that_no_link_carries_is_a_super_frame() {
    for packet in [Packet::tcp4(5000), Packet::tcp6(5000)] {
        let mut bytes = packet.build(Sum::Partial);
        let mut frame = Frame::parse(&mut bytes, VnetHeader::default()).unwrap();
        frame.restore_super_frame(1450);
        assert_eq!(
            frame.offload(),
            Offload::NONE,
            "its checksum may be complete"
        );
        frame.verify_checksum();
        frame.restore_super_frame(1450);
        assert_eq!(frame.packet_len(), 1450);
        assert!(frame.segments() > 3);
        frame.restore_super_frame(1000);
        assert_eq!(frame.packet_len(), 1450, "it says what it is");
    }
    for packet in [Packet::tcp4(1000), Packet::udp4(5000), Packet::udp6(5000)] {
        let mut bytes = packet.build(Sum::Partial);
        let mut frame = Frame::parse(&mut bytes, VnetHeader::default()).unwrap();
        frame.verify_checksum();
        frame.restore_super_frame(1450);
        assert_eq!(frame.offload().gso, None);
    }
}

#[test]
fn a_datagram_without_a_checksum_is_not_verified() {
    for mut packet in [Packet::udp4(100), Packet::udp6(100)] {
        let field = packet.checksum_field();
        let mut bytes = packet.build(Sum::Complete);
        // Any sum, and one that is zero if it is computed.
        for _ in 0..2 {
            bytes[field..field + 2].fill(0);
            assert_eq!(looked_at(&bytes), Offload::NONE);
            packet.payload[..2].fill(0);
            let sum = packet.build(Sum::Complete)[field..field + 2].to_vec();
            packet.payload[..2].copy_from_slice(&sum);
            bytes = packet.build(Sum::Complete);
            assert_eq!(bytes[field..field + 2], [0xff, 0xff]);
        }
    }
}

#[test]
fn a_zero_that_is_written_as_ones_is_right() {
    for mut packet in [
        Packet::udp4(2),
        Packet::udp6(2),
        Packet::tcp4(2),
        Packet::tcp6(2),
    ] {
        packet.payload = vec![0, 0];
        let bytes = packet.build(Sum::Complete);
        packet.payload = bytes[packet.checksum_field()..][..2].to_vec();
        let bytes = packet.build(Sum::Complete);
        assert_eq!(bytes[packet.checksum_field()..][..2], [0xff, 0xff]);
        assert_eq!(looked_at(&bytes), VERIFIED);
    }
}

#[test]
fn a_piece_of_a_packet_is_not_verified() {
    // More to come, and a later piece.
    for field in [[0x20, 0], [0, 1]] {
        let packet = Packet::udp4(100);
        let mut bytes = packet.build(Sum::Complete);
        bytes[20..22].copy_from_slice(&field);
        assert_eq!(looked_at(&bytes), Offload::NONE);
    }
    for (field, expected) in [
        ([0, 1], Offload::NONE),
        ([0, 8], Offload::NONE),
        ([0, 0], VERIFIED),
    ] {
        let mut packet = Packet::new(Ip::v6(), Transport::udp(), 100);
        if let Ip::V6 { extensions, .. } = &mut packet.ip {
            extensions.push((44, vec![0, 0, field[0], field[1], 1, 2, 3, 4]));
        }
        assert_eq!(looked_at(&packet.build(Sum::Complete)), expected);
    }
}

#[test]
fn a_datagram_shorter_than_its_packet_is_left_alone() {
    let packet = Packet::udp4(100);
    let mut bytes = packet.build(Sum::Complete);
    let length = packet.transport_start() + 4;
    bytes[length..length + 2].copy_from_slice(&50u16.to_be_bytes());
    assert_eq!(looked_at(&bytes), Offload::NONE);
}

#[test]
fn what_is_neither_tcp_nor_udp_is_left_alone() {
    let mut bytes = Packet::udp4(100).build(Sum::Complete);
    for protocol in [1, 132, 47] {
        bytes[23] = protocol;
        assert_eq!(looked_at(&bytes), Offload::NONE);
    }
    bytes[12..14].copy_from_slice(&[0x88, 0xb5]);
    assert_eq!(looked_at(&bytes), Offload::NONE);
}
