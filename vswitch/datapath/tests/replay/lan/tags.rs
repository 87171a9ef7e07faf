//! VLANs of one NIC.

use vswitch_datapath::DropReason::{NotOurs, Reflected, VlanNotAllowed, VlanUnknown};
use vswitch_datapath::Face::Own;
use vswitch_datapath::Mode::{Bridge, Private, Vepa};
use vswitch_datapath::PortId;
use vswitch_packet::EtherType;
use vswitch_packet::ip::Version::{V4, V6};

use super::physical::{
    FOURTH, NIC, OTHER, ROUTER, THIRD, UNTAGGED, beside, on_wire, service_vlan, vlan, with_modes,
};
use crate::bench::{BRIDGE, Bench};
use crate::crafted::{tcp, udp, who_has};
use crate::station::{A, ALICE, B, BOB, C, CAROL, D, DAVE, station};
use crate::tap_frame::TapFrame;

const PRIORITY: u16 = 5 << 13;
const DROP_ELIGIBLE: u16 = 1 << 12;
const Q: EtherType = EtherType::VLAN;
const AD: EtherType = EtherType::SERVICE_VLAN;
const E: PortId = PortId(4);
const F: PortId = PortId(5);
const ERIN: crate::station::Station = station(6);

/// A is on no VLAN, B on VLAN 100, C on 200, D on 100 by 802.1ad.
fn trunk() -> Bench {
    let mut bench = on_wire(UNTAGGED);
    for (bridge, wire) in [
        (OTHER, vlan(100)),
        (THIRD, vlan(200)),
        (FOURTH, service_vlan(100)),
    ] {
        bench.put_on(bridge, wire);
    }
    for (port, bridge) in [(A, BRIDGE), (B, OTHER), (C, THIRD), (D, FOURTH)] {
        bench.join(port, bridge, Bridge, Own);
    }
    bench
}

/// By 802.1ad.
fn service(frame: &TapFrame, tci: u16) -> TapFrame {
    frame.clone().tagged(tci).patched(12, &[0x88, 0xa8])
}

#[test]
fn each_network_has_its_tag_on_the_wire() {
    let mut bench = trunk();
    for (port, from, tag) in [(B, BOB, 100), (C, CAROL, 200)] {
        for frame in [
            who_has(from, ROUTER),
            udp(V4, from, ROUTER, 18).complete(),
            tcp(V6, from, ROUTER, 18).offloaded(),
        ] {
            bench.turns(port, &frame, &[(NIC, &frame.clone().tagged(tag))]);
        }
    }
    let frame = who_has(ALICE, ROUTER);
    bench.carries(A, &frame, &[NIC]);
    let frame = who_has(DAVE, ROUTER);
    bench.turns(D, &frame, &[(NIC, &service(&frame, 100))]);
}

#[test]
fn frames_from_the_wire_go_where_their_tag_says() {
    let mut bench = trunk();
    let frame = who_has(ROUTER, ALICE);
    bench.brings(None, &frame, &[(A, &frame)]);
    for control in [100, PRIORITY | 100, DROP_ELIGIBLE | 100] {
        bench.brings(beside(Q, control), &frame, &[(B, &frame)]);
        bench.brings(beside(AD, control), &frame, &[(D, &frame)]);
    }
    bench.brings(beside(Q, 200), &frame, &[(C, &frame)]);
    for unknown in [1, 7, 101, 4094] {
        bench.sheds(beside(Q, unknown), &frame, VlanUnknown);
        bench.sheds(beside(AD, unknown), &frame, VlanUnknown);
    }
    bench.sheds(beside(AD, 200), &frame, VlanUnknown);
    bench.sheds(beside(Q, 4095), &frame, VlanNotAllowed);
    bench.sheds(beside(AD, PRIORITY | 4095), &frame, VlanNotAllowed);
    // Who is in another VLAN is not found.
    let unicast = udp(V4, ROUTER, ALICE, 18).complete();
    bench.brings(None, &unicast, &[(A, &unicast)]);
    bench.sheds(beside(Q, 100), &unicast, NotOurs);
}

#[test]
fn a_tag_that_was_left_in_band_counts_as_well() {
    let mut bench = trunk();
    let frame = who_has(ROUTER, ALICE);
    bench.brings(None, &frame.clone().tagged(PRIORITY | 100), &[(B, &frame)]);
    bench.brings(None, &service(&frame, 100), &[(D, &frame)]);
    bench.brings(None, &frame.clone().tagged(PRIORITY), &[(A, &frame)]);
    bench.sheds(None, &frame.clone().tagged(7), VlanUnknown);
    bench.sheds(None, &frame.tagged(4095), VlanNotAllowed);
}

#[test]
fn a_priority_tag_from_the_wire_is_not_handed_on() {
    let mut bench = trunk();
    for version in [V4, V6] {
        for frame in [
            udp(version, ROUTER, ALICE, 18).complete(),
            tcp(version, ROUTER, ALICE, 3000).super_frame(1000),
        ] {
            for ethertype in [Q, AD] {
                bench.brings(beside(ethertype, 0), &frame, &[(A, &frame)]);
                bench.brings(beside(ethertype, PRIORITY), &frame, &[(A, &frame)]);
            }
        }
    }
}

#[test]
fn without_an_untagged_network_untagged_frames_are_the_host_s() {
    let mut bench = with_modes(vlan(100), [Bridge]);
    let frame = udp(V4, ROUTER, ALICE, 18).complete();
    for tag in [None, beside(Q, 0), beside(Q, PRIORITY)] {
        bench.sheds(tag, &frame, NotOurs);
        bench.sheds(tag, &who_has(ROUTER, ALICE), NotOurs);
    }
    bench.brings(beside(Q, 100), &frame, &[(A, &frame)]);
}

#[test]
fn a_station_s_priority_tag_gives_its_priority() {
    let mut bench = trunk();
    for (port, bridge) in [(E, BRIDGE), (F, OTHER)] {
        bench.join(port, bridge, Bridge, Own);
    }
    for control in [0, PRIORITY, PRIORITY | DROP_ELIGIBLE] {
        // Without a VLAN, it stays on the wire, and other stations do not see it.
        let plain = who_has(ALICE, ROUTER);
        let tagged = plain.clone().tagged(control);
        bench.turns(A, &tagged, &[(E, &plain), (NIC, &tagged)]);
        let plain = who_has(BOB, ROUTER);
        let tagged = plain.clone().tagged(control);
        let replaced = plain.clone().tagged(control | 100);
        bench.turns(B, &tagged, &[(F, &plain), (NIC, &replaced)]);
        // Its type is that of the VLAN.
        bench.turns(
            B,
            &service(&plain, control),
            &[(F, &plain), (NIC, &replaced)],
        );
        let plain = tcp(V4, DAVE, ROUTER, 100).offloaded();
        let replaced = service(&plain, control | 100);
        bench.turns(D, &plain.clone().tagged(control), &[(NIC, &replaced)]);
        bench.turns(D, &service(&plain, control), &[(NIC, &replaced)]);
    }
    let plain = tcp(V6, ALICE, ERIN, 100).offloaded();
    bench.turns(A, &plain.clone().tagged(PRIORITY), &[(E, &plain)]);
}

#[test]
fn other_tags_are_not_a_station_s_to_set() {
    let mut bench = trunk();
    for (port, from) in [(A, ALICE), (B, BOB)] {
        for frame in [who_has(from, ROUTER), udp(V4, from, ROUTER, 18).complete()] {
            for id in [1, 100, 200, 4094, 4095, PRIORITY | 100] {
                bench.refuses(port, &frame.clone().tagged(id), VlanNotAllowed);
                bench.refuses(port, &service(&frame, id), VlanNotAllowed);
                // Nor behind a priority tag: there is a switch that takes that one off.
                bench.refuses(port, &frame.clone().tagged(id).tagged(0), VlanNotAllowed);
                bench.refuses(port, &service(&frame.clone().tagged(id), 0), VlanNotAllowed);
            }
            bench.refuses(port, &frame.clone().tagged(0).tagged(0), VlanNotAllowed);
        }
    }
    let frame = who_has(DAVE, ROUTER);
    for id in [1, 100, 4094, 4095] {
        bench.refuses(D, &service(&frame, id), VlanNotAllowed);
        bench.refuses(D, &service(&frame.clone().tagged(7), id), VlanNotAllowed);
    }
    bench.refuses(D, &frame.tagged(4095), VlanNotAllowed);
}

#[test]
fn customers_tags_are_inside_a_service_tag() {
    let mut bench = trunk();
    bench.join(E, FOURTH, Bridge, Own);
    let there = who_has(DAVE, ROUTER);
    let back = who_has(ROUTER, DAVE);
    for id in [1, 100, PRIORITY | 7] {
        let inside = there.clone().tagged(id);
        bench.turns(D, &inside, &[(E, &inside), (NIC, &service(&inside, 100))]);
        let inside = back.clone().tagged(id);
        bench.brings(beside(AD, 100), &inside, &[(D, &inside), (E, &inside)]);
    }
    let stacked = there.tagged(7).tagged(8);
    bench.turns(
        D,
        &stacked,
        &[(E, &stacked), (NIC, &service(&stacked, 100))],
    );
    let unicast = tcp(V4, DAVE, ERIN, 100).offloaded().tagged(7);
    bench.carries(D, &unicast, &[E]);
    let frame = tcp(V4, ROUTER, DAVE, 3000).super_frame(1000).tagged(7);
    bench.brings(beside(AD, 100), &frame, &[(D, &frame)]);
}

#[test]
fn stacked_tags_from_the_wire_belong_to_nobody_else() {
    let mut bench = trunk();
    let inside = who_has(ROUTER, ALICE).tagged(100);
    for tag in [
        None,
        beside(Q, 0),
        beside(Q, 100),
        beside(Q, 200),
        beside(AD, 0),
    ] {
        match tag {
            None => bench.brings(None, &inside, &[(B, &inside.clone().untagged())]),
            tag => bench.sheds(tag, &inside, VlanNotAllowed),
        }
    }
    bench.sheds(None, &inside.clone().tagged(0), VlanNotAllowed);
    bench.sheds(None, &inside.clone().tagged(200), VlanNotAllowed);
    bench.sheds(beside(Q, 300), &inside, VlanUnknown);
}

#[test]
fn one_address_may_be_in_two_vlans() {
    let mut bench = on_wire(vlan(100));
    bench.put_on(OTHER, vlan(200));
    bench.join(A, BRIDGE, Bridge, Own);
    bench.join(B, OTHER, Bridge, Own);
    bench.edit_port(B, |port| port.mac = ALICE.mac);
    bench.join(C, OTHER, Bridge, Own);
    let frame = udp(V4, ROUTER, ALICE, 18).complete();
    bench.brings(beside(Q, 100), &frame, &[(A, &frame)]);
    bench.brings(beside(Q, 200), &frame, &[(B, &frame)]);
    let local = udp(V4, CAROL, ALICE, 18).complete();
    bench.carries(C, &local, &[B]);
    // What A sends comes back in the other VLAN, by whatever joins them out there: from B, for all
    // one can see.
    let question = who_has(ALICE, ROUTER);
    bench.turns(A, &question, &[(NIC, &question.clone().tagged(100))]);
    bench.brings(beside(Q, 200), &question, &[]);
    // Stations of one VLAN do not reach those of another but by the wire.
    bench.join(D, BRIDGE, Bridge, Own);
    let across = udp(V4, CAROL, DAVE, 18).complete();
    bench.turns(C, &across, &[(NIC, &across.clone().tagged(200))]);
}

#[test]
fn networks_of_one_vlan_are_one_segment() {
    let mut bench = on_wire(vlan(100));
    bench.put_on(OTHER, vlan(100));
    for (port, bridge, mode) in [
        (A, BRIDGE, Bridge),
        (B, OTHER, Bridge),
        (C, OTHER, Private),
        (D, BRIDGE, Vepa),
    ] {
        bench.join(port, bridge, mode, Own);
    }
    let frame = udp(V4, ALICE, BOB, 18).complete();
    bench.carries(A, &frame, &[B]);
    let question = who_has(BOB, ALICE);
    let tagged = question.clone().tagged(100);
    bench.turns(B, &question, &[(A, &question), (NIC, &tagged)]);
    bench.brings(beside(Q, 100), &question, &[(D, &question)]);
    bench.sheds(beside(Q, 100), &who_has(CAROL, ALICE), Reflected);
    let foreign = who_has(ROUTER, ALICE);
    let all = [A, B, C, D].map(|port| (port, &foreign));
    bench.brings(beside(Q, 100), &foreign, &all);
}
