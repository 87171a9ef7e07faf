//! IPv4 and IPv6 headers: where things are, checked against the octets that are there.
//!
//! RFC 791 §3.1, RFC 8200 §3 and §4.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::frame::Network;

/// Protocol numbers (IANA, "Assigned Internet Protocol Numbers").
pub mod protocol {
    /// IPv6 hop-by-hop options.
    pub const HOP_BY_HOP: u8 = 0;
    /// ICMP, RFC 792.
    pub const ICMP: u8 = 1;
    /// IGMP, RFC 3376.
    pub const IGMP: u8 = 2;
    /// TCP, RFC 9293.
    pub const TCP: u8 = 6;
    /// UDP, RFC 768.
    pub const UDP: u8 = 17;
    /// IPv6 routing header.
    pub const ROUTING: u8 = 43;
    /// IPv6 fragment header.
    pub const FRAGMENT: u8 = 44;
    /// Authentication header, RFC 4302.
    pub const AUTHENTICATION: u8 = 51;
    /// ICMPv6, RFC 4443.
    pub const ICMPV6: u8 = 58;
    /// IPv6 destination options.
    pub const DESTINATION_OPTIONS: u8 = 60;
    /// SCTP, RFC 9260.
    pub const SCTP: u8 = 132;
}

/// Extension headers a frame may chain before it is malformed: every type RFC 8200 §4.1 lists,
/// destination options twice, and one to spare.
const MAX_EXTENSION_HEADERS: usize = 8;

/// The version of the Internet Protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// RFC 791.
    V4,
    /// RFC 8200.
    V6,
}

/// Whether the packet is a piece of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fragment {
    /// A whole packet.
    No,
    /// The piece with the transport header.
    First,
    /// A later piece: what follows the IP header is payload.
    Later,
}

/// The transport header, when the packet has it and it is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// A TCP header of this many octets, options included.
    Tcp {
        /// 20 to 60.
        header_len: u8,
    },
    /// A UDP header.
    Udp,
    /// ICMP or ICMPv6, at least the first eight octets.
    Icmp,
    /// An SCTP common header.
    Sctp,
    /// A protocol of no interest here, or a later fragment.
    Other,
    /// The packet ends within its transport header, or a length in it contradicts the packet's.
    Malformed,
}

/// Where an IP packet's parts are, in octets from the start of the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IpHeader {
    /// 4 or 6.
    pub version: Version,
    /// Start of the IP header.
    pub start: u16,
    /// Start of what follows the IP header and its extensions.
    pub payload: u16,
    /// One past the packet's last octet, by its own length field; Ethernet padding is behind it.
    pub end: u32,
    /// Protocol of the payload, behind all extension headers.
    pub protocol: u8,
    /// Whether it is a piece.
    pub fragment: Fragment,
    /// What starts at `payload`.
    pub transport: Transport,
}

impl IpHeader {
    /// Reads the IPv4 header at `start`.
    ///
    /// Not as a result that is then turned into the [`Network`]: a header is written in small pieces, and moving it at
    /// once in larger ones has to wait for them (store forwarding).
    ///
    /// The header checksum is not looked at: a bridge carries the packet whatever it says, and a
    /// router checks it with [`IpHeader::checksum_ok`].
    #[inline]
    pub(crate) fn parse_v4(frame: &[u8], start: usize) -> Network {
        let packet = frame.get(start..).unwrap_or_default();
        let Some(fixed) = packet.first_chunk::<20>() else {
            return Network::Malformed;
        };
        let header_len = usize::from(fixed[0] & 0x0f) * 4;
        let total_len = usize::from(u16::from_be_bytes([fixed[2], fixed[3]]));
        if fixed[0] >> 4 != 4 || header_len < 20 || total_len < header_len {
            return Network::Malformed;
        }
        if total_len > packet.len() {
            return Network::Malformed;
        }
        let flags = u16::from_be_bytes([fixed[6], fixed[7]]);
        let fragment = match (flags & 0x1fff, flags & 0x2000 != 0) {
            (0, false) => Fragment::No,
            (0, true) => Fragment::First,
            _ => Fragment::Later,
        };
        Self::finish(
            frame,
            Version::V4,
            start,
            start + header_len,
            start + total_len,
            fixed[9],
            fragment,
        )
    }

    /// Reads the IPv6 header at `start` and walks its extension headers.
    #[inline]
    pub(crate) fn parse_v6(frame: &[u8], start: usize) -> Network {
        let packet = frame.get(start..).unwrap_or_default();
        let Some(fixed) = packet.first_chunk::<40>() else {
            return Network::Malformed;
        };
        let end = 40 + usize::from(u16::from_be_bytes([fixed[4], fixed[5]]));
        if fixed[0] >> 4 != 6 || end > packet.len() {
            return Network::Malformed;
        }
        let payload = match fixed[6] {
            protocol::HOP_BY_HOP
            | protocol::ROUTING
            | protocol::DESTINATION_OPTIONS
            | protocol::AUTHENTICATION
            | protocol::FRAGMENT => match Payload::behind_extensions(packet, end, fixed[6]) {
                Some(payload) => payload,
                None => return Network::Malformed,
            },
            protocol => Payload {
                at: 40,
                protocol,
                fragment: Fragment::No,
            },
        };
        Self::finish(
            frame,
            Version::V6,
            start,
            start + payload.at,
            start + end,
            payload.protocol,
            payload.fragment,
        )
    }

    #[inline(always)]
    fn finish(
        frame: &[u8],
        version: Version,
        start: usize,
        payload: usize,
        end: usize,
        protocol: u8,
        fragment: Fragment,
    ) -> Network {
        let transport = match fragment {
            Fragment::Later => Transport::Other,
            Fragment::No | Fragment::First => {
                let Some(octets) = frame.get(payload..end) else {
                    return Network::Malformed;
                };
                Transport::parse(octets, protocol, fragment == Fragment::No)
            }
        };
        let (Ok(start), Ok(payload), Ok(end)) = (
            u16::try_from(start),
            u16::try_from(payload),
            u32::try_from(end),
        ) else {
            return Network::Malformed;
        };
        Network::Ip(Self {
            version,
            start,
            payload,
            end,
            protocol,
            fragment,
            transport,
        })
    }

    /// Octets of the transport header; zero where there is none to rely on.
    #[must_use]
    pub const fn transport_len(&self) -> usize {
        match self.transport {
            Transport::Tcp { header_len } => header_len as usize,
            Transport::Udp | Transport::Icmp => 8,
            Transport::Sctp => 12,
            Transport::Other | Transport::Malformed => 0,
        }
    }

    /// The source address, read from the frame this header was parsed from.
    #[must_use]
    pub fn source(&self, frame: &[u8]) -> IpAddr {
        match self.version {
            Version::V4 => self.address_v4(frame, 12),
            Version::V6 => self.address_v6(frame, 8),
        }
    }

    /// The destination address, read from the frame this header was parsed from.
    #[must_use]
    pub fn destination(&self, frame: &[u8]) -> IpAddr {
        match self.version {
            Version::V4 => self.address_v4(frame, 16),
            Version::V6 => self.address_v6(frame, 24),
        }
    }

    fn address_v4(&self, frame: &[u8], at: usize) -> IpAddr {
        let octets = frame
            .get(usize::from(self.start) + at..)
            .and_then(<[u8]>::first_chunk);
        IpAddr::V4(Ipv4Addr::from(*octets.unwrap_or(&[0; 4])))
    }

    fn address_v6(&self, frame: &[u8], at: usize) -> IpAddr {
        let octets = frame
            .get(usize::from(self.start) + at..)
            .and_then(<[u8]>::first_chunk);
        IpAddr::V6(Ipv6Addr::from(*octets.unwrap_or(&[0; 16])))
    }

    /// Both addresses, source first, as a pseudo-header sums them.
    ///
    /// With an IPv6 routing header that has segments left, the pseudo-header's destination is
    /// another: the last address of that header (RFC 8200 §8.1).
    #[must_use]
    pub fn addresses<'a>(&self, frame: &'a [u8]) -> &'a [u8] {
        let start = usize::from(self.start);
        let range = match self.version {
            Version::V4 => start + 12..start + 20,
            Version::V6 => start + 8..start + 40,
        };
        frame.get(range).unwrap_or_default()
    }

    /// Whether the IPv4 header checksum is right (RFC 1812 §5.2.2); IPv6 has none.
    #[must_use]
    pub fn checksum_ok(&self, frame: &[u8]) -> bool {
        match self.version {
            Version::V6 => true,
            Version::V4 => frame
                .get(usize::from(self.start)..usize::from(self.payload))
                .is_some_and(|header| crate::checksum::sum(header) == 0xffff),
        }
    }

    /// Time to live, or hop limit.
    #[must_use]
    pub fn hop_limit(&self, frame: &[u8]) -> u8 {
        let at = match self.version {
            Version::V4 => 8,
            Version::V6 => 7,
        };
        frame
            .get(usize::from(self.start) + at)
            .copied()
            .unwrap_or(0)
    }
}

/// What is behind the headers of an IPv6 packet.
struct Payload {
    /// Octets from the start of the packet.
    at: usize,
    protocol: u8,
    fragment: Fragment,
}

impl Payload {
    /// Walks the extension headers of `packet`, which ends at `end`, from that of type `next` on; `None` if
    /// they end before they should, or there are more than [`MAX_EXTENSION_HEADERS`]. Kept
    /// apart, as the way of a packet without any must not be longer for it.
    #[cold]
    fn behind_extensions(packet: &[u8], end: usize, mut next: u8) -> Option<Self> {
        let mut at = 40;
        let mut fragment = Fragment::No;
        for _ in 0..MAX_EXTENSION_HEADERS {
            let units = match next {
                protocol::HOP_BY_HOP | protocol::ROUTING | protocol::DESTINATION_OPTIONS => 8,
                // RFC 4302 §2.2: in 32-bit words minus two.
                protocol::AUTHENTICATION => 4,
                protocol::FRAGMENT => 0,
                protocol => {
                    return Some(Self {
                        at,
                        protocol,
                        fragment,
                    });
                }
            };
            let header: &[u8; 8] = packet.get(at..end).and_then(<[u8]>::first_chunk)?;
            let len = match next {
                protocol::FRAGMENT => 8,
                protocol::AUTHENTICATION => (usize::from(header[1]) + 2) * units,
                _ => (usize::from(header[1]) + 1) * units,
            };
            if next == protocol::FRAGMENT {
                let field = u16::from_be_bytes([header[2], header[3]]);
                fragment = match (field >> 3, field & 1 != 0) {
                    // RFC 6946: an atomic fragment is a whole packet. Inside a piece, it does not
                    // make a whole of it.
                    (0, false) => fragment,
                    (0, true) => Fragment::First,
                    _ => Fragment::Later,
                };
            }
            next = header[0];
            at += len;
            if at > end {
                return None;
            }
            if fragment == Fragment::Later {
                return Some(Self {
                    at,
                    protocol: next,
                    fragment,
                });
            }
        }
        None
    }
}

impl Transport {
    /// Where the header keeps an Internet checksum over header and payload, octets from its start.
    #[must_use]
    pub const fn checksum_offset(self) -> Option<u16> {
        match self {
            Self::Tcp { .. } => Some(16),
            Self::Udp => Some(6),
            Self::Icmp => Some(2),
            // SCTP's is a CRC32c (RFC 9260 §6.8).
            Self::Sctp | Self::Other | Self::Malformed => None,
        }
    }

    #[inline]
    fn parse(octets: &[u8], protocol: u8, whole: bool) -> Self {
        match protocol {
            protocol::TCP => match octets.first_chunk::<20>() {
                Some(header) => {
                    let header_len = (header[12] >> 4) * 4;
                    if header_len < 20 || usize::from(header_len) > octets.len() {
                        Self::Malformed
                    } else {
                        Self::Tcp { header_len }
                    }
                }
                None => Self::Malformed,
            },
            protocol::UDP => match octets.first_chunk::<8>() {
                // A first fragment holds less than the datagram's length field says.
                Some(header) => {
                    let len = usize::from(u16::from_be_bytes([header[4], header[5]]));
                    if len < 8 || (whole && len > octets.len()) {
                        Self::Malformed
                    } else {
                        Self::Udp
                    }
                }
                None => Self::Malformed,
            },
            protocol::ICMP | protocol::ICMPV6 if octets.len() >= 8 => Self::Icmp,
            protocol::SCTP if octets.len() >= 12 => Self::Sctp,
            protocol::ICMP | protocol::ICMPV6 | protocol::SCTP => Self::Malformed,
            _ => Self::Other,
        }
    }
}
