//! ICMP errors: the message, and the packet that it quotes.

use vswitch_nat::{Admit, Protocol, Refusal};

use crate::host::{A, B, FAMILIES, Family, Host, V4, V6, at};
use crate::wire::{ACK, Packet, Transport, Wire, exchanged, plain_sum, sum_ipv4_header};

/// One packet of each protocol from the first container.
fn packets(family: Family) -> [Packet; 4] {
    let (a, remote) = (at(family.a, 5000), at(family.remote, 80));
    [
        Packet::udp(a, remote),
        Packet::tcp(a, remote, ACK),
        Packet::sctp(a, remote, 1),
        Packet::new(a, at(family.remote, 0), Transport::EchoRequest),
    ]
}

/// A host where the packet goes out by another port than its own, and that endpoint.
fn sent(family: Family, packet: &Packet) -> (Host, std::net::SocketAddr) {
    let host = Host::new();
    host.mapped(B, &packet.clone().from(at(family.b, 5000)));
    let external = host.mapped(A, packet);
    assert_ne!(external.port(), 5000);
    (host, external)
}

/// Type and code of all errors that are translated.
fn kinds(family: Family) -> &'static [[u8; 2]] {
    if family.a.is_ipv4() {
        &[
            [3, 0],
            [3, 1],
            [3, 3],
            [3, 4],
            [3, 13],
            [11, 0],
            [11, 1],
            [12, 0],
        ]
    } else {
        &[[1, 0], [1, 4], [2, 0], [3, 0], [3, 1], [4, 1]]
    }
}

/// Octets of the IP header.
fn header_len(family: Family) -> usize {
    if family.a.is_ipv4() { 20 } else { 40 }
}

#[test]
fn from_outside_cut_short_anywhere() {
    for family in FAMILIES {
        for packet in packets(family) {
            let (host, external) = sent(family, &packet);
            let translated = packet.clone().from(external);
            for &kind in kinds(family) {
                let error = |about: &Packet, to, quoted| {
                    Packet::error(family.router, to, kind, about, quoted)
                };
                for quoted in header_len(family) + 8..=header_len(family) + 40 {
                    let outside = error(&translated, family.external, quoted).wire();
                    assert!(host.is_ours(&outside));
                    let (received, owner) = host.receive(&outside).unwrap();
                    assert_eq!(owner, A);
                    let error = |about: &Packet| error(about, family.a, quoted);
                    let expected = exchanged(error, &packet, &translated);
                    assert_eq!(received.bytes, expected, "{quoted} of {packet:?}");
                }
                let quoted = header_len(family) + 7;
                let outside = error(&translated, family.external, quoted).wire();
                assert_eq!(host.receive(&outside), Err(Refusal::Malformed));
            }
        }
    }
}

#[test]
fn from_inside_cut_short_anywhere() {
    for family in FAMILIES {
        for packet in packets(family) {
            if packet.transport == Transport::EchoRequest {
                continue;
            }
            let (host, external) = sent(family, &packet);
            // The answer, outside and inside, and the error about it.
            let delivered = packet.answer();
            let answer = delivered.clone().to(external);
            host.receive(&answer.wire()).unwrap();
            for &kind in kinds(family) {
                let error = |sender, about: &Packet, quoted| {
                    Packet::error(sender, family.remote, kind, about, quoted)
                };
                for quoted in header_len(family) + 8..=header_len(family) + 40 {
                    // From the container itself, or a router behind it.
                    for sender in [family.a, family.b] {
                        let inside = error(sender, &delivered, quoted).wire();
                        let error = |about: &Packet| error(family.external, about, quoted);
                        let outside = exchanged(error, &answer, &delivered);
                        let sent = host.send(A, &inside).unwrap();
                        assert_eq!(sent.bytes, outside, "{quoted} of {packet:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn about_what_came_to_a_published_port() {
    for family in FAMILIES {
        let (external, inside) = (at(family.external, 8053), at(family.a, 53));
        let host = Host::new().publishing(Protocol::Udp, external, A, inside);
        let query = Packet::udp(at(family.remote, 4000), external);
        host.receive(&query.wire()).unwrap();
        let delivered = query.clone().to(inside);

        let refused = Packet::port_unreachable(&delivered).wire();
        let expected = Packet::port_unreachable(&query);
        assert_eq!(host.send(A, &refused).unwrap().bytes, expected.build());

        // And about the answer.
        let answer = delivered.answer();
        let lost = Packet::port_unreachable(&answer.clone().from(external));
        let (received, owner) = host.receive(&lost.wire()).unwrap();
        assert_eq!(owner, A);
        assert_eq!(received.bytes, Packet::port_unreachable(&answer).build());
    }
}

#[test]
fn a_container_does_not_speak_for_another() {
    for family in FAMILIES {
        let packet = Packet::udp(at(family.a, 5000), at(family.remote, 80));
        let (host, _) = sent(family, &packet);
        let error = Packet::port_unreachable(&packet.answer()).wire();
        assert_eq!(host.send(B, &error), Err(Refusal::NoSession));
        assert!(host.send(A, &error).is_ok());
    }
}

#[test]
fn untranslated() {
    for family in FAMILIES {
        let host = Host::routed();
        let packet = Packet::udp(at(family.a, 5000), at(family.remote, 80));
        host.send(A, &packet.wire()).unwrap();

        let from_outside = Packet::port_unreachable(&packet).wire();
        assert_eq!(host.direct(A, &from_outside, Admit::Answers), Ok(()));
        let from_inside = Packet::port_unreachable(&packet.answer()).wire();
        assert_eq!(host.send(A, &from_inside), Ok(from_inside));

        let unknown = Packet::udp(at(family.a, 5001), at(family.remote, 80));
        let unknown = Packet::port_unreachable(&unknown).wire();
        assert_eq!(
            host.direct(A, &unknown, Admit::Openings),
            Err(Refusal::NoSession)
        );
        assert_eq!(host.direct(A, &unknown, Admit::All), Ok(()));
    }
}

#[test]
fn about_no_session() {
    for family in FAMILIES {
        let packet = Packet::udp(at(family.a, 5000), at(family.remote, 80));
        let (host, external) = sent(family, &packet);
        // Our port, but nobody that it talks to.
        let lie = Packet::udp(external, at(family.other, 80));
        let wire = Packet::port_unreachable(&lie).wire();
        assert!(host.is_ours(&wire));
        assert_eq!(host.receive(&wire), Err(Refusal::NoSession));
        // The host's own port.
        let own = Packet::udp(at(family.external, 22), at(family.other, 80));
        let wire = Packet::port_unreachable(&own).wire();
        assert!(!host.is_ours(&wire));
        assert_eq!(host.receive(&wire), Err(Refusal::NotOurs));
        // Another protocol's port.
        let other = Packet::tcp(external, at(family.remote, 80), ACK);
        let wire = Packet::port_unreachable(&other).wire();
        assert_eq!(host.receive(&wire), Err(Refusal::NotOurs));
        // From inside.
        let unknown = Packet::udp(at(family.other, 80), at(family.a, 5000));
        let wire = Packet::port_unreachable(&unknown).wire();
        assert_eq!(host.send(A, &wire), Err(Refusal::NoSession));
    }
}

/// Changes the quoted packet, sums its header if it is IPv4, and the message.
fn tamper(family: Family, error: &Packet, change: impl FnOnce(&mut [u8])) -> Wire {
    let mut error = error.clone();
    change(&mut error.payload);
    if family.a.is_ipv4() {
        sum_ipv4_header(&mut error.payload, 0);
    }
    error.wire()
}

#[test]
fn quotes_that_lie() {
    for family in FAMILIES {
        let packet = Packet::udp(at(family.a, 5000), at(family.remote, 80));
        let (host, external) = sent(family, &packet);
        let error = Packet::port_unreachable(&packet.clone().from(external));
        assert!(host.receive(&tamper(family, &error, |_| {})).is_ok());
        let refused =
            |change: &dyn Fn(&mut [u8])| host.receive(&tamper(family, &error, change)).unwrap_err();
        let v4 = family.a.is_ipv4();
        let version = refused(&|quote| quote[0] ^= 0x20);
        assert_eq!(version, Refusal::Malformed);
        // From somebody else than the error was sent to.
        let source = if v4 { 12 } else { 8 };
        assert_eq!(refused(&|quote| quote[source] ^= 1), Refusal::Malformed);
        // A packet that ends in its header.
        let (len, short) = if v4 { (2, 27u16) } else { (4, 7) };
        let length = refused(&|quote| quote[len..len + 2].copy_from_slice(&short.to_be_bytes()));
        assert_eq!(length, Refusal::Malformed);
        if v4 {
            assert_eq!(refused(&|quote| quote[0] = 0x44), Refusal::Malformed);
            assert_eq!(refused(&|quote| quote[0] = 0x4f), Refusal::Malformed);
            // A later piece.
            assert_eq!(refused(&|quote| quote[7] = 1), Refusal::NoSession);
        } else {
            // Options that are cut short, a routing header that is under way.
            assert_eq!(refused(&|quote| quote[6] = 0), Refusal::Malformed);
            let routed = refused(&|quote| {
                quote[6] = 43;
                quote[40..48].copy_from_slice(&[17, 0, 4, 1, 0, 0, 0, 0]);
            });
            assert_eq!(routed, Refusal::NoSession);
        }
        // About another protocol.
        let protocol = if v4 { 9 } else { 6 };
        assert_eq!(refused(&|quote| quote[protocol] = 47), Refusal::NotOurs);
    }
}

#[test]
fn about_an_error() {
    for family in FAMILIES {
        let packet = Packet::udp(at(family.a, 5000), at(family.remote, 80));
        let (host, external) = sent(family, &packet);
        let first = Packet::port_unreachable(&Packet::udp(at(family.remote, 80), external));
        let second = Packet::port_unreachable(&first).wire();
        assert_eq!(host.receive(&second), Err(Refusal::Malformed));
    }
}

/// RFC 5508 REQ-3c, and what RFC 768 has of a zero.
#[test]
fn the_quoted_checksum_is_updated_and_not_judged() {
    for family in FAMILIES {
        let packet = Packet::udp(at(family.a, 5000), at(family.remote, 80));
        let (host, external) = sent(family, &packet);
        let at = header_len(family) + 6;
        for checksum in [0u16, 1, 0xfffe] {
            let quote = |packet: &Packet, to| {
                let mut error = Packet::error(family.router, to, kinds(family)[0], packet, 500);
                error.payload[at..at + 2].copy_from_slice(&checksum.to_be_bytes());
                error
            };
            let outside = quote(&packet.clone().from(external), family.external);
            let (received, _) = host.receive(&outside.wire()).unwrap();
            let start = 14 + header_len(family) + 8;
            let field = &received.bytes[start + at..start + at + 2];
            let inside = quote(&packet, family.a);
            if checksum == 0 {
                assert_eq!(received.bytes, inside.build());
            } else {
                assert_ne!(field, checksum.to_be_bytes());
            }
            // The message's own checksum is right whatever the quote's is.
            let mut expected = inside;
            expected.payload[at..at + 2].copy_from_slice(field);
            assert_eq!(received.bytes, expected.build());
        }
    }
}

/// RFC 4884: the quote is padded to 128 octets, and extensions follow.
#[test]
fn extensions_are_left_alone() {
    for family in FAMILIES {
        let mut packet = Packet::tcp(at(family.a, 5000), at(family.remote, 80), ACK);
        packet.payload.truncate(4);
        let (host, external) = sent(family, &packet);
        let unit = if family.a.is_ipv4() { 4 } else { 8 };
        let error = |about: &Packet, to| {
            let kind = if family.a.is_ipv4() { [11, 0] } else { [3, 0] };
            let mut error = Packet::error(family.router, to, kind, about, 500);
            error.payload.resize(128, 0);
            // RFC 4950: an MPLS label stack.
            error
                .payload
                .extend([0x20, 0, 0xde, 0xad, 0, 8, 1, 1, 0, 1, 0x11, 0x40]);
            if let Transport::IcmpError(.., word) = &mut error.transport {
                word[if unit == 4 { 1 } else { 0 }] = 128 / unit;
            }
            error
        };
        let outside = error(&packet.clone().from(external), family.external).wire();
        let (received, _) = host.receive(&outside).unwrap();
        assert_eq!(received.bytes, error(&packet, family.a).build());

        // A length that leaves no room for ports is believed.
        let mut short = error(&packet.clone().from(external), family.external);
        if let Transport::IcmpError(.., word) = &mut short.transport {
            word[if unit == 4 { 1 } else { 0 }] = (header_len(family) / usize::from(unit)) as u8;
        }
        assert_eq!(host.receive(&short.wire()), Err(Refusal::Malformed));
    }
}

#[test]
fn behind_quoted_ip_options() {
    let mut packet = Packet::udp(at(V4.a, 5000), at(V4.remote, 80));
    packet.options = 16;
    let (host, external) = sent(V4, &packet);
    let outside = Packet::port_unreachable(&packet.clone().from(external)).wire();
    let (received, _) = host.receive(&outside).unwrap();
    assert_eq!(received.bytes, Packet::port_unreachable(&packet).build());
}

#[test]
fn behind_quoted_extension_headers() {
    let packet = Packet::udp(at(V6.a, 5000), at(V6.remote, 80));
    let (host, external) = sent(V6, &packet);
    let error = |about: &Packet, to| {
        let mut error = Packet::error(V6.router, to, [3, 0], about, 500);
        // Destination options, with padding alone.
        error.payload[6] = 60;
        let len = u16::from_be_bytes([error.payload[4], error.payload[5]]) + 8;
        error.payload[4..6].copy_from_slice(&len.to_be_bytes());
        let rest = error.payload.split_off(40);
        error.payload.extend([17, 0, 1, 4, 0, 0, 0, 0]);
        error.payload.extend(rest);
        error
    };
    let outside = error(&packet.clone().from(external), V6.external).wire();
    let (received, _) = host.receive(&outside).unwrap();
    assert_eq!(received.bytes, error(&packet, V6.a).build());
}

#[test]
fn wrong_sums() {
    for family in FAMILIES {
        let packet = Packet::udp(at(family.a, 5000), at(family.remote, 80));
        let (host, external) = sent(family, &packet);
        let wire = Packet::port_unreachable(&packet.clone().from(external)).wire();
        let icmp = 14 + header_len(family);
        for octet in icmp..wire.bytes.len() {
            let mut damaged = wire.clone();
            damaged.bytes[octet] ^= 0x40;
            let refusal = host.receive(&damaged).unwrap_err();
            // Another type is another message.
            let expected = if octet == icmp {
                Refusal::NotOurs
            } else {
                Refusal::Malformed
            };
            assert_eq!(refusal, expected, "octet {octet}");
        }
    }
    // A quoted header that was damaged before it was quoted.
    let packet = Packet::udp(at(V4.a, 5000), at(V4.remote, 80));
    let (host, external) = sent(V4, &packet);
    let mut error = Packet::port_unreachable(&packet.from(external));
    error.payload[10] ^= 1;
    assert_ne!(plain_sum(&error.payload[..20]), 0xffff);
    assert_eq!(host.receive(&error.wire()), Err(Refusal::Malformed));
}

#[test]
fn in_pieces() {
    let packet = Packet::udp(at(V4.a, 5000), at(V4.remote, 80));
    let (host, external) = sent(V4, &packet);
    let pieces = Packet::port_unreachable(&packet.from(external)).fragments(64);
    assert_eq!(host.receive(&pieces[0]), Err(Refusal::Malformed));
}
