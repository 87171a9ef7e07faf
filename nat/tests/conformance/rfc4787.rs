//! RFC 4787: unicast UDP.

use std::collections::BTreeSet;
use std::time::Duration;

use vswitch_nat::{Config, Filtering, Owner, Refusal, Timeouts};

use crate::host::{A, B, FAMILIES, Family, Host, V4, at, config, destination_of, source_of};
use crate::wire::{Packet, SYN, Transport};

const MINUTE: Duration = Duration::from_secs(60);

fn query(family: Family) -> Packet {
    Packet::udp(at(family.a, 5000), at(family.remote, 80))
}

#[test]
fn req_1_endpoint_independent_mapping() {
    for family in FAMILIES {
        let host = Host::new();
        let external = host.mapped(A, &query(family));
        for remote in [at(family.remote, 81), at(family.other, 80)] {
            assert_eq!(host.mapped(A, &query(family).to(remote)), external);
        }
        // Inbound traffic does not change it.
        let answer = query(family).answer().to(external);
        host.receive(&answer.wire()).unwrap();
        assert_eq!(host.mapped(A, &query(family)), external);
    }
}

#[test]
fn req_2_one_address_for_all_of_a_container() {
    for family in FAMILIES {
        let host = Host::new();
        for port in 5000..5050 {
            let a = at(family.a, port);
            let remote = at(family.remote, port);
            for packet in [
                Packet::udp(a, remote),
                Packet::tcp(a, remote, SYN),
                Packet::new(a, at(family.remote, 0), Transport::EchoRequest),
            ] {
                assert_eq!(host.mapped(A, &packet).ip(), family.external);
            }
        }
    }
}

#[test]
fn req_3_no_port_overloading() {
    for family in FAMILIES {
        let host = Host::new();
        let mut externals = BTreeSet::new();
        // Even where the remote endpoints would tell them apart.
        for (owner, inside) in [(A, family.a), (B, family.b)] {
            for port in 5000..5100 {
                let remote = at(family.remote, 80 + u16::from(owner == B));
                let packet = Packet::udp(at(inside, port), remote);
                assert!(externals.insert(host.mapped(owner, &packet)));
            }
        }
    }
}

/// The port is kept, whatever its class; where another container has it already, a privileged one
/// becomes one of the range for translation, as the host's own privileged ports are not ours.
#[test]
fn req_3a_a_port_stays_in_its_class() {
    for family in FAMILIES {
        let host = Host::new();
        for port in [500, 1023, 1024, 5000, 65535] {
            let a = Packet::udp(at(family.a, port), at(family.remote, 80));
            assert_eq!(host.mapped(A, &a).port(), port);
            let b = a.from(at(family.b, port));
            assert!(host.mapped(B, &b).port() >= 1024);
        }
    }
}

#[test]
fn req_4_port_parity() {
    for family in FAMILIES {
        let host = Host::new();
        for port in 5000..5050 {
            let a = Packet::udp(at(family.a, port), at(family.remote, 80));
            assert_eq!(host.mapped(A, &a).port(), port);
            let external = host.mapped(B, &a.from(at(family.b, port)));
            assert_ne!(external.port(), port);
            assert_eq!(external.port() % 2, port % 2);
        }
    }
}

/// Whether the container's mapping lets an answer through.
fn answered(host: &Host, packet: &Packet, external: std::net::SocketAddr) -> bool {
    host.receive(&packet.answer().to(external).wire()).is_ok()
}

#[test]
fn req_5_udp_mappings_live_for_two_minutes() {
    for family in FAMILIES {
        let host = Host::new();
        let external = host.mapped(A, &query(family));
        host.wait_sweeping(2 * MINUTE);
        assert!(answered(&host, &query(family), external));
    }
}

#[test]
fn req_5a_ports_of_short_exchanges_live_as_long() {
    let host = Host::new();
    let query = query(V4).to(at(V4.remote, 53));
    let external = host.mapped(A, &query);
    assert!(answered(&host, &query, external));
    host.wait_sweeping(2 * MINUTE);
    assert!(answered(&host, &query, external));
}

#[test]
fn req_5b_the_timer_is_configurable() {
    let host = Host::with(Config {
        timeouts: Timeouts {
            udp: 10 * MINUTE,
            ..Timeouts::default()
        },
        ..config()
    });
    let external = host.mapped(A, &query(V4));
    host.wait_sweeping(9 * MINUTE);
    assert!(answered(&host, &query(V4), external));
    host.wait_sweeping(11 * MINUTE);
    assert!(!answered(&host, &query(V4), external));
}

#[test]
fn req_5c_five_minutes_by_default() {
    for family in FAMILIES {
        let host = Host::new();
        let external = host.mapped(A, &query(family));
        host.wait_sweeping(5 * MINUTE - Duration::from_secs(1));
        assert!(answered(&host, &query(family), external));
        // From that answer on.
        host.wait_sweeping(5 * MINUTE);
        assert!(!answered(&host, &query(family), external));
    }
}

#[test]
fn req_6_outbound_packets_refresh() {
    for family in FAMILIES {
        let host = Host::new();
        let external = host.mapped(A, &query(family));
        for _ in 0..5 {
            host.wait_sweeping(4 * MINUTE);
            assert_eq!(host.mapped(A, &query(family)), external);
        }
        assert!(answered(&host, &query(family), external));
    }
}

#[test]
fn req_6a_inbound_packets_refresh() {
    for family in FAMILIES {
        let host = Host::new();
        let external = host.mapped(A, &query(family));
        for _ in 0..5 {
            host.wait_sweeping(4 * MINUTE);
            assert!(answered(&host, &query(family), external));
        }
    }
}

#[test]
fn req_8_address_dependent_filtering() {
    for family in FAMILIES {
        let host = Host::new();
        let external = host.mapped(A, &query(family));
        let from = |remote| {
            let packet = Packet::udp(remote, external);
            host.receive(&packet.wire()).map(|(_, owner)| owner)
        };
        assert_eq!(from(at(family.remote, 80)), Ok(A));
        assert_eq!(from(at(family.remote, 81)), Ok(A));
        assert_eq!(from(at(family.other, 80)), Err(Refusal::Filtered));
    }
}

#[test]
fn req_8a_filtering_is_configurable() {
    for family in FAMILIES {
        for (filtering, same_address, other_address) in [
            (Filtering::EndpointIndependent, true, true),
            (Filtering::AddressDependent, true, false),
            (Filtering::AddressAndPortDependent, false, false),
        ] {
            let host = Host::new().filtering(filtering);
            let external = host.mapped(A, &query(family));
            let from = |remote| host.receive(&Packet::udp(remote, external).wire()).is_ok();
            assert!(from(at(family.remote, 80)));
            assert_eq!(from(at(family.remote, 81)), same_address, "{filtering:?}");
            assert_eq!(from(at(family.other, 80)), other_address, "{filtering:?}");
        }
    }
}

/// The first container's mapping, and how the second one reaches it.
fn hairpin(family: Family) -> (Host, Packet) {
    let host = Host::new().filtering(Filtering::EndpointIndependent);
    let external = host.mapped(A, &query(family));
    (host, Packet::udp(at(family.b, 5000), external))
}

#[test]
fn req_9_hairpinning() {
    for family in FAMILIES {
        let (host, packet) = hairpin(family);
        let (received, owner) = host.hairpin(B, &packet.wire()).unwrap();
        assert_eq!(owner, A);
        assert_eq!(destination_of(&received), at(family.a, 5000));
        // And back.
        let answer = Packet::udp(at(family.a, 5000), source_of(&received));
        let (received, owner) = host.hairpin(A, &answer.wire()).unwrap();
        assert_eq!(owner, B);
        assert_eq!(received.bytes, packet.answer().build());
    }
}

#[test]
fn req_9a_the_source_of_a_hairpin_is_external() {
    for family in FAMILIES {
        let (host, packet) = hairpin(family);
        let (received, _) = host.hairpin(B, &packet.wire()).unwrap();
        let source = source_of(&received);
        assert_eq!(source.ip(), family.external);
        assert_ne!(source.port(), 5000, "the first container has it");
        let elsewhere = packet.clone().to(at(family.remote, 9));
        assert_eq!(host.mapped(B, &elsewhere), source);
        let expected = packet.from(source).to(at(family.a, 5000));
        assert_eq!(received.bytes, expected.build());
    }
}

#[test]
fn req_10_payloads_are_left_alone() {
    let host = Host::new();
    for port in [53, 69, 161, 500, 5060] {
        let mut packet = query(V4).to(at(V4.remote, port));
        packet.payload = b"INVITE sip:a@172.18.0.2:5000 SIP/2.0\r\nVia: 172.18.0.2\r\n".to_vec();
        let sent = host.send(A, &packet.wire()).unwrap();
        let expected = packet.from(at(V4.external, 5000));
        assert_eq!(sent.bytes, expected.build());
    }
}

/// With its port and without, alone and among others: the behaviour is the same.
#[test]
fn req_11_deterministic() {
    for family in FAMILIES {
        let host = Host::new();
        for number in 0..20 {
            let owner = Owner(100 + number);
            let mut inside = family.a;
            match &mut inside {
                std::net::IpAddr::V4(v4) => *v4 = (v4.to_bits() + 16 + number).into(),
                std::net::IpAddr::V6(v6) => *v6 = (v6.to_bits() + 16 + u128::from(number)).into(),
            }
            let packet = query(family).from(at(inside, 5000));
            let external = host.mapped(owner, &packet);
            assert_eq!(external.port() == 5000, number == 0);
            let other = packet.clone().to(at(family.other, 99));
            assert_eq!(host.mapped(owner, &other), external);
            assert!(answered(&host, &packet, external));
            assert!(answered(&host, &other, external));
            let stranger = Packet::udp(at(family.router, 80), external);
            assert_eq!(host.receive(&stranger.wire()), Err(Refusal::Filtered));
        }
    }
}

#[test]
fn req_12_icmp_ends_no_mapping() {
    for family in FAMILIES {
        let host = Host::new();
        let external = host.mapped(A, &query(family));
        let outside = query(family).from(external);
        for _ in 0..100 {
            let error = Packet::port_unreachable(&outside).wire();
            assert!(host.receive(&error).is_ok());
        }
        assert!(answered(&host, &query(family), external));
        assert_eq!(host.mapped(A, &query(family)), external);
    }
}

#[test]
fn req_12a_icmp_is_not_filtered_by_its_source() {
    for family in FAMILIES {
        let host = Host::new().filtering(Filtering::AddressAndPortDependent);
        let outside = query(family).from(host.mapped(A, &query(family)));
        let kind = if family.a.is_ipv4() { [3, 1] } else { [1, 3] };
        for sender in [family.remote, family.router, family.other] {
            let error = Packet::error(sender, family.external, kind, &outside, 500);
            let expected = Packet::error(sender, family.a, kind, &query(family), 500);
            let (received, owner) = host.receive(&error.wire()).unwrap();
            assert_eq!((received.bytes, owner), (expected.build(), A));
        }
    }
}

#[test]
fn req_12b_destination_unreachable() {
    for family in FAMILIES {
        let host = Host::new();
        let outside = query(family).from(host.mapped(A, &query(family)));
        let (kind, codes) = if family.a.is_ipv4() {
            (3, 0..=15)
        } else {
            (1, 0..=6)
        };
        for code in codes {
            let error = |to, about| Packet::error(family.router, to, [kind, code], about, 500);
            let outside = error(family.external, &outside).wire();
            let (received, _) = host.receive(&outside).unwrap();
            assert_eq!(received.bytes, error(family.a, &query(family)).build());
        }
    }
}

#[test]
fn req_14_fragments_out_of_order() {
    for family in FAMILIES {
        let host = Host::new();
        let packet = query(family).payload(4000);
        let external = host.mapped(A, &query(family));
        let answer = packet.answer().to(external).fragments(1200);
        for late in [3, 2, 1] {
            assert_eq!(host.receive(&answer[late]), Err(Refusal::Held));
        }
        let inside = packet.answer().fragments(1200);
        assert_eq!(host.receive(&answer[0]), Ok((inside[0].clone(), A)));
        assert!(host.nat.has_released());
        let released = host.nat.take_released();
        for (held, late) in released.into_iter().zip([3, 2, 1]) {
            assert_eq!(*held.bytes, *answer[late].bytes);
            assert_eq!(host.receive(&answer[late]), Ok((inside[late].clone(), A)));
        }
    }
}

#[test]
fn req_14a_a_flood_of_fragments_stops_nothing_else() {
    let host = Host::new();
    let external = host.mapped(A, &query(V4));
    let mut flood = Packet::udp(at(V4.other, 9), external).payload(3000);
    for id in 0..20_000u32 {
        flood.id = id as u16;
        flood
            .source
            .set_ip(std::net::Ipv4Addr::from_bits(0x0b00_0000 + id / 7).into());
        let pieces = flood.fragments(1400);
        assert!(host.receive(&pieces[1]).is_err());
        assert!(host.receive(&pieces[2]).is_err());
    }
    assert!(host.nat.counts().held_fragments <= (4 << 20) / 256);
    // What is whole, and what comes in order.
    assert!(answered(&host, &query(V4), external));
    let answer = query(V4).payload(3000).answer().to(external);
    for piece in answer.fragments(1400) {
        assert!(host.receive(&piece).is_ok());
    }
    let tcp = Packet::tcp(at(V4.a, 5000), at(V4.remote, 80), SYN);
    assert!(host.send(A, &tcp.wire()).is_ok());
    assert!(
        host.receive(&tcp.answer().to(at(V4.external, 5000)).wire())
            .is_ok()
    );
}
