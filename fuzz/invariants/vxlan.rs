//! What holds for any datagrams from an underlay: two octets say how long each is, one which TOS they
//! came with, and the rest is what one read gave.

#![allow(clippy::expect_used, reason = "to panic is how an invariant speaks")]

use vswitch_packet::ip::Version;
use vswitch_packet::{Frame, Network};
use vswitch_vxlan::ecn::{self, Dscp, Ecn};
use vswitch_vxlan::{Datagrams, HEADER_LEN, Vni, decapsulate, entropy, header};

/// The shortest datagram with an Ethernet header in it.
const SHORTEST: usize = HEADER_LEN + 14;
/// The I flag.
const VALID: u8 = 0x08;

/// Panics if the switch would, or if it makes of a frame what it must not.
pub(crate) fn check(input: &[u8]) {
    let Some(([high, low, tos], octets)) = input.split_first_chunk() else {
        return;
    };
    let segment = match u16::from_be_bytes([*high, *low]) {
        0 => None,
        segment => Some(segment),
    };
    let mut octets = octets.to_vec();
    let mut at = 0;
    for range in Datagrams::new(octets.len(), segment) {
        assert_eq!(range.start, at, "one begins where another ends");
        at = range.end;
        let datagram = octets.get_mut(range).expect("inside");
        assert!(!datagram.is_empty());
        check_datagram(datagram, *tos);
    }
    assert_eq!(at, octets.len(), "nothing is left over");
}

fn check_datagram(datagram: &mut [u8], tos: u8) {
    let vni = decapsulate(datagram);
    let valid = datagram.len() >= SHORTEST && datagram[0] & VALID != 0;
    assert_eq!(vni.is_ok(), valid);
    let Ok(vni) = vni else {
        return;
    };
    let (outer, inner) = datagram.split_at_mut(HEADER_LEN);
    assert_eq!(vni.to_string().parse(), Ok(vni));
    assert_eq!(outer[4..7], vni.get().to_be_bytes()[1..]);
    check_frame(inner, vni, tos);
}

fn check_frame(octets: &mut [u8], vni: Vni, tos: u8) {
    let before = octets.to_vec();
    let Ok(mut frame) = Frame::parse_plain(octets) else {
        return;
    };
    let (layout, flow) = (*frame.layout(), entropy(&frame));
    let inherited = ecn::outer_tos(&frame, Dscp::Inherit);
    let sum_ok = ipv4_sum_ok(&frame);

    let applied = ecn::apply(&mut frame, tos);
    let (inner, outer) = (Ecn::of(inherited), Ecn::of(tos));
    let after = Ecn::of(ecn::outer_tos(&frame, Dscp::Fixed(0)));
    match (frame.network(), applied) {
        (Network::Ip(_), Err(_)) => {
            assert_eq!((inner, outer), (Ecn::NotEct, Ecn::Ce));
            assert_eq!(frame.bytes(), before, "dropped as it came");
        }
        (Network::Ip(_), Ok(())) => {
            assert_eq!(Ok(after), ecn::decapsulate(inner, outer));
            let understands = inner != Ecn::NotEct;
            assert_eq!(
                after != Ecn::NotEct,
                understands,
                "what it understands stays"
            );
            assert!(inner != Ecn::Ce || after == Ecn::Ce, "no mark is lost");
        }
        (_, applied) => {
            assert_eq!(applied, Ok(()));
            assert_eq!(frame.bytes(), before, "there is no mark in it");
        }
    }
    assert_eq!(
        ipv4_sum_ok(&frame),
        sum_ok,
        "a sum is neither broken nor mended"
    );
    assert_eq!(entropy(&frame), flow, "marks are not of a flow");
    assert_eq!(ecn::outer_tos(&frame, Dscp::Inherit) >> 2, inherited >> 2);
    check_changes(&before, &frame);

    let again = [&header(vni)[..], frame.bytes()].concat();
    assert_eq!(decapsulate(&again), Ok(vni));
    let mut octets = again[HEADER_LEN..].to_vec();
    let again = Frame::parse_plain(&mut octets).expect("still a frame");
    assert_eq!(*again.layout(), layout);
}

/// No octets but those of the mark and its sum are others than before.
fn check_changes(before: &[u8], frame: &Frame<'_>) {
    let changeable = match frame.network() {
        Network::Ip(ip) => {
            let start = usize::from(ip.start);
            match ip.version {
                Version::V4 => vec![start + 1, start + 10, start + 11],
                Version::V6 => vec![start + 1],
            }
        }
        _ => vec![],
    };
    for (at, (old, new)) in before.iter().zip(frame.bytes()).enumerate() {
        assert!(old == new || changeable.contains(&at), "octet {at} changed");
    }
}

fn ipv4_sum_ok(frame: &Frame<'_>) -> bool {
    match frame.network() {
        Network::Ip(ip) => ip.checksum_ok(frame.bytes()),
        _ => true,
    }
}
