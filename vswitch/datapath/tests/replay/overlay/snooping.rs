//! Multicast between hosts: members behind tunnels are known as those behind ports are.

use core::time::Duration;
use std::sync::Arc;

use vswitch_datapath::snoop::Groups;

use super::peers::{TO_FAR, TO_NEAR, with_peers};
use crate::bench::Bench;
use crate::snooping::{GROUP, GROUP6, data, data6, query, query6, report, report6};
use crate::station::{A, ALICE, B, BOB, CAROL, DAVE};
use crate::tap_frame::TapFrame;

/// Alice and Bob are here; Carol is behind the near host, Dave behind the far one.
fn bench() -> Bench {
    let mut bench = with_peers(2);
    bench.edit_bridge(|bridge| bridge.groups = Some(Arc::new(Groups::default())));
    bench
}

/// With its checksum completed, as a tunnel carries it.
fn whole(frame: &TapFrame) -> TapFrame {
    TapFrame::plain(crate::wire::packets(frame).remove(0))
}

#[test]
fn a_group_s_frames_go_to_the_hosts_that_have_members() {
    let mut bench = bench();
    // Bob asks, here.
    bench.spreads(B, &query(BOB), &[A, TO_NEAR, TO_FAR]);
    bench.spreads(B, &query6(BOB), &[A, TO_NEAR, TO_FAR]);
    bench.spreads(TO_NEAR, &report(CAROL, GROUP, true), &[B]);
    bench.spreads(TO_NEAR, &report6(CAROL, GROUP6, true), &[B]);
    bench.wait(Duration::from_secs(3));
    bench.spreads(A, &whole(&data(ALICE)), &[B, TO_NEAR]);
    bench.spreads(A, &whole(&data6(ALICE)), &[B, TO_NEAR]);
    // From a host to the others is that host's to send.
    bench.spreads(TO_FAR, &whole(&data(DAVE)), &[B]);
    // She leaves, and another joins behind the other host.
    bench.spreads(TO_NEAR, &report(CAROL, GROUP, false), &[B]);
    bench.spreads(TO_FAR, &report(DAVE, GROUP, true), &[B]);
    bench.wait(Duration::from_secs(2));
    bench.spreads(A, &whole(&data(ALICE)), &[B, TO_FAR]);
}

#[test]
fn reports_reach_every_host_wherever_the_querier_is() {
    let mut bench = bench();
    bench.spreads(TO_FAR, &query(DAVE), &[A, B]);
    bench.spreads(TO_FAR, &query6(DAVE), &[A, B]);
    // The near host has nobody who asks, and must know of members all the same.
    bench.spreads(A, &report(ALICE, GROUP, true), &[TO_NEAR, TO_FAR]);
    bench.spreads(A, &report6(ALICE, GROUP6, true), &[TO_NEAR, TO_FAR]);
    // Of other hosts, reports were sent there by themselves.
    bench.spreads(TO_NEAR, &report(CAROL, GROUP, true), &[]);
    bench.wait(Duration::from_secs(3));
    bench.spreads(B, &whole(&data(BOB)), &[A, TO_NEAR, TO_FAR]);
    bench.spreads(B, &whole(&data6(BOB)), &[A, TO_FAR]);
    bench.spreads(TO_NEAR, &whole(&data(CAROL)), &[A]);
}

#[test]
fn without_a_querier_every_host_gets_everything() {
    let mut bench = bench();
    bench.spreads(A, &report(ALICE, GROUP, true), &[B, TO_NEAR, TO_FAR]);
    bench.wait(Duration::from_secs(60));
    bench.spreads(B, &whole(&data(BOB)), &[A, TO_NEAR, TO_FAR]);
}
