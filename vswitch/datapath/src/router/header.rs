//! What the router looks at and changes in the headers of every packet that crosses it.

use vswitch_packet::ip::{IpHeader, Version, protocol};
use vswitch_packet::{Frame, MacAddr, checksum};

use super::notice::Notice;
use super::passage::Stop;
use crate::verdict::DropReason;

/// Octets from the start of the IP header.
const V4_FLAGS: usize = 6;
const V4_TTL: usize = 8;
const V4_CHECKSUM: usize = 10;
const V6_HOP_LIMIT: usize = 7;
const V4_HEADER: usize = 20;
const V6_HEADER: usize = 40;

const DONT_FRAGMENT: u8 = 0x40;

/// IPv4 options, RFC 791 §3.1.
const END_OF_OPTIONS: u8 = 0;
const NO_OPERATION: u8 = 1;
const LOOSE_SOURCE_ROUTE: u8 = 131;
const STRICT_SOURCE_ROUTE: u8 = 137;

/// Whether the packet may go on by a port that takes packets of `mtu` octets: it has time left, fits or
/// may be fragmented, and no checksum is to be put into its IP header.
pub(super) fn check(frame: &Frame<'_>, ip: &IpHeader, mtu: u16) -> Result<(), Stop> {
    // A device would write over what was looked at.
    if frame
        .offload()
        .checksum
        .is_some_and(|partial| partial.start < ip.payload)
    {
        return Err(DropReason::BadOffload.into());
    }
    if ip.hop_limit(frame.bytes()) <= 1 {
        return Err(Stop::tell(DropReason::TtlExceeded, Notice::TimeExceeded));
    }
    if frame.packet_len() > usize::from(mtu) && !may_be_fragmented(frame, ip) {
        return Err(Stop::tell(DropReason::TooBig, Notice::TooBig(mtu)));
    }
    Ok(())
}

/// Whether a router may divide the packet: IPv4 without DF (RFC 791 §2.3).
pub(crate) fn may_be_fragmented(frame: &Frame<'_>, ip: &IpHeader) -> bool {
    let flags = frame.bytes().get(usize::from(ip.start) + V4_FLAGS);
    ip.version == Version::V4 && flags.is_some_and(|flags| flags & DONT_FRAGMENT == 0)
}

/// Sends the packet on its next step: one hop less to live, from `from` to `to`.
#[inline]
pub(super) fn step(frame: &mut Frame<'_>, ip: &IpHeader, from: MacAddr, to: MacAddr) {
    let start = usize::from(ip.start);
    let bytes = frame.bytes_mut();
    if let Some(macs) = bytes.first_chunk_mut::<12>() {
        macs[..6].copy_from_slice(&to.0);
        macs[6..].copy_from_slice(&from.0);
    }
    match ip.version {
        Version::V4 => {
            let header = bytes.get_mut(start..).and_then(<[u8]>::first_chunk_mut);
            let Some(header): Option<&mut [u8; V4_HEADER]> = header else {
                return;
            };
            let word =
                |header: &[u8; V4_HEADER], at| u16::from_be_bytes([header[at], header[at + 1]]);
            let old = word(header, V4_TTL);
            header[V4_TTL] = header[V4_TTL].saturating_sub(1);
            let new = word(header, V4_TTL);
            let sum = checksum::update(word(header, V4_CHECKSUM), old, new);
            header[V4_CHECKSUM..V4_CHECKSUM + 2].copy_from_slice(&sum.to_be_bytes());
        }
        Version::V6 => {
            if let Some(hop_limit) = bytes.get_mut(start + V6_HOP_LIMIT) {
                *hop_limit = hop_limit.saturating_sub(1);
            }
        }
    }
}

/// Whether the sender has chosen the packet's way itself: by an IPv4 option, or an IPv6 routing
/// header of type 0. Neither is honoured (RFC 7126 §4.3, RFC 5095 §3).
pub(super) fn has_source_route(frame: &Frame<'_>, ip: &IpHeader) -> bool {
    let (start, payload) = (usize::from(ip.start), usize::from(ip.payload));
    let headers = frame.bytes().get(start..payload).unwrap_or_default();
    match ip.version {
        Version::V4 => headers
            .get(V4_HEADER..)
            .is_some_and(has_source_route_option),
        Version::V6 if headers.len() > V6_HEADER => has_routing_header_0(headers),
        Version::V6 => false,
    }
}

fn has_source_route_option(mut options: &[u8]) -> bool {
    while let [kind, rest @ ..] = options {
        options = match (*kind, rest) {
            (END_OF_OPTIONS, _) => return false,
            (LOOSE_SOURCE_ROUTE | STRICT_SOURCE_ROUTE, _) => return true,
            (NO_OPERATION, rest) => rest,
            (_, [len, ..]) => options.get(usize::from(*len).max(2)..).unwrap_or_default(),
            (_, []) => return false,
        };
    }
    false
}

/// `headers` were walked once by [`Frame::parse`], which has seen to their lengths.
fn has_routing_header_0(headers: &[u8]) -> bool {
    let (mut next, mut rest) = (headers[6], headers.get(V6_HEADER..).unwrap_or_default());
    while let [following, len, kind, ..] = *rest {
        let units = usize::from(len);
        let len = match next {
            protocol::ROUTING if kind == 0 => return true,
            protocol::FRAGMENT => 8,
            protocol::AUTHENTICATION => (units + 2) * 4,
            _ => (units + 1) * 8,
        };
        (next, rest) = (following, rest.get(len..).unwrap_or_default());
    }
    false
}

/// What translation changes in a packet that is no ICMP error: kept, so that the packet can be as it
/// came once more.
pub(super) struct AsItCame {
    network: [u8; V6_HEADER],
    transport: [u8; TRANSPORT],
}

/// Ports and checksum are within this of TCP, UDP, SCTP and echo.
const TRANSPORT: usize = 20;

impl AsItCame {
    #[inline]
    pub(super) fn of(frame: &Frame<'_>, ip: &IpHeader) -> Self {
        let bytes = frame.bytes();
        Self {
            network: take(bytes, usize::from(ip.start)),
            transport: take(bytes, usize::from(ip.payload)),
        }
    }

    #[cold]
    pub(super) fn restore(&self, frame: &mut Frame<'_>, ip: &IpHeader) {
        let bytes = frame.bytes_mut();
        put_back(bytes, usize::from(ip.start), &self.network);
        put_back(bytes, usize::from(ip.payload), &self.transport);
    }
}

/// As many octets as there are.
fn take<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let rest = bytes.get(at..).unwrap_or_default();
    match rest.first_chunk() {
        Some(octets) => *octets,
        None => {
            let mut octets = [0; N];
            octets[..rest.len()].copy_from_slice(rest);
            octets
        }
    }
}

fn put_back(bytes: &mut [u8], at: usize, octets: &[u8]) {
    for (place, octet) in bytes.iter_mut().skip(at).zip(octets) {
        *place = *octet;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_routes_are_found_among_other_options() {
        for (options, expected) in [
            (&[][..], false),
            (&[1, 1, 1, 0], false),
            (&[131, 7, 4, 1, 2, 3, 4, 0], true),
            (&[1, 137, 3, 4], true),
            // Record route, then a strict one; and one behind the end.
            (&[7, 7, 4, 0, 0, 0, 0, 137, 3, 4], true),
            (&[0, 137, 3, 4], false),
            // Lengths that lie.
            (&[7, 0, 131, 3], true),
            (&[7, 200], false),
            (&[7], false),
        ] {
            assert_eq!(has_source_route_option(options), expected, "{options:?}");
        }
    }

    #[test]
    fn routing_header_0_is_found_behind_other_headers() {
        let headers = |first: u8, extensions: &[u8]| {
            let mut headers = vec![0; V6_HEADER];
            headers[6] = first;
            headers.extend_from_slice(extensions);
            headers
        };
        let options = [protocol::ROUTING, 0, 1, 4, 0, 0, 0, 0];
        let route = |kind| [17, 0, kind, 0, 0, 0, 0, 0];
        for (kind, expected) in [(0, true), (2, false), (4, false)] {
            let plain = headers(protocol::ROUTING, &route(kind));
            assert_eq!(has_routing_header_0(&plain), expected);
            let behind = [options, route(kind)].concat();
            assert_eq!(has_routing_header_0(&headers(0, &behind)), expected);
        }
        let fragment = [17, 0, 0, 1, 0, 0, 0, 0];
        assert!(!has_routing_header_0(&headers(
            protocol::FRAGMENT,
            &fragment
        )));
    }
}
