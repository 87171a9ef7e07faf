//! Whose datagrams are accepted, and in which segment.

use vswitch_datapath::DropReason::{BadVxlan, Reflected, SpoofedMac, UnknownVni, UnknownVtep};
use vswitch_datapath::PortId;
use vswitch_datapath::tunnel::Stranger;
use vswitch_datapath::vlan::Vlan;
use vswitch_packet::ip::Version::{V4, V6};

use super::peers::{
    FAR, GROUP, NEAR, NEAR_V6, NOBODY, OTHER, OTHER_TO_NEAR, OTHER_VNI, TO_FAR, TO_GROUP, TO_NEAR,
    UNDERLAY, UNDERLAY_V6, VNI, add_other, with_peer, with_peers,
};
use crate::bench::{BRIDGE, Bench};
use crate::counters::on;
use crate::crafted::udp;
use crate::datagrams::Delivery;
use crate::station::{A, ALICE, B, BOB, CAROL};

/// `frame` comes from `peer`, by the tunnel at `port`, and goes to A.
#[track_caller]
fn accepts(bench: &mut Bench, underlay: PortId, delivery: &Delivery, port: PortId) {
    let frame = udp(V4, BOB, ALICE, 18).complete();
    bench.arrive(underlay, [delivery]);
    bench.assert_sent([(A, &frame.clone().verified())]);
    bench.assert_counted([
        on(underlay).arrived([delivery]),
        on(port).received([&frame]),
        on(A).sent([&frame]),
    ]);
}

#[test]
fn segments_with_the_same_addresses_are_isolated_from_each_other() {
    let mut bench = with_peer(1);
    let other_a = B;
    add_other(&mut bench, &[other_a]);
    // The same two containers in both: alice here, bob there.
    bench.learn(&[A]);
    let fdb = &bench.topology().bridge(OTHER).unwrap().fdb;
    fdb.set_static(Vlan::NONE, ALICE.mac, other_a);
    let there = udp(V4, ALICE, BOB, 18).complete();
    let back = udp(V4, BOB, ALICE, 18).complete();
    for (vni, container, tunnel) in [(VNI, A, TO_NEAR), (OTHER_VNI, other_a, OTHER_TO_NEAR)] {
        bench.enter(container, &there);
        let sent = bench.handed_over();
        assert_eq!(sent.len(), 1);
        assert_eq!(sent[0].frames(vni), std::slice::from_ref(&there));
        bench.assert_counted([
            on(container).received([&there]),
            on(tunnel).handed_over(&sent),
        ]);
        let delivery = Delivery::one(NEAR, vni, &back);
        bench.arrive(UNDERLAY, [&delivery]);
        bench.assert_sent([(container, &back.clone().verified())]);
        bench.assert_counted([
            on(UNDERLAY).arrived([&delivery]),
            on(tunnel).received([&back]),
            on(container).sent([&back]),
        ]);
    }
    let now = bench.now();
    for (bridge, tunnel) in [(BRIDGE, TO_NEAR), (OTHER, OTHER_TO_NEAR)] {
        let fdb = &bench.topology().bridge(bridge).unwrap().fdb;
        assert_eq!(fdb.lookup(Vlan::NONE, BOB.mac, now), Some(tunnel));
    }
}

#[test]
fn datagrams_of_two_segments_that_were_joined_are_taken_apart() {
    let mut bench = with_peer(1);
    let other_a = B;
    add_other(&mut bench, &[other_a]);
    bench.learn(&[A]);
    let fdb = &bench.topology().bridge(OTHER).unwrap().fdb;
    fdb.set_static(Vlan::NONE, ALICE.mac, other_a);
    let frames: Vec<_> = [1, 2, 3, 4]
        .map(|port| udp(V4, BOB, ALICE, 18).ports(port, port).complete())
        .into();
    let mut delivery = Delivery::joined(NEAR, VNI, &frames);
    delivery.datagrams[1][4..7].copy_from_slice(&OTHER_VNI.to_be_bytes()[1..]);
    delivery.datagrams[2][4..7].copy_from_slice(&[9, 9, 9]);
    bench.arrive(UNDERLAY, [&delivery]);
    let out = [(A, 0), (A, 3), (other_a, 1)].map(|(port, n)| (port, frames[n].clone().verified()));
    let mut sent = bench.sent();
    sent.sort_by_key(|(port, _)| *port);
    assert_eq!(sent, out);
    bench.assert_counted([
        on(UNDERLAY).arrived([&delivery]).dropped(UnknownVni, 1),
        on(TO_NEAR).received([&frames[0], &frames[3]]),
        on(OTHER_TO_NEAR).received([&frames[1]]),
        on(A).sent([&frames[0], &frames[3]]),
        on(other_a).sent([&frames[1]]),
    ]);
}

#[test]
fn a_host_that_is_no_peer_is_refused() {
    let mut bench = with_peer(1);
    add_other(&mut bench, &[B]);
    let frame = udp(V4, BOB, ALICE, 18).complete();
    for (from, vni) in [
        (NOBODY, VNI),
        (FAR, VNI),
        (NOBODY, OTHER_VNI),
        (NEAR_V6, VNI),
    ] {
        let delivery = Delivery::one(from, vni, &frame);
        bench.arrive(UNDERLAY, [&delivery]);
        bench.assert_counted([on(UNDERLAY).arrived([&delivery]).dropped(UnknownVtep, 1)]);
    }
    assert_eq!(bench.bridge().fdb.learned(), 0);
}

#[test]
fn a_peer_of_one_segment_is_none_of_another() {
    let mut bench = with_peers(1);
    add_other(&mut bench, &[B]);
    let delivery = Delivery::one(FAR, OTHER_VNI, &udp(V4, BOB, ALICE, 18).complete());
    bench.arrive(UNDERLAY, [&delivery]);
    bench.assert_counted([on(UNDERLAY).arrived([&delivery]).dropped(UnknownVtep, 1)]);
}

#[test]
fn a_stranger_is_reported_where_anybody_may_join_and_accepted_as_a_peer() {
    let mut bench = with_peer(1);
    bench.learn(&[A]);
    bench.edit_bridge(|bridge| bridge.overlay.as_mut().unwrap().accept_unknown = true);
    let delivery = Delivery::one(FAR, VNI, &udp(V4, BOB, ALICE, 18).complete());
    bench.arrive(UNDERLAY, [&delivery]);
    let stranger = Stranger {
        bridge: BRIDGE,
        underlay: UNDERLAY,
        address: FAR,
    };
    assert_eq!(bench.strangers(), [stranger]);
    bench.assert_counted([on(UNDERLAY).arrived([&delivery]).dropped(UnknownVtep, 1)]);
    // Its address was not learned: there is no tunnel to it yet.
    assert_eq!(bench.bridge().fdb.learned(), 1);
    bench.add_tunnel(TO_FAR, BRIDGE, FAR);
    accepts(&mut bench, UNDERLAY, &delivery, TO_FAR);
    // Segments that are not here have no strangers.
    let foreign = Delivery::one(NOBODY, OTHER_VNI, &udp(V4, BOB, ALICE, 18).complete());
    bench.arrive(UNDERLAY, [&foreign]);
    bench.assert_counted([on(UNDERLAY).arrived([&foreign]).dropped(UnknownVni, 1)]);
}

#[test]
fn a_peer_that_was_removed_is_refused() {
    let mut bench = with_peers(1);
    bench.learn(&[A]);
    let delivery = Delivery::one(FAR, VNI, &udp(V4, BOB, ALICE, 18).complete());
    accepts(&mut bench, UNDERLAY, &delivery, TO_FAR);
    bench.remove_port(TO_FAR);
    bench.arrive(UNDERLAY, [&delivery]);
    bench.assert_counted([on(UNDERLAY).arrived([&delivery]).dropped(UnknownVtep, 1)]);
}

#[test]
fn a_port_that_is_no_tunnel_any_more_gets_nothing() {
    let mut bench = with_peers(1);
    bench.edit_port(TO_FAR, |port| port.tunnel = None);
    let delivery = Delivery::one(FAR, VNI, &udp(V4, BOB, ALICE, 18).complete());
    bench.arrive(UNDERLAY, [&delivery]);
    bench.assert_counted([on(UNDERLAY).arrived([&delivery]).dropped(UnknownVtep, 1)]);
}

#[test]
fn what_the_host_itself_has_sent_is_refused() {
    let mut bench = with_peer(1);
    bench.edit_bridge(|bridge| bridge.overlay.as_mut().unwrap().accept_unknown = true);
    bench.topology().set_host_addresses([NOBODY, NEAR]);
    for own in [NOBODY, NEAR] {
        let delivery = Delivery::one(own, VNI, &udp(V4, BOB, ALICE, 18).complete());
        bench.arrive(UNDERLAY, [&delivery]);
        bench.assert_counted([on(UNDERLAY).arrived([&delivery]).dropped(Reflected, 1)]);
    }
}

#[test]
fn another_underlay_does_not_have_the_segment() {
    let mut bench = with_peer(1);
    bench.add_underlay(UNDERLAY_V6);
    let delivery = Delivery::one(NEAR, VNI, &udp(V4, BOB, ALICE, 18).complete());
    bench.arrive(UNDERLAY_V6, [&delivery]);
    bench.assert_counted([on(UNDERLAY_V6).arrived([&delivery]).dropped(UnknownVni, 1)]);
}

#[test]
fn a_segment_reaches_peers_by_both_versions() {
    let mut bench = with_peer(1);
    bench.learn(&[A]);
    bench.add_underlay(UNDERLAY_V6);
    bench.add_segment(BRIDGE, VNI, &[UNDERLAY_V6, UNDERLAY]);
    bench.add_tunnel(TO_FAR, BRIDGE, NEAR_V6);
    let by_v6 = Delivery::one(NEAR_V6, VNI, &udp(V4, BOB, ALICE, 18).complete());
    accepts(&mut bench, UNDERLAY_V6, &by_v6, TO_FAR);
    let answer = udp(V6, ALICE, BOB, 18).complete();
    bench.enter(A, &answer);
    let sent = bench.handed_over();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].envelope.underlay, UNDERLAY_V6);
    assert_eq!(sent[0].envelope.to.ip(), NEAR_V6);
    bench.assert_counted([on(A).received([&answer]), on(TO_FAR).handed_over(&sent)]);
    // And by IPv4 to whoever is there.
    let by_v4 = Delivery::one(NEAR, VNI, &udp(V4, BOB, ALICE, 18).complete());
    accepts(&mut bench, UNDERLAY, &by_v4, TO_NEAR);
}

#[test]
fn by_a_group_comes_what_is_from_its_members() {
    let mut bench = with_peer(1);
    bench.learn(&[A]);
    bench.add_tunnel(TO_GROUP, BRIDGE, GROUP);
    let frame = udp(V4, BOB, ALICE, 18).complete();
    let delivery = Delivery::one(NEAR, VNI, &frame).by_group(TO_GROUP);
    accepts(&mut bench, UNDERLAY, &delivery, TO_NEAR);
    let delivery = Delivery::one(NOBODY, VNI, &frame).by_group(TO_GROUP);
    bench.arrive(UNDERLAY, [&delivery]);
    bench.assert_counted([on(UNDERLAY).arrived([&delivery]).dropped(UnknownVtep, 1)]);
}

#[test]
fn of_a_group_that_two_segments_share_each_takes_its_own() {
    let mut bench = with_peer(1);
    bench.learn(&[A]);
    add_other(&mut bench, &[B]);
    let other_group = PortId(26);
    bench.add_tunnel(TO_GROUP, BRIDGE, GROUP);
    bench.add_tunnel(other_group, OTHER, GROUP);
    let frame = udp(V4, BOB, ALICE, 18).complete();
    // Both sockets hear it, and one of them has nothing to count.
    let delivery = Delivery::one(NEAR, VNI, &frame);
    bench.arrive(UNDERLAY, [&delivery.clone().by_group(other_group)]);
    bench.assert_counted([]);
    accepts(&mut bench, UNDERLAY, &delivery.by_group(TO_GROUP), TO_NEAR);
    // So is what is from nobody, or of no segment here.
    for foreign in [
        Delivery::one(NOBODY, VNI, &frame),
        Delivery::one(NEAR, 77, &frame),
    ] {
        bench.arrive(UNDERLAY, [&foreign.by_group(other_group)]);
        bench.assert_counted([]);
    }
    // What has no segment at all is counted by each of them.
    let mut bad = Delivery::one(NEAR, VNI, &frame).by_group(TO_GROUP);
    bad.datagrams[0][0] = 0;
    bench.arrive(UNDERLAY, [&bad]);
    bench.assert_counted([on(UNDERLAY).arrived([&bad]).dropped(BadVxlan, 1)]);
}

#[test]
fn an_address_that_is_configured_elsewhere_is_a_forgery() {
    let mut bench = with_peers(2);
    bench.learn(&[A, B]);
    bench.bridge().fdb.set_static(Vlan::NONE, CAROL.mac, TO_FAR);
    bench.bridge().fdb.set_static(Vlan::NONE, BOB.mac, B);
    for (learning, from) in [(true, CAROL), (true, BOB), (false, CAROL), (false, BOB)] {
        bench.edit_tunnel(TO_NEAR, |tunnel| tunnel.learning = learning);
        let frame = udp(V4, from, ALICE, 18).complete();
        let delivery = Delivery::one(NEAR, VNI, &frame);
        bench.arrive(UNDERLAY, [&delivery]);
        bench.assert_counted([
            on(UNDERLAY).arrived([&delivery]),
            on(TO_NEAR).received([&frame]).dropped(SpoofedMac, 1),
        ]);
    }
    // From where it is, it is welcome.
    let frame = udp(V4, CAROL, ALICE, 18).complete();
    let delivery = Delivery::one(FAR, VNI, &frame);
    bench.arrive(UNDERLAY, [&delivery]);
    bench.assert_sent([(A, &frame.clone().verified())]);
    bench.assert_counted([
        on(UNDERLAY).arrived([&delivery]),
        on(TO_FAR).received([&frame]),
        on(A).sent([&frame]),
    ]);
}
