//! IPv6 extension headers, as far as translation depends on them (RFC 8200 §4).

use vswitch_packet::ip::protocol;

const HEADER_LEN: usize = 40;
const NEXT_HEADER: usize = 6;

/// As many as [`vswitch_packet::ip`] walks.
const MAX: usize = 8;

/// What is between the IPv6 header and its payload. Positions are octets from the start of the
/// IPv6 header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extensions {
    /// Where the payload starts; behind a fragment header, of a later piece.
    pub(crate) payload: usize,
    /// The payload's protocol.
    pub(crate) protocol: u8,
    /// The fragment header.
    pub(crate) fragment: Option<usize>,
    /// The destination address is not that of the pseudo-header: a routing header has segments
    /// left (RFC 8200 §8.1).
    pub(crate) en_route: bool,
    /// An authentication header covers the addresses (RFC 4302 §3.3.3.1).
    pub(crate) authenticated: bool,
}

impl Extensions {
    /// Walks the headers of the packet at the start of `packet`; `None` if one is cut short, or if
    /// there is more than one fragment header.
    pub(crate) fn walk(packet: &[u8]) -> Option<Self> {
        let mut found = Self {
            payload: HEADER_LEN,
            protocol: *packet.get(NEXT_HEADER)?,
            ..Self::default()
        };
        for _ in 0..=MAX {
            let header = packet.get(found.payload..)?;
            let len = match found.protocol {
                protocol::HOP_BY_HOP | protocol::ROUTING | protocol::DESTINATION_OPTIONS => {
                    8 * (usize::from(*header.get(1)?) + 1)
                }
                protocol::AUTHENTICATION => 4 * (usize::from(*header.get(1)?) + 2),
                protocol::FRAGMENT => 8,
                _ => return Some(found),
            };
            let header = header.get(..len)?;
            match found.protocol {
                protocol::ROUTING => found.en_route |= *header.get(3)? != 0,
                protocol::AUTHENTICATION => found.authenticated = true,
                protocol::FRAGMENT if found.fragment.replace(found.payload).is_some() => {
                    return None;
                }
                _ => {}
            }
            found.protocol = *header.first()?;
            found.payload += len;
            if found.is_later(packet) {
                return Some(found);
            }
        }
        None
    }

    /// Whether the payload is that of a later piece, in which there is no header to look for.
    fn is_later(&self, packet: &[u8]) -> bool {
        self.fragment
            .and_then(|at| packet.get(at + 2..)?.first_chunk())
            .is_some_and(|field| u16::from_be_bytes(*field) & 0xfff8 != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(first: u8, rest: &[u8]) -> Vec<u8> {
        let mut packet = vec![0; HEADER_LEN];
        packet[NEXT_HEADER] = first;
        packet.extend(rest);
        packet
    }

    #[test]
    fn none() {
        let found = Extensions::walk(&packet(protocol::TCP, &[])).unwrap();
        assert_eq!((found.payload, found.protocol), (40, protocol::TCP));
        assert!(!found.en_route && !found.authenticated && found.fragment.is_none());
    }

    #[test]
    fn routing_header() {
        for (left, en_route) in [(0, false), (1, true)] {
            let found = Extensions::walk(&packet(
                protocol::ROUTING,
                &[protocol::UDP, 0, 4, left, 0, 0, 0, 0],
            ));
            assert_eq!(found.unwrap().en_route, en_route);
        }
    }

    #[test]
    fn a_later_piece_ends_the_walk() {
        let rest = [protocol::DESTINATION_OPTIONS, 0, 0, 8, 0, 0, 0, 7];
        let found = Extensions::walk(&packet(protocol::FRAGMENT, &rest)).unwrap();
        assert_eq!((found.payload, found.fragment), (48, Some(40)));
        assert_eq!(found.protocol, protocol::DESTINATION_OPTIONS);
    }

    #[test]
    fn cut_short_or_too_many() {
        assert_eq!(
            Extensions::walk(&packet(protocol::HOP_BY_HOP, &[6, 1, 0])),
            None
        );
        let fragment = [protocol::FRAGMENT, 0, 0, 1, 0, 0, 0, 7];
        assert_eq!(
            Extensions::walk(&packet(protocol::FRAGMENT, &fragment.repeat(2))),
            None
        );
        let options = [protocol::DESTINATION_OPTIONS, 0, 1, 4, 0, 0, 0, 0].repeat(20);
        assert_eq!(
            Extensions::walk(&packet(protocol::DESTINATION_OPTIONS, &options)),
            None
        );
    }
}
