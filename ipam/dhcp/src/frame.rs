//! DHCP messages in Ethernet frames.

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    DHCP_CLIENT_PORT, DHCP_SERVER_PORT, EthernetAddress, EthernetFrame, EthernetProtocol,
    EthernetRepr, IpAddress, IpProtocol, Ipv4Packet, Ipv4Repr, UdpPacket, UdpRepr,
};
use vswitch_packet::ethernet::HEADER_LEN;
use vswitch_packet::{MacAddr, checksum};

use crate::client::Outgoing;

/// What most systems send with.
const HOP_LIMIT: u8 = 64;

/// The message in UDP, IPv4 and Ethernet, with all checksums and without a tag.
#[must_use]
pub fn wrap(outgoing: &Outgoing, source: MacAddr, destination: MacAddr) -> Vec<u8> {
    let udp = UdpRepr {
        src_port: DHCP_CLIENT_PORT,
        dst_port: DHCP_SERVER_PORT,
    };
    let ip = Ipv4Repr {
        src_addr: outgoing.source,
        dst_addr: outgoing.destination,
        next_header: IpProtocol::Udp,
        payload_len: udp.header_len() + outgoing.payload.len(),
        hop_limit: HOP_LIMIT,
    };
    let link = EthernetRepr {
        src_addr: EthernetAddress(source.0),
        dst_addr: EthernetAddress(destination.0),
        ethertype: EthernetProtocol::Ipv4,
    };
    let checksums = ChecksumCapabilities::default();
    let mut octets = vec![0; HEADER_LEN + ip.buffer_len() + ip.payload_len];
    let mut frame = EthernetFrame::new_unchecked(&mut octets[..]);
    link.emit(&mut frame);
    let mut packet = Ipv4Packet::new_unchecked(frame.payload_mut());
    ip.emit(&mut packet, &checksums);
    udp.emit(
        &mut UdpPacket::new_unchecked(packet.payload_mut()),
        &IpAddress::Ipv4(ip.src_addr),
        &IpAddress::Ipv4(ip.dst_addr),
        outgoing.payload.len(),
        |payload| payload.copy_from_slice(&outgoing.payload),
        &checksums,
    );
    octets
}

/// What an untagged frame has for a DHCP client, and its source address; `None` if it is none, is
/// a fragment, or a checksum is wrong.
#[must_use]
pub fn unwrap(frame: &[u8]) -> Option<(&[u8], MacAddr)> {
    let link = EthernetFrame::new_checked(frame).ok()?;
    if link.ethertype() != EthernetProtocol::Ipv4 {
        return None;
    }
    let ip = Ipv4Packet::new_checked(link.payload()).ok()?;
    let whole = !ip.more_frags() && ip.frag_offset() == 0;
    if ip.version() != 4 || ip.next_header() != IpProtocol::Udp || !whole || !ip.verify_checksum() {
        return None;
    }
    let udp = UdpPacket::new_checked(ip.payload()).ok()?;
    if udp.dst_port() != DHCP_CLIENT_PORT || !is_intact(&ip, &udp) {
        return None;
    }
    Some((udp.payload(), MacAddr(link.src_addr().0)))
}

/// A server on this machine, whose frames never see a wire, leaves the checksum to a NIC that is not there:
/// the field has the sum of the pseudo-header alone (`CHECKSUM_PARTIAL` of Linux).
fn is_intact(ip: &Ipv4Packet<&[u8]>, udp: &UdpPacket<&[u8]>) -> bool {
    let (source, destination) = (ip.src_addr(), ip.dst_addr());
    let addresses = [source.octets(), destination.octets()].concat();
    let unfinished = checksum::pseudo_header(&addresses, IpProtocol::Udp.into(), udp.len().into());
    // Also if there is none (RFC 768).
    udp.checksum() == unfinished
        || udp.verify_checksum(&IpAddress::Ipv4(source), &IpAddress::Ipv4(destination))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const CLIENT: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
    const SERVER: MacAddr = MacAddr([2, 0, 0, 0, 0, 2]);
    const DESTINATION_PORT: usize = HEADER_LEN + 20 + 2;
    const UDP_CHECKSUM: usize = HEADER_LEN + 20 + 6;

    /// As a server sends it.
    fn answer(payload: &[u8]) -> Vec<u8> {
        let outgoing = Outgoing {
            payload: payload.to_vec(),
            source: Ipv4Addr::new(192, 0, 2, 1),
            destination: Ipv4Addr::new(192, 0, 2, 7),
        };
        let mut frame = wrap(&outgoing, SERVER, CLIENT);
        let ports: [u8; 4] = frame[HEADER_LEN + 20..][..4].try_into().unwrap();
        assert_eq!(ports, [0, 68, 0, 67]);
        // The sum stays right.
        frame[HEADER_LEN + 20..][..4].copy_from_slice(&[0, 67, 0, 68]);
        frame
    }

    #[test]
    fn what_is_wrapped_is_unwrapped() {
        for payload in [&b"odd"[..], b"even", b""] {
            assert_eq!(unwrap(&answer(payload)), Some((payload, SERVER)));
        }
    }

    #[test]
    fn ethernet_padding_is_no_part_of_the_message() {
        let mut frame = answer(b"x");
        frame.resize(60, 0);
        assert_eq!(unwrap(&frame), Some((&b"x"[..], SERVER)));
    }

    #[test]
    fn a_checksum_may_be_missing_or_unfinished_but_not_wrong() {
        let mut frame = answer(b"message");
        frame[UDP_CHECKSUM..][..2].copy_from_slice(&[0, 0]);
        assert!(unwrap(&frame).is_some());
        let partial = checksum::pseudo_header(&frame[26..34], 17, 8 + 7);
        frame[UDP_CHECKSUM..][..2].copy_from_slice(&partial.to_be_bytes());
        assert!(unwrap(&frame).is_some());
        frame[UDP_CHECKSUM] ^= 1;
        assert_eq!(unwrap(&frame), None);
    }

    /// As [`answer`], with an octet changed and the IPv4 header's checksum right.
    fn altered(at: usize, value: u8) -> Vec<u8> {
        let mut frame = answer(b"message");
        frame[at] = value;
        frame[HEADER_LEN + 10..][..2].copy_from_slice(&[0, 0]);
        let sum = !checksum::sum(&frame[HEADER_LEN..][..20]);
        frame[HEADER_LEN + 10..][..2].copy_from_slice(&sum.to_be_bytes());
        frame
    }

    #[test]
    fn other_frames_are_not_for_a_client() {
        let frame = answer(b"message");
        assert_eq!(altered(0, frame[0]), frame);
        for (at, value) in [
            (13, 6),                    // ARP
            (HEADER_LEN, 0x65),         // version 6
            (HEADER_LEN + 6, 0x20),     // more fragments
            (HEADER_LEN + 7, 1),        // not the first fragment
            (HEADER_LEN + 9, 6),        // TCP
            (DESTINATION_PORT + 1, 67), // for a server
            (frame.len() - 1, b'!'),    // sum of UDP
        ] {
            assert_eq!(unwrap(&altered(at, value)), None, "octet {at}");
        }
        let mut wrong_sum = frame.clone();
        wrong_sum[HEADER_LEN + 10] ^= 1;
        assert_eq!(unwrap(&wrong_sum), None);
        for length in 0..frame.len() {
            assert_eq!(unwrap(&frame[..length]), None, "{length} octets");
        }
    }
}
