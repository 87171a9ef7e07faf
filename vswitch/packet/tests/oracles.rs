//! The same packets read and summed by `etherparse` and `pnet`.
//!
//! Compared layer by layer, because where one of them legitimately reads another protocol than
//! this crate, only that layer is to be left out, with the reason beside it.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod wire;

use etherparse::{
    ArpPacketSlice, Ethernet2HeaderSlice, IpNumber, Ipv4Slice, Ipv6Slice, SingleVlanSlice,
    TcpSlice, UdpSlice,
};
use pnet::packet::{
    Packet as _, ethernet::EthernetPacket, ip::IpNextHeaderProtocol, ipv4, tcp, udp,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use vswitch_packet::ip::{Fragment, IpHeader, Transport, Version};
use vswitch_packet::{EtherType, Frame, FrameError, Network, VlanTag, checksum};
use wire::{Packet, Sum};

/// Compares what [`Frame::parse_plain`] says of `octets` with etherparse.
fn assert_agrees(octets: &[u8]) {
    let mut copy = octets.to_vec();
    let Some((tags, ethertype, rest)) = etherparse_link(octets) else {
        assert_eq!(Frame::parse_plain(&mut copy).unwrap_err(), FrameError::Runt);
        return;
    };
    let frame = Frame::parse_plain(&mut copy).unwrap();
    let layout = frame.layout();
    assert_eq!(usize::from(layout.link_len), octets.len() - rest.len());
    assert_eq!(layout.ethertype, EtherType(ethertype));
    assert_eq!(layout.tag, tags.first().map(|&tci| VlanTag(tci)));
    let header = Ethernet2HeaderSlice::from_slice(octets).unwrap();
    assert_eq!(frame.destination().0, header.destination());
    assert_eq!(frame.source().0, header.source());
    match ethertype {
        0x0800 => assert_ipv4(&frame, rest),
        0x86dd => assert_ipv6(&frame, rest),
        0x0806 => assert_arp(&frame, rest),
        _ => assert_eq!(frame.network(), Network::Opaque),
    }
}

/// The TCIs of up to two tags, the type behind them and the octets behind that. etherparse's own
/// walk is not used: it also enters 0x9100, a third tag and MACsec, which a switch carries unread.
fn etherparse_link(octets: &[u8]) -> Option<(Vec<u16>, u16, &[u8])> {
    let header = Ethernet2HeaderSlice::from_slice(octets).ok()?;
    let mut ethertype = header.ether_type().0;
    let mut rest = &octets[header.slice().len()..];
    let mut tags = vec![];
    while matches!(ethertype, 0x8100 | 0x88a8) && tags.len() < 2 {
        let tag = SingleVlanSlice::from_slice(rest).ok()?;
        tags.push(u16::from_be_bytes([rest[0], rest[1]]));
        ethertype = tag.ether_type().0;
        rest = tag.payload_slice();
    }
    Some((tags, ethertype, rest))
}

fn assert_ipv4(frame: &Frame<'_>, rest: &[u8]) {
    // etherparse walks an authentication header over IPv4; here it is a protocol like another.
    let authenticated = rest.get(9) == Some(&51);
    let parsed = match Ipv4Slice::from_slice(rest) {
        Err(_) if authenticated => return,
        Err(error) => {
            assert_eq!(frame.network(), Network::Malformed, "{error}");
            return;
        }
        Ok(parsed) => parsed,
    };
    let Network::Ip(ip) = frame.network() else {
        panic!("{:?}", frame.network())
    };
    let header = parsed.header();
    assert_eq!(ip.version, Version::V4);
    assert_eq!(ip.payload - ip.start, header.slice().len() as u16);
    assert_eq!(
        ip.end as usize,
        usize::from(ip.start) + usize::from(header.total_len())
    );
    assert_eq!(ip.protocol, header.protocol().0);
    assert_eq!(ip.source(frame.bytes()), IpAddr::V4(header.source_addr()));
    assert_eq!(
        ip.destination(frame.bytes()),
        IpAddr::V4(header.destination_addr())
    );
    assert_eq!(ip.hop_limit(frame.bytes()), header.ttl());
    assert_eq!(ip.fragment != Fragment::No, header.is_fragmenting_payload());
    assert_eq!(
        ip.fragment == Fragment::Later,
        header.fragments_offset().value() != 0
    );
    assert_checksum_ok(&ip, frame, &header.to_header());
    if !authenticated {
        assert_transport(
            frame,
            &ip,
            parsed.payload_ip_number(),
            parsed.payload().payload,
        );
    }
}

/// Equal except for a checksum field of all ones, which sums up like zero and which nobody sends.
fn assert_checksum_ok(ip: &IpHeader, frame: &Frame<'_>, header: &etherparse::Ipv4Header) {
    if header.header_checksum != 0xffff {
        let right = header.calc_header_checksum() == header.header_checksum;
        assert_eq!(ip.checksum_ok(frame.bytes()), right);
    }
}

fn assert_ipv6(frame: &Frame<'_>, rest: &[u8]) {
    // A payload length of zero means "to the end of the slice" to etherparse, as in a jumbogram;
    // here such a packet has no payload.
    if rest.get(4..6) == Some(&[0, 0]) {
        return;
    }
    let parsed = match Ipv6Slice::from_slice(rest) {
        // Linux refuses to receive hop-by-hop options that are not the first header, and routers
        // do not look (RFC 8200 §4); a bridge carries them. An authentication header without an
        // ICV is no concern of a bridge either.
        Err(etherparse::err::ipv6::SliceError::Exts(_)) => return,
        Err(error) => {
            // Within a later fragment etherparse reads payload as headers, and may fail on it.
            let payload =
                matches!(frame.network(), Network::Ip(ip) if ip.fragment == Fragment::Later);
            assert!(payload || frame.network() == Network::Malformed, "{error}");
            return;
        }
        Ok(parsed) => parsed,
    };
    let extensions = parsed.extensions().clone().into_iter().count();
    let Network::Ip(ip) = frame.network() else {
        assert!(
            extensions >= 8,
            "a chain of any length, here of less than eight"
        );
        return;
    };
    let header = parsed.header();
    assert_eq!(ip.version, Version::V6);
    assert_eq!(
        ip.end as usize,
        usize::from(ip.start) + 40 + usize::from(header.payload_length())
    );
    assert_eq!(ip.source(frame.bytes()), IpAddr::V6(header.source_addr()));
    assert_eq!(
        ip.destination(frame.bytes()),
        IpAddr::V6(header.destination_addr())
    );
    assert_eq!(ip.hop_limit(frame.bytes()), header.hop_limit());
    assert_eq!(ip.fragment != Fragment::No, parsed.is_payload_fragmented());
    if ip.fragment != Fragment::Later {
        assert_eq!(
            usize::from(ip.payload - ip.start),
            40 + parsed.extensions().slice().len()
        );
        assert_eq!(ip.protocol, parsed.payload().ip_number.0);
        assert_transport(
            frame,
            &ip,
            parsed.payload().ip_number,
            parsed.payload().payload,
        );
    }
}

fn assert_transport(frame: &Frame<'_>, ip: &IpHeader, protocol: IpNumber, payload: &[u8]) {
    if ip.fragment == Fragment::Later {
        assert_eq!(ip.transport, Transport::Other);
        return;
    }
    let ports = match protocol {
        IpNumber::TCP => match TcpSlice::from_slice(payload) {
            Ok(tcp) => {
                let header_len = tcp.header_len() as u8;
                assert_eq!(ip.transport, Transport::Tcp { header_len });
                Some((tcp.source_port(), tcp.destination_port()))
            }
            Err(error) => {
                assert_eq!(ip.transport, Transport::Malformed, "{error}");
                None
            }
        },
        // etherparse compares a first fragment's UDP length with the piece, and takes a length of
        // zero as "to the end", as for jumbograms.
        IpNumber::UDP if ip.fragment == Fragment::First || payload.get(4..6) == Some(&[0, 0]) => {
            return;
        }
        IpNumber::UDP => match UdpSlice::from_slice(payload) {
            Ok(udp) => {
                assert_eq!(ip.transport, Transport::Udp);
                Some((udp.source_port(), udp.destination_port()))
            }
            Err(error) => {
                assert_eq!(ip.transport, Transport::Malformed, "{error}");
                None
            }
        },
        // ICMP's types have minimum lengths of their own in etherparse, SCTP it does not know.
        _ => return,
    };
    let flow = frame.flow();
    assert_eq!(
        flow.map(|flow| (flow.source_port, flow.destination_port)),
        ports
    );
}

fn assert_arp(frame: &Frame<'_>, rest: &[u8]) {
    let Ok(arp) = ArpPacketSlice::from_slice(rest) else {
        assert_eq!(frame.network(), Network::Malformed);
        return;
    };
    let ethernet = matches!(arp.hw_addr_type().0, 1 | 6)
        && arp.proto_addr_type().0 == 0x0800
        && (arp.hw_addr_size(), arp.proto_addr_size()) == (6, 4);
    match frame.network() {
        Network::Arp { start } => {
            assert!(ethernet);
            let start = usize::from(start);
            assert_eq!(&frame.bytes()[start..start + 28], arp.slice());
        }
        other => assert!(!ethernet && other == Network::Opaque),
    }
}

fn arp() -> impl Strategy<Value = Vec<u8>> {
    let kind = prop_oneof![3 => Just((1u16, 6u8)), 1 => Just((6, 6)), 1 => any::<(u16, u8)>()];
    (wire::tags(), kind, vec(any::<u8>(), 20..60)).prop_map(|(tags, (hardware, len), addresses)| {
        let mut frame = vec![0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 2];
        for (protocol, tag) in tags {
            frame.extend(protocol.to_be_bytes());
            frame.extend(tag.to_be_bytes());
        }
        frame.extend([0x08, 0x06]);
        frame.extend(hardware.to_be_bytes());
        frame.extend([0x08, 0x00, len, 4, 0, 1]);
        frame.extend(addresses);
        frame
    })
}

/// IPv6 with a chain of any extension headers in any order.
fn chain() -> impl Strategy<Value = Packet> {
    let header = (
        prop_oneof![Just(0u8), Just(43), Just(44), Just(51), Just(60)],
        vec(any::<u8>(), 8..24),
    );
    (wire::packet(100), vec(header, 0..10)).prop_map(|(mut packet, headers)| {
        let extended = headers.into_iter().map(|(protocol, mut octets)| {
            octets.truncate(octets.len() / 8 * 8);
            octets[1] = match protocol {
                51 => (octets.len() / 4 - 2) as u8,
                _ => (octets.len() / 8 - 1) as u8,
            };
            if protocol == 44 {
                octets.truncate(8);
                // Whole, first and later pieces in equal parts.
                match octets[4] % 3 {
                    0 => octets[2..4].fill(0),
                    1 => octets[2..4].copy_from_slice(&[0, 1]),
                    _ => {}
                }
            }
            (protocol, octets)
        });
        packet.ip = wire::Ip::v6();
        if let wire::Ip::V6 { extensions, .. } = &mut packet.ip {
            *extensions = extended.collect();
        }
        packet
    })
}

fn mutate(frame: &mut Vec<u8>, changes: &[(Index, u8)], cut: Option<Index>) {
    for (at, octet) in changes {
        let at = at.index(frame.len().min(100));
        frame[at] ^= octet;
    }
    if let Some(cut) = cut {
        frame.truncate(cut.index(frame.len() + 1));
    }
}

fn changes() -> impl Strategy<Value = Vec<(Index, u8)>> {
    vec((any::<Index>(), any::<u8>()), 0..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn etherparse_reads_the_same_packet(packet in wire::packet(300)) {
        assert_agrees(&packet.build(Sum::Complete));
    }

    #[test]
    fn etherparse_reads_the_same_in_a_mutilated_packet(
        packet in wire::packet(100),
        changes in changes(),
        cut: Option<Index>,
    ) {
        let mut frame = packet.build(Sum::Complete);
        mutate(&mut frame, &changes, cut);
        assert_agrees(&frame);
    }

    #[test]
    fn etherparse_walks_the_same_extension_headers(
        packet in chain(),
        changes in changes(),
        cut: Option<Index>,
    ) {
        let mut frame = packet.build(Sum::Complete);
        assert_agrees(&frame);
        mutate(&mut frame, &changes, cut);
        assert_agrees(&frame);
    }

    #[test]
    fn etherparse_reads_the_same_arp(mut frame in arp(), changes in changes(), cut: Option<Index>) {
        assert_agrees(&frame);
        mutate(&mut frame, &changes, cut);
        assert_agrees(&frame);
    }

    #[test]
    fn pnet_reads_the_same_addresses_and_sums(mut packet in wire::packet(600)) {
        packet.tags.clear();
        let mut bytes = packet.build(Sum::Partial);
        let mut frame = Frame::parse(&mut bytes, packet.partial_header()).unwrap();
        frame.complete_checksum();
        let Network::Ip(ip) = frame.network() else { panic!("not IP") };

        let ethernet = EthernetPacket::new(frame.bytes()).unwrap();
        prop_assert_eq!(ethernet.get_destination().octets(), frame.destination().0);
        prop_assert_eq!(ethernet.get_source().octets(), frame.source().0);
        prop_assert_eq!(ethernet.get_ethertype().0, frame.layout().ethertype.0);
        if ip.version == Version::V4 {
            let packet = ipv4::Ipv4Packet::new(ethernet.payload()).unwrap();
            prop_assert_eq!(ipv4::checksum(&packet), packet.get_checksum());
            prop_assert!(ip.checksum_ok(frame.bytes()));
        }

        let transport = &frame.bytes()[usize::from(ip.payload)..ip.end as usize];
        let addresses = (ip.source(frame.bytes()), ip.destination(frame.bytes()));
        let (stored, sum, ports) = if ip.protocol == 17 {
            let packet = udp::UdpPacket::new(transport).unwrap();
            let sum = match addresses {
                (IpAddr::V4(s), IpAddr::V4(d)) => udp::ipv4_checksum(&packet, &s, &d),
                (IpAddr::V6(s), IpAddr::V6(d)) => udp::ipv6_checksum(&packet, &s, &d),
                _ => unreachable!(),
            };
            // pnet leaves a computed zero as it is, which RFC 768 has sent as all ones.
            let sum = if sum == 0 { 0xffff } else { sum };
            (packet.get_checksum(), sum, (packet.get_source(), packet.get_destination()))
        } else {
            let packet = tcp::TcpPacket::new(transport).unwrap();
            let sum = match addresses {
                (IpAddr::V4(s), IpAddr::V4(d)) => tcp::ipv4_checksum(&packet, &s, &d),
                (IpAddr::V6(s), IpAddr::V6(d)) => tcp::ipv6_checksum(&packet, &s, &d),
                _ => unreachable!(),
            };
            let sum = if sum == 0 { 0xffff } else { sum };
            (packet.get_checksum(), sum, (packet.get_source(), packet.get_destination()))
        };
        prop_assert_eq!(stored, sum);
        let flow = frame.flow().unwrap();
        prop_assert_eq!((flow.source_port, flow.destination_port), ports);
        prop_assert_eq!((flow.source, flow.destination), addresses);
    }

    #[test]
    fn pnet_sums_pseudo_headers_the_same(v4: ([u8; 4], [u8; 4]), v6: ([u8; 16], [u8; 16]), mut data in vec(any::<u8>(), 20..2000)) {
        let protocol = IpNextHeaderProtocol(17);
        let len = data.len() as u32;
        let complete = |pseudo: u16, data: &mut [u8]| {
            data[6..8].copy_from_slice(&pseudo.to_be_bytes());
            checksum::complete(data, 6);
            u16::from_be_bytes([data[6], data[7]])
        };
        let (s, d) = (Ipv4Addr::from(v4.0), Ipv4Addr::from(v4.1));
        let expected = pnet::packet::util::ipv4_checksum(&data, 3, &[], &s, &d, protocol);
        let pseudo = checksum::pseudo_header(&[v4.0, v4.1].concat(), 17, len);
        prop_assert_eq!(complete(pseudo, &mut data) % 0xffff, expected % 0xffff);

        let (s, d) = (Ipv6Addr::from(v6.0), Ipv6Addr::from(v6.1));
        let expected = pnet::packet::util::ipv6_checksum(&data, 3, &[], &s, &d, protocol);
        let pseudo = checksum::pseudo_header(&[v6.0, v6.1].concat(), 17, len);
        prop_assert_eq!(complete(pseudo, &mut data) % 0xffff, expected % 0xffff);
    }
}

#[test]
fn a_computed_zero_is_sent_as_all_ones() {
    let mut packet = Packet::udp4(2);
    packet.payload = vec![0, 0];
    let Some(&[high, low]) = packet.build(Sum::Complete)[40..].first_chunk() else {
        panic!("no checksum")
    };
    // With its own complement as payload, the datagram sums up to zero.
    packet.payload = vec![high, low];
    let built = packet.build(Sum::Complete);
    assert_eq!(built[40..42], [0xff, 0xff]);
    let mut bytes = packet.build(Sum::Partial);
    Frame::parse(&mut bytes, packet.partial_header())
        .unwrap()
        .complete_checksum();
    assert_eq!(bytes, built);
}
