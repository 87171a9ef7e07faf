//! Addresses behind tunnels (RFC 7348 §4.1).

use core::time::Duration;
use std::sync::Arc;

use vswitch_datapath::vlan::Vlan;
use vswitch_datapath::{Fdb, PortId};
use vswitch_packet::MacAddr;
use vswitch_packet::ip::Version::V4;

use super::peers::{FAR, NEAR, TO_FAR, TO_NEAR, UNDERLAY, VNI, with_peers};
use crate::bench::Bench;
use crate::counters::on;
use crate::crafted::{ethernet, udp};
use crate::datagrams::Delivery;
use crate::station::{A, ALICE, B, BOB, GATEWAY, Station};

/// Alice is at A; where `station` is by the table, if it is.
fn bench() -> Bench {
    let mut bench = with_peers(2);
    bench.learn(&[A]);
    bench
}

fn place_of(bench: &Bench, station: Station) -> Option<PortId> {
    bench
        .bridge()
        .fdb
        .lookup(Vlan::NONE, station.mac, bench.now())
}

/// `from` speaks to alice from behind `peer`.
#[track_caller]
fn speaks(bench: &mut Bench, peer: std::net::IpAddr, from: Station) {
    let frame = udp(V4, from, ALICE, 18).complete();
    bench.arrive(UNDERLAY, [&Delivery::one(peer, VNI, &frame)]);
    bench.assert_sent([(A, &frame.verified())]);
    bench.counted();
}

/// Where alice's packets to `to` go: the tunnels' peers, and the local ports.
#[track_caller]
fn way_to(bench: &mut Bench, to: Station) -> (Vec<std::net::IpAddr>, Vec<PortId>) {
    bench.enter(A, &udp(V4, ALICE, to, 18).complete());
    bench.counted();
    let peers = bench.handed_over();
    let local = bench.sent();
    (
        peers.iter().map(|one| one.envelope.to.ip()).collect(),
        local.iter().map(|(port, _)| *port).collect(),
    )
}

#[test]
fn an_address_is_learned_behind_the_peer_it_came_from() {
    let mut bench = bench();
    assert_eq!(way_to(&mut bench, BOB), (vec![NEAR, FAR], vec![B]));
    speaks(&mut bench, NEAR, BOB);
    assert_eq!(way_to(&mut bench, BOB), (vec![NEAR], vec![]));
}

#[test]
fn an_address_moves_from_peer_to_peer_and_between_here_and_there() {
    let mut bench = bench();
    speaks(&mut bench, NEAR, BOB);
    speaks(&mut bench, FAR, BOB);
    assert_eq!(way_to(&mut bench, BOB), (vec![FAR], vec![]));
    // It has come here, and has gone again.
    let frame = udp(V4, BOB, ALICE, 18).complete();
    bench.carries(B, &frame, &[A]);
    assert_eq!(way_to(&mut bench, BOB), (vec![], vec![B]));
    speaks(&mut bench, NEAR, BOB);
    assert_eq!(way_to(&mut bench, BOB), (vec![NEAR], vec![]));
}

#[test]
fn a_remote_address_is_forgotten_after_the_ageing_time() {
    let mut bench = bench();
    speaks(&mut bench, NEAR, BOB);
    bench.wait(Duration::from_secs(299));
    assert_eq!(way_to(&mut bench, BOB), (vec![NEAR], vec![]));
    bench.wait(Duration::from_secs(1));
    assert_eq!(way_to(&mut bench, BOB), (vec![NEAR, FAR], vec![B]));
}

#[test]
fn a_tunnel_that_does_not_learn_teaches_nothing() {
    let mut bench = bench();
    bench.edit_tunnel(TO_NEAR, |tunnel| tunnel.learning = false);
    speaks(&mut bench, NEAR, BOB);
    assert_eq!(place_of(&bench, BOB), None);
    // It does not move what is known either.
    bench.learn(&[B]);
    speaks(&mut bench, NEAR, BOB);
    assert_eq!(place_of(&bench, BOB), Some(B));
}

#[test]
fn a_programmed_address_is_reached_at_once_and_stays_until_it_is_removed() {
    let mut bench = bench();
    bench.bridge().fdb.set_static(Vlan::NONE, BOB.mac, TO_FAR);
    assert_eq!(way_to(&mut bench, BOB), (vec![FAR], vec![]));
    bench.wait(Duration::from_secs(100_000));
    bench.learn(&[A]);
    assert_eq!(way_to(&mut bench, BOB), (vec![FAR], vec![]));
    assert!(bench.bridge().fdb.remove_static(Vlan::NONE, BOB.mac));
    assert_eq!(way_to(&mut bench, BOB), (vec![NEAR, FAR], vec![B]));
}

#[test]
fn a_flood_of_made_up_addresses_fills_a_peer_s_share_and_no_more() {
    const SHARE: usize = 64;
    let mut bench = bench();
    for port in [TO_NEAR, TO_FAR] {
        bench.edit_tunnel(port, |tunnel| tunnel.learn_limit = SHARE as u32);
    }
    let made_up: Vec<_> = (0..1000)
        .map(|n| {
            let source = MacAddr::from_u64(0x0666_0000_0000 | n);
            ethernet(source, ALICE.mac, 0x88b5, &[0; 46])
        })
        .collect();
    let deliveries: Vec<_> = made_up
        .iter()
        .map(|frame| Delivery::one(NEAR, VNI, frame))
        .collect();
    bench.arrive(UNDERLAY, &deliveries);
    bench.assert_sent(made_up.iter().map(|frame| (A, frame)));
    bench.assert_counted([
        on(UNDERLAY).arrived(&deliveries),
        on(TO_NEAR)
            .received(&made_up)
            .fdb_full((1000 - SHARE) as u64),
        on(A).sent(&made_up),
    ]);
    let fdb = Arc::clone(&bench.bridge().fdb);
    assert_eq!((fdb.count_behind(TO_NEAR), fdb.count_behind(A)), (SHARE, 1));
    // The others still learn, and so do the containers here.
    speaks(&mut bench, FAR, BOB);
    assert_eq!(way_to(&mut bench, BOB), (vec![FAR], vec![]));
    // Whoever leaves the peer makes room there.
    let released = MacAddr::from_u64(0x0666_0000_0000);
    speaks(&mut bench, FAR, BOB.with_mac(released));
    assert_eq!(fdb.count_behind(TO_NEAR), SHARE - 1);
    speaks(&mut bench, NEAR, GATEWAY);
    assert_eq!(place_of(&bench, GATEWAY), Some(TO_NEAR));
}

#[test]
fn an_address_that_moves_to_a_peer_without_room_is_flooded_rather_than_lost() {
    let mut bench = bench();
    bench.edit_tunnel(TO_NEAR, |tunnel| tunnel.learn_limit = 0);
    bench.learn(&[B]);
    let frame = udp(V4, BOB, ALICE, 18).complete();
    let delivery = Delivery::one(NEAR, VNI, &frame);
    bench.arrive(UNDERLAY, [&delivery]);
    bench.assert_sent([(A, &frame.clone().verified())]);
    bench.assert_counted([
        on(UNDERLAY).arrived([&delivery]),
        on(TO_NEAR).received([&frame]).fdb_full(1),
        on(A).sent([&frame]),
    ]);
    assert_eq!(way_to(&mut bench, BOB), (vec![NEAR, FAR], vec![B]));
}

#[test]
fn a_full_table_is_full_for_peers_too() {
    let mut bench = bench();
    bench.edit_bridge(|bridge| bridge.fdb = Arc::new(Fdb::new(1, 300, 1)));
    bench.learn(&[A]);
    let frame = udp(V4, BOB, ALICE, 18).complete();
    let delivery = Delivery::one(NEAR, VNI, &frame);
    bench.arrive(UNDERLAY, [&delivery]);
    bench.assert_sent([(A, &frame.clone().verified())]);
    bench.assert_counted([
        on(UNDERLAY).arrived([&delivery]),
        on(TO_NEAR).received([&frame]).fdb_full(1),
        on(A).sent([&frame]),
    ]);
}

#[test]
fn the_gateway_of_another_host_has_the_same_address_and_is_not_learned() {
    let mut bench = with_peers(1).with_gateway(None);
    bench.learn(&[A]);
    speaks(&mut bench, NEAR, GATEWAY);
    assert_eq!(place_of(&bench, GATEWAY), None);
}

#[test]
fn what_was_behind_a_peer_that_is_gone_is_flooded() {
    let mut bench = bench();
    speaks(&mut bench, NEAR, BOB);
    bench.remove_port(TO_NEAR);
    assert_eq!(way_to(&mut bench, BOB), (vec![FAR], vec![B]));
    bench.bridge().fdb.forget_port(TO_NEAR);
    assert_eq!(place_of(&bench, BOB), None);
    assert_eq!(way_to(&mut bench, BOB), (vec![FAR], vec![B]));
}
