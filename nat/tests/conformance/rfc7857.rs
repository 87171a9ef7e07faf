//! RFC 7857: what it changes and adds, by section.

use std::time::Duration;

use vswitch_nat::{Filtering, Protocol, Refusal, State};

use crate::host::{A, B, FAMILIES, Family, Host, V4, at};
use crate::wire::{ACK, FIN, Packet, RST, SYN, Transport};

const MINUTE: Duration = Duration::from_secs(60);

/// A segment of the first container's connection, without data.
fn segment(family: Family, flags: u8, sequence: u32, acknowledgement: u32) -> Packet {
    let transport = Transport::Tcp {
        flags,
        sequence,
        acknowledgement,
    };
    Packet::new(at(family.a, 5000), at(family.remote, 80), transport).payload(0)
}

/// A segment of the other side, as it comes to the host.
fn answer(family: Family, flags: u8, sequence: u32, acknowledgement: u32) -> Packet {
    segment(family, flags, sequence, acknowledgement)
        .from(at(family.remote, 80))
        .to(at(family.external, 5000))
}

fn state(host: &Host) -> Option<State> {
    host.nat.sessions(host.now()).first().map(|row| row.state)
}

fn left(host: &Host) -> Duration {
    host.nat.sessions(host.now())[0].left
}

/// An established connection; the other side is at 901, the container at 101.
fn connected(family: Family) -> Host {
    let host = Host::new();
    host.mapped(A, &segment(family, SYN, 100, 0));
    assert_eq!(state(&host), Some(State::Unreplied));
    host.receive(&answer(family, SYN | ACK, 900, 101).wire())
        .unwrap();
    host.send(A, &segment(family, ACK, 101, 901).wire())
        .unwrap();
    assert_eq!(state(&host), Some(State::Established));
    host
}

#[test]
fn section_2_the_state_machine() {
    for family in FAMILIES {
        for inside_first in [true, false] {
            let host = connected(family);
            let close = |inside: bool| {
                if inside {
                    host.send(A, &segment(family, FIN | ACK, 101, 901).wire())
                        .unwrap();
                } else {
                    host.receive(&answer(family, FIN | ACK, 901, 101).wire())
                        .unwrap();
                }
            };
            close(inside_first);
            assert_eq!(state(&host), Some(State::Closing));
            // The other side may still talk for hours.
            assert_eq!(left(&host), 124 * MINUTE);
            close(!inside_first);
            assert_eq!(left(&host), 4 * MINUTE);
            host.wait_sweeping(4 * MINUTE);
            assert_eq!(state(&host), None);
        }
    }
}

#[test]
fn section_2_1_half_open_and_closing_live_for_four_minutes() {
    for family in FAMILIES {
        let host = Host::new();
        host.mapped(A, &segment(family, SYN, 100, 0));
        assert_eq!(left(&host), 4 * MINUTE);
        let host = connected(family);
        host.receive(&answer(family, RST, 901, 0).wire()).unwrap();
        assert_eq!(left(&host), 4 * MINUTE);
    }
}

#[test]
fn section_2_2_a_reset_is_translated_and_leaves_four_minutes() {
    for family in FAMILIES {
        let host = connected(family);
        let reset = answer(family, RST, 901, 0);
        let (received, owner) = host.receive(&reset.wire()).unwrap();
        let expected = reset.to(at(family.a, 5000));
        assert_eq!((received.bytes, owner), (expected.build(), A));
        assert_eq!(state(&host), Some(State::Transitory));
        host.wait_sweeping(4 * MINUTE - Duration::from_secs(1));
        // It was not the end after all.
        host.send(A, &segment(family, ACK, 101, 901).wire())
            .unwrap();
        assert_eq!(state(&host), Some(State::Established));
        // Out of the window it is translated, but nothing comes of it.
        assert!(
            host.receive(&answer(family, RST, 0x8000_0000, 0).wire())
                .is_ok()
        );
        assert_eq!(state(&host), Some(State::Established));
        // From inside.
        host.receive(&answer(family, ACK, 901, 101).wire()).unwrap();
        assert!(host.send(A, &segment(family, RST, 101, 0).wire()).is_ok());
        assert_eq!(state(&host), Some(State::Transitory));
        host.wait_sweeping(4 * MINUTE);
        assert_eq!(state(&host), None);
    }
}

#[test]
fn section_3_no_overlapping_either() {
    for family in FAMILIES {
        let host = Host::new();
        let first = host.mapped(A, &segment(family, SYN, 1, 0));
        let second = segment(family, SYN, 1, 0)
            .from(at(family.b, 5000))
            .to(at(family.other, 81));
        assert_ne!(host.mapped(B, &second), first);
    }
}

#[test]
fn section_4_without_ports_new_sessions_are_refused() {
    let mut config = crate::host::config();
    config.ports = 40_000..=40_001;
    let host = Host::with(config);
    let from = |number: u32| {
        let octets = 0xac12_0100 + number;
        let address = std::net::Ipv4Addr::from_bits(octets).into();
        let packet = Packet::tcp(at(address, 5000), at(V4.remote, 80), SYN);
        (vswitch_nat::Owner(100 + number), packet)
    };
    // One keeps its port; of the two others one has its parity, and both are used.
    for number in 0..3 {
        let (owner, packet) = from(number);
        assert_eq!(host.mapped(owner, &packet).ip(), V4.external);
    }
    let (owner, packet) = from(3);
    assert_eq!(
        host.send(owner, &packet.wire()),
        Err(Refusal::PortsExhausted)
    );
    // Others go on.
    let (owner, packet) = from(0);
    assert!(
        host.send(owner, &packet.to(at(V4.other, 80)).wire())
            .is_ok()
    );
}

/// UDP and TCP from one endpoint have ports of their own.
#[test]
fn section_5_mappings_by_protocol() {
    for family in FAMILIES {
        let host = Host::new();
        let (a, remote) = (at(family.a, 5000), at(family.remote, 80));
        let tcp = Packet::tcp(at(family.b, 5000), remote, SYN);
        assert_eq!(host.mapped(B, &tcp), at(family.external, 5000));
        assert_eq!(
            host.mapped(A, &Packet::udp(a, remote)),
            at(family.external, 5000)
        );
        assert_ne!(
            host.mapped(A, &Packet::tcp(a, remote, SYN)),
            at(family.external, 5000)
        );
    }
}

#[test]
fn section_6_filtering_by_protocol() {
    for family in FAMILIES {
        let host = Host::new().filtering(Filtering::EndpointIndependent);
        let (a, remote) = (at(family.a, 5000), at(family.remote, 80));
        let external = host.mapped(A, &Packet::udp(a, remote));
        let stranger = at(family.other, 9);
        assert!(
            host.receive(&Packet::udp(stranger, external).wire())
                .is_ok()
        );
        assert_eq!(
            host.receive(&Packet::tcp(stranger, external, SYN).wire()),
            Err(Refusal::NotOurs)
        );
    }
}

#[test]
fn section_7_what_is_filtered_refreshes_nothing() {
    for family in FAMILIES {
        let host = Host::new();
        let packet = Packet::udp(at(family.a, 5000), at(family.remote, 80));
        let external = host.mapped(A, &packet);
        host.wait_sweeping(4 * MINUTE);
        let stranger = Packet::udp(at(family.other, 80), external);
        assert_eq!(host.receive(&stranger.wire()), Err(Refusal::Filtered));
        assert_eq!(left(&host), MINUTE);
    }
}

#[test]
fn section_7_1_outbound_errors_and_resets_refresh_nothing() {
    for family in FAMILIES {
        let host = Host::new();
        let packet = Packet::udp(at(family.a, 5000), at(family.remote, 80));
        let external = host.mapped(A, &packet);
        host.receive(&packet.answer().to(external).wire()).unwrap();
        host.wait_sweeping(4 * MINUTE);
        let error = Packet::port_unreachable(&packet.answer());
        assert!(host.send(A, &error.wire()).is_ok());
        assert_eq!(left(&host), MINUTE);

        let host = connected(family);
        host.receive(&answer(family, ACK, 901, 101).wire()).unwrap();
        host.wait_sweeping(60 * MINUTE);
        // The first one begins the four minutes, and no other one prolongs them.
        assert!(host.send(A, &segment(family, RST, 101, 0).wire()).is_ok());
        host.wait_sweeping(3 * MINUTE);
        assert!(host.send(A, &segment(family, RST, 101, 0).wire()).is_ok());
        assert_eq!(left(&host), MINUTE);
    }
}

/// The port of the container can stay as it is in one packet of two, on average, if it were at
/// random within the same parity; it is the next or the one before in almost none.
#[test]
fn section_9_other_ports_are_drawn_at_random() {
    for family in FAMILIES {
        let host = Host::new();
        let mut before = 0u16;
        let mut neighbours = 0;
        for port in 5000..5200 {
            let a = Packet::udp(at(family.a, port), at(family.remote, 80));
            host.mapped(A, &a);
            let drawn = host.mapped(B, &a.from(at(family.b, port))).port();
            neighbours += u32::from(drawn.abs_diff(before) <= 2);
            before = drawn;
        }
        assert!(neighbours < 5, "{neighbours} of 200");
    }
}

#[test]
fn section_10_the_identification_stays() {
    let host = Host::new();
    let mut packet = Packet::udp(at(V4.a, 5000), at(V4.remote, 80));
    for id in [0, 1, 0x7fff, 0xffff] {
        packet.id = id;
        let sent = host.send(A, &packet.wire()).unwrap();
        assert_eq!(sent.bytes[18..20], id.to_be_bytes());
    }
}

#[test]
fn section_11_a_query_mapping_goes_with_its_last_session() {
    for family in FAMILIES {
        let host = Host::new();
        let ping = Packet::new(
            at(family.a, 5000),
            at(family.remote, 0),
            Transport::EchoRequest,
        );
        host.mapped(A, &ping);
        host.wait_sweeping(30 * Duration::from_secs(1));
        host.mapped(A, &ping.clone().to(at(family.other, 0)));
        host.wait_sweeping(30 * Duration::from_secs(1));
        let counts = host.nat.counts();
        assert_eq!((counts.sessions, counts.mappings), (1, 1));
        host.wait_sweeping(30 * Duration::from_secs(1));
        let counts = host.nat.counts();
        assert_eq!((counts.sessions, counts.mappings), (0, 0));
        // The identifier is free again.
        let other = ping.from(at(family.b, 5000));
        assert_eq!(host.mapped(B, &other), at(family.external, 5000));
    }
}

/// A query needs an address of its own to be turned back to; an identifier is no address.
#[test]
fn section_12_queries_are_not_turned_back() {
    for family in FAMILIES {
        let host =
            Host::new().publishing(Protocol::Udp, at(family.external, 53), A, at(family.a, 53));
        let ping = Packet::new(
            at(family.b, 5000),
            at(family.external, 0),
            Transport::EchoRequest,
        );
        assert!(!host.is_ours(&ping.wire()), "the host answers it");
        assert_eq!(host.hairpin(B, &ping.wire()), Err(Refusal::NotOurs));
    }
}
