//! A LAN without a NIC.

use vswitch_datapath::DropReason::{Isolated, NoStation, VlanNotAllowed};
use vswitch_datapath::Face::{Own, Shared};
use vswitch_datapath::Mode::{Bridge, Private, Vepa};
use vswitch_datapath::lan::Wire;
use vswitch_packet::ip::Version::{V4, V6};

use super::physical::{NIC_MAC, OTHER, ROUTER, on_wire, with_modes};
use crate::bench::{BRIDGE, HOST};
use crate::crafted::{tcp, udp, who_has};
use crate::station::{A, ALICE, B, BOB, C, CAROL, D, DAVE, at};

#[test]
fn stations_talk_among_themselves() {
    let mut bench = with_modes(Wire::Internal(0), [Bridge, Bridge, Private, Vepa]);
    for frame in [
        udp(V4, ALICE, BOB, 18).complete(),
        tcp(V6, ALICE, BOB, 5000).super_frame(1000),
    ] {
        bench.carries(A, &frame, &[B]);
    }
    bench.carries(A, &who_has(ALICE, BOB), &[B]);
    bench.refuses(A, &udp(V4, ALICE, ROUTER, 18).complete(), NoStation);
    // By the wire alone, and there is none.
    bench.refuses(A, &udp(V4, ALICE, CAROL, 18).complete(), Isolated);
    bench.refuses(C, &udp(V4, CAROL, ALICE, 18).complete(), Isolated);
    bench.refuses(D, &udp(V4, DAVE, ALICE, 18).complete(), Isolated);
    bench.carries(C, &who_has(CAROL, ALICE), &[]);
    bench.carries(D, &who_has(DAVE, ALICE), &[]);
}

#[test]
fn networks_without_a_nic_are_apart_unless_they_are_one() {
    for (number, same) in [(0, true), (1, false)] {
        let mut bench = on_wire(Wire::Internal(0));
        bench.put_on(OTHER, Wire::Internal(number));
        bench.join(A, BRIDGE, Bridge, Own);
        bench.join(B, OTHER, Bridge, Own);
        let frame = udp(V4, ALICE, BOB, 18).complete();
        let question = who_has(ALICE, BOB);
        if same {
            bench.carries(A, &frame, &[B]);
            bench.carries(A, &question, &[B]);
        } else {
            bench.refuses(A, &frame, NoStation);
            bench.carries(A, &question, &[]);
        }
    }
}

#[test]
fn a_shared_mac_address_is_told_apart_by_ip_addresses() {
    let mut bench = on_wire(Wire::Internal(0));
    for port in [A, B, C] {
        bench.join(port, BRIDGE, Bridge, Shared);
    }
    bench.join_host(HOST, BRIDGE);
    let [alice, bob] = [ALICE, BOB].map(|station| station.with_mac(NIC_MAC));
    bench.carries(A, &udp(V4, alice, bob, 18).complete(), &[B]);
    bench.carries(B, &udp(V6, bob, alice, 18).complete(), &[A]);
    bench.carries(HOST, &udp(V6, at(HOST), alice, 18).complete(), &[A]);
    let nobody = ROUTER.with_mac(NIC_MAC);
    bench.refuses(A, &udp(V4, alice, nobody, 18).complete(), NoStation);
}

#[test]
fn tags_are_not_carried() {
    let mut bench = with_modes(Wire::Internal(0), [Bridge, Bridge]);
    let frame = udp(V4, ALICE, BOB, 18).complete();
    bench.turns(A, &frame.clone().tagged(0xa000), &[(B, &frame)]);
    bench.refuses(A, &frame.tagged(7), VlanNotAllowed);
}
