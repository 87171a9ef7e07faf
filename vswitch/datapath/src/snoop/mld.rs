//! MLD versions 1 and 2 (RFC 2710, RFC 3810).

use core::net::Ipv6Addr;
use core::time::Duration;
use std::net::IpAddr;

use vswitch_packet::Frame;
use vswitch_packet::ip::{IpHeader, Version, protocol};

use super::message::{Changes, Message, Query};
use crate::gateway::verified_message;

const QUERY: u8 = 130;
const REPORT_V1: u8 = 131;
const DONE: u8 = 132;
const REPORT_V2: u8 = 143;

/// Octets from the start of the IPv6 header.
const NEXT_HEADER: usize = 6;

/// Reads the message in `frame`.
///
/// Only what RFC 3810 §6.2 lets a router believe: sent on this link (hop limit 1), with a
/// hop-by-hop header for the router alert, from a link-local address, or from none yet if a host
/// reports (RFC 3590).
pub(super) fn read<'a>(frame: &'a Frame<'_>, ip: &IpHeader) -> Option<Message<'a>> {
    let bytes = frame.bytes();
    let first = bytes.get(usize::from(ip.start) + NEXT_HEADER)?;
    if *first != protocol::HOP_BY_HOP || ip.hop_limit(bytes) != 1 {
        return None;
    }
    let IpAddr::V6(source) = ip.source(bytes) else {
        return None;
    };
    if !source.is_unicast_link_local() && !source.is_unspecified() {
        return None;
    }
    let octets = verified_message(frame, ip)?;
    let (header, body) = octets.split_first_chunk::<8>()?;
    let &[kind, _, _, _, code_high, code_low, count_high, count_low] = header;
    match kind {
        QUERY if source.is_unspecified() => None,
        QUERY => {
            let code = u16::from_be_bytes([code_high, code_low]);
            query(code, body).map(Message::Query)
        }
        REPORT_V1 => Some(Message::Report(Changes::join(group(body)?))),
        DONE => Some(Message::Report(Changes::leave(group(body)?))),
        REPORT_V2 => {
            let count = u16::from_be_bytes([count_high, count_low]);
            Some(Message::Report(Changes::records(Version::V6, count, body)))
        }
        _ => None,
    }
}

fn query(code: u16, body: &[u8]) -> Option<Query> {
    let group = group(body)?;
    // RFC 3810 §8.1: 24 octets are of version 1, from 28 on it is version 2.
    let (millis, suppressed, sources) = match *body.get(16..)? {
        [] => (u64::from(code), false, 0),
        [flags, _, a, b, ..] => (decode(code), flags & 0x08 != 0, u16::from_be_bytes([a, b])),
        _ => return None,
    };
    let specific = !group.is_unspecified();
    if specific && !group.is_multicast() {
        return None;
    }
    Some(Query {
        family: Version::V6,
        group: specific.then_some(group),
        from_router: true,
        forgets: specific && !suppressed && sources == 0,
        max_response: Duration::from_millis(millis),
    })
}

fn group(body: &[u8]) -> Option<IpAddr> {
    body.first_chunk::<16>()
        .map(|&octets| IpAddr::V6(Ipv6Addr::from(octets)))
}

/// The floating-point number of RFC 3810 §5.1.3.
fn decode(code: u16) -> u64 {
    if code < 0x8000 {
        u64::from(code)
    } else {
        u64::from(code & 0x0fff | 0x1000) << (u32::from(code >> 12 & 0x07) + 3)
    }
}
