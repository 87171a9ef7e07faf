//! ICMP errors: what the router tells a sender whose packet it could not forward (RFC 792,
//! RFC 1812 §4.3.2, RFC 4443 §2.4).

use std::net::IpAddr;

use vswitch_packet::ethernet::HEADER_LEN;
use vswitch_packet::ip::{Fragment, IpHeader, Transport, Version, protocol};
use vswitch_packet::{EtherType, Frame, MacAddr, Moment, Network, checksum};

use super::interface::Interface;
use super::martian;
use crate::port::PortId;
use crate::rate::{Bucket, Rate};

/// Octets of the longest error about IPv4 (RFC 1812 §4.3.2.3) and IPv6 (RFC 4443 §2.4 (c)).
const MAX_V4: usize = 576;
pub(crate) const MAX_V6: usize = 1280;

const V4_HEADER: usize = 20;
const V6_HEADER: usize = 40;
const ICMP_HEADER: usize = 8;

/// Precedence 6, internetwork control (RFC 1812 §4.3.2.5).
const CONTROL: u8 = 0xc0;
const DONT_FRAGMENT: u8 = 0x40;
const HOP_LIMIT: u8 = 64;

/// ICMPv6 errors are below this; a redirect is none, but must not be answered either (RFC 4443
/// §2.4 (e)).
const FIRST_QUERY_V6: u8 = 128;
const REDIRECT_V6: u8 = 137;

/// What a sender is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    /// The time to live is used up.
    TimeExceeded,
    /// There is no way to the destination's network.
    NoRoute,
    /// The destination, or the next router, does not answer.
    Unreachable,
    /// By policy, or for want of room.
    Prohibited,
    /// Longer than this MTU, and not to be fragmented.
    TooBig(u16),
    /// A link-local source cannot be answered from beyond the link.
    BeyondScope,
}

impl Notice {
    /// Type, code, and the last four octets of the header.
    const fn fields(self, version: Version) -> (u8, u8, u32) {
        match (version, self) {
            (Version::V4, Self::TimeExceeded) => (11, 0, 0),
            (Version::V4, Self::NoRoute) => (3, 0, 0),
            (Version::V4, Self::Unreachable) => (3, 1, 0),
            (Version::V4, Self::Prohibited | Self::BeyondScope) => (3, 13, 0),
            // RFC 1191 §4.
            (Version::V4, Self::TooBig(mtu)) => (3, 4, mtu as u32),
            (Version::V6, Self::TimeExceeded) => (3, 0, 0),
            (Version::V6, Self::NoRoute) => (1, 0, 0),
            (Version::V6, Self::Prohibited) => (1, 1, 0),
            (Version::V6, Self::BeyondScope) => (1, 2, 0),
            (Version::V6, Self::Unreachable) => (1, 3, 0),
            (Version::V6, Self::TooBig(mtu)) => (2, 0, mtu as u32),
        }
    }

    /// Writes the error about `frame` to the front of `reply`, as the one at `own` and `mac` tells it:
    /// an untagged frame to where it came from. Gives its length.
    pub(crate) fn write(
        self,
        frame: &Frame<'_>,
        ip: &IpHeader,
        (own, mac): (IpAddr, MacAddr),
        reply: &mut [u8],
    ) -> Option<usize> {
        let sender = ip.source(frame.bytes());
        let (headers, max) = match ip.version {
            Version::V4 => (V4_HEADER + ICMP_HEADER, MAX_V4),
            Version::V6 => (V6_HEADER + ICMP_HEADER, MAX_V6),
        };
        let packet = frame.bytes().get(usize::from(ip.start)..ip.end as usize)?;
        let quote = packet.get(..max - headers).unwrap_or(packet);
        let len = headers + quote.len();
        let out = reply.get_mut(..HEADER_LEN + len)?;

        let (link, out) = out.split_at_mut(HEADER_LEN);
        let ethertype = match ip.version {
            Version::V4 => EtherType::IPV4,
            Version::V6 => EtherType::IPV6,
        };
        put(link, 0, &frame.source().0);
        put(link, 6, &mac.0);
        put(link, 12, &ethertype.0.to_be_bytes());
        let (header, message) = out.split_at_mut(headers - ICMP_HEADER);
        write_header(header, own, sender, ICMP_HEADER + quote.len());
        let (kind, code, rest) = self.fields(ip.version);
        put(message, 0, &[kind, code, 0, 0]);
        put(message, 4, &rest.to_be_bytes());
        put(message, ICMP_HEADER, quote);
        let pseudo = match ip.version {
            Version::V4 => 0,
            Version::V6 => {
                let addresses = header.get(8..V6_HEADER).unwrap_or_default();
                checksum::pseudo_header(addresses, protocol::ICMPV6, message.len() as u32)
            }
        };
        let sum = !checksum::add(checksum::sum(message), pseudo);
        put(message, 2, &sum.to_be_bytes());
        Some(HEADER_LEN + len)
    }

    /// Whether the sender of `frame` may be told anything about it: never about an ICMP error, a later
    /// fragment, what was sent to a group, or from an address that names no single station (RFC 1812
    /// §4.3.2.7, RFC 4443 §2.4 (e)).
    pub(crate) fn is_due(frame: &Frame<'_>, ip: &IpHeader, interface: &Interface<'_>) -> bool {
        let bytes = frame.bytes();
        let (source, destination) = (ip.source(bytes), ip.destination(bytes));
        let one = martian::crosses_routers(source) || interface.is_on_link(source);
        one && !interface.is_broadcast(source)
            && !frame.destination().is_multicast()
            && !destination.is_multicast()
            && ip.fragment != Fragment::Later
            && !is_error(frame, ip)
    }
}

fn write_header(header: &mut [u8], own: IpAddr, sender: IpAddr, payload: usize) {
    header.fill(0);
    match (own, sender) {
        (IpAddr::V4(own), IpAddr::V4(sender)) => {
            put(header, 0, &[0x45, CONTROL]);
            put(header, 2, &((V4_HEADER + payload) as u16).to_be_bytes());
            put(header, 6, &[DONT_FRAGMENT, 0, HOP_LIMIT, protocol::ICMP]);
            put(header, 12, &own.octets());
            put(header, 16, &sender.octets());
            let sum = !checksum::sum(header);
            put(header, 10, &sum.to_be_bytes());
        }
        (IpAddr::V6(own), IpAddr::V6(sender)) => {
            put(header, 0, &[0x60]);
            put(header, 4, &(payload as u16).to_be_bytes());
            put(header, 6, &[protocol::ICMPV6, HOP_LIMIT]);
            put(header, 8, &own.octets());
            put(header, 24, &sender.octets());
        }
        _ => {}
    }
}

/// Whether the packet is an ICMP error, or may be one.
pub(crate) fn is_error(frame: &Frame<'_>, ip: &IpHeader) -> bool {
    if !matches!(ip.protocol, protocol::ICMP | protocol::ICMPV6) {
        return false;
    }
    let kind = frame
        .bytes()
        .get(usize::from(ip.payload))
        .copied()
        .unwrap_or(0);
    let query = match ip.version {
        // Echo, timestamp, information, address mask; router discovery. What is not known may be an
        // error.
        Version::V4 => matches!(kind, 0 | 8 | 9 | 10 | 13..=18),
        Version::V6 => kind >= FIRST_QUERY_V6 && kind != REDIRECT_V6,
    };
    ip.transport != Transport::Icmp || !query
}

/// How many errors the router sends back by each port. Outlives a change of the configuration.
///
/// Enough for many connections to discover their path's MTU at once, and too few to be of use
/// against a third party (RFC 4443 §2.4 (f), RFC 1812 §4.3.2.8).
#[derive(Debug)]
pub struct NoticeLimits {
    buckets: Box<[Bucket]>,
}

const RATE: Rate = Rate::new(100, 50);
/// Ports whose numbers are the same modulo this share a bucket.
const BUCKETS: usize = 1024;

impl Default for NoticeLimits {
    fn default() -> Self {
        Self {
            buckets: (0..BUCKETS).map(|_| Bucket::default()).collect(),
        }
    }
}

impl NoticeLimits {
    pub(crate) fn admit(&self, port: PortId, now: Moment) -> bool {
        let bucket = self.buckets.get(port.0 as usize % BUCKETS);
        bucket.is_some_and(|bucket| bucket.admit(RATE, now))
    }
}

/// The IP header of `frame`, if it carries one.
pub(crate) const fn ip_of(frame: &Frame<'_>) -> Option<IpHeader> {
    match frame.network() {
        Network::Ip(ip) => Some(ip),
        Network::Arp { .. } | Network::Malformed | Network::Opaque => None,
    }
}

fn put(bytes: &mut [u8], at: usize, octets: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + octets.len()) {
        place.copy_from_slice(octets);
    }
}
