//! RFC 5508: ICMP, and ICMPv6 likewise.

use std::time::Duration;

use vswitch_nat::{Config, Filtering, Protocol, Refusal, Timeouts};

use crate::host::{A, B, FAMILIES, Family, Host, V4, V6, at, config, source_of};
use crate::wire::{ACK, Packet, Transport};

const MINUTE: Duration = Duration::from_secs(60);

fn ping(family: Family) -> Packet {
    Packet::new(
        at(family.a, 5000),
        at(family.remote, 0),
        Transport::EchoRequest,
    )
}

fn query(family: Family) -> Packet {
    Packet::udp(at(family.a, 5000), at(family.remote, 80))
}

/// "Time exceeded in transit", by a router on the way.
fn exceeded(family: Family, to: std::net::IpAddr, about: &Packet) -> Packet {
    let kind = if family.a.is_ipv4() { [11, 0] } else { [3, 0] };
    Packet::error(family.router, to, kind, about, 500)
}

/// A host by which the first container's packet went, and the packet as it left, by a port that is
/// not its own.
fn sent(family: Family, packet: &Packet) -> (Host, Packet) {
    let host = Host::new();
    host.mapped(B, &packet.clone().from(at(family.b, 5000)));
    let external = host.mapped(A, packet);
    assert_ne!(external.port(), 5000);
    (host, packet.clone().from(external))
}

#[test]
fn req_1_queries_and_their_answers_pass() {
    for family in FAMILIES {
        let (host, outside) = sent(family, &ping(family));
        let (received, owner) = host.receive(&outside.answer().wire()).unwrap();
        assert_eq!(received.bytes, ping(family).answer().build());
        assert_eq!(owner, A);
    }
}

#[test]
fn req_1a_identifiers_are_mapped_whomever_they_are_for() {
    for family in FAMILIES {
        let (host, outside) = sent(family, &ping(family));
        for remote in [family.other, family.router] {
            let again = ping(family).to(at(remote, 0));
            assert_eq!(host.mapped(A, &again), outside.source);
        }
    }
}

#[test]
fn req_2_queries_live_for_a_minute() {
    for family in FAMILIES {
        let (host, outside) = sent(family, &ping(family));
        host.wait_sweeping(MINUTE - Duration::from_secs(1));
        assert!(host.receive(&outside.answer().wire()).is_ok());
    }
}

#[test]
fn req_2a_the_timer_is_configurable() {
    let host = Host::with(Config {
        timeouts: Timeouts {
            echo: 3 * MINUTE,
            ..Timeouts::default()
        },
        ..config()
    });
    let outside = ping(V4).from(host.mapped(A, &ping(V4)));
    host.wait_sweeping(2 * MINUTE);
    assert!(host.receive(&outside.answer().wire()).is_ok());
    host.wait_sweeping(3 * MINUTE);
    assert!(host.receive(&outside.answer().wire()).is_err());
}

#[test]
fn req_3_a_wrong_checksum() {
    for family in FAMILIES {
        let (host, outside) = sent(family, &query(family));
        let mut wire = exceeded(family, family.external, &outside).wire();
        assert!(host.receive(&wire).is_ok());
        let last = wire.bytes.len() - 1;
        wire.bytes[last] ^= 1;
        assert_eq!(host.receive(&wire), Err(Refusal::Malformed));
    }
}

#[test]
fn req_3a_a_wrong_checksum_of_the_quoted_header() {
    let (host, outside) = sent(V4, &query(V4));
    let mut error = exceeded(V4, V4.external, &outside);
    // Its lifetime, say. The message is summed with it.
    error.payload[8] ^= 1;
    assert_eq!(host.receive(&error.wire()), Err(Refusal::Malformed));
}

#[test]
fn req_3b_quoted_ip_options() {
    let mut packet = query(V4);
    for options in [4, 20, 40] {
        packet.options = options;
        let (host, outside) = sent(V4, &packet);
        let wire = exceeded(V4, V4.external, &outside).wire();
        let (received, _) = host.receive(&wire).unwrap();
        assert_eq!(received.bytes, exceeded(V4, V4.a, &packet).build());
    }
}

#[test]
fn req_3c_the_quoted_transport_checksum_is_not_judged() {
    for family in FAMILIES {
        let (host, outside) = sent(family, &query(family));
        let mut error = exceeded(family, family.external, &outside);
        let ip = if family.a.is_ipv4() { 20 } else { 40 };
        error.payload[ip + 6] ^= 0x55;
        assert!(host.receive(&error.wire()).is_ok());
        // Payload that was cut off could not be summed anyway.
        error.payload.truncate(ip + 8);
        assert!(host.receive(&error.wire()).is_ok());
    }
}

#[test]
fn req_3d_extensions_are_no_part_of_the_quote() {
    for family in FAMILIES {
        let packet = query(family).payload(10);
        let (host, outside) = sent(family, &packet);
        let extended = |to, about: &Packet| {
            let mut error = exceeded(family, to, about);
            error.payload.resize(128, 0);
            error.payload.extend([0x20, 0, 0xde, 0xad, 0, 4, 9, 9]);
            if let Transport::IcmpError(.., word) = &mut error.transport {
                let (octet, units) = if about.is_v4() { (1, 32) } else { (0, 16) };
                word[octet] = units;
            }
            error
        };
        let wire = extended(family.external, &outside).wire();
        let (received, _) = host.receive(&wire).unwrap();
        assert_eq!(received.bytes, extended(family.a, &packet).build());
    }
}

#[test]
fn req_4_errors_from_outside() {
    for family in FAMILIES {
        for packet in [
            query(family),
            ping(family),
            Packet::tcp(at(family.a, 5000), at(family.remote, 80), ACK),
            Packet::sctp(at(family.a, 5000), at(family.remote, 80), 1),
        ] {
            let (host, outside) = sent(family, &packet);
            // Quote reverted, type and code as they were, to the container.
            let wire = exceeded(family, family.external, &outside).wire();
            let (received, owner) = host.receive(&wire).unwrap();
            assert_eq!(received.bytes, exceeded(family, family.a, &packet).build());
            assert_eq!(owner, A);
            // About nothing that was sent.
            let other = outside.to(at(family.other, 7));
            let wire = exceeded(family, family.external, &other).wire();
            assert_eq!(host.receive(&wire), Err(Refusal::NoSession));
        }
    }
}

#[test]
fn req_5_errors_from_inside() {
    for family in FAMILIES {
        let (host, outside) = sent(family, &query(family));
        let answer = outside.answer();
        let delivered = query(family).answer();
        host.receive(&answer.wire()).unwrap();
        let error = Packet::port_unreachable(&delivered).wire();
        let sent = host.send(A, &error).unwrap();
        assert_eq!(sent.bytes, Packet::port_unreachable(&answer).build());
        let unknown = delivered.from(at(family.other, 7));
        let error = Packet::port_unreachable(&unknown).wire();
        assert_eq!(host.send(A, &error), Err(Refusal::NoSession));
    }
}

/// A router inside has no mapping of its own.
#[test]
fn req_5c_errors_from_a_router_inside() {
    for family in FAMILIES {
        let (host, outside) = sent(family, &query(family));
        let kind = if family.a.is_ipv4() { [3, 1] } else { [1, 3] };
        let error = |sender, about: &Packet| Packet::error(sender, family.remote, kind, about, 500);
        let inside = error(family.b, &query(family).answer()).wire();
        let sent = host.send(A, &inside).unwrap();
        assert_eq!(
            sent.bytes,
            error(family.external, &outside.answer()).build()
        );
    }
}

#[test]
fn req_6_errors_neither_refresh_nor_end() {
    for family in FAMILIES {
        let (host, outside) = sent(family, &ping(family));
        let error = exceeded(family, family.external, &outside).wire();
        host.wait_sweeping(MINUTE - Duration::from_secs(1));
        assert!(host.receive(&error).is_ok());
        let left = |host: &Host| host.nat.sessions(host.now())[0].left;
        assert_eq!(left(&host), Duration::from_secs(1));
        assert!(host.receive(&outside.answer().wire()).is_ok());
        assert_eq!(
            host.nat
                .sessions(host.now())
                .iter()
                .map(|row| row.left)
                .max(),
            Some(MINUTE)
        );
        host.wait_sweeping(MINUTE);
        assert_eq!(host.receive(&error), Err(Refusal::NotOurs));
    }
}

/// Two containers by the host's address, and the packet of the second as it was sent and as it
/// came to the first.
fn hairpin(family: Family) -> (Host, Packet, Packet) {
    let host = Host::new().filtering(Filtering::EndpointIndependent);
    let external = host.mapped(A, &query(family));
    let packet = Packet::udp(at(family.b, 5000), external);
    let (received, _) = host.hairpin(B, &packet.wire()).unwrap();
    let delivered = packet
        .clone()
        .from(source_of(&received))
        .to(at(family.a, 5000));
    assert_eq!(received.bytes, delivered.build());
    (host, packet, delivered)
}

#[test]
fn req_7_errors_are_turned_back() {
    for family in FAMILIES {
        let (host, packet, delivered) = hairpin(family);
        let error = Packet::port_unreachable(&delivered).wire();
        let (received, owner) = host.hairpin(A, &error).unwrap();
        assert_eq!(owner, B);
        assert_eq!(received.bytes, Packet::port_unreachable(&packet).build());
    }
}

#[test]
fn req_7a_to_the_source_of_the_quoted_packet() {
    for family in FAMILIES {
        let (host, packet, delivered) = hairpin(family);
        // From a router inside, too: its source is that of the mapping.
        let kind = if family.a.is_ipv4() { [11, 0] } else { [3, 0] };
        let error = |sender, to, about| Packet::error(sender, to, kind, about, 500);
        let inside = error(family.router, delivered.source.ip(), &delivered).wire();
        let (received, owner) = host.hairpin(A, &inside).unwrap();
        assert_eq!(owner, B);
        let expected = error(family.external, family.b, &packet);
        assert_eq!(received.bytes, expected.build());
    }
}

#[test]
fn req_10a_unreachable_exceeded_and_echo() {
    for family in FAMILIES {
        let (host, outside) = sent(family, &query(family));
        let kinds: &[[u8; 2]] = if family.a.is_ipv4() {
            &[[3, 0], [3, 4], [3, 15], [11, 0], [11, 1]]
        } else {
            &[[1, 0], [1, 6], [2, 0], [3, 0], [3, 1]]
        };
        for &kind in kinds {
            let error = |to, about| Packet::error(family.router, to, kind, about, 500);
            let wire = error(family.external, &outside).wire();
            let (received, _) = host.receive(&wire).unwrap();
            assert_eq!(received.bytes, error(family.a, &query(family)).build());
        }
        let (host, outside) = sent(family, &ping(family));
        assert!(host.receive(&outside.answer().wire()).is_ok());
    }
}

#[test]
fn req_10b_parameter_problem_and_no_other_message() {
    for (family, problem, others) in [
        // Redirect, router advertisement and solicitation, timestamp and address mask.
        (V4, [12, 0], &[5, 9, 10, 13, 14, 17, 18][..]),
        (V6, [4, 1], &[133, 134, 137]),
    ] {
        let (host, outside) = sent(family, &query(family));
        let error = |to, about| Packet::error(family.router, to, problem, about, 500);
        let wire = error(family.external, &outside).wire();
        let (received, _) = host.receive(&wire).unwrap();
        assert_eq!(received.bytes, error(family.a, &query(family)).build());
        for &kind in others {
            let other = |from, to| {
                Packet::new(
                    at(from, 0),
                    at(to, 0),
                    Transport::IcmpError(kind, 0, [0; 4]),
                )
                .wire()
            };
            let out = other(family.a, family.remote);
            assert_eq!(host.send(A, &out), Err(Refusal::Untranslatable));
            let back = other(family.remote, family.external);
            assert_eq!(host.receive(&back), Err(Refusal::NotOurs));
        }
    }
}

#[test]
fn req_10c_neither_source_quench_nor_information_requests() {
    let (host, outside) = sent(V4, &query(V4));
    let quench = Packet::error(V4.router, V4.external, [4, 0], &outside, 500);
    assert_eq!(host.receive(&quench.wire()), Err(Refusal::NotOurs));
    for kind in [15, 16] {
        let transport = Transport::IcmpError(kind, 0, [0; 4]);
        let packet = Packet::new(at(V4.a, 0), at(V4.remote, 0), transport);
        assert_eq!(host.send(A, &packet.wire()), Err(Refusal::Untranslatable));
    }
}

#[test]
fn req_11_other_messages_are_refused() {
    for (family, kinds) in [(V4, [37, 40, 42, 253]), (V6, [139, 141, 144, 200])] {
        let host =
            Host::new().publishing(Protocol::Udp, at(family.external, 80), A, at(family.a, 80));
        for kind in kinds {
            let transport = Transport::IcmpError(kind, 0, [0; 4]);
            let packet = Packet::new(at(family.a, 0), at(family.remote, 0), transport);
            assert_eq!(host.send(A, &packet.wire()), Err(Refusal::Untranslatable));
            let inbound = packet.answer().to(at(family.external, 0)).wire();
            assert_eq!(host.receive(&inbound), Err(Refusal::NotOurs));
        }
    }
}
