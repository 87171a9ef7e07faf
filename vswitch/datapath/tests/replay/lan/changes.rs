//! Stations, networks and NICs come, change and go.

use vswitch_datapath::DropReason::{NoStation, NotOurs, PortGone, SpoofedMac, VlanUnknown};
use vswitch_datapath::Face::{Own, Translated};
use vswitch_datapath::Mode::{Bridge, Private};
use vswitch_datapath::lan::Wire;
use vswitch_packet::ip::Version::{V4, V6};
use vswitch_packet::{EtherType, MacAddr};

use super::physical::{NIC, NIC_MAC, OTHER, ROUTER, UNTAGGED, beside, on_wire, vlan, with_modes};
use crate::bench::BRIDGE;
use crate::crafted::{udp, who_has};
use crate::station::{A, ALICE, B, BOB, C};

#[test]
fn a_station_that_is_gone_is_nobody() {
    let mut bench = with_modes(UNTAGGED, [Bridge, Bridge]);
    let frame = udp(V4, ALICE, BOB, 18).complete();
    bench.carries(A, &frame, &[B]);
    bench.remove_port(B);
    bench.carries(A, &frame, &[NIC]);
    bench.sheds(None, &udp(V4, ROUTER, BOB, 18).complete(), NotOurs);
    bench.carries(NIC, &who_has(ROUTER, BOB), &[A]);
    bench.join(B, BRIDGE, Bridge, Own);
    bench.carries(A, &frame, &[B]);
}

#[test]
fn a_station_that_changes_is_found_as_it_is() {
    let mut bench = with_modes(UNTAGGED, [Bridge, Bridge]);
    let frame = udp(V4, ALICE, BOB, 18).complete();
    bench.carries(A, &frame, &[B]);
    bench.edit_station(B, |station| station.mode = Private);
    bench.carries(A, &frame, &[NIC]);
    bench.edit_station(B, |station| station.mode = Bridge);
    let new = BOB.with_mac(MacAddr([2, 0, 0, 0, 0, 9]));
    bench.edit_port(B, |port| port.mac = new.mac);
    bench.carries(A, &frame, &[NIC]);
    bench.carries(A, &udp(V4, ALICE, new, 18).complete(), &[B]);
    bench.refuses(B, &udp(V4, BOB, ALICE, 18).complete(), SpoofedMac);
    // It is no station any more, and then one with other addresses.
    bench.edit_port(B, |port| port.station = None);
    bench.carries(A, &udp(V4, ALICE, new, 18).complete(), &[NIC]);
    bench.remove_port(B);
    bench.join(B, BRIDGE, Bridge, Translated);
    let seen = BOB.with_mac(NIC_MAC);
    let inside = udp(V6, ROUTER, BOB, 18).complete();
    bench.turns(NIC, &udp(V6, ROUTER, seen, 18).complete(), &[(B, &inside)]);
    bench.edit_station(B, |station| station.addresses.clear());
    bench.sheds(None, &udp(V6, ROUTER, seen, 18).complete(), NotOurs);
}

#[test]
fn a_network_moves_to_another_vlan() {
    let mut bench = with_modes(vlan(100), [Bridge]);
    let frame = who_has(ROUTER, ALICE);
    bench.brings(beside(EtherType::VLAN, 100), &frame, &[(A, &frame)]);
    bench.put_on(BRIDGE, vlan(200));
    bench.sheds(beside(EtherType::VLAN, 100), &frame, VlanUnknown);
    bench.brings(beside(EtherType::VLAN, 200), &frame, &[(A, &frame)]);
    let question = who_has(ALICE, ROUTER);
    bench.turns(A, &question, &[(NIC, &question.clone().tagged(200))]);
    bench.put_on(BRIDGE, Wire::Internal(0));
    bench.sheds(beside(EtherType::VLAN, 200), &frame, VlanUnknown);
    bench.carries(A, &question, &[]);
    bench.refuses(A, &udp(V4, ALICE, ROUTER, 18).complete(), NoStation);
}

#[test]
fn a_network_that_is_gone_gets_nothing() {
    let mut bench = with_modes(UNTAGGED, [Bridge]);
    bench.put_on(OTHER, vlan(100));
    bench.join(B, OTHER, Bridge, Own);
    let frame = who_has(ROUTER, BOB);
    bench.brings(beside(EtherType::VLAN, 100), &frame, &[(B, &frame)]);
    bench.remove_port(B);
    bench.brings(beside(EtherType::VLAN, 100), &frame, &[]);
    bench.topology().remove_bridge(OTHER);
    bench.sheds(beside(EtherType::VLAN, 100), &frame, VlanUnknown);
    // And is there again, as a whole.
    let mut bridge = bench.bridge().clone();
    (bridge.id, bridge.ports) = (OTHER, vec![]);
    bridge.lan.as_mut().unwrap().wire = vlan(100);
    bench.topology().set_bridge(bridge);
    bench.join(B, OTHER, Bridge, Own);
    bench.brings(beside(EtherType::VLAN, 100), &frame, &[(B, &frame)]);
}

#[test]
fn without_its_nic_s_port_a_lan_is_cut_off() {
    let mut bench = with_modes(UNTAGGED, [Bridge, Bridge]);
    bench.remove_port(NIC);
    bench.carries(A, &udp(V4, ALICE, BOB, 18).complete(), &[B]);
    bench.refuses(A, &udp(V4, ALICE, ROUTER, 18).complete(), PortGone);
    bench.add_nic(NIC, NIC_MAC);
    bench.carries(A, &udp(V4, ALICE, ROUTER, 18).complete(), &[NIC]);
}

#[test]
fn a_nic_s_new_address_is_the_one_that_the_wire_sees() {
    let mut bench = on_wire(UNTAGGED);
    bench.join(A, BRIDGE, Bridge, Translated);
    let new = MacAddr([2, 0, 0, 0, 0, 0x99]);
    for mac in [NIC_MAC, new] {
        bench.edit_port(NIC, |port| port.mac = mac);
        let seen = ALICE.with_mac(mac);
        let out = udp(V4, ALICE, ROUTER, 18).complete();
        bench.turns(A, &out, &[(NIC, &udp(V4, seen, ROUTER, 18).complete())]);
        let back = udp(V4, ROUTER, ALICE, 18).complete();
        bench.turns(NIC, &udp(V4, ROUTER, seen, 18).complete(), &[(A, &back)]);
    }
    let old = udp(V4, ROUTER, ALICE.with_mac(NIC_MAC), 18).complete();
    bench.sheds(None, &old, NotOurs);
}

#[test]
fn two_nics_are_two_wires() {
    let other = vswitch_datapath::PortId(21);
    let mut bench = with_modes(UNTAGGED, [Bridge]);
    bench.add_nic(other, MacAddr([2, 0, 0, 0, 0, 0x21]));
    bench.put_on(
        OTHER,
        Wire::Parent {
            port: other,
            tag: None,
        },
    );
    bench.join(C, OTHER, Bridge, Own);
    bench.carries(A, &who_has(ALICE, ROUTER), &[NIC]);
    bench.carries(C, &who_has(crate::station::CAROL, ROUTER), &[other]);
    bench.carries(NIC, &who_has(ROUTER, ALICE), &[A]);
    bench.carries(other, &who_has(ROUTER, ALICE), &[C]);
}
