//! What is refused, and stays as it is.

use vswitch_nat::{Admit, Protocol, Refusal};

use crate::host::{A, B, FAMILIES, Host, V4, V6, at};
use crate::wire::{ACK, Packet, Transport, Wire};

#[test]
fn protocols_without_ports_do_not_share_an_address() {
    for family in FAMILIES {
        let host = Host::new();
        let packet = Packet::new(at(family.a, 0), at(family.remote, 0), Transport::Other(47));
        let wire = packet.wire();
        assert_eq!(host.send(A, &wire), Err(Refusal::Untranslatable));
        let inbound = packet.clone().to(at(family.external, 0)).wire();
        assert_eq!(host.receive(&inbound), Err(Refusal::NotOurs));
        // Begun from outside, under the container's own address, it may answer.
        assert_eq!(host.direct(A, &packet.answer().wire(), Admit::All), Ok(()));
        assert_eq!(host.send(A, &wire), Ok(wire));
    }
}

/// Timestamp (13), information request (15), router solicitation (10), redirect (5); and in IPv6
/// neighbour solicitation (135) and multicast listener report (143).
#[test]
fn other_icmp_messages() {
    for (family, kinds) in [(V4, [13, 15, 10, 5]), (V6, [135, 143, 137, 200])] {
        for kind in kinds {
            let host = Host::new();
            let transport = Transport::IcmpError(kind, 0, [0; 4]);
            let packet = Packet::new(at(family.a, 0), at(family.remote, 0), transport);
            assert_eq!(host.send(A, &packet.wire()), Err(Refusal::Untranslatable));
            let inbound = packet.answer().to(at(family.external, 0)).wire();
            assert!(!host.is_ours(&inbound));
            assert_eq!(host.receive(&inbound), Err(Refusal::NotOurs));
        }
    }
}

#[test]
fn echo_requests_to_the_host_are_the_hosts() {
    for family in FAMILIES {
        let host = Host::new();
        let ping = Packet::new(
            at(family.a, 5000),
            at(family.remote, 0),
            Transport::EchoRequest,
        );
        let external = host.mapped(A, &ping);
        let request = Packet::new(
            at(family.remote, external.port()),
            at(family.external, 0),
            Transport::EchoRequest,
        )
        .wire();
        assert!(!host.is_ours(&request));
        assert_eq!(host.receive(&request), Err(Refusal::NotOurs));
        // The reply is ours.
        let reply = ping.answer().to(external).wire();
        assert!(host.is_ours(&reply));
    }
}

#[test]
fn an_echo_reply_that_nobody_asked_for() {
    for family in FAMILIES {
        let host = Host::new();
        let reply = Packet::new(
            at(family.a, 0),
            at(family.remote, 5000),
            Transport::EchoReply,
        )
        .wire();
        assert_eq!(host.send(A, &reply), Err(Refusal::Filtered));
    }
}

#[test]
fn transports_that_are_cut_short() {
    for family in FAMILIES {
        for (protocol, len) in [(6, 19), (17, 7), (132, 11)] {
            let host = Host::new();
            let transport = Transport::Other(protocol);
            let packet = Packet::new(at(family.a, 0), at(family.remote, 0), transport);
            let wire = packet.payload(len).wire();
            assert_eq!(host.send(A, &wire), Err(Refusal::Malformed));
            assert_eq!(host.receive(&wire), Err(Refusal::Malformed));
            assert_eq!(host.direct(A, &wire, Admit::All), Err(Refusal::Malformed));
            assert!(!host.is_ours(&wire));
        }
    }
}

#[test]
fn what_is_no_packet() {
    let host = Host::new();
    let mut wire = Packet::udp(at(V4.a, 1), at(V4.remote, 2)).wire();
    for ethertype in [[0x08, 0x06], [0x88, 0xcc], [0x86, 0xdd]] {
        wire.bytes[12..14].copy_from_slice(&ethertype);
        assert_eq!(host.receive(&wire), Err(Refusal::Malformed));
    }
}

/// The checksum would be written into the ports, or the addresses.
#[test]
fn a_checksum_that_overwrites_what_is_translated() {
    let host = Host::new();
    let packet = Packet::tcp(at(V4.a, 5000), at(V4.remote, 80), ACK);
    let refused = |start, offset| {
        let mut wire = packet.partial();
        wire.header.csum_start = start;
        wire.header.csum_offset = offset;
        host.send(A, &wire)
    };
    assert_eq!(refused(34, 0), Err(Refusal::Malformed));
    assert_eq!(refused(36, 14), Err(Refusal::Malformed));
    assert_eq!(refused(53, 0), Err(Refusal::Malformed));
    assert!(refused(34, 16).is_ok());
    assert!(refused(54, 6).is_ok());
}

/// Inserts extension headers behind an IPv6 header; the last octet of each but the first eight is
/// padding.
fn with_extension(packet: &Packet, kind: u8, mut header: Vec<u8>) -> Wire {
    let mut wire = packet.wire();
    header[0] = wire.bytes[20];
    wire.bytes[20] = kind;
    let len = u16::from_be_bytes([wire.bytes[18], wire.bytes[19]]) + header.len() as u16;
    wire.bytes[18..20].copy_from_slice(&len.to_be_bytes());
    let rest = wire.bytes.split_off(54);
    wire.bytes.extend(header);
    wire.bytes.extend(rest);
    wire
}

/// Segments left, the destination is not the one that is summed (RFC 8200 §8.1).
#[test]
fn a_routing_header() {
    for (left, way_points) in [(0, 0), (1, 1)] {
        let mut header = vec![0, 2 * way_points, 4, left, 0, 0, 0, 0];
        header.resize(8 + 16 * usize::from(way_points), 0x20);
        let packet = Packet::udp(at(V6.a, 5000), at(V6.remote, 80));
        let host = Host::new();
        let result = host.send(A, &with_extension(&packet, 43, header.clone()));
        if left == 0 {
            let expected = packet.from(at(V6.external, 5000));
            assert_eq!(result, Ok(with_extension(&expected, 43, header)));
        } else {
            assert_eq!(result, Err(Refusal::Untranslatable));
        }
    }
}

/// The header covers the addresses. In IPv4 it is a protocol of its own.
#[test]
fn an_authentication_header() {
    let header = vec![
        0, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9,
    ];
    let packet = Packet::udp(at(V6.a, 5000), at(V6.remote, 80));
    let wire = with_extension(&packet, 51, header);
    assert_eq!(Host::new().send(A, &wire), Err(Refusal::Untranslatable));
    assert_eq!(Host::routed().send(A, &wire), Ok(wire.clone()));
    let packet = Packet::new(at(V4.a, 0), at(V4.remote, 0), Transport::Other(51));
    assert_eq!(
        Host::new().send(A, &packet.wire()),
        Err(Refusal::Untranslatable)
    );
}

#[test]
fn another_containers_conversation() {
    for family in FAMILIES {
        let host = Host::new();
        let packet = Packet::udp(at(family.a, 5000), at(family.remote, 80));
        host.mapped(A, &packet);
        assert_eq!(host.send(B, &packet.wire()), Err(Refusal::Filtered));
    }
}

#[test]
fn nothing_is_left_of_a_container_that_is_detached() {
    for family in FAMILIES {
        let published = at(family.external, 8080);
        let host = Host::new().publishing(Protocol::Udp, published, A, at(family.a, 80));
        let packet = Packet::udp(at(family.a, 5000), at(family.remote, 80));
        let external = host.mapped(A, &packet);
        let answer = packet.answer().to(external).wire();
        assert!(host.receive(&answer).is_ok());
        host.nat.forget_owner(A);
        assert_eq!(host.nat.counts().sessions, 0);
        assert_eq!(host.receive(&answer), Err(Refusal::NotOurs));
    }
}

#[test]
fn nothing_is_left_of_an_address_that_is_gone() {
    for family in FAMILIES {
        let host = Host::new();
        let packet = Packet::udp(at(family.a, 5000), at(family.remote, 80));
        let external = host.mapped(A, &packet);
        host.nat.forget_external(family.external);
        let answer = packet.answer().to(external).wire();
        assert_eq!(host.receive(&answer), Err(Refusal::NotOurs));
    }
}

#[test]
fn the_host_takes_a_port_back() {
    let host = Host::new();
    let packet = Packet::udp(at(V4.a, 5000), at(V4.remote, 80));
    let external = host.mapped(A, &packet);
    assert!(host.nat.forget_mapping(Protocol::Udp, external));
    assert!(!host.nat.forget_mapping(Protocol::Udp, external));
    let answer = packet.answer().to(external).wire();
    assert_eq!(host.receive(&answer), Err(Refusal::NotOurs));
}
