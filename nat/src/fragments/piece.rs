//! A fragment: which datagram it is a piece of, and which.

use std::net::IpAddr;

use vswitch_packet::ip::{Fragment, IpHeader, Version};

use crate::refusal::Refusal;
use crate::translate::extensions::Extensions;

/// Identification and flags, RFC 791 §3.1.
const IPV4_ID: usize = 4;
const IPV4_FLAGS: usize = 6;

const MAX_DATAGRAM: u32 = 65535;

/// Which way a datagram goes. One that crosses the translator twice, between two containers, is
/// seen with the same addresses both times where none is translated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Way {
    /// From a container, by [`crate::Nat::outbound`].
    Outbound,
    /// To an address of the host, by [`crate::Nat::inbound`].
    Inbound,
    /// To a container's own address, by [`crate::Nat::direct`].
    Direct,
}

/// What the fragments of one datagram have in common (RFC 791 §3.2, RFC 8200 §4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Datagram {
    pub(crate) way: Way,
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    id: u32,
    /// IPv4 only: in IPv6, pieces may disagree about the next header.
    protocol: u8,
}

/// Which octets of the datagram's payload a fragment has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// The first.
    pub(crate) start: u16,
    /// One past the last.
    pub(crate) end: u16,
    /// Whether it is the end of the datagram.
    pub(crate) last: bool,
}

/// Reads what the fragment in `bytes` is, which is one by `ip.fragment`.
///
/// # Errors
/// [`Refusal::BadFragment`] for a piece that fits into no datagram: empty, beyond 65535 octets, or
/// not a multiple of eight octets without being the last (RFC 791 §3.2, RFC 8200 §4.5).
pub(crate) fn read(bytes: &[u8], ip: &IpHeader, way: Way) -> Result<(Datagram, Piece), Refusal> {
    let start = usize::from(ip.start);
    let end = ip.end as usize;
    let packet = bytes.get(start..end).ok_or(Refusal::BadFragment)?;
    let (id, field, payload, protocol) = match ip.version {
        Version::V4 => {
            let id = u16::from_be_bytes(chunk(packet, IPV4_ID)?);
            let flags = u16::from_be_bytes(chunk(packet, IPV4_FLAGS)?);
            // To the unit and the place that IPv6 has them in.
            let field = flags << 3 | u16::from(flags & 0x2000 != 0);
            (u32::from(id), field, usize::from(ip.payload), ip.protocol)
        }
        Version::V6 => {
            let at = Extensions::walk(packet)
                .and_then(|extensions| extensions.fragment)
                .ok_or(Refusal::BadFragment)?;
            let id = u32::from_be_bytes(chunk(packet, at + 4)?);
            let field = u16::from_be_bytes(chunk(packet, at + 2)?);
            (id, field, start + at + 8, 0)
        }
    };
    let more = field & 1 != 0;
    let offset = u32::from(field & 0xfff8);
    let len = u32::try_from(end - payload).map_err(|_| Refusal::BadFragment)?;
    let fits = len > 0 && offset + len <= MAX_DATAGRAM && (!more || len.is_multiple_of(8));
    if !fits || (ip.fragment == Fragment::First) != (offset == 0) {
        return Err(Refusal::BadFragment);
    }
    let datagram = Datagram {
        way,
        source: ip.source(bytes),
        destination: ip.destination(bytes),
        id,
        protocol,
    };
    let piece = Piece {
        start: offset as u16,
        end: (offset + len) as u16,
        last: !more,
    };
    Ok((datagram, piece))
}

fn chunk<const N: usize>(packet: &[u8], at: usize) -> Result<[u8; N], Refusal> {
    let chunk = packet.get(at..).and_then(<[u8]>::first_chunk);
    chunk.copied().ok_or(Refusal::BadFragment)
}
