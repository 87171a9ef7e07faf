//! What tells flows apart on the underlay: the source port (RFC 7348 §5).

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::FixedState;
use vswitch_packet::ip::{Fragment, IpHeader, Transport, Version};
use vswitch_packet::{Frame, Network};

/// The hash is no defence against anybody: the port of a flow is seen on the wire.
const STATE: FixedState = FixedState::with_seed(0x7673_7769_7463_6821);

/// A hash of the flow that `frame` belongs to, the same for all its frames: of addresses, protocol and
/// ports; of the addresses alone in all fragments, as only the first has ports; of the link's
/// addresses where there is no IP.
#[must_use]
#[inline]
pub fn entropy(frame: &Frame<'_>) -> u16 {
    let bytes = frame.bytes();
    let mut hasher = STATE.build_hasher();
    match frame.network() {
        Network::Ip(ip) => {
            let addresses = usize::from(ip.start)
                + match ip.version {
                    Version::V4 => 12,
                    Version::V6 => 8,
                };
            hasher.write_u64(eight(bytes, addresses));
            if ip.version == Version::V6 {
                for at in [8, 16, 24] {
                    hasher.write_u64(eight(bytes, addresses + at));
                }
            }
            hasher.write_u64(conversation(bytes, &ip));
        }
        Network::Arp { .. } | Network::Malformed | Network::Opaque => {
            // Of the last four octets of the source it has two twice.
            hasher.write_u64(eight(bytes, 0));
            hasher.write_u64(eight(bytes, 4));
        }
    }
    (hasher.finish() >> 48) as u16
}

/// Protocol and ports. Of fragments neither: those of one IPv6 packet may name different protocols
/// (RFC 8200 §4.5).
#[inline]
fn conversation(bytes: &[u8], ip: &IpHeader) -> u64 {
    if ip.fragment != Fragment::No {
        return 0;
    }
    let ports = match ip.transport {
        Transport::Tcp { .. } | Transport::Udp | Transport::Sctp => bytes
            .get(usize::from(ip.payload)..)
            .and_then(<[u8]>::first_chunk)
            .map_or(0, |ports| u32::from_ne_bytes(*ports)),
        Transport::Icmp | Transport::Other | Transport::Malformed => 0,
    };
    u64::from(ip.protocol) << 32 | u64::from(ports)
}

/// The eight octets at `at`: where there are fewer, nothing, which no parsed frame comes to.
#[inline]
fn eight(bytes: &[u8], at: usize) -> u64 {
    bytes
        .get(at..)
        .and_then(<[u8]>::first_chunk)
        .map_or(0, |octets| u64::from_ne_bytes(*octets))
}

#[cfg(test)]
mod tests {
    use etherparse::{IpFragOffset, IpHeaders, Ipv4Header, Ipv6Header, PacketBuilder};
    use proptest::prelude::*;
    use vswitch_packet::{ChecksumMode, Segments, VnetHeader};

    use super::*;

    const FRAGMENT: u8 = 44;
    const DESTINATION_OPTIONS: u8 = 60;
    const UDP: u8 = 17;

    fn of(mut bytes: Vec<u8>) -> u16 {
        entropy(&Frame::parse_plain(&mut bytes).unwrap())
    }

    fn link() -> etherparse::PacketBuilderStep<etherparse::Ethernet2Header> {
        PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2])
    }

    fn udp4(source: u32, ports: [u16; 2], len: usize) -> Vec<u8> {
        let mut bytes = vec![];
        link()
            .ipv4(source.to_be_bytes(), [10, 0, 0, 9], 64)
            .udp(ports[0], ports[1])
            .write(&mut bytes, &vec![7; len])
            .unwrap();
        bytes
    }

    fn udp6(source: u128, ports: [u16; 2], len: usize) -> Vec<u8> {
        let mut bytes = vec![];
        link()
            .ipv6(source.to_be_bytes(), [0xfd; 16], 64)
            .udp(ports[0], ports[1])
            .write(&mut bytes, &vec![7; len])
            .unwrap();
        bytes
    }

    /// A piece of a datagram from these ports, eight octets for each unit of `offset` behind its start.
    fn fragment4(offset: u16, more: bool, ports: [u16; 2]) -> Vec<u8> {
        let mut ip = Ipv4Header::new(16, 64, UDP.into(), [10, 0, 0, 1], [10, 0, 0, 2]).unwrap();
        ip.dont_fragment = false;
        ip.fragment_offset = IpFragOffset::try_new(offset).unwrap();
        ip.more_fragments = more;
        let mut bytes = vec![];
        let step = link().ip(IpHeaders::Ipv4(ip, Default::default()));
        step.write(&mut bytes, UDP.into(), &payload(offset, ports))
            .unwrap();
        bytes
    }

    /// As [`fragment4`]; `next` is what the fragment header says that follows it.
    fn fragment6(offset: u16, more: bool, ports: [u16; 2], next: u8) -> Vec<u8> {
        let [high, low] = (offset << 3 | u16::from(more)).to_be_bytes();
        let header = [next, 0, high, low, 0, 0, 0, 9];
        let options = match (next, offset) {
            (DESTINATION_OPTIONS, 0) => &[UDP, 0, 1, 4, 0, 0, 0, 0][..],
            _ => &[],
        };
        let ip = Ipv6Header {
            hop_limit: 64,
            source: [0xfd; 16],
            ..Default::default()
        };
        let mut bytes = vec![];
        let step = link().ip(IpHeaders::Ipv6(ip, Default::default()));
        let rest = [&header, options, &payload(offset, ports)].concat();
        step.write(&mut bytes, FRAGMENT.into(), &rest).unwrap();
        bytes
    }

    fn payload(offset: u16, [source, destination]: [u16; 2]) -> Vec<u8> {
        if offset > 0 {
            // Other ports, if anybody took them for such.
            return vec![offset as u8; 16];
        }
        let header = [source, destination, 64, 0].map(u16::to_be_bytes);
        [header.as_flattened(), &[0; 8]].concat()
    }

    /// The segments that a super-frame stands for, and it itself.
    fn joined_and_apart(mut bytes: Vec<u8>, gso_type: u8, transport: u16, checksum: u16) {
        let header = VnetHeader {
            flags: 1,
            gso_type,
            gso_size: 100,
            csum_start: transport,
            csum_offset: checksum,
            ..VnetHeader::default()
        };
        let frame = Frame::parse(&mut bytes, header).unwrap();
        let mut segments = Segments::new(&frame, ChecksumMode::Complete);
        assert_eq!(segments.remaining(), 10);
        let mut scratch = [0; 256];
        while let Some(segment) = segments.next_into(&mut scratch) {
            assert_eq!(of(scratch[..segment.len].to_vec()), entropy(&frame));
        }
    }

    /// 10,000 flows over 16 buckets, by the hash's lowest and by its highest bits: 625 in each on
    /// average, with a standard deviation of 24.
    fn assert_spread(what: &str, flow: impl Fn(u16) -> Vec<u8>) {
        let mut buckets = [[0; 16]; 2];
        for number in 0..10_000 {
            let hash = of(flow(number));
            buckets[0][usize::from(hash % 16)] += 1;
            buckets[1][usize::from(hash >> 12)] += 1;
        }
        for count in buckets.as_flattened() {
            assert!((500..=750).contains(count), "{what}: {buckets:?}");
        }
    }

    #[test]
    fn flows_are_spread() {
        assert_spread("source port, IPv4", |n| udp4(1, [n, 53], 0));
        assert_spread("destination port, IPv4", |n| udp4(1, [53, n], 0));
        assert_spread("source address, IPv4", |n| udp4(n.into(), [53, 53], 0));
        assert_spread("source port, IPv6", |n| udp6(1, [n, 53], 0));
        assert_spread("low half, IPv6", |n| udp6(n.into(), [53, 53], 0));
        assert_spread("high half, IPv6", |n| {
            udp6(u128::from(n) << 64, [53, 53], 0)
        });
        assert_spread("identical ports", |n| udp6(1, [n, n], 0));
        for (what, at) in [("destination MAC", 4), ("source MAC", 10)] {
            assert_spread(what, |n| {
                let mut bytes = vec![2; 60];
                bytes[at..at + 2].copy_from_slice(&n.to_be_bytes());
                bytes
            });
        }
    }

    #[test]
    fn a_super_frame_is_of_the_flow_of_its_segments() {
        joined_and_apart(udp4(1, [5000, 53], 1000), 5, 34, 6);
        joined_and_apart(udp6(1, [5000, 53], 1000), 5, 54, 6);
        let mut bytes = vec![];
        let tcp = link()
            .ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
            .tcp(5000, 80, 1, 1000);
        tcp.ack(1).write(&mut bytes, &[7; 1000]).unwrap();
        joined_and_apart(bytes, 1, 34, 16);
    }

    #[test]
    fn protocols_tell_flows_apart() {
        let mut udp = udp4(1, [5000, 53], 20);
        let hash = of(udp.clone());
        udp[14 + 9] = 132;
        assert_ne!(of(udp), hash);
    }

    proptest! {
        #[test]
        fn all_fragments_are_of_one_flow(ports: [u16; 2], offset in 1..8000u16, more: bool) {
            let first = of(fragment4(0, true, ports));
            prop_assert_eq!(of(fragment4(offset, more, ports)), first);
            for next in [UDP, DESTINATION_OPTIONS] {
                let first = of(fragment6(0, true, ports, next));
                for other in [UDP, DESTINATION_OPTIONS] {
                    prop_assert_eq!(of(fragment6(offset, more, ports, other)), first);
                }
            }
        }

        #[test]
        fn only_the_flow_counts(source: u32, ports: [u16; 2], len in 0..200usize, changed: [u8; 8]) {
            let plain = of(udp4(source, ports, len));
            let mut other = udp4(source, ports, 300);
            other[0..6].copy_from_slice(&changed[..6]);
            // TOS, identification, TTL, payload.
            other[15] = changed[0];
            other[18..20].copy_from_slice(&changed[1..3]);
            other[22] = changed[3];
            other[50] = changed[4];
            prop_assert_eq!(of(other.clone()), plain);
            other.splice(12..12, [0x81, 0, changed[5], changed[6]]);
            prop_assert_eq!(of(other), plain);
        }
    }
}
