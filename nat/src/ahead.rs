//! What packets will need is fetched from memory before their turn, while others have theirs: with many
//! conversations little of them is in the processor's caches, and each look would have to wait.

use std::num::NonZeroU64;

use vswitch_packet::ip::protocol;

use crate::endpoint::{Address, Endpoint};
use crate::nat::Nat;
use crate::tuple::Protocol;

/// Packets that are looked at together, at most.
pub const TOGETHER: usize = 32;

/// How far ahead of a packet's turn its session is fetched. Its place in the table is fetched before.
const DISTANCE: usize = 6;

/// Which way packets go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From containers, for [`Nat::outbound`].
    Out,
    /// To the host's addresses, for [`Nat::inbound`].
    In,
}

/// Packets that are about to be translated, in their order.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// What their conversations are found by.
    keys: [Option<NonZeroU64>; TOGETHER],
    len: usize,
    /// The next whose session is to be fetched.
    next: usize,
}

impl Expected {
    /// Expects one more frame. A guess: nothing changes, and of a frame that is not as most are, nothing is
    /// fetched. More than [`TOGETHER`] are not expected.
    #[inline]
    pub fn add(&mut self, nat: &Nat, direction: Direction, frame: &[u8]) {
        let Some(place) = self.keys.get_mut(self.len) else {
            return;
        };
        *place = nat.key(direction, frame).and_then(NonZeroU64::new);
        if let Some(key) = *place {
            nat.conntrack.fetch_place(key.get());
        }
        self.len += 1;
    }

    /// Expects one more, of which nothing is fetched.
    #[inline]
    pub fn skip(&mut self) {
        if let Some(place) = self.keys.get_mut(self.len) {
            *place = None;
            self.len += 1;
        }
    }

    /// It is the turn of the frame that was added as number `turn`.
    #[inline]
    pub fn turn(&mut self, nat: &Nat, turn: usize) {
        let end = self.len.min(turn + DISTANCE);
        let due = self.keys.get(self.next..end).unwrap_or_default();
        for key in due.iter().flatten() {
            nat.conntrack.fetch_session(key.get());
        }
        self.next = self.next.max(end);
    }

    /// Expects none.
    #[inline]
    pub const fn clear(&mut self) {
        (self.len, self.next) = (0, 0);
    }
}

impl Nat {
    /// Whether it is worth to expect frames: there are so many conversations, more than a thousand, that the
    /// processor's caches do not keep them in any case.
    #[inline]
    #[must_use]
    pub fn is_large(&self) -> bool {
        self.conntrack.is_large()
    }

    #[inline]
    fn key(&self, direction: Direction, frame: &[u8]) -> Option<u64> {
        let (protocol, source, destination) = ends(frame)?;
        let (ours, remote) = match direction {
            Direction::Out => (source, destination),
            Direction::In => (destination, source),
        };
        Some(self.conntrack.key(protocol, ours, remote))
    }
}

/// Of an untagged frame without IPv4 options or IPv6 extension headers.
#[inline]
fn ends(frame: &[u8]) -> Option<(Protocol, Endpoint, Endpoint)> {
    let (ethernet, packet) = frame.split_first_chunk::<14>()?;
    let (number, source, destination, ports) = match ethernet {
        [.., 0x08, 0x00] => {
            let &[0x45, _, _, _, _, _, _, _, _, number, _, _, ref rest @ ..] =
                packet.first_chunk::<24>()?
            else {
                return None;
            };
            let [a, b, c, d, e, f, g, h, ports @ ..] = *rest;
            let source = Address::v4([a, b, c, d]);
            (number, source, Address::v4([e, f, g, h]), ports)
        }
        [.., 0x86, 0xdd] => {
            let header = packet.first_chunk::<44>()?;
            let (addresses, ports) = header[8..].split_at(32);
            let source = Address::v6(*addresses.first_chunk()?);
            let destination = Address::v6(*addresses.last_chunk()?);
            (header[6], source, destination, *ports.first_chunk()?)
        }
        _ => return None,
    };
    let protocol = match number {
        protocol::TCP => Protocol::Tcp,
        protocol::UDP => Protocol::Udp,
        protocol::SCTP => Protocol::Sctp,
        _ => return None,
    };
    let [a, b, c, d] = ports;
    let source = Endpoint::new(source, u16::from_be_bytes([a, b]));
    let destination = Endpoint::new(destination, u16::from_be_bytes([c, d]));
    Some((protocol, source, destination))
}
