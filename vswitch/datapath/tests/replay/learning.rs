//! Learning, moving, ageing and forgetting of addresses (IEEE 802.1D §7.8 and §7.9).

use core::time::Duration;
use std::sync::Arc;

use vswitch_datapath::DropReason::{BadSource, Hairpin, ReservedGroup};
use vswitch_datapath::Fdb;
use vswitch_datapath::vlan::Vlan;
use vswitch_packet::MacAddr;
use vswitch_packet::ip::Version::V4;

use crate::bench::Bench;
use crate::counters::on;
use crate::crafted::{ethernet, udp};
use crate::station::{A, ALICE, B, BOB, C, CAROL, D, DAVE, station};

#[test]
fn an_unknown_destination_is_flooded_until_it_speaks() {
    let mut bench = Bench::new(4);
    let there = udp(V4, ALICE, BOB, 18).complete();
    let back = udp(V4, BOB, ALICE, 18).complete();
    bench.carries(A, &there, &[B, C, D]);
    bench.carries(B, &back, &[A]);
    bench.carries(A, &there, &[B]);
}

#[test]
fn a_frame_never_leaves_by_the_port_it_came_in_at() {
    let mut bench = Bench::new(3);
    // alice and carol are both behind A.
    bench.carries(A, &udp(V4, ALICE, BOB, 18).complete(), &[B, C]);
    bench.refuses(A, &udp(V4, CAROL, ALICE, 18).complete(), Hairpin);
    // Carol was learned all the same.
    bench.carries(B, &udp(V4, BOB, CAROL, 18).complete(), &[A]);
}

#[test]
fn a_moved_address_is_followed_at_once() {
    let mut bench = Bench::new(3);
    bench.learn(&[A, B, C]);
    bench.carries(A, &udp(V4, ALICE, BOB, 18).complete(), &[B]);
    bench.carries(C, &udp(V4, BOB, ALICE, 18).complete(), &[A]);
    bench.carries(A, &udp(V4, ALICE, BOB, 18).complete(), &[C]);
}

#[test]
fn an_address_is_forgotten_after_the_ageing_time() {
    let mut bench = Bench::new(3);
    bench.learn(&[B]);
    let frame = udp(V4, ALICE, BOB, 18).complete();
    bench.wait(Duration::from_millis(299_999));
    bench.carries(A, &frame, &[B]);
    bench.wait(Duration::from_millis(1));
    bench.carries(A, &frame, &[B, C]);
}

#[test]
fn whoever_speaks_is_not_forgotten() {
    let mut bench = Bench::new(3);
    bench.learn(&[A, B]);
    for _ in 0..4 {
        bench.wait(Duration::from_secs(250));
        bench.carries(B, &udp(V4, BOB, ALICE, 18).complete(), &[A]);
        bench.carries(A, &udp(V4, ALICE, BOB, 18).complete(), &[B]);
    }
    assert_eq!(bench.bridge().fdb.learned(), 2);
}

#[test]
fn a_full_table_floods_and_counts() {
    let mut bench = Bench::new(3);
    bench.edit_bridge(|bridge| bridge.fdb = Arc::new(Fdb::new(2, 300, 1)));
    bench.carries(A, &udp(V4, ALICE, DAVE, 18).complete(), &[B, C]);
    bench.carries(B, &udp(V4, BOB, ALICE, 18).complete(), &[A]);
    // No room for carol: what she sends is carried, what she should get is flooded.
    let from_carol = udp(V4, CAROL, ALICE, 18).complete();
    for _ in 0..2 {
        bench.enter(C, &from_carol);
        bench.assert_sent([(A, &from_carol)]);
        bench.assert_counted([
            on(C).received([&from_carol]).fdb_full(1),
            on(A).sent([&from_carol]),
        ]);
    }
    bench.carries(A, &udp(V4, ALICE, CAROL, 18).complete(), &[B, C]);
    // Who is known may still move.
    bench.carries(C, &udp(V4, BOB, ALICE, 18).complete(), &[A]);
    bench.carries(A, &udp(V4, ALICE, BOB, 18).complete(), &[C]);
    // Room is made when addresses age.
    bench.wait(Duration::from_secs(300));
    let now = bench.now();
    bench.bridge().fdb.sweep(now);
    bench.carries(C, &from_carol, &[A, B]);
    bench.carries(A, &udp(V4, ALICE, CAROL, 18).complete(), &[C]);
}

#[test]
fn a_flood_of_made_up_addresses_leaves_the_others_reachable() {
    let mut bench = Bench::new(3);
    bench.edit_bridge(|bridge| bridge.fdb = Arc::new(Fdb::new(64, 300, 9)));
    bench.learn(&[A, B]);
    let made_up: Vec<_> = (0..5000)
        .map(|n| {
            ethernet(
                MacAddr::from_u64(0x0666_0000_0000 | n),
                ALICE.mac,
                0x88b5,
                &[0; 46],
            )
        })
        .collect();
    bench.burst(made_up.iter().map(|frame| (C, frame)));
    bench.assert_sent(made_up.iter().map(|frame| (A, frame)));
    bench.assert_counted([
        on(C).received(&made_up).fdb_full(5000 - 62),
        on(A).sent(&made_up),
    ]);
    bench.carries(A, &udp(V4, ALICE, BOB, 18).complete(), &[B]);
}

#[test]
fn a_source_that_no_station_can_have_is_refused_and_teaches_nothing() {
    let mut bench = Bench::new(3);
    for source in [
        MacAddr::ZERO,
        MacAddr::BROADCAST,
        MacAddr([0x01, 0, 0x5e, 0, 0, 1]),
    ] {
        let frame = udp(V4, station(9).with_mac(source), BOB, 18).complete();
        bench.refuses(A, &frame, BadSource);
    }
    assert_eq!(bench.bridge().fdb.learned(), 0);
}

#[test]
fn groups_of_the_link_itself_are_not_forwarded_and_teach_nothing() {
    let mut bench = Bench::new(3);
    for last in 0..=0x0f {
        let group = MacAddr([0x01, 0x80, 0xc2, 0, 0, last]);
        let frame = ethernet(ALICE.mac, group, 0x88cc, &[0; 46]);
        bench.refuses(A, &frame, ReservedGroup);
    }
    assert_eq!(bench.bridge().fdb.learned(), 0);
    // The neighbours of the sixteen are groups like any other.
    for group in [[0x01, 0x80, 0xc2, 0, 0, 0x10], [0x01, 0x80, 0xc2, 0, 1, 0]] {
        bench.carries(
            A,
            &ethernet(ALICE.mac, MacAddr(group), 0x88cc, &[0; 46]),
            &[B, C],
        );
    }
}

#[test]
fn a_configured_address_does_not_move() {
    let mut bench = Bench::new(3);
    bench.bridge().fdb.set_static(Vlan::NONE, BOB.mac, B);
    bench.carries(C, &udp(V4, BOB, ALICE, 18).complete(), &[A, B]);
    bench.carries(A, &udp(V4, ALICE, BOB, 18).complete(), &[B]);
    bench.wait(Duration::from_secs(1_000_000));
    bench.carries(A, &udp(V4, ALICE, BOB, 18).complete(), &[B]);
}

#[test]
fn what_was_behind_a_port_that_is_gone_is_flooded() {
    let mut bench = Bench::new(4);
    bench.learn(&[A, B]);
    bench.remove_port(B);
    bench.carries(A, &udp(V4, ALICE, BOB, 18).complete(), &[C, D]);
    let fdb = Arc::clone(&bench.bridge().fdb);
    fdb.forget_port(B);
    bench.carries(A, &udp(V4, ALICE, BOB, 18).complete(), &[C, D]);
}
