//! Neighbour Discovery.

use super::*;

#[test]
fn each_message_of_neighbour_discovery_names_the_parent() {
    let inside = messages(INSIDE, INSIDE);
    for (before, after) in inside.iter().zip(messages(OUTSIDE, OUTSIDE)) {
        let frame = left(plain((STATION6, PEER6), before));
        let options = after.len() - 16;
        assert_eq!(
            message(&frame)[options..],
            after[options..],
            "type {}",
            before[0]
        );
        assert_eq!(
            message(&frame)[4..options],
            before[4..options],
            "type {}",
            before[0]
        );
    }
    // Who is somebody else stays that.
    for foreign in messages(PEER, PEER) {
        let before = plain((STATION6, PEER6), &foreign);
        assert_eq!(left(before.clone())[12..], before[12..]);
    }
    // What looks like one, and is none.
    let echo = [&[128, 0, 0, 0, 0, 0, 0, 0][..], &option(1, INSIDE)].concat();
    let before = plain((STATION6, PEER6), &echo);
    assert_eq!(left(before.clone())[12..], before[12..]);
}

#[test]
fn neighbour_discovery_behind_other_headers_and_tags() {
    let solicitation = discovery(NdiscRepr::NeighborSolicit {
        target_addr: PEER6,
        lladdr: Some(EthernetAddress(INSIDE.0).into()),
    });
    let expected = plain((STATION6, PEER6), &{
        let mut message = solicitation.clone();
        message[26..32].copy_from_slice(&OUTSIDE.0);
        message
    });
    // Hop-by-hop options, and an atomic fragment (RFC 6946).
    for (next, extensions) in [
        (0, [58, 0, 1, 4, 0, 0, 0, 0]),
        (44, [58, 0, 0, 0, 0, 0, 0, 7]),
    ] {
        let frame = left(icmpv6(
            (STATION6, PEER6),
            (next, &extensions),
            &solicitation,
        ));
        assert_eq!(frame[62..], expected[54..]);
    }
    let mut tagged = plain((STATION6, PEER6), &solicitation);
    tagged.splice(12..12, [0x81, 0x00, 0x60, 0x00]);
    assert_eq!(left(tagged)[18..], expected[14..]);
}

#[test]
fn a_checksum_that_is_left_to_a_device_is_right_when_it_is_done() {
    for inside in messages(INSIDE, INSIDE) {
        let mut bytes = plain((STATION6, PEER6), &inside);
        let pseudo = checksum::pseudo_header(&bytes[22..54], 58, inside.len() as u32);
        bytes[56..58].copy_from_slice(&pseudo.to_be_bytes());
        let header = VnetHeader {
            flags: NEEDS_CSUM,
            csum_start: 54,
            csum_offset: 2,
            ..VnetHeader::default()
        };
        let mut frame = Frame::parse(&mut bytes, header).unwrap();
        outward(&mut frame, INSIDE, OUTSIDE).unwrap();
        frame.complete_checksum();
        assert_eq!(message(&bytes)[inside.len() - 6..], OUTSIDE.0);
    }
}

#[test]
fn a_wrong_checksum_stays_wrong() {
    for inside in messages(INSIDE, INSIDE) {
        let mut bytes = plain((STATION6, PEER6), &inside);
        bytes[57] ^= 1;
        let frame = left(bytes);
        let packet = Icmpv6Packet::new_checked(&frame[54..]).unwrap();
        assert!(!packet.verify_checksum(&STATION6, &PEER6));
    }
}

#[test]
fn neighbour_discovery_in_pieces_does_not_leave() {
    let first = [58, 0, 0, 1, 0, 0, 0, 7];
    for inside in messages(INSIDE, INSIDE) {
        let frame = icmpv6((STATION6, PEER6), (44, &first), &inside);
        stays(frame, VnetHeader::default(), DropReason::Untranslatable);
    }
    let echo = [128, 0, 0, 0, 0, 0, 0, 0];
    left(icmpv6((STATION6, PEER6), (44, &first), &echo));
    // Of a later piece nobody knows what it is of.
    let later = [58, 0, 0, 8, 0, 0, 0, 7];
    let before = icmpv6(
        (STATION6, PEER6),
        (44, &later),
        &messages(INSIDE, INSIDE)[2],
    );
    assert_eq!(left(before.clone())[12..], before[12..]);
}

#[test]
fn what_contradicts_itself_does_not_leave() {
    let solicitation = &messages(INSIDE, INSIDE)[2];
    let addresses = (STATION6, PEER6);
    let changed = |at: usize, value: u8| {
        let mut message = solicitation.clone();
        message[at] = value;
        plain(addresses, &message)
    };
    for frame in [
        // An option of no length, one beyond the end, no place for options.
        changed(25, 0),
        changed(solicitation.len() - 7, 2),
        plain(addresses, &solicitation[..20]),
        ethernet(PEER, 0x86dd, &[0x60; 20]),
        ethernet(PEER, 0x0806, &[0, 1, 8, 0, 6, 4, 0, 1]),
    ] {
        stays(frame, VnetHeader::default(), DropReason::Malformed);
    }
}
