//! Who gets what is flooded: ports, bridges, isolation, the storm limit.

use core::net::{Ipv4Addr, Ipv6Addr};
use core::time::Duration;
use std::sync::Arc;

use vswitch_datapath::DropReason::{Isolated, StormLimit};
use vswitch_datapath::{BridgeId, PortId, StormLimit as Limit};
use vswitch_packet::MacAddr;
use vswitch_packet::ip::Version::{V4, V6};

use crate::bench::Bench;
use crate::counters::on;
use crate::crafted::{ethernet, everybody, udp, who_has};
use crate::station::{A, ALICE, B, BOB, C, CAROL, D, at, station};
use crate::tap_frame::TapFrame;

/// One frame of each kind that is flooded, from the station at `port`.
fn flooded(port: PortId) -> [TapFrame; 5] {
    let from = at(port);
    let mut group = station(9);
    group.mac = MacAddr([0x01, 0x00, 0x5e, 0x01, 0x02, 0x03]);
    group.v4 = Ipv4Addr::new(239, 1, 2, 3);
    let mut group6 = station(9);
    group6.mac = MacAddr([0x33, 0x33, 0, 0, 0x01, 0x23]);
    group6.v6 = Ipv6Addr::new(0xff05, 0, 0, 0, 0, 0, 0, 0x123);
    [
        who_has(from, station(9)),
        udp(V4, from, everybody(from), 18).complete(),
        udp(V4, from, group, 18).complete(),
        udp(V6, from, group6, 18).complete(),
        // Unknown unicast.
        udp(V4, from, station(200), 18).complete(),
    ]
}

#[test]
fn every_port_but_the_ingress_gets_one_copy() {
    let mut bench = Bench::new(4);
    let all = [A, B, C, D];
    for ingress in all {
        let others: Vec<_> = all.into_iter().filter(|&port| port != ingress).collect();
        for frame in flooded(ingress) {
            bench.carries(ingress, &frame, &others);
        }
    }
}

#[test]
fn a_bridge_of_one_port_floods_to_nobody() {
    let mut bench = Bench::new(1);
    for frame in flooded(A) {
        bench.carries(A, &frame, &[]);
    }
}

#[test]
fn bridges_are_worlds_of_their_own() {
    let mut bench = Bench::new(2);
    bench.add_bridge(BridgeId(1));
    for port in [C, D] {
        bench.add_port(port, BridgeId(1));
    }
    for frame in flooded(A) {
        bench.carries(A, &frame, &[B]);
    }
    // alice is known behind A, but not to this bridge.
    bench.carries(C, &udp(V4, CAROL, ALICE, 18).complete(), &[D]);
    // The same address may be on both.
    bench.carries(D, &udp(V4, ALICE, CAROL, 18).complete(), &[C]);
    bench.carries(B, &udp(V4, BOB, ALICE, 18).complete(), &[A]);
}

#[test]
fn isolated_ports_reach_only_those_that_are_not() {
    let mut bench = Bench::new(4);
    let isolated = [A, B];
    for port in isolated {
        bench.edit_port(port, |port| port.isolated = true);
    }
    let all = [A, B, C, D];
    for ingress in all {
        let reached: Vec<_> = all
            .into_iter()
            .filter(|&port| port != ingress)
            .filter(|port| !(isolated.contains(port) && isolated.contains(&ingress)))
            .collect();
        for frame in flooded(ingress) {
            bench.carries(ingress, &frame, &reached);
        }
    }
    // All are known by now.
    for ingress in all {
        for egress in all.into_iter().filter(|&port| port != ingress) {
            let frame = udp(V4, at(ingress), at(egress), 18).complete();
            if isolated.contains(&ingress) && isolated.contains(&egress) {
                bench.refuses(ingress, &frame, Isolated);
            } else {
                bench.carries(ingress, &frame, &[egress]);
            }
        }
    }
}

#[test]
fn the_storm_limit_holds_what_is_flooded_and_nothing_else() {
    let mut bench = Bench::new(3);
    bench.learn(&[A, B, C]);
    // A tenth of a second's worth at once: ten frames.
    bench.edit_port(A, |port| port.storm = Some(Arc::new(Limit::new(100))));
    let frames = flooded(A);
    for frame in frames.iter().cycle().take(10) {
        bench.carries(A, frame, &[B, C]);
    }
    for frame in &frames {
        bench.refuses(A, frame, StormLimit);
    }
    // Known unicast passes, and so does what others flood.
    bench.carries(A, &udp(V4, ALICE, BOB, 18).complete(), &[B]);
    bench.carries(B, &flooded(B)[0], &[A, C]);
    // A hundredth of a second is worth one frame.
    bench.wait(Duration::from_millis(10));
    bench.carries(A, &frames[0], &[B, C]);
    bench.refuses(A, &frames[1], StormLimit);
    // However long the silence, ten at once is all.
    bench.wait(Duration::from_secs(250));
    bench.learn(&[A, B, C]);
    let storm = vec![frames[0].clone(); 50];
    bench.burst(storm.iter().map(|frame| (A, frame)));
    let passed = &storm[..10];
    bench.assert_sent(passed.iter().flat_map(|frame| [(B, frame), (C, frame)]));
    bench.assert_counted([
        on(A).received(&storm).dropped(StormLimit, 40),
        on(B).sent(passed),
        on(C).sent(passed),
    ]);
}

#[test]
fn what_is_no_ip_is_carried_octet_for_octet() {
    let mut bench = Bench::new(2);
    bench.learn(&[A, B]);
    for ethertype in [
        0x0000, 0x0026, 0x05dc, 0x0842, 0x22f0, 0x8035, 0x88b5, 0x8847, 0xffff,
    ] {
        for len in [0, 1, 46, 1500] {
            let octets: Vec<_> = (0..len).map(|at| at as u8).collect();
            bench.carries(A, &ethernet(ALICE.mac, BOB.mac, ethertype, &octets), &[B]);
        }
    }
}
