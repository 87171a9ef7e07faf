//! IGMP versions 1 to 3 (RFC 1112 appendix I, RFC 2236, RFC 3376).

use core::time::Duration;
use std::net::IpAddr;

use smoltcp::wire::IgmpPacket;
use vswitch_packet::Frame;
use vswitch_packet::ip::{IpHeader, Version};

use super::message::{Changes, Message, Query};
use crate::gateway::verified_message;

const QUERY: u8 = 0x11;
const REPORT_V1: u8 = 0x12;
const REPORT_V2: u8 = 0x16;
const LEAVE: u8 = 0x17;
const REPORT_V3: u8 = 0x22;

/// Tenths of a second that members of version 1 take (RFC 3376 §7.2.1).
const RESPONSE_V1: u32 = 100;

/// Reads the message in `frame`.
pub(super) fn read<'a>(frame: &'a Frame<'_>, ip: &IpHeader) -> Option<Message<'a>> {
    if !ip.checksum_ok(frame.bytes()) {
        return None;
    }
    let octets = verified_message(frame, ip)?;
    let packet = IgmpPacket::new_checked(octets).ok()?;
    let group = IpAddr::V4(packet.group_addr());
    match u8::from(packet.msg_type()) {
        QUERY => query(octets, &packet, group, ip.source(frame.bytes())).map(Message::Query),
        REPORT_V1 | REPORT_V2 => Some(Message::Report(Changes::join(group))),
        LEAVE => Some(Message::Report(Changes::leave(group))),
        REPORT_V3 => {
            let &[_, _, _, _, _, _, a, b] = octets.first_chunk()?;
            let records = octets.get(8..)?;
            let count = u16::from_be_bytes([a, b]);
            Some(Message::Report(Changes::records(
                Version::V4,
                count,
                records,
            )))
        }
        _ => None,
    }
}

fn query(octets: &[u8], packet: &IgmpPacket<&[u8]>, group: IpAddr, from: IpAddr) -> Option<Query> {
    // RFC 3376 §7.1: 8 octets are of version 1 or 2, from 12 on it is version 3.
    let code = packet.max_resp_code();
    let (tenths, suppressed, sources) = match (octets.len(), octets) {
        (8, _) if code == 0 => (RESPONSE_V1, false, 0),
        (8, _) => (u32::from(code), false, 0),
        (12.., &[_, _, _, _, _, _, _, _, flags, _, a, b, ..]) => {
            (decode(code), flags & 0x08 != 0, u16::from_be_bytes([a, b]))
        }
        _ => return None,
    };
    let specific = !group.is_unspecified();
    if specific && !group.is_multicast() {
        return None;
    }
    Some(Query {
        family: Version::V4,
        group: specific.then_some(group),
        from_router: !from.is_unspecified(),
        forgets: specific && !suppressed && sources == 0,
        max_response: Duration::from_millis(100 * u64::from(tenths)),
    })
}

/// The small floating-point number of RFC 3376 §4.1.1.
fn decode(code: u8) -> u32 {
    if code < 128 {
        u32::from(code)
    } else {
        u32::from(code & 0x0f | 0x10) << (u32::from(code >> 4 & 0x07) + 3)
    }
}
