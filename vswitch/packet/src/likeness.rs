//! What makes packets alike enough to be segments of one super-frame: the octets of their headers
//! that segmentation copies.
//!
//! Lengths, identification, checksums, and TCP's sequence number and PSH are masked out. The rest
//! is kept in full rather than as a digest: a digest could be forged, and then one packet would be
//! delivered with another's headers.

use crate::checksum;
use crate::ip::{IpHeader, Transport, Version};
use crate::word;

const TCP_FLAGS: usize = 13;
const TCP_URGENT: usize = 18;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;

/// The octets in words, so that a comparison takes a few instructions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Likeness {
    link: [u64; 3],
    link_len: u16,
    network: [u64; 5],
    transport: [u64; 4],
}

impl Likeness {
    /// `None` for a packet that is like no other: with IP options, extension headers, TCP flags
    /// or options that belong to one segment, or lengths or checksums that contradict it.
    #[inline]
    pub(crate) fn of(frame: &[u8], ip: &IpHeader) -> Option<Self> {
        let packet = frame.get(usize::from(ip.start)..ip.end as usize)?;
        let segment = frame.get(usize::from(ip.payload)..ip.end as usize)?;
        Some(Self {
            link: link(frame, usize::from(ip.start))?,
            link_len: ip.start,
            network: match ip.version {
                Version::V4 => ipv4(packet, ip)?,
                Version::V6 => ipv6(packet, ip)?,
            },
            transport: match ip.transport {
                Transport::Udp => udp(segment)?,
                Transport::Tcp { header_len } => tcp(segment, usize::from(header_len))?,
                Transport::Icmp | Transport::Sctp | Transport::Other | Transport::Malformed => {
                    return None;
                }
            },
        })
    }
}

impl PartialEq for Likeness {
    /// Looks at all words before it decides: in a train they are hardly ever different, and the
    /// derived comparison would call `memcmp` for each array.
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        fn difference<const N: usize>(a: &[u64; N], b: &[u64; N]) -> u64 {
            a.iter().zip(b).fold(0, |bits, (a, b)| bits | (a ^ b))
        }
        let link = difference(&self.link, &other.link);
        let link_len = u64::from(self.link_len ^ other.link_len);
        let network = difference(&self.network, &other.network);
        let transport = difference(&self.transport, &other.transport);
        link | link_len | network | transport == 0
    }
}

/// The eight octets at `at`, as a number.
#[inline]
fn eight(octets: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(*octets.get(at..)?.first_chunk()?))
}

/// The whole link header, some octets of it twice.
#[inline]
fn link(bytes: &[u8], link_len: usize) -> Option<[u64; 3]> {
    Some([
        eight(bytes, 0)?,
        eight(bytes, 6)?,
        eight(bytes, link_len - 8)?,
    ])
}

#[inline]
fn ipv4(packet: &[u8], ip: &IpHeader) -> Option<[u64; 5]> {
    const DONT_FRAGMENT: u64 = 0x4000;
    let header = packet.get(..20)?;
    let first = eight(header, 0)?;
    let options = ip.payload - ip.start != 20;
    // Joined, a broken header would be mended or would break all the others.
    if options || first & DONT_FRAGMENT == 0 || checksum::sum(header) != 0xffff {
        return None;
    }
    Some([
        // Without total length and identification, then without the checksum.
        first & 0xffff_0000_0000_ffff,
        eight(header, 8)? & 0xffff_0000_ffff_ffff,
        eight(header, 12)?,
        0,
        0,
    ])
}

#[inline]
fn ipv6(packet: &[u8], ip: &IpHeader) -> Option<[u64; 5]> {
    let header = packet.get(..40)?;
    if ip.payload - ip.start != 40 {
        return None;
    }
    Some([
        // Without payload length.
        eight(header, 0)? & 0xffff_ffff_0000_ffff,
        eight(header, 8)?,
        eight(header, 16)?,
        eight(header, 24)?,
        eight(header, 32)?,
    ])
}

#[inline]
fn udp(datagram: &[u8]) -> Option<[u64; 4]> {
    let header = eight(datagram, 0)?;
    let len = (header >> 16) as u16;
    let checksum = header as u16;
    // RFC 768: zero is no checksum at all, and segmenting would make one.
    if usize::from(len) != datagram.len() || checksum == 0 {
        return None;
    }
    let ports = header >> 32;
    Some([ports, 0, 0, 0])
}

#[inline]
fn tcp(segment: &[u8], header_len: usize) -> Option<[u64; 4]> {
    let header = segment.get(..header_len)?;
    if header.get(TCP_FLAGS)? & !PSH != ACK {
        return None;
    }
    let (urgent, timestamps) = match header_len {
        // No options, or the twelve octets Linux puts on every segment (RFC 7323 appendix A).
        20 => (u64::from(word::read(header, TCP_URGENT)), 0),
        32 => (
            eight(header, 16)? & 0x0000_ffff_ffff_ffff,
            eight(header, 24)?,
        ),
        _ => return None,
    };
    Some([
        // Without sequence number, then without flags, then without checksum.
        eight(header, 0)? >> 32,
        eight(header, 8)? & 0xffff_ffff_ff00_ffff,
        urgent,
        timestamps,
    ])
}
