//! VLANs: tags that pass, and access ports.

use vswitch_datapath::DropReason::{VlanMismatch, VlanNotAllowed};
use vswitch_datapath::PortId;
use vswitch_datapath::vlan::Vlan;
use vswitch_packet::VlanId;
use vswitch_packet::ip::Version::{V4, V6};

use crate::bench::Bench;
use crate::crafted::{tcp, udp, who_has};
use crate::station::{A, ALICE, B, BOB, C, CAROL, D, station};

const PRIORITY: u16 = 5 << 13;

/// A and B without a VLAN, C and D access ports of VLAN 100, E of VLAN 200.
fn bench() -> Bench {
    let mut bench = Bench::new(5);
    for (port, vlan) in [(C, 100), (D, 100), (E, 200)] {
        bench.edit_port(port, |port| port.vlan = VlanId::new(vlan));
    }
    bench
}

const E: PortId = PortId(4);

#[test]
fn tags_pass_through_ports_without_a_vlan() {
    let mut bench = Bench::new(3);
    let frame = udp(V4, ALICE, BOB, 18).complete();
    for tci in [1, 100, 4094, PRIORITY | 100, 0x1000 | 100] {
        bench.carries(A, &frame.clone().tagged(tci), &[B, C]);
    }
    // A service tag, and two tags.
    bench.carries(
        A,
        &frame.clone().tagged(100).patched(12, &[0x88, 0xa8]),
        &[B, C],
    );
    bench.carries(A, &frame.clone().tagged(200).tagged(100), &[B, C]);
    // Three, of which the third is not looked into.
    bench.carries(A, &frame.tagged(300).tagged(200).tagged(100), &[B, C]);
}

#[test]
fn the_reserved_vlan_is_refused_everywhere() {
    let mut bench = bench();
    let frame = udp(V4, ALICE, BOB, 18).complete().tagged(PRIORITY | 4095);
    bench.refuses(A, &frame, VlanNotAllowed);
    bench.refuses(C, &frame, VlanNotAllowed);
}

#[test]
fn an_access_port_gets_its_vlan_without_the_tag() {
    let mut bench = bench();
    let plain = who_has(ALICE, CAROL);
    let tagged = plain.clone().tagged(100);
    bench.turns(A, &tagged, &[(B, &tagged), (C, &plain), (D, &plain)]);
    let priority = plain.clone().tagged(PRIORITY | 100);
    bench.turns(A, &priority, &[(B, &priority), (C, &plain), (D, &plain)]);
    let other = plain.clone().tagged(300);
    bench.turns(A, &other, &[(B, &other)]);
    // No VLAN and a priority tag are not VLAN 100.
    bench.carries(A, &plain, &[B]);
    bench.carries(A, &plain.tagged(PRIORITY), &[B]);
}

#[test]
fn what_an_access_port_sends_gets_the_tag() {
    let mut bench = bench();
    let plain = who_has(CAROL, ALICE);
    let tagged = plain.clone().tagged(100);
    bench.turns(C, &plain, &[(A, &tagged), (B, &tagged), (D, &plain)]);
    // A priority tag keeps its priority, where there is a tag at all.
    let priority = plain.clone().tagged(PRIORITY);
    let replaced = plain.clone().tagged(PRIORITY | 100);
    bench.turns(C, &priority, &[(A, &replaced), (B, &replaced), (D, &plain)]);
    // Its own VLAN's tag or another's is not its to set.
    for tci in [100, 200, PRIORITY | 100] {
        bench.refuses(C, &plain.clone().tagged(tci), VlanNotAllowed);
    }
}

#[test]
fn a_priority_tag_of_802_1ad_stays_one_of_802_1ad() {
    let mut bench = bench();
    let service = |tci| who_has(CAROL, ALICE).tagged(tci).patched(12, &[0x88, 0xa8]);
    let (priority, replaced) = (service(PRIORITY), service(PRIORITY | 100));
    let plain = who_has(CAROL, ALICE);
    bench.turns(C, &priority, &[(A, &replaced), (B, &replaced), (D, &plain)]);
}

#[test]
fn the_inner_of_two_tags_stays() {
    let mut bench = bench();
    let inner = who_has(ALICE, CAROL).tagged(42);
    let both = inner.clone().tagged(100);
    bench.turns(A, &both, &[(B, &both), (C, &inner), (D, &inner)]);
}

#[test]
fn one_address_may_be_in_two_vlans() {
    let mut bench = bench();
    // Another bob in VLAN 100, at C.
    bench.carries(B, &who_has(BOB, ALICE), &[A]);
    let from_c = who_has(BOB, ALICE);
    let tagged = from_c.clone().tagged(100);
    bench.turns(C, &from_c, &[(A, &tagged), (B, &tagged), (D, &from_c)]);

    let frame = udp(V4, ALICE, BOB, 18).complete();
    bench.carries(A, &frame, &[B]);
    bench.turns(A, &frame.clone().tagged(100), &[(C, &frame)]);
    bench.turns(A, &frame.clone().tagged(300), &[(B, &frame.tagged(300))]);
}

#[test]
fn a_known_address_behind_a_port_of_another_vlan_is_refused() {
    let mut bench = bench();
    // As configured by mistake, or while a port changes its VLAN.
    bench.bridge().fdb.set_static(Vlan::NONE, CAROL.mac, C);
    let frame = udp(V4, ALICE, CAROL, 18).complete();
    bench.refuses(A, &frame, VlanMismatch);
    bench
        .bridge()
        .fdb
        .set_static(VlanId::new(200).into(), CAROL.mac, C);
    bench.refuses(E, &frame, VlanMismatch);
}

#[test]
fn access_ports_of_two_vlans_do_not_reach_each_other() {
    let mut bench = bench();
    let from_e = who_has(station(6), CAROL);
    let tagged = from_e.clone().tagged(200);
    bench.turns(E, &from_e, &[(A, &tagged), (B, &tagged)]);
    bench.learn(&[C]);
    // carol is known, in VLAN 100.
    let frame = udp(V4, station(6), CAROL, 18).complete();
    let tagged = frame.clone().tagged(200);
    bench.turns(E, &frame, &[(A, &tagged), (B, &tagged)]);
}

#[test]
fn unfinished_work_moves_with_the_tag() {
    let mut bench = bench();
    bench.learn(&[C, D]);
    bench
        .bridge()
        .fdb
        .set_static(VlanId::new(100).into(), ALICE.mac, A);
    for version in [V4, V6] {
        for frame in [
            tcp(version, CAROL, ALICE, 100).offloaded(),
            tcp(version, CAROL, ALICE, 30_000).super_frame(1400),
            udp(version, CAROL, ALICE, 6_000).super_frame(1000),
        ] {
            bench.turns(C, &frame, &[(A, &frame.clone().tagged(100))]);
            bench.turns(
                C,
                &frame.clone().tagged(0),
                &[(A, &frame.clone().tagged(100))],
            );
        }
        for frame in [
            tcp(version, ALICE, CAROL, 100).offloaded(),
            tcp(version, ALICE, CAROL, 30_000).super_frame(1400),
        ] {
            bench.turns(A, &frame.clone().tagged(100), &[(C, &frame)]);
            assert_eq!(frame.clone().tagged(100).untagged(), frame);
        }
    }
}
