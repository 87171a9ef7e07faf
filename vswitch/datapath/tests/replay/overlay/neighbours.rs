//! What a host believes of what others say of neighbours.

use proptest::prelude::*;
use smoltcp::wire::{ArpOperation, NdiscNeighborFlags};
use vswitch_datapath::DropReason::{Malformed, SpoofedAddress};
use vswitch_datapath::neighbour::Neighbours;
use vswitch_packet::MacAddr;

use super::peers::{TO_FAR, TO_NEAR};
use super::suppression::{acquainted, all_nodes, bench, knows, questions};
use crate::bench::HOST;
use crate::crafted::{ICMPV6, advertise, arp, icmpv6, is_at, solicit, who_has};
use crate::station::{A, ALICE, B, BOB, CAROL, DAVE, GATEWAY, Station, station};
use crate::tap_frame::TapFrame;

const SOLICITED: NdiscNeighborFlags = NdiscNeighborFlags::SOLICITED;
const OVERRIDE: NdiscNeighborFlags = NdiscNeighborFlags::OVERRIDE;

#[test]
fn neighbours_are_learned_from_what_comes_by_tunnels() {
    let mut bench = bench();
    bench.spreads(TO_NEAR, &who_has(CAROL, BOB), &[A, B, HOST]);
    bench.spreads(TO_FAR, &solicit(DAVE, BOB), &[A, B, HOST]);
    assert_eq!(knows(&bench, CAROL.v4), Some((CAROL.mac, TO_NEAR)));
    assert_eq!(knows(&bench, DAVE.v6), Some((DAVE.mac, TO_FAR)));
    bench.learn(&[A]);
    bench.spreads(TO_FAR, &is_at(DAVE, ALICE), &[A]);
    assert_eq!(knows(&bench, DAVE.v4), Some((DAVE.mac, TO_FAR)));
    // Without the override flag, a known address stays where it is.
    let other = DAVE.with_mac(station(99).mac);
    bench.spreads(TO_FAR, &advertise(other, ALICE, other, SOLICITED), &[A]);
    assert_eq!(knows(&bench, DAVE.v6), Some((DAVE.mac, TO_FAR)));
    bench.spreads(TO_FAR, &advertise(other, ALICE, other, OVERRIDE), &[A]);
    assert_eq!(knows(&bench, DAVE.v6), Some((other.mac, TO_FAR)));
    // Not of this segment, or nobody's.
    for sender in [[10, 9, 9, 9], [10, 0, 0, 255], [0, 0, 0, 0], [224, 0, 0, 1]] {
        let question = who_has(CAROL.with_v4(sender.into()), BOB);
        bench.spreads(TO_NEAR, &question, &[A, B, HOST]);
    }
    assert_eq!(bench.bridge().neighbours.learned(), 3);
}

#[test]
fn a_tunnel_fills_no_more_of_the_table_than_there_is() {
    let mut bench = bench();
    bench.edit_bridge(|bridge| bridge.neighbours = Neighbours::with_limit(3).into());
    for n in 100..110 {
        bench.spreads(TO_NEAR, &who_has(station(n), BOB), &[A, B, HOST]);
    }
    let neighbours = &bench.bridge().neighbours;
    assert_eq!((neighbours.learned(), neighbours.refused()), (3, 7));
    // Those that were learned are answered for, the others are asked.
    let [(question, answer), _] = questions(ALICE, station(102));
    bench.crosses(A, &question, &[(A, &answer)]);
    let question = who_has(ALICE, station(103));
    bench.spreads(A, &question, &[B, HOST, TO_NEAR, TO_FAR]);
}

/// Every way in which `liar` may claim to have the addresses of `victim`.
fn lies(liar: Station, victim: Station) -> Vec<TapFrame> {
    let claimed = victim.with_mac(liar.mac);
    let named = |frame: TapFrame, options: &[u8]| {
        let message = [&frame.bytes[54..78], options].concat();
        icmpv6(claimed, ALICE, 255, (ICMPV6, &[]), &message)
    };
    let told = advertise(claimed, ALICE, claimed, OVERRIDE | SOLICITED);
    let mac = liar.mac.0;
    let option = [&[2, 1][..], &mac].concat();
    vec![
        who_has(claimed, BOB),
        who_has(claimed, claimed),
        is_at(claimed, ALICE),
        arp(
            liar.mac,
            MacAddr::BROADCAST,
            ArpOperation::Reply,
            claimed,
            claimed,
        ),
        solicit(claimed, BOB),
        told.clone(),
        advertise(claimed, all_nodes(), claimed, OVERRIDE),
        advertise(liar, ALICE, claimed, SOLICITED),
        // Behind another option; without any; and in one frame with what is so.
        named(
            told.clone(),
            &[&[14, 1, 1, 2, 3, 4, 5, 6][..], &option].concat(),
        ),
        named(told, &[]),
    ]
}

#[test]
fn another_host_cannot_claim_the_gateway_s_addresses_or_assigned_ones() {
    let mut bench = acquainted();
    let now = bench.now();
    for address in DAVE.addresses() {
        bench
            .bridge()
            .neighbours
            .set_static(address, DAVE.mac, TO_FAR, now);
    }
    let before = bench.bridge().neighbours.rows();
    let liar = station(66);
    for victim in [GATEWAY, GATEWAY.with_v6(GATEWAY.link_local()), BOB, DAVE] {
        for lie in lies(liar, victim) {
            bench.stops(TO_NEAR, &lie, SpoofedAddress);
        }
    }
    // Nor is anybody else at the gateway's MAC address.
    for lie in lies(GATEWAY, station(67)) {
        bench.stops(TO_NEAR, &lie, SpoofedAddress);
    }
    assert_eq!(bench.bridge().neighbours.rows(), before);
}

#[test]
fn what_can_be_read_in_two_ways_is_not_let_in() {
    let mut bench = acquainted();
    let said = advertise(CAROL, ALICE, CAROL, OVERRIDE);
    let options = |tail: &[u8]| {
        let message = [&said.bytes[54..], tail].concat();
        icmpv6(CAROL, ALICE, 255, (ICMPV6, &[]), &message)
    };
    let other = [&[2, 1][..], &GATEWAY.mac.0].concat();
    bench.stops(TO_NEAR, &options(&other), Malformed);
    bench.stops(TO_NEAR, &options(&[14, 0, 0, 0, 0, 0, 0, 0]), Malformed);
    let again = [&[2, 1][..], &CAROL.mac.0].concat();
    bench.spreads(TO_NEAR, &options(&again), &[A]);
    // Behind an extension header it is the same message.
    let hidden = advertise(CAROL, ALICE, GATEWAY.with_mac(CAROL.mac), OVERRIDE);
    let padding = [ICMPV6, 0, 1, 4, 0, 0, 0, 0];
    let hidden = icmpv6(CAROL, ALICE, 255, (60, &padding), &hidden.bytes[54..]);
    bench.stops(TO_NEAR, &hidden, SpoofedAddress);
}

/// Whom a receiver believes to have which address, after an advertisement (RFC 4861 §7.1.2) or ARP.
fn believed(frame: &TapFrame) -> Option<(Vec<u8>, Option<MacAddr>)> {
    let bytes = &frame.bytes;
    let mac = |octets: &[u8]| MacAddr(octets.try_into().unwrap());
    if bytes[12..14] == [0x08, 0x06] {
        // Of Ethernet or IEEE 802, and IPv4, as Linux's `arp_process` wants it.
        let is_ours = [1, 6]
            .iter()
            .any(|&kind| bytes[14..20] == [0, kind, 8, 0, 6, 4]);
        return is_ours.then(|| (bytes[28..32].to_vec(), Some(mac(&bytes[22..28]))));
    }
    let is_plain = bytes[12..14] == [0x86, 0xdd] && bytes[14] >> 4 == 6 && bytes[20] == ICMPV6;
    let len = usize::from(u16::from_be_bytes([bytes[18], bytes[19]]));
    let message = bytes.get(54..54 + len)?;
    let is_advertisement = len >= 24 && message[..2] == [136, 0] && bytes[21] == 255;
    let pseudo = [
        &bytes[22..54],
        &(len as u32).to_be_bytes(),
        &[0, 0, 0, ICMPV6],
    ]
    .concat();
    if !is_plain || !is_advertisement || crate::wire::sum(&[&pseudo, message].concat()) != 0xffff {
        return None;
    }
    let (mut options, mut named) = (&message[24..], None);
    while let [kind, units, ..] = *options {
        let len = usize::from(units) * 8;
        if len == 0 || len > options.len() {
            return None;
        }
        if kind == 2 {
            named = named.or(Some(mac(&options[2..8])));
        }
        options = &options[len..];
    }
    Some((message[8..24].to_vec(), named))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// However a lie is told, no container is led to believe that the gateway is elsewhere.
    #[test]
    fn no_lie_about_the_gateway_comes_through(
        lie in 0..10_usize,
        changes in proptest::collection::vec((14..94_usize, any::<u8>()), 0..4),
        tail in proptest::collection::vec(any::<u8>(), 0..24),
        sealed: bool,
    ) {
        let mut bench = acquainted();
        let mut frame = lies(station(66), GATEWAY).swap_remove(lie);
        frame.bytes.extend(tail);
        for (at, value) in changes {
            if let Some(octet) = frame.bytes.get_mut(at) {
                *octet = value;
            }
        }
        if sealed && frame.bytes[12..14] == [0x86, 0xdd] {
            let message = &frame.bytes[54..];
            let len = (message.len() as u16).to_be_bytes();
            let field = |octets: &[u8]| std::net::Ipv6Addr::from(<[u8; 16]>::try_from(octets).unwrap());
            let [from, to] = [22, 38].map(|at| field(&frame.bytes[at..at + 16]));
            let message = icmpv6(
                station(66).with_v6(from),
                ALICE.with_v6(to),
                255,
                (ICMPV6, &[]),
                message,
            );
            frame.bytes[54..].copy_from_slice(&message.bytes[54..]);
            frame.bytes[18..20].copy_from_slice(&len);
        }
        bench.come(TO_NEAR, &frame);
        let out = bench.came_out();
        bench.counted();
        for (port, frame) in out {
            if let Some((address, mac)) = believed(&frame).filter(|_| port == A || port == B) {
                let own = [GATEWAY.v4.octets().to_vec(), GATEWAY.v6.octets().to_vec()];
                prop_assert!(mac == Some(GATEWAY.mac) || !own.contains(&address), "{frame:?}");
            }
        }
        prop_assert_eq!(knows(&bench, GATEWAY.v4), None);
        prop_assert_eq!(knows(&bench, GATEWAY.v6), None);
        prop_assert_eq!(knows(&bench, ALICE.v4), Some((ALICE.mac, A)));
    }
}
