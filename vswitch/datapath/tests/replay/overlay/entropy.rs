//! The source port: by it, the network tells flows apart (RFC 7348 §5).

use std::collections::BTreeSet;

use vswitch_datapath::vlan::Vlan;
use vswitch_packet::ip::Version::{V4, V6};

use super::peers::{TO_NEAR, with_peer};
use crate::bench::Bench;
use crate::crafted::{echo, tcp, udp};
use crate::station::{A, ALICE, BOB};
use crate::tap_frame::TapFrame;

fn bench() -> Bench {
    let bench = with_peer(1);
    bench.bridge().fdb.set_static(Vlan::NONE, BOB.mac, TO_NEAR);
    bench
}

/// What the source port of each hand-over of `frames` is chosen by.
fn entropies(bench: &mut Bench, frames: &[TapFrame]) -> Vec<u16> {
    bench.burst(frames.iter().map(|frame| (A, frame)));
    bench.counted();
    let sent = bench.handed_over();
    sent.iter().map(|one| one.envelope.entropy).collect()
}

#[test]
fn a_flow_has_one_source_port_however_its_packets_leave() {
    let mut bench = bench();
    for version in [V4, V6] {
        let stream = tcp(version, ALICE, BOB, 5000);
        let datagrams = udp(version, ALICE, BOB, 5000);
        for packet in [stream, datagrams] {
            let alone = packet.clone().data([7; 100]);
            let forms = [
                alone.complete(),
                alone.offloaded(),
                packet.super_frame(1000),
            ];
            let mut seen = BTreeSet::new();
            for form in &forms {
                seen.extend(entropies(&mut bench, std::slice::from_ref(form)));
            }
            // And in a train.
            let train = entropies(
                &mut bench,
                &[alone.offloaded(), alone.offloaded(), alone.offloaded()],
            );
            seen.extend(train);
            assert_eq!(seen.len(), 1, "{version:?}");
        }
    }
}

#[test]
fn flows_are_spread_over_source_ports() {
    let mut bench = bench();
    for version in [V4, V6] {
        let flows: Vec<_> = (0..256)
            .map(|n| {
                udp(version, ALICE, BOB, 18)
                    .ports(40_000 + n, 53)
                    .complete()
            })
            .collect();
        let entropies = entropies(&mut bench, &flows);
        assert_eq!(entropies.len(), 256);
        // Of 16 sockets, each gets some.
        let sockets: BTreeSet<_> = entropies.iter().map(|entropy| entropy % 16).collect();
        assert_eq!(sockets.len(), 16);
    }
}

#[test]
fn what_has_no_ports_keeps_its_way() {
    let mut bench = bench();
    let pings = [10, 20, 30].map(|len| echo(V4, true, ALICE, BOB, len));
    let seen: BTreeSet<_> = entropies(&mut bench, &pings).into_iter().collect();
    assert_eq!(seen.len(), 1);
}
