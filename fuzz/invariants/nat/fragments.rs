//! What holds for any sequence of fragments: four octets each say which way it goes and how much
//! later, its datagram, and which octets of it it has.

use std::collections::HashMap;
use std::time::Duration;

use vswitch_nat::Refusal;
use vswitch_packet::Frame;

use super::host::{ADDRESSES, Host, SECOND, Way, packet, sum_ipv4_header};

/// What a translator may keep at most.
const MAX_HELD: u64 = (4 << 20) / 256;

/// A fragment as its four octets say it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Piece {
    inbound: bool,
    family: usize,
    id: u8,
    start: usize,
    len: usize,
    more: bool,
}

/// Panics if the translator would, or if it lets through what it must not.
pub(crate) fn check(input: &[u8]) {
    let mut host = Host::new();
    // What went through of each datagram since its first piece did; `None` where that is no longer
    // known.
    let mut passed: HashMap<(bool, usize, u8), Option<Vec<Piece>>> = HashMap::new();
    for octets in input.as_chunks::<4>().0.iter().take(500) {
        let (piece, later) = read(*octets);
        host.now = host.now + later;
        if !later.is_zero() {
            host.nat.sweep(host.now);
            passed.values_mut().for_each(|pieces| *pieces = None);
        }
        let mut bytes = piece.build();
        let original = bytes.clone();
        let result = send(&host, &mut bytes, piece.inbound);
        let datagram = (piece.inbound, piece.family, piece.id);
        match result {
            Ok(()) if piece.is_whole() => {}
            Ok(()) if piece.start == 0 => {
                let pieces = passed.entry(datagram).or_insert_with(|| Some(vec![]));
                follow(pieces, piece);
            }
            Ok(()) => {
                let pieces = passed.get_mut(&datagram).expect("the first goes first");
                if follow(pieces, piece) {
                    // It is forgotten, and the identification may come again.
                    passed.remove(&datagram);
                }
            }
            Err(refusal) => {
                assert_eq!(bytes, original, "unchanged: {refusal}");
                assert!(piece.start == 0 || refusal != Refusal::NotOurs);
            }
        }
        assert!(host.nat.counts().held_fragments <= MAX_HELD);
        if host.nat.has_released() {
            let released = host.nat.take_released();
            assert!(!released.is_empty() && result.is_ok());
            for held in released {
                let inbound = held.ingress != SECOND.0;
                let _ = send(&host, &mut held.bytes.into_vec(), inbound);
            }
            passed.insert(datagram, None);
        }
    }
    host.now = host.now + Duration::from_secs(31);
    host.nat.sweep(host.now);
    assert_eq!(
        host.nat.counts().held_fragments,
        0,
        "nothing waits for ever"
    );
}

/// Adds a piece that went through to those before it. True if nothing is missing.
fn follow(pieces: &mut Option<Vec<Piece>>, piece: Piece) -> bool {
    let Some(pieces) = pieces else {
        return false;
    };
    if !pieces.contains(&piece) {
        assert!(!piece.overlaps_one_of(pieces), "{piece:?} over {pieces:?}");
        pieces.push(piece);
    }
    let octets: usize = pieces.iter().map(|piece| piece.len).sum();
    let last = pieces.iter().find(|piece| !piece.more);
    last.is_some_and(|last| last.start + last.len == octets)
}

fn send(host: &Host, bytes: &mut [u8], inbound: bool) -> Result<(), Refusal> {
    let mut frame = Frame::parse_plain(bytes).expect("a frame");
    let way = if inbound { Way::In } else { Way::Out(SECOND) };
    host.pass(&mut frame, way).map(|_| ())
}

fn read([a, b, c, d]: [u8; 4]) -> (Piece, Duration) {
    let piece = Piece {
        inbound: a & 1 != 0,
        family: usize::from(a & 2 != 0),
        id: b % 16,
        // Units of eight octets.
        start: 8 * usize::from(c % 32),
        len: 8 * usize::from(d % 16) + if d & 0x80 == 0 { 0 } else { 4 },
        more: a & 4 == 0,
    };
    let later = if a >= 0xf0 { 11 } else { 0 };
    (piece, Duration::from_secs(later))
}

impl Piece {
    /// A piece of a datagram from the published port, or to it.
    fn build(self) -> Vec<u8> {
        let [external, _, container, outside] = ADDRESSES[self.family];
        let (source, destination, ports) = if self.inbound {
            (outside, external, [0, 9, 0x1f, 0x40])
        } else {
            (container, outside, [0x23, 0x28, 0, 9])
        };
        let mut payload = vec![self.id; self.len];
        for (octet, header) in payload
            .iter_mut()
            .zip([&ports[..], &[0, 100, 0, 0]].concat())
        {
            if self.start == 0 {
                *octet = header;
            }
        }
        let field = self.start as u16;
        if source.is_ipv6() {
            let [high, low] = (field | u16::from(self.more)).to_be_bytes();
            let header = [17, 0, high, low, 0, 0, 0, self.id];
            return packet(44, source, destination, &[&header[..], &payload].concat());
        }
        let mut frame = packet(17, source, destination, &payload);
        let field = (field / 8) | (u16::from(self.more) << 13);
        frame[18..20].copy_from_slice(&u16::from(self.id).to_be_bytes());
        frame[20..22].copy_from_slice(&field.to_be_bytes());
        sum_ipv4_header(&mut frame);
        frame
    }

    fn overlaps_one_of(self, others: &[Self]) -> bool {
        let end = self.start + self.len;
        others
            .iter()
            .any(|other| other.start < end && self.start < other.start + other.len)
    }

    /// No piece at all (in IPv6, RFC 6946).
    const fn is_whole(self) -> bool {
        self.start == 0 && !self.more
    }
}
