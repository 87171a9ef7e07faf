//! Coalescing: what may be joined, and that segmenting a train gives back what went in.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod wire;

use proptest::prelude::*;
use vswitch_packet::{
    Answer, Candidate, ChecksumMode, Frame, GsoKind, Offload, Segments, Train, VnetHeader,
};
use wire::{ACK, CWR, ECE, FIN, Ip, PSH, Packet, SYN, Sum, Transport, URG, one_zero};

fn candidate(packet: &Packet) -> Option<Candidate> {
    let mut bytes = packet.build(Sum::Partial);
    Candidate::of(&Frame::parse(&mut bytes, packet.partial_header()).unwrap())
}

/// As many of `packets` as the train takes, and the super-frame as it would be written.
fn join(packets: &[Packet]) -> (usize, Vec<u8>, VnetHeader) {
    let head = candidate(&packets[0]).unwrap();
    let mut train = Train::start(&head);
    let mut bytes = packets[0].build(Sum::Partial);
    bytes.truncate(head.payload().end);
    let mut count = 1;
    for packet in &packets[1..] {
        let next = candidate(packet).unwrap();
        if train.offer(&next) == Answer::Refuse {
            break;
        }
        bytes.extend(&packet.build(Sum::Partial)[next.payload()]);
        count += 1;
    }
    assert_eq!(train.segments(), count);
    assert_eq!(train.frame_len(), bytes.len());
    let offload = train.seal(&mut bytes[..head.headers_len()]);
    (count, bytes, offload.to_header(train.headers_len()))
}

fn segment(bytes: &mut [u8], header: VnetHeader, mode: ChecksumMode) -> Vec<Vec<u8>> {
    let frame = Frame::parse(bytes, header).unwrap();
    let mut segments = Segments::new(&frame, mode);
    let mut scratch = vec![0; segments.max_len()];
    let mut written = vec![];
    while let Some(segment) = segments.next_into(&mut scratch) {
        written.push(scratch[..segment.len].to_vec());
    }
    written
}

/// `frame` of `packet` without what joining is free to change.
fn essence(frame: Vec<u8>, packet: &Packet) -> Vec<u8> {
    let mut frame = one_zero(frame, packet.checksum_field());
    if packet.is_v4() {
        let ip = packet.link_len();
        frame[ip + 4..ip + 6].fill(0);
        frame[ip + 10..ip + 12].fill(0);
    }
    frame
}

fn assert_round_trip(packets: &[Packet]) -> usize {
    let (count, bytes, header) = join(packets);
    for (mode, sum) in [
        (ChecksumMode::Partial, Sum::Partial),
        (ChecksumMode::Complete, Sum::Complete),
    ] {
        let segments = segment(&mut bytes.clone(), header, mode);
        assert_eq!(segments.len(), count);
        for (segment, packet) in segments.into_iter().zip(packets) {
            let mut original = packet.clone();
            original.padding.clear();
            let original = original.build(sum);
            let mut copy = segment.clone();
            let ip = Frame::parse_plain(&mut copy).unwrap();
            let vswitch_packet::Network::Ip(ip) = ip.network() else {
                panic!("not IP")
            };
            assert!(ip.checksum_ok(&segment));
            assert_eq!(essence(segment, packet), essence(original, packet));
        }
    }
    count
}

/// Packets of one flow as a sender emits them: mostly of one size, now and then of another.
fn burst() -> impl Strategy<Value = Vec<Packet>> {
    let lengths = proptest::collection::vec(
        prop_oneof![8 => Just(None), 1 => (1..1500usize).prop_map(Some)],
        1..80,
    );
    let ip = prop_oneof![wire::ipv4(), wire::ipv6()];
    (
        wire::tags(),
        ip,
        prop_oneof![wire::udp(), wire::tcp()],
        1..1500usize,
        lengths,
        any::<u8>(),
    )
        .prop_map(|(tags, mut ip, mut transport, size, lengths, push)| {
            match &mut ip {
                Ip::V4 {
                    options,
                    dont_fragment,
                    ..
                } => {
                    options.clear();
                    *dont_fragment = true;
                }
                Ip::V6 { extensions, .. } => extensions.clear(),
            }
            if let Transport::Tcp { flags, options, .. } = &mut transport {
                *flags = ACK;
                options.truncate(if options.len() < 12 { 0 } else { 12 });
            }
            let mut offset = 0u32;
            lengths
                .into_iter()
                .enumerate()
                .map(|(index, len)| {
                    let mut packet =
                        Packet::new(ip.clone(), transport.clone(), len.unwrap_or(size));
                    packet.tags.clone_from(&tags);
                    packet.payload[0] = index as u8;
                    if let Transport::Tcp {
                        sequence, flags, ..
                    } = &mut packet.transport
                    {
                        *sequence = sequence.wrapping_add(offset);
                        if index == usize::from(push) {
                            *flags |= PSH;
                        }
                    }
                    if let Ip::V4 { id, .. } = &mut packet.ip {
                        *id = id.wrapping_add(index as u16 * 3);
                    }
                    offset += packet.payload.len() as u32;
                    packet
                })
                .collect()
        })
}

proptest! {
    #[test]
    fn segmenting_a_train_gives_back_the_burst(packets in burst()) {
        let mut rest = &packets[..];
        while !rest.is_empty() {
            rest = &rest[assert_round_trip(rest)..];
        }
    }
}

#[test]
fn datagrams_of_one_size_and_a_shorter_one_make_a_train() {
    let sizes = [100, 100, 100, 40, 40];
    let packets = sizes.map(Packet::udp4);
    assert_eq!(assert_round_trip(&packets), 4);
    let (_, bytes, header) = join(&packets);
    assert_eq!(header, packets[0].gso_header(100));
    assert_eq!(bytes.len(), 42 + 340);
}

#[test]
fn segments_in_sequence_make_a_train_that_psh_ends() {
    let mut packets = Packet::tcp6(4000).split(1000, false);
    let Transport::Tcp { flags, .. } = &mut packets[2].transport else {
        panic!("not TCP")
    };
    *flags |= PSH;
    assert_eq!(assert_round_trip(&packets), 3);
    let (_, mut bytes, header) = join(&packets);
    let frame = Frame::parse(&mut bytes, header).unwrap();
    assert_eq!(frame.offload().gso.unwrap().kind, GsoKind::Tcp6);
}

#[test]
fn a_train_of_one_is_the_frame_as_it_came() {
    let packet = Packet::udp4(100);
    let (count, bytes, header) = join(std::slice::from_ref(&packet));
    assert_eq!(count, 1);
    assert_eq!(bytes, packet.build(Sum::Partial));
    assert_eq!(header, packet.partial_header());
}

#[test]
fn trains_have_at_most_64_datagrams() {
    let packets = vec![Packet::udp4(1); 100];
    assert_eq!(assert_round_trip(&packets), 64);
}

#[test]
fn trains_have_at_most_65535_octets() {
    assert_eq!(assert_round_trip(&vec![Packet::udp4(1448); 64]), 45);
    assert_eq!(
        assert_round_trip(&Packet::tcp4(80_000).split(1448, false)),
        45
    );
    // Exactly full: 28 + 17 × 3853 + 6 = 65535.
    let mut packets = vec![Packet::udp4(3853); 17];
    packets.push(Packet::udp4(6));
    assert_eq!(assert_round_trip(&packets), 18);
    packets[17] = Packet::udp4(7);
    assert_eq!(assert_round_trip(&packets), 17);
}

#[test]
fn padding_stays_behind() {
    let mut packet = Packet::udp4(5);
    packet.padding = vec![0xff; 13];
    assert_eq!(assert_round_trip(&[packet.clone(), packet]), 2);
}

#[test]
fn verified_checksums_count_as_partial_ones() {
    let packet = Packet::udp4(100);
    let mut bytes = packet.build(Sum::Complete);
    let verified = VnetHeader {
        flags: 2,
        ..VnetHeader::default()
    };
    let head = Candidate::of(&Frame::parse(&mut bytes, verified).unwrap()).unwrap();
    let mut train = Train::start(&head);
    assert_eq!(train.offer(&head), Answer::Accept);
    bytes.extend(packet.payload.clone());
    let header = train.seal(&mut bytes).to_header(train.headers_len());
    for segment in segment(&mut bytes, header, ChecksumMode::Complete) {
        assert_eq!(
            essence(segment, &packet),
            essence(packet.build(Sum::Complete), &packet)
        );
    }
}

#[test]
fn what_must_travel_alone_is_no_candidate() {
    let edit_v4 = |edit: fn(&mut Packet)| {
        let mut packet = Packet::udp4(100);
        edit(&mut packet);
        candidate(&packet)
    };
    assert!(edit_v4(|_| {}).is_some());
    assert!(edit_v4(|p| p.payload.clear()).is_none());
    assert!(
        edit_v4(|p| {
            if let Ip::V4 { options, .. } = &mut p.ip {
                *options = vec![1; 4];
            }
        })
        .is_none()
    );
    assert!(
        edit_v4(|p| {
            if let Ip::V4 { dont_fragment, .. } = &mut p.ip {
                *dont_fragment = false;
            }
        })
        .is_none()
    );
    let mut extended = Packet::udp6(100);
    assert!(candidate(&extended).is_some());
    if let Ip::V6 { extensions, .. } = &mut extended.ip {
        extensions.push((60, vec![0, 0, 1, 4, 0, 0, 0, 0]));
    }
    assert!(candidate(&extended).is_none());

    for flag in [FIN, SYN, 0x04, URG, ECE, CWR] {
        let mut packet = Packet::tcp4(100);
        if let Transport::Tcp { flags, .. } = &mut packet.transport {
            *flags |= flag;
        }
        assert!(candidate(&packet).is_none(), "{flag:#x}");
    }
    let mut packet = Packet::tcp4(100);
    if let Transport::Tcp { flags, .. } = &mut packet.transport {
        *flags = 0;
    }
    assert!(candidate(&packet).is_none());
}

#[test]
fn octets_that_contradict_are_no_candidate() {
    let packet = Packet::udp4(100);
    let built = packet.build(Sum::Partial);
    let of = |bytes: &mut [u8], header| Candidate::of(&Frame::parse(bytes, header).unwrap());

    let mut bad_checksum = built.clone();
    bad_checksum[24] ^= 1;
    assert!(of(&mut bad_checksum, packet.partial_header()).is_none());
    let mut short_udp = built.clone();
    short_udp[39] -= 1;
    assert!(of(&mut short_udp, packet.partial_header()).is_none());
    let mut unfinished = built.clone();
    assert!(of(&mut unfinished, VnetHeader::default()).is_none());
    let elsewhere = VnetHeader {
        csum_start: 50,
        ..packet.partial_header()
    };
    assert!(of(&mut built.clone(), elsewhere).is_none());
    assert!(of(&mut built.clone(), packet.gso_header(50)).is_none());
    // A fragment: DF and MF at once.
    let mut fragment = packet.build(Sum::Partial);
    fragment[20] |= 0x20;
    fragment[24] = fragment[24].wrapping_sub(0x20);
    assert!(of(&mut fragment, packet.partial_header()).is_none());
    let mut unsummed = built;
    unsummed[40..42].fill(0);
    let verified = VnetHeader {
        flags: 2,
        ..VnetHeader::default()
    };
    assert!(of(&mut unsummed, verified).is_none());
}

/// Every octet of the headers but lengths, identification and checksums must be the same.
#[test]
fn any_other_header_octet_refuses() {
    for mut packet in [
        Packet::udp4(100),
        Packet::udp6(100),
        Packet::tcp4(100),
        Packet::tcp6(100),
    ] {
        packet.tags = vec![(0x88a8, 5), (0x8100, 6)];
        let head = candidate(&packet).unwrap();
        let built = packet.split(50, false)[1].build(Sum::Partial);
        let header = packet.partial_header();
        let mut free = vec![];
        for at in 0..packet.headers_len() {
            let mut bytes = built.clone();
            bytes[at] ^= 0x02;
            let mut half = Train::start(&candidate(&packet.split(50, false)[0]).unwrap());
            // The header checksum follows every change, or the frame is no candidate at all.
            if packet.is_v4() && (22..42).contains(&at) {
                bytes[32..34].fill(0);
                let sum = !wire::plain_sum(&bytes[22..42]);
                bytes[32..34].copy_from_slice(&sum.to_be_bytes());
            }
            let Ok(frame) = Frame::parse(&mut bytes, header) else {
                continue;
            };
            if let Some(next) = Candidate::of(&frame)
                && half.offer(&next) == Answer::Accept
            {
                free.push(at);
            }
        }
        let ip = packet.link_len();
        let field = packet.checksum_field();
        let mut expected = match (packet.is_v4(), &packet.transport) {
            (true, Transport::Udp { .. }) => vec![ip + 4, ip + 5, ip + 10, ip + 11],
            (false, Transport::Udp { .. }) => vec![],
            // With TCP a shorter length alone is no contradiction: it is the last segment.
            (true, Transport::Tcp { .. }) => vec![ip + 3, ip + 4, ip + 5, ip + 10, ip + 11],
            (false, Transport::Tcp { .. }) => vec![ip + 5],
        };
        expected.extend([field, field + 1]);
        assert_eq!(free, expected, "{head:?}");
    }
}

#[test]
fn sealing_octets_of_another_frame_does_not_panic() {
    let head = candidate(&Packet::tcp4(100)).unwrap();
    let next = candidate(&Packet::tcp4(200).split(100, false)[1]).unwrap();
    let mut train = Train::start(&head);
    assert_eq!(train.offer(&next), Answer::Accept);
    for len in 0..80 {
        let _: Offload = train.seal(&mut vec![0xff; len]);
    }
}
