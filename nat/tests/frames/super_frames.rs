//! Super-frames: one header for all segments, and the checksum of none of them is there yet.

use crate::host::{A, B, FAMILIES, Host, at, source_of};
use crate::wire::{ACK, FIN, PSH, Packet};

#[test]
fn in_both_directions() {
    for family in FAMILIES {
        let (a, remote) = (at(family.a, 5000), at(family.remote, 80));
        for packet in [
            Packet::tcp(a, remote, ACK | PSH | FIN).payload(20_000),
            Packet::udp(a, remote).payload(20_000),
        ] {
            let host = Host::new();
            host.mapped(B, &packet.clone().from(at(family.b, 5000)).payload(10));

            let sent = host.send(A, &packet.super_frame(1400)).unwrap();
            let external = source_of(&sent);
            assert_ne!(external.port(), 5000);
            let expected = packet.clone().from(external);
            assert_eq!(sent, expected.super_frame(1400));
            assert_eq!(sent.finished(), expected.segments(1400));

            let answer = packet.answer();
            let wire = answer.clone().to(external).super_frame(1300);
            let (received, owner) = host.receive(&wire).unwrap();
            assert_eq!(owner, A);
            assert_eq!(received, answer.super_frame(1300));
            assert_eq!(received.finished(), answer.segments(1300));
        }
    }
}

/// What a router outside quotes is a segment, not the super-frame that was translated.
#[test]
fn an_error_about_a_segment() {
    for family in FAMILIES {
        let (a, remote) = (at(family.a, 5000), at(family.remote, 80));
        for packet in [
            Packet::tcp(a, remote, ACK | PSH).payload(20_000),
            Packet::udp(a, remote).payload(20_000),
        ] {
            let host = Host::new();
            host.mapped(B, &packet.clone().from(at(family.b, 5000)).payload(10));
            let external = source_of(&host.send(A, &packet.super_frame(1400)).unwrap());

            let mut segment = packet.clone().payload(1400);
            segment.id += 3;
            // Fragmentation needed, packet too big: with the MTU that the path has.
            let code = if segment.is_v4() { [3, 4] } else { [2, 0] };
            let error = |about: &Packet, to| {
                let mut error = Packet::error(family.router, to, code, about, 500);
                if let crate::wire::Transport::IcmpError(.., word) = &mut error.transport {
                    word[2..].copy_from_slice(&1280u16.to_be_bytes());
                }
                error
            };
            let outside = error(&segment.clone().from(external), family.external);
            let (received, owner) = host.receive(&outside.wire()).unwrap();
            assert_eq!(owner, A);
            assert_eq!(received.bytes, error(&segment, family.a).build());
        }
    }
}
