//! Every protocol, in both directions and both families, octet for octet.

use vswitch_nat::{Admit, Protocol, Refusal};

use crate::host::{A, B, FAMILIES, Family, Host, V4, V6, at, source_of};
use crate::wire::{ACK, PSH, Packet, SYN, Transport};

/// A port that the first container cannot keep.
fn taken(family: Family, transport: Transport) -> Host {
    let host = Host::new();
    let other = Packet::new(at(family.b, 5000), at(family.other, 9), transport);
    assert_eq!(host.mapped(B, &other), at(family.external, 5000));
    host
}

/// Out and back, to and from another port than its own.
fn there_and_back(family: Family, packet: Packet) {
    let first = match packet.transport {
        Transport::UdpUnsummed => Transport::Udp,
        transport => transport,
    };
    let host = taken(family, first);
    let sent = host.send(A, &packet.wire()).unwrap();
    let external = source_of(&sent);
    assert_eq!(external.ip(), family.external);
    assert_ne!(external.port(), 5000, "{packet:?}");
    assert_eq!(
        sent.bytes,
        packet.clone().from(external).build(),
        "{packet:?}"
    );

    let answer = packet.answer();
    let (received, owner) = host.receive(&answer.clone().to(external).wire()).unwrap();
    assert_eq!(owner, A);
    assert_eq!(received.bytes, answer.build(), "{packet:?}");
}

fn each(transport: Transport) {
    for family in FAMILIES {
        let remote = match transport {
            Transport::EchoRequest => at(family.remote, 0),
            _ => at(family.remote, 80),
        };
        let packet = Packet::new(at(family.a, 5000), remote, transport);
        for len in [0, 1, 100, 1437] {
            there_and_back(family, packet.clone().payload(len));
        }
    }
}

#[test]
fn udp() {
    each(Transport::Udp);
}

#[test]
fn tcp() {
    for flags in [SYN, ACK, ACK | PSH] {
        each(Transport::Tcp {
            flags,
            sequence: 0xffff_fff0,
            acknowledgement: 77,
        });
    }
}

#[test]
fn echo() {
    each(Transport::EchoRequest);
}

#[test]
fn sctp() {
    each(Transport::Sctp(1));
}

#[test]
fn a_udp_checksum_that_is_none_stays_none() {
    let packet = Packet::new(at(V4.a, 5000), at(V4.remote, 80), Transport::UdpUnsummed);
    there_and_back(V4, packet);
}

/// RFC 768: zero is sent as all ones. Some payload makes the sum just that.
#[test]
fn a_udp_checksum_that_becomes_zero_is_sent_as_ones() {
    let host = Host::new();
    let packet = Packet::udp(at(V4.a, 5000), at(V4.remote, 80)).payload(2);
    let external = host.mapped(A, &packet);
    let hits = (0..=u16::MAX)
        .filter(|word| {
            let mut packet = packet.clone();
            packet.payload = word.to_be_bytes().to_vec();
            let expected = packet.clone().from(external).build();
            let sent = host.send(A, &packet.wire()).unwrap();
            assert_eq!(sent.bytes, expected);
            expected[40..42] == [0xff, 0xff]
        })
        .count();
    assert_eq!(hits, 1);
}

#[test]
fn behind_ip_options() {
    let mut packet = Packet::tcp(at(V4.a, 5000), at(V4.remote, 80), SYN);
    packet.options = 12;
    there_and_back(V4, packet);
}

#[test]
fn partial_checksums() {
    for family in FAMILIES {
        let (a, remote) = (at(family.a, 5000), at(family.remote, 80));
        for packet in [Packet::udp(a, remote), Packet::tcp(a, remote, ACK)] {
            let host = taken(family, packet.transport);
            let sent = host.send(A, &packet.partial()).unwrap();
            let external = source_of(&sent);
            assert_ne!(external.port(), 5000);
            let expected = packet.clone().from(external);
            // The field itself, and what becomes of it.
            assert_eq!(sent, expected.partial());
            assert_eq!(sent.finished(), [expected.build()]);

            let answer = packet.answer();
            let wire = answer.clone().to(external).partial();
            let (received, _) = host.receive(&wire).unwrap();
            assert_eq!(received, answer.partial());
            assert_eq!(received.finished(), [answer.build()]);
        }
    }
}

/// A packet in a tunnel of the container's own has its checksum completed later; the outer one is
/// whole.
#[test]
fn a_partial_checksum_inside_the_payload() {
    let host = Host::new();
    let packet = Packet::udp(at(V4.a, 5000), at(V4.remote, 4789));
    let mut wire = packet.wire();
    wire.header.flags = 1;
    wire.header.csum_start = 14 + 28 + 40;
    wire.header.csum_offset = 16;
    let sent = host.send(A, &wire).unwrap();
    let external = source_of(&sent);
    assert_eq!(sent.bytes, packet.from(external).build());
}

/// SCTP that a device is to sum: the pseudo-header has nothing to do with it.
#[test]
fn an_sctp_checksum_left_to_the_device() {
    let host = taken(V4, Transport::Sctp(1));
    let packet = Packet::sctp(at(V4.a, 5000), at(V4.remote, 80), 1);
    let mut wire = packet.wire();
    wire.header.flags = 1;
    wire.header.csum_start = 34;
    wire.header.csum_offset = 8;
    wire.bytes[42..46].fill(0);
    let sent = host.send(A, &wire).unwrap();
    let external = source_of(&sent);
    let mut expected = packet.from(external).build();
    expected[42..46].fill(0);
    assert_eq!(sent.bytes, expected);
}

/// What was damaged on the way is not made good.
#[test]
fn a_wrong_checksum_stays_wrong() {
    for family in FAMILIES {
        let (a, remote) = (at(family.a, 5000), at(family.remote, 80));
        for packet in [
            Packet::udp(a, remote),
            Packet::tcp(a, remote, ACK),
            Packet::sctp(a, remote, 1),
        ] {
            let host = taken(family, packet.transport);
            let mut wire = packet.wire();
            let last = wire.bytes.len() - 1;
            wire.bytes[last] ^= 0x10;
            let sent = host.send(A, &wire).unwrap();
            let external = source_of(&sent);
            let mut expected = packet.from(external).build();
            expected[last] ^= 0x10;
            assert_eq!(sent.bytes, expected);
        }
    }
}

#[test]
fn published_ports_lead_inside_and_keep_the_source() {
    for family in FAMILIES {
        let (external, inside) = (at(family.external, 8080), at(family.a, 80));
        let client = at(family.remote, 40000);
        for (protocol, packet) in [
            (Protocol::Tcp, Packet::tcp(client, external, SYN)),
            (Protocol::Udp, Packet::udp(client, external)),
            (Protocol::Sctp, Packet::sctp(client, external, 1)),
        ] {
            let host = Host::new().publishing(protocol, external, A, inside);
            assert!(host.is_ours(&packet.wire()));
            let (received, owner) = host.receive(&packet.wire()).unwrap();
            let expected = packet.to(inside);
            assert_eq!((received.bytes, owner), (expected.build(), A));

            let answer = expected.answer();
            let sent = host.send(A, &answer.wire()).unwrap();
            assert_eq!(sent.bytes, answer.from(external).build());
        }
    }
}

#[test]
fn untranslated_packets_stay_as_they_are() {
    for family in FAMILIES {
        let host = Host::routed();
        let (a, remote) = (at(family.a, 5000), at(family.remote, 80));
        for packet in [
            Packet::udp(a, remote),
            Packet::tcp(a, remote, SYN),
            Packet::sctp(a, remote, 1),
            Packet::new(a, at(family.remote, 0), Transport::EchoRequest),
            Packet::new(a, remote, Transport::Other(47)),
        ] {
            assert_eq!(host.send(A, &packet.wire()), Ok(packet.wire()));
            let answer = packet.answer().wire();
            assert_eq!(host.direct(A, &answer, Admit::Answers), Ok(()));
        }
        let stranger = Packet::udp(at(family.other, 80), a).wire();
        assert_eq!(
            host.direct(A, &stranger, Admit::Answers),
            Err(Refusal::Filtered)
        );
    }
}

#[test]
fn echo_from_outside_is_answered_under_the_containers_own_address() {
    for family in FAMILIES {
        let host = Host::new();
        let (a, remote) = (at(family.a, 0), at(family.remote, 77));
        let request = Packet::new(remote, a, Transport::EchoRequest);
        assert_eq!(
            host.direct(A, &request.wire(), Admit::Answers),
            Err(Refusal::Filtered)
        );
        assert_eq!(host.direct(A, &request.wire(), Admit::Openings), Ok(()));
        let reply = request.answer().wire();
        assert_eq!(host.send(A, &reply), Ok(reply));
    }
}

#[test]
fn the_other_family_is_no_source() {
    let host = Host::new();
    let packet = Packet::udp(at(V6.a, 5000), at(V6.remote, 80)).wire();
    let mut bytes = packet.bytes.clone();
    let mut frame = vswitch_packet::Frame::parse_plain(&mut bytes).unwrap();
    let way = vswitch_nat::Outbound {
        owner: A,
        source: Some(V4.external),
        filtering: host.filtering,
        published: &host.published,
        ingress: 7,
    };
    assert_eq!(
        host.nat.outbound(&mut frame, &way, host.now()),
        Err(Refusal::Untranslatable)
    );
    assert_eq!(bytes, packet.bytes);
}
