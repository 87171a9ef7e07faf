//! What a frame is on a wire, after the NIC has done the work that was left to it: the measure for
//! trains, segments and completed checksums, made with etherparse rather than with the switch's
//! own code.

use etherparse::{Ipv4Header, Ipv6Header, TcpHeader, UdpHeader};
use vswitch_datapath::PortId;

use crate::tap_frame::{GSO_ECN, GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4, NEEDS_CSUM, TapFrame};

/// The packets that `frame` puts on a wire.
pub(crate) fn packets(frame: &TapFrame) -> Vec<Vec<u8>> {
    let size = usize::from(frame.header.gso_size);
    match frame.header.gso_type & !GSO_ECN {
        0 => vec![whole(frame)],
        GSO_TCPV4 | GSO_TCPV6 => split(frame, size, |transport| {
            Header::Tcp(TcpHeader::from_slice(transport).unwrap().0)
        }),
        GSO_UDP_L4 => split(frame, size, |transport| {
            Header::Udp(UdpHeader::from_slice(transport).unwrap().0)
        }),
        other => panic!("no such super-frame: {other}"),
    }
}

/// The packets that `frames` put on a wire, comparable: the IPv4 identification of what may not
/// be fragmented says nothing (RFC 6864 §4.1), and a TCP checksum of zero has two forms.
pub(crate) fn stream<'f>(frames: impl IntoIterator<Item = &'f TapFrame>) -> Vec<Vec<u8>> {
    let mut packets: Vec<_> = frames.into_iter().flat_map(packets).collect();
    for packet in &mut packets {
        let at = link_len(packet);
        if packet.len() < at + 20 {
            // No packet.
        } else if packet[at - 2..at] == [0x08, 0] && packet[at + 6] & 0x40 != 0 {
            packet[at + 4..at + 6].fill(0);
            packet[at + 10..at + 12].fill(0);
            if packet[at + 9] == 6 {
                one_zero(packet, at + 20 + 16);
            }
        } else if packet[at - 2..at] == [0x86, 0xdd] && packet[at + 6] == 6 {
            one_zero(packet, at + 40 + 16);
        }
    }
    packets
}

/// `sent` puts the same packets on a wire as `expected`, in the same order.
#[track_caller]
pub(crate) fn assert_same_stream<'f>(
    sent: impl IntoIterator<Item = &'f TapFrame>,
    expected: impl IntoIterator<Item = &'f TapFrame>,
) {
    let (sent, expected) = (stream(sent), stream(expected));
    let both = sent.iter().zip(&expected);
    let same = both.take_while(|(sent, expected)| sent == expected).count();
    let shown = |packets: &[Vec<u8>]| packets.get(same).map(|p| TapFrame::plain(p.clone()));
    assert!(
        sent == expected,
        "{} packets instead of {}, the first difference is packet {same}:\n  {:?}\n  instead of\n  {:?}",
        sent.len(),
        expected.len(),
        shown(&sent),
        shown(&expected)
    );
}

fn one_zero(packet: &mut [u8], field: usize) {
    if let Some(sum @ [0xff, 0xff]) = packet.get_mut(field..field + 2) {
        sum.fill(0);
    }
}

/// Of `sent`, what came out at `port`.
pub(crate) fn at(port: PortId, sent: &[(PortId, TapFrame)]) -> impl Iterator<Item = &TapFrame> {
    sent.iter()
        .filter(move |(at, _)| *at == port)
        .map(|(_, frame)| frame)
}

/// RFC 1071 §4.1, word by word.
pub(crate) fn sum(bytes: &[u8]) -> u16 {
    let mut sum = 0;
    for word in bytes.chunks(2) {
        sum += u32::from(word[0]) << 8 | u32::from(*word.get(1).unwrap_or(&0));
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

fn whole(frame: &TapFrame) -> Vec<u8> {
    let mut bytes = frame.bytes.clone();
    if frame.header.flags & NEEDS_CSUM != 0 {
        let start = usize::from(frame.header.csum_start);
        let field = start + usize::from(frame.header.csum_offset);
        let end = packet_end(&bytes);
        let value = match !sum(&bytes[start..end]) {
            0 => 0xffff,
            value => value,
        };
        bytes[field..field + 2].copy_from_slice(&value.to_be_bytes());
    }
    bytes
}

enum Header {
    Tcp(TcpHeader),
    Udp(UdpHeader),
}

enum Ip {
    V4(Ipv4Header),
    V6(Ipv6Header),
}

fn split(frame: &TapFrame, size: usize, parse: impl Fn(&[u8]) -> Header) -> Vec<Vec<u8>> {
    let link = link_len(&frame.bytes);
    let ip_packet = &frame.bytes[link..];
    let (ip, transport) = match ip_packet[0] >> 4 {
        4 => {
            let (ip, rest) = Ipv4Header::from_slice(ip_packet).unwrap();
            (Ip::V4(ip), rest)
        }
        _ => {
            let (ip, rest) = Ipv6Header::from_slice(ip_packet).unwrap();
            (Ip::V6(ip), rest)
        }
    };
    let header = parse(transport);
    let header_len = match &header {
        Header::Tcp(tcp) => tcp.header_len(),
        Header::Udp(_) => UdpHeader::LEN,
    };
    assert_eq!(
        usize::from(frame.header.csum_start),
        frame.bytes.len() - transport.len()
    );
    assert_eq!(
        usize::from(frame.header.hdr_len),
        link + ip_packet.len() - transport.len() + header_len
    );
    let payload = &transport[header_len..];
    let count = payload.len().div_ceil(size);
    let segments = payload.chunks(size).enumerate();
    segments
        .map(|(index, payload)| {
            let last = index + 1 == count;
            let ecn = frame.header.gso_type & GSO_ECN != 0;
            let mut packet = frame.bytes[..link].to_vec();
            let len = header_len + payload.len();
            match &ip {
                Ip::V4(ip) => {
                    let mut ip = ip.clone();
                    ip.set_payload_len(len).unwrap();
                    ip.identification = ip.identification.wrapping_add(index as u16);
                    ip.header_checksum = ip.calc_header_checksum();
                    packet.extend(ip.to_bytes());
                    match &header {
                        Header::Tcp(tcp) => {
                            let mut tcp = segment(tcp, index, size, last, ecn);
                            tcp.checksum = tcp.calc_checksum_ipv4(&ip, payload).unwrap();
                            packet.extend(tcp.to_bytes());
                        }
                        Header::Udp(udp) => {
                            let mut udp = udp.clone();
                            udp.length = len as u16;
                            udp.checksum = udp.calc_checksum_ipv4(&ip, payload).unwrap();
                            packet.extend(udp.to_bytes());
                        }
                    }
                }
                Ip::V6(ip) => {
                    let mut ip = ip.clone();
                    ip.set_payload_length(len).unwrap();
                    packet.extend(ip.to_bytes());
                    match &header {
                        Header::Tcp(tcp) => {
                            let mut tcp = segment(tcp, index, size, last, ecn);
                            tcp.checksum = tcp.calc_checksum_ipv6(&ip, payload).unwrap();
                            packet.extend(tcp.to_bytes());
                        }
                        Header::Udp(udp) => {
                            let mut udp = udp.clone();
                            udp.length = len as u16;
                            udp.checksum = udp.calc_checksum_ipv6(&ip, payload).unwrap();
                            packet.extend(udp.to_bytes());
                        }
                    }
                }
            }
            packet.extend(payload);
            packet
        })
        .collect()
}

fn segment(tcp: &TcpHeader, index: usize, size: usize, last: bool, ecn: bool) -> TcpHeader {
    let mut tcp = tcp.clone();
    tcp.sequence_number = tcp.sequence_number.wrapping_add((index * size) as u32);
    tcp.fin &= last;
    tcp.psh &= last;
    tcp.cwr &= !ecn || index == 0;
    tcp
}

/// Octets of the Ethernet header with its tags.
pub(crate) fn link_len(bytes: &[u8]) -> usize {
    let mut at = 12;
    while bytes[at..at + 2] == [0x81, 0] || bytes[at..at + 2] == [0x88, 0xa8] {
        at += 4;
    }
    at + 2
}

/// Without Ethernet padding.
fn packet_end(bytes: &[u8]) -> usize {
    let at = link_len(bytes);
    let word = |at: usize| usize::from(u16::from_be_bytes([bytes[at], bytes[at + 1]]));
    match word(at - 2) {
        0x0800 => at + word(at + 2),
        0x86dd => at + 40 + word(at + 4),
        _ => bytes.len(),
    }
}
