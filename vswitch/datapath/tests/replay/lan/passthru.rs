//! A station that has the NIC for itself.

use vswitch_datapath::DropReason::{BadSource, Reflected, TooBig, VlanNotAllowed, VlanUnknown};
use vswitch_datapath::Face::Own;
use vswitch_datapath::Mode::Passthru;
use vswitch_packet::ip::Version::{V4, V6};
use vswitch_packet::{EtherType, MacAddr};

use super::physical::{
    NIC, ROUTER, STRANGER, UNTAGGED, beside, on_wire, service_vlan, vlan, with_modes,
};
use crate::bench::{BRIDGE, Bench};
use crate::crafted::{tcp, udp, who_has};
use crate::station::{A, ALICE, BOB, CAROL};

const PRIORITY: u16 = 5 << 13;

fn bench() -> Bench {
    let mut bench = on_wire(UNTAGGED);
    bench
        .topology()
        .edit_bridge(BRIDGE, |b| b.lan.as_mut().unwrap().transparent = true);
    bench.join(A, BRIDGE, Passthru, Own);
    bench
}

#[test]
fn it_gets_every_frame() {
    let mut bench = bench();
    let group = CAROL.with_mac(MacAddr([0x01, 0x80, 0xc2, 0, 0, 0x0e]));
    for frame in [
        udp(V4, ROUTER, ALICE, 18).complete(),
        udp(V4, ROUTER, BOB, 18).complete(),
        udp(V6, STRANGER, ROUTER, 18).complete(),
        udp(V4, ROUTER, group, 18).complete(),
        who_has(ROUTER, BOB),
    ] {
        bench.carries(NIC, &frame, &[A]);
        // A tag is put back, whatever it is.
        for control in [0, 1, 100, 4094, 4095, PRIORITY, PRIORITY | 7] {
            let tagged = frame.clone().tagged(control);
            bench.brings(beside(EtherType::VLAN, control), &frame, &[(A, &tagged)]);
            let service = tagged.patched(12, &[0x88, 0xa8]);
            let tag = beside(EtherType::SERVICE_VLAN, control);
            bench.brings(tag, &frame, &[(A, &service)]);
        }
        let stacked = frame.clone().tagged(7).tagged(8);
        let tag = beside(EtherType::VLAN, 8);
        bench.brings(tag, &frame.clone().tagged(7), &[(A, &stacked)]);
        bench.carries(NIC, &stacked, &[A]);
    }
}

#[test]
fn unfinished_work_moves_with_the_tag() {
    let mut bench = bench();
    for version in [V4, V6] {
        for frame in [
            tcp(version, ROUTER, ALICE, 100).offloaded(),
            tcp(version, ROUTER, BOB, 30_000).super_frame(1400),
            udp(version, ROUTER, ALICE, 6000).super_frame(1000),
        ] {
            let tagged = frame.clone().tagged(PRIORITY | 100);
            let tag = beside(EtherType::VLAN, PRIORITY | 100);
            bench.brings(tag, &frame, &[(A, &tagged)]);
            bench.carries(A, &tagged, &[NIC]);
        }
    }
}

#[test]
fn it_sends_from_any_address_with_any_tag() {
    let mut bench = bench();
    // Whatever addresses are its own.
    bench.guard(A);
    let group = ROUTER.with_mac(MacAddr([0x01, 0x80, 0xc2, 0, 0, 0x02]));
    for from in [ALICE, BOB, CAROL] {
        for frame in [
            udp(V4, from, ROUTER, 18).complete(),
            udp(V4, from, group, 18).complete(),
            who_has(from, ROUTER),
            // To its own address: that may be a bridge, with whom it stands for behind it.
            udp(V4, from, ALICE, 18).complete(),
        ] {
            bench.carries(A, &frame, &[NIC]);
            for tci in [0, 1, 100, 4094, 4095, PRIORITY] {
                bench.carries(A, &frame.clone().tagged(tci), &[NIC]);
            }
            let stacked = frame.tagged(7).tagged(8).patched(12, &[0x88, 0xa8]);
            bench.carries(A, &stacked, &[NIC]);
        }
    }
    let nobody = ALICE.with_mac(MacAddr::BROADCAST);
    bench.refuses(A, &udp(V4, nobody, ROUTER, 18).complete(), BadSource);
}

#[test]
fn it_does_not_hear_itself() {
    let mut bench = bench();
    bench.carries(A, &who_has(ALICE, ROUTER), &[NIC]);
    bench.sheds(None, &who_has(ALICE, ROUTER), Reflected);
    bench.sheds(
        beside(EtherType::VLAN, 7),
        &who_has(ALICE, ROUTER),
        Reflected,
    );
}

#[test]
fn in_a_vlan_it_has_that_vlan_for_itself() {
    let mut bench = with_modes(vlan(100), [Passthru]);
    for frame in [who_has(BOB, ROUTER), udp(V4, CAROL, ROUTER, 18).complete()] {
        bench.turns(A, &frame, &[(NIC, &frame.clone().tagged(100))]);
        bench.refuses(A, &frame.tagged(7), VlanNotAllowed);
    }
    let frame = udp(V4, ROUTER, STRANGER, 18).complete();
    bench.brings(beside(EtherType::VLAN, 100), &frame, &[(A, &frame)]);
    bench.sheds(beside(EtherType::VLAN, 7), &frame, VlanUnknown);

    let mut bench = with_modes(service_vlan(100), [Passthru]);
    let inside = who_has(BOB, ROUTER).tagged(7);
    let both = inside.clone().tagged(100).patched(12, &[0x88, 0xa8]);
    bench.turns(A, &inside, &[(NIC, &both)]);
    bench.brings(
        beside(EtherType::SERVICE_VLAN, 100),
        &inside,
        &[(A, &inside)],
    );
}

#[test]
fn tags_inside_take_room_on_the_wire() {
    let mut bench = bench();
    let full = udp(V4, ALICE, ROUTER, 1500 - 28).complete();
    bench.carries(A, &full, &[NIC]);
    bench.carries(A, &full.clone().tagged(7), &[NIC]);
    let service = full.clone().tagged(7).patched(12, &[0x88, 0xa8]);
    bench.refuses_at(A, &service, NIC, TooBig);
    bench.refuses_at(A, &full.tagged(7).tagged(8), NIC, TooBig);
    let short = udp(V4, ALICE, ROUTER, 1496 - 28).complete();
    bench.carries(A, &short.clone().tagged(7).tagged(8), &[NIC]);
    let service = short.tagged(7).patched(12, &[0x88, 0xa8]);
    bench.carries(A, &service, &[NIC]);
}
