//! ARP and ND between hosts: what the switch answers itself.

use core::net::Ipv6Addr;
use core::time::Duration;
use std::net::IpAddr;

use smoltcp::wire::{ArpOperation, NdiscNeighborFlags};
use vswitch_datapath::DropReason::NotLocal;
use vswitch_datapath::PortId;
use vswitch_datapath::neighbour::{Origin, TRUSTED};
use vswitch_packet::MacAddr;
use vswitch_packet::VlanId;

use super::peers::{TO_FAR, TO_NEAR, with_peers};
use crate::bench::{Bench, HOST};
use crate::crafted::{advertise, arp, is_at, solicit, who_has};
use crate::station::{A, ALICE, B, BOB, CAROL, DAVE, GATEWAY, Station, station};
use crate::tap_frame::TapFrame;

const SOLICITED: NdiscNeighborFlags = NdiscNeighborFlags::SOLICITED;
const OVERRIDE: NdiscNeighborFlags = NdiscNeighborFlags::OVERRIDE;
const SECOND: Duration = Duration::from_secs(1);

/// Alice and Bob are here, the others are elsewhere; nobody is known.
pub(super) fn bench() -> Bench {
    let mut bench = with_peers(2).with_gateway(Some(HOST));
    bench.edit_bridge(|bridge| bridge.overlay.as_mut().unwrap().suppress = true);
    bench
}

/// Carol is known behind the near host, Alice and Bob by assignment.
pub(super) fn acquainted() -> Bench {
    let mut bench = bench();
    for (port, station) in [(A, ALICE), (B, BOB)] {
        crate::outside::introduce(&mut bench, crate::bench::BRIDGE, port, station);
    }
    for announcement in announcements(CAROL) {
        bench.spreads(TO_NEAR, &announcement, &[A, B, HOST]);
    }
    bench
}

/// What `from` says of itself, unasked.
pub(super) fn announcements(from: Station) -> [TapFrame; 2] {
    [
        who_has(from, from),
        advertise(from, all_nodes(), from, OVERRIDE),
    ]
}

pub(super) fn all_nodes() -> Station {
    let all = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
    station(0)
        .with_mac(MacAddr([0x33, 0x33, 0, 0, 0, 1]))
        .with_v6(all)
}

/// The question after `target`, and its answer, in both families.
pub(super) fn questions(from: Station, target: Station) -> [(TapFrame, TapFrame); 2] {
    let flags = SOLICITED | OVERRIDE;
    [
        (who_has(from, target), is_at(target, from)),
        (
            solicit(from, target),
            advertise(target, from, target, flags),
        ),
    ]
}

/// Who would like to have the address of `target`, which must not know it yet.
fn probes(from: Station, target: Station) -> [(TapFrame, TapFrame); 2] {
    let nobody = from
        .with_v4([0, 0, 0, 0].into())
        .with_v6(Ipv6Addr::UNSPECIFIED);
    [
        (who_has(nobody, target), is_at(target, nobody)),
        (
            solicit(nobody, target),
            advertise(target, all_nodes(), target, OVERRIDE),
        ),
    ]
}

pub(super) fn knows(bench: &Bench, address: impl Into<IpAddr>) -> Option<(MacAddr, PortId)> {
    let known = bench.bridge().neighbours.get(address.into());
    known.map(|known| (known.mac, known.port))
}

#[test]
fn who_is_known_on_another_host_is_not_asked_again() {
    let mut bench = acquainted();
    for (question, answer) in questions(ALICE, CAROL) {
        bench.crosses(A, &question, &[(A, &answer)]);
    }
    bench.wait(TRUSTED - SECOND);
    for (question, answer) in questions(ALICE, CAROL) {
        bench.crosses(A, &question, &[(A, &answer)]);
    }
    // Not heard for long: asked, and known again by the answer.
    bench.wait(SECOND);
    for (question, answer) in questions(ALICE, CAROL) {
        bench.spreads(A, &question, &[B, HOST, TO_NEAR, TO_FAR]);
        bench.spreads(TO_NEAR, &answer, &[A]);
    }
    for (question, answer) in questions(BOB, CAROL) {
        bench.crosses(B, &question, &[(B, &answer)]);
    }
}

#[test]
fn who_was_programmed_is_known_for_good() {
    let mut bench = bench();
    let now = bench.now();
    let neighbours = bench.bridge().neighbours.clone();
    for address in DAVE.addresses() {
        neighbours.set_static(address, DAVE.mac, TO_FAR, now);
    }
    bench.wait(Duration::from_secs(1000));
    for (question, answer) in questions(ALICE, DAVE) {
        bench.crosses(A, &question, &[(A, &answer)]);
    }
    for address in DAVE.addresses() {
        assert!(neighbours.clear_static(address, DAVE.mac));
    }
    for (question, _) in questions(ALICE, DAVE) {
        bench.spreads(A, &question, &[B, HOST, TO_NEAR, TO_FAR]);
    }
}

#[test]
fn who_is_here_answers_containers_of_this_host_itself() {
    let mut bench = acquainted();
    for (question, answer) in questions(ALICE, BOB) {
        bench.spreads(A, &question, &[B, HOST, TO_NEAR, TO_FAR]);
        bench.spreads(B, &answer, &[A]);
    }
}

#[test]
fn other_hosts_are_answered_for_who_is_here() {
    let mut bench = acquainted();
    for (question, answer) in questions(CAROL, ALICE) {
        bench.crosses(TO_NEAR, &question, &[(TO_NEAR, &answer)]);
    }
    // Heard, not assigned: as long as that is fresh.
    let mut bench = self::bench();
    for (question, _) in questions(CAROL, ALICE) {
        bench.spreads(TO_NEAR, &question, &[A, B, HOST]);
    }
    for announcement in announcements(ALICE) {
        bench.spreads(A, &announcement, &[B, HOST, TO_NEAR, TO_FAR]);
    }
    for (question, answer) in questions(CAROL, ALICE) {
        bench.crosses(TO_NEAR, &question, &[(TO_NEAR, &answer)]);
    }
    bench.wait(TRUSTED);
    for (question, _) in questions(CAROL, ALICE) {
        bench.spreads(TO_NEAR, &question, &[A, B, HOST]);
    }
}

#[test]
fn each_host_answers_for_its_own_containers_only() {
    let mut bench = acquainted();
    for (question, _) in questions(DAVE, CAROL) {
        bench.spreads(TO_FAR, &question, &[A, B, HOST]);
    }
    for (question, _) in questions(DAVE, station(77)) {
        bench.spreads(TO_FAR, &question, &[A, B, HOST]);
    }
}

#[test]
fn without_suppression_everybody_is_asked() {
    let mut bench = acquainted();
    bench.edit_bridge(|bridge| bridge.overlay.as_mut().unwrap().suppress = false);
    for (question, _) in questions(ALICE, CAROL) {
        bench.spreads(A, &question, &[B, HOST, TO_NEAR, TO_FAR]);
    }
    for (question, answer) in questions(CAROL, ALICE) {
        bench.spreads(TO_NEAR, &question, &[A, B, HOST]);
        bench.spreads(A, &answer, &[TO_NEAR]);
    }
}

#[test]
fn who_looks_for_duplicates_is_told_of_them() {
    let mut bench = acquainted();
    for (probe, answer) in probes(ALICE, CAROL) {
        bench.crosses(A, &probe, &[(A, &answer)]);
    }
    for (probe, answer) in probes(CAROL, ALICE) {
        bench.crosses(TO_NEAR, &probe, &[(TO_NEAR, &answer)]);
    }
}

#[test]
fn nobody_is_told_that_his_own_address_is_taken() {
    let mut bench = acquainted();
    // She has come here, and the switch does not know better yet.
    bench.edit_port(B, |port| port.mac = CAROL.mac);
    for (probe, _) in probes(CAROL, CAROL) {
        bench.spreads(B, &probe, &[A, HOST, TO_NEAR, TO_FAR]);
    }
    for announcement in announcements(CAROL) {
        bench.spreads(B, &announcement, &[A, HOST, TO_NEAR, TO_FAR]);
    }
    assert_eq!(knows(&bench, CAROL.v4), Some((CAROL.mac, B)));
    // Nor does the switch know better where it was programmed.
    let mut bench = self::bench();
    let now = bench.now();
    for address in DAVE.addresses() {
        bench
            .bridge()
            .neighbours
            .set_static(address, DAVE.mac, TO_FAR, now);
    }
    for (probe, _) in probes(DAVE, DAVE) {
        bench.spreads(B, &probe, &[A, HOST, TO_NEAR, TO_FAR]);
    }
    // An announcement is no question, true or not.
    let claim = announcements(ALICE.with_v4(DAVE.v4));
    bench.spreads(A, &claim[0], &[B, HOST, TO_NEAR, TO_FAR]);
    // And Alice, who was only heard here, has gone there.
    let mut bench = self::bench();
    for announcement in announcements(ALICE) {
        bench.spreads(A, &announcement, &[B, HOST, TO_NEAR, TO_FAR]);
    }
    for (probe, _) in probes(ALICE, ALICE) {
        bench.spreads(TO_NEAR, &probe, &[A, B, HOST]);
    }
    for announcement in announcements(ALICE) {
        bench.spreads(TO_NEAR, &announcement, &[A, B, HOST]);
    }
    assert_eq!(knows(&bench, ALICE.v4), Some((ALICE.mac, TO_NEAR)));
}

#[test]
fn who_cannot_be_answered_is_not_answered() {
    let mut bench = acquainted();
    let group = MacAddr([1, 0, 0x5e, 0, 0, 1]);
    let stranger = ALICE
        .with_v4([10, 9, 9, 9].into())
        .with_v6("fd09::9".parse().unwrap());
    for question in [
        arp(
            ALICE.mac,
            MacAddr::BROADCAST,
            ArpOperation::Request,
            ALICE.with_mac(group),
            CAROL,
        ),
        who_has(stranger, CAROL),
        solicit(stranger, CAROL),
        who_has(ALICE.with_v4([10, 0, 0, 255].into()), CAROL),
        who_has(ALICE, CAROL).patched(20, &[0, 9]),
        // Whose checksum is wrong, and whose hop limit shows that it crossed a router.
        solicit(ALICE, CAROL).patched(56, &[0xba, 0xad]),
        solicit(ALICE, CAROL).hop_limit(254),
    ] {
        bench.spreads(A, &question, &[B, HOST, TO_NEAR, TO_FAR]);
    }
    assert_eq!(knows(&bench, stranger.v4), None);
}

#[test]
fn who_makes_sure_of_one_neighbour_asks_that_neighbour() {
    let mut bench = acquainted();
    let question = arp(ALICE.mac, CAROL.mac, ArpOperation::Request, ALICE, CAROL);
    bench.spreads(A, &question, &[TO_NEAR]);
    let question = arp(CAROL.mac, ALICE.mac, ArpOperation::Request, CAROL, ALICE);
    bench.spreads(TO_NEAR, &question, &[A]);
}

#[test]
fn only_a_router_itself_says_that_it_is_one() {
    let mut bench = acquainted();
    let carol = CAROL.with_v6(CAROL.link_local());
    bench.spreads(
        TO_NEAR,
        &advertise(carol, all_nodes(), carol, OVERRIDE),
        &[A, B, HOST],
    );
    bench.spreads(A, &solicit(ALICE, carol), &[B, HOST, TO_NEAR, TO_FAR]);
    // The gateway may know her, who has asked for it.
    let alice = ALICE.with_v6(ALICE.link_local());
    bench.enter(A, &solicit(alice, GATEWAY));
    assert_eq!(bench.came_out().len(), 1);
    bench.counted();
    assert_eq!(knows(&bench, alice.v6), Some((ALICE.mac, A)));
    bench.spreads(TO_NEAR, &solicit(carol, alice), &[A, B, HOST]);
}

#[test]
fn vlans_are_none_of_the_segment() {
    let mut bench = acquainted();
    bench.edit_port(A, |port| port.vlan = VlanId::new(7));
    for tunnel in [TO_NEAR, TO_FAR] {
        bench.edit_tunnel(tunnel, |tunnel| tunnel.tagged = true);
    }
    for (question, _) in questions(ALICE, CAROL) {
        let tagged = question.clone().tagged(7);
        bench.crosses(
            A,
            &question,
            &[
                (B, &tagged),
                (HOST, &tagged),
                (TO_NEAR, &tagged),
                (TO_FAR, &tagged),
            ],
        );
    }
    // Who is in a VLAN has the address there only.
    for (question, _) in questions(CAROL, ALICE) {
        bench.spreads(TO_NEAR, &question, &[B, HOST]);
    }
    let claim = who_has(CAROL.with_v4(GATEWAY.v4), BOB).tagged(7);
    bench.crosses(
        TO_NEAR,
        &claim,
        &[(A, &claim.clone().untagged()), (B, &claim), (HOST, &claim)],
    );
}

#[test]
fn the_gateway_of_another_host_is_answered() {
    // Its containers reach those of this host by it, suppression or not.
    for suppress in [true, false] {
        let mut bench = acquainted();
        bench.edit_bridge(|bridge| bridge.overlay.as_mut().unwrap().suppress = suppress);
        for (question, answer) in questions(GATEWAY, ALICE) {
            bench.crosses(TO_NEAR, &question, &[(TO_NEAR, &answer)]);
        }
        // Whether she is still there.
        let question = arp(
            GATEWAY.mac,
            ALICE.mac,
            ArpOperation::Request,
            GATEWAY,
            ALICE,
        );
        bench.crosses(TO_NEAR, &question, &[(TO_NEAR, &is_at(ALICE, GATEWAY))]);
        assert_eq!(knows(&bench, GATEWAY.v4), None);
        let entries = bench.bridge().fdb.entries(bench.now());
        assert!(entries.iter().all(|entry| entry.mac != GATEWAY.mac));
    }
}

#[test]
fn a_container_s_answer_to_the_gateway_of_another_host_is_heard_by_its_own() {
    let mut bench = bench();
    for (question, answer) in questions(GATEWAY, ALICE) {
        bench.spreads(TO_NEAR, &question, &[A, B, HOST]);
        // To the gateway, and the host's kernel may have asked as well.
        bench.spreads(A, &answer, &[HOST]);
        bench.crosses(TO_NEAR, &question, &[(TO_NEAR, &answer)]);
    }
    assert_eq!(
        bench
            .bridge()
            .neighbours
            .get(ALICE.v4.into())
            .unwrap()
            .origin,
        Origin::Learned
    );
    // In time she is asked again, and by its MAC address.
    bench.wait(TRUSTED);
    let question = arp(
        GATEWAY.mac,
        ALICE.mac,
        ArpOperation::Request,
        GATEWAY,
        ALICE,
    );
    bench.spreads(TO_NEAR, &question, &[A]);
    bench.spreads(A, &is_at(ALICE, GATEWAY), &[HOST]);
    bench.crosses(TO_NEAR, &question, &[(TO_NEAR, &is_at(ALICE, GATEWAY))]);
}

#[test]
fn what_the_gateway_of_another_host_says_of_itself_is_not_for_this_one() {
    let mut bench = acquainted();
    for frame in announcements(GATEWAY) {
        bench.stops(TO_NEAR, &frame, NotLocal);
    }
    for (question, answer) in questions(ALICE, GATEWAY) {
        bench.stops(TO_NEAR, &answer, NotLocal);
        bench.crosses(A, &question, &[(A, &by_a_router(answer))]);
    }
    for (probe, _) in probes(GATEWAY, GATEWAY) {
        bench.stops(TO_NEAR, &probe, NotLocal);
    }
}

/// With the router flag, if it is an advertisement.
fn by_a_router(answer: TapFrame) -> TapFrame {
    if answer.bytes[12..14] == [0x08, 0x06] {
        return answer;
    }
    let flags = NdiscNeighborFlags::ROUTER | SOLICITED | OVERRIDE;
    advertise(GATEWAY, ALICE, GATEWAY, flags)
}
