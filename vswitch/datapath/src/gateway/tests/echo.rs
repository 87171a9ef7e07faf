//! Pings of the gateway.

use super::*;

/// Reads an IPv4 answer; gives identifier, sequence number and data.
fn read4(bytes: &[u8]) -> (u16, u16, Vec<u8>) {
    let frame = EthernetFrame::new_checked(bytes).unwrap();
    assert_eq!(
        (frame.src_addr().0, frame.dst_addr().0),
        (GATEWAY.0, ALICE.0)
    );
    let packet = Ipv4Packet::new_checked(frame.payload()).unwrap();
    assert!(packet.verify_checksum());
    assert_eq!(
        (packet.src_addr(), packet.dst_addr()),
        (v4(GATEWAY4), v4(ALICE4))
    );
    assert_eq!(packet.hop_limit(), 64);
    let message = Icmpv4Packet::new_checked(packet.payload()).unwrap();
    let capabilities = ChecksumCapabilities::default();
    match Icmpv4Repr::parse(&message, &capabilities).unwrap() {
        Icmpv4Repr::EchoReply {
            ident,
            seq_no,
            data,
        } => (ident, seq_no, data.to_vec()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn of_any_length_is_answered_in_place() {
    for len in [0, 1, 56, 57, 1472] {
        let data: Vec<u8> = (0..len).map(|n| n as u8).collect();
        let mut bytes = ping4(ALICE4, GATEWAY4, &data);
        assert_eq!(Lab::new().receive(&mut bytes), ANSWERED);
        assert_eq!(read4(&bytes), (0x1234, 7, data.clone()));

        let mut bytes = ping6(ALICE6, GATEWAY6, &data);
        assert_eq!(Lab::new().receive(&mut bytes), ANSWERED);
        let packet = Ipv6Packet::new_checked(&bytes[14..]).unwrap();
        assert_eq!(
            (packet.src_addr(), packet.dst_addr()),
            (v6(GATEWAY6), v6(ALICE6))
        );
        assert_eq!(packet.hop_limit(), 64);
        let message = Icmpv6Packet::new_checked(packet.payload()).unwrap();
        let capabilities = ChecksumCapabilities::default();
        let (from, to) = (packet.src_addr(), packet.dst_addr());
        let repr = Icmpv6Repr::parse(&from, &to, &message, &capabilities).unwrap();
        assert_eq!(
            repr,
            Icmpv6Repr::EchoReply {
                ident: 0x1234,
                seq_no: 7,
                data: &data
            }
        );
    }
}

#[test]
fn padding_and_a_priority_tag_stay() {
    let mut bytes = tagged(&ping4(ALICE4, GATEWAY4, b"hello"), 0xa000);
    bytes.extend([0xaa; 9]);
    assert_eq!(Lab::new().receive(&mut bytes), ANSWERED);
    assert_eq!(bytes[12..16], [0x81, 0, 0xa0, 0]);
    assert_eq!(bytes[bytes.len() - 9..], [0xaa; 9]);
    bytes.drain(12..16);
    assert_eq!(read4(&bytes).2, b"hello");
}

#[test]
fn a_checksum_left_to_the_device_stays_left_to_it() {
    let header = VnetHeader {
        flags: 1,
        csum_start: 54,
        csum_offset: 2,
        ..VnetHeader::default()
    };
    let mut bytes = ping6(ALICE6, GATEWAY6, b"hello");
    let len = (bytes.len() - 54) as u32;
    let partial = checksum::pseudo_header(&bytes[22..54], 58, len);
    bytes[56..58].copy_from_slice(&partial.to_be_bytes());
    assert_eq!(Lab::new().receive_offloaded(&mut bytes, header), ANSWERED);
    let mut answer = Frame::parse(&mut bytes, header).unwrap();
    answer.complete_checksum();
    let packet = Ipv6Packet::new_checked(&bytes[14..]).unwrap();
    let message = Icmpv6Packet::new_checked(packet.payload()).unwrap();
    assert!(message.verify_checksum(&packet.src_addr(), &packet.dst_addr()));
}

#[test]
fn what_cannot_be_answered_in_place_is_the_hosts_and_untouched() {
    let plain = ping4(ALICE4, GATEWAY4, b"hello");
    let bad_sum = {
        let mut bytes = plain.clone();
        bytes[36] ^= 1;
        bytes
    };
    let with_header = |at: usize, value: u8| {
        let mut bytes = plain.clone();
        bytes[at] = value;
        bytes[24..26].fill(0);
        let sum = !checksum::sum(&bytes[14..34]);
        bytes[24..26].copy_from_slice(&sum.to_be_bytes());
        bytes
    };
    let with_options = {
        let mut bytes = with_header(14, 0x46);
        bytes.splice(34..34, [1, 1, 1, 0]);
        bytes[17] += 4;
        bytes[24..26].fill(0);
        let sum = !checksum::sum(&bytes[14..38]);
        bytes[24..26].copy_from_slice(&sum.to_be_bytes());
        bytes
    };
    let reply = {
        let mut bytes = plain.clone();
        bytes[34] = 0;
        let sum = u16::from_be_bytes([bytes[36], bytes[37]]);
        let sum = checksum::update(sum, 0x0800, 0);
        bytes[36..38].copy_from_slice(&sum.to_be_bytes());
        bytes
    };
    let cases = [
        ("wrong checksum", bad_sum),
        ("first fragment", with_header(20, 0x20)),
        ("later fragment", with_header(21, 0x05)),
        ("options", with_options),
        ("echo reply", reply),
        ("no source", ping4(ZERO, GATEWAY4, b"hello")),
        (
            "udp",
            ipv4(ALICE4, GATEWAY4, IpProtocol::Udp, &[0, 1, 0, 2, 0, 8, 0, 0]),
        ),
    ];
    for (what, bytes) in cases {
        let mut seen = bytes.clone();
        assert_eq!(Lab::new().receive(&mut seen), TO_HOST, "{what}");
        assert_eq!(seen, bytes, "{what}");
        let verdict = Lab::without_host_port().receive(&mut seen);
        assert_eq!(verdict, drop(NotServed), "{what}");
    }
}
