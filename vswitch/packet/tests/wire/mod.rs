//! Packets as the RFCs draw them, written field by field and summed word by word: what the crate
//! is compared with.

#![allow(dead_code, reason = "each test file uses a part")]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

use proptest::collection::vec;
use proptest::prelude::*;
use vswitch_packet::VnetHeader;

pub(crate) const FIN: u8 = 0x01;
pub(crate) const SYN: u8 = 0x02;
pub(crate) const PSH: u8 = 0x08;
pub(crate) const ACK: u8 = 0x10;
pub(crate) const URG: u8 = 0x20;
pub(crate) const ECE: u8 = 0x40;
pub(crate) const CWR: u8 = 0x80;

const NEEDS_CSUM: u8 = 1;

/// What the transport's checksum field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sum {
    /// The pseudo-header's sum, for the device to complete.
    Partial,
    Complete,
}

#[derive(Clone, Debug)]
pub(crate) struct Packet {
    /// TPID and TCI of each, outermost first.
    pub(crate) tags: Vec<(u16, u16)>,
    pub(crate) ip: Ip,
    pub(crate) transport: Transport,
    pub(crate) payload: Vec<u8>,
    /// Octets behind the IP packet.
    pub(crate) padding: Vec<u8>,
}

#[derive(Clone, Debug)]
pub(crate) enum Ip {
    V4 {
        source: [u8; 4],
        destination: [u8; 4],
        tos: u8,
        ttl: u8,
        id: u16,
        dont_fragment: bool,
        options: Vec<u8>,
    },
    V6 {
        source: [u8; 16],
        destination: [u8; 16],
        class_and_label: u32,
        hop_limit: u8,
        /// Protocol number and octets of each; the next-header octet is filled in.
        extensions: Vec<(u8, Vec<u8>)>,
        /// Where a routing header says that the packet goes in the end.
        final_destination: Option<[u8; 16]>,
    },
}

#[derive(Clone, Debug)]
pub(crate) enum Transport {
    Udp {
        ports: [u16; 2],
    },
    Tcp {
        ports: [u16; 2],
        sequence: u32,
        acknowledgment: u32,
        flags: u8,
        window: u16,
        options: Vec<u8>,
    },
}

impl Ip {
    pub(crate) fn v4() -> Self {
        Self::V4 {
            source: [172, 18, 0, 2],
            destination: [172, 18, 0, 3],
            tos: 0,
            ttl: 64,
            id: 0xfffe,
            dont_fragment: true,
            options: vec![],
        }
    }

    pub(crate) fn v6() -> Self {
        let mut source = [0; 16];
        source[..2].copy_from_slice(&[0xfd, 0x12]);
        source[15] = 2;
        let mut destination = source;
        destination[15] = 3;
        Self::V6 {
            source,
            destination,
            class_and_label: 0,
            hop_limit: 64,
            extensions: vec![],
            final_destination: None,
        }
    }

    fn header_len(&self) -> usize {
        match self {
            Self::V4 { options, .. } => 20 + options.len(),
            Self::V6 { extensions, .. } => 40 + extensions.iter().map(|e| e.1.len()).sum::<usize>(),
        }
    }

    fn header(&self, protocol: u8, len: usize) -> Vec<u8> {
        let mut header = vec![];
        match self {
            Self::V4 {
                source,
                destination,
                tos,
                ttl,
                id,
                dont_fragment,
                options,
            } => {
                header.extend([0x40 | (5 + options.len() / 4) as u8, *tos]);
                header.extend((self.header_len() as u16 + len as u16).to_be_bytes());
                header.extend(id.to_be_bytes());
                header.extend([if *dont_fragment { 0x40 } else { 0 }, 0]);
                header.extend([*ttl, protocol, 0, 0]);
                header.extend(source);
                header.extend(destination);
                header.extend(options);
                let checksum = !plain_sum(&header);
                header[10..12].copy_from_slice(&checksum.to_be_bytes());
            }
            Self::V6 {
                source,
                destination,
                class_and_label,
                hop_limit,
                extensions,
                ..
            } => {
                let mut protocols = extensions.iter().map(|e| e.0).chain([protocol]);
                header.extend((0x6000_0000 | class_and_label & 0x0fff_ffff).to_be_bytes());
                header.extend(((self.header_len() - 40 + len) as u16).to_be_bytes());
                header.extend([protocols.next().unwrap(), *hop_limit]);
                header.extend(source);
                header.extend(destination);
                for (extension, next) in extensions.iter().zip(protocols) {
                    header.push(next);
                    header.extend(&extension.1[1..]);
                }
            }
        }
        header
    }

    fn pseudo_header(&self, protocol: u8, len: usize) -> Vec<u8> {
        let (mut pseudo, destination) = match self {
            Self::V4 {
                source,
                destination,
                ..
            } => (source.to_vec(), destination.to_vec()),
            Self::V6 {
                source,
                destination,
                final_destination,
                ..
            } => {
                let destination = final_destination.unwrap_or(*destination);
                (source.to_vec(), destination.to_vec())
            }
        };
        pseudo.extend(destination);
        pseudo.extend((len as u32).to_be_bytes());
        pseudo.extend([0, 0, 0, protocol]);
        pseudo
    }
}

impl Transport {
    pub(crate) fn udp() -> Self {
        Self::Udp {
            ports: [40000, 5001],
        }
    }

    pub(crate) fn tcp() -> Self {
        Self::Tcp {
            ports: [40000, 443],
            sequence: 0xffff_f000,
            acknowledgment: 0x1234_5678,
            flags: ACK,
            window: 502,
            // NOP, NOP, timestamps (RFC 7323).
            options: vec![1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8],
        }
    }

    fn protocol(&self) -> u8 {
        match self {
            Self::Udp { .. } => 17,
            Self::Tcp { .. } => 6,
        }
    }

    fn checksum_offset(&self) -> usize {
        match self {
            Self::Udp { .. } => 6,
            Self::Tcp { .. } => 16,
        }
    }

    fn header_len(&self) -> usize {
        match self {
            Self::Udp { .. } => 8,
            Self::Tcp { options, .. } => 20 + options.len(),
        }
    }

    fn header(&self, payload_len: usize) -> Vec<u8> {
        let mut header = vec![];
        match self {
            Self::Udp { ports } => {
                header.extend(ports.iter().flat_map(|p| p.to_be_bytes()));
                header.extend((8 + payload_len as u16).to_be_bytes());
                header.extend([0, 0]);
            }
            Self::Tcp {
                ports,
                sequence,
                acknowledgment,
                flags,
                window,
                options,
            } => {
                header.extend(ports.iter().flat_map(|p| p.to_be_bytes()));
                header.extend(sequence.to_be_bytes());
                header.extend(acknowledgment.to_be_bytes());
                header.extend([((5 + options.len() / 4) as u8) << 4, *flags]);
                header.extend(window.to_be_bytes());
                header.extend([0; 4]);
                header.extend(options);
            }
        }
        header
    }
}

impl Packet {
    pub(crate) fn new(ip: Ip, transport: Transport, payload_len: usize) -> Self {
        Self {
            tags: vec![],
            ip,
            transport,
            payload: (0..payload_len).map(|i| (i * 7 + i / 251) as u8).collect(),
            padding: vec![],
        }
    }

    pub(crate) fn udp4(payload_len: usize) -> Self {
        Self::new(Ip::v4(), Transport::udp(), payload_len)
    }

    pub(crate) fn udp6(payload_len: usize) -> Self {
        Self::new(Ip::v6(), Transport::udp(), payload_len)
    }

    pub(crate) fn tcp4(payload_len: usize) -> Self {
        Self::new(Ip::v4(), Transport::tcp(), payload_len)
    }

    pub(crate) fn tcp6(payload_len: usize) -> Self {
        Self::new(Ip::v6(), Transport::tcp(), payload_len)
    }

    pub(crate) fn is_v4(&self) -> bool {
        matches!(self.ip, Ip::V4 { .. })
    }

    pub(crate) fn link_len(&self) -> usize {
        14 + 4 * self.tags.len()
    }

    pub(crate) fn transport_start(&self) -> usize {
        self.link_len() + self.ip.header_len()
    }

    pub(crate) fn checksum_field(&self) -> usize {
        self.transport_start() + self.transport.checksum_offset()
    }

    pub(crate) fn headers_len(&self) -> usize {
        self.transport_start() + self.transport.header_len()
    }

    pub(crate) fn build(&self, sum: Sum) -> Vec<u8> {
        let mut frame = vec![0x02, 0x42, 172, 18, 0, 3, 0x02, 0x42, 172, 18, 0, 2];
        for (protocol, tag) in &self.tags {
            frame.extend(protocol.to_be_bytes());
            frame.extend(tag.to_be_bytes());
        }
        frame.extend(if self.is_v4() {
            [0x08, 0x00]
        } else {
            [0x86, 0xdd]
        });

        let mut datagram = self.transport.header(self.payload.len());
        datagram.extend(&self.payload);
        let protocol = self.transport.protocol();
        let pseudo = self.ip.pseudo_header(protocol, datagram.len());
        let checksum = match sum {
            Sum::Partial => plain_sum(&pseudo),
            Sum::Complete => match !plain_sum(&[pseudo, datagram.clone()].concat()) {
                0 => 0xffff,
                checksum => checksum,
            },
        };
        let field = self.transport.checksum_offset();
        datagram[field..field + 2].copy_from_slice(&checksum.to_be_bytes());

        frame.extend(self.ip.header(protocol, datagram.len()));
        frame.extend(datagram);
        frame.extend(&self.padding);
        frame
    }

    /// The virtio header of [`Sum::Partial`].
    pub(crate) fn partial_header(&self) -> VnetHeader {
        VnetHeader {
            flags: NEEDS_CSUM,
            csum_start: self.transport_start() as u16,
            csum_offset: self.transport.checksum_offset() as u16,
            ..VnetHeader::default()
        }
    }

    /// The virtio header of a super-frame with segments of `size` octets.
    pub(crate) fn gso_header(&self, size: u16) -> VnetHeader {
        VnetHeader {
            gso_type: match (&self.transport, self.is_v4()) {
                (Transport::Udp { .. }, _) => 5,
                (Transport::Tcp { .. }, true) => 1,
                (Transport::Tcp { .. }, false) => 4,
            },
            gso_size: size,
            hdr_len: self.headers_len() as u16,
            ..self.partial_header()
        }
    }

    /// What a sender without any offload would have put on the wire instead.
    pub(crate) fn split(&self, size: usize, ecn: bool) -> Vec<Self> {
        let count = self.payload.len().div_ceil(size).max(1);
        (0..count)
            .map(|index| {
                let mut segment = self.clone();
                let start = index * size;
                let end = self.payload.len().min(start + size);
                segment.payload = self.payload[start..end].to_vec();
                if let Ip::V4 { id, .. } = &mut segment.ip {
                    *id = id.wrapping_add(index as u16);
                }
                if let Transport::Tcp {
                    sequence, flags, ..
                } = &mut segment.transport
                {
                    *sequence = sequence.wrapping_add(start as u32);
                    if index + 1 < count {
                        *flags &= !(FIN | PSH);
                    }
                    if ecn && index > 0 {
                        *flags &= !CWR;
                    }
                }
                segment
            })
            .collect()
    }
}

/// RFC 1071 §4.1, word by word.
pub(crate) fn plain_sum(bytes: &[u8]) -> u16 {
    let mut sum = 0;
    for word in bytes.chunks(2) {
        sum += u32::from(word[0]) << 8 | u32::from(*word.get(1).unwrap_or(&0));
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

/// `frame` with the one's complement zero at `field` always written in the same of its two ways.
pub(crate) fn one_zero(mut frame: Vec<u8>, field: usize) -> Vec<u8> {
    if frame[field..field + 2] == [0xff, 0xff] {
        frame[field..field + 2].fill(0);
    }
    frame
}

pub(crate) fn tags() -> impl Strategy<Value = Vec<(u16, u16)>> {
    vec(
        (prop_oneof![Just(0x8100), Just(0x88a8)], any::<u16>()),
        0..3,
    )
}

/// IPv4 with options one time in four.
pub(crate) fn ipv4() -> impl Strategy<Value = Ip> {
    let options = prop_oneof![
        3 => Just(vec![]),
        // NOP four octets at a time.
        1 => (1..=10usize).prop_map(|words| vec![1; words * 4]),
    ];
    let fields = any::<([u8; 4], [u8; 4], u8, u8, u16, bool)>();
    (fields, options).prop_map(
        |((source, destination, tos, ttl, id, dont_fragment), options)| Ip::V4 {
            source,
            destination,
            tos,
            ttl,
            id,
            dont_fragment,
            options,
        },
    )
}

/// IPv6 with up to one extension header of each kind that a whole packet has, in the order of
/// RFC 8200 §4.1.
pub(crate) fn ipv6() -> impl Strategy<Value = Ip> {
    // PadN throughout, so that the options are well-formed.
    let options = |protocol: u8| {
        (0..3u8).prop_map(move |units| {
            let mut octets = vec![0; 8 + 8 * usize::from(units)];
            octets[1] = units;
            octets[2] = 1;
            octets[3] = 4 + 8 * units;
            (protocol, octets)
        })
    };
    let extension = |header| proptest::option::weighted(0.2, header);
    let fields = any::<([u8; 16], [u8; 16], u32, u8)>();
    (fields, extension(options(0)), extension(options(60))).prop_map(
        |((source, destination, class_and_label, hop_limit), hop_by_hop, destination_options)| {
            Ip::V6 {
                source,
                destination,
                class_and_label,
                hop_limit,
                extensions: hop_by_hop.into_iter().chain(destination_options).collect(),
                final_destination: None,
            }
        },
    )
}

pub(crate) fn udp() -> impl Strategy<Value = Transport> {
    any::<[u16; 2]>().prop_map(|ports| Transport::Udp { ports })
}

pub(crate) fn tcp() -> impl Strategy<Value = Transport> {
    let fields = any::<([u16; 2], u32, u32, u8, u16)>();
    (fields, 0..=10usize).prop_map(
        |((ports, sequence, acknowledgment, flags, window), words)| Transport::Tcp {
            ports,
            sequence,
            acknowledgment,
            flags,
            window,
            options: vec![1; words * 4],
        },
    )
}

/// Any well-formed packet with up to `max_payload` octets of data.
pub(crate) fn packet(max_payload: usize) -> impl Strategy<Value = Packet> {
    (
        tags(),
        prop_oneof![ipv4(), ipv6()],
        prop_oneof![udp(), tcp()],
        vec(any::<u8>(), 0..=max_payload),
        vec(any::<u8>(), 0..8),
    )
        .prop_map(|(tags, ip, transport, payload, padding)| Packet {
            tags,
            ip,
            transport,
            payload,
            padding,
        })
}
