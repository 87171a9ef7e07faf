//! Frames that were read together take the ways that they take one by one.

use std::sync::Arc;

use vswitch_datapath::vlan::Vlan;
use vswitch_datapath::{Fdb, PortId};
use vswitch_packet::MacAddr;
use vswitch_packet::ip::Version::{V4, V6};

use crate::bench::Bench;
use crate::crafted::{ethernet, tcp, udp, who_has};
use crate::outside::{NIC, PEER, UPLINK, bench};
use crate::station::{A, ALICE, B, BOB, GATEWAY, Station};
use crate::tap_frame::TapFrame;

/// Whom a container addresses to reach the outside.
const AWAY: Station = PEER.with_mac(GATEWAY.mac);
/// Addresses: enough for the table to be worth a look ahead.
const MANY: u16 = 5000;
/// Conversations of each family.
const FLOWS: u16 = 1500;

/// A host that has talked and learned much.
fn busy() -> Bench {
    let mut bench = bench();
    bench.edit_bridge(|bridge| bridge.fdb = Arc::new(Fdb::new(8192, 300, 1)));
    bench.learn(&[A, B]);
    for n in 0..FLOWS {
        for version in [V4, V6] {
            let packet = udp(version, ALICE, AWAY, 20).ports(10_000 + n, 53);
            bench.enter(A, &packet.complete());
        }
    }
    for n in 0..MANY {
        let mac = MacAddr::from_u64(0x0600_0000_0000 + u64::from(n));
        bench.bridge().fdb.learn(Vlan::NONE, mac, B, bench.now());
    }
    assert!(bench.bridge().fdb.is_large());
    let router = bench.topology().router();
    assert!(router.nat.as_ref().is_some_and(|nat| nat.is_large()));
    bench.sent();
    bench.counted();
    bench
}

fn from_inside() -> Vec<TapFrame> {
    let mut frames = Vec::new();
    for n in 0..40 {
        for version in [V4, V6] {
            frames.push(
                udp(version, ALICE, AWAY, 20)
                    .ports(10_000 + n * 37, 53)
                    .complete(),
            );
            frames.push(udp(version, ALICE, BOB, 20).ports(n, 53).complete());
        }
        frames.push(
            tcp(V4, ALICE, AWAY, 3000)
                .ports(200 + n, 80)
                .super_frame(1000),
        );
        // Of flows that join each other.
        frames.push(tcp(V4, ALICE, BOB, 100).complete());
    }
    frames.push(who_has(ALICE, BOB));
    frames.push(ethernet(ALICE.mac, GATEWAY.mac, 0x0800, &[0x45]));
    frames.push(ethernet(ALICE.mac, GATEWAY.mac, 0x86dd, &[0x60; 43]));
    frames.push(ethernet(ALICE.mac, BOB.mac, 0x88b5, &[]));
    frames
}

fn from_outside() -> Vec<TapFrame> {
    let answers = (0..70).flat_map(|n| {
        // The container's own ports were free at the host.
        [V4, V6].map(|version| {
            udp(version, PEER, NIC, 20)
                .ports(53, 10_000 + n * 21)
                .complete()
        })
    });
    let mut frames: Vec<_> = answers.collect();
    frames.insert(7, udp(V4, PEER, NIC, 20).ports(53, 9).complete());
    frames
}

fn same(port: PortId, frames: &[TapFrame]) {
    let (mut alone, mut together) = (busy(), busy());
    alone.burst(frames.iter().map(|frame| (port, frame)));
    together.burst_together(port, frames);
    let (expected, sent) = (alone.sent(), together.sent());
    assert!(expected.len() > frames.len() / 2, "{}", expected.len());
    assert_eq!(sent, expected);
    assert_eq!(together.counted(), alone.counted());
}

#[test]
fn from_a_container() {
    same(A, &from_inside());
}

#[test]
fn from_an_uplink() {
    same(UPLINK, &from_outside());
}
