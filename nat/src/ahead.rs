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

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, SocketAddr};

    use etherparse::PacketBuilder;
    use vswitch_packet::Moment;

    use super::*;
    use crate::conntrack::{Step, flag};
    use crate::{Config, Filtering, HostPorts, Outbound, Owner, Published, Timeouts, Tuple};

    const ETHERNET: usize = 14;
    const FAMILIES: [[&str; 3]; 2] = [
        ["10.0.0.2:5000", "192.0.2.1:7000", "198.51.100.1:53"],
        ["[fd00::2]:5000", "[2001:db8::1]:7000", "[2001:db8:1::1]:53"],
    ];
    const PROTOCOLS: [(Protocol, u8, Step); 3] = [
        (Protocol::Udp, protocol::UDP, Step::Plain),
        (Protocol::Sctp, protocol::SCTP, Step::Sctp { chunk: 1 }),
        (
            Protocol::Tcp,
            protocol::TCP,
            Step::Tcp {
                flags: flag::SYN,
                sequence: 1,
                acknowledgement: 0,
            },
        ),
    ];

    fn nat() -> Nat {
        Nat::new(Config {
            max_sessions: 100,
            max_sessions_per_owner: 100,
            timeouts: Timeouts::default(),
            ports: 7000..=7000,
            host_ports: Box::new(NotTheirOwn),
            ledger: None,
            seed: 1,
        })
    }

    /// Containers do not keep their port, so that the two sides of a session are told apart.
    struct NotTheirOwn;

    impl HostPorts for NotTheirOwn {
        fn take(&self, _: Protocol, external: SocketAddr) -> bool {
            external.port() == 7000
        }

        fn give_back(&self, _: Protocol, _: SocketAddr) {}
    }

    fn frame(number: u8, source: SocketAddr, destination: SocketAddr) -> Vec<u8> {
        let ethernet = PacketBuilder::ethernet2([2; 6], [4; 6]);
        let (ip, at) = match (source.ip(), destination.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                (ethernet.ipv4(from.octets(), to.octets(), 64), 9)
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                (ethernet.ipv6(from.octets(), to.octets(), 64), 6)
            }
            _ => panic!("two families"),
        };
        let mut bytes = Vec::new();
        let udp = ip.udp(source.port(), destination.port());
        udp.write(&mut bytes, &[0; 20]).unwrap();
        bytes[ETHERNET + at] = number;
        bytes
    }

    fn is_found(nat: &Nat, direction: Direction, frame: &[u8]) -> bool {
        let key = nat.key(direction, frame).unwrap();
        nat.conntrack.fetch_session(key)
    }

    #[test]
    fn what_is_fetched_for_a_frame_is_its_session() {
        let published = Published::default();
        for family in FAMILIES {
            let [inside, external, remote] = family.map(|text| text.parse().unwrap());
            for (protocol, number, step) in PROTOCOLS {
                let nat = nat();
                let now = Moment::from_secs(1);
                let (out, back) = (
                    frame(number, inside, remote),
                    frame(number, remote, external),
                );
                assert!(!is_found(&nat, Direction::Out, &out));
                assert!(!is_found(&nat, Direction::In, &back));

                let way = Outbound {
                    owner: Owner(2),
                    source: Some(external.ip()),
                    filtering: Filtering::default(),
                    published: &published,
                    ingress: 0,
                };
                let tuple = Tuple {
                    protocol,
                    inside,
                    remote,
                };
                let sent = nat.conntrack.outbound(&tuple, step, &way, now);
                assert_eq!(sent, Ok(external));
                assert!(is_found(&nat, Direction::Out, &out));
                assert!(is_found(&nat, Direction::In, &back));
                assert!(!is_found(&nat, Direction::In, &out), "the other way");
                assert!(!is_found(&nat, Direction::Out, &back), "the other way");

                nat.forget_owner(Owner(2));
                assert!(!is_found(&nat, Direction::Out, &out));
                assert!(!is_found(&nat, Direction::In, &back));
            }
        }
    }

    #[test]
    fn nothing_is_fetched_for_what_is_not_as_most_are() {
        let nat = nat();
        for (family, least) in FAMILIES.into_iter().zip([24, 44]) {
            let [inside, _, remote] = family.map(|text| text.parse().unwrap());
            let whole = frame(protocol::UDP, inside, remote);
            let key = |frame: &[u8]| nat.key(Direction::Out, frame);
            for len in 0..whole.len() {
                let is_enough = len >= ETHERNET + least;
                assert_eq!(key(&whole[..len]).is_some(), is_enough, "{len}");
            }
            assert_eq!(key(&frame(protocol::ICMP, inside, remote)), None);
            let mut tagged = whole.clone();
            tagged.splice(12..12, [0x81, 0, 0, 5]);
            assert_eq!(key(&tagged), None);
            if inside.is_ipv4() {
                let mut options = whole;
                options[ETHERNET] = 0x46;
                assert_eq!(key(&options), None);
            }
        }
    }

    #[test]
    fn sessions_are_fetched_a_few_turns_ahead_and_once() {
        let nat = nat();
        let [inside, _, remote] = FAMILIES[0].map(|text| text.parse().unwrap());
        let frame = frame(protocol::UDP, inside, remote);
        let mut expected = Expected::default();
        expected.turn(&nat, 0);
        assert_eq!(expected.next, 0, "nothing is expected");
        for n in 0..TOGETHER + 1 {
            if n % 2 == 0 {
                expected.add(&nat, Direction::Out, &frame);
            } else {
                expected.skip();
            }
        }
        assert_eq!(expected.len, TOGETHER, "no more");
        let are_keys = |(n, key): (usize, &Option<_>)| key.is_some() == (n % 2 == 0);
        assert!(expected.keys.iter().enumerate().all(are_keys));
        for turn in 0..TOGETHER {
            expected.turn(&nat, turn);
            assert_eq!(expected.next, TOGETHER.min(turn + DISTANCE));
        }
        expected.clear();
        expected.turn(&nat, TOGETHER);
        assert_eq!((expected.len, expected.next), (0, 0));
    }
}
