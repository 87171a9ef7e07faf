//! Packets as etherparse writes them: what translation is compared with.

#![allow(dead_code, reason = "each test file uses a part")]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

use std::net::{IpAddr, SocketAddr};

use etherparse::{
    IpFragOffset, IpHeaders, IpNumber, Ipv4Header, Ipv6FragmentHeader, Ipv6Header, PacketBuilder,
    PacketBuilderStep, TcpHeader,
};
use vswitch_packet::{ChecksumMode, Frame, Segments, VnetHeader};

const NEEDS_CSUM: u8 = 1;
const LINK_LEN: usize = 14;

pub(crate) const FIN: u8 = 0x01;
pub(crate) const SYN: u8 = 0x02;
pub(crate) const RST: u8 = 0x04;
pub(crate) const PSH: u8 = 0x08;
pub(crate) const ACK: u8 = 0x10;

/// A frame with what its sender says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wire {
    pub(crate) bytes: Vec<u8>,
    pub(crate) header: VnetHeader,
}

/// A packet by its fields; sums and lengths are computed when it is built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
    pub(crate) transport: Transport,
    pub(crate) payload: Vec<u8>,
    pub(crate) id: u16,
    /// IPv4 only; octets of NOP, a multiple of four.
    pub(crate) options: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Udp,
    /// UDP whose sender did not sum it.
    UdpUnsummed,
    Tcp {
        flags: u8,
        sequence: u32,
        acknowledgement: u32,
    },
    /// With the type of the first chunk.
    Sctp(u8),
    /// With the identifier in the place of the source's port.
    EchoRequest,
    /// With the identifier in the place of the destination's port.
    EchoReply,
    /// Type, code, and the second word of the header; the payload quotes.
    IcmpError(u8, u8, [u8; 4]),
    /// Any other protocol.
    Other(u8),
}

impl Packet {
    pub(crate) fn new(source: SocketAddr, destination: SocketAddr, transport: Transport) -> Self {
        Self {
            source,
            destination,
            transport,
            payload: (0..100).map(|i| (i * 7) as u8).collect(),
            id: 0x1234,
            options: 0,
        }
    }

    pub(crate) fn udp(source: SocketAddr, destination: SocketAddr) -> Self {
        Self::new(source, destination, Transport::Udp)
    }

    pub(crate) fn tcp(source: SocketAddr, destination: SocketAddr, flags: u8) -> Self {
        let transport = Transport::Tcp {
            flags,
            sequence: 1000,
            acknowledgement: if flags & ACK == 0 { 0 } else { 2000 },
        };
        let mut packet = Self::new(source, destination, transport);
        if flags & (SYN | RST) != 0 {
            packet.payload.clear();
        }
        packet
    }

    pub(crate) fn sctp(source: SocketAddr, destination: SocketAddr, chunk: u8) -> Self {
        Self::new(source, destination, Transport::Sctp(chunk))
    }

    /// An error about `about`, of which `quoted` octets are quoted.
    pub(crate) fn error(
        sender: IpAddr,
        to: IpAddr,
        [kind, code]: [u8; 2],
        about: &Self,
        quoted: usize,
    ) -> Self {
        let transport = Transport::IcmpError(kind, code, [0; 4]);
        let mut packet = Self::new(
            SocketAddr::new(sender, 0),
            SocketAddr::new(to, 0),
            transport,
        );
        packet.payload = about.build()[LINK_LEN..].to_vec();
        packet.payload.truncate(quoted);
        packet
    }

    /// "Port unreachable" of the packet's family, from its receiver.
    pub(crate) fn port_unreachable(about: &Self) -> Self {
        let code = if about.is_v4() { [3, 3] } else { [1, 4] };
        let (source, destination) = (about.source.ip(), about.destination.ip());
        Self::error(destination, source, code, about, 500)
    }

    pub(crate) fn payload(self, len: usize) -> Self {
        Self {
            payload: (0..len).map(|i| (i * 7 + i / 251) as u8).collect(),
            ..self
        }
    }

    pub(crate) fn from(self, source: SocketAddr) -> Self {
        Self { source, ..self }
    }

    pub(crate) fn to(self, destination: SocketAddr) -> Self {
        Self {
            destination,
            ..self
        }
    }

    pub(crate) const fn is_v4(&self) -> bool {
        self.source.is_ipv4()
    }

    /// What the receiver sends back.
    pub(crate) fn answer(&self) -> Self {
        let transport = match self.transport {
            Transport::Tcp {
                flags,
                sequence,
                acknowledgement,
            } => Transport::Tcp {
                flags: flags | ACK,
                sequence: acknowledgement,
                acknowledgement: sequence + 1,
            },
            Transport::EchoRequest => Transport::EchoReply,
            other => other,
        };
        Self {
            source: self.destination,
            destination: self.source,
            transport,
            ..self.clone()
        }
    }

    /// The whole frame, complete.
    pub(crate) fn build(&self) -> Vec<u8> {
        self.build_as(None)
    }

    fn build_as(&self, piece: Option<(u16, bool)>) -> Vec<u8> {
        let step = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2])
            .ip(self.ip_headers(piece));
        let mut bytes = vec![];
        let payload = &self.payload;
        match self.transport {
            Transport::Udp => step
                .udp(self.source.port(), self.destination.port())
                .write(&mut bytes, payload),
            Transport::UdpUnsummed => {
                let at = self.transport_start() + 6;
                step.udp(self.source.port(), self.destination.port())
                    .write(&mut bytes, payload)
                    .unwrap();
                bytes[at..at + 2].fill(0);
                Ok(())
            }
            Transport::Tcp {
                flags,
                sequence,
                acknowledgement,
            } => {
                let mut tcp =
                    TcpHeader::new(self.source.port(), self.destination.port(), sequence, 65000);
                tcp.acknowledgment_number = acknowledgement;
                tcp.fin = flags & FIN != 0;
                tcp.syn = flags & SYN != 0;
                tcp.rst = flags & RST != 0;
                tcp.psh = flags & PSH != 0;
                tcp.ack = flags & ACK != 0;
                step.tcp_header(tcp).write(&mut bytes, payload)
            }
            Transport::Sctp(chunk) => {
                let packet = self.sctp_packet(chunk);
                step.write(&mut bytes, IpNumber(132), &packet)
            }
            Transport::EchoRequest => self.echo(step, &mut bytes, self.source.port(), [8, 128]),
            Transport::EchoReply => self.echo(step, &mut bytes, self.destination.port(), [0, 129]),
            Transport::IcmpError(kind, code, word) => {
                if self.is_v4() {
                    step.icmpv4_raw(kind, code, word).write(&mut bytes, payload)
                } else {
                    step.icmpv6_raw(kind, code, word).write(&mut bytes, payload)
                }
            }
            Transport::Other(protocol) => step.write(&mut bytes, IpNumber(protocol), payload),
        }
        .unwrap();
        bytes
    }

    fn echo(
        &self,
        step: PacketBuilderStep<IpHeaders>,
        bytes: &mut Vec<u8>,
        id: u16,
        kinds: [u8; 2],
    ) -> Result<(), etherparse::err::packet::BuildWriteError> {
        let [a, b] = id.to_be_bytes();
        if self.is_v4() {
            step.icmpv4_raw(kinds[0], 0, [a, b, 0, 9])
                .write(bytes, &self.payload)
        } else {
            step.icmpv6_raw(kinds[1], 0, [a, b, 0, 9])
                .write(bytes, &self.payload)
        }
    }

    /// RFC 9260 §3.1: ports, verification tag, checksum, and what stands for a chunk.
    fn sctp_packet(&self, chunk: u8) -> Vec<u8> {
        let mut packet = vec![];
        packet.extend(self.source.port().to_be_bytes());
        packet.extend(self.destination.port().to_be_bytes());
        packet.extend([1, 2, 3, 4, 0, 0, 0, 0]);
        packet.extend([chunk, 0]);
        packet.extend((4 + self.payload.len() as u16).to_be_bytes());
        packet.extend(&self.payload);
        let crc = crc32c_by_bit(&packet);
        packet[8..12].copy_from_slice(&crc.to_le_bytes());
        packet
    }

    fn ip_headers(&self, piece: Option<(u16, bool)>) -> IpHeaders {
        match (self.source.ip(), self.destination.ip()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let mut ip = Ipv4Header {
                    identification: self.id,
                    time_to_live: 64,
                    source: source.octets(),
                    destination: destination.octets(),
                    ..Ipv4Header::default()
                };
                ip.options = vec![1; self.options].as_slice().try_into().unwrap();
                IpHeaders::Ipv4(ip, Default::default())
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let ip = Ipv6Header {
                    hop_limit: 64,
                    source: source.octets(),
                    destination: destination.octets(),
                    ..Ipv6Header::default()
                };
                let mut extensions = etherparse::Ipv6Extensions::default();
                if let Some((offset, more)) = piece {
                    extensions.fragment = Some(Ipv6FragmentHeader::new(
                        IpNumber(0),
                        IpFragOffset::try_new(offset).unwrap(),
                        more,
                        self.id.into(),
                    ));
                }
                IpHeaders::Ipv6(ip, extensions)
            }
            _ => panic!("one family"),
        }
    }

    fn transport_start(&self) -> usize {
        LINK_LEN + if self.is_v4() { 20 + self.options } else { 40 }
    }

    fn checksum_offset(&self) -> usize {
        match self.transport {
            Transport::Udp => 6,
            Transport::Tcp { .. } => 16,
            Transport::EchoRequest | Transport::EchoReply | Transport::IcmpError(..) => 2,
            _ => panic!("no Internet checksum"),
        }
    }

    fn protocol(&self) -> u8 {
        match self.transport {
            Transport::Udp | Transport::UdpUnsummed => 17,
            Transport::Tcp { .. } => 6,
            Transport::Sctp(_) => 132,
            Transport::Other(protocol) => protocol,
            _ if self.is_v4() => 1,
            _ => 58,
        }
    }

    pub(crate) fn wire(&self) -> Wire {
        Wire {
            bytes: self.build(),
            header: VnetHeader::default(),
        }
    }

    /// With the checksum left to be completed: the field has the sum of the pseudo-header.
    pub(crate) fn partial(&self) -> Wire {
        let start = self.transport_start();
        let mut bytes = self.build();
        let len = (bytes.len() - start) as u16;
        let addresses = if self.is_v4() {
            &bytes[LINK_LEN + 12..LINK_LEN + 20]
        } else {
            &bytes[LINK_LEN + 8..LINK_LEN + 40]
        };
        let pseudo = [addresses, &[0, self.protocol()], &len.to_be_bytes()].concat();
        let sum = plain_sum(&pseudo).to_be_bytes();
        let field = start + self.checksum_offset();
        bytes[field..field + 2].copy_from_slice(&sum);
        let header = VnetHeader {
            flags: NEEDS_CSUM,
            csum_start: start as u16,
            csum_offset: self.checksum_offset() as u16,
            ..VnetHeader::default()
        };
        Wire { bytes, header }
    }

    /// As a super-frame with segments of `size` octets.
    pub(crate) fn super_frame(&self, size: u16) -> Wire {
        let Wire { bytes, header } = self.partial();
        let header = VnetHeader {
            gso_type: match (self.transport, self.is_v4()) {
                (Transport::Tcp { .. }, true) => 1,
                (Transport::Tcp { .. }, false) => 4,
                _ => 5,
            },
            gso_size: size,
            ..header
        };
        Wire { bytes, header }
    }

    /// What a sender without any offload would have sent instead of [`Packet::super_frame`].
    pub(crate) fn segments(&self, size: usize) -> Vec<Vec<u8>> {
        let count = self.payload.len().div_ceil(size);
        let segment = |(index, payload): (usize, &[u8])| {
            let mut segment = self.clone();
            segment.payload = payload.to_vec();
            segment.id = segment.id.wrapping_add(index as u16);
            if let Transport::Tcp {
                flags, sequence, ..
            } = &mut segment.transport
            {
                *sequence = sequence.wrapping_add((index * size) as u32);
                if index + 1 < count {
                    *flags &= !(FIN | PSH);
                }
            }
            segment.build()
        };
        self.payload.chunks(size).enumerate().map(segment).collect()
    }

    /// As fragments of `size` octets, a multiple of eight, in order.
    pub(crate) fn fragments(&self, size: usize) -> Vec<Wire> {
        assert!(size.is_multiple_of(8));
        let datagram = self.build().split_off(self.transport_start());
        let count = datagram.len().div_ceil(size);
        (0..count)
            .map(|index| {
                let end = datagram.len().min((index + 1) * size);
                let octets = &datagram[index * size..end];
                self.fragment(index * size / 8, octets, index + 1 < count)
            })
            .collect()
    }

    /// The fragment with `octets` at `offset`, in units of eight.
    pub(crate) fn fragment(&self, offset: usize, octets: &[u8], more: bool) -> Wire {
        let carrier = Self {
            transport: Transport::Other(self.protocol()),
            payload: octets.to_vec(),
            ..self.clone()
        };
        let mut bytes = carrier.build_as(Some((offset as u16, more)));
        if self.is_v4() {
            let field = offset as u16 | u16::from(more) << 13;
            bytes[LINK_LEN + 6..LINK_LEN + 8].copy_from_slice(&field.to_be_bytes());
            sum_ipv4_header(&mut bytes[LINK_LEN..], self.options);
        }
        Wire {
            bytes,
            header: VnetHeader::default(),
        }
    }
}

impl Wire {
    /// The frame as it would be on a wire: with its checksum completed, in segments if it is a
    /// super-frame.
    pub(crate) fn finished(mut self) -> Vec<Vec<u8>> {
        let frame = Frame::parse(&mut self.bytes, self.header).unwrap();
        let mut segments = Segments::new(&frame, ChecksumMode::Complete);
        let mut scratch = vec![0; segments.max_len()];
        let mut finished = vec![];
        while let Some(segment) = segments.next_into(&mut scratch) {
            finished.push(scratch[..segment.len].to_vec());
        }
        finished
    }
}

/// The error with `about` in its quote, after `other` was there. Of a checksum that is cut short,
/// nobody knows what the rest was: it stays.
pub(crate) fn exchanged(
    error: impl Fn(&Packet) -> Packet,
    about: &Packet,
    other: &Packet,
) -> Vec<u8> {
    let mut expected = error(about);
    let stays = error(other).payload;
    let ip = if about.is_v4() { 20 } else { 40 };
    let field = match about.transport {
        Transport::Tcp { .. } => ip + 16..ip + 18,
        Transport::Sctp(_) => ip + 8..ip + 12,
        _ => 0..0,
    };
    if field.contains(&expected.payload.len()) {
        let cut = field.start..expected.payload.len();
        expected.payload[cut.clone()].copy_from_slice(&stays[cut]);
    }
    expected.build()
}

/// Sums the IPv4 header at the start of `packet`, which has so many octets of options.
pub(crate) fn sum_ipv4_header(packet: &mut [u8], options: usize) {
    packet[10..12].fill(0);
    let checksum = !plain_sum(&packet[..20 + options]);
    packet[10..12].copy_from_slice(&checksum.to_be_bytes());
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

/// RFC 9260 appendix A, bit by bit.
fn crc32c_by_bit(bytes: &[u8]) -> u32 {
    let mut crc = !0;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = crc >> 1 ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 };
        }
    }
    !crc
}
