//! Neighbours that are not known, do not answer, or were not heard for long.

use core::time::Duration;

use smoltcp::wire::{ArpOperation, NdiscNeighborFlags};
use vswitch_datapath::DropReason::{NeighbourQueueFull, NeighbourUnreachable, NotOurs};
use vswitch_datapath::neighbour::{Neighbours, TRUSTED};
use vswitch_datapath::router::{Route, RouteKind, Routes};
use vswitch_nat::Protocol::Udp;
use vswitch_packet::ip::Version::{self, V4, V6};
use vswitch_packet::{MacAddr, VlanId};

use crate::bench::{Bench, HOST};
use crate::counters::on;
use crate::crafted::{advertise, arp, is_at, solicit, tcp, udp, who_has};
use crate::outside::{NIC, PEER, ROUTER, UPLINK, bench, hop};
use crate::station::{A, ALICE, B, BOB, C, GATEWAY, Station};
use crate::tap_frame::TapFrame;

const AWAY: Station = PEER.with_mac(GATEWAY.mac);
const SECOND: Duration = Duration::from_secs(1);
const QUARTER: Duration = Duration::from_millis(250);
const SOLICITED: NdiscNeighborFlags = NdiscNeighborFlags::SOLICITED;

/// Nobody is known outside.
fn lonely() -> Bench {
    let mut bench = bench();
    bench.edit_router(|router| router.uplinks[0].neighbours = Neighbours::default().into());
    bench
}

/// The question after the router outside, and its answer.
fn question(version: Version) -> TapFrame {
    // The router is known by its link-local address.
    let own = NIC.with_v6("fe80::1".parse().unwrap());
    match version {
        V4 => who_has(NIC, ROUTER),
        V6 => solicit(own, ROUTER),
    }
}

fn answer(version: Version) -> TapFrame {
    let own = NIC.with_v6("fe80::1".parse().unwrap());
    match version {
        V4 => is_at(ROUTER, NIC),
        V6 => advertise(ROUTER, own, ROUTER, SOLICITED),
    }
}

#[test]
fn packets_wait_for_the_answer_and_leave_in_order() {
    for version in [V4, V6] {
        let mut bench = lonely();
        let frames: Vec<_> = (0..3u16)
            .map(|n| tcp(version, ALICE, AWAY, 100 + usize::from(n)).offloaded())
            .collect();
        bench.enter(A, &frames[0]);
        bench.assert_sent([(UPLINK, &question(version))]);
        bench.assert_counted([
            on(A).received([&frames[0]]).held(1),
            on(UPLINK).sent([&question(version)]),
        ]);
        for frame in &frames[1..] {
            bench.enter(A, frame);
            bench.assert_sent([]);
            bench.assert_counted([on(A).received([frame]).held(1)]);
        }
        // Translated only when they leave.
        assert_eq!(
            bench
                .topology()
                .router()
                .nat
                .as_ref()
                .unwrap()
                .counts()
                .sessions,
            0
        );
        assert!(bench.topology().router().pending.is_waiting());

        bench.enter(UPLINK, &answer(version));
        let seen: Vec<_> = (0..3)
            .map(|n| tcp(version, NIC, PEER, 100 + n).offloaded().hop_limit(63))
            .collect();
        let sent = bench.sent_at(UPLINK);
        crate::wire::assert_same_stream(&sent, &seen);
        bench.assert_counted([on(UPLINK)
            .received([&answer(version)])
            .dropped(NotOurs, 1)
            .sent(&sent)]);
        assert!(!bench.topology().router().pending.is_waiting());
        let next = tcp(version, ALICE, AWAY, 9).offloaded();
        let seen = tcp(version, NIC, PEER, 9).offloaded().hop_limit(63);
        bench.turns(A, &next, &[(UPLINK, &seen)]);
    }
}

#[test]
fn three_questions_a_second_apart_then_the_senders_are_told() {
    for version in [V4, V6] {
        let mut bench = lonely();
        let frame = udp(version, ALICE, AWAY, 9).complete();
        bench.enter(A, &frame);
        bench.assert_sent([(UPLINK, &question(version))]);
        bench.assert_counted([
            on(A).received([&frame]).held(1),
            on(UPLINK).sent([&question(version)]),
        ]);
        for _ in 0..2 {
            bench.tick(SECOND / 2);
            bench.assert_sent([]);
            bench.tick(SECOND / 2);
            bench.assert_sent([(UPLINK, &question(version))]);
            bench.assert_counted([on(UPLINK).sent([&question(version)])]);
        }
        bench.tick(SECOND);
        let sent = bench.sent_at(A);
        assert_eq!(sent.len(), 1);
        let (at, expected) = if version == V4 {
            (34, [3, 1])
        } else {
            (54, [1, 3])
        };
        assert_eq!(sent[0].bytes[at..at + 2], expected);
        assert!(
            sent[0].bytes.ends_with(&frame.bytes[14..]),
            "quoted as it was sent"
        );
        bench.assert_counted([on(A).dropped(NeighbourUnreachable, 1).sent(&sent)]);
        // For a while, nobody asks again.
        bench.rejects(A, &frame, NeighbourUnreachable);
        bench.tick(2 * SECOND);
        bench.assert_sent([]);
        assert!(!bench.topology().router().pending.is_waiting());
        bench.enter(A, &frame);
        bench.assert_sent([(UPLINK, &question(version))]);
        bench.assert_counted([
            on(A).received([&frame]).held(1),
            on(UPLINK).sent([&question(version)]),
        ]);
    }
}

#[test]
fn the_host_s_kernel_may_know_the_answer() {
    let mut bench = lonely();
    let frame = udp(V4, ALICE, AWAY, 9).complete();
    bench.enter(A, &frame);
    bench.assert_sent([(UPLINK, &question(V4))]);
    let now = bench.now();
    let uplink = &bench.topology().router().uplinks[0];
    uplink
        .neighbours
        .learn(ROUTER.v4.into(), ROUTER.mac, UPLINK, now);
    bench.tick(QUARTER);
    let seen = udp(V4, NIC, PEER, 9).complete().hop_limit(63);
    bench.assert_sent([(UPLINK, &seen)]);
    bench.assert_counted([
        on(A).received([&frame]).held(1),
        on(UPLINK).sent([&question(V4), &seen]),
    ]);
}

#[test]
fn what_waits_is_bounded() {
    let mut bench = lonely();
    let frames = vec![udp(V4, ALICE, AWAY, 9).complete(); 20];
    bench.burst(frames.iter().map(|frame| (A, frame)));
    bench.assert_sent([(UPLINK, &question(V4))]);
    bench.assert_counted([
        on(A)
            .received(&frames)
            .held(16)
            .dropped(NeighbourQueueFull, 4),
        on(UPLINK).sent([&question(V4)]),
    ]);

    // By octets too; one super-frame may wait in any case.
    let mut bench = lonely();
    let frames = vec![tcp(V4, ALICE, AWAY, 60_000).super_frame(1400); 2];
    bench.burst(frames.iter().map(|frame| (A, frame)));
    bench.assert_sent([(UPLINK, &question(V4))]);
    bench.assert_counted([
        on(A)
            .received(&frames)
            .held(1)
            .dropped(NeighbourQueueFull, 1),
        on(UPLINK).sent([&question(V4)]),
    ]);
}

#[test]
fn who_scans_a_subnet_hinders_nobody_else() {
    let mut bench = lonely();
    let at = |n: u8| GATEWAY.with_v4([192, 0, 2, n].into());
    let frames: Vec<_> = (2..=200)
        .map(|n| udp(V4, ALICE, at(n), 9).complete())
        .collect();
    bench.burst(frames.iter().map(|frame| (A, frame)));
    let sent = bench.sent_at(UPLINK);
    assert_eq!(sent.len(), 128);
    bench.assert_counted([
        on(A)
            .received(&frames)
            .held(128)
            .dropped(NeighbourQueueFull, 71),
        on(UPLINK).sent(&sent),
    ]);
    let frame = udp(V4, BOB, AWAY, 9).complete();
    bench.enter(B, &frame);
    bench.assert_sent([(UPLINK, &question(V4))]);
    bench.assert_counted([
        on(B).received([&frame]).held(1),
        on(UPLINK).sent([&question(V4)]),
    ]);
}

#[test]
fn nothing_is_left_of_a_port_that_goes() {
    let mut bench = lonely();
    let frame = udp(V4, ALICE, AWAY, 9).complete();
    for (port, station) in [(A, ALICE), (B, BOB)] {
        bench.enter(port, &udp(V4, station, AWAY, 9).complete());
    }
    bench.assert_sent([(UPLINK, &question(V4))]);
    bench.assert_counted([
        on(A).received([&frame]).held(1),
        on(B).received([&frame]).held(1),
        on(UPLINK).sent([&question(V4)]),
    ]);
    bench.topology().router().pending.forget_port(A);
    bench.enter(UPLINK, &answer(V4));
    let seen = udp(V4, NIC, PEER, 9).complete().hop_limit(63);
    bench.assert_sent([(UPLINK, &seen)]);
    bench.assert_counted([on(UPLINK)
        .received([&answer(V4)])
        .dropped(NotOurs, 1)
        .sent([&seen])]);
    let other = udp(
        V4,
        BOB,
        NIC.with_v4([192, 0, 2, 9].into()).with_mac(GATEWAY.mac),
        9,
    );
    bench.enter(B, &other.complete());
    let sent = bench.sent_at(UPLINK);
    bench.assert_counted([
        on(B).received([&other.complete()]).held(1),
        on(UPLINK).sent(&sent),
    ]);
    bench.topology().router().pending.forget_port(UPLINK);
    assert!(!bench.topology().router().pending.is_waiting());
}

/// A container that is not held to its addresses, and so is not known before it speaks.
fn unguarded() -> Bench {
    let mut bench = bench();
    bench.edit_port(A, |port| port.identity = None);
    bench.edit_port(C, |port| port.vlan = VlanId::new(7));
    bench.bridge().neighbours.forget_port(A);
    bench.publish(Udp, (A, ALICE), "0.0.0.0", 53..=53);
    bench
}

#[test]
fn containers_are_asked_for_on_their_bridge() {
    let mut bench = unguarded();
    let frame = udp(V4, PEER, NIC, 9).ports(9, 53).complete();
    bench.enter(UPLINK, &frame);
    let question = who_has(GATEWAY, ALICE);
    // Not the host, whose interface has the gateway's address; nor who is in a VLAN.
    bench.assert_sent([(A, &question), (B, &question)]);
    bench.assert_counted([
        on(UPLINK).received([&frame]).held(1),
        on(A).sent([&question]),
        on(B).sent([&question]),
    ]);
    let answer = is_at(ALICE, GATEWAY);
    bench.enter(A, &answer);
    let heard = udp(V4, AWAY, ALICE, 9)
        .ports(9, 53)
        .complete()
        .hop_limit(63);
    // The host's kernel may have asked as well.
    bench.assert_sent([(HOST, &answer), (A, &heard)]);
    bench.assert_counted([
        on(A).received([&answer]).sent([&heard]),
        on(HOST).sent([&answer]),
    ]);
}

#[test]
fn the_outside_is_told_of_a_container_that_does_not_answer() {
    let mut bench = unguarded();
    let frame = udp(V4, PEER, NIC, 9).ports(9, 53).offloaded();
    bench.enter(UPLINK, &frame);
    let asked = bench.sent().len() as u64;
    for _ in 0..3 {
        bench.tick(SECOND);
    }
    let sent = bench.sent();
    let question = who_has(GATEWAY, ALICE);
    let (told, asked_again): (Vec<_>, Vec<_>) = sent.into_iter().partition(|(p, _)| *p == UPLINK);
    assert_eq!((asked, asked_again.len()), (2, 4));
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].1.bytes[34..36], [3, 1]);
    assert!(
        told[0].1.bytes.ends_with(&frame.bytes[14..]),
        "quoted as it came"
    );
    let questions = vec![question; 3];
    bench.assert_counted([
        on(UPLINK)
            .received([&frame])
            .held(1)
            .dropped(NeighbourUnreachable, 1)
            .sent([&told[0].1]),
        on(A).sent(&questions),
        on(B).sent(&questions),
    ]);
}

/// Unicast, from where the router asks.
fn probe(version: Version) -> TapFrame {
    match version {
        V4 => arp(NIC.mac, ROUTER.mac, ArpOperation::Request, NIC, ROUTER),
        V6 => {
            let own = NIC.with_v6("fe80::1".parse().unwrap());
            let mut frame = solicit(own, ROUTER);
            // To the neighbour itself instead of its group.
            frame.bytes[..6].copy_from_slice(&ROUTER.mac.0);
            frame.bytes[38..54].copy_from_slice(&ROUTER.v6.octets());
            let message = frame.bytes[54..].to_vec();
            crate::crafted::icmpv6(own, ROUTER, 255, (crate::crafted::ICMPV6, &[]), &message)
        }
    }
}

#[test]
fn a_neighbour_in_use_is_asked_in_time_and_never_missed() {
    for version in [V4, V6] {
        let mut bench = bench();
        let frame = udp(version, ALICE, AWAY, 9).complete();
        let seen = udp(version, NIC, PEER, 9).complete().hop_limit(63);
        let carried = |bench: &mut Bench| bench.turns(A, &frame, &[(UPLINK, &seen)]);
        for round in 0..5 {
            bench.wait(TRUSTED - SECOND);
            carried(&mut bench);
            assert!(
                !bench.topology().router().pending.is_waiting(),
                "round {round}"
            );
            bench.wait(SECOND);
            carried(&mut bench);
            carried(&mut bench);
            bench.tick(QUARTER);
            bench.assert_sent([(UPLINK, &probe(version))]);
            bench.assert_counted([on(UPLINK).sent([&probe(version)])]);
            carried(&mut bench);
            bench.enter(UPLINK, &answer(version));
            bench.assert_sent([]);
            bench.assert_counted([on(UPLINK).received([&answer(version)]).dropped(NotOurs, 1)]);
            let now = bench.now();
            bench.topology().router().sweep(now);
        }
    }
}

#[test]
fn a_neighbour_in_use_that_went_away_is_asked_for_anew() {
    let mut bench = bench();
    let frame = udp(V4, ALICE, AWAY, 9).complete();
    let seen = udp(V4, NIC, PEER, 9).complete().hop_limit(63);
    bench.wait(TRUSTED);
    bench.turns(A, &frame, &[(UPLINK, &seen)]);
    for _ in 0..3 {
        bench.tick(SECOND);
        bench.assert_sent([(UPLINK, &probe(V4))]);
        bench.assert_counted([on(UPLINK).sent([&probe(V4)])]);
        bench.turns(A, &frame, &[(UPLINK, &seen)]);
    }
    bench.tick(SECOND);
    assert!(!bench.topology().router().pending.is_waiting());
    bench.enter(A, &frame);
    bench.assert_sent([(UPLINK, &question(V4))]);
    bench.assert_counted([
        on(A).received([&frame]).held(1),
        on(UPLINK).sent([&question(V4)]),
    ]);
}

#[test]
fn a_router_that_is_on_no_subnet_of_the_host_is_heard_when_asked_for() {
    let far = ROUTER.with_v4([172, 31, 1, 1].into());
    let mut bench = lonely();
    let route = Route {
        destination: "0.0.0.0/0".parse().unwrap(),
        kind: RouteKind::Via(hop(Some(far.v4.into()))),
        metric: 0,
    };
    bench.edit_router(|router| router.routes = Routes::new(vec![route]).into());
    // Nobody waits for it yet.
    bench.refuses(UPLINK, &is_at(far, NIC), NotOurs);
    assert!(
        bench.topology().router().uplinks[0]
            .neighbours
            .rows()
            .is_empty()
    );
    let frame = udp(V4, ALICE, AWAY, 9).complete();
    bench.enter(A, &frame);
    bench.assert_sent([(UPLINK, &who_has(NIC, far))]);
    bench.enter(UPLINK, &is_at(far, NIC));
    let seen = udp(V4, NIC, PEER, 9).complete().hop_limit(63);
    bench.assert_sent([(UPLINK, &seen)]);
    bench.assert_counted([
        on(A).received([&frame]).held(1),
        on(UPLINK)
            .received([&is_at(far, NIC)])
            .dropped(NotOurs, 1)
            .sent([&who_has(NIC, far), &seen]),
    ]);
}

#[test]
fn what_is_heard_on_the_link_is_learned_as_rfc_826_says() {
    let mut bench = lonely();
    let knows = |bench: &mut Bench, station: Station| {
        let neighbours = &bench.topology().router().uplinks[0].neighbours;
        neighbours.get(station.v4.into()).map(|known| known.mac)
    };
    let third = ROUTER.with_v4([192, 0, 2, 3].into());
    bench.refuses(UPLINK, &who_has(ROUTER, third), NotOurs);
    assert_eq!(knows(&mut bench, ROUTER), None, "nothing to do with us");
    bench.refuses(UPLINK, &who_has(ROUTER, NIC), NotOurs);
    assert_eq!(knows(&mut bench, ROUTER), Some(ROUTER.mac));
    // It moved, and tells everybody.
    let moved = ROUTER.with_mac(MacAddr([2, 9, 9, 9, 9, 9]));
    bench.refuses(UPLINK, &who_has(moved, moved), NotOurs);
    assert_eq!(knows(&mut bench, ROUTER), Some(moved.mac));
    // Nobody else has the host's address.
    bench.refuses(UPLINK, &who_has(moved.with_v4(NIC.v4), NIC), NotOurs);
    assert_eq!(knows(&mut bench, NIC), None);
}
