//! Datagrams in pieces, in and out of order, and those that are made to harm.

use std::net::SocketAddr;
use std::time::Duration;

use vswitch_nat::{Admit, Held, Owner, Protocol, Refusal};

use crate::host::{A, B, FAMILIES, Family, Host, UPLINK, V4, V6, at, ingress, source_of};
use crate::wire::{Packet, Transport, Wire};

/// A datagram of four pieces of 800 octets, the last shorter.
fn datagram(family: Family) -> Packet {
    Packet::udp(at(family.a, 5000), at(family.remote, 80)).payload(3000)
}

const SIZE: usize = 800;

/// A host where the container cannot keep its port.
fn host(family: Family) -> Host {
    let host = Host::new();
    let other = datagram(family).from(at(family.b, 5000)).payload(10);
    host.mapped(B, &other);
    host
}

/// By which endpoint the datagram goes out.
fn external(host: &Host, packet: &Packet) -> SocketAddr {
    host.mapped(A, &packet.clone().payload(10))
}

/// Brings what was released in again; returns what comes of it.
fn again(host: &Host, family: Family) -> Vec<Result<Wire, Refusal>> {
    let back = |held: Held| {
        let wire = Wire {
            bytes: held.bytes.into_vec(),
            header: Default::default(),
        };
        if held.ingress == UPLINK {
            host.receive(&wire).map(|(wire, _)| wire)
        } else {
            host.send(Owner(held.ingress), &wire)
        }
    };
    assert_eq!(family.a.is_ipv4(), family.b.is_ipv4());
    host.nat.take_released().into_iter().map(back).collect()
}

#[test]
fn in_order() {
    for family in FAMILIES {
        let host = host(family);
        let packet = datagram(family);
        let external = external(&host, &packet);
        let outside = packet.clone().from(external).fragments(SIZE);
        for (piece, expected) in packet.fragments(SIZE).iter().zip(&outside) {
            assert_eq!(host.send(A, piece).as_ref(), Ok(expected));
        }

        let answer = packet.answer();
        let inside = answer.fragments(SIZE);
        for (piece, expected) in answer.to(external).fragments(SIZE).iter().zip(&inside) {
            assert_eq!(host.receive(piece), Ok((expected.clone(), A)));
        }
        assert_eq!(host.nat.counts().held_fragments, 0);
        assert!(!host.nat.has_released());
    }
}

#[test]
fn in_any_order() {
    for family in FAMILIES {
        for order in [[3, 2, 1, 0], [1, 0, 3, 2], [0, 3, 1, 2], [2, 3, 0, 1]] {
            let host = host(family);
            let packet = datagram(family);
            let external = external(&host, &packet);
            for (inbound, pieces, mut expected) in [
                (
                    false,
                    packet.fragments(SIZE),
                    packet.clone().from(external).fragments(SIZE),
                ),
                (
                    true,
                    packet.answer().to(external).fragments(SIZE),
                    packet.answer().fragments(SIZE),
                ),
            ] {
                let mut came = vec![];
                let mut first = false;
                for index in order {
                    let piece = &pieces[index];
                    let result = if inbound {
                        host.receive(piece).map(|(wire, _)| wire)
                    } else {
                        host.send(A, piece)
                    };
                    first |= index == 0;
                    assert_eq!(result.is_ok(), first);
                    assert_eq!(host.nat.has_released(), index == 0 && order[0] != 0);
                    match result {
                        Ok(wire) => came.push(wire),
                        Err(refusal) => assert_eq!(refusal, Refusal::Held),
                    }
                    came.extend(again(&host, family).into_iter().map(Result::unwrap));
                }
                let sorted = |wires: &mut Vec<Wire>| wires.sort_by_key(|wire| wire.bytes.clone());
                sorted(&mut came);
                sorted(&mut expected);
                assert_eq!(came, expected, "{order:?}");
                assert_eq!(host.nat.counts().held_fragments, 0);
                assert_eq!(host.nat.counts().lost_fragments, 0);
            }
        }
    }
}

/// The checksum of a datagram is in its first piece, whatever it covers.
#[test]
fn pieces_of_every_protocol() {
    for family in FAMILIES {
        let (a, remote) = (at(family.a, 5000), at(family.remote, 80));
        let ping = Packet::new(a, at(family.remote, 0), Transport::EchoRequest);
        let tcp = Packet::tcp(a, remote, crate::wire::ACK);
        for packet in [ping, tcp] {
            let host = Host::new();
            host.mapped(B, &packet.clone().from(at(family.b, 5000)));
            let packet = packet.payload(2000);
            let pieces = packet.fragments(SIZE);
            let first = host.send(A, &pieces[0]).unwrap();
            let external = host.mapped(A, &packet);
            let expected = packet.clone().from(external).fragments(SIZE);
            assert_eq!(first, expected[0]);
            assert_ne!(external.port(), 5000);
            assert_eq!(host.send(A, &pieces[1]).as_ref(), Ok(&expected[1]));
        }
    }
}

/// How far other pieces move the ports in an SCTP checksum is not known; without a change it does
/// not matter.
#[test]
fn sctp_in_pieces_keeps_its_port_or_stays() {
    for family in FAMILIES {
        let (a, remote) = (at(family.a, 5000), at(family.remote, 80));
        let packet = Packet::sctp(a, remote, 1).payload(2000);
        let pieces = packet.fragments(SIZE);
        let expected = packet.from(at(family.external, 5000)).fragments(SIZE);
        let host = Host::new();
        for (piece, expected) in pieces.iter().zip(&expected) {
            assert_eq!(host.send(A, piece).as_ref(), Ok(expected));
        }
        let host = Host::new();
        host.mapped(B, &Packet::sctp(at(family.b, 5000), remote, 1));
        for piece in &pieces {
            assert_eq!(host.send(A, piece), Err(Refusal::Untranslatable));
        }
    }
}

#[test]
fn to_a_published_port() {
    for family in FAMILIES {
        let (published, inside) = (at(family.external, 8080), at(family.a, 80));
        let host = Host::new().publishing(Protocol::Udp, published, A, inside);
        let packet = Packet::udp(at(family.remote, 9), published).payload(3000);
        let pieces = packet.fragments(SIZE);
        let expected = packet.to(inside).fragments(SIZE);
        assert_eq!(host.receive(&pieces[1]), Err(Refusal::Held));
        assert!(!host.is_ours(&pieces[1]), "not known yet");
        assert_eq!(host.receive(&pieces[0]), Ok((expected[0].clone(), A)));
        assert!(host.is_ours(&pieces[0]) && host.is_ours(&pieces[1]));
        assert_eq!(again(&host, family), [Ok(expected[1].clone())]);
        assert_eq!(host.receive(&pieces[3]), Ok((expected[3].clone(), A)));
    }
}

/// The host's kernel has its own copy of what is the host's.
#[test]
fn to_the_host_itself() {
    for family in FAMILIES {
        let host = Host::new();
        let to_host = at(family.external, 53);
        let packet = Packet::udp(at(family.remote, 9), to_host).payload(3000);
        let pieces = packet.fragments(SIZE);
        assert_eq!(host.receive(&pieces[2]), Err(Refusal::Held));
        assert_eq!(host.receive(&pieces[0]), Err(Refusal::NotOurs));
        assert_eq!(host.receive(&pieces[1]), Err(Refusal::NotOurs));
        assert!(!host.is_ours(&pieces[1]));
        assert!(!host.nat.has_released());
        assert_eq!(host.nat.counts().held_fragments, 0);
    }
}

#[test]
fn to_a_containers_own_address() {
    for family in FAMILIES {
        let host = Host::routed();
        let packet = Packet::udp(at(family.remote, 80), at(family.a, 5000)).payload(3000);
        let pieces = packet.fragments(SIZE);
        // Refused as the first one is.
        assert_eq!(
            host.direct(A, &pieces[0], Admit::Answers),
            Err(Refusal::Filtered)
        );
        assert_eq!(
            host.direct(A, &pieces[1], Admit::Answers),
            Err(Refusal::Filtered)
        );
        host.send(A, &packet.answer().payload(10).wire()).unwrap();
        let mut next = packet;
        next.id += 1;
        let pieces = next.fragments(SIZE);
        assert_eq!(
            host.direct(A, &pieces[1], Admit::Answers),
            Err(Refusal::Held)
        );
        assert_eq!(host.direct(A, &pieces[0], Admit::Answers), Ok(()));
        let released = host.nat.take_released();
        assert_eq!(released.len(), 1);
        assert_eq!(released[0].ingress, UPLINK);
        assert_eq!(*released[0].bytes, *pieces[1].bytes);
        assert_eq!(host.direct(A, &pieces[1], Admit::Answers), Ok(()));
    }
}

/// The same datagram from one container to another, through the host's address.
#[test]
fn hairpinned() {
    for family in FAMILIES {
        let (published, inside) = (at(family.external, 8080), at(family.b, 80));
        let host = Host::new().publishing(Protocol::Udp, published, B, inside);
        let packet = Packet::udp(at(family.a, 5000), published).payload(3000);
        let expected = packet
            .clone()
            .from(at(family.external, 5000))
            .to(inside)
            .fragments(SIZE);
        for (piece, expected) in packet.fragments(SIZE).iter().zip(expected) {
            assert_eq!(host.hairpin(A, piece), Ok((expected, B)));
        }
    }
}

#[test]
fn overlaps_condemn_the_datagram() {
    for family in FAMILIES {
        let host = host(family);
        let packet = datagram(family);
        let pieces = packet.fragments(SIZE);
        // Over the end of the first piece: the ports of another datagram, say.
        let overlap = packet.fragment(SIZE / 8 - 1, &[9; 64], true);
        host.send(A, &pieces[0]).unwrap();
        assert_eq!(host.send(A, &overlap), Err(Refusal::BadFragment));
        for piece in &pieces {
            assert_eq!(host.send(A, piece), Err(Refusal::BadFragment));
        }
        // The same among those that wait.
        let mut packet = packet;
        packet.id += 1;
        let pieces = packet.fragments(SIZE);
        let overlap = packet.fragment(2 * SIZE / 8 - 1, &[9; 64], true);
        assert_eq!(host.send(A, &pieces[1]), Err(Refusal::Held));
        assert_eq!(host.send(A, &overlap), Err(Refusal::BadFragment));
        assert_eq!(host.nat.counts().held_fragments, 0);
        assert_eq!(host.nat.counts().lost_fragments, 1);
        assert_eq!(host.send(A, &pieces[0]), Err(Refusal::BadFragment));
        // And of a first one with one that waits.
        packet.id += 1;
        let waits = packet.fragment(SIZE / 8 - 1, &[9; 64], true);
        assert_eq!(host.send(A, &waits), Err(Refusal::Held));
        assert_eq!(
            host.send(A, &packet.fragments(SIZE)[0]),
            Err(Refusal::BadFragment)
        );
        assert!(!host.nat.has_released());
        // Other datagrams are not concerned.
        packet.id += 1;
        assert!(host.send(A, &packet.fragments(SIZE)[0]).is_ok());
    }
}

#[test]
fn duplicates_pass_but_do_not_wait() {
    for family in FAMILIES {
        let host = host(family);
        let packet = datagram(family);
        let pieces = packet.fragments(SIZE);
        assert_eq!(host.send(A, &pieces[2]), Err(Refusal::Held));
        assert_eq!(host.send(A, &pieces[2]), Err(Refusal::BadFragment));
        for _ in 0..2 {
            assert!(host.send(A, &pieces[0]).is_ok());
            assert!(host.send(A, &pieces[1]).is_ok());
        }
        assert_eq!(again(&host, family).len(), 1);
        assert_eq!(host.nat.counts().held_fragments, 0);
    }
}

/// Every first piece is judged for itself, also one that repeats another.
#[test]
fn a_second_first_piece_opens_nothing() {
    for family in FAMILIES {
        let (published, inside) = (at(family.external, 8080), at(family.a, 80));
        let host = Host::new().publishing(Protocol::Udp, published, A, inside);
        let packet = Packet::udp(at(family.remote, 9), published).payload(3000);
        assert!(host.receive(&packet.fragments(SIZE)[0]).is_ok());
        let other = packet.to(at(family.external, 22));
        assert_eq!(
            host.receive(&other.fragments(SIZE)[0]),
            Err(Refusal::NotOurs)
        );
    }
}

#[test]
fn pieces_that_fit_into_no_datagram() {
    for family in FAMILIES {
        let host = host(family);
        let packet = datagram(family);
        let refused = |offset, len, more| {
            let wire = packet.fragment(offset, &vec![1; len], more);
            host.send(A, &wire)
        };
        let bad = Err(Refusal::BadFragment);
        assert_eq!(refused(100, 0, true), bad);
        assert_eq!(refused(100, 0, false), bad);
        assert_eq!(refused(100, 12, true), bad, "not a multiple of eight");
        assert_eq!(refused(8191, 16, false), bad, "beyond 65535");
        assert_eq!(refused(100, 12, false), Err(Refusal::Held));
        assert_eq!(refused(102, 8, false), bad, "a second end");
    }
}

#[test]
fn more_pieces_than_a_datagram_needs() {
    let host = host(V6);
    let packet = datagram(V6);
    let results: Vec<_> = (1..=65)
        .map(|index| host.send(A, &packet.fragment(index * 2, &[1; 8], true)))
        .collect();
    assert!(results[..64].iter().all(|r| *r == Err(Refusal::Held)));
    assert_eq!(results[64], Err(Refusal::BadFragment));
    assert_eq!(host.nat.counts().held_fragments, 0);
}

#[test]
fn waiting_ends() {
    for family in FAMILIES {
        let host = host(family);
        let packet = datagram(family);
        let pieces = packet.fragments(SIZE);
        assert_eq!(host.send(A, &pieces[1]), Err(Refusal::Held));
        host.wait(Duration::from_secs(29));
        host.nat.sweep(host.now());
        assert_eq!(host.nat.counts().held_fragments, 1);
        host.wait(Duration::from_secs(1));
        host.nat.sweep(host.now());
        assert_eq!(host.nat.counts().held_fragments, 0);
        assert_eq!(host.nat.counts().lost_fragments, 1);
        assert!(host.send(A, &pieces[0]).is_ok());
        assert!(!host.nat.has_released());
        // So does what is known of a datagram.
        host.wait(Duration::from_secs(30));
        assert_eq!(host.send(A, &pieces[1]), Err(Refusal::Held));
    }
}

/// A flood of pieces that wait for ever takes bounded room, and other sources keep theirs.
#[test]
fn a_flood_from_one_source() {
    let host = host(V4);
    let piece = |id: u16, from: SocketAddr| {
        let mut packet = datagram(V4).from(from);
        packet.id = id;
        packet.fragments(1400)[1].clone()
    };
    let results: Vec<_> = (0..1000)
        .map(|id| host.send(A, &piece(id, at(V4.a, 5000))))
        .collect();
    let held = results.iter().filter(|r| **r == Err(Refusal::Held)).count();
    assert!((100..200).contains(&held), "{held} of 256 KiB");
    assert!(results[..held].iter().all(|r| *r == Err(Refusal::Held)));
    assert!(
        results[held..]
            .iter()
            .all(|r| *r == Err(Refusal::BadFragment))
    );
    assert_eq!(host.nat.counts().held_fragments, held as u64);

    // Another container, out of order; and this one, in order.
    let packet = datagram(V4).from(at(V4.b, 5000));
    let pieces = packet.fragments(SIZE);
    assert_eq!(host.send(B, &pieces[1]), Err(Refusal::Held));
    assert!(host.send(B, &pieces[0]).is_ok());
    assert_eq!(again(&host, V4).len(), 1);
    let mut packet = datagram(V4);
    packet.id = 5000;
    for piece in packet.fragments(SIZE) {
        assert!(host.send(A, &piece).is_ok());
    }
}

/// From many sources: the oldest that wait make room for the newest.
#[test]
fn a_flood_from_many_sources() {
    let host = host(V4);
    let mut packet = Packet::udp(at(V4.remote, 9), at(V4.external, 8080)).payload(3000);
    for source in 0..10_000u32 {
        let source = std::net::Ipv4Addr::from(0x0a00_0000 + source);
        packet.source.set_ip(source.into());
        assert_eq!(host.receive(&packet.fragments(1400)[1]), Err(Refusal::Held));
    }
    let counts = host.nat.counts();
    assert!(counts.held_fragments * 1400 <= 4 << 20);
    assert!(counts.held_fragments * 1700 >= 4 << 20);
    assert_eq!(counts.held_fragments + counts.lost_fragments, 10_000);

    // In order, as ever.
    let mine = datagram(V4);
    for piece in mine.fragments(SIZE) {
        assert!(host.send(A, &piece).is_ok());
    }
    // Out of order, too.
    let mut mine = mine;
    mine.id += 1;
    let pieces = mine.fragments(SIZE);
    assert_eq!(host.send(A, &pieces[1]), Err(Refusal::Held));
    assert!(host.send(A, &pieces[0]).is_ok());
    assert_eq!(again(&host, V4).len(), 1);
}

/// Small pieces cost more than their octets.
#[test]
fn a_flood_of_small_pieces() {
    let host = host(V4);
    for id in 0..20_000u16 {
        let mut packet = datagram(V4);
        packet.id = id;
        let source = std::net::Ipv4Addr::from(0x0a00_0000 + u32::from(id));
        packet.source.set_ip(source.into());
        packet.destination = at(V4.external, 8080);
        let piece = packet.fragment(10, &[0; 8], true);
        assert_eq!(host.receive(&piece), Err(Refusal::Held));
    }
    let held = host.nat.counts().held_fragments;
    assert!((10_000..=(4 << 20) / 256).contains(&held), "{held}");
}

/// First pieces without later ones: what is known of the oldest is forgotten.
#[test]
fn a_flood_of_first_pieces() {
    let host = host(V4);
    let mut packet = datagram(V4);
    let kept = {
        packet.id = 1;
        packet.fragments(SIZE)
    };
    for id in 1..=5000u16 {
        packet.id = id;
        assert!(host.send(A, &packet.fragments(SIZE)[0]).is_ok());
    }
    assert_eq!(host.send(A, &kept[1]), Err(Refusal::Held), "forgotten");
    assert!(host.send(A, &packet.fragments(SIZE)[1]).is_ok());
}

#[test]
fn nothing_is_left_of_a_container_that_is_detached() {
    for family in FAMILIES {
        let host = host(family);
        let packet = datagram(family);
        let pieces = packet.fragments(SIZE);
        host.send(A, &pieces[0]).unwrap();
        let mut waiting = packet.clone();
        waiting.id += 1;
        let waiting = waiting.fragments(SIZE);
        assert_eq!(host.send(A, &waiting[1]), Err(Refusal::Held));
        let mut released = packet;
        released.id += 2;
        let released = released.fragments(SIZE);
        assert_eq!(host.send(A, &released[1]), Err(Refusal::Held));
        assert!(host.send(A, &released[0]).is_ok());
        assert!(host.nat.has_released());

        host.nat.forget_owner(A);
        assert_eq!(host.nat.counts().held_fragments, 0);
        assert_eq!(host.nat.take_released(), []);
        assert_eq!(host.send(A, &pieces[1]), Err(Refusal::Held), "unknown");
    }
}

#[test]
fn nothing_is_left_of_an_address_that_is_gone() {
    for family in FAMILIES {
        let host = host(family);
        let packet = datagram(family);
        let pieces = packet.fragments(SIZE);
        let out = host.send(A, &pieces[0]).unwrap();
        let answer = packet.answer().to(source_of(&out)).fragments(SIZE);
        assert!(host.receive(&answer[0]).is_ok());
        host.nat.forget_external(family.external);
        assert_eq!(host.send(A, &pieces[1]), Err(Refusal::Held));
        assert_eq!(host.receive(&answer[1]), Err(Refusal::Held));
    }
}

/// RFC 6946: a fragment header on a whole packet makes no piece of it.
#[test]
fn an_atomic_fragment() {
    let host = host(V6);
    let packet = datagram(V6).payload(100);
    let octets = packet.build()[54..].to_vec();
    let sent = host.send(A, &packet.fragment(0, &octets, false)).unwrap();
    let external = external(&host, &packet);
    let expected = packet.from(external);
    let octets = expected.build()[54..].to_vec();
    assert_eq!(sent, expected.fragment(0, &octets, false));
    assert_ne!(ingress(A), UPLINK);
}

/// Whoever splits a packet sums it before.
#[test]
fn a_piece_with_a_checksum_to_complete() {
    let host = host(V4);
    let mut piece = datagram(V4).fragments(SIZE)[0].clone();
    piece.header.flags = 1;
    piece.header.csum_start = 34;
    piece.header.csum_offset = 6;
    assert_eq!(host.send(A, &piece), Err(Refusal::Malformed));
}
