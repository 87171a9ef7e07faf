//! RFC 5382: TCP.

use std::time::Duration;

use vswitch_nat::{Config, Filtering, Protocol, Refusal, State, Timeouts};

use crate::host::{A, B, FAMILIES, Family, Host, V4, at, config, source_of};
use crate::wire::{ACK, FIN, PSH, Packet, SYN, Transport};

const MINUTE: Duration = Duration::from_secs(60);

fn segment(family: Family, flags: u8) -> Packet {
    Packet::tcp(at(family.a, 5000), at(family.remote, 80), flags)
}

/// A segment with its numbers.
fn numbered(packet: &Packet, flags: u8, sequence: u32, acknowledgement: u32) -> Packet {
    Packet {
        transport: Transport::Tcp {
            flags,
            sequence,
            acknowledgement,
        },
        ..packet.clone()
    }
    .payload(if flags & PSH == 0 { 0 } else { 10 })
}

/// Both directions of a connection that was opened from inside.
fn connect(host: &Host, family: Family) -> (Packet, Packet) {
    let out = segment(family, SYN);
    let external = host.mapped(A, &numbered(&out, SYN, 100, 0));
    let back = Packet::tcp(at(family.remote, 80), external, ACK);
    host.receive(&numbered(&back, SYN | ACK, 900, 101).wire())
        .unwrap();
    host.send(A, &numbered(&out, ACK, 101, 901).wire()).unwrap();
    assert_eq!(state(host), Some(State::Established));
    (out, back)
}

fn state(host: &Host) -> Option<State> {
    let rows = host.nat.sessions(host.now());
    assert!(rows.len() <= 1);
    rows.first().map(|row| row.state)
}

#[test]
fn req_1_endpoint_independent_mapping() {
    for family in FAMILIES {
        let host = Host::new();
        let external = host.mapped(A, &segment(family, SYN));
        for remote in [at(family.remote, 81), at(family.other, 80)] {
            assert_eq!(host.mapped(A, &segment(family, SYN).to(remote)), external);
        }
    }
}

#[test]
fn req_2_connections_from_both_sides() {
    for family in FAMILIES {
        let host = Host::new();
        let (out, back) = connect(&host, family);
        for round in 0..10 {
            let data = numbered(&out, ACK | PSH, 101 + 10 * round, 901);
            assert!(host.send(A, &data.wire()).is_ok());
            let data = numbered(&back, ACK | PSH, 901, 111 + 10 * round);
            assert!(host.receive(&data.wire()).is_ok());
        }
        // Half closed, it still carries data.
        host.send(A, &numbered(&out, FIN | ACK, 201, 901).wire())
            .unwrap();
        for round in 0..10 {
            let data = numbered(&back, ACK | PSH, 901 + 10 * round, 202);
            assert!(host.receive(&data.wire()).is_ok());
        }
        host.receive(&numbered(&back, FIN | ACK, 1001, 202).wire())
            .unwrap();
        host.send(A, &numbered(&out, ACK, 202, 1002).wire())
            .unwrap();
        assert_eq!(state(&host), Some(State::Closing));

        // From outside, by a published port.
        let (external, inside) = (at(family.external, 8080), at(family.a, 80));
        let host = Host::new().publishing(Protocol::Tcp, external, A, inside);
        let client = at(family.remote, 40_000);
        let to = Packet::tcp(client, external, SYN);
        let from = Packet::tcp(inside, client, ACK);
        host.receive(&numbered(&to, SYN, 100, 0).wire()).unwrap();
        let answer = numbered(&from, SYN | ACK, 900, 101);
        let sent = host.send(A, &answer.wire()).unwrap();
        assert_eq!(sent.bytes, answer.from(external).build());
        host.receive(&numbered(&to, ACK, 101, 901).wire()).unwrap();
        assert_eq!(state(&host), Some(State::Established));
    }
}

#[test]
fn req_2a_simultaneous_open() {
    for family in FAMILIES {
        let host = Host::new();
        let out = segment(family, SYN);
        let external = host.mapped(A, &numbered(&out, SYN, 100, 0));
        let back = Packet::tcp(at(family.remote, 80), external, SYN);
        let syn = numbered(&back, SYN, 900, 0);
        let (received, owner) = host.receive(&syn.wire()).unwrap();
        let expected = syn.to(at(family.a, 5000));
        assert_eq!((received.bytes, owner), (expected.build(), A));
        host.send(A, &numbered(&out, SYN | ACK, 100, 901).wire())
            .unwrap();
        host.receive(&numbered(&back, SYN | ACK, 900, 101).wire())
            .unwrap();
        host.send(A, &numbered(&out, ACK, 101, 901).wire()).unwrap();
        assert_eq!(state(&host), Some(State::Established));
    }
}

#[test]
fn req_3_address_dependent_filtering() {
    for family in FAMILIES {
        let host = Host::new();
        let external = host.mapped(A, &segment(family, SYN));
        let knock = |remote| host.receive(&Packet::tcp(remote, external, SYN).wire());
        assert!(knock(at(family.remote, 9)).is_ok());
        assert_eq!(knock(at(family.other, 9)), Err(Refusal::Filtered));
    }
}

#[test]
fn req_3a_filtering_is_configurable() {
    for family in FAMILIES {
        for (filtering, same_address, other_address) in [
            (Filtering::EndpointIndependent, true, true),
            (Filtering::AddressDependent, true, false),
            (Filtering::AddressAndPortDependent, false, false),
        ] {
            let host = Host::new().filtering(filtering);
            let external = host.mapped(A, &segment(family, SYN));
            let knock = |remote| {
                host.receive(&Packet::tcp(remote, external, SYN).wire())
                    .is_ok()
            };
            assert_eq!(knock(at(family.remote, 9)), same_address, "{filtering:?}");
            assert_eq!(knock(at(family.other, 9)), other_address, "{filtering:?}");
        }
    }
}

/// Refused without a word, unchanged, and nothing is begun by it; an outbound SYN is then as if it
/// had not come.
#[test]
fn req_4_an_unsolicited_syn_is_met_with_silence() {
    for family in FAMILIES {
        let host = Host::new();
        let external = host.mapped(A, &segment(family, SYN));
        let stranger = at(family.other, 9);
        let knock = Packet::tcp(stranger, external, SYN).wire();
        let before = host.nat.counts().sessions;
        for _ in 0..6 {
            assert_eq!(host.receive(&knock), Err(Refusal::Filtered));
            host.wait(Duration::from_secs(1));
        }
        assert_eq!(host.nat.counts().sessions, before);
        let crossing = segment(family, SYN).to(stranger);
        assert_eq!(host.mapped(A, &crossing), external);
        assert!(host.receive(&knock).is_ok());
    }
}

#[test]
fn req_5_established_connections_live_for_two_hours_and_four_minutes() {
    for family in FAMILIES {
        let host = Host::new();
        let (out, back) = connect(&host, family);
        host.wait_sweeping(124 * MINUTE - Duration::from_secs(1));
        assert!(host.receive(&numbered(&back, ACK, 901, 101).wire()).is_ok());
        host.wait_sweeping(124 * MINUTE);
        assert_eq!(state(&host), None);
        // Half open ones, four minutes.
        host.mapped(A, &numbered(&out, SYN, 5000, 0));
        host.wait_sweeping(4 * MINUTE - Duration::from_secs(1));
        assert_eq!(state(&host), Some(State::Unreplied));
        host.wait_sweeping(Duration::from_secs(1));
        assert_eq!(state(&host), None);
        // And closing ones.
        let (out, back) = connect(&host, family);
        host.send(A, &numbered(&out, FIN | ACK, 101, 901).wire())
            .unwrap();
        host.receive(&numbered(&back, FIN | ACK, 901, 102).wire())
            .unwrap();
        host.wait_sweeping(4 * MINUTE - Duration::from_secs(1));
        assert_eq!(state(&host), Some(State::Closing));
        host.wait_sweeping(Duration::from_secs(1));
        assert_eq!(state(&host), None);
    }
}

#[test]
fn req_5a_the_timers_are_configurable() {
    let host = Host::with(Config {
        timeouts: Timeouts {
            tcp_established: 10 * MINUTE,
            tcp_transitory: MINUTE,
            ..Timeouts::default()
        },
        ..config()
    });
    host.mapped(A, &segment(V4, SYN));
    host.wait_sweeping(MINUTE);
    assert_eq!(state(&host), None);
    connect(&host, V4);
    host.wait_sweeping(9 * MINUTE);
    assert_eq!(state(&host), Some(State::Established));
    host.wait_sweeping(MINUTE);
    assert_eq!(state(&host), None);
}

#[test]
fn req_6_payloads_are_left_alone() {
    let host = Host::new();
    for port in [21, 554, 1720, 6667] {
        let mut packet = segment(V4, ACK | PSH).to(at(V4.remote, port));
        packet.payload = b"PORT 172,18,0,2,19,136\r\n".to_vec();
        let sent = host.send(A, &packet.wire()).unwrap();
        assert_eq!(sent.bytes, packet.from(at(V4.external, 5000)).build());
    }
}

#[test]
fn req_7_no_port_overloading() {
    for family in FAMILIES {
        let host = Host::new();
        let first = host.mapped(A, &segment(family, SYN));
        let second = segment(family, SYN).from(at(family.b, 5000));
        assert_ne!(host.mapped(B, &second.to(at(family.other, 80))), first);
    }
}

#[test]
fn req_8_hairpinning() {
    for family in FAMILIES {
        let host = Host::new().filtering(Filtering::EndpointIndependent);
        let external = host.mapped(A, &segment(family, SYN));
        let knock = Packet::tcp(at(family.b, 6000), external, SYN);
        let (received, owner) = host.hairpin(B, &knock.wire()).unwrap();
        assert_eq!(owner, A);
        let seen = Packet::tcp(at(family.external, 6000), at(family.a, 5000), SYN);
        assert_eq!(received.bytes, seen.build());
        let (received, owner) = host.hairpin(A, &seen.answer().wire()).unwrap();
        assert_eq!((received.bytes, owner), (knock.answer().build(), B));
    }
}

#[test]
fn req_8a_the_source_of_a_hairpin_is_external() {
    for family in FAMILIES {
        let published = at(family.external, 8080);
        let host = Host::new().publishing(Protocol::Tcp, published, A, at(family.a, 80));
        // Also from the container itself.
        for (owner, inside) in [(A, family.a), (B, family.b)] {
            let knock = Packet::tcp(at(inside, 6000), published, SYN);
            let (received, to) = host.hairpin(owner, &knock.wire()).unwrap();
            assert_eq!(to, A);
            assert_eq!(source_of(&received).ip(), family.external);
        }
    }
}

#[test]
fn req_9_destination_unreachable() {
    for family in FAMILIES {
        let host = Host::new();
        let packet = segment(family, ACK);
        let outside = packet.clone().from(host.mapped(A, &packet));
        let kind = if family.a.is_ipv4() { [3, 13] } else { [1, 1] };
        let error = |to, about| Packet::error(family.router, to, kind, about, 500);
        let (received, _) = host
            .receive(&error(family.external, &outside).wire())
            .unwrap();
        assert_eq!(received.bytes, error(family.a, &packet).build());
    }
}

#[test]
fn req_10_icmp_ends_no_connection() {
    for family in FAMILIES {
        let host = Host::new();
        let (out, back) = connect(&host, family);
        let outside = out.from(back.destination);
        for _ in 0..100 {
            let error = Packet::port_unreachable(&outside).wire();
            assert!(host.receive(&error).is_ok());
        }
        assert_eq!(state(&host), Some(State::Established));
        assert!(host.receive(&numbered(&back, ACK, 901, 101).wire()).is_ok());
    }
}
