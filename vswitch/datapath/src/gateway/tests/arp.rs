//! ARP for the gateway's addresses.

use super::*;

#[test]
fn a_request_is_answered_and_the_sender_learned() {
    let mut lab = Lab::new();
    for to in [MacAddr::BROADCAST, GATEWAY] {
        let answer = lab.answer(ask(to, ALICE4, GATEWAY4));
        let frame = EthernetFrame::new_checked(&answer[..]).unwrap();
        assert_eq!(frame.src_addr().0, GATEWAY.0);
        assert_eq!(frame.dst_addr().0, ALICE.0);
        assert_eq!(frame.ethertype(), EthernetProtocol::Arp);
        let arp = ArpRepr::parse(&ArpPacket::new_checked(frame.payload()).unwrap()).unwrap();
        assert_eq!(
            arp,
            ArpRepr::EthernetIpv4 {
                operation: ArpOperation::Reply,
                source_hardware_addr: EthernetAddress(GATEWAY.0),
                source_protocol_addr: v4(GATEWAY4),
                target_hardware_addr: EthernetAddress(ALICE.0),
                target_protocol_addr: v4(ALICE4),
            }
        );
        assert_eq!(answer.len(), 42);
    }
    let known = lab.neighbours.get(ip(ALICE4)).unwrap();
    let heard = Neighbour {
        asked: Moment::ORIGIN,
        mac: ALICE,
        port: INGRESS,
        confirmed: NOW,
        origin: Origin::Learned,
    };
    assert_eq!(known, heard);
}

#[test]
fn a_probe_is_answered_and_nobody_learned() {
    let mut lab = Lab::new();
    assert_eq!(
        lab.answer(ask(MacAddr::BROADCAST, ZERO, GATEWAY4)).len(),
        42
    );
    assert!(lab.neighbours.rows().is_empty());
}

#[test]
fn hardware_type_ieee_802_is_answered_as_ethernet() {
    let mut frame = ask(MacAddr::BROADCAST, ALICE4, GATEWAY4);
    frame[15] = 6;
    assert_eq!(Lab::new().answer(frame)[14..16], [0, 1]);
}

#[test]
fn a_priority_tag_is_no_obstacle_and_a_second_tag_is() {
    let request = ask(MacAddr::BROADCAST, ALICE4, GATEWAY4);
    assert_eq!(Lab::new().answer(tagged(&request, 0xe000)).len(), 42);
    let mut twice = tagged(&tagged(&request, 5), 0xe000);
    assert_eq!(Lab::new().receive(&mut twice), None);
    twice[..6].copy_from_slice(&GATEWAY.0);
    assert_eq!(Lab::new().receive(&mut twice), drop(NotServed));
}

#[test]
fn what_others_ask_each_other_goes_on_and_updates_only_the_known() {
    let mut lab = Lab::new();
    assert_eq!(
        lab.receive(&mut ask(MacAddr::BROADCAST, ALICE4, BOB4)),
        None
    );
    assert_eq!(lab.knows(ALICE4), None);

    lab.neighbours.learn(ip(ALICE4), MALLORY, HOST, NOW);
    // A gratuitous request: RFC 5227 §3.
    assert_eq!(
        lab.receive(&mut ask(MacAddr::BROADCAST, ALICE4, ALICE4)),
        None
    );
    assert_eq!(lab.knows(ALICE4), Some(ALICE));
}

#[test]
fn a_reply_to_the_gateway_is_learned_and_is_for_the_host() {
    let mut lab = Lab::new();
    let reply = arp(GATEWAY, 2, (ALICE, ALICE4), GATEWAY4);
    assert_eq!(lab.receive(&mut reply.clone()), TO_HOST);
    assert_eq!(lab.knows(ALICE4), Some(ALICE));

    let mut lab = Lab::without_host_port();
    assert_eq!(lab.receive(&mut reply.clone()), Some(Verdict::Taken));
    assert_eq!(lab.knows(ALICE4), Some(ALICE));
}

#[test]
fn the_gateways_address_cannot_be_claimed() {
    for operation in [1, 2] {
        for to in [MacAddr::BROADCAST, GATEWAY] {
            let mut lab = Lab::new();
            let mut claim = arp(to, operation, (MALLORY, GATEWAY4), GATEWAY4);
            assert_eq!(lab.receive(&mut claim), drop(SpoofedAddress));
            assert!(lab.neighbours.rows().is_empty());
        }
    }
}

#[test]
fn nobody_is_learned_who_is_off_link_or_assigned_or_a_group() {
    let mut lab = Lab::new();
    lab.answer(ask(MacAddr::BROADCAST, "10.0.1.2", GATEWAY4));
    assert_eq!(lab.knows("10.0.1.2"), None);

    lab.neighbours.set_static(ip(BOB4), ALICE, INGRESS, NOW);
    lab.answer(arp(MacAddr::BROADCAST, 1, (MALLORY, BOB4), GATEWAY4));
    assert_eq!(lab.knows(BOB4), Some(ALICE));

    for group in [
        MacAddr::BROADCAST,
        MacAddr::ZERO,
        MacAddr([1, 0, 0x5e, 0, 0, 1]),
    ] {
        let mut request = arp(MacAddr::BROADCAST, 1, (group, ALICE4), GATEWAY4);
        assert_eq!(lab.receive(&mut request), None);
        request[..6].copy_from_slice(&GATEWAY.0);
        assert_eq!(lab.receive(&mut request), drop(NotServed));
    }
    assert_eq!(lab.knows(ALICE4), None);
}

#[test]
fn unicast_that_is_no_question_for_the_gateway() {
    let mut lab = Lab::new();
    assert_eq!(
        lab.receive(&mut ask(GATEWAY, ALICE4, "192.168.9.9")),
        TO_HOST
    );
    assert_eq!(
        lab.receive(&mut arp(GATEWAY, 3, (ALICE, ALICE4), ZERO)),
        drop(NotServed)
    );
    let mut truncated = ask(GATEWAY, ALICE4, GATEWAY4);
    truncated.truncate(14 + 27);
    assert_eq!(lab.receive(&mut truncated), drop(BadIpHeader));
    truncated[..6].copy_from_slice(&[0xff; 6]);
    assert_eq!(lab.receive(&mut truncated), None);
}
