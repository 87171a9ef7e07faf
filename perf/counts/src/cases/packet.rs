//! Stages that need no switch: the parser, checksums, joining and splitting.

use std::hint::black_box;

use vswitch_packet::{
    Answer, Candidate, ChecksumMode, Frame, Segments, Train, VNET_HEADER_LEN, VnetHeader, checksum,
};

use super::{Burst, FRAMES};
use crate::host::{Family, V4, V6, at};
use crate::wire::{ACK, Packet, Wire};

/// Payload of the segments of a super-frame.
const SEGMENT: u16 = 1448;
/// A super-frame has no room for [`FRAMES`] of them.
const SEGMENTS: usize = FRAMES / 2;

fn udp(family: Family) -> Packet {
    Packet::udp(at(family.a, 40_000), at(family.remote, 53)).payload(18)
}

fn tcp(family: Family) -> Packet {
    Packet::tcp(at(family.a, 40_000), at(family.remote, 443), ACK).payload(0)
}

pub(super) fn parse_udp4() -> Burst {
    parse(udp(V4).partial())
}

pub(super) fn parse_tcp4() -> Burst {
    parse(tcp(V4).partial())
}

pub(super) fn parse_udp6() -> Burst {
    parse(udp(V6).partial())
}

pub(super) fn parse_tcp6() -> Burst {
    parse(tcp(V6).partial())
}

pub(super) fn parse_super_frame() -> Burst {
    parse(super_frame(tcp(V4)))
}

fn super_frame(packet: Packet) -> Wire {
    packet
        .payload(SEGMENTS * usize::from(SEGMENT))
        .super_frame(SEGMENT)
}

/// With the flow, by which frames are joined and workers chosen.
fn parse(wire: Wire) -> Burst {
    let mut frames = vec![wire.bytes; FRAMES];
    Box::new(move || {
        for bytes in &mut frames {
            let frame = Frame::parse(black_box(bytes), black_box(wire.header)).unwrap();
            black_box(frame.flow().unwrap());
        }
    })
}

pub(super) fn vnet_header() -> Burst {
    let mut headers = [super_frame(tcp(V4)).header.to_bytes(); FRAMES];
    Box::new(move || {
        for header in &mut headers {
            let read: &[u8; VNET_HEADER_LEN] = black_box(header);
            *header = black_box(VnetHeader::read(read)).to_bytes();
        }
    })
}

pub(super) fn checksum_of_20() -> Burst {
    sum(20)
}

pub(super) fn checksum_of_1448() -> Burst {
    sum(1448)
}

fn sum(len: usize) -> Burst {
    let bytes: Vec<u8> = (0..len).map(|n| n as u8).collect();
    Box::new(move || {
        for _ in 0..FRAMES {
            black_box(checksum::sum(black_box(&bytes)));
        }
    })
}

pub(super) fn coalesce_udp4() -> Burst {
    coalesce(udp(V4))
}

pub(super) fn coalesce_udp6() -> Burst {
    coalesce(udp(V6))
}

/// Datagrams of 64 octets that become one.
fn coalesce(packet: Packet) -> Burst {
    let Wire { mut bytes, header } = packet.payload(64).partial();
    let next = Candidate::of(&Frame::parse(&mut bytes, header).unwrap()).unwrap();
    Box::new(move || {
        let mut train = Train::start(black_box(&next));
        for _ in 1..FRAMES {
            assert_eq!(train.offer(black_box(&next)), Answer::Accept);
        }
        black_box(train.seal(black_box(&mut bytes)));
    })
}

pub(super) fn segment_tcp4() -> Burst {
    segment(tcp(V4))
}

pub(super) fn segment_udp6() -> Burst {
    segment(udp(V6))
}

/// Checksums and all.
fn segment(packet: Packet) -> Burst {
    let mut wire = super_frame(packet);
    let mut scratch = vec![0; 2048];
    Box::new(move || {
        let mut made = 0;
        for _ in 0..FRAMES / SEGMENTS {
            let frame = Frame::parse(&mut wire.bytes, wire.header).unwrap();
            let mut segments = Segments::new(black_box(&frame), ChecksumMode::Complete);
            while segments.next_into(&mut scratch).is_some() {
                black_box(&scratch);
                made += 1;
            }
        }
        assert_eq!(made, FRAMES);
    })
}
