//! What holds for any packet.

use proptest::prelude::*;
use vswitch_nat::Admit;
use vswitch_packet::Frame;

use crate::host::{A, B, FAMILIES, Family, Host, at, source_of};
use crate::wire::{Packet, Transport, Wire, exchanged};

fn family() -> impl Strategy<Value = Family> {
    prop::sample::select(FAMILIES.to_vec())
}

fn transport() -> impl Strategy<Value = Transport> {
    prop_oneof![
        Just(Transport::Udp),
        Just(Transport::EchoRequest),
        any::<u8>().prop_map(Transport::Sctp),
        any::<(u8, u32, u32)>().prop_map(|(flags, sequence, acknowledgement)| Transport::Tcp {
            // Not RST, which begins nothing.
            flags: flags & 0x1b,
            sequence,
            acknowledgement,
        }),
    ]
}

fn packet() -> impl Strategy<Value = (Family, Packet)> {
    (
        family(),
        transport(),
        1..=u16::MAX,
        1..=u16::MAX,
        proptest::collection::vec(any::<u8>(), 0..1400),
        any::<u16>(),
    )
        .prop_filter("ends or is no beginning", |(_, transport, ..)| {
            !matches!(transport, Transport::Sctp(6 | 14))
        })
        .prop_map(|(family, transport, from, to, payload, id)| {
            let to = match transport {
                Transport::EchoRequest => 0,
                _ => to,
            };
            let mut packet = Packet::new(at(family.a, from), at(family.remote, to), transport);
            packet.payload = payload;
            packet.id = id;
            (family, packet)
        })
}

/// One whose port or identifier is taken, so that it has to change.
fn crowded(family: Family, packet: &Packet) -> Host {
    let host = Host::new();
    let other = Packet {
        source: at(family.b, packet.source.port()),
        ..packet.clone()
    };
    host.send(B, &other.wire()).unwrap();
    host
}

/// Sends it out and, with source and destination exchanged, in again.
fn round_trip(host: &Host, packet: &Packet) -> (Vec<u8>, Vec<u8>) {
    let sent = host.send(A, &packet.wire()).unwrap();
    let source = source_of(&sent);
    let expected = packet.clone().from(source);
    let answer = expected.answer();
    let (received, owner) = host.receive(&answer.wire()).unwrap();
    assert_eq!(owner, A);
    assert_eq!(sent.bytes, expected.build());
    (received.bytes, packet.answer().build())
}

proptest! {
    #[test]
    fn out_and_in_again_is_the_original((family, packet) in packet()) {
        let host = crowded(family, &packet);
        let (received, original) = round_trip(&host, &packet);
        prop_assert_eq!(received, original);
    }

    /// The error about a packet that went out is, inside, the error about the packet as it was.
    #[test]
    fn an_error_is_about_the_original((family, packet) in packet(), quoted in 48..200usize) {
        let host = crowded(family, &packet);
        let sent = host.send(A, &packet.wire()).unwrap();
        let outside = packet.clone().from(source_of(&sent));
        let kind = if packet.is_v4() { [11, 0] } else { [3, 0] };
        let error = |to, about: &Packet| Packet::error(family.router, to, kind, about, quoted);
        let (received, _) = host.receive(&error(family.external, &outside).wire()).unwrap();
        let error = |about: &Packet| error(family.a, about);
        prop_assert_eq!(received.bytes, exchanged(error, &packet, &outside));
    }

    /// Changed octets do no harm, and what is refused is unchanged (the host asserts it).
    #[test]
    fn mutations_never_panic(
        (family, packet) in packet(),
        shape in 0..4,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let host = crowded(family, &packet);
        host.send(A, &packet.wire()).unwrap();
        let outside = packet.answer().to(at(family.external, packet.source.port()));
        let mut wires: Vec<Wire> = match shape {
            0 => vec![packet.wire(), outside.wire()],
            1 => vec![Packet::port_unreachable(&outside).wire()],
            2 => packet.fragments(64),
            _ => outside.fragments(64),
        };
        for wire in &mut wires {
            for (at, octet) in &changes {
                // Rather the headers than the payload.
                let at = 12 + at.index((wire.bytes.len() - 12).min(120));
                wire.bytes[at] ^= octet;
            }
            if let Some(cut) = cut {
                wire.bytes.truncate(14 + cut.index(wire.bytes.len() - 14));
            }
            if Frame::parse(&mut wire.bytes.clone(), wire.header).is_err() {
                continue;
            }
            let _ = host.send(A, wire);
            let _ = host.receive(wire);
            let _ = host.is_ours(wire);
            for admit in [Admit::Answers, Admit::Openings, Admit::All] {
                let _ = host.direct(A, wire, admit);
            }
        }
        let _ = host.nat.take_released();
    }
}
