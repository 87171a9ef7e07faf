//! The length fields of a packet: what changes in its headers when it is split or joined.

use crate::checksum;
use crate::ip::{IpHeader, Transport, Version};
use crate::word;

/// Total length, RFC 791 §3.1; of header and payload.
const IPV4_TOTAL: usize = 2;
/// Header checksum, RFC 791 §3.1.
const IPV4_CHECKSUM: usize = 10;
/// Payload length, RFC 8200 §3; extension headers count, the fixed header does not.
const IPV6_PAYLOAD: usize = 4;
const IPV6_HEADER: usize = 40;
/// Length, RFC 768; of header and payload.
const UDP: usize = 4;

/// Makes the headers at the front of `bytes` say that the packet ends at `end`: IP length, IPv4
/// header checksum and UDP length.
///
/// `end` is counted from the start of the frame, as is [`IpHeader::end`], and must not be more
/// than 65535 behind the start of the packet. The transport's checksum, which has the length in
/// its pseudo-header, is the caller's.
pub(crate) fn write(bytes: &mut [u8], ip: &IpHeader, end: usize) {
    let start = usize::from(ip.start);
    match ip.version {
        Version::V4 => write_ipv4(bytes, start, IPV4_TOTAL, (end - start) as u16),
        Version::V6 => word::write(
            bytes,
            start + IPV6_PAYLOAD,
            (end - start - IPV6_HEADER) as u16,
        ),
    }
    if ip.transport == Transport::Udp {
        let header = usize::from(ip.payload);
        word::write(bytes, header + UDP, (end - header) as u16);
    }
}

/// Replaces the word at `field` of the IPv4 header at `start` and updates the header checksum.
pub(crate) fn write_ipv4(bytes: &mut [u8], start: usize, field: usize, value: u16) {
    let old = word::read(bytes, start + field);
    word::write(bytes, start + field, value);
    let checksum = word::read(bytes, start + IPV4_CHECKSUM);
    let checksum = checksum::update(checksum, old, value);
    word::write(bytes, start + IPV4_CHECKSUM, checksum);
}
