//! What is for several, or for nobody knows whom: each host sends it to all others by itself, and
//! nobody sends on what came by a tunnel (RFC 7348 §4.2).

use core::net::IpAddr;
use core::time::Duration;
use std::sync::Arc;

use vswitch_datapath::DropReason::{Hairpin, NotLocal, SplitHorizon};
use vswitch_datapath::snoop::Groups;
use vswitch_datapath::vlan::Vlan;
use vswitch_packet::MacAddr;
use vswitch_packet::ip::Version::{V4, V6};

use super::peers::{
    FAR, GROUP, NEAR, TO_FAR, TO_GROUP, TO_NEAR, UNDERLAY, VNI, with_group, with_peers,
};
use super::routing;
use crate::bench::{BRIDGE, Bench, HOST};
use crate::counters::on;
use crate::crafted::{everybody, tcp, udp, who_has};
use crate::datagrams::Delivery;
use crate::outside;
use crate::snooping;
use crate::station::{A, ALICE, B, BOB, CAROL, GATEWAY};
use crate::tap_frame::TapFrame;

/// Where what `frame` became was sent, in order; each the same one frame.
#[track_caller]
fn replicated(bench: &mut Bench, frame: &TapFrame) -> Vec<IpAddr> {
    bench.enter(A, frame);
    bench.counted();
    let sent = bench.handed_over();
    for one in &sent {
        assert_eq!(one.frames(VNI), std::slice::from_ref(frame));
    }
    sent.iter().map(|one| one.envelope.to.ip()).collect()
}

#[test]
fn what_is_for_all_goes_to_each_peer_and_each_local_port() {
    let mut bench = with_peers(2);
    for frame in [
        who_has(ALICE, BOB),
        udp(V4, ALICE, everybody(ALICE), 18).complete(),
        udp(
            V6,
            ALICE,
            BOB.with_mac(MacAddr([0x33, 0x33, 0, 0, 0, 1])),
            18,
        )
        .complete(),
        // Unknown.
        udp(V4, ALICE, CAROL, 18).complete(),
    ] {
        assert_eq!(replicated(&mut bench, &frame), [NEAR, FAR]);
        bench.assert_sent([(B, &frame)]);
    }
}

#[test]
fn a_super_frame_for_all_is_segmented_for_each_peer() {
    let mut bench = with_peers(1);
    let frame = udp(V4, ALICE, everybody(ALICE), 2500).super_frame(1000);
    bench.enter(A, &frame);
    let sent = bench.handed_over();
    assert_eq!(
        sent.iter()
            .map(|one| one.envelope.to.ip())
            .collect::<Vec<_>>(),
        [NEAR, FAR]
    );
    for one in &sent {
        assert_eq!(one.datagrams.len(), 3);
        crate::wire::assert_same_stream(&one.frames(VNI), [&frame]);
    }
    bench.assert_counted([
        on(A).received([&frame]),
        on(TO_NEAR).handed_over(&sent[..1]),
        on(TO_FAR).handed_over(&sent[1..]),
    ]);
}

#[test]
fn a_group_stands_for_the_peers_that_are_not_flooded() {
    let mut bench = with_group(1);
    let frame = who_has(ALICE, BOB);
    assert_eq!(replicated(&mut bench, &frame), [GROUP]);
    // What is for one goes to one.
    bench.bridge().fdb.set_static(Vlan::NONE, BOB.mac, TO_FAR);
    let frame = udp(V4, ALICE, BOB, 18).complete();
    assert_eq!(replicated(&mut bench, &frame), [FAR]);
    // And without the group, to nobody.
    bench.remove_port(TO_GROUP);
    assert_eq!(
        replicated(&mut bench, &who_has(ALICE, CAROL)),
        [] as [IpAddr; 0]
    );
}

#[test]
fn a_question_of_the_router_s_own_goes_once_to_each_host() {
    let mut bench = routing::host(NEAR);
    bench.add_port(A, BRIDGE);
    bench.add_tunnel(TO_GROUP, outside::OTHER, GROUP);
    bench.edit_tunnel(routing::SECOND, |tunnel| tunnel.is_flooded = false);
    let to_erin = outside::ERIN.with_mac(GATEWAY.mac);
    bench.enter(A, &udp(V4, ALICE, to_erin, 18).complete());
    let sent = bench.handed_over();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].envelope.to.ip(), GROUP);
    let question = &sent[0].frames(VNI + 1)[0].bytes;
    assert_eq!(question[12..14], [0x08, 0x06]);
    bench.counted();
}

#[test]
fn the_outer_ttl_is_that_of_the_tunnel() {
    let mut bench = with_peers(1);
    bench.edit_tunnel(TO_NEAR, |tunnel| tunnel.ttl = Some(7));
    let frame = who_has(ALICE, BOB);
    bench.enter(A, &frame);
    let ttls: Vec<_> = bench
        .handed_over()
        .iter()
        .map(|one| one.envelope.ttl)
        .collect();
    assert_eq!(ttls, [Some(7), None]);
    bench.counted();
}

/// `frame` comes from [`NEAR`].
fn arrive(bench: &mut Bench, frame: &TapFrame) -> Delivery {
    let delivery = Delivery::one(NEAR, VNI, frame);
    bench.arrive(UNDERLAY, [&delivery]);
    delivery
}

#[test]
fn what_came_by_a_tunnel_for_all_stays_on_this_host() {
    let mut bench = with_peers(2);
    for frame in [
        who_has(CAROL, ALICE),
        udp(V4, CAROL, everybody(CAROL), 18).complete(),
        udp(
            V6,
            CAROL,
            BOB.with_mac(MacAddr([0x33, 0x33, 0, 0, 0, 1])),
            18,
        )
        .complete(),
        udp(V4, CAROL, BOB, 18).complete(),
    ] {
        let delivery = arrive(&mut bench, &frame);
        let sent = bench.sent();
        let ports: Vec<_> = sent.iter().map(|(port, _)| *port).collect();
        assert_eq!(ports, [A, B]);
        bench.assert_counted([
            on(UNDERLAY).arrived([&delivery]),
            on(TO_NEAR).received([&frame]),
            on(A).sent([&frame]),
            on(B).sent([&frame]),
        ]);
    }
}

#[test]
fn what_came_by_a_tunnel_never_leaves_by_one() {
    let mut bench = with_peers(1);
    let fdb = Arc::clone(&bench.bridge().fdb);
    fdb.set_static(Vlan::NONE, BOB.mac, TO_FAR);
    for (to, reason) in [(BOB, SplitHorizon), (ALICE, Hairpin)] {
        fdb.set_static(Vlan::NONE, ALICE.mac, TO_NEAR);
        let frame = udp(V4, CAROL, to, 18).complete();
        let delivery = arrive(&mut bench, &frame);
        bench.assert_counted([
            on(UNDERLAY).arrived([&delivery]),
            on(TO_NEAR).received([&frame]).dropped(reason, 1),
        ]);
    }
}

#[test]
fn the_host_s_own_port_does_not_reach_other_hosts() {
    let mut bench = with_peers(1).with_gateway(Some(HOST));
    bench.bridge().fdb.set_static(Vlan::NONE, BOB.mac, TO_FAR);
    bench.refuses(HOST, &udp(V4, GATEWAY, BOB, 18).complete(), NotLocal);
    let question = who_has(GATEWAY, CAROL);
    bench.carries(HOST, &question, &[A]);
}

#[test]
fn multicast_goes_to_the_group_of_the_tunnel_wherever_its_members_are() {
    let mut bench = with_group(2);
    bench.edit_bridge(|bridge| bridge.groups = Some(Arc::new(Groups::default())));
    bench.enter(B, &snooping::query(BOB));
    bench.handed_over();
    let report = snooping::report(CAROL, snooping::GROUP, true);
    arrive(&mut bench, &report);
    bench.wait(Duration::from_secs(3));
    bench.sent();
    bench.counted();
    for frame in [
        snooping::data(ALICE),
        snooping::report(ALICE, snooping::GROUP, true),
    ] {
        bench.enter(A, &frame);
        bench.sent_at(B);
        let peers = bench.handed_over();
        let peers: Vec<_> = peers.iter().map(|one| one.envelope.to.ip()).collect();
        assert_eq!(peers, [GROUP]);
    }
    bench.counted();
}

#[test]
fn a_train_leaves_before_what_is_for_all() {
    let mut bench = with_peers(1);
    bench.bridge().fdb.set_static(Vlan::NONE, BOB.mac, TO_NEAR);
    let stream = tcp(V4, ALICE, BOB, 100).offloaded();
    let frame = who_has(ALICE, CAROL);
    bench.burst([(A, &stream), (A, &stream), (A, &frame)]);
    bench.counted();
    let sent = bench.handed_over();
    let order: Vec<_> = sent
        .iter()
        .map(|one| one.frames(VNI)[0].bytes[12])
        .collect();
    assert_eq!(order.last(), Some(&0x08));
    assert_eq!(sent.last().unwrap().frames(VNI), [frame]);
}
