//! Where packets get to.

use vswitch_datapath::DropReason::{Hairpin, Internal, Isolated};
use vswitch_datapath::neighbour::Neighbours;
use vswitch_packet::ip::Version::{V4, V6};

use super::{
    ALICE, AWAY, BOB, ERIN, FRANK, FRANK_GATEWAY, FRANK_PORT, NOBODY, ORDINARY, bench, link,
};
use crate::bench::BRIDGE;
use crate::counters::on;
use crate::crafted::{Packet, echo, ip, is_at, tcp, udp, who_has};
use crate::outside::{E, NIC, OTHER, PEER, ROUTER, UPLINK};
use crate::station::{A, B};
use crate::tap_frame::TapFrame;

const FORMS: [fn(&Packet) -> TapFrame; 3] = [Packet::complete, Packet::offloaded, |packet| {
    packet.super_frame(300)
}];

#[test]
fn within_a_network_and_between_siblings() {
    for version in [V4, V6] {
        let mut bench = bench(&[BRIDGE, OTHER]);
        for packet in [udp, tcp] {
            for (from, to, station) in [(A, B, BOB), (A, E, ERIN)] {
                for form in FORMS {
                    let frame = form(&packet(version, ALICE, station, 900));
                    bench.turns(from, &frame, &[(to, &frame.clone().hop_limit(63))]);
                    let back = form(&packet(version, station, ALICE, 900));
                    bench.turns(to, &back, &[(from, &back.clone().hop_limit(63))]);
                }
            }
        }
        // No conversation is kept, and none is needed: a protocol without ports passes, too.
        let gre = ip(version, ALICE, BOB, 47, &[0; 20], |_| ());
        bench.turns(A, &gre, &[(B, &gre.clone().hop_limit(63))]);
        bench.turns(A, &gre.clone().tagged(0x6000), &[(B, &gre.hop_limit(63))]);
    }
}

#[test]
fn a_private_network_s_endpoints_reach_nobody_here() {
    for version in [V4, V6] {
        let mut bench = bench(&[]);
        for station in [BOB, ERIN, NOBODY] {
            bench.refuses(A, &udp(version, ALICE, station, 9).complete(), Isolated);
        }
        let out = udp(version, ALICE, AWAY, 9).complete();
        let seen = udp(version, ALICE, PEER, 9).complete().hop_limit(63);
        bench.turns(A, &out, &[(UPLINK, &seen)]);
    }
}

#[test]
fn out_by_the_uplink_as_it_is_and_everything_in() {
    for version in [V4, V6] {
        for translator in [true, false] {
            let mut bench = bench(&[BRIDGE]);
            if !translator {
                bench.edit_router(|router| router.nat = None);
            }
            for packet in [udp, tcp] {
                for form in FORMS {
                    let out = form(&packet(version, ALICE, AWAY, 900));
                    let seen = form(&packet(version, ALICE, PEER, 900)).hop_limit(63);
                    bench.turns(A, &out, &[(UPLINK, &seen)]);
                    // Of no conversation that was seen.
                    let knock = form(&packet(version, PEER, BOB, 900).ports(9, 80));
                    let heard = form(&packet(version, AWAY, BOB, 900).ports(9, 80));
                    bench.turns(UPLINK, &knock, &[(B, &heard.hop_limit(63))]);
                }
            }
            let ping = echo(version, true, PEER, BOB, 56);
            let heard = echo(version, true, AWAY, BOB, 56).hop_limit(63);
            bench.turns(UPLINK, &ping, &[(B, &heard)]);
            if let Some(nat) = &bench.topology().router().nat {
                assert_eq!(nat.counts().sessions, 0);
            }
        }
    }
}

#[test]
fn fragments_pass_one_by_one() {
    let mut bench = bench(&[BRIDGE]);
    let later = ip(V4, ALICE, AWAY, 17, &[7; 64], |header| {
        header.fragment_offset = 8.try_into().unwrap();
    });
    let seen = ip(V4, ALICE, PEER, 17, &[7; 64], |header| {
        header.fragment_offset = 8.try_into().unwrap();
    });
    bench.turns(A, &later, &[(UPLINK, &seen.hop_limit(63))]);
}

#[test]
fn an_internal_network_stays_among_its_siblings() {
    let mut bench = bench(&[BRIDGE]);
    bench.edit_policy(BRIDGE, |policy| policy.internal = true);
    let frame = udp(V4, ALICE, BOB, 9).complete();
    bench.turns(A, &frame, &[(B, &frame.clone().hop_limit(63))]);
    bench.refuses(A, &udp(V4, ALICE, AWAY, 9).complete(), Internal);
    bench.refuses(UPLINK, &udp(V4, PEER, ALICE, 9).complete(), Internal);
}

#[test]
fn other_networks_are_kept_apart_unless_they_are_peers() {
    for version in [V4, V6] {
        let mut bench = bench(&[BRIDGE]);
        let to_frank = udp(version, ALICE, FRANK.with_mac(NIC.mac), 9).complete();
        let heard = udp(version, ALICE.with_mac(FRANK_GATEWAY.mac), FRANK, 9).complete();
        let to_alice = udp(version, FRANK, ALICE.with_mac(FRANK_GATEWAY.mac), 9).complete();
        let told = udp(version, FRANK.with_mac(NIC.mac), ALICE, 9).complete();
        bench.refuses(A, &to_frank, Isolated);
        bench.refuses(FRANK_PORT, &to_alice, Isolated);
        bench.refuses(A, &udp(version, ALICE, ERIN, 9).complete(), Isolated);
        for (bridge, other) in [(BRIDGE, ORDINARY), (ORDINARY, BRIDGE)] {
            bench.edit_policy(bridge, |policy| policy.peers = vec![other]);
        }
        bench.turns(A, &to_frank, &[(FRANK_PORT, &heard.hop_limit(63))]);
        bench.turns(FRANK_PORT, &to_alice, &[(A, &told.hop_limit(63))]);
    }
}

#[test]
fn nobody_reaches_itself_by_the_gateway() {
    let mut bench = bench(&[BRIDGE]);
    bench.refuses(A, &udp(V4, ALICE, ALICE, 9).complete(), Hairpin);
}

/// On an Ethernet segment these are broadcasts.
#[test]
fn the_ends_of_a_subnet_are_addresses_like_all_others() {
    for last in [0, 255] {
        let mut bench = bench(&[BRIDGE]);
        let bob = BOB.with_v4([10, 0, 0, last].into());
        link(&mut bench, BRIDGE, B, bob);
        let frame = udp(V4, ALICE, bob, 9).complete();
        bench.turns(A, &frame, &[(B, &frame.clone().hop_limit(63))]);
        let back = udp(V4, bob, ALICE, 9).complete();
        bench.turns(B, &back, &[(A, &back.clone().hop_limit(63))]);
        let knock = udp(V4, PEER, bob, 9).complete();
        let heard = udp(V4, AWAY, bob, 9).complete().hop_limit(63);
        bench.turns(UPLINK, &knock, &[(B, &heard)]);
    }
}

#[test]
fn what_waits_for_the_router_outside_leaves_with_the_answer() {
    let mut bench = bench(&[BRIDGE]);
    bench.edit_router(|router| router.uplinks[0].neighbours = Neighbours::default().into());
    let frame = udp(V4, ALICE, AWAY, 9).complete();
    bench.enter(A, &frame);
    let question = who_has(NIC, ROUTER);
    bench.assert_sent([(UPLINK, &question)]);
    bench.assert_counted([
        on(A).received([&frame]).held(1),
        on(UPLINK).sent([&question]),
    ]);
    let answer = is_at(ROUTER, NIC);
    bench.enter(UPLINK, &answer);
    let seen = udp(V4, ALICE, PEER, 9).complete().hop_limit(63);
    bench.assert_sent([(UPLINK, &seen)]);
    let told = on(UPLINK).received([&answer]).sent([&seen]);
    bench.assert_counted([told.dropped(vswitch_datapath::DropReason::NotOurs, 1)]);
}
