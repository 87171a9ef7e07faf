//! Where the fields are that translation changes, and changing them.

use vswitch_packet::ip::{IpHeader, Version};

use super::sctp;
use super::sum::Delta;
use crate::endpoint::{Address, Endpoint, Flow};
use crate::tuple::Protocol;

/// Header checksum, source and destination address, RFC 791 §3.1.
const IPV4_CHECKSUM: usize = 10;
const IPV4_SOURCE: usize = 12;
const IPV4_DESTINATION: usize = 16;
/// RFC 8200 §3.
const IPV6_SOURCE: usize = 8;
const IPV6_DESTINATION: usize = 24;

/// RFC 792 and RFC 4443 §4.1, from the start of the ICMP header.
const ECHO_IDENTIFIER: usize = 4;

/// Which of a packet's two endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Who sent it.
    Source,
    /// Whom it is for.
    Destination,
}

impl Side {
    /// The other one.
    pub(crate) const fn opposite(self) -> Self {
        match self {
            Self::Source => Self::Destination,
            Self::Destination => Self::Source,
        }
    }
}

/// The fields of a packet, or of one that an ICMP error quotes; in octets from the start of the
/// frame. Small, as it is copied for each frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields {
    pub(crate) version: Version,
    pub(crate) protocol: Protocol,
    pub(crate) checksum: Checksum,
    /// Start of the IP header.
    pub(crate) start: u32,
    /// Start of the transport header.
    pub(crate) transport: u32,
}

/// What becomes of the transport's checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checksum {
    /// There is none, or it is not within what is quoted.
    Absent,
    /// An Internet checksum.
    Internet,
    /// The sum of the pseudo-header, in which there are addresses but no ports: they are summed
    /// when the checksum is completed.
    Partial,
    /// An Internet checksum of which zero means that there is none (RFC 768).
    Optional,
    /// SCTP's, with so many octets behind the ports.
    Crc { following: u32 },
    /// SCTP's, with the rest of the packet in other pieces: the ports must stay.
    Unknown,
}

impl Fields {
    /// Replaces the endpoint at `side`; returns by how much the sum over all that changed grew.
    #[inline(always)]
    pub(crate) fn set_endpoint(&self, bytes: &mut [u8], side: Side, to: Endpoint) -> Delta {
        let ports = match self.checksum {
            Checksum::Crc { .. } => self.ports(bytes),
            _ => [0; 4],
        };
        let start = self.start as usize;
        let address = set_address_field(bytes, self.version, start, side, to.address());
        let header = update_header(bytes, self.version, start, address);
        let port = match self.port_field(side) {
            Some(at) => Delta::replace(bytes, at, to.port().to_be_bytes()),
            None => Delta::NONE,
        };
        let pseudo = if self.has_pseudo_header() {
            address
        } else {
            Delta::NONE
        };
        let checksum = match self.checksum {
            Checksum::Absent | Checksum::Unknown => Delta::NONE,
            Checksum::Internet => self.update_checksum(bytes, pseudo.and(port)),
            Checksum::Partial => update_field(bytes, self.checksum_field(), |field| {
                pseudo.update_partial(field)
            }),
            Checksum::Optional => update_field(bytes, self.checksum_field(), |field| match field {
                [0, 0] => field,
                // RFC 768: a computed zero is sent as all ones.
                field => match pseudo.and(port).update(field) {
                    [0, 0] => [0xff, 0xff],
                    field => field,
                },
            }),
            Checksum::Crc { following } => self.update_crc(bytes, ports, following),
        };
        address.and(header).and(port).and(checksum)
    }

    /// The change of a checksum that is whole.
    #[inline]
    pub(crate) fn update_checksum(&self, bytes: &mut [u8], delta: Delta) -> Delta {
        update_field(bytes, self.checksum_field(), |field| delta.update(field))
    }

    /// Whether [`Fields::set_endpoint`] can do it.
    #[inline]
    pub(crate) fn can_set_endpoint(&self, bytes: &[u8], side: Side, to: Endpoint) -> bool {
        self.checksum != Checksum::Unknown || self.endpoint(bytes, side).port() == to.port()
    }

    /// The endpoint at `side`.
    #[inline(always)]
    pub(crate) fn endpoint(&self, bytes: &[u8], side: Side) -> Endpoint {
        let at = self.start as usize + address_offset(self.version, side);
        let port = self.port_field(side).map_or(0, |at| word(bytes, at));
        let address = match self.version {
            Version::V4 => Address::v4(chunk(bytes, at)),
            Version::V6 => Address::v6(chunk(bytes, at)),
        };
        Endpoint::new(address, port)
    }

    /// The conversation, if `side` is the one inside.
    #[inline(always)]
    pub(crate) fn flow(&self, bytes: &[u8], side: Side) -> Flow {
        Flow {
            protocol: self.protocol,
            inside: self.endpoint(bytes, side),
            remote: self.remote(bytes, side.opposite()),
        }
    }

    /// The endpoint at `side` of a conversation that is somebody else's: of an echo, the identifier
    /// is no part of it.
    #[inline(always)]
    pub(crate) fn remote(&self, bytes: &[u8], side: Side) -> Endpoint {
        let remote = self.endpoint(bytes, side);
        match self.protocol {
            Protocol::Echo => Endpoint::new(remote.address(), 0),
            _ => remote,
        }
    }

    fn ports(&self, bytes: &[u8]) -> [u8; 4] {
        chunk(bytes, self.transport as usize)
    }

    /// An identifier is the port of both endpoints: only the one inside is ever asked for.
    #[inline]
    const fn port_field(&self, side: Side) -> Option<usize> {
        let transport = self.transport as usize;
        match (self.protocol, side) {
            (Protocol::Tcp | Protocol::Udp | Protocol::Sctp, Side::Source) => Some(transport),
            (Protocol::Tcp | Protocol::Udp | Protocol::Sctp, Side::Destination) => {
                Some(transport + 2)
            }
            (Protocol::Echo, _) => Some(transport + ECHO_IDENTIFIER),
            (Protocol::Other(_), _) => None,
        }
    }

    #[inline]
    const fn checksum_field(&self) -> usize {
        self.transport as usize + checksum_offset(self.protocol)
    }

    /// Whether the addresses are summed.
    #[inline]
    const fn has_pseudo_header(&self) -> bool {
        match self.protocol {
            Protocol::Tcp | Protocol::Udp => true,
            // ICMP's is over the message alone, ICMPv6's is not (RFC 4443 §2.3).
            Protocol::Echo | Protocol::Other(_) => matches!(self.version, Version::V6),
            Protocol::Sctp => false,
        }
    }

    #[inline(never)]
    fn update_crc(&self, bytes: &mut [u8], old: [u8; 4], following: u32) -> Delta {
        let new = self.ports(bytes);
        if old == new {
            return Delta::NONE;
        }
        let at = self.checksum_field();
        // RFC 9260 appendix A: the CRC's octets are in the order that a little-endian machine has.
        let crc = u32::from_le_bytes(chunk(bytes, at));
        let crc = sctp::update(crc, old, new, following as usize);
        Delta::replace(bytes, at, crc.to_le_bytes())
    }
}

/// Where a header has its checksum, octets from its start. Of other protocols, only ICMP's errors
/// have one that is looked for.
#[inline]
pub(super) const fn checksum_offset(protocol: Protocol) -> usize {
    match protocol {
        Protocol::Tcp => 16,
        Protocol::Udp => 6,
        Protocol::Sctp => 8,
        Protocol::Echo | Protocol::Other(_) => 2,
    }
}

/// Replaces the address at `side` of a piece without a transport header.
pub(crate) fn set_address(bytes: &mut [u8], ip: &IpHeader, side: Side, to: Address) {
    let start = usize::from(ip.start);
    let delta = set_address_field(bytes, ip.version, start, side, to);
    let _ = update_header(bytes, ip.version, start, delta);
}

/// An address of another family is not written: nobody asks for it.
#[inline(always)]
fn set_address_field(
    bytes: &mut [u8],
    version: Version,
    start: usize,
    side: Side,
    to: Address,
) -> Delta {
    let at = start + address_offset(version, side);
    match version {
        _ if version != to.version() => Delta::NONE,
        Version::V4 => Delta::replace(bytes, at, to.four_octets()),
        Version::V6 => Delta::replace(bytes, at, to.sixteen_octets()),
    }
}

#[inline]
fn update_header(bytes: &mut [u8], version: Version, start: usize, address: Delta) -> Delta {
    match version {
        Version::V4 => update_field(bytes, start + IPV4_CHECKSUM, |field| address.update(field)),
        Version::V6 => Delta::NONE,
    }
}

const fn address_offset(version: Version, side: Side) -> usize {
    match (version, side) {
        (Version::V4, Side::Source) => IPV4_SOURCE,
        (Version::V4, Side::Destination) => IPV4_DESTINATION,
        (Version::V6, Side::Source) => IPV6_SOURCE,
        (Version::V6, Side::Destination) => IPV6_DESTINATION,
    }
}

#[inline]
fn update_field(bytes: &mut [u8], at: usize, update: impl FnOnce([u8; 2]) -> [u8; 2]) -> Delta {
    let field = update(chunk(bytes, at));
    Delta::replace(bytes, at, field)
}

/// The big-endian word at `at`; zero outside, which a parse of the same octets rules out.
#[inline]
pub(super) fn word(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes(chunk(bytes, at))
}

#[inline]
pub(super) fn chunk<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    *bytes
        .get(at..)
        .and_then(<[u8]>::first_chunk)
        .unwrap_or(&[0; N])
}
