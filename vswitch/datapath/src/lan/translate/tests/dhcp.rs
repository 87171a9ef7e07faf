//! DHCP.

use smoltcp::wire::UdpPacket;

use super::*;

/// Whether the UDP checksum is right, zero for none included.
fn is_right(bytes: &[u8]) -> bool {
    let udp = UdpPacket::new_checked(&bytes[34..]).unwrap();
    let address = |at: usize| Ipv4Addr::from(<[u8; 4]>::try_from(&bytes[at..at + 4]).unwrap());
    udp.verify_checksum(&address(26).into(), &address(30).into())
}

#[test]
fn dhcp_requests_ask_for_a_broadcast() {
    let flags = |bytes: &[u8]| [bytes[52], bytes[53]];
    let request = udp([68, 67], None, &DISCOVER);
    let frame = left(request.clone());
    assert_eq!(flags(&frame), [0x80, 0]);
    assert!(is_right(&frame));
    // The client's hardware address identifies it to the server (RFC 2131 §2).
    assert_eq!(frame[54..], request[54..]);

    // Without a checksum, and with one that would be none.
    assert_eq!(left(udp([68, 67], Some(0), &DISCOVER))[40..42], [0, 0]);
    let mut zero = DISCOVER;
    let rest = !u16::from_be_bytes([frame[40], frame[41]]);
    zero[238..].copy_from_slice(&(!rest).to_be_bytes());
    let frame = left(udp([68, 67], None, &zero));
    assert_eq!(
        (&frame[40..42], is_right(&frame)),
        (&[0xff, 0xff][..], true)
    );

    // Left to a device.
    let mut bytes = request.clone();
    let pseudo = checksum::pseudo_header(&bytes[26..34], 17, 248);
    bytes[40..42].copy_from_slice(&pseudo.to_be_bytes());
    let header = VnetHeader {
        flags: NEEDS_CSUM,
        csum_start: 34,
        csum_offset: 6,
        ..VnetHeader::default()
    };
    let mut partial = Frame::parse(&mut bytes, header).unwrap();
    outward(&mut partial, INSIDE, OUTSIDE).unwrap();
    partial.complete_checksum();
    assert_eq!((flags(&bytes), is_right(&bytes)), ([0x80, 0], true));

    // With an address of its own for the wire, too: it is the parent's.
    let mut shared = request.clone();
    outward(
        &mut Frame::parse_plain(&mut shared).unwrap(),
        INSIDE,
        INSIDE,
    )
    .unwrap();
    assert_eq!((flags(&shared), &shared[..12]), ([0x80, 0], &request[..12]));
}

#[test]
fn what_is_no_dhcp_request_keeps_its_octets() {
    let answer = [&[2][..], &DISCOVER[1..]].concat();
    let flagged = [&DISCOVER[..10], &[0x80, 0][..], &DISCOVER[12..]].concat();
    for before in [
        udp([68, 67], None, &answer),
        udp([68, 67], None, &flagged),
        udp([68, 67], None, &DISCOVER[..8]),
        udp([67, 68], None, &DISCOVER),
        udp([68, 69], None, &DISCOVER),
    ] {
        assert_eq!(left(before.clone())[12..], before[12..]);
    }
}
