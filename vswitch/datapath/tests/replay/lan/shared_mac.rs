//! Stations with the NIC's own MAC address (ipvlan): found by IP address.

use vswitch_datapath::DropReason::{Hairpin, Isolated, NotOurs, Reflected};
use vswitch_datapath::Face::{Own, Shared};
use vswitch_datapath::Mode::{Bridge, Private, Vepa};
use vswitch_datapath::PortId;
use vswitch_packet::ip::Version::{V4, V6};
use vswitch_packet::{EtherType, MacAddr};

use super::physical::{NIC, NIC_MAC, ROUTER, UNTAGGED, beside, on_wire, vlan};
use crate::bench::{BRIDGE, Bench};
use crate::crafted::{echo, ethernet, is_at, solicit, tcp, udp, who_has};
use crate::station::{A, ALICE, B, BOB, C, CAROL, D, DAVE, Station};

/// With the NIC's address.
const fn shared(station: Station) -> Station {
    station.with_mac(NIC_MAC)
}

/// A and B share the NIC's address, C has its own.
fn bench() -> Bench {
    let mut bench = on_wire(UNTAGGED);
    bench.join(A, BRIDGE, Bridge, Shared);
    bench.join(B, BRIDGE, Bridge, Shared);
    bench.join(C, BRIDGE, Bridge, Own);
    bench
}

#[test]
fn the_wire_finds_each_by_its_ip_address() {
    let mut bench = bench();
    for (port, station) in [(A, shared(ALICE)), (B, shared(BOB))] {
        for version in [V4, V6] {
            for frame in [
                udp(version, ROUTER, station, 18).complete(),
                tcp(version, ROUTER, station, 5000).super_frame(1000),
                echo(version, true, ROUTER, station, 18),
            ] {
                bench.carries(NIC, &frame, &[port]);
            }
        }
        bench.carries(NIC, &is_at(ROUTER, station), &[port]);
        // A neighbour that is known is asked again by itself.
        let known = who_has(ROUTER, station).patched(0, &NIC_MAC.0);
        bench.carries(NIC, &known, &[port]);
    }
    bench.carries(NIC, &who_has(ROUTER, shared(ALICE)), &[A, B, C]);
    bench.carries(NIC, &solicit(ROUTER, shared(ALICE)), &[A, B, C]);
}

#[test]
fn what_is_for_the_host_stays_the_host_s() {
    let mut bench = bench();
    for frame in [
        udp(V4, ROUTER, shared(DAVE), 18).complete(),
        udp(V6, ROUTER, shared(DAVE), 18).complete(),
        is_at(ROUTER, shared(DAVE)),
        // A station with a MAC address of its own is not behind the host's.
        udp(V4, ROUTER, shared(CAROL), 18).complete(),
        ethernet(ROUTER.mac, NIC_MAC, 0x88b5, &[0; 46]),
    ] {
        bench.sheds(None, &frame, NotOurs);
    }
}

#[test]
fn their_frames_leave_as_they_are() {
    let mut bench = bench();
    for version in [V4, V6] {
        for frame in [
            udp(version, shared(ALICE), ROUTER, 18).complete(),
            tcp(version, shared(ALICE), ROUTER, 5000).super_frame(1000),
        ] {
            bench.carries(A, &frame, &[NIC]);
        }
    }
    bench.carries(A, &who_has(shared(ALICE), ROUTER), &[B, C, NIC]);
    bench.carries(B, &solicit(shared(BOB), ROUTER), &[A, C, NIC]);
}

#[test]
fn they_reach_each_other_and_others_here() {
    let mut bench = bench();
    let (alice, bob) = (shared(ALICE), shared(BOB));
    for version in [V4, V6] {
        bench.carries(A, &udp(version, alice, bob, 18).complete(), &[B]);
        bench.carries(A, &udp(version, alice, CAROL, 18).complete(), &[C]);
        bench.carries(C, &udp(version, CAROL, bob, 18).complete(), &[B]);
    }
    bench.carries(A, &is_at(alice, bob), &[B]);
    bench.carries(C, &is_at(CAROL, alice), &[A]);
    bench.refuses(A, &udp(V4, alice, alice, 18).complete(), Hairpin);
    // The host is nobody here: it may be reached by a switch that reflects.
    bench.carries(C, &udp(V4, CAROL, shared(DAVE), 18).complete(), &[NIC]);
}

#[test]
fn modes_hold_for_them_too() {
    let mut bench = on_wire(UNTAGGED);
    bench.join(A, BRIDGE, Bridge, Shared);
    bench.join(B, BRIDGE, Private, Shared);
    bench.join(C, BRIDGE, Vepa, Shared);
    bench.join(D, BRIDGE, Private, Shared);
    let all = [(A, ALICE), (B, BOB), (C, CAROL)];
    for (from, sender) in all {
        for (to, receiver) in all {
            if from != to {
                let frame = udp(V4, shared(sender), shared(receiver), 18).complete();
                bench.carries(from, &frame, &[NIC]);
                match from == B || to == B {
                    true => bench.sheds(None, &frame, Reflected),
                    false => bench.carries(NIC, &frame, &[to]),
                }
            }
        }
    }
    let private = udp(V4, shared(BOB), shared(DAVE), 18).complete();
    bench.refuses(B, &private, Isolated);
    // A question that comes back is told by who asks.
    let heard_back: [(Station, &[PortId]); 2] = [(ALICE, &[C]), (CAROL, &[A])];
    for (sender, heard) in heard_back {
        bench.carries(NIC, &who_has(shared(sender), ROUTER), heard);
        bench.carries(NIC, &solicit(shared(sender), ROUTER), heard);
    }
    bench.sheds(None, &who_has(shared(BOB), ROUTER), Reflected);
    // The host's is news to everybody.
    let host = who_has(shared(crate::station::station(77)), ROUTER);
    bench.carries(NIC, &host, &[A, B, C, D]);
}

#[test]
fn a_probe_that_comes_back_is_nobody_s_conflict() {
    let mut bench = bench();
    let probe = who_has(
        shared(ALICE).with_v4(core::net::Ipv4Addr::UNSPECIFIED),
        ALICE,
    );
    bench.carries(A, &probe, &[B, C, NIC]);
    bench.sheds(None, &probe, Reflected);
    let nobody = shared(ALICE).with_v6(core::net::Ipv6Addr::UNSPECIFIED);
    bench.carries(A, &solicit(nobody, ALICE), &[B, C, NIC]);
    bench.sheds(None, &solicit(nobody, ALICE), Reflected);
    let opaque = ethernet(NIC_MAC, MacAddr::BROADCAST, 0x88b5, &[0; 46]);
    bench.sheds(None, &opaque, Reflected);
    // A stranger's is one.
    bench.carries(NIC, &who_has(ROUTER, ALICE), &[A, B, C]);
}

#[test]
fn each_vlan_has_its_own() {
    let mut bench = bench();
    bench.put_on(super::physical::OTHER, vlan(100));
    bench.join(D, super::physical::OTHER, Bridge, Shared);
    bench.edit_station(D, |station| station.addresses = ALICE.addresses().to_vec());
    let frame = udp(V4, ROUTER, shared(ALICE), 18).complete();
    bench.carries(NIC, &frame, &[A]);
    bench.brings(beside(EtherType::VLAN, 100), &frame, &[(D, &frame)]);
    let other = udp(V4, ROUTER, shared(BOB), 18).complete();
    bench.sheds(beside(EtherType::VLAN, 100), &other, NotOurs);
}

#[test]
fn a_nic_with_another_address_does_not_cut_them_off() {
    let mut bench = bench();
    let new = MacAddr([0x02, 0, 0, 0, 0, 0x18]);
    bench.edit_port(NIC, |port| port.mac = new);
    let seen = ALICE.with_mac(new);
    for version in [V4, V6] {
        let out = udp(version, shared(ALICE), ROUTER, 18).complete();
        bench.turns(
            A,
            &out,
            &[(NIC, &udp(version, seen, ROUTER, 18).complete())],
        );
        let back = udp(version, ROUTER, seen, 18).complete();
        let inside = udp(version, ROUTER, shared(ALICE), 18).complete();
        bench.turns(NIC, &back, &[(A, &inside)]);
    }
    bench.carries(A, &udp(V4, shared(ALICE), shared(BOB), 18).complete(), &[B]);
}
