//! Frames made field by field.

use etherparse::{Ipv4Header, Ipv6Header, TcpHeader, UdpHeader};
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    ArpOperation, ArpPacket, ArpRepr, EthernetAddress, Icmpv4Packet, Icmpv4Repr, Icmpv6Packet,
    Icmpv6Repr, NdiscNeighborFlags, NdiscRepr,
};
use vswitch_packet::ip::Version::{self, V4, V6};
use vswitch_packet::{MacAddr, VnetHeader};

use crate::station::Station;
use crate::tap_frame::{GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4, NEEDS_CSUM, TapFrame};
use crate::wire::sum;

pub(crate) const ICMP: u8 = 1;
pub(crate) const IGMP: u8 = 2;
pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;
pub(crate) const ICMPV6: u8 = 58;

/// A TCP segment or UDP datagram.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    pub(crate) version: Version,
    pub(crate) from: Station,
    pub(crate) to: Station,
    pub(crate) id: u16,
    pub(crate) dont_fragment: bool,
    pub(crate) transport: Transport,
    pub(crate) payload: Vec<u8>,
}

#[derive(Clone, Debug)]
pub(crate) enum Transport {
    Udp([u16; 2]),
    Tcp(Box<TcpHeader>),
}

/// A datagram of `len` octets of data.
pub(crate) fn udp(version: Version, from: Station, to: Station, len: usize) -> Packet {
    Packet {
        version,
        from,
        to,
        id: 7,
        dont_fragment: true,
        transport: Transport::Udp([40000, 5001]),
        payload: pattern(len),
    }
}

/// A segment of `len` octets of data, with timestamps.
pub(crate) fn tcp(version: Version, from: Station, to: Station, len: usize) -> Packet {
    let mut header = TcpHeader::new(40000, 443, 0xffff_fc00, 502);
    (header.ack, header.acknowledgment_number) = (true, 77);
    header
        .set_options_raw(&[1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8])
        .unwrap();
    Packet {
        transport: Transport::Tcp(Box::new(header)),
        ..udp(version, from, to, len)
    }
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 7 + i / 251) as u8).collect()
}

impl Packet {
    pub(crate) fn ports(mut self, source: u16, destination: u16) -> Self {
        match &mut self.transport {
            Transport::Udp(ports) => *ports = [source, destination],
            Transport::Tcp(tcp) => {
                (tcp.source_port, tcp.destination_port) = (source, destination);
            }
        }
        self
    }

    pub(crate) fn tcp_header(mut self, change: impl FnOnce(&mut TcpHeader)) -> Self {
        if let Transport::Tcp(header) = &mut self.transport {
            change(header);
        }
        self
    }

    pub(crate) fn fragmentable(self) -> Self {
        Self {
            dont_fragment: false,
            ..self
        }
    }

    pub(crate) fn data(self, payload: impl Into<Vec<u8>>) -> Self {
        Self {
            payload: payload.into(),
            ..self
        }
    }

    fn protocol(&self) -> u8 {
        match self.transport {
            Transport::Udp(_) => UDP,
            Transport::Tcp(_) => TCP,
        }
    }

    fn header(&self) -> Vec<u8> {
        match &self.transport {
            Transport::Udp([source_port, destination_port]) => UdpHeader {
                source_port: *source_port,
                destination_port: *destination_port,
                length: (8 + self.payload.len()) as u16,
                checksum: 0,
            }
            .to_bytes()
            .to_vec(),
            Transport::Tcp(tcp) => tcp.to_bytes().to_vec(),
        }
    }

    fn checksum_offset(&self) -> u16 {
        match self.transport {
            Transport::Udp(_) => 6,
            Transport::Tcp(_) => 16,
        }
    }

    fn build(&self, checksum: impl FnOnce(&[u8], &[u8]) -> u16) -> TapFrame {
        let mut octets = [self.header(), self.payload.clone()].concat();
        let value = checksum(&pseudo_header(self, octets.len()), &octets);
        let field = usize::from(self.checksum_offset());
        octets[field..field + 2].copy_from_slice(&value.to_be_bytes());
        let Self {
            version,
            from,
            to,
            id,
            dont_fragment,
            ..
        } = *self;
        ip(version, from, to, self.protocol(), &octets, |header| {
            (header.identification, header.dont_fragment) = (id, dont_fragment);
        })
    }

    /// Complete.
    pub(crate) fn complete(&self) -> TapFrame {
        self.build(|pseudo, octets| match !sum(&[pseudo, octets].concat()) {
            0 => 0xffff,
            value => value,
        })
    }

    /// As a kernel hands it to a device that completes checksums.
    pub(crate) fn offloaded(&self) -> TapFrame {
        let mut frame = self.build(|pseudo, _| sum(pseudo));
        let transport = frame.bytes.len() - self.payload.len() - self.header().len();
        frame.header = VnetHeader {
            flags: NEEDS_CSUM,
            csum_start: transport as u16,
            csum_offset: self.checksum_offset(),
            ..VnetHeader::default()
        };
        frame
    }

    /// As a kernel hands it to a device that segments it: `size` octets of data in each.
    pub(crate) fn super_frame(&self, size: u16) -> TapFrame {
        let mut frame = self.offloaded();
        frame.header.gso_size = size;
        frame.header.hdr_len = (frame.bytes.len() - self.payload.len()) as u16;
        frame.header.gso_type = match (&self.transport, self.version) {
            (Transport::Udp(_), _) => GSO_UDP_L4,
            (Transport::Tcp(_), V4) => GSO_TCPV4,
            (Transport::Tcp(_), V6) => GSO_TCPV6,
        };
        frame
    }
}

fn pseudo_header(packet: &Packet, len: usize) -> Vec<u8> {
    let addresses = match packet.version {
        V4 => [packet.from.v4.octets(), packet.to.v4.octets()].concat(),
        V6 => [packet.from.v6.octets(), packet.to.v6.octets()].concat(),
    };
    [
        &addresses[..],
        &(len as u32).to_be_bytes(),
        &[0, 0, 0, packet.protocol()],
    ]
    .concat()
}

pub(crate) fn ethernet(from: MacAddr, to: MacAddr, ethertype: u16, payload: &[u8]) -> TapFrame {
    TapFrame::plain([&to.0[..], &from.0, &ethertype.to_be_bytes(), payload].concat())
}

/// Any IP packet; `change` has the IPv4 header.
pub(crate) fn ip(
    version: Version,
    from: Station,
    to: Station,
    protocol: u8,
    payload: &[u8],
    change: impl FnOnce(&mut Ipv4Header),
) -> TapFrame {
    match version {
        V4 => {
            let (source, destination) = (from.v4.octets(), to.v4.octets());
            let len = payload.len() as u16;
            let mut header =
                Ipv4Header::new(len, 64, protocol.into(), source, destination).unwrap();
            change(&mut header);
            header.header_checksum = header.calc_header_checksum();
            ethernet(
                from.mac,
                to.mac,
                0x0800,
                &[&header.to_bytes(), payload].concat(),
            )
        }
        V6 => {
            let header = Ipv6Header {
                payload_length: payload.len() as u16,
                next_header: protocol.into(),
                hop_limit: 64,
                source: from.v6.octets(),
                destination: to.v6.octets(),
                ..Ipv6Header::default()
            };
            ethernet(
                from.mac,
                to.mac,
                0x86dd,
                &[&header.to_bytes(), payload].concat(),
            )
        }
    }
}

/// An IPv6 packet with the checksum of its ICMPv6 message at the end completed. The octets before
/// `message` are extension headers, `first` is the number of the first.
pub(crate) fn icmpv6(
    from: Station,
    to: Station,
    hop_limit: u8,
    (first, extensions): (u8, &[u8]),
    message: &[u8],
) -> TapFrame {
    let mut message = message.to_vec();
    message[2..4].fill(0);
    let len = (message.len() as u32).to_be_bytes();
    let pseudo = [
        &from.v6.octets()[..],
        &to.v6.octets(),
        &len,
        &[0, 0, 0, ICMPV6],
    ]
    .concat();
    let checksum = !sum(&[&pseudo[..], &message].concat());
    message[2..4].copy_from_slice(&checksum.to_be_bytes());
    let payload = [extensions, &message].concat();
    ip(V6, from, to, first, &payload, |_| ()).patched(21, &[hop_limit])
}

/// An echo request or its answer, with `len` octets of data.
pub(crate) fn echo(
    version: Version,
    request: bool,
    from: Station,
    to: Station,
    len: usize,
) -> TapFrame {
    let (ident, seq_no, data) = (0x77, 1, &pattern(len)[..]);
    match version {
        V4 => {
            let repr = match request {
                true => Icmpv4Repr::EchoRequest {
                    ident,
                    seq_no,
                    data,
                },
                false => Icmpv4Repr::EchoReply {
                    ident,
                    seq_no,
                    data,
                },
            };
            let mut message = vec![0; repr.buffer_len()];
            let mut packet = Icmpv4Packet::new_unchecked(&mut message);
            repr.emit(&mut packet, &ChecksumCapabilities::default());
            ip(V4, from, to, ICMP, &message, |_| ())
        }
        V6 => {
            let repr = match request {
                true => Icmpv6Repr::EchoRequest {
                    ident,
                    seq_no,
                    data,
                },
                false => Icmpv6Repr::EchoReply {
                    ident,
                    seq_no,
                    data,
                },
            };
            icmpv6(from, to, 64, (ICMPV6, &[]), &message_of(&repr))
        }
    }
}

fn message_of(repr: &Icmpv6Repr<'_>) -> Vec<u8> {
    let mut message = vec![0; repr.buffer_len()];
    let mut packet = Icmpv6Packet::new_unchecked(&mut message);
    let nobody = core::net::Ipv6Addr::UNSPECIFIED;
    repr.emit(
        &nobody,
        &nobody,
        &mut packet,
        &ChecksumCapabilities::ignored(),
    );
    message
}

/// ARP of `sender` in a frame from `from` to `to`.
pub(crate) fn arp(
    from: MacAddr,
    to: MacAddr,
    operation: ArpOperation,
    sender: Station,
    target: Station,
) -> TapFrame {
    let repr = ArpRepr::EthernetIpv4 {
        operation,
        source_hardware_addr: EthernetAddress(sender.mac.0),
        source_protocol_addr: sender.v4,
        target_hardware_addr: match operation {
            ArpOperation::Reply => EthernetAddress(target.mac.0),
            _ => EthernetAddress([0; 6]),
        },
        target_protocol_addr: target.v4,
    };
    let mut packet = vec![0; repr.buffer_len()];
    repr.emit(&mut ArpPacket::new_unchecked(&mut packet));
    ethernet(from, to, 0x0806, &packet)
}

/// `from` asks everybody for `target`.
pub(crate) fn who_has(from: Station, target: Station) -> TapFrame {
    arp(
        from.mac,
        MacAddr::BROADCAST,
        ArpOperation::Request,
        from,
        target,
    )
}

/// `from` tells `to` where it is.
pub(crate) fn is_at(from: Station, to: Station) -> TapFrame {
    arp(from.mac, to.mac, ArpOperation::Reply, from, to)
}

/// `from` asks the solicited-node group of `target`, or its own address if that is `::`.
pub(crate) fn solicit(from: Station, target: Station) -> TapFrame {
    let [.., a, b, c] = target.v6.octets();
    let group = Station {
        mac: MacAddr([0x33, 0x33, 0xff, a, b, c]),
        v6: core::net::Ipv6Addr::from([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a, b, c]),
        ..target
    };
    let known = (!from.v6.is_unspecified()).then(|| EthernetAddress(from.mac.0).into());
    let repr = NdiscRepr::NeighborSolicit {
        target_addr: target.v6,
        lladdr: known,
    };
    icmpv6(
        from,
        group,
        255,
        (ICMPV6, &[]),
        &message_of(&Icmpv6Repr::Ndisc(repr)),
    )
}

/// `from` tells `to` that `target` is at its MAC address.
pub(crate) fn advertise(
    from: Station,
    to: Station,
    target: Station,
    flags: NdiscNeighborFlags,
) -> TapFrame {
    let repr = NdiscRepr::NeighborAdvert {
        flags,
        target_addr: target.v6,
        lladdr: Some(EthernetAddress(target.mac.0).into()),
    };
    icmpv6(
        from,
        to,
        255,
        (ICMPV6, &[]),
        &message_of(&Icmpv6Repr::Ndisc(repr)),
    )
}

/// Whom to send to so that everybody gets it.
pub(crate) fn everybody(station: Station) -> Station {
    Station {
        mac: MacAddr::BROADCAST,
        v4: core::net::Ipv4Addr::BROADCAST,
        ..station
    }
}
