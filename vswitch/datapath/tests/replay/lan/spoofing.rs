//! Who a station may say it is.

use vswitch_datapath::DropReason::{SpoofedAddress, SpoofedMac};
use vswitch_datapath::Face::{Own, Shared, Translated};
use vswitch_datapath::Identity;
use vswitch_datapath::Mode::{Bridge, Private, Vepa};
use vswitch_packet::ip::Version::{V4, V6};

use super::physical::{NIC, NIC_MAC, ROUTER, UNTAGGED, on_wire, vlan, with_modes};
use crate::bench::BRIDGE;
use crate::crafted::{is_at, solicit, udp, who_has};
use crate::station::{A, ALICE, B, BOB, Station};

#[test]
fn its_mac_address_is_always_checked() {
    for mode in [Bridge, Private, Vepa] {
        let mut bench = with_modes(UNTAGGED, [mode, Bridge]);
        for frame in [
            udp(V4, BOB, ROUTER, 18).complete(),
            udp(V4, ROUTER, BOB, 18).complete(),
            who_has(BOB, ROUTER),
        ] {
            bench.refuses(A, &frame, SpoofedMac);
        }
        // Its IP addresses are its own affair.
        let other = BOB.with_mac(ALICE.mac);
        bench.carries(A, &udp(V4, other, ROUTER, 18).complete(), &[NIC]);
    }
}

#[test]
fn its_ip_addresses_are_checked_if_they_are_known() {
    let mut bench = with_modes(vlan(100), [Bridge, Bridge]);
    bench.guard(A);
    let other = BOB.with_mac(ALICE.mac);
    for frame in [
        udp(V4, other, ROUTER, 18).complete(),
        udp(V6, other, ROUTER, 18).complete(),
        who_has(other, ROUTER),
        is_at(other, ROUTER),
        solicit(other, ROUTER),
    ] {
        bench.refuses(A, &frame, SpoofedAddress);
        bench.refuses(A, &frame.tagged(0), SpoofedAddress);
    }
    bench.refuses(A, &udp(V4, BOB, ROUTER, 18).complete(), SpoofedMac);
    let frame = udp(V6, ALICE, BOB, 18).complete();
    bench.carries(A, &frame, &[B]);
}

#[test]
fn it_is_checked_by_the_address_it_has_inside() {
    for (face, own) in [(Own, ALICE.mac), (Shared, NIC_MAC), (Translated, ALICE.mac)] {
        let mut bench = on_wire(UNTAGGED);
        bench.join(A, BRIDGE, Bridge, face);
        let alice = ALICE.with_mac(own);
        bench.edit_port(A, |port| {
            port.identity = Some(Identity::new(own, &alice.addresses()));
        });
        bench.join(B, BRIDGE, Bridge, Own);
        bench.carries(A, &udp(V4, alice, BOB, 18).complete(), &[B]);
        let other = if own == NIC_MAC { ALICE.mac } else { NIC_MAC };
        let forged = ALICE.with_mac(other);
        bench.refuses(A, &udp(V4, forged, BOB, 18).complete(), SpoofedMac);
        let forged = BOB.with_mac(own);
        bench.refuses(A, &udp(V4, forged, ROUTER, 18).complete(), SpoofedAddress);
    }
}

/// Whoever probes for an address just when another does keeps him from having it.
#[test]
fn it_probes_for_no_addresses_but_its_own() {
    let mut bench = with_modes(UNTAGGED, [Bridge, Bridge]);
    bench.guard(A);
    let nowhere = Station {
        v4: [0; 4].into(),
        v6: [0; 16].into(),
        ..ALICE
    };
    for probe in [who_has, solicit] {
        bench.carries(A, &probe(nowhere, ALICE), &[B, NIC]);
        bench.refuses(A, &probe(nowhere, ROUTER), SpoofedAddress);
    }
}

#[test]
fn who_chooses_its_ipv6_addresses_is_still_no_router() {
    let mut bench = with_modes(UNTAGGED, [Bridge, Bridge]);
    bench.edit_port(A, |port| {
        let identity = Identity::new(ALICE.mac, &[ALICE.v4.into()]);
        port.identity = Some(identity.choosing_ipv6());
    });
    let from = |v6: &str| Station {
        v6: v6.parse().unwrap(),
        ..ALICE
    };
    for announced in ["2001:db8::77", "fd00::77"] {
        bench.carries(A, &udp(V6, from(announced), BOB, 18).complete(), &[B]);
    }
    for other in ["fe80::1", "ff02::1", "::1", "::ffff:192.0.2.1"] {
        bench.refuses(A, &udp(V6, from(other), BOB, 18).complete(), SpoofedAddress);
    }
}
