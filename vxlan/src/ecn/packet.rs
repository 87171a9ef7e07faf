//! The marks where they stand: in the packet that goes into a tunnel, or came out of one.

use vswitch_packet::ip::{IpHeader, Version};
use vswitch_packet::{Frame, Network, checksum};

use super::{Ecn, Unheard, decapsulate, encapsulate};

/// Header checksum, octets from the start of an IPv4 header.
const V4_CHECKSUM: usize = 10;

/// Which differentiated services code point an outer packet has (RFC 2983).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dscp {
    /// That of the packet inside; 0 where there is no IP inside.
    Inherit,
    /// Always this one, 0 to 63; higher bits are ignored.
    Fixed(u8),
}

impl Default for Dscp {
    /// Best effort, as of Linux and Open vSwitch: a container does not choose its class on the
    /// underlay.
    fn default() -> Self {
        Self::Fixed(0)
    }
}

/// TOS or traffic class of the outer packet for `frame`. What is no IP understands no marks.
#[must_use]
#[inline]
pub fn outer_tos(frame: &Frame<'_>, dscp: Dscp) -> u8 {
    let inner = match frame.network() {
        Network::Ip(ip) => tos(frame.bytes(), &ip),
        Network::Arp { .. } | Network::Malformed | Network::Opaque => 0,
    };
    let dscp = match dscp {
        Dscp::Inherit => inner & 0b1111_1100,
        Dscp::Fixed(dscp) => dscp << 2,
    };
    dscp | encapsulate(Ecn::of(inner)).bits()
}

/// Marks the packet in `frame`, which came in an outer one of this TOS or traffic class, as
/// [`decapsulate`] says. What is no IP stays as it is.
///
/// # Errors
/// [`Unheard`], and the frame, which is as it was, must be dropped.
#[inline]
pub fn apply(frame: &mut Frame<'_>, outer_tos: u8) -> Result<(), Unheard> {
    let Network::Ip(ip) = frame.network() else {
        return Ok(());
    };
    let inner = Ecn::of(tos(frame.bytes(), &ip));
    let marked = decapsulate(inner, Ecn::of(outer_tos))?;
    if marked != inner {
        mark(frame.bytes_mut(), &ip, marked);
    }
    Ok(())
}

/// TOS or traffic class.
#[inline]
fn tos(bytes: &[u8], ip: &IpHeader) -> u8 {
    let word = word(bytes, usize::from(ip.start));
    match ip.version {
        Version::V4 => word as u8,
        // Four bits of version, eight of class (RFC 8200 §3).
        Version::V6 => (word >> 4) as u8,
    }
}

/// Both versions have the mark in their first word.
fn mark(bytes: &mut [u8], ip: &IpHeader, ecn: Ecn) {
    let start = usize::from(ip.start);
    let old = word(bytes, start);
    let shift = match ip.version {
        Version::V4 => 0,
        Version::V6 => 4,
    };
    let new = old & !(0b11 << shift) | u16::from(ecn.bits()) << shift;
    write(bytes, start, new);
    if ip.version == Version::V4 {
        let sum = word(bytes, start + V4_CHECKSUM);
        write(bytes, start + V4_CHECKSUM, checksum::update(sum, old, new));
    }
}

/// A position that no parsed packet has reads as zero, and is not written.
#[inline]
fn word(bytes: &[u8], at: usize) -> u16 {
    let word = bytes.get(at..).and_then(<[u8]>::first_chunk);
    u16::from_be_bytes(*word.unwrap_or(&[0; 2]))
}

fn write(bytes: &mut [u8], at: usize, word: u16) {
    if let Some(stored) = bytes.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
        *stored = word.to_be_bytes();
    }
}

#[cfg(test)]
mod tests {
    use etherparse::{PacketBuilder, SlicedPacket};
    use proptest::prelude::*;

    use super::super::Ecn::{Ce, Ect0, Ect1, NotEct};
    use super::*;

    const LINK: ([u8; 6], [u8; 6]) = ([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);

    /// A datagram with this TOS or traffic class.
    fn datagram(version: Version, tos: u8) -> Vec<u8> {
        let link = PacketBuilder::ethernet2(LINK.0, LINK.1);
        let packet = match version {
            Version::V4 => {
                let mut ip =
                    etherparse::Ipv4Header::new(0, 64, 17.into(), [10; 4], [11; 4]).unwrap();
                (ip.dscp, ip.ecn) = (
                    (tos >> 2).try_into().unwrap(),
                    (tos & 3).try_into().unwrap(),
                );
                link.ip(etherparse::IpHeaders::Ipv4(ip, Default::default()))
            }
            Version::V6 => {
                let ip = etherparse::Ipv6Header {
                    traffic_class: tos,
                    flow_label: 0xf_1234.try_into().unwrap(),
                    hop_limit: 64,
                    source: [10; 16],
                    destination: [11; 16],
                    ..Default::default()
                };
                link.ip(etherparse::IpHeaders::Ipv6(ip, Default::default()))
            }
        };
        let mut bytes = vec![];
        packet.udp(9, 9).write(&mut bytes, &[1, 2, 3]).unwrap();
        bytes
    }

    fn plain(bytes: &mut [u8]) -> Frame<'_> {
        Frame::parse_plain(bytes).unwrap()
    }

    /// What is neither IPv4 nor IPv6 whole.
    fn strange() -> [Vec<u8>; 3] {
        let link = [LINK.0, LINK.1].concat();
        let arp = [&[8, 6, 0, 1, 8, 0, 6, 4, 0, 1][..], &[0xff; 20]].concat();
        let cut = vec![8, 0, 0x45, 0xff, 0, 20];
        let unknown = vec![0x88, 0xcc, 0xff, 0xff, 0xff];
        [arp, cut, unknown].map(|rest| [link.clone(), rest].concat())
    }

    fn version() -> impl Strategy<Value = Version> {
        prop_oneof![Just(Version::V4), Just(Version::V6)]
    }

    proptest! {
        #[test]
        fn the_packet_is_the_one_with_that_mark(version in version(), inner: u8, outer: u8) {
            let mut bytes = datagram(version, inner);
            let before = bytes.clone();
            let applied = apply(&mut plain(&mut bytes), outer);
            let expected = match decapsulate(Ecn::of(inner), Ecn::of(outer)) {
                Ok(ecn) => datagram(version, inner & !0b11 | ecn.bits()),
                Err(Unheard) => before,
            };
            prop_assert_eq!(applied.is_ok(), Ecn::of(inner) != NotEct || Ecn::of(outer) != Ce);
            prop_assert_eq!(bytes, expected);
        }

        /// Etherparse reads what [`outer_tos`] reads.
        #[test]
        fn class_and_mark_are_read(version in version(), inner: u8, fixed in 0..64u8) {
            let mut bytes = datagram(version, inner);
            let read = match SlicedPacket::from_ethernet(&bytes).unwrap().net.unwrap() {
                etherparse::NetSlice::Ipv4(ip) => {
                    ip.header().dcp().value() << 2 | ip.header().ecn().value()
                }
                etherparse::NetSlice::Ipv6(ip) => ip.header().traffic_class(),
                net => panic!("{net:?}"),
            };
            prop_assert_eq!(read, inner);
            let frame = plain(&mut bytes);
            prop_assert_eq!(outer_tos(&frame, Dscp::Inherit), inner);
            let outer = outer_tos(&frame, Dscp::Fixed(fixed));
            prop_assert_eq!((outer >> 2, outer & 3), (fixed, inner & 3));
        }
    }

    #[test]
    fn a_broken_header_is_not_mended() {
        for (outer, changed) in [(Ect0, false), (Ce, true)] {
            let mut bytes = datagram(Version::V4, Ect0.bits());
            bytes[14 + V4_CHECKSUM] ^= 0x40;
            let before = bytes.clone();
            apply(&mut plain(&mut bytes), outer.bits()).unwrap();
            let frame = plain(&mut bytes);
            let Network::Ip(ip) = frame.network() else {
                panic!("no IP");
            };
            assert!(!ip.checksum_ok(frame.bytes()));
            assert_eq!(bytes != before, changed);
        }
    }

    #[test]
    fn behind_tags_there_is_a_packet_too() {
        for version in [Version::V4, Version::V6] {
            let tagged = |ecn: Ecn| {
                let mut bytes = datagram(version, ecn.bits());
                bytes.splice(12..12, [0x88, 0xa8, 0, 7, 0x81, 0, 0, 5]);
                bytes
            };
            let mut bytes = tagged(Ect0);
            assert_eq!(outer_tos(&plain(&mut bytes), Dscp::Inherit), Ect0.bits());
            apply(&mut plain(&mut bytes), Ect1.bits()).unwrap();
            assert_eq!(bytes, tagged(Ect1));
        }
    }

    #[test]
    fn what_is_no_ip_has_no_mark() {
        for mut bytes in strange() {
            let before = bytes.clone();
            let mut frame = plain(&mut bytes);
            assert_eq!(outer_tos(&frame, Dscp::Inherit), 0);
            assert_eq!(outer_tos(&frame, Dscp::default()), 0);
            assert_eq!(outer_tos(&frame, Dscp::Fixed(46)), 46 << 2);
            assert_eq!(apply(&mut frame, 0xff), Ok(()));
            assert_eq!(bytes, before);
        }
    }

    #[test]
    fn higher_bits_of_a_fixed_class_are_ignored() {
        let mut bytes = datagram(Version::V4, Ect1.bits());
        let frame = plain(&mut bytes);
        assert_eq!(
            outer_tos(&frame, Dscp::Fixed(0xc0 | 46)),
            46 << 2 | Ect1.bits()
        );
    }
}
