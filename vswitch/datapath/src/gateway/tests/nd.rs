//! Neighbour Discovery at the gateway.

use super::*;

const SOLICITED: NdiscNeighborFlags = NdiscNeighborFlags::SOLICITED;
const OVERRIDE: NdiscNeighborFlags = NdiscNeighborFlags::OVERRIDE;
const GROUP_MAC: MacAddr = MacAddr([0x33, 0x33, 0xff, 0, 0, 1]);
const ALL_NODES: (MacAddr, &str) = (MacAddr([0x33, 0x33, 0, 0, 0, 1]), "ff02::1");

/// What an answer says: to whom, about what, and with which flags.
fn read(answer: &[u8]) -> (MacAddr, Ipv6Addr, Ipv6Addr, NdiscNeighborFlags) {
    let frame = EthernetFrame::new_checked(answer).unwrap();
    assert_eq!(frame.src_addr().0, GATEWAY.0);
    let packet = Ipv6Packet::new_checked(frame.payload()).unwrap();
    assert_eq!(packet.hop_limit(), 255);
    let message = Icmpv6Packet::new_checked(packet.payload()).unwrap();
    assert!(message.verify_checksum(&packet.src_addr(), &packet.dst_addr()));
    let NdiscRepr::NeighborAdvert {
        flags,
        target_addr,
        lladdr,
    } = NdiscRepr::parse(&message).unwrap()
    else {
        panic!("no advertisement");
    };
    assert_eq!(packet.src_addr(), target_addr);
    assert_eq!(lladdr.unwrap().as_bytes(), GATEWAY.0);
    (
        MacAddr(frame.dst_addr().0),
        packet.dst_addr(),
        target_addr,
        flags,
    )
}

#[test]
fn a_solicitation_is_answered_and_the_sender_learned() {
    let router = NdiscNeighborFlags::ROUTER | SOLICITED | OVERRIDE;
    for (to_mac, to) in [(GROUP_MAC, GATEWAY6_GROUP), (GATEWAY, GATEWAY6)] {
        let mut lab = Lab::new();
        let answer = lab.answer(solicit(to_mac, ALICE6, to, GATEWAY6, Some(ALICE)));
        assert_eq!(read(&answer), (ALICE, v6(ALICE6), v6(GATEWAY6), router));
        assert_eq!(answer.len(), 86);
        assert_eq!(lab.knows(ALICE6), Some(ALICE));
    }
    let mut lab = Lab::new();
    let answer = lab.answer(solicit(GATEWAY, ALICE6, GATEWAY6, GATEWAY6, None));
    assert_eq!(read(&answer), (ALICE, v6(ALICE6), v6(GATEWAY6), router));
    assert_eq!(lab.knows(ALICE6), None);
}

#[test]
fn duplicate_address_detection_is_told_by_all_nodes() {
    let mut lab = Lab::new();
    let answer = lab.answer(solicit(GROUP_MAC, "::", GATEWAY6_GROUP, GATEWAY6, None));
    let flags = NdiscNeighborFlags::ROUTER | OVERRIDE;
    assert_eq!(
        read(&answer),
        (ALL_NODES.0, v6(ALL_NODES.1), v6(GATEWAY6), flags)
    );
    assert!(lab.neighbours.rows().is_empty());
}

#[test]
fn what_rfc_4861_7_1_forbids_is_not_the_gateways_affair() {
    let good = solicit(GROUP_MAC, ALICE6, GATEWAY6_GROUP, GATEWAY6, Some(ALICE));
    let changed = |at: usize, value: u8, sealed: bool| {
        let mut bytes = good.clone();
        bytes[at] = value;
        if sealed {
            seal(&mut bytes);
        }
        bytes
    };
    let cases = [
        ("hop limit", changed(21, 254, false)),
        ("checksum", changed(56, good[56] ^ 1, false)),
        ("code", changed(55, 1, true)),
        ("option of no length", changed(79, 0, true)),
        ("option beyond the end", changed(79, 2, true)),
        ("target is a group", changed(62, 0xff, true)),
        ("detection with an option", {
            solicit(GROUP_MAC, "::", GATEWAY6_GROUP, GATEWAY6, Some(ALICE))
        }),
        (
            "detection that asks one node",
            solicit(GROUP_MAC, "::", GATEWAY6, GATEWAY6, None),
        ),
        (
            "too short",
            ipv6(
                GROUP_MAC,
                ALICE6,
                GATEWAY6_GROUP,
                255,
                &[135, 0, 0, 0, 0, 0, 0, 0],
            ),
        ),
    ];
    for (what, mut bytes) in cases {
        let mut lab = Lab::new();
        assert_eq!(lab.receive(&mut bytes), None, "{what}");
        assert!(lab.neighbours.rows().is_empty(), "{what}");
        if what == "checksum" {
            bytes[..6].copy_from_slice(&GATEWAY.0);
            assert_eq!(lab.receive(&mut bytes), TO_HOST);
        }
    }
    assert!(matches!(
        Lab::new().receive(&mut good.clone()),
        Some(Verdict::Reply(86))
    ));
}

#[test]
fn other_targets_go_on() {
    let mut lab = Lab::new();
    let to_bob = solicit(GROUP_MAC, ALICE6, "ff02::1:ff00:3", BOB6, Some(ALICE));
    assert_eq!(lab.receive(&mut to_bob.clone()), None);
    assert!(lab.neighbours.rows().is_empty());
}

#[test]
fn the_link_local_address_is_the_hosts_where_there_is_one() {
    let target = GATEWAY_LINK_LOCAL;
    let to_group = solicit(GROUP_MAC, ALICE6, GATEWAY6_GROUP, target, Some(ALICE));
    let to_one = solicit(GATEWAY, ALICE6, target, target, Some(ALICE));
    assert_eq!(Lab::new().receive(&mut to_group.clone()), None);
    assert_eq!(Lab::new().receive(&mut to_one.clone()), TO_HOST);
    for frame in [to_group, to_one] {
        let answer = Lab::without_host_port().answer(frame);
        assert_eq!(read(&answer).2, v6(target));
    }
}

#[test]
fn an_advertisement_to_the_gateway_is_learned_and_is_for_the_host() {
    let to_us = (GATEWAY, GATEWAY6);
    let mut lab = Lab::new();
    assert_eq!(
        lab.receive(&mut advertise(to_us, ALICE6, ALICE6, SOLICITED, ALICE)),
        TO_HOST
    );
    assert_eq!(lab.knows(ALICE6), Some(ALICE));
    // Without the override flag a known address stays.
    lab.receive(&mut advertise(to_us, ALICE6, ALICE6, SOLICITED, MALLORY));
    assert_eq!(lab.knows(ALICE6), Some(ALICE));
    lab.receive(&mut advertise(
        to_us,
        ALICE6,
        ALICE6,
        SOLICITED | OVERRIDE,
        MALLORY,
    ));
    assert_eq!(lab.knows(ALICE6), Some(MALLORY));

    let mut lab = Lab::without_host_port();
    let mut advertisement = advertise(to_us, ALICE6, ALICE6, SOLICITED, ALICE);
    assert_eq!(lab.receive(&mut advertisement), Some(Verdict::Taken));
}

#[test]
fn an_advertisement_to_all_updates_only_the_known() {
    let mut lab = Lab::new();
    assert_eq!(
        lab.receive(&mut advertise(ALL_NODES, ALICE6, ALICE6, OVERRIDE, ALICE)),
        None
    );
    assert_eq!(lab.knows(ALICE6), None);
    lab.neighbours.learn(ip(ALICE6), MALLORY, HOST, NOW);
    lab.receive(&mut advertise(ALL_NODES, ALICE6, ALICE6, OVERRIDE, ALICE));
    assert_eq!(lab.knows(ALICE6), Some(ALICE));
    // To a group nothing is solicited: RFC 4861 §7.1.2.
    lab.receive(&mut advertise(
        ALL_NODES,
        ALICE6,
        ALICE6,
        SOLICITED | OVERRIDE,
        MALLORY,
    ));
    assert_eq!(lab.knows(ALICE6), Some(ALICE));
}

#[test]
fn the_gateways_addresses_cannot_be_claimed() {
    for own in [GATEWAY6, GATEWAY_LINK_LOCAL] {
        let mut lab = Lab::new();
        let advertisement = advertise(ALL_NODES, ALICE6, own, OVERRIDE, MALLORY);
        assert_eq!(
            lab.receive(&mut advertisement.clone()),
            drop(SpoofedAddress)
        );
        let question = solicit(GROUP_MAC, own, "ff02::1:ff00:3", BOB6, Some(MALLORY));
        assert_eq!(lab.receive(&mut question.clone()), drop(SpoofedAddress));
        assert!(lab.neighbours.rows().is_empty());
    }
}
