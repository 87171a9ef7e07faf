//! One frame for each way of not being one, and for each way of carrying a malformed packet.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod wire;

use vswitch_packet::ip::{Fragment, IpHeader, Transport};
use vswitch_packet::{
    EtherType, Frame, FrameError, Layout, MAX_FRAME_LEN, Network, VlanTag, VnetHeader,
};
use wire::{Ip, Packet, Sum};

fn refusal(packet: &Packet, header: VnetHeader) -> Option<FrameError> {
    Frame::parse(&mut packet.build(Sum::Partial), header).err()
}

fn layout(mut frame: Vec<u8>) -> Layout {
    *Frame::parse_plain(&mut frame).unwrap().layout()
}

fn network(frame: Vec<u8>) -> Network {
    layout(frame).network
}

fn ip(frame: Vec<u8>) -> IpHeader {
    match network(frame) {
        Network::Ip(ip) => ip,
        other => panic!("{other:?}"),
    }
}

fn frame(ethertype: u16, packet: &[u8]) -> Vec<u8> {
    let addresses = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    [&addresses[..], &ethertype.to_be_bytes(), packet].concat()
}

/// `packet`'s frame with some octets of it changed.
fn patched(packet: &Packet, at: usize, octets: &[u8]) -> Vec<u8> {
    let mut frame = packet.build(Sum::Complete);
    frame[at..at + octets.len()].copy_from_slice(octets);
    frame
}

/// IPv6 with an extension header of this protocol and these octets before UDP.
fn extended(extensions: &[(u8, &[u8])]) -> Packet {
    let mut packet = Packet::udp6(20);
    if let Ip::V6 {
        extensions: chain, ..
    } = &mut packet.ip
    {
        *chain = extensions.iter().map(|&(p, o)| (p, o.to_vec())).collect();
    }
    packet
}

#[test]
fn runt_without_a_whole_ethernet_header() {
    for len in 0..14 {
        let error = Frame::parse_plain(&mut vec![2; len]).unwrap_err();
        assert_eq!(error, FrameError::Runt);
    }
    assert_eq!(network(vec![2; 14]), Network::Opaque);
}

#[test]
fn runt_within_the_tags_it_announces() {
    let mut packet = Packet::udp4(0);
    packet.tags = vec![(0x88a8, 100), (0x8100, 200)];
    let whole = packet.build(Sum::Complete);
    for len in 14..22 {
        let error = Frame::parse_plain(&mut whole[..len].to_vec()).unwrap_err();
        assert_eq!(error, FrameError::Runt, "{len}");
    }
    let layout = layout(whole[..22].to_vec());
    assert_eq!(layout.tag, Some(VlanTag(100)));
    assert_eq!(layout.ethertype, EtherType::IPV4);
    assert_eq!(layout.network, Network::Malformed);
}

#[test]
fn giant() {
    assert!(Frame::parse_plain(&mut vec![2; MAX_FRAME_LEN]).is_ok());
    let error = Frame::parse_plain(&mut vec![2; MAX_FRAME_LEN + 1]).unwrap_err();
    assert_eq!(error, FrameError::Giant);
}

#[test]
fn offloads_that_were_never_negotiated() {
    let packet = Packet::tcp4(3000);
    let tso = packet.gso_header(1000);
    let unknown = [
        // RSC_INFO, and a flag without a name.
        VnetHeader { flags: 4, ..tso },
        VnetHeader { flags: 0x81, ..tso },
        // UFO, a type without a name, and a tunnel's.
        VnetHeader { gso_type: 3, ..tso },
        VnetHeader { gso_type: 2, ..tso },
        VnetHeader {
            gso_type: 0x21,
            ..tso
        },
        // ECN is TCP's alone.
        VnetHeader {
            gso_type: 0x80,
            ..tso
        },
        VnetHeader {
            gso_type: 0x85,
            ..tso
        },
    ];
    assert_eq!(refusal(&packet, tso), None);
    for header in unknown {
        assert_eq!(
            refusal(&packet, header),
            Some(FrameError::UnknownOffload),
            "{header:?}"
        );
    }
}

#[test]
fn checksum_outside_the_packet() {
    let mut packet = Packet::udp4(4);
    packet.padding = vec![0; 14];
    let end = 14 + 20 + 8 + 4;
    let at = |csum_start, csum_offset| VnetHeader {
        csum_start,
        csum_offset,
        ..packet.partial_header()
    };
    for header in [at(34, 0), at(34, 6), at(end - 2, 0), at(34, end - 36)] {
        assert_eq!(refusal(&packet, header), None, "{header:?}");
    }
    for header in [
        at(0, 6),
        at(13, 6),
        at(14, 12),
        at(33, 0),
        at(end - 1, 0),
        at(34, end - 35),
        at(end, 0),
        at(u16::MAX, u16::MAX),
    ] {
        assert_eq!(
            refusal(&packet, header),
            Some(FrameError::BadChecksumRange),
            "{header:?}"
        );
    }
}

/// Somebody else writes the checksum, after the addresses were looked at.
#[test]
fn checksums_that_would_be_written_over_addresses() {
    let claim = |csum_start, csum_offset| VnetHeader {
        flags: 1,
        csum_start,
        csum_offset,
        ..VnetHeader::default()
    };
    let mut arp = vec![0xff; 12];
    arp.extend([0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1]);
    arp.extend([2; 20]);
    for start in [14, 22, 30] {
        let refused = Frame::parse(&mut arp.clone(), claim(start, 0)).map(|_| ());
        assert_eq!(refused, Err(FrameError::BadChecksumRange), "{start}");
    }
    // A neighbour solicitation: type, target, and the link-layer address of its sender.
    let mut solicitation = vec![0x33; 12];
    solicitation.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, 32, 58, 255]);
    solicitation.extend([0xfe; 32]);
    solicitation.extend([135, 0, 0, 0, 0, 0, 0, 0]);
    solicitation.extend([0xfe; 16]);
    solicitation.extend([1, 1, 2, 2, 2, 2, 2, 2]);
    let parse = |header| Frame::parse(&mut solicitation.clone(), header).map(|_| ());
    assert_eq!(parse(claim(54, 2)), Ok(()));
    for (start, offset) in [(54, 8), (54, 26), (78, 2), (56, 0)] {
        let refused = Err(FrameError::BadChecksumRange);
        assert_eq!(parse(claim(start, offset)), refused, "{start} {offset}");
    }
}

#[test]
fn super_frames_that_are_something_else() {
    let tcp = Packet::tcp4(3000);
    let udp = Packet::udp6(3000);
    let tso = tcp.gso_header(1000);
    let uso = udp.gso_header(1000);
    assert_eq!(refusal(&tcp, tso), None);
    assert_eq!(refusal(&udp, uso), None);

    let lies = [
        // Another protocol or IP version than the packet's.
        (&tcp, VnetHeader { gso_type: 4, ..tso }),
        (&tcp, VnetHeader { gso_type: 5, ..tso }),
        (&udp, VnetHeader { gso_type: 1, ..uso }),
        (&udp, VnetHeader { gso_type: 4, ..uso }),
        // A checksum that is not the transport's, or none.
        (
            &tcp,
            VnetHeader {
                csum_offset: 6,
                ..tso
            },
        ),
        (
            &tcp,
            VnetHeader {
                csum_start: 35,
                ..tso
            },
        ),
        (&tcp, VnetHeader { flags: 0, ..tso }),
        (&udp, VnetHeader { flags: 2, ..uso }),
        // Segments too small, or too many.
        (&tcp, VnetHeader { gso_size: 0, ..tso }),
        (&tcp, VnetHeader { gso_size: 7, ..tso }),
        (&udp, VnetHeader { gso_size: 0, ..uso }),
        (
            &udp,
            VnetHeader {
                gso_size: 23,
                ..uso
            },
        ),
    ];
    for (packet, header) in lies {
        assert_eq!(
            refusal(packet, header),
            Some(FrameError::BadGso),
            "{header:?}"
        );
    }
    assert_eq!(
        refusal(
            &udp,
            VnetHeader {
                gso_size: 24,
                ..uso
            }
        ),
        None
    );

    let opaque = VnetHeader {
        csum_start: 14,
        ..uso
    };
    let error = Frame::parse(&mut frame(0x88cc, &[0; 100]), opaque).unwrap_err();
    assert_eq!(error, FrameError::BadGso);
}

#[test]
fn super_frames_whose_packet_is_not_whole() {
    let packet = Packet::udp4(3000);
    let header = packet.gso_header(1000);
    let built = packet.build(Sum::Partial);
    let refusal = |edit: fn(&mut Vec<u8>)| {
        let mut bytes = built.clone();
        edit(&mut bytes);
        Frame::parse(&mut bytes, header).err()
    };
    let bad = Some(FrameError::BadGso);
    assert_eq!(refusal(|_| {}), None);
    assert_eq!(refusal(|frame| frame.push(0)), bad, "padding");
    assert_eq!(refusal(|frame| frame[24] ^= 1), bad, "header checksum");
    assert_eq!(refusal(|frame| frame[39] -= 1), bad, "UDP length");
    // MF set, the header checksum right.
    let fragment = refusal(|frame| {
        frame[20] |= 0x20;
        frame[24] = frame[24].wrapping_sub(0x20);
    });
    assert_eq!(fragment, bad);
}

#[test]
fn malformed_ipv4() {
    let packet = Packet::udp4(20);
    let whole = packet.build(Sum::Complete);
    for len in 14..whole.len() {
        assert_eq!(
            network(whole[..len].to_vec()),
            Network::Malformed,
            "cut to {len}"
        );
    }
    for (at, octets, what) in [
        (14, &[0x65][..], "version 6"),
        (14, &[0x44], "header of 16 octets"),
        (14, &[0x4f], "header longer than the packet"),
        (16, &[0, 19], "total length within the header"),
        (16, &[0, 0], "total length zero, as BIG TCP has it"),
        (16, &[0, 49], "total length beyond the frame"),
    ] {
        assert_eq!(
            network(patched(&packet, at, octets)),
            Network::Malformed,
            "{what}"
        );
    }
}

#[test]
fn malformed_ipv6() {
    let packet = Packet::udp6(20);
    let whole = packet.build(Sum::Complete);
    for len in 14..whole.len() {
        assert_eq!(
            network(whole[..len].to_vec()),
            Network::Malformed,
            "cut to {len}"
        );
    }
    assert_eq!(
        network(patched(&packet, 14, &[0x45])),
        Network::Malformed,
        "version 4"
    );
    assert_eq!(
        network(patched(&packet, 18, &[0, 29])),
        Network::Malformed,
        "too long"
    );

    let pad = [0, 0, 1, 4, 0, 0, 0, 0];
    let chain = |count| extended(&vec![(60, &pad[..]); count]).build(Sum::Complete);
    assert_eq!(ip(chain(7)).payload, 14 + 40 + 56);
    assert_eq!(network(chain(8)), Network::Malformed, "endless chain");
    let long = extended(&[(60, &[0, 200, 1, 4, 0, 0, 0, 0])]);
    assert_eq!(
        network(long.build(Sum::Complete)),
        Network::Malformed,
        "header too long"
    );
    // RFC 2675: no port of ours can hand one out.
    let jumbo = extended(&[(0, &[0, 0, 0xc2, 4, 0, 1, 0, 0])]);
    assert_eq!(
        network(patched(&jumbo, 18, &[0, 0])),
        Network::Malformed,
        "jumbogram"
    );
}

#[test]
fn extension_headers_are_walked_to_the_transport() {
    let pad: &[u8] = &[0, 0, 1, 4, 0, 0, 0, 0];
    let authentication: &[u8] = &[0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let chain = extended(&[(0, pad), (43, pad), (51, authentication), (60, pad)]);
    let ip = ip(chain.build(Sum::Complete));
    assert_eq!(ip.transport, Transport::Udp);
    assert_eq!(ip.payload, 14 + 40 + 3 * 8 + 12);
}

#[test]
fn fragments() {
    let v4 = |flags: u16| ip(patched(&Packet::udp4(20), 20, &flags.to_be_bytes()));
    assert_eq!(
        (v4(0x4000).fragment, v4(0x4000).transport),
        (Fragment::No, Transport::Udp)
    );
    assert_eq!(
        (v4(0x2000).fragment, v4(0x2000).transport),
        (Fragment::First, Transport::Udp)
    );
    assert_eq!(
        (v4(0x2001).fragment, v4(0x2001).transport),
        (Fragment::Later, Transport::Other)
    );
    assert_eq!(
        (v4(0x0001).fragment, v4(0x0001).transport),
        (Fragment::Later, Transport::Other)
    );

    let v6 = |field: u16| {
        let [a, b] = field.to_be_bytes();
        ip(extended(&[(44, &[0, 0, a, b, 0, 0, 0, 9])]).build(Sum::Complete))
    };
    // RFC 6946: alone in its fragment header, the packet is whole.
    assert_eq!(
        (v6(0).fragment, v6(0).transport),
        (Fragment::No, Transport::Udp)
    );
    assert_eq!(
        (v6(1).fragment, v6(1).transport),
        (Fragment::First, Transport::Udp)
    );
    assert_eq!(
        (v6(9).fragment, v6(9).transport),
        (Fragment::Later, Transport::Other)
    );
    assert_eq!(
        (v6(8).fragment, v6(8).transport),
        (Fragment::Later, Transport::Other)
    );
    assert_eq!(v6(8).payload, 14 + 40 + 8);
    let first: &[u8] = &[0, 0, 0, 1, 0, 0, 0, 9];
    let atomic: &[u8] = &[0, 0, 0, 0, 0, 0, 0, 9];
    for chain in [[(44, first), (44, atomic)], [(44, atomic), (44, first)]] {
        assert_eq!(
            ip(extended(&chain).build(Sum::Complete)).fragment,
            Fragment::First
        );
    }
}

#[test]
fn malformed_transport_in_a_sound_packet() {
    let udp = Packet::udp4(20);
    let tcp = Packet::tcp6(20);
    for (frame, what) in [
        (patched(&udp, 38, &[0, 7]), "UDP length within the header"),
        (patched(&udp, 38, &[0, 29]), "UDP length beyond the packet"),
        (patched(&udp, 23, &[6]), "TCP data offset zero"),
        (
            patched(&tcp, 54 + 12, &[0x40]),
            "TCP data offset within the header",
        ),
        (
            patched(&tcp, 54 + 12, &[0xf0]),
            "TCP data offset beyond the packet",
        ),
    ] {
        assert_eq!(ip(frame).transport, Transport::Malformed, "{what}");
    }
    for (protocol, shortest) in [(6, 20), (17, 8), (1, 8), (58, 8), (132, 12)] {
        let with = |len: u16| {
            let mut packet = vec![0x60, 0, 0, 0, 0, len as u8, protocol, 64];
            packet.extend([0xfd; 32]);
            packet.extend(vec![0x50; usize::from(len)]);
            // UDP's length; TCP and the others hold nothing that matters there.
            if protocol == 17 && len >= 6 {
                packet[44..46].copy_from_slice(&len.to_be_bytes());
            }
            ip(frame(0x86dd, &packet)).transport
        };
        assert_eq!(with(shortest - 1), Transport::Malformed, "{protocol}");
        assert_ne!(with(shortest), Transport::Malformed, "{protocol}");
    }
}

#[test]
fn a_first_fragment_may_announce_more_udp_than_it_holds() {
    let mut frame = patched(&Packet::udp4(20), 38, &[15, 160]);
    assert_eq!(ip(frame.clone()).transport, Transport::Malformed);
    frame[20] = 0x20;
    assert_eq!(ip(frame).transport, Transport::Udp);
}

#[test]
fn arp() {
    let request = |hardware: u16, protocol: u16, lengths: [u8; 2]| {
        let mut packet = [hardware.to_be_bytes(), protocol.to_be_bytes(), lengths].concat();
        packet.extend([0, 1]);
        packet.extend(vec![
            9;
            2 * usize::from(lengths[0])
                + 2 * usize::from(lengths[1])
        ]);
        packet
    };
    let ethernet = request(1, 0x0800, [6, 4]);
    assert_eq!(
        network(frame(0x0806, &ethernet)),
        Network::Arp { start: 14 }
    );
    let padded = [&ethernet[..], &[0; 18]].concat();
    assert_eq!(network(frame(0x0806, &padded)), Network::Arp { start: 14 });
    // IEEE 802, which Linux answers like Ethernet.
    assert_eq!(
        network(frame(0x0806, &request(6, 0x0800, [6, 4]))),
        Network::Arp { start: 14 }
    );
    for len in 0..28 {
        assert_eq!(
            network(frame(0x0806, &ethernet[..len])),
            Network::Malformed,
            "{len}"
        );
    }
    for other in [
        request(32, 0x0800, [20, 4]),
        request(1, 0x86dd, [6, 16]),
        request(1, 0x0800, [6, 6]),
        request(1, 0x0800, [0, 0]),
    ] {
        assert_eq!(network(frame(0x0806, &other)), Network::Opaque);
        assert_eq!(network(frame(0x0806, &other[..7])), Network::Malformed);
    }
}

#[test]
fn a_third_tag_is_opaque() {
    let mut packet = Packet::udp4(20);
    packet.tags = vec![(0x8100, 1), (0x8100, 2), (0x8100, 3)];
    let layout = layout(packet.build(Sum::Complete));
    assert_eq!((layout.link_len, layout.network), (22, Network::Opaque));
    assert_eq!(layout.ethertype, EtherType::VLAN);
}
