//! Which frames the kernel hands to a socket of leases: ARP, IPv4 to UDP port 68, and who asks and tells by ND.
//!
//! What is let in is looked at again, so this only has to spare the thread the traffic of the NIC.

use socket2::SockFilter;
use vswitch_packet::ethernet::EtherType;
use vswitch_packet::ip::protocol;

/// Classic BPF (`linux/bpf_common.h`): load a half-word or an octet from there, or behind the index.
const LOAD_HALF: u16 = 0x28;
const LOAD_OCTET: u16 = 0x30;
const LOAD_HALF_INDEXED: u16 = 0x48;
/// The index becomes the length of the IPv4 header there.
const INDEX_HEADER_LEN: u16 = 0xb1;
const JUMP_IF_EQUAL: u16 = 0x15;
const JUMP_IF_ANY_BIT: u16 = 0x45;
const RETURN: u16 = 0x06;

/// Where things are in a frame whose outer tag the kernel has taken out.
const ETHERTYPE: u32 = 12;
const PACKET: u32 = 14;
const IPV4_FRAGMENT: u32 = PACKET + 6;
const IPV4_PROTOCOL: u32 = PACKET + 9;
const UDP_DESTINATION_PORT: u32 = PACKET + 2;
const IPV6_NEXT_HEADER: u32 = PACKET + 6;
const ICMPV6_TYPE: u32 = PACKET + 40;

const FRAGMENT_OFFSET: u32 = 0x1fff;
const DHCP_CLIENT: u32 = 68;
const NEIGHBOUR_SOLICITATION: u32 = 135;
const NEIGHBOUR_ADVERTISEMENT: u32 = 136;

/// The program. Jumps count from the instruction that follows.
pub(super) fn program() -> [SockFilter; 18] {
    let load = |code, from| SockFilter::new(code, 0, 0, from);
    let equal = |value, then, otherwise| SockFilter::new(JUMP_IF_EQUAL, then, otherwise, value);
    [
        load(LOAD_HALF, ETHERTYPE),
        equal(EtherType::ARP.0.into(), 15, 0),
        equal(EtherType::IPV4.0.into(), 0, 7),
        load(LOAD_OCTET, IPV4_PROTOCOL),
        equal(protocol::UDP.into(), 0, 11),
        load(LOAD_HALF, IPV4_FRAGMENT),
        SockFilter::new(JUMP_IF_ANY_BIT, 9, 0, FRAGMENT_OFFSET),
        load(INDEX_HEADER_LEN, PACKET),
        load(LOAD_HALF_INDEXED, UDP_DESTINATION_PORT),
        equal(DHCP_CLIENT, 7, 6),
        equal(EtherType::IPV6.0.into(), 0, 5),
        load(LOAD_OCTET, IPV6_NEXT_HEADER),
        equal(protocol::ICMPV6.into(), 0, 3),
        load(LOAD_OCTET, ICMPV6_TYPE),
        equal(NEIGHBOUR_SOLICITATION, 2, 0),
        equal(NEIGHBOUR_ADVERTISEMENT, 1, 0),
        SockFilter::new(RETURN, 0, 0, 0),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use socket2::SockRef;
    use std::os::unix::net::UnixDatagram;

    /// Octets of a frame: its EtherType, and others from the packet on.
    fn frame(ethertype: u16, octets: &[(usize, u8)]) -> Vec<u8> {
        let mut frame = vec![0; 100];
        frame[12..14].copy_from_slice(&ethertype.to_be_bytes());
        for (at, octet) in octets {
            frame[14 + at] = *octet;
        }
        frame
    }

    fn udp(header_octets: u8, fragment: u8, port: u8) -> Vec<u8> {
        let length = usize::from(header_octets);
        let octets = [
            (0, 0x40 | (header_octets / 4)),
            (7, fragment),
            (9, 17),
            (length + 3, port),
        ];
        frame(0x0800, &octets)
    }

    /// The kernel runs such a program for a socket of any kind.
    #[test]
    fn the_kernel_lets_in_what_is_of_interest() {
        let (wire, socket) = UnixDatagram::pair().unwrap();
        socket.set_nonblocking(true).unwrap();
        SockRef::from(&socket).attach_filter(&program()).unwrap();
        for (frame, passes) in [
            (frame(0x0806, &[]), true),
            (udp(20, 0, 68), true),
            (udp(60, 0, 68), true),
            (udp(20, 0, 67), false),
            (udp(60, 0, 53), false),
            (udp(20, 1, 68), false),
            (frame(0x0800, &[(0, 0x45), (9, 6), (23, 68)]), false),
            (frame(0x86dd, &[(6, 58), (40, 135)]), true),
            (frame(0x86dd, &[(6, 58), (40, 136)]), true),
            (frame(0x86dd, &[(6, 58), (40, 134)]), false),
            (frame(0x86dd, &[(6, 17), (40, 135)]), false),
            (frame(0x88cc, &[]), false),
            // Nothing is read beyond the end.
            (vec![8, 0], false),
            (udp(20, 0, 68)[..30].to_vec(), false),
        ] {
            wire.send(&frame).unwrap();
            let mut buffer = [0; 200];
            let received = socket.recv(&mut buffer);
            assert_eq!(received.ok(), passes.then_some(frame.len()), "{frame:02x?}");
        }
    }
}
